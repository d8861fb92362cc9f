//! Values in URLs and forms, in the styles of OpenAPI: from the JSON of an argument to text that cannot leave its place.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use toolgate_protocol::Json;

use crate::tree::Node;

/// Everything but what RFC 3986 calls unreserved.
const STRICT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// What a query value may have beside that when its parameter says `allowReserved`; not what parts or ends a query.
const RESERVED: &AsciiSet = &STRICT
    .remove(b':')
    .remove(b'/')
    .remove(b'?')
    .remove(b'@')
    .remove(b'!')
    .remove(b'$')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b',')
    .remove(b';');
/// Nesting of `a[b][c]…`.
const MAX_NESTING: usize = 16;

/// How the parts of a list or an object are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// `a,b` in a path or a header.
    Simple,
    /// `.a.b` in a path.
    Label,
    /// `;name=a;name=b` in a path.
    Matrix,
    /// `name=a&name=b` or `name=a,b`.
    Form,
    /// `name=a b`.
    Space,
    /// `name=a|b`.
    Pipe,
    /// `name[key]=a`.
    Deep,
    /// As JSON.
    Json,
}

/// How one parameter is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spelling {
    pub(crate) style: Style,
    /// Whether the parts stand for themselves.
    pub(crate) explode: bool,
    /// Whether reserved characters stay as they are.
    pub(crate) reserved: bool,
}

/// A text with everything encoded that has a meaning in a URL.
pub(crate) fn strict(text: &str) -> String {
    utf8_percent_encode(text, STRICT).to_string()
}

/// The text of a scalar, or the JSON of anything else; `None` for null.
pub(crate) fn plain(value: &Json) -> Option<String> {
    match value.as_str() {
        "null" => None,
        text => Some(value.as_string().unwrap_or_else(|| text.to_owned())),
    }
}

/// What a value is made of.
enum Shape {
    One(String),
    List(Vec<String>),
    Object(Vec<(String, String)>),
}

fn shape(value: &Json) -> Option<Shape> {
    if let Ok(items) = value.array() {
        return Some(Shape::List(items.iter().filter_map(plain).collect()));
    }
    if let Ok(object) = value.object() {
        let pairs = object.members().filter_map(|member| Some((member.name().to_owned(), plain(&member.value)?)));
        return Some(Shape::Object(pairs.collect()));
    }
    plain(value).map(Shape::One)
}

// === impl Spelling ===

impl Spelling {
    fn encode(self, text: &str) -> String {
        utf8_percent_encode(text, if self.reserved { RESERVED } else { STRICT }).to_string()
    }

    fn joined(self, parts: &[String], by: &str) -> String {
        parts.iter().map(|part| self.encode(part)).collect::<Vec<_>>().join(by)
    }

    /// The text for a place in a path; `None` for null. Reserved characters never stay here.
    pub(crate) fn in_path(self, name: &str, value: &Json) -> Option<String> {
        let Self { style, explode, .. } = self;
        let by_style = Self { reserved: false, ..self };
        if style == Style::Json {
            return Some(strict(value.as_str()));
        }
        let name = strict(name);
        let (lead, separator) = match (style, explode) {
            (Style::Label, true) => (".", "."),
            (Style::Label, false) => (".", ","),
            (Style::Matrix, true) => (";", ";"),
            (Style::Matrix, false) => (";", ","),
            _ => ("", ","),
        };
        let named = style == Style::Matrix;
        let text = match shape(value)? {
            Shape::One(text) if named => format!("{name}={}", strict(&text)),
            Shape::One(text) => strict(&text),
            Shape::List(items) if named && explode => {
                items.iter().map(|item| format!("{name}={}", strict(item))).collect::<Vec<_>>().join(separator)
            }
            Shape::List(items) if named => format!("{name}={}", by_style.joined(&items, separator)),
            Shape::List(items) => by_style.joined(&items, separator),
            Shape::Object(pairs) => {
                let between = if explode { "=" } else { "," };
                let pairs = pairs.iter().map(|(key, value)| format!("{}{between}{}", strict(key), strict(value)));
                let text = pairs.collect::<Vec<_>>().join(separator);
                if named && !explode { format!("{name}={text}") } else { text }
            }
        };
        Some(format!("{lead}{text}"))
    }

