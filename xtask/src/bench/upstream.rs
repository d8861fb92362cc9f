//! The scripted upstream: an MCP server of both eras whose answers are made beforehand, so that it costs next to nothing.
//!
//! It still looks at what it gets (headers against body, the session), so that a proxy that loses something is found out.

use super::messages::{Case, Era, LEGACY, MODERN, answer_head};
use anyhow::Context;
use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashSet;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context as Task, Poll};
use tokio::net::TcpListener;

/// The longest request taken, in bytes.
const REQUEST: usize = 64 * 1024;

/// Everything the server knows: its answers, and which sessions are open.
struct Server {
    results: Vec<(Era, Case, Bytes)>,
    sessions: Mutex<Sessions>,
}

#[derive(Default)]
struct Sessions {
    opened: u64,
    open: HashSet<String>,
}

/// A message, as far as this server reads it.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow)]
    params: Option<Params<'a>>,
}

#[derive(Deserialize)]
struct Params<'a> {
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "protocolVersion")]
    version: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "_meta")]
    meta: Option<Meta<'a>>,
}

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow, rename = "io.modelcontextprotocol/protocolVersion")]
    version: Option<Cow<'a, str>>,
}

/// A refusal: HTTP status, JSON-RPC code, words.
struct Refusal(StatusCode, i32, &'static str);

/// A body in up to three pieces, so that the long one is shared and never copied.
struct Pieces(std::vec::IntoIter<Bytes>);

/// Serves on a free port of the loopback interface and prints the address as one line.
///
/// # Errors
/// When there is no port to be had.
pub(super) fn run() -> anyhow::Result<()> {
    // One thread: it is the least CPU for an answer, and the machine has others to serve.
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no free port for the scripted upstream")?;
        println!("{}", listener.local_addr()?);
        serve(listener).await
    })
}

/// Serves what comes in on `listener`, for as long as the task lives.
pub(super) async fn serve(listener: TcpListener) -> anyhow::Result<()> {
    let server = Arc::new(Server::new());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let server = Arc::clone(&server);
        tokio::spawn(async move {
            let service = hyper::service::service_fn(|request| {
                let server = Arc::clone(&server);
                async move { Ok::<_, Infallible>(server.handle(request).await) }
            });
            // A broken connection is the other side's to report: it sees the missing answer.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

// === impl Server ===

impl Server {
    fn new() -> Self {
        let mut results = Vec::new();
        for era in [Era::Modern, Era::Legacy] {
            for case in [Case::Small, Case::Large, Case::List] {
                results.push((era, case, Bytes::from(case.result(era) + "}")));
            }
        }
        Self { results, sessions: Mutex::default() }
    }

    async fn handle(&self, request: http::Request<Incoming>) -> Response<Pieces> {
        let (head, body) = request.into_parts();
        match head.method {
            Method::POST => {}
            Method::DELETE => return self.forget(&head.headers),
            // A server that never speaks first need not offer a stream for it.
            _ => return empty(StatusCode::METHOD_NOT_ALLOWED),
        }
        let Ok(body) = Limited::new(body, REQUEST).collect().await else {
            return empty(StatusCode::PAYLOAD_TOO_LARGE);
        };
        let body = body.to_bytes();
        let Ok(message) = serde_json::from_slice::<Message<'_>>(&body) else {
            return refuse("null", &Refusal(StatusCode::BAD_REQUEST, -32700, "not a JSON-RPC message"));
        };
        let Some(id) = message.id.map(RawValue::get) else {
            return empty(StatusCode::ACCEPTED);
        };
        let answer = match message.claim() {
            Some(version) => self.modern(id, &message, version, &head.headers),
            None => self.legacy(id, &message, &head.headers),
        };
        answer.unwrap_or_else(|refusal| refuse(id, &refusal))
    }

    fn modern(
        &self,
        id: &str,
        message: &Message<'_>,
        version: &str,
        headers: &HeaderMap,
    ) -> Result<Response<Pieces>, Refusal> {
        let mismatch = |words| Refusal(StatusCode::BAD_REQUEST, -32020, words);
        if version != MODERN || header(headers, "mcp-protocol-version") != version {
            return Err(mismatch("MCP-Protocol-Version and _meta disagree"));
        }
        if header(headers, "mcp-method") != message.method {
            return Err(mismatch("Mcp-Method and method disagree"));
        }
        match &*message.method {
            "server/discover" => Ok(answer(id, discovery(), None)),
            "tools/list" => Ok(self.result(id, Era::Modern, Case::List)),
            "tools/call" if header(headers, "mcp-name") != message.name() => {
                Err(mismatch("Mcp-Name and name disagree"))
            }
            "tools/call" => Ok(self.result(id, Era::Modern, message.tool()?)),
            _ => Err(Refusal(StatusCode::NOT_FOUND, -32601, "no such method")),
        }
    }

    fn legacy(&self, id: &str, message: &Message<'_>, headers: &HeaderMap) -> Result<Response<Pieces>, Refusal> {
        if message.method == "initialize" {
            let asked = message.params.as_ref().and_then(|params| params.version.as_deref());
            return Ok(answer(id, greeting(asked), Some(self.open_session())));
        }
        if !self.sessions().open.contains(header(headers, "mcp-session-id")) {
            return Err(Refusal(StatusCode::NOT_FOUND, -32001, "no such session"));
        }
        match &*message.method {
            "ping" => Ok(answer(id, "{}}".into(), None)),
            "tools/list" => Ok(self.result(id, Era::Legacy, Case::List)),
            "tools/call" => Ok(self.result(id, Era::Legacy, message.tool()?)),
            _ => Err(Refusal(StatusCode::OK, -32601, "no such method")),
        }
    }

    fn result(&self, id: &str, era: Era, case: Case) -> Response<Pieces> {
        let result = self.results.iter().find(|entry| (entry.0, entry.1) == (era, case));
        answer(id, result.expect("there is a result for each era and case").2.clone(), None)
    }

    fn open_session(&self) -> String {
        let mut sessions = self.sessions();
        sessions.opened += 1;
        let name = format!("bench-{:06}", sessions.opened);
        sessions.open.insert(name.clone());
        name
    }

    fn forget(&self, headers: &HeaderMap) -> Response<Pieces> {
        match self.sessions().open.remove(header(headers, "mcp-session-id")) {
            true => empty(StatusCode::NO_CONTENT),
            false => empty(StatusCode::NOT_FOUND),
        }
    }

    fn sessions(&self) -> std::sync::MutexGuard<'_, Sessions> {
        self.sessions.lock().expect("nothing panics while it holds the sessions")
    }
}

// === impl Message ===

impl Message<'_> {
    /// The modern revision that the message claims to be of, if any.
    fn claim(&self) -> Option<&str> {
        self.params.as_ref()?.meta.as_ref()?.version.as_deref()
    }

    fn name(&self) -> &str {
        self.params.as_ref().and_then(|params| params.name.as_deref()).unwrap_or_default()
    }

    fn tool(&self) -> Result<Case, Refusal> {
        match self.name() {
            "small" => Ok(Case::Small),
            "large" => Ok(Case::Large),
            _ => Err(Refusal(StatusCode::OK, -32602, "no such tool")),
        }
    }
}

