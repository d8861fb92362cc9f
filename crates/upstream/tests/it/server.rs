//! A scripted HTTP server on a real socket: a closure answers, and everything asked is kept.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// A running server; ends when dropped.
pub(crate) struct Server {
    port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    connections: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

/// One request as received.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) verb: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// What the script answers.
#[derive(Clone)]
pub(crate) enum Answer {
    /// A whole body.
    Whole { status: u16, content_type: &'static str, headers: Vec<(&'static str, String)>, body: Bytes },
    /// Events, as they are sent into the channel; the connection stays open until the sender is dropped.
    Events(Arc<Mutex<Option<mpsc::Receiver<Bytes>>>>),
    /// Nothing, for ever.
    Hang,
    /// The connection is closed without an answer.
    Close,
}

impl Asked {
    /// The JSON-RPC method, or the HTTP one where there is no body.
    pub(crate) fn method(&self) -> String {
        self.body["method"].as_str().map_or_else(|| self.verb.clone(), str::to_owned)
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).map(|value| value.to_str().unwrap().to_owned())
    }

    pub(crate) fn id(&self) -> &Value {
        &self.body["id"]
    }
}

impl Answer {
    /// A JSON-RPC message; `jsonrpc` and, unless given, the request's id are added.
    pub(crate) fn json(status: u16, message: &Value) -> Self {
        Self::Whole { status, content_type: "application/json", headers: Vec::new(), body: message.to_string().into() }
    }

    /// Raw bytes under a content type.
    pub(crate) fn raw(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self::Whole { status, content_type, headers: Vec::new(), body: body.into() }
    }

    pub(crate) fn text(status: u16, text: &str) -> Self {
        Self::Whole { status, content_type: "text/plain", headers: Vec::new(), body: text.to_owned().into() }
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: &str) -> Self {
        if let Self::Whole { headers, .. } = &mut self {
            headers.push((name, value.to_owned()));
        }
        self
    }

    /// Events that are all there.
    pub(crate) fn events(events: &[String]) -> Self {
        let (sender, answer) = Self::stream();
        for event in events {
            sender.try_send(event.clone().into()).unwrap();
        }
        answer
    }

    /// Events to come.
    pub(crate) fn stream() -> (mpsc::Sender<Bytes>, Self) {
        let (sender, receiver) = mpsc::channel(64);
        (sender, Self::Events(Arc::new(Mutex::new(Some(receiver)))))
    }
}

/// A message as an event.
pub(crate) fn event(message: &Value) -> String {
    let mut message = message.clone();
    message["jsonrpc"] = json!("2.0");
    format!("data: {message}\n\n")
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole { status, body, .. } => write!(f, "{status} {}", String::from_utf8_lossy(body)),
            Self::Events(_) => f.write_str("events"),
            Self::Hang => f.write_str("hang"),
            Self::Close => f.write_str("close"),
        }
    }
}

impl Server {
    pub(crate) async fn start(script: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0", script).await
    }

    pub(crate) async fn start_at(address: &str, script: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let script: Arc<dyn Fn(&Asked) -> Answer + Send + Sync> = Arc::new(script);
        let connections = Arc::new(AtomicUsize::new(0));
        let (log, accepted) = (asked.clone(), connections.clone());
        let accepting = tokio::spawn(async move {
            let mut serving = tokio::task::JoinSet::new();
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                let (script, log) = (script.clone(), log.clone());
                accepted.fetch_add(1, Ordering::Relaxed);
                serving.spawn(async move {
                    let service = service_fn(move |request| handle(request, script.clone(), log.clone()));
                    // A script that closes the connection makes this an error.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self { port, asked, connections, accepting }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/mcp?key=secret", self.port)
    }

    pub(crate) fn origin(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Everything asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// How many connections were opened so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// How often a method was asked.
    pub(crate) fn count(&self, method: &str) -> usize {
        self.asked().iter().filter(|asked| asked.method() == method).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

type Script = Arc<dyn Fn(&Asked) -> Answer + Send + Sync>;

async fn handle(
    request: http::Request<Incoming>,
    script: Script,
    log: Arc<Mutex<Vec<Asked>>>,
) -> Result<Response<BoxBody<Bytes, Infallible>>, std::io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let asked = Asked { verb: head.method.to_string(), path: head.uri.path().to_owned(), headers: head.headers, body };
    log.lock().unwrap().push(asked.clone());
    let answer = script(&asked);
    let (status, content_type, headers, body) = match answer {
        Answer::Hang => std::future::pending().await,
        Answer::Close => return Err(std::io::Error::other("as the script says")),
        Answer::Whole { status, content_type, headers, body } => {
            let body = if content_type == "application/json" { complete(&body, asked.id()) } else { body };
            (status, content_type, headers, Full::new(body).boxed())
        }
        Answer::Events(receiver) => {
            let receiver = receiver.lock().unwrap().take().expect("a stream is answered once");
            let frames = futures(receiver);
            (200, "text/event-stream", Vec::new(), BodyExt::boxed(StreamBody::new(frames)))
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response.headers_mut().insert("content-type", content_type.parse().unwrap());
    for (name, value) in headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    Ok(response)
}

fn futures(receiver: mpsc::Receiver<Bytes>) -> impl futures_util::Stream<Item = Result<Frame<Bytes>, Infallible>> {
    futures_util::stream::unfold(receiver, |mut receiver| async {
        let bytes = receiver.recv().await?;
        Some((Ok(Frame::data(bytes)), receiver))
    })
}

/// Adds `jsonrpc` and the id to a scripted message; what is no object stays as it is.
fn complete(body: &Bytes, id: &Value) -> Bytes {
    let Ok(Value::Object(mut message)) = serde_json::from_slice(body) else { return body.clone() };
    message.insert("jsonrpc".into(), json!("2.0"));
    message.entry("id").or_insert_with(|| id.clone());
    Value::Object(message).to_string().into()
}
