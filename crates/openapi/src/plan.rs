//! How the arguments of a call become an HTTP request.
//!
//! Where the request goes is settled before any argument is seen: scheme, host and port are the plan's, an argument fills one
//! segment of a path, one value of a query, a header or a cookie, and can leave none of them.

use toolgate_protocol::{Json, Object};

use crate::body::Body;
use crate::document::brief;
use crate::encode::{self, Spelling, Style, path_fault, plain};

/// The longest URL that is sent; servers have bounds of 8 KiB and more.
const MAX_URL: usize = 32 << 10;

/// How to make one tool's requests.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// `GET`, `POST` and so on.
    pub(crate) method: String,
    /// Scheme, host, port and the beginning of the path, without a slash at its end.
    pub(crate) base: String,
    /// The rest of the path.
    pub(crate) path: Vec<Piece>,
    /// A query that every request has, encoded.
    pub(crate) query: String,
    pub(crate) params: Vec<Param>,
    pub(crate) body: Body,
    /// The names that arguments may have.
    pub(crate) known: Vec<String>,
    /// Those that must be there.
    pub(crate) required: Vec<String>,
    /// Whether arguments that nobody declared belong into the body.
    pub(crate) open: bool,
    /// Whether the tool declares what comes back, so that there must always be an object.
    pub(crate) declares_output: bool,
}

/// A part of a text with places in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// As it is.
    Text(String),
    /// What the argument of this name says.
    Argument(String),
}

/// One thing that is sent outside the body.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Param {
    /// Its name on the wire.
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) value: Value,
    pub(crate) spelling: Spelling,
    pub(crate) required: bool,
}

/// Where something is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// In the path.
    Path,
    /// In the query.
    Query,
    /// As a header.
    Header,
    /// As a cookie.
    Cookie,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// An argument as it is.
    Argument(String),
    /// A text with arguments in it.
    Template(Vec<Piece>),
}

/// A request to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The verb.
    pub method: String,
    /// Absolute.
    pub url: String,
    /// Names in lower case, checked for characters that a header cannot carry.
    pub headers: Vec<(String, String)>,
    /// What the body is of, if there is one.
    pub content_type: Option<String>,
    /// The body.
    pub body: bytes::Bytes,
}

/// Why arguments make no request, in words for the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadArguments(pub String);

// === impl Place ===

impl Place {
    pub(crate) fn of(word: &str) -> Option<Self> {
        Some(match word {
            "path" => Self::Path,
            "query" => Self::Query,
            "header" => Self::Header,
            "cookie" => Self::Cookie,
            _ => return None,
        })
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
            Self::Cookie => "cookie",
        }
    }
}

// === impl Plan ===

impl Plan {
    /// The verb.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Scheme, host, port and the beginning of the path of every request.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The request for these arguments.
    ///
    /// # Errors
    /// What is wrong with them, and what to do about it.
    pub fn request(&self, arguments: &Object) -> Result<Request, BadArguments> {
        self.check_names(arguments)?;
        if let Some(lacks) = self.required.iter().find(|name| arguments.get(name).is_none()) {
            return Err(missing(lacks));
        }
        let mut request = Request {
            method: self.method.clone(),
            url: String::new(),
            headers: Vec::new(),
            content_type: None,
            body: bytes::Bytes::new(),
        };
        let path = self.path(arguments)?;
        let query = self.query(arguments)?;
        let separator = if query.is_empty() { "" } else { "?" };
        request.url = format!("{}{path}{separator}{query}", self.base);
        if request.url.len() > MAX_URL {
            return Err(bad(format!("these arguments make a URL of more than {MAX_URL} bytes; send less")));
        }
        self.headers(arguments, &mut request)?;
        if let Some((content_type, body)) = self.body.encode(arguments, &self.known)? {
            request.content_type = Some(content_type);
            request.body = body;
        }
        Ok(request)
    }

    /// Refuses arguments that would be lost.
    fn check_names(&self, arguments: &Object) -> Result<(), BadArguments> {
        if self.open {
            return Ok(());
        }
        let is_known = |name: &str| self.known.iter().any(|known| known == name);
        match arguments.members().find(|member| !is_known(member.name())) {
            None => Ok(()),
            Some(member) => {
                let known = self.known.iter().take(40).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                let known = if known.is_empty() { "it takes none".to_owned() } else { format!("known: {known}") };
                Err(bad(format!("there is no argument `{}`; {known}", brief(member.name(), 60))))
            }
        }
    }

    fn path(&self, arguments: &Object) -> Result<String, BadArguments> {
        let mut path = String::new();
        for piece in &self.path {
            match piece {
                Piece::Text(text) => path.push_str(text),
                Piece::Argument(name) => path.push_str(&self.in_path(name, arguments)?),
            }
        }
        let leads_elsewhere = path.split('/').any(|segment| {
            let decoded = percent_encoding::percent_decode_str(segment).decode_utf8_lossy();
            matches!(&*decoded, "." | "..")
        });
        match leads_elsewhere {
            true => Err(bad("the arguments would lead to another path: a part of it would be `.` or `..`".to_owned())),
            false => Ok(path),
        }
    }

