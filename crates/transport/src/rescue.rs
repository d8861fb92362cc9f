//! The only place where an error becomes a status.
//!
//! Source: 2026-07-28 `transports/streamable-http`, and §1.4 of its error table: what is wrong with the request itself is an
//! HTTP error; what happened while it was carried out is an answer, 200.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use toolgate_protocol::message::Response as RpcResponse;
use toolgate_protocol::{Id, Outcome, RpcError, code};

use crate::body::Body;

/// The status of an answer.
pub(crate) fn status_of(outcome: &Outcome) -> StatusCode {
    match outcome {
        Err(error) if error.code == code::METHOD_NOT_FOUND => StatusCode::NOT_FOUND,
        Err(error)
            if matches!(error.code, code::HEADER_MISMATCH | code::MISSING_CAPABILITY | code::UNSUPPORTED_REVISION) =>
        {
            StatusCode::BAD_REQUEST
        }
        _ => StatusCode::OK,
    }
}

/// One JSON text as the whole answer.
pub(crate) fn json(status: StatusCode, text: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::Whole(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A few words as the whole answer.
pub(crate) fn text(text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::Whole(Bytes::from_static(text.as_bytes())));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// A request that is not even looked into.
pub(crate) fn refuse(status: StatusCode, id: Option<Id>, error: RpcError) -> Response<Body> {
    tracing::debug!(status = status.as_u16(), %error, "request refused");
    json(status, RpcResponse { id, outcome: Err(error), rest: Vec::new() }.encode())
}

/// A request whose form is wrong.
pub(crate) fn bad_request(id: Option<Id>, error: RpcError) -> Response<Body> {
    refuse(StatusCode::BAD_REQUEST, id, error)
}

/// The same, with the usual code.
pub(crate) fn invalid(status: StatusCode, message: impl Into<String>) -> Response<Body> {
    refuse(status, None, RpcError::new(code::INVALID_REQUEST, message))
}

/// Taken, and nothing to say.
pub(crate) fn accepted() -> Response<Body> {
    empty(StatusCode::ACCEPTED)
}

/// A status alone.
pub(crate) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::Whole(Bytes::new()));
    *response.status_mut() = status;
    response
}
