//! The JSON-RPC envelope: reads the few members it must, keeps the rest verbatim.
//!
//! Source: JSON-RPC 2.0, and `basic/index` of each MCP revision. Batches exist in 2025-03-26 only; the transports take them
//! apart before they come here.

use bytes::Bytes;

use crate::code::{self, RpcError};
use crate::json::{Json, JsonError, MAX_DEPTH};
use crate::method::Method;
use crate::object::{Member, Object};
use crate::reply::Outcome;

/// The id of a request: a string or a number, kept as it was spelled so that its type and digits survive the round trip.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Id(Json);

/// One JSON-RPC message.
#[derive(Clone, Debug)]
pub enum Message {
    /// Wants an answer.
    Request(Request),
    /// Wants none.
    Notification(Notification),
    /// Is one.
    Response(Response),
}

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Unique among the sender's requests in flight.
    pub id: Id,
    /// What is asked for.
    pub method: Method,
    /// With what; empty when there were none.
    pub params: Object,
    /// Envelope members that JSON-RPC does not name.
    pub rest: Vec<Member>,
}

/// A notification.
#[derive(Clone, Debug)]
pub struct Notification {
    /// What happened.
    pub method: Method,
    /// To what; empty when there were none.
    pub params: Object,
    /// Envelope members that JSON-RPC does not name.
    pub rest: Vec<Member>,
}

/// A response.
#[derive(Clone, Debug)]
pub struct Response {
    /// Of which request; absent in errors about messages whose id could not be read.
    pub id: Option<Id>,
    /// The result, or the error.
    pub outcome: Outcome,
    /// Envelope members that JSON-RPC does not name.
    pub rest: Vec<Member>,
}

// === impl Id ===

impl Id {
    /// An id of our own.
    pub fn number(number: u64) -> Self {
        Self(Json::integer(number))
    }

    /// An id of our own.
    pub fn string(text: &str) -> Self {
        Self(Json::string(text))
    }

    /// Accepts a string or a number.
    pub fn read(json: &Json) -> Option<Self> {
        (json.is_string() || json.is_number()).then(|| Self(json.clone()))
    }

    /// The id as JSON.
    pub fn json(&self) -> &Json {
        &self.0
    }

    /// Its value, if it is a whole number.
    pub fn as_u64(&self) -> Option<u64> {
        self.0.as_u64()
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.as_str())
    }
}

// === impl Message ===

impl Message {
    /// Reads one message nested at most [`MAX_DEPTH`] deep. The error is ready to be sent back: it has the right code.
    pub fn parse(text: Bytes) -> Result<Self, RpcError> {
        Self::parse_within(text, MAX_DEPTH)
    }

    /// Reads one message nested at most `depth` deep.
    pub fn parse_within(text: Bytes, depth: usize) -> Result<Self, RpcError> {
        crate::json::check_depth(&text, depth).map_err(|error| RpcError::new(code::PARSE_ERROR, error.to_string()))?;
        let text = crate::json::utf8(text).map_err(unreadable)?;
        Self::read(Object::parse(&text).map_err(unreadable)?)
    }

    /// Reads one message out of a batch.
    pub fn from_json(json: &Json) -> Result<Self, RpcError> {
        Self::read(json.object().map_err(unreadable)?)
    }

    fn read(mut envelope: Object) -> Result<Self, RpcError> {
        if envelope.remove("jsonrpc").is_none_or(|version| version.as_str() != "\"2.0\"") {
            return Err(invalid("the member `jsonrpc` must be \"2.0\""));
        }
        let id = envelope.remove("id");
        let method = envelope.remove("method");
        if let Some(method) = method {
            let method = method.as_string().ok_or_else(|| invalid("`method` must be a string"))?;
            let params = match envelope.remove("params") {
                None => Object::new(),
                Some(params) if params.is_null() => Object::new(),
                Some(params) => params.object().map_err(|error| match error {
                    JsonError::WrongType { .. } => RpcError::new(code::INVALID_PARAMS, "`params` must be an object"),
                    other => invalid(&other.to_string()),
                })?,
            };
            if envelope.get("result").is_some() || envelope.get("error").is_some() {
                return Err(invalid("a message with `method` has neither `result` nor `error`"));
            }
            let method = Method::from(method.as_str());
            let rest = envelope.into_members();
            return Ok(match id {
                None => Self::Notification(Notification { method, params, rest }),
                Some(id) => {
                    let id = Id::read(&id).ok_or_else(|| invalid("`id` must be a string or a number"))?;
                    Self::Request(Request { id, method, params, rest })
                }
            });
        }
        let id = match id {
            Some(id) if !id.is_null() => {
                Some(Id::read(&id).ok_or_else(|| invalid("`id` must be a string or a number"))?)
            }
            _ => None,
        };
        let outcome = match (envelope.remove("result"), envelope.remove("error")) {
            (Some(result), None) => Ok(result),
            (None, Some(error)) => Err(RpcError::read(&error).map_err(|error| invalid(&error.to_string()))?),
            // Some servers write `"error": null` beside a result.
            (Some(result), Some(error)) if error.is_null() => Ok(result),
            (Some(result), Some(error)) if result.is_null() => {
                Err(RpcError::read(&error).map_err(|error| invalid(&error.to_string()))?)
            }
            (Some(_), Some(_)) => return Err(invalid("a response has either `result` or `error`")),
            (None, None) => return Err(invalid("a message has `method`, `result` or `error`")),
        };
        Ok(Self::Response(Response { id, outcome, rest: envelope.into_members() }))
    }

