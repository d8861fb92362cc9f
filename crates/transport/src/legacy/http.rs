//! Streamable HTTP of the legacy era: `POST` a message, `GET` the stream for what belongs to no request or one that broke off,
//! `DELETE` the session.
//!
//! Source: 2025-03-26 to 2025-11-25 `basic/transports`.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use toolgate_gateway::Gateway;
use toolgate_identity::Presented;
use toolgate_protocol::message::Response as RpcResponse;
use toolgate_protocol::{Endpoint, Era, Id, Json, Message, Method, Revision, RpcError, code, header, sse};

use super::handshake;
use super::resume::Found;
use super::session::{Out, QUEUE, Session, Sessions};
use crate::body::{self, Body};
use crate::rescue;

/// A place among the requests in flight, given back when the last of those who hold it is done.
pub(crate) type Place = Arc<OwnedSemaphorePermit>;

/// Names the last event that a client received.
const LAST_EVENT_ID: &str = "last-event-id";

/// The legacy SDKs' code for a session that is not there (any more).
const SESSION_NOT_FOUND: i64 = -32001;

/// One message.
pub(crate) async fn post_message(
    gateway: &Arc<Gateway>,
    sessions: &Sessions,
    presented: &Presented,
    headers: &HeaderMap,
    message: Message,
    place: Place,
) -> Response<Body> {
    if let Message::Request(request) = &message
        && request.method == Method::Initialize
    {
        return initialize(gateway, sessions, presented, headers, &request.id, &request.params).await;
    }
    let id = match &message {
        Message::Request(request) => Some(request.id.clone()),
        _ => None,
    };
    let session = match find(sessions, &presented.endpoint, headers, id) {
        Ok(session) => session,
        Err(refusal) => return *refusal,
    };
    match message {
        Message::Request(_) => answer(&session, vec![message], place).await,
        other => {
            // Neither a notification nor an answer has anything to wait for.
            let (outlet, _) = mpsc::channel(1);
            session.accept(other, &outlet).await;
            rescue::accepted()
        }
    }
}

/// The messages of a batch.
pub(crate) fn read_batch(text: Bytes, depth: usize) -> Result<Vec<Message>, RpcError> {
    let elements = Json::parse_within(text, depth).and_then(|json| json.array());
    let elements = elements.map_err(|error| RpcError::new(code::PARSE_ERROR, error.to_string()))?;
    elements.iter().map(Message::from_json).collect()
}

/// A batch, which revisions up to 2025-03-26 have. Each answer is an event of its own.
pub(crate) async fn post_batch(
    sessions: &Sessions,
    endpoint: &Endpoint,
    headers: &HeaderMap,
    messages: Vec<Message>,
    most: usize,
    place: Place,
) -> Response<Body> {
    if messages.is_empty() || messages.len() > most {
        return rescue::invalid(StatusCode::BAD_REQUEST, format!("a batch has 1 to {most} messages (`limits.batch`)"));
    }
    let session = match find(sessions, endpoint, headers, None) {
        Ok(session) => session,
        Err(refusal) => return *refusal,
    };
    if session.revision > Revision::V2025_03_26 {
        return rescue::invalid(StatusCode::BAD_REQUEST, format!("revision {} has no batches", session.revision));
    }
    let (requests, others): (Vec<_>, Vec<_>) =
        messages.into_iter().partition(|message| matches!(message, Message::Request(_)));
    let (nowhere, _) = mpsc::channel(1);
    for other in others {
        session.accept(other, &nowhere).await;
    }
    if requests.is_empty() { rescue::accepted() } else { answer(&session, requests, place).await }
}

/// Runs requests apart from the connection, so that a client that leaves cancels nothing, and answers with what they send.
///
/// They keep their place among the requests in flight until they end, whether or not anybody waits for them.
async fn answer(session: &Arc<Session>, requests: Vec<Message>, place: Place) -> Response<Body> {
    let single = requests.len() == 1;
    let (outlet, mut inlet) = mpsc::channel(QUEUE);
    for request in requests {
        let (session, outlet, place) = (session.clone(), outlet.clone(), place.clone());
        tokio::spawn(async move {
            session.accept(request, &outlet).await;
            drop(place);
        });
    }
    drop(outlet);
    let first = match tokio::time::timeout(session.kept.patience(), inlet.recv()).await {
        Ok(Some(Out::Response(text))) if single => return rescue::json(StatusCode::OK, text),
        Ok(Some(Out::Response(text) | Out::Message(text))) => Some(text),
        // Cancelled before it said anything.
        Ok(None) => return rescue::accepted(),
        Err(_) => None,
    };
    body::event_stream(session.kept.open(first, inlet))
}

