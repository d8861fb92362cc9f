//! The HTTP endpoint: what is served where, and the life of the server around it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::routing::{any, get, post};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method as Verb, Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;
use toolgate_gateway::Gateway;
use toolgate_identity::Presented;
use toolgate_protocol::{Json, Message, RpcError, code};

use crate::guard::Guard;
use crate::legacy::{self, Sessions, Streams};
use crate::{body, modern, rescue};

/// How clients reach the gateway over HTTP.
#[derive(Clone, Debug)]
pub struct Config {
    /// Host names answered to besides loopback ones; `*` for all.
    pub allowed_hosts: Vec<String>,
    /// Origins allowed besides loopback ones; `*` for all.
    pub allowed_origins: Vec<String>,
    /// The largest body accepted, in bytes.
    pub request_bytes: usize,
    /// How deep its JSON may nest.
    pub depth: usize,
    /// The most messages in one batch.
    pub batch: usize,
    /// The most requests in flight at once.
    pub in_flight: usize,
    /// The most legacy sessions at once.
    pub sessions: usize,
    /// A legacy session unused for so long may be ended.
    pub session_idle: Duration,
    /// The most connections at once.
    pub connections: usize,
    /// How long a client may take to send the headers of a request.
    pub header_timeout: Duration,
}

/// Everything behind the sockets.
pub struct Edge {
    gateway: Arc<Gateway>,
    config: Config,
    guard: Guard,
    sessions: Sessions,
    streams: Arc<Streams>,
    in_flight: Semaphore,
    started: Instant,
}

/// A bound address, ready to be served by any number of threads.
pub struct Listening {
    listener: TcpListener,
    address: SocketAddr,
}

/// Tells servers to stop.
#[derive(Clone)]
pub struct Shutdown(watch::Sender<bool>);

/// Where legacy clients post when their stream came from `/sse`.
const MESSAGES: &str = "/messages";
/// Sessions are looked through for idle ones so often.
const SWEEP: Duration = Duration::from_secs(60);

// === impl Shutdown ===

impl Shutdown {
    /// Not yet.
    #[allow(clippy::new_without_default, reason = "a shutdown is no value to default to")]
    pub fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Now.
    pub fn begin(&self) {
        self.0.send_replace(true);
    }

    async fn begun(&self) {
        // The sender is in `self`, so waiting cannot fail.
        let _ = self.0.subscribe().wait_for(|begun| *begun).await;
    }
}

// === impl Listening ===

impl Listening {
    /// Binds `address`; port 0 takes a free one.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// The same address for a server in another runtime; connections go to whichever is free first. Must be called in that
    /// runtime.
    pub fn share(bound: &std::net::TcpListener) -> io::Result<Self> {
        let listener = TcpListener::from_std(bound.try_clone()?)?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// The address bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

// === impl Edge ===

impl Edge {
    /// An edge in front of a gateway.
    pub fn new(gateway: Arc<Gateway>, config: Config) -> Arc<Self> {
        Arc::new(Self {
            gateway,
            guard: Guard::new(&config.allowed_hosts, &config.allowed_origins),
            sessions: Sessions::new(config.sessions, config.session_idle),
            streams: Arc::new(Streams::new(config.sessions)),
            in_flight: Semaphore::new(config.in_flight),
            started: Instant::now(),
            config,
        })
    }

    /// What is served where. Nothing else is.
    fn router(self: &Arc<Self>) -> Router {
        Router::new()
            .route("/mcp", any(mcp))
            .route("/sse", get(open_sse))
            .route(MESSAGES, post(post_sse))
            .route("/healthz", get(async || "ok\n"))
            .route("/readyz", get(ready))
            .route("/status", get(status))
            .fallback(async || rescue::invalid(StatusCode::NOT_FOUND, "nothing is here; MCP is at /mcp"))
            .layer(axum::middleware::from_fn_with_state(self.clone(), guarded))
            .with_state(self.clone())
    }

    /// Serves connections until `shutdown`, then lets requests in flight finish for at most `grace`.
    pub async fn serve(self: Arc<Self>, listening: Listening, shutdown: Shutdown, grace: Duration) {
        let router = self.router();
        let graceful = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(self.config.connections));
        let mut sweep = tokio::time::interval(SWEEP);
        loop {
            tokio::select! {
                accepted = accept(&listening.listener, &places) => {
                    let Some((stream, peer, place)) = accepted else { continue };
                    let connection = self.connection(router.clone(), stream, peer);
                    let watched = graceful.watch(connection);
                    tokio::spawn(async move {
                        if let Err(error) = watched.await {
                            tracing::trace!(%peer, %error, "connection ended");
                        }
                        drop(place);
                    });
                }
                _ = sweep.tick() => self.sessions.sweep(),
                () = shutdown.begun() => break,
            }
        }
        drop(listening);
        // Streams without an end of their own get one now; calls in flight finish.
        self.gateway.close_listens();
        self.sessions.close_streams();
        self.streams.clear();
        if tokio::time::timeout(grace, graceful.shutdown()).await.is_err() {
            tracing::warn!(?grace, "requests still in flight were cut off");
        }
    }

    fn connection(
        &self,
        router: Router,
        stream: TcpStream,
        peer: SocketAddr,
    ) -> hyper::server::conn::http1::Connection<
        TokioIo<TcpStream>,
        TowerToHyperService<axum::middleware::AddExtension<Router, Presented>>,
    > {
        // Answers are written whole; waiting to fill packets only delays them.
        let _ = stream.set_nodelay(true);
        let presented = Presented { address: Some(peer.ip()) };
        let service = tower_layer::Layer::layer(&Extension(presented), router);
        hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.config.header_timeout)
            .max_headers(128)
            .pipeline_flush(true)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
    }
}