    /// The text for the place of this argument in the path.
    fn in_path(&self, name: &str, arguments: &Object) -> Result<String, BadArguments> {
        let param = self.params.iter().find(|param| {
            param.place == Place::Path && matches!(&param.value, Value::Argument(argument) if argument == name)
        });
        let spelling = param.map_or(SIMPLE, |param| param.spelling);
        let on_wire = param.map_or(name, |param| &param.name);
        let value = given(arguments, name).ok_or_else(|| missing(name))?;
        for text in scalars(value) {
            if let Some(fault) = path_fault(&text) {
                return Err(bad(format!("the argument `{name}` {fault}; give the plain value")));
            }
        }
        let text = spelling.in_path(on_wire, value).filter(|text| !text.is_empty());
        text.ok_or_else(|| bad(format!("the argument `{name}` is empty, which would make it another path")))
    }

    fn query(&self, arguments: &Object) -> Result<String, BadArguments> {
        let mut pairs = Vec::new();
        for param in self.params.iter().filter(|param| param.place == Place::Query) {
            match param.value.read(arguments) {
                Some(value) => pairs.extend(param.spelling.pairs(&param.name, &value)),
                None if param.required => return Err(missing(param.value.argument())),
                None => {}
            }
        }
        // An object whose members stand for themselves must not overwrite what the gateway sends.
        let is_fixed = |name: &str| self.query.split('&').any(|pair| pair.split('=').next() == Some(name));
        if let Some((name, _)) = pairs.iter().find(|(name, _)| is_fixed(&encode::strict(name))) {
            return Err(bad(format!("`{}` is set by the gateway and cannot be an argument", brief(name, 60))));
        }
        let own = encode::join(&pairs);
        let both = if self.query.is_empty() || own.is_empty() { "" } else { "&" };
        Ok(format!("{}{both}{own}", self.query))
    }

    fn headers(&self, arguments: &Object, request: &mut Request) -> Result<(), BadArguments> {
        let mut cookies = Vec::new();
        for param in &self.params {
            if !matches!(param.place, Place::Header | Place::Cookie) {
                continue;
            }
            let text = match &param.value {
                Value::Argument(name) => given(arguments, name).and_then(|value| param.spelling.in_header(value)),
                Value::Template(_) => param.value.read(arguments).and_then(|value| plain(&value)),
            };
            let Some(text) = text else {
                if param.required {
                    return Err(missing(param.value.argument()));
                }
                continue;
            };
            if param.place == Place::Cookie {
                cookies.push(format!("{}={}", param.name, encode::strict(&text)));
            } else if text.bytes().all(|byte| (b' '..=b'~').contains(&byte) || byte == b'\t') {
                request.headers.push((param.name.clone(), text.trim().to_owned()));
            } else {
                let name = param.value.argument();
                return Err(bad(format!("the argument `{name}` goes into a header, which takes one line of ASCII")));
            }
        }
        if !cookies.is_empty() {
            request.headers.push(("cookie".into(), cookies.join("; ")));
        }
        Ok(())
    }
}

const SIMPLE: Spelling = Spelling { style: Style::Simple, explode: false, reserved: false };

/// An argument that is there; null is as good as absent.
pub(crate) fn given<'a>(arguments: &'a Object, name: &str) -> Option<&'a Json> {
    arguments.get(name).filter(|value| !value.is_null())
}

/// Every scalar of a value, for looking at.
fn scalars(value: &Json) -> Vec<String> {
    if let Ok(items) = value.array() {
        return items.iter().filter_map(plain).collect();
    }
    match value.object() {
        Ok(object) => object.members().filter_map(|member| plain(&member.value)).collect(),
        Err(_) => plain(value).into_iter().collect(),
    }
}

pub(crate) fn bad(what: String) -> BadArguments {
    BadArguments(what)
}

pub(crate) fn missing(name: &str) -> BadArguments {
    BadArguments(format!("the argument `{name}` is missing; call again with it"))
}

// === impl Value ===

impl Value {
    /// The value, if all that it needs is there.
    fn read(&self, arguments: &Object) -> Option<Json> {
        match self {
            Self::Argument(name) => given(arguments, name).cloned(),
            Self::Template(pieces) => fill(pieces, arguments),
        }
    }

    /// The argument to name when it is missing.
    fn argument(&self) -> &str {
        match self {
            Self::Argument(name) => name,
            Self::Template(pieces) => pieces
                .iter()
                .find_map(|piece| match piece {
                    Piece::Argument(name) => Some(name.as_str()),
                    Piece::Text(_) => None,
                })
                .unwrap_or_default(),
        }
    }
}

/// A template with its arguments filled in: the argument itself where it is all there is, else a text. `None` where one is
/// missing.
pub(crate) fn fill(pieces: &[Piece], arguments: &Object) -> Option<Json> {
    if let [Piece::Argument(name)] = pieces {
        return given(arguments, name).cloned();
    }
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(part) => text.push_str(part),
            Piece::Argument(name) => text.push_str(&plain(given(arguments, name)?)?),
        }
    }
    Some(Json::string(&text))
}
