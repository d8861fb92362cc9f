//! What is asked for, in the upstream's own words: the three names that policy and audit read.

use std::fmt;

use crate::name::UpstreamName;

/// What kind of entry a name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A tool.
    Tool,
    /// A prompt.
    Prompt,
    /// A resource.
    Resource,
    /// A resource template.
    Template,
}

/// One entry of one upstream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    /// Whose it is.
    pub upstream: UpstreamName,
    /// What it is.
    pub kind: Kind,
    /// What its upstream calls it: a name, a URI or a URI template.
    pub native: std::sync::Arc<str>,
}

// === impl Kind ===

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Tool, Self::Prompt, Self::Resource, Self::Template];

    /// The member of a list result that holds the entries.
    pub const fn list_member(self) -> &'static str {
        match self {
            Self::Tool => "tools",
            Self::Prompt => "prompts",
            Self::Resource => "resources",
            Self::Template => "resourceTemplates",
        }
    }

    /// The member of a definition that names the entry.
    pub const fn name_member(self) -> &'static str {
        match self {
            Self::Tool | Self::Prompt => "name",
            Self::Resource => "uri",
            Self::Template => "uriTemplate",
        }
    }

    /// The method that lists this kind.
    pub const fn list_method(self) -> crate::Method {
        match self {
            Self::Tool => crate::Method::ToolsList,
            Self::Prompt => crate::Method::PromptsList,
            Self::Resource => crate::Method::ResourcesList,
            Self::Template => crate::Method::TemplatesList,
        }
    }

    /// The server capability without which an upstream has none of this kind.
    pub const fn capability(self) -> &'static str {
        match self {
            Self::Tool => "tools",
            Self::Prompt => "prompts",
            Self::Resource | Self::Template => "resources",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tool => "tool",
            Self::Prompt => "prompt",
            Self::Resource => "resource",
            Self::Template => "resource template",
        })
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}` of upstream `{}`", self.kind, self.native, self.upstream)
    }
}