    /// The pairs for a query or a form, names not encoded and values encoded.
    pub(crate) fn pairs(self, name: &str, value: &Json) -> Vec<(String, String)> {
        let one = |text: String| vec![(name.to_owned(), text)];
        match self.style {
            Style::Json => return one(strict(value.as_str())),
            Style::Deep => {
                let mut pairs = Vec::new();
                self.deep(name.to_owned(), value, 0, &mut pairs);
                return pairs;
            }
            _ => {}
        }
        let separator = match self.style {
            Style::Space => "%20",
            Style::Pipe => "%7C",
            _ => ",",
        };
        match shape(value) {
            None => Vec::new(),
            Some(Shape::One(text)) => one(self.encode(&text)),
            Some(Shape::List(items)) if self.explode => {
                items.iter().map(|item| (name.to_owned(), self.encode(item))).collect()
            }
            Some(Shape::List(items)) if items.is_empty() => Vec::new(),
            Some(Shape::List(items)) => one(self.joined(&items, separator)),
            Some(Shape::Object(pairs)) if self.explode => {
                pairs.into_iter().map(|(key, value)| (key, self.encode(&value))).collect()
            }
            Some(Shape::Object(pairs)) => {
                let flat: Vec<String> = pairs.into_iter().flat_map(|(key, value)| [key, value]).collect();
                one(self.joined(&flat, separator))
            }
        }
    }

    fn deep(self, name: String, value: &Json, level: usize, pairs: &mut Vec<(String, String)>) {
        if level < MAX_NESTING {
            if let Ok(items) = value.array() {
                for (nth, item) in items.iter().enumerate() {
                    self.deep(format!("{name}[{nth}]"), item, level + 1, pairs);
                }
                return;
            }
            if let Ok(object) = value.object() {
                for member in object.members() {
                    self.deep(format!("{name}[{}]", member.name()), &member.value, level + 1, pairs);
                }
                return;
            }
        }
        if let Some(text) = plain(value) {
            pairs.push((name, self.encode(&text)));
        }
    }

    /// The text of a header or a cookie, not encoded; `None` for null.
    pub(crate) fn in_header(self, value: &Json) -> Option<String> {
        if self.style == Style::Json {
            return Some(value.as_str().to_owned());
        }
        Some(match shape(value)? {
            Shape::One(text) => text,
            Shape::List(items) => items.join(","),
            Shape::Object(pairs) => {
                let between = if self.explode { "=" } else { "," };
                pairs.iter().map(|(key, value)| format!("{key}{between}{value}")).collect::<Vec<_>>().join(",")
            }
        })
    }

    /// As a parameter says it, with the default of its place.
    pub(crate) fn of(parameter: &Node, place: &str) -> Self {
        let style = match (parameter.text_of("style"), place) {
            _ if parameter.get("content").is_some() => Style::Json,
            (Some("label"), "path") => Style::Label,
            (Some("matrix"), "path") => Style::Matrix,
            (_, "path" | "header") => Style::Simple,
            (Some("spaceDelimited"), _) => Style::Space,
            (Some("pipeDelimited"), _) => Style::Pipe,
            (Some("deepObject"), _) => Style::Deep,
            _ => Style::Form,
        };
        let explode = match parameter.get("explode") {
            Some(Node::Bool(explode)) => *explode,
            _ => matches!(style, Style::Form),
        };
        Self { style, explode, reserved: parameter.is_set("allowReserved") }
    }
}

/// Pairs as a query or a form, names encoded here.
pub(crate) fn join(pairs: &[(String, String)]) -> String {
    let pairs = pairs.iter().map(|(name, value)| format!("{}={value}", strict(name)));
    pairs.collect::<Vec<_>>().join("&")
}

/// What is wrong with a text as part of a path, if something is: servers and proxies that decode it must not be led elsewhere.
pub(crate) fn path_fault(text: &str) -> Option<&'static str> {
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8_lossy();
    if text.is_empty() {
        return Some("is empty, which would make it another path");
    }
    if text.chars().chain(decoded.chars()).any(char::is_control) {
        return Some("holds a control character");
    }
    let leads_elsewhere = |text: &str| text.split(['/', '\\']).any(|part| matches!(part, "." | ".."));
    (leads_elsewhere(text) || leads_elsewhere(&decoded)).then_some("holds `.` or `..` as a part of a path")
}