    /// The message as one line of JSON text.
    pub fn encode(&self) -> Bytes {
        match self {
            Self::Request(request) => request.encode(),
            Self::Notification(notification) => notification.encode(),
            Self::Response(response) => response.encode(),
        }
    }
}

fn unreadable(error: JsonError) -> RpcError {
    match error {
        JsonError::Syntax(_) | JsonError::TooDeep(_) => RpcError::new(code::PARSE_ERROR, error.to_string()),
        JsonError::DuplicateMember(_) | JsonError::WrongType { .. } => invalid(&error.to_string()),
    }
}

fn invalid(what: &str) -> RpcError {
    RpcError::new(code::INVALID_REQUEST, format!("invalid JSON-RPC message: {what}"))
}

/// Writes `{"jsonrpc":"2.0"`, then whatever `members` appends, then the unnamed members and the end.
fn envelope(size: usize, rest: &[Member], members: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut text = Vec::with_capacity(size + 64);
    text.extend_from_slice(b"{\"jsonrpc\":\"2.0\"");
    members(&mut text);
    for member in rest {
        text.push(b',');
        member.write(&mut text);
    }
    text.push(b'}');
    Json::single_line(text.into())
}

fn write_method(text: &mut Vec<u8>, method: &Method, params: &Object) {
    text.extend_from_slice(b",\"method\":");
    text.extend_from_slice(Json::string(method.as_str()).text());
    if !params.is_empty() {
        text.extend_from_slice(b",\"params\":");
        params.write(text);
    }
}

fn write_id(text: &mut Vec<u8>, id: &Json) {
    text.extend_from_slice(b",\"id\":");
    text.extend_from_slice(id.text());
}

// === impl Request ===

impl Request {
    /// A request of our own.
    pub fn new(id: Id, method: Method, params: Object) -> Self {
        Self { id, method, params, rest: Vec::new() }
    }

    /// The request as one line of JSON text.
    pub fn encode(&self) -> Bytes {
        envelope(self.params.text_len() + 32, &self.rest, |text| {
            write_id(text, &self.id.0);
            write_method(text, &self.method, &self.params);
        })
    }
}

// === impl Notification ===

impl Notification {
    /// A notification of our own.
    pub fn new(method: Method, params: Object) -> Self {
        Self { method, params, rest: Vec::new() }
    }

    /// The notification as one line of JSON text.
    pub fn encode(&self) -> Bytes {
        envelope(self.params.text_len(), &self.rest, |text| write_method(text, &self.method, &self.params))
    }
}

// === impl Response ===

impl Response {
    /// The answer to the request `id`.
    pub fn new(id: Id, outcome: Outcome) -> Self {
        Self { id: Some(id), outcome, rest: Vec::new() }
    }

    /// An error about a message whose id could not be read.
    pub fn nameless(error: RpcError) -> Self {
        Self { id: None, outcome: Err(error), rest: Vec::new() }
    }

    /// The response as one line of JSON text. Without an id, JSON-RPC asks for `null`.
    pub fn encode(&self) -> Bytes {
        const NULL: Json = Json::literal("null");
        let id = self.id.as_ref().map_or(NULL, |id| id.0.clone());
        let size = self.outcome.as_ref().map_or(256, |result| result.text().len());
        envelope(size, &self.rest, |text| {
            write_id(text, &id);
            match &self.outcome {
                Ok(result) => {
                    text.extend_from_slice(b",\"result\":");
                    text.extend_from_slice(result.text());
                }
                Err(error) => {
                    text.extend_from_slice(b",\"error\":");
                    text.extend_from_slice(error.to_json().text());
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &'static str) -> i64 {
        Message::parse(Bytes::from_static(text.as_bytes())).unwrap_err().code
    }

    #[test]
    fn what_is_not_understood_is_carried() {
        let text = r#"{"jsonrpc":"2.0","id":1e0,"method":"tools/call","params":{"name":"a","vendor":{"b":1.50},"arguments":{"n":1E2}},"trace":[1]}"#;
        let message = Message::parse(Bytes::from_static(text.as_bytes())).unwrap();
        assert_eq!(message.encode(), text.as_bytes());
    }

    #[test]
    fn each_fault_has_its_code() {
        assert_eq!(refused("{"), code::PARSE_ERROR);
        assert_eq!(refused("hello"), code::PARSE_ERROR);
        assert_eq!(refused("[]"), code::INVALID_REQUEST);
        assert_eq!(refused(r#"{"id":1,"method":"ping"}"#), code::INVALID_REQUEST);
        assert_eq!(refused(r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#), code::INVALID_REQUEST);
        assert_eq!(refused(r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#), code::INVALID_REQUEST);
        assert_eq!(refused(r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#), code::INVALID_PARAMS);
        assert_eq!(refused(r#"{"jsonrpc":"2.0","id":1}"#), code::INVALID_REQUEST);
    }

    #[test]
    fn a_pretty_printed_message_becomes_one_line() {
        let text = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\n  \"a\": \"x\\ny\"\n}}";
        let encoded = Message::parse(Bytes::from_static(text.as_bytes())).unwrap().encode();
        assert!(!encoded.contains(&b'\n'));
        assert_eq!(encoded, &br#"{"jsonrpc":"2.0","id":1,"result":{   "a": "x\ny" }}"#[..]);
    }
}