// === impl Pieces ===

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Task<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.next().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_slice().is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_slice().iter().map(|piece| piece.len() as u64).sum())
    }
}

fn discovery() -> Bytes {
    Bytes::from(format!(
        r#"{{"resultType":"complete","supportedVersions":["{MODERN}"],"capabilities":{{"tools":{{}}}},"ttlMs":300000,"cacheScope":"public","_meta":{{"io.modelcontextprotocol/serverInfo":{{"name":"bench","version":"1"}}}}}}}}"#
    ))
}

fn greeting(asked: Option<&str>) -> Bytes {
    let known = ["2025-03-26", "2025-06-18", LEGACY];
    let version = asked.filter(|version| known.contains(version)).unwrap_or(LEGACY);
    Bytes::from(format!(
        r#"{{"protocolVersion":"{version}","capabilities":{{"tools":{{}}}},"serverInfo":{{"name":"bench","version":"1"}}}}}}"#
    ))
}

/// The value of a header, empty where there is none.
fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// An answer whose `rest` is the result and the brace that closes the message.
fn answer(id: &str, rest: Bytes, session: Option<String>) -> Response<Pieces> {
    let mut response = json(StatusCode::OK, vec![Bytes::from(answer_head(id)), rest]);
    if let Some(session) = session {
        let value = http::HeaderValue::try_from(session).expect("our session names are ASCII");
        response.headers_mut().insert("mcp-session-id", value);
    }
    response
}

fn refuse(id: &str, Refusal(status, code, words): &Refusal) -> Response<Pieces> {
    let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":"{words}"}}}}"#);
    json(*status, vec![Bytes::from(text)])
}

fn json(status: StatusCode, pieces: Vec<Bytes>) -> Response<Pieces> {
    let mut response = empty(status);
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    *response.body_mut() = Pieces(pieces.into_iter());
    response
}

fn empty(status: StatusCode) -> Response<Pieces> {
    let mut response = Response::new(Pieces(Vec::new().into_iter()));
    *response.status_mut() = status;
    response
}