/// The next connection, once there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, place)),
        Err(error) => {
            // Usually too many open files: what is open must end before a new one can be.
            tracing::warn!(%error, "cannot accept a connection");
            tokio::time::sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

/// Refuses what is not meant for this gateway, before anything else looks at it.
async fn guarded(
    State(edge): State<Arc<Edge>>,
    request: Request<Body>,
    next: axum::middleware::Next,
) -> Response<Body> {
    if let Err(refused) = edge.guard.check(&request) {
        return rescue::invalid(StatusCode::FORBIDDEN, refused.to_string());
    }
    let cross_origin = edge.guard.cross_origin_headers(request.headers());
    let mut response = if request.method() == Verb::OPTIONS && cross_origin.is_some() {
        let mut allowed = rescue::empty(StatusCode::NO_CONTENT);
        let headers = allowed.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, DELETE"));
        let wanted = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
        headers
            .insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.unwrap_or(HeaderValue::from_static("content-type")));
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        allowed
    } else {
        next.run(request).await
    };
    for (name, value) in cross_origin.into_iter().flatten() {
        response.headers_mut().insert(name, value);
    }
    response
}

/// The MCP endpoint, for every revision that has one.
async fn mcp(
    State(edge): State<Arc<Edge>>,
    Extension(presented): Extension<Presented>,
    request: Request<Body>,
) -> Response<Body> {
    if request.method() == Verb::POST {
        let (parts, body) = request.into_parts();
        // A request holds its place until its answer begins: what is beyond it waits in streams, which sessions and
        // connections bound.
        let Ok(_place) = edge.in_flight.try_acquire() else { return overloaded() };
        return match body::read(&parts.headers, body, edge.config.request_bytes).await {
            Ok(text) => edge.post(&presented, &parts.headers, text).await,
            Err(refusal) => *refusal,
        };
    }
    let headers = request.headers();
    if modern::names_modern_revision(headers) {
        return not_allowed("POST");
    }
    match *request.method() {
        Verb::GET => legacy::stream(&edge.sessions, headers),
        Verb::DELETE => legacy::delete(&edge.sessions, headers),
        _ => not_allowed("GET, POST, DELETE"),
    }
}

