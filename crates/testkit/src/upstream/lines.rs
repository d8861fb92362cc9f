//! Transports on which everything for the gateway goes out in one place: stdio, through the child that connects to us, and
//! HTTP with SSE.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures_util::{StreamExt, stream};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

use super::http::{Answer, Broken, empty, event_stream, received, serve_with};
use crate::Era;
use crate::script::{Out, Outlet, Play};

/// Talks to every child that connects.
pub(super) async fn serve_children(listener: TcpListener, play: Arc<Play>, pids: Arc<watch::Sender<Vec<u32>>>) {
    let mut children = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.expect("sockets can be accepted");
        // A pipe keeps nothing back either.
        stream.set_nodelay(true).expect("it was just accepted");
        children.spawn(serve_child(stream, play.clone(), pids.clone()));
        while children.try_join_next().is_some() {}
    }
}

async fn serve_child(stream: TcpStream, play: Arc<Play>, pids: Arc<watch::Sender<Vec<u32>>>) {
    let (input, mut output) = stream.into_split();
    let mut lines = BufReader::new(input).lines();
    // A child that is ended at once may not get as far as to greet.
    let Ok(Some(greeting)) = lines.next_line().await else { return };
    play.count_connection();
    pids.send_modify(|pids| pids.push(greeting.parse().expect("the child greets with its process id")));
    let (out, mut outgoing) = mpsc::unbounded_channel();
    let mut acts = JoinSet::new();
    let reading = async {
        while let Ok(Some(line)) = lines.next_line().await {
            if line.contains("notifications/initialized") {
                play.let_speak(out.clone());
            }
            if let Some(act) = play.receive(&line, HeaderMap::new(), &out) {
                acts.spawn(act);
            }
        }
    };
    let writing = async {
        while let Some(out) = outgoing.recv().await {
            let bytes = match out {
                Out::Message(text) | Out::Last(text) => [&text[..], b"\n"].concat().into(),
                Out::Raw(bytes) => bytes,
                Out::Http(..) => panic!("there is no HTTP on stdio"),
                Out::Break => return,
            };
            if output.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = reading => {}
        () = writing => {}
    }
}

/// The open streams of HTTP with SSE, by their number.
type Streams = Arc<Mutex<HashMap<String, Outlet>>>;

/// Serves HTTP with SSE.
pub(super) async fn serve_sse(listener: TcpListener, open: TaskTracker, play: Arc<Play>) {
    let streams = Streams::default();
    let acts = Arc::new(Mutex::new(JoinSet::new()));
    serve_with(listener, open, move |request| answer_sse(play.clone(), streams.clone(), acts.clone(), request)).await;
}

async fn answer_sse(
    play: Arc<Play>,
    streams: Streams,
    acts: Arc<Mutex<JoinSet<()>>>,
    request: Request<Incoming>,
) -> Answer {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/sse") => {
            assert_eq!(play.script().era, Era::Legacy, "only the legacy era has this transport");
            let (out, outgoing) = mpsc::unbounded_channel();
            let nth = play.count_connection().to_string();
            let endpoint = format!("event: endpoint\ndata: /messages?nth={nth}\n\n");
            play.let_speak(out.clone());
            streams.lock().unwrap().insert(nth, out);
            Ok(event_stream(stream::iter([Out::Raw(endpoint.into())]).chain(received(outgoing))))
        }
        (&Method::POST, "/messages") => {
            let nth = request.uri().query().unwrap_or_default().trim_start_matches("nth=").to_owned();
            let out = streams.lock().unwrap().get(&nth).cloned();
            let Some(out) = out.filter(|out| !out.is_closed()) else { return empty(StatusCode::NOT_FOUND) };
            let headers = request.headers().clone();
            let text = request.into_body().collect().await.map_err(|_| Broken)?.to_bytes();
            let text = std::str::from_utf8(&text).expect("the gateway sends UTF-8");
            if let Some(act) = play.receive(text, headers, &out) {
                acts.lock().unwrap().spawn(act);
            }
            empty(StatusCode::ACCEPTED)
        }
        _ => empty(StatusCode::NOT_FOUND),
    }
}
