//! Streamable HTTP of both eras, as far as a script needs it.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::Sessions;
use crate::Era;
use crate::script::{Asked, Out, Play};

pub(super) type Answer = Result<Response<BoxBody<Bytes, Broken>>, Broken>;

/// Makes hyper end a connection in the middle of whatever it does.
#[derive(Debug)]
pub(super) struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the script ends this connection")
    }
}

impl std::error::Error for Broken {}

/// Serves every connection with `answer`, until dropped; `open` knows of those that are not closed yet.
pub(super) async fn serve_with<F>(
    listener: TcpListener,
    open: TaskTracker,
    answer: impl Fn(Request<Incoming>) -> F + Clone + Send + 'static,
) where
    F: Future<Output = Answer> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.expect("sockets can be accepted");
        // As servers do: of two events, the second does not wait for the first to be acknowledged.
        stream.set_nodelay(true).expect("it was just accepted");
        let served = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service_fn(answer.clone()));
        connections.spawn(open.track_future(served));
        while connections.try_join_next().is_some() {}
    }
}

pub(super) async fn serve(listener: TcpListener, open: TaskTracker, play: Arc<Play>, sessions: Arc<Sessions>) {
    let closes = play.script().closes;
    let answer = move |request| {
        let answer = answer(play.clone(), sessions.clone(), request);
        async move {
            let mut response = answer.await?;
            if closes {
                response.headers_mut().insert(http::header::CONNECTION, http::HeaderValue::from_static("close"));
            }
            Ok(response)
        }
    };
    serve_with(listener, open, answer).await;
}

async fn answer(play: Arc<Play>, sessions: Arc<Sessions>, request: Request<Incoming>) -> Answer {
    let headers = request.headers().clone();
    let is_legacy = play.script().era == Era::Legacy;
    let session = headers.get("mcp-session-id").map(|id| id.to_str().expect("it was ours").to_owned());
    let is_known = session.as_deref().is_some_and(|id| sessions.has(id));
    match *request.method() {
        Method::POST => {}
        Method::GET if is_legacy && is_known => {
            let (out, outgoing) = mpsc::unbounded_channel();
            play.let_speak(out);
            note(&play, "(GET)", &headers);
            return Ok(event_stream(stream::iter([Out::Raw(":\n\n".into())]).chain(received(outgoing))));
        }
        Method::DELETE if is_legacy && is_known => {
            sessions.end(&session.unwrap_or_default());
            note(&play, "(DELETE)", &headers);
            return empty(StatusCode::OK);
        }
        _ if is_legacy => return empty(StatusCode::NOT_FOUND),
        _ => return empty(StatusCode::METHOD_NOT_ALLOWED),
    }
    let text = request.into_body().collect().await.map_err(|_| Broken)?.to_bytes();
    let text = String::from_utf8(text.to_vec()).expect("the gateway sends UTF-8");
    let message: Value = serde_json::from_str(&text).expect("the gateway sends JSON");
    let begins = is_legacy && message["method"] == "initialize";
    if is_legacy && !begins && !is_known {
        let error = json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32001, "message": "Session not found"}});
        note(&play, "(unknown session)", &headers);
        return plain(404, "application/json", error.to_string().into());
    }
    let (out, mut outgoing) = mpsc::unbounded_channel();
    let Some(act) = play.receive(&text, headers, &out) else { return empty(StatusCode::ACCEPTED) };
    drop(out);
    let mut wait = Wait { play: play.clone(), id: message["id"].clone(), is_over: false };
    let act = AbortOnDropHandle::new(tokio::spawn(act));
    let first = outgoing.recv().await;
    let mut response = match first {
        None | Some(Out::Break) => {
            wait.is_over = true;
            return Err(Broken);
        }
        Some(Out::Last(text)) => {
            wait.is_over = true;
            plain(200, "application/json", text)?
        }
        Some(Out::Http(status, content_type, body)) => {
            wait.is_over = true;
            plain(status, content_type, body)?
        }
        Some(first) => {
            let rest = stream::unfold(Some((outgoing, wait, act)), |state| async {
                let (mut outgoing, mut wait, act) = state?;
                let next = outgoing.recv().await;
                wait.is_over = matches!(next, Some(Out::Last(_) | Out::Break) | None);
                let is_last = wait.is_over;
                next.map(|next| (next, (!is_last).then_some((outgoing, wait, act))))
            });
            event_stream(stream::iter([first]).chain(rest))
        }
    };
    if begins {
        let id = sessions.begin(play.count_connection());
        response.headers_mut().insert("mcp-session-id", id.parse().expect("letters and digits"));
    }
    Ok(response)
}

fn note(play: &Play, method: &str, headers: &HeaderMap) {
    let asked = Asked {
        method: method.into(),
        id: Value::Null,
        params: Value::Null,
        text: String::new(),
        headers: headers.clone(),
    };
    play.note(asked);
}

/// Somebody waits for an answer. Dropped before that came, it notes that nobody does any more.
struct Wait {
    play: Arc<Play>,
    id: Value,
    is_over: bool,
}

impl Drop for Wait {
    fn drop(&mut self) {
        if !self.is_over {
            let asked = Asked {
                method: "(gone)".into(),
                id: self.id.clone(),
                params: Value::Null,
                text: String::new(),
                headers: HeaderMap::new(),
            };
            self.play.note(asked);
        }
    }
}

pub(super) fn received(outgoing: mpsc::UnboundedReceiver<Out>) -> impl stream::Stream<Item = Out> + Send + Sync {
    stream::unfold(outgoing, |mut outgoing| async { outgoing.recv().await.map(|out| (out, outgoing)) })
}

pub(super) fn event_stream(
    outs: impl stream::Stream<Item = Out> + Send + Sync + 'static,
) -> Response<BoxBody<Bytes, Broken>> {
    let frames = outs.map(|out| match out {
        Out::Message(text) | Out::Last(text) => {
            Ok(Frame::data([b"event: message\ndata: ", &text[..], b"\n\n"].concat().into()))
        }
        Out::Raw(bytes) => Ok(Frame::data(bytes)),
        Out::Break => Err(Broken),
        Out::Http(..) => panic!("the answer has already begun"),
    });
    let mut response = Response::new(BoxBody::new(StreamBody::new(frames)));
    response.headers_mut().insert("content-type", "text/event-stream".parse().expect("a literal"));
    response
}

fn plain(status: u16, content_type: &str, body: Bytes) -> Answer {
    let mut response = Response::new(Full::new(body).map_err(|never| match never {}).boxed());
    *response.status_mut() = StatusCode::from_u16(status).expect("the story says a status");
    response.headers_mut().insert("content-type", content_type.parse().expect("the story says a type"));
    Ok(response)
}

pub(super) fn empty(status: StatusCode) -> Answer {
    let mut response = Response::new(Empty::new().map_err(|never| match never {}).boxed());
    *response.status_mut() = status;
    Ok(response)
}
