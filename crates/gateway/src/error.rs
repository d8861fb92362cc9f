//! One error for the request path: whose fault, what to tell the client, what to tell the log (law 9).

use toolgate_catalog::{BadCursor, NotFound};
use toolgate_identity::Unidentified;
use toolgate_protocol::{Endpoint, Json, Kind, Method, Object, RpcError, code};

/// Why the gateway itself refuses a request. What an upstream answers, errors included, is a reply and not one of these.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody we know.
    #[error(transparent)]
    Unidentified(#[from] Unidentified),
    /// No such endpoint, or not any more.
    #[error("there is no endpoint {0}: no namespace or upstream of the config has this name")]
    NoEndpoint(Endpoint),
    /// No such entry, or not for this caller.
    #[error(transparent)]
    NotFound(#[from] NotFound),
    /// The client asks for what it did not declare that it can do.
    #[error("this needs a client that declares the extension {0}")]
    MissingExtension(&'static str),
    /// No such task, or not this caller's.
    #[error("unknown task: it was not given to this caller, has expired, or was given out with a key that is not here")]
    UnknownTask,
    /// No such method, or not in this revision.
    #[error("method not found: {0}")]
    MethodNotFound(Method),
    /// A cursor that is not ours.
    #[error(transparent)]
    BadCursor(#[from] BadCursor),
    /// Parameters that are wrong in themselves.
    #[error("invalid parameters: {0}")]
    BadParams(String),
    /// Headers that do not repeat the body.
    #[error("{0}")]
    HeaderMismatch(String),
    /// A fault of ours; the text is for the log.
    #[error("internal error: {0}")]
    Internal(String),
}

/// Whose fault an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The client can do something about it.
    Client,
    /// It cannot.
    Gateway,
}

// === impl Error ===

impl Error {
    /// Whose fault it is.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Internal(_) => Blame::Gateway,
            _ => Blame::Client,
        }
    }

    /// What the client may read.
    pub fn to_rpc(&self) -> RpcError {
        match self {
            Self::NotFound(missing) if matches!(missing.kind, Kind::Resource | Kind::Template) => {
                RpcError::new(code::INVALID_PARAMS, format!("Resource not found: {}", missing.name))
                    .with_data(Object::new().with("uri", Json::string(&missing.name)).to_json())
            }
            Self::NotFound(_) | Self::UnknownTask | Self::BadCursor(_) | Self::BadParams(_) => {
                RpcError::new(code::INVALID_PARAMS, self.to_string())
            }
            Self::MissingExtension(name) => {
                let extensions = Object::new().with(name, Json::literal("{}"));
                let wanted = Object::new().with("extensions", extensions.to_json());
                RpcError::new(code::MISSING_CAPABILITY, self.to_string())
                    .with_data(Object::new().with("requiredCapabilities", wanted.to_json()).to_json())
            }
            Self::MethodNotFound(_) => RpcError::new(code::METHOD_NOT_FOUND, self.to_string()),
            Self::HeaderMismatch(_) => RpcError::new(code::HEADER_MISMATCH, self.to_string()),
            Self::Unidentified(_) | Self::NoEndpoint(_) => RpcError::new(code::INVALID_REQUEST, self.to_string()),
            Self::Internal(_) => RpcError::new(code::INTERNAL_ERROR, "internal error; the gateway's log says more"),
        }
    }
}
