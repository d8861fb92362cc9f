//! A modern request: checked against its headers, handed to the gateway, answered as JSON or as a stream.
//!
//! Source: 2026-07-28 `transports/streamable-http`. The order of the checks decides which error a wrong request gets; it is
//! the order of the official SDKs, which the conformance suite also takes.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use toolgate_gateway::{Gateway, Request};
use toolgate_identity::Presented;
use toolgate_protocol::message::{Request as RpcRequest, Response as RpcResponse};
use toolgate_protocol::meta::{self, RequestMeta};
use toolgate_protocol::{
    Era, Event, Id, Json, Method, Notification, Object, Reply, Revision, RpcError, code, header, sse,
};

use crate::body::{self, Body};
use crate::rescue;

/// What a request says of itself in `_meta`, read once for all that ask.
pub(crate) struct Claim(Option<Object>);

/// What a request says of itself if it is a modern one: it claims a revision in its body, or its header names a modern one.
pub(crate) fn claimed(request: &RpcRequest, headers: &HeaderMap) -> Option<Claim> {
    let meta = request.params.child("_meta");
    let claims = meta.as_ref().is_some_and(|meta| meta.get(meta::REVISION).is_some());
    (claims || (request.method != Method::Initialize && names_modern_revision(headers))).then_some(Claim(meta))
}

/// Whether the revision header names a modern revision.
pub(crate) fn names_modern_revision(headers: &HeaderMap) -> bool {
    let named = headers.get(header::REVISION).and_then(|value| value.to_str().ok()).and_then(Revision::parse);
    named.is_some_and(|revision| revision.era() == Era::Modern)
}

/// Answers a modern request over HTTP.
pub(crate) async fn answer(
    gateway: &Gateway,
    presented: &Presented,
    (request, claim): (RpcRequest, Claim),
    headers: &HeaderMap,
) -> Response<Body> {
    let id = request.id.clone();
    match decode(request, &claim, headers) {
        Ok(request) => encode(id, gateway.handle(presented, request).await).await,
        Err(error) => rescue::bad_request(Some(id), error),
    }
}

/// Checks that the headers repeat what the body says.
fn decode(request: RpcRequest, Claim(meta): &Claim, headers: &HeaderMap) -> Result<Request, RpcError> {
    let mismatch = |what: String| RpcError::new(code::HEADER_MISMATCH, what);
    let one = |name: &str| -> Result<Option<String>, RpcError> {
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => header::decode(value.as_bytes())
                .map(Some)
                .ok_or_else(|| mismatch(format!("the header {name} cannot be decoded"))),
            (Some(_), Some(_)) => Err(mismatch(format!("the header {name} stands more than once"))),
        }
    };
    let claimed = meta.as_ref().and_then(|meta| meta.string(meta::REVISION));
    let named = one(header::REVISION)?;
    if let (Some(named), Some(claimed)) = (&named, &claimed)
        && named != claimed
    {
        return Err(mismatch(format!("the header MCP-Protocol-Version says {named}, the body says {claimed}")));
    }
    RequestMeta::of(meta.as_ref())?;
    if named.is_none() {
        return Err(mismatch("the header MCP-Protocol-Version is missing; it must repeat the body".into()));
    }
    match one(header::METHOD)? {
        None => return Err(mismatch("the header Mcp-Method is missing; it must repeat the method".into())),
        Some(method) if method != request.method.as_str() => {
            return Err(mismatch(format!("the header Mcp-Method says {method}, the body says {}", request.method)));
        }
        Some(_) => {}
    }
    if let Some(member) = request.method.named_by()
        && let Some(name) = request.params.string(member)
    {
        match one(header::NAME)? {
            None => return Err(mismatch(format!("the header Mcp-Name is missing; it must repeat `{member}`"))),
            Some(repeated) if repeated != name => {
                return Err(mismatch(format!("the header Mcp-Name does not repeat `{member}`")));
            }
            Some(_) => {}
        }
    }
    let mut param_headers = Vec::new();
    for name in headers.keys().filter(|name| name.as_str().starts_with(header::PARAM_PREFIX)) {
        if let Some(value) = one(name.as_str())? {
            param_headers.push((name.as_str()[header::PARAM_PREFIX.len()..].to_owned(), value));
        }
    }
    Ok(Request {
        id: request.id.json().clone(),
        method: request.method,
        params: request.params,
        param_headers: Some(param_headers),
    })
}

/// JSON when the outcome is the first thing to come, else a stream. A client that closes the stream cancels the request: the
/// reply is dropped with the body.
async fn encode(id: Id, mut reply: Reply) -> Response<Body> {
    let first = match tokio::time::timeout(body::QUIET, reply.next()).await {
        Ok(Some(Event::Done(outcome))) => {
            let status = rescue::status_of(&outcome);
            return rescue::json(status, RpcResponse::new(id, outcome).encode());
        }
        Ok(None) => {
            return rescue::refuse(
                StatusCode::INTERNAL_SERVER_ERROR,
                Some(id),
                RpcError::new(code::INTERNAL_ERROR, "no answer"),
            );
        }
        Ok(Some(Event::Notification(notification))) => encode_notification(&notification),
        Err(_) => body::keep_alive(),
    };
    let rest = futures_util::stream::unfold(Some((id, reply)), |state| async {
        let (id, mut reply) = state?;
        match tokio::time::timeout(body::QUIET, reply.next()).await {
            Ok(Some(Event::Done(outcome))) => Some((sse::encode(&RpcResponse::new(id, outcome).encode()), None)),
            Ok(Some(Event::Notification(notification))) => {
                Some((encode_notification(&notification), Some((id, reply))))
            }
            Ok(None) => None,
            Err(_) => Some((body::keep_alive(), Some((id, reply)))),
        }
    });
    body::event_stream(futures_util::StreamExt::chain(futures_util::stream::iter([first]), rest))
}

/// A notification as an event; one that this era does not have is only a sign of life.
fn encode_notification(notification: &Notification) -> Bytes {
    if has(notification) { sse::encode(&notification.encode()) } else { body::keep_alive() }
}

/// Whether this era has such a notification.
pub(crate) fn has(notification: &Notification) -> bool {
    notification.method != Method::ElicitationComplete
}

/// The `_meta` keys that a transport stamps on a request on a legacy client's behalf.
pub(crate) fn stamp(params: &mut Object, capabilities: &Json, client_info: Option<&Json>, level: meta::Level) {
    meta::edit(params, |envelope| {
        envelope.retain(|member| !meta::is_per_hop(member.name()));
        envelope.set(meta::REVISION, Json::string(Revision::LATEST_MODERN.as_str()));
        envelope.set(meta::CAPABILITIES, capabilities.clone());
        if let Some(client_info) = client_info {
            envelope.set(meta::CLIENT_INFO, client_info.clone());
        }
        envelope.set(meta::LOG_LEVEL, Json::string(level.as_str()));
    });
}
