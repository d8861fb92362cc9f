//! JSON-RPC and MCP error codes, and the error object that carries one.
//!
//! Source: 2026-07-28 `basic/index` and `basic/transports`; JSON-RPC 2.0 §5.1.

use crate::json::{Json, JsonError};
use crate::object::{Member, Object};

/// The text is not JSON.
pub const PARSE_ERROR: i64 = -32700;
/// JSON, but no JSON-RPC message that may be sent here.
pub const INVALID_REQUEST: i64 = -32600;
/// No such method, or not in this revision.
pub const METHOD_NOT_FOUND: i64 = -32601;
/// The parameters are wrong; also unknown tools, and in the modern era unknown resources.
pub const INVALID_PARAMS: i64 = -32602;
/// Something failed that is not the caller's fault.
pub const INTERNAL_ERROR: i64 = -32603;
/// Legacy era only: resource not found.
pub const LEGACY_RESOURCE_NOT_FOUND: i64 = -32002;
/// Legacy era only: the call needs URL elicitations first.
pub const LEGACY_URL_ELICITATION_REQUIRED: i64 = -32042;
/// A header does not repeat what the body says.
pub const HEADER_MISMATCH: i64 = -32020;
/// The request needs a capability that its client did not declare.
pub const MISSING_CAPABILITY: i64 = -32021;
/// The revision is not spoken here.
pub const UNSUPPORTED_REVISION: i64 = -32022;

/// A JSON-RPC error object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({code})")]
pub struct RpcError {
    /// Which kind of error; the constants of this module or an upstream's own.
    pub code: i64,
    /// One sentence for people.
    pub message: String,
    /// Details for programs.
    pub data: Option<Json>,
    /// Members that no specification names, kept for the reader.
    pub rest: Vec<Member>,
}

// === impl RpcError ===

impl RpcError {
    /// An error without data.
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None, rest: Vec::new() }
    }

    /// Adds data.
    #[must_use]
    pub fn with_data(mut self, data: Json) -> Self {
        self.data = Some(data);
        self
    }

    /// Reads an error object.
    pub fn read(json: &Json) -> Result<Self, JsonError> {
        let mut object = json.object()?;
        let code = object
            .remove("code")
            .and_then(|code| code.read().ok())
            .ok_or(JsonError::WrongType { expected: "an integer `code` in the error" })?;
        let message = object.remove("message").and_then(|message| message.as_string()).unwrap_or_default();
        let data = object.remove("data");
        Ok(Self { code, message, data, rest: object.into_members() })
    }

    /// Writes the error object.
    pub fn to_json(&self) -> Json {
        let mut object = Object::new()
            .with("code", Json::of(&self.code).expect("an integer is JSON"))
            .with("message", Json::string(&self.message));
        if let Some(data) = &self.data {
            object.set("data", data.clone());
        }
        for member in &self.rest {
            object.push(member.clone());
        }
        object.to_json()
    }
}
