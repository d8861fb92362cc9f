//! What an API answers, as the result of a tool: JSON as structure and as text, media as what they are, errors as errors
//! that a model can read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use toolgate_protocol::{Json, Object};

use crate::arguments::{is_json, is_text};
use crate::document::brief;
use crate::plan::{BadArguments, Plan};

/// Of the body of an error.
const MAX_ERROR: usize = 8_000;

/// What came back.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// `Content-Type`, or nothing.
    pub content_type: String,
    /// `Location`, if there is one.
    pub location: Option<String>,
    /// `Retry-After`, if there is one.
    pub retry_after: Option<String>,
    /// All of the body.
    pub body: Bytes,
}

impl Plan {
    /// The result of a call that was answered like this. `depth` is the deepest JSON that is passed on.
    pub fn result(&self, answer: &Answer, depth: usize) -> Json {
        if !(200..300).contains(&answer.status) {
            return failed(&answer.explain());
        }
        let media = essence(&answer.content_type);
        let structure = match is_json(&media) || media.is_empty() {
            true => Json::parse_within(answer.body.clone(), depth).ok(),
            false => None,
        };
        let content = match (&structure, std::str::from_utf8(&answer.body)) {
            (Some(structure), _) => text(structure.as_str()),
            (None, Ok("")) => text(&answer.nothing(&self.method)),
            (None, Ok(body)) if is_readable(&media) => text(body),
            _ if is_readable(&media) && !media.is_empty() => text(&String::from_utf8_lossy(&answer.body)),
            _ => blob(&media, &answer.body),
        };
        let mut result = Object::new()
            .with("resultType", Json::literal(r#""complete""#))
            .with("content", Json::array_of([&content]));
        match structure {
            Some(structure) if !self.declares_output || structure.is_object() => {
                result.set("structuredContent", structure);
            }
            // What declares an object answers one, whatever the API did.
            Some(other) => result.set("structuredContent", Object::new().with("result", other).to_json()),
            None if self.declares_output => result.set("structuredContent", Json::literal("{}")),
            None => {}
        }
        result.to_json()
    }
}

impl BadArguments {
    /// The result of a call that was not made.
    pub fn result(&self) -> Json {
        failed(&format!("The call was not made: {}.", self.0))
    }
}

/// A result that says what failed.
pub fn failed(what: &str) -> Json {
    Object::new()
        .with("resultType", Json::literal(r#""complete""#))
        .with("content", Json::array_of([&text(what)]))
        .with("isError", Json::literal("true"))
        .to_json()
}

// === impl Answer ===

impl Answer {
    /// Whether it is an error.
    pub fn is_error(&self) -> bool {
        !(200..300).contains(&self.status)
    }

    /// An error status in words: what it means here, then what the API says.
    fn explain(&self) -> String {
        let status = http_words(self.status);
        let hint = match self.status {
            300..=399 => match &self.location {
                Some(location) => format!(": it redirects to {}, which is not followed", brief(location, 200)),
                None => ": it redirects, which is not followed".to_owned(),
            },
            401 | 403 => ": the API did not accept the credentials that the gateway has for it".to_owned(),
            429 => match &self.retry_after {
                Some(after) => format!(": asked too often; retry after {}", brief(after, 40)),
                None => ": asked too often; retry later".to_owned(),
            },
            _ => String::new(),
        };
        let said = self.said();
        let said = if said.is_empty() { said } else { format!("\n\n{said}") };
        format!("HTTP {}{status}{hint}.{said}", self.status)
    }

    /// The body of an error, as far as it can be read.
    fn said(&self) -> String {
        let media = essence(&self.content_type);
        let Ok(body) = std::str::from_utf8(&self.body) else { return String::new() };
        let readable = match &*media {
            "text/html" | "application/xhtml+xml" => without_tags(body),
            media if is_readable(media) => body.trim().to_owned(),
            _ => return String::new(),
        };
        match readable.char_indices().nth(MAX_ERROR) {
            None => readable,
            Some((at, _)) => format!("{}…\n(cut: the answer has {} bytes)", &readable[..at], self.body.len()),
        }
    }

    /// What to say of an answer without a body.
    fn nothing(&self, method: &str) -> String {
        let at = match &self.location {
            Some(location) => format!(" What was made is at {}.", brief(location, 500)),
            None => String::new(),
        };
        let what = if method == "HEAD" { "It is there." } else { "The answer is empty." };
        format!("HTTP {}{}. {what}{at}", self.status, http_words(self.status))
    }
}

fn text(text: &str) -> Json {
    Object::new().with("type", Json::literal(r#""text""#)).with("text", Json::string(text)).to_json()
}

/// Bytes as content of the right kind.
fn blob(media: &str, body: &Bytes) -> Json {
    let media = if media.is_empty() { "application/octet-stream" } else { media };
    let data = Json::string(&STANDARD.encode(body));
    let mime = Json::string(media);
    match media.split('/').next() {
        Some(kind @ ("image" | "audio")) => {
            Object::new().with("type", Json::string(kind)).with("data", data).with("mimeType", mime).to_json()
        }
        _ => {
            let resource = Object::new()
                // The URL may hold keys, so that it is not told.
                .with("uri", Json::literal(r#""answer:body""#))
                .with("mimeType", mime)
                .with("blob", data);
            Object::new().with("type", Json::literal(r#""resource""#)).with("resource", resource.to_json()).to_json()
        }
    }
}

fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn is_readable(media: &str) -> bool {
    media.is_empty() || is_text(media) || is_json(media) || media == "application/x-www-form-urlencoded"
}

/// The words of an HTML page.
fn without_tags(page: &str) -> String {
    let mut words = String::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        words.push_str(&rest[..at]);
        words.push(' ');
        let tag = &rest[at..];
        let hidden = ["script", "style", "svg", "head"]
            .into_iter()
            .find(|name| tag.get(1..=name.len()).is_some_and(|word| word.eq_ignore_ascii_case(name)));
        let end = match hidden {
            Some(name) => find_ignoring_case(tag, &format!("</{name}")).unwrap_or(tag.len()),
            None => 0,
        };
        let end = tag[end..].find('>').map_or(tag.len(), |close| end + close + 1);
        rest = &tag[end..];
    }
    words.push_str(rest);
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn find_ignoring_case(text: &str, wanted: &str) -> Option<usize> {
    let (text, wanted) = (text.as_bytes(), wanted.as_bytes());
    text.windows(wanted.len()).position(|window| window.eq_ignore_ascii_case(wanted))
}

/// A space and the usual words for a status; nothing for an unusual one.
fn http_words(status: u16) -> &'static str {
    match status {
        200 => " OK",
        201 => " Created",
        202 => " Accepted",
        204 => " No Content",
        301 => " Moved Permanently",
        302 => " Found",
        303 => " See Other",
        304 => " Not Modified",
        307 => " Temporary Redirect",
        308 => " Permanent Redirect",
        400 => " Bad Request",
        401 => " Unauthorized",
        402 => " Payment Required",
        403 => " Forbidden",
        404 => " Not Found",
        405 => " Method Not Allowed",
        406 => " Not Acceptable",
        409 => " Conflict",
        410 => " Gone",
        412 => " Precondition Failed",
        413 => " Content Too Large",
        415 => " Unsupported Media Type",
        422 => " Unprocessable Content",
        429 => " Too Many Requests",
        500 => " Internal Server Error",
        501 => " Not Implemented",
        502 => " Bad Gateway",
        503 => " Service Unavailable",
        504 => " Gateway Timeout",
        _ => "",
    }
}