/// Better a clear no at once than an answer that comes too late.
fn overloaded() -> Response<Body> {
    let mut response = rescue::refuse(
        StatusCode::SERVICE_UNAVAILABLE,
        None,
        RpcError::new(code::INTERNAL_ERROR, "too many requests are in flight (`limits.in_flight`)"),
    );
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn not_allowed(allowed: &'static str) -> Response<Body> {
    let mut response = rescue::invalid(StatusCode::METHOD_NOT_ALLOWED, format!("allowed here: {allowed}"));
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

impl Edge {
    /// Which era a posted message is of decides who reads it; the body counts, then the header.
    async fn post(&self, presented: &Presented, headers: &HeaderMap, text: Bytes) -> Response<Body> {
        if text.trim_ascii_start().starts_with(b"[") {
            return self.post_batch(headers, text).await;
        }
        let message = match Message::parse_within(text, self.config.depth) {
            Ok(message) => message,
            Err(error) => return rescue::bad_request(None, error),
        };
        match message {
            Message::Request(request) => match modern::claimed(&request, headers) {
                Some(claim) => modern::answer(&self.gateway, presented, (request, claim), headers).await,
                None => self.post_legacy(presented, headers, Message::Request(request)).await,
            },
            // A modern client has nothing to notify over HTTP: closing the stream cancels. Taken and ignored.
            Message::Notification(_) if modern::names_modern_revision(headers) => rescue::accepted(),
            Message::Response(_) if modern::names_modern_revision(headers) => rescue::invalid(
                StatusCode::BAD_REQUEST,
                "clients of this revision send no responses; answer in `inputResponses`",
            ),
            legacy => self.post_legacy(presented, headers, legacy).await,
        }
    }

    async fn post_legacy(&self, presented: &Presented, headers: &HeaderMap, message: Message) -> Response<Body> {
        legacy::post_message(&self.gateway, &self.sessions, presented, headers, message).await
    }

    async fn post_batch(&self, headers: &HeaderMap, text: Bytes) -> Response<Body> {
        let messages = Json::parse_within(text, self.config.depth)
            .and_then(|json| json.array())
            .map_err(|error| RpcError::new(code::PARSE_ERROR, error.to_string()))
            .and_then(|elements| elements.iter().map(Message::from_json).collect::<Result<Vec<_>, _>>());
        match messages {
            Err(error) => rescue::bad_request(None, error),
            Ok(_) if modern::names_modern_revision(headers) => {
                rescue::invalid(StatusCode::BAD_REQUEST, "this revision has no batches")
            }
            Ok(messages)
                if messages.iter().any(
                    |message| matches!(message, Message::Request(request) if modern::claimed(request, headers).is_some()),
                ) =>
            {
                rescue::invalid(StatusCode::BAD_REQUEST, "this revision has no batches")
            }
            Ok(messages) => legacy::post_batch(&self.sessions, headers, messages, self.config.batch).await,
        }
    }
}

async fn open_sse(State(edge): State<Arc<Edge>>, Extension(presented): Extension<Presented>) -> Response<Body> {
    legacy::open_sse(&edge.streams, &edge.gateway, &presented, MESSAGES)
}

async fn post_sse(State(edge): State<Arc<Edge>>, request: Request<Body>) -> Response<Body> {
    let query = request.uri().query().unwrap_or_default();
    let id = query.split('&').find_map(|pair| pair.strip_prefix("sessionId=")).unwrap_or_default().to_owned();
    let (parts, body) = request.into_parts();
    match body::read(&parts.headers, body, edge.config.request_bytes).await {
        Ok(text) => legacy::post_sse(&edge.streams, &id, text),
        Err(refusal) => *refusal,
    }
}

async fn ready(State(edge): State<Arc<Edge>>) -> Response<Body> {
    let status = if edge.gateway.is_settled() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    rescue::json(
        status,
        Bytes::from_static(if status == StatusCode::OK { b"{\"ready\":true}" } else { b"{\"ready\":false}" }),
    )
}

/// How the gateway and its upstreams are doing, for whoever sits at this machine.
async fn status(State(edge): State<Arc<Edge>>, Extension(presented): Extension<Presented>) -> Response<Body> {
    if !presented.address.is_some_and(|address| address.to_canonical().is_loopback()) {
        return rescue::invalid(StatusCode::FORBIDDEN, "the status is shown on this machine only");
    }
    #[derive(serde::Serialize)]
    struct Status {
        version: &'static str,
        uptime_seconds: u64,
        sessions: usize,
        upstreams: Vec<toolgate_gateway::UpstreamStatus>,
    }
    let status = Status {
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: edge.started.elapsed().as_secs(),
        sessions: edge.sessions.len(),
        upstreams: edge.gateway.status(),
    };
    match serde_json::to_vec(&status) {
        Ok(text) => rescue::json(StatusCode::OK, text.into()),
        Err(error) => rescue::refuse(
            StatusCode::INTERNAL_SERVER_ERROR,
            None,
            RpcError::new(code::INTERNAL_ERROR, error.to_string()),
        ),
    }
}
