//! The body of a request, in the kinds that APIs take.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use bytes::Bytes;
use indexmap::IndexMap;
use sha2::{Digest as _, Sha256};
use toolgate_protocol::{Json, Object};

use crate::encode::{Spelling, Style, join, plain};
use crate::plan::{BadArguments, Piece, bad, fill, given, missing};
use crate::tree::Node;

/// What is sent, made of which arguments.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Body {
    /// Nothing.
    None,
    /// One argument.
    Whole { argument: String, kind: Kind, required: bool },
    /// An object with arguments as its members.
    Members { members: Vec<Member>, more: bool, kind: Kind, required: bool },
    /// A tree with arguments in its texts.
    Template { template: Node, kind: Kind },
}

/// An argument that becomes a member of the body.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Member {
    pub(crate) argument: String,
    pub(crate) name: String,
    pub(crate) required: bool,
}

/// How a body is written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// As JSON; the media type.
    Json(String),
    /// As `application/x-www-form-urlencoded`; the spelling of members that have one of their own.
    Form(IndexMap<String, Spelling>),
    /// As `multipart/form-data`; the members that are files, with their media types.
    Multipart(IndexMap<String, String>),
    /// As text; the media type.
    Text(String),
    /// As bytes, which arguments hold in base64; the media type.
    Bytes(String),
}

/// One part of `multipart/form-data`.
struct Part {
    name: String,
    file: Option<String>,
    media: Option<String>,
    data: Vec<u8>,
}

// === impl Body ===

impl Body {
    /// The media type and the bytes; `None` for no body. `known` are the arguments that have a place already.
    pub(crate) fn encode(&self, arguments: &Object, known: &[String]) -> Result<Option<(String, Bytes)>, BadArguments> {
        match self {
            Self::None => Ok(None),
            Self::Whole { argument, kind, required } => match given(arguments, argument) {
                Some(value) => kind.write(argument, value).map(Some),
                None if *required => Err(missing(argument)),
                None => Ok(None),
            },
            Self::Members { members, more, kind, required } => {
                let mut object = Object::new();
                let mut lacks = None;
                for member in members {
                    match arguments.get(&member.argument) {
                        Some(value) => object.set(&member.name, value.clone()),
                        None if member.required => lacks = lacks.or(Some(&member.argument)),
                        None => {}
                    }
                }
                if *more {
                    let others = arguments.members().filter(|member| !known.iter().any(|name| name == member.name()));
                    others.for_each(|member| object.set(member.name(), member.value.clone()));
                }
                match lacks {
                    Some(lacks) if *required || !object.is_empty() => Err(missing(lacks)),
                    None if *required || !object.is_empty() => kind.write("body", &object.to_json()).map(Some),
                    _ => Ok(None),
                }
            }
            Self::Template { template, kind } => {
                let nothing = if matches!(kind, Kind::Text(_)) { "\"\"" } else { "{}" };
                let value = filled(template, arguments).unwrap_or(Json::literal(nothing));
                kind.write("body", &value).map(Some)
            }
        }
    }
}

/// A template with its arguments filled in; a member whose argument is missing is left out.
fn filled(template: &Node, arguments: &Object) -> Option<Json> {
    match template {
        Node::Text(text) => fill(&pieces(text), arguments),
        Node::List(items) => {
            let items: Vec<Json> = items.iter().filter_map(|item| filled(item, arguments)).collect();
            Some(Json::array_of(&items))
        }
        Node::Map(members) => {
            let mut object = Object::new();
            for (name, value) in members {
                if let Some(value) = filled(value, arguments) {
                    object.set(name, value);
                }
            }
            Some(object.to_json())
        }
        scalar => Some(scalar.to_json()),
    }
}

/// A text with `{places}` in it. Braces that hold no name are text.
pub(crate) fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        plain.push_str(&rest[..at]);
        let inner = &rest[at + 1..];
        match inner.find(['{', '}']).filter(|end| inner.as_bytes()[*end] == b'}' && is_name(&inner[..*end])) {
            Some(end) => {
                if !plain.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                }
                pieces.push(Piece::Argument(inner[..end].to_owned()));
                rest = &inner[end + 1..];
            }
            None => {
                plain.push('{');
                rest = inner;
            }
        }
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain));
    }
    pieces
}

/// What may stand between braces: not JSON, not CSS.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= 100 && text.chars().all(|c| c.is_alphanumeric() || "_-.$[]".contains(c))
}

// === impl Kind ===