/// Messages as server-sent events, with signs of life in between.
pub(super) fn events(inlet: mpsc::Receiver<Out>) -> impl stream::Stream<Item = Bytes> + Send {
    stream::unfold(inlet, |mut inlet| async {
        match tokio::time::timeout(body::QUIET, inlet.recv()).await {
            Ok(Some(Out::Response(text) | Out::Message(text))) => Some((sse::encode(&text), inlet)),
            Ok(None) => None,
            Err(_) => Some((body::keep_alive(), inlet)),
        }
    })
}

async fn initialize(
    gateway: &Arc<Gateway>,
    sessions: &Sessions,
    presented: &Presented,
    headers: &HeaderMap,
    id: &Id,
    params: &toolgate_protocol::Object,
) -> Response<Body> {
    if let Some(known) = headers.get(header::SESSION).and_then(|id| sessions.get(id.to_str().ok()?)) {
        let error = RpcError::new(code::INVALID_REQUEST, "this session is already initialized");
        tracing::debug!(revision = %known.revision, "initialize within a session");
        return rescue::bad_request(Some(id.clone()), error);
    }
    match handshake::initialize(gateway, presented, params, sessions.room.clone()).await {
        Err(error) => rescue::json(StatusCode::OK, RpcResponse::new(id.clone(), Err(error)).encode()),
        Ok((session, result)) => {
            let name = HeaderValue::from_str(&session.id).expect("hexadecimal digits are a header value");
            if !sessions.keep(session) {
                let mut busy = rescue::refuse(
                    StatusCode::SERVICE_UNAVAILABLE,
                    Some(id.clone()),
                    RpcError::new(code::INTERNAL_ERROR, "too many sessions are open (`limits.sessions`)"),
                );
                busy.headers_mut().insert(http::header::RETRY_AFTER, HeaderValue::from_static("30"));
                return busy;
            }
            let mut response = rescue::json(StatusCode::OK, RpcResponse::new(id.clone(), Ok(result)).encode());
            response.headers_mut().insert(header::SESSION, name);
            response
        }
    }
}

/// The session that a request names, or what is wrong with the way it does.
fn find(
    sessions: &Sessions,
    endpoint: &Endpoint,
    headers: &HeaderMap,
    id: Option<Id>,
) -> Result<Arc<Session>, Box<Response<Body>>> {
    let bad =
        |id: Option<Id>, what: String| Box::new(rescue::bad_request(id, RpcError::new(code::INVALID_REQUEST, what)));
    if let Some(named) = headers.get(header::REVISION) {
        let known = named.to_str().ok().and_then(Revision::parse).filter(|revision| revision.era() == Era::Legacy);
        if known.is_none() {
            let supported: Vec<&str> = Revision::ALL.iter().map(|revision| revision.as_str()).collect();
            return Err(bad(
                id,
                format!(
                    "the header MCP-Protocol-Version names a revision not spoken here; spoken are {}",
                    supported.join(", ")
                ),
            ));
        }
    }
    let Some(name) = headers.get(header::SESSION) else {
        return Err(bad(id, "the header Mcp-Session-Id is missing; a session begins with `initialize`".into()));
    };
    let found = name.to_str().ok().and_then(|name| sessions.get(name));
    // What began at one endpoint sees what that one shows, and is unknown at any other.
    let found = found.filter(|session| session.presented.endpoint == *endpoint);
    found.ok_or_else(|| {
        Box::new(rescue::refuse(
            StatusCode::NOT_FOUND,
            id,
            RpcError::new(SESSION_NOT_FOUND, "no such session; begin a new one with `initialize`"),
        ))
    })
}

/// Opens the stream for what belongs to no request.
pub(crate) async fn stream(sessions: &Sessions, endpoint: &Endpoint, headers: &HeaderMap) -> Response<Body> {
    let session = match find(sessions, endpoint, headers, None) {
        Ok(session) => session,
        Err(refusal) => return *refusal,
    };
    if let Some(last) = headers.get(LAST_EVENT_ID) {
        return match session.kept.resume(last.to_str().unwrap_or_default()) {
            Found::Rest(events) => body::event_stream(events),
            // What tells a reader of events to come back no more (HTML Standard, "Server-sent events"). An empty stream would
            // not: clients that hear nothing on it open one for what belongs to no request, in the place of the one they have.
            Found::End => rescue::empty(StatusCode::NO_CONTENT),
            Found::Nothing => rescue::invalid(
                StatusCode::NOT_FOUND,
                "the stream of this event is not kept any more; send the request again, or open a stream without Last-Event-ID",
            ),
        };
    }
    let missed = session.kept.close_unasked();
    let (outlet, inlet) = mpsc::channel(QUEUE);
    session.attach(outlet).await;
    body::event_stream(session.kept.open_unasked(inlet, missed))
}

/// Ends a session.
pub(crate) fn delete(sessions: &Sessions, endpoint: &Endpoint, headers: &HeaderMap) -> Response<Body> {
    match find(sessions, endpoint, headers, None) {
        Ok(session) => {
            sessions.end(&session.id);
            rescue::empty(StatusCode::OK)
        }
        Err(refusal) => *refusal,
    }
}
