//! What tools, prompts and resources give: the content blocks of MCP, as its newest revision writes them.
//!
//! Source: 2026-07-28 `server/tools` ("Tool result"), `server/resources` ("Resource contents").

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

/// One block of content.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Content {
    /// Words.
    Text {
        text: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        annotations: Option<Annotations>,
    },
    /// A picture, in Base64.
    #[serde(rename_all = "camelCase")]
    Image { data: String, mime_type: &'static str },
    /// A sound, in Base64.
    #[serde(rename_all = "camelCase")]
    Audio { data: String, mime_type: &'static str },
    /// A resource with its contents.
    Resource { resource: Contents },
    /// A resource without them.
    ResourceLink(Link),
}

/// For whom a block is, and how much it matters.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Annotations {
    /// `user`, `assistant` or both.
    pub(crate) audience: &'static [&'static str],
    /// From 0, may be left out, to 1, required.
    pub(crate) priority: f32,
}

/// A reference to a resource; also how lists name one.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Link {
    pub(crate) uri: String,
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) mime_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<usize>,
}

/// What a resource holds.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Contents {
    uri: String,
    mime_type: &'static str,
    #[serde(flatten)]
    body: Body,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Body {
    Text(String),
    Blob(String),
}

// === impl Content ===

impl Content {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), annotations: None }
    }

    pub(crate) fn image(bytes: &[u8], mime_type: &'static str) -> Self {
        Self::Image { data: STANDARD.encode(bytes), mime_type }
    }

    pub(crate) fn audio(bytes: &[u8], mime_type: &'static str) -> Self {
        Self::Audio { data: STANDARD.encode(bytes), mime_type }
    }
}

// === impl Contents ===

impl Contents {
    pub(crate) fn text(uri: &str, mime_type: &'static str, text: impl Into<String>) -> Self {
        Self { uri: uri.to_owned(), mime_type, body: Body::Text(text.into()) }
    }

    pub(crate) fn blob(uri: &str, mime_type: &'static str, bytes: &[u8]) -> Self {
        Self { uri: uri.to_owned(), mime_type, body: Body::Blob(STANDARD.encode(bytes)) }
    }
}