impl Kind {
    /// A value as the media type has it. `argument` is what to call it when it is of no use.
    fn write(&self, argument: &str, value: &Json) -> Result<(String, Bytes), BadArguments> {
        Ok(match self {
            Self::Json(media) => (media.clone(), value.text().clone()),
            Self::Text(media) => (media.clone(), plain(value).unwrap_or_default().into()),
            Self::Bytes(media) => (media.clone(), bytes_of(argument, value)?.1.into()),
            Self::Form(spellings) => {
                let mut pairs = Vec::new();
                for member in members_of(argument, value)?.members() {
                    // A list of values is the name again and again; what nests is written as JSON unless said otherwise.
                    let spelling = spellings.get(member.name()).copied().unwrap_or(match member.value.is_object() {
                        true => Spelling { style: Style::Json, explode: false, reserved: false },
                        false => Spelling { style: Style::Form, explode: true, reserved: false },
                    });
                    pairs.extend(spelling.pairs(member.name(), &member.value));
                }
                ("application/x-www-form-urlencoded".to_owned(), join(&pairs).into())
            }
            Self::Multipart(files) => {
                let mut parts = Vec::new();
                for member in members_of(argument, value)?.members() {
                    let values = member.value.array().unwrap_or_else(|_| vec![member.value.clone()]);
                    for value in values.iter().filter(|value| !value.is_null()) {
                        parts.push(Part::of(member.name(), value, files.get(member.name()))?);
                    }
                }
                multipart(&parts)
            }
        })
    }
}

fn members_of(argument: &str, value: &Json) -> Result<Object, BadArguments> {
    value.object().map_err(|error| bad(format!("the argument `{argument}` is no object: {error}")))
}

/// The bytes that an argument holds in base64 or as a `data:` URL, with the media type of the latter.
fn bytes_of(argument: &str, value: &Json) -> Result<(Option<String>, Vec<u8>), BadArguments> {
    let wrong = || bad(format!("the argument `{argument}` must be the file's bytes in base64, or a `data:` URL"));
    let text = value.as_string().ok_or_else(wrong)?;
    let (media, text) = match text.strip_prefix("data:").and_then(|rest| rest.split_once(',')) {
        Some((head, data)) => {
            let media = head.strip_suffix(";base64").ok_or_else(wrong)?;
            let is_legal = media.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') && !media.is_empty();
            (is_legal.then(|| media.to_owned()), data.to_owned())
        }
        None => (None, text),
    };
    let text: String = text.split_ascii_whitespace().collect();
    let engines = [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD];
    let bytes = engines.iter().find_map(|engine| engine.decode(&text).ok()).ok_or_else(wrong)?;
    Ok((media, bytes))
}

// === impl Part ===

impl Part {
    fn of(name: &str, value: &Json, file: Option<&String>) -> Result<Self, BadArguments> {
        let Some(media) = file else {
            let media = (value.is_object() || value.is_array()).then(|| "application/json".to_owned());
            let data = plain(value).unwrap_or_default().into_bytes();
            return Ok(Self { name: name.to_owned(), file: None, media, data });
        };
        // An object may give the file its name: `{"filename": …, "data": …}`.
        let named = value.object().ok().filter(|object| object.get("data").is_some());
        let (file, data) = match &named {
            Some(object) => (object.string("filename"), object.get("data").unwrap_or(value)),
            None => (None, value),
        };
        let (own, data) = bytes_of(name, data)?;
        let file = file.unwrap_or_else(|| name.to_owned());
        Ok(Self { name: name.to_owned(), file: Some(file), media: Some(own.unwrap_or_else(|| media.clone())), data })
    }
}

/// `multipart/form-data` (RFC 7578). Its boundary is made of the parts' digest: no part can hold its own.
fn multipart(parts: &[Part]) -> (String, Bytes) {
    let mut digest = Sha256::new();
    parts.iter().for_each(|part| digest.update(&part.data));
    let mark: String = digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let boundary = format!("toolgate-{mark}");
    let mut out = Vec::new();
    for part in parts {
        let quoted = |text: &str| text.replace('\r', "%0D").replace('\n', "%0A").replace('"', "%22");
        let file = part.file.as_ref().map(|file| format!("; filename=\"{}\"", quoted(file))).unwrap_or_default();
        let media = part.media.as_ref().map(|media| format!("Content-Type: {media}\r\n")).unwrap_or_default();
        let name = quoted(&part.name);
        let head = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n{media}\r\n");
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(&part.data);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={boundary}"), out.into())
}
