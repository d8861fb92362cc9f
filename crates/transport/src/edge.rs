//! The HTTP endpoint: what is served where. Nothing else is.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method as Verb, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use toolgate_gateway::{Error, Gateway};
use toolgate_identity::{Presented, Vouch};
use toolgate_protocol::{Message, Presentation, RpcError, code};

use crate::body::{self, Body};
use crate::conversation::PipeLimits;
use crate::guard::Guard;
use crate::legacy::{self, OpenSession, Place, Room, Sessions, Streams};
use crate::{modern, place, plain, rescue};

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
    /// After so long a connection that reads a stream is ended, if its client knows to come back to it.
    pub stream_life: Option<Duration>,
    /// The most connections at once.
    pub connections: usize,
    /// How long a client may take to send the headers of a request.
    pub header_timeout: Duration,
}

/// Everything behind the sockets.
pub struct Edge {
    gateway: Arc<Gateway>,
    pub(crate) config: Config,
    guard: Guard,
    pub(crate) sessions: Sessions,
    streams: Arc<Streams>,
    in_flight: Arc<Semaphore>,
    /// Places for connections, over all threads that serve.
    pub(crate) connections: Arc<Semaphore>,
    started: Instant,
}

/// Where legacy clients post when their stream came from `/sse`.
const MESSAGES: &str = "/messages";

// === impl Edge ===

impl Edge {
    /// An edge in front of a gateway.
    pub fn new(gateway: Arc<Gateway>, config: Config) -> Arc<Self> {
        Arc::new(Self {
            gateway,
            guard: Guard::new(&config.allowed_hosts, &config.allowed_origins),
            sessions: Sessions::new(config.sessions, config.session_idle, Room::new(config.stream_life)),
            streams: Arc::new(Streams::new(config.sessions)),
            in_flight: Arc::new(Semaphore::new(config.in_flight)),
            connections: Arc::new(Semaphore::new(config.connections)),
            started: Instant::now(),
            config,
        })
    }

    fn pipe_limits(&self) -> PipeLimits {
        PipeLimits { message: self.config.request_bytes, depth: self.config.depth, batch: self.config.batch }
    }

    /// The sessions of legacy clients that are open, the oldest first.
    pub fn open_sessions(&self) -> Vec<OpenSession> {
        let mut all = self.sessions.all();
        all.extend(self.streams.sessions());
        all.sort_by_key(|session| session.began);
        all
    }

    /// Ends the session that is shown under this id; false when there is none.
    pub fn end_session(&self, shown: &str) -> bool {
        self.sessions.end_shown(shown) || self.streams.end_shown(shown)
    }

    /// Ends the streams that have no end of their own.
    pub(crate) fn end_streams(&self) {
        self.gateway.close_listens();
        self.sessions.close_streams();
        self.streams.clear();
    }

    /// Answers one request: refuses what is not meant for this gateway, before anything else looks at it.
    pub(crate) async fn answer(&self, presented: Presented, request: Request<Incoming>) -> Response<Body> {
        if let Err(refused) = self.guard.check(&request) {
            return rescue::invalid(StatusCode::FORBIDDEN, refused.to_string());
        }
        let cross_origin = self.guard.cross_origin_headers(request.headers());
        let mut response = if request.method() == Verb::OPTIONS && cross_origin.is_some() {
            preflight(request.headers())
        } else {
            self.route(&presented, request).await
        };
        for (name, value) in cross_origin.into_iter().flatten() {
            response.headers_mut().insert(name, value);
        }
        response
    }

    async fn route(&self, presented: &Presented, request: Request<Incoming>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let presentation = match asked_for(parts.uri.query()) {
            Ok(presentation) => presentation,
            Err(refused) => return rescue::invalid(StatusCode::BAD_REQUEST, refused),
        };
        let (endpoint, path) = match place::of(parts.uri.path(), &parts.headers) {
            Ok(place) => place,
            Err(refused) => return rescue::invalid(StatusCode::NOT_FOUND, refused),
        };
        if !self.gateway.serves(&endpoint) {
            return rescue::invalid(StatusCode::NOT_FOUND, Error::NoEndpoint(endpoint).to_string());
        }
        let presented = &Presented { presentation, endpoint, ..presented.clone() };
        let endpoint = &presented.endpoint;
        match (path, &parts.method) {
            ("/mcp", &Verb::POST) => self.take(presented, &parts, body).await,
            ("/mcp", _) if modern::names_modern_revision(&parts.headers) => not_allowed("POST"),
            ("/mcp", &Verb::GET) => legacy::stream(&self.sessions, endpoint, &parts.headers).await,
            ("/mcp", &Verb::DELETE) => legacy::delete(&self.sessions, endpoint, &parts.headers),
            ("/mcp", _) => not_allowed("GET, POST, DELETE"),
            ("/sse", &Verb::GET) => {
                legacy::open_sse(&self.streams, &self.gateway, presented, MESSAGES, self.pipe_limits())
            }
            (plain::DOCUMENT, &Verb::GET) => Box::pin(plain::describe(&self.gateway, presented)).await,
            (plain::DOCUMENT, _) => not_allowed("GET"),
            (tool, &Verb::POST) if tool.starts_with(plain::TOOLS) => {
                Box::pin(self.call_plainly(presented, &parts, &tool[plain::TOOLS.len()..], body)).await
            }
            (tool, _) if tool.starts_with(plain::TOOLS) => not_allowed("POST"),
            (MESSAGES, &Verb::POST) => self.take_for_stream(&parts, body).await,
            ("/healthz", &Verb::GET) => rescue::text("ok\n"),
            ("/readyz", &Verb::GET) => self.ready(),
            ("/status", &Verb::GET) => Box::pin(self.status(presented)).await,
            ("/tokens", &Verb::GET) => Box::pin(self.tokens(presented)).await,
            ("/sse" | "/healthz" | "/readyz" | "/status" | "/tokens", _) => not_allowed("GET"),
            (MESSAGES, _) => not_allowed("POST"),
            _ => rescue::invalid(StatusCode::NOT_FOUND, "nothing is here; MCP is at /mcp"),
        }
    }

    /// A message to the MCP endpoint, of any revision.
    async fn take(&self, presented: &Presented, parts: &Parts, body: Incoming) -> Response<Body> {
        let Some(place) = self.place() else { return overloaded(body) };
        match body::read(&parts.headers, body, self.config.request_bytes).await {
            Ok(text) => self.post(presented, &parts.headers, text, place).await,
            Err(refusal) => *refusal,
        }
    }

    /// A call of a client that speaks no MCP.
    async fn call_plainly(&self, presented: &Presented, parts: &Parts, tool: &str, body: Incoming) -> Response<Body> {
        let Some(_place) = self.place() else { return overloaded(body) };
        match body::read(&parts.headers, body, self.config.request_bytes).await {
            Ok(text) => plain::call(&self.gateway, presented, tool, text, self.config.depth).await,
            Err(refusal) => *refusal,
        }
    }

    /// A message of a client whose stream came from `/sse`.
    async fn take_for_stream(&self, parts: &Parts, body: Incoming) -> Response<Body> {
        let Some(place) = self.place() else { return overloaded(body) };
        let query = parts.uri.query().unwrap_or_default();
        let id = query.split('&').find_map(|pair| pair.strip_prefix("sessionId=")).unwrap_or_default();
        match body::read(&parts.headers, body, self.config.request_bytes).await {
            Ok(text) => legacy::post_sse(&self.streams, id, text, place),
            Err(refusal) => *refusal,
        }
    }

    /// A place among the requests in flight, if there is one. A modern request holds it until its answer begins: what is
    /// beyond that waits in streams, which connections bound. A legacy one goes on without its client and holds it to its end.
    fn place(&self) -> Option<Place> {
        self.in_flight.clone().try_acquire_owned().ok().map(Arc::new)
    }

    /// Which era a posted message is of decides who reads it; the body counts, then the header.
    async fn post(&self, presented: &Presented, headers: &HeaderMap, text: Bytes, place: Place) -> Response<Body> {
        if text.trim_ascii_start().starts_with(b"[") {
            return self.post_batch(presented, headers, text, place).await;
        }
        let message = match Message::parse_within(text.clone(), self.config.depth) {
            Ok(message) => message,
            Err(error) => return rescue::bad_request(None, error),
        };
        match message {
            Message::Request(request) => match modern::claimed(&request, headers) {
                Some(claim) => {
                    let vouched = vouched(presented, headers, &text);
                    let presented = vouched.as_ref().unwrap_or(presented);
                    modern::answer(&self.gateway, presented, (request, claim), headers).await
                }
                None => self.post_legacy(presented, headers, Message::Request(request), place).await,
            },
            // A modern client has nothing to notify over HTTP: closing the stream cancels. Taken and ignored.
            Message::Notification(_) if modern::names_modern_revision(headers) => rescue::accepted(),
            Message::Response(_) if modern::names_modern_revision(headers) => rescue::invalid(
                StatusCode::BAD_REQUEST,
                "clients of this revision send no responses; answer in `inputResponses`",
            ),
            legacy => self.post_legacy(presented, headers, legacy, place).await,
        }
    }

    async fn post_legacy(
        &self,
        presented: &Presented,
        headers: &HeaderMap,
        message: Message,
        place: Place,
    ) -> Response<Body> {
        legacy::post_message(&self.gateway, &self.sessions, presented, headers, message, place).await
    }

    async fn post_batch(
        &self,
        presented: &Presented,
        headers: &HeaderMap,
        text: Bytes,
        place: Place,
    ) -> Response<Body> {
        let messages = legacy::read_batch(text, self.config.depth);
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
            Ok(messages) => {
                let (endpoint, most) = (&presented.endpoint, self.config.batch);
                legacy::post_batch(&self.sessions, endpoint, headers, messages, most, place).await
            }
        }
    }

    fn ready(&self) -> Response<Body> {
        match self.gateway.is_settled() {
            true => rescue::json(StatusCode::OK, Bytes::from_static(b"{\"ready\":true}")),
            false => rescue::json(StatusCode::SERVICE_UNAVAILABLE, Bytes::from_static(b"{\"ready\":false}")),
        }
    }

    /// How the gateway and its upstreams are doing, for whoever sits at this machine.
    async fn status(&self, presented: &Presented) -> Response<Body> {
        #[derive(serde::Serialize)]
        struct Status {
            version: &'static str,
            uptime_seconds: u64,
            sessions: usize,
            config: toolgate_gateway::ConfigStatus,
            presentation: Option<toolgate_gateway::PresentationStatus>,
            upstreams: Vec<toolgate_gateway::UpstreamStatus>,
            namespaces: Vec<toolgate_gateway::NamespaceStatus>,
        }
        let status = || async {
            Ok(Status {
                version: env!("CARGO_PKG_VERSION"),
                uptime_seconds: self.started.elapsed().as_secs(),
                sessions: self.sessions.len(),
                config: self.gateway.config(),
                presentation: self.gateway.presentation().await.ok(),
                upstreams: self.gateway.status(),
                namespaces: self.gateway.namespaces(),
            })
        };
        told(presented, status).await
    }

    /// What the tools cost a model, likewise.
    async fn tokens(&self, presented: &Presented) -> Response<Body> {
        told(presented, || self.gateway.costs()).await
    }
}

/// What is told about the gateway to whoever sits at this machine, and to nobody else.
async fn told<T: serde::Serialize, F: Future<Output = Result<T, toolgate_gateway::Error>>>(
    presented: &Presented,
    what: impl FnOnce() -> F,
) -> Response<Body> {
    if !presented.address.is_some_and(|address| address.to_canonical().is_loopback()) {
        return rescue::invalid(StatusCode::FORBIDDEN, "this is told on the gateway's own machine only");
    }
    let failed = |error: RpcError| rescue::refuse(StatusCode::INTERNAL_SERVER_ERROR, None, error);
    match what().await {
        Ok(told) => match serde_json::to_vec(&told) {
            Ok(text) => rescue::json(StatusCode::OK, text.into()),
            Err(error) => failed(RpcError::new(code::INTERNAL_ERROR, error.to_string())),
        },
        Err(error) => failed(error.to_rpc()),
    }
}

/// The presentation that a URL asks for with `?view=`.
fn asked_for(query: Option<&str>) -> Result<Option<Presentation>, &'static str> {
    let Some(word) = query.unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("view=")) else {
        return Ok(None);
    };
    match Presentation::parse(word) {
        Some(presentation) => Ok(Some(presentation)),
        None => Err("`view` in the URL must be direct, search or auto"),
    }
}

/// What is presented, with another replica's word for it, if the request has one.
fn vouched(presented: &Presented, headers: &HeaderMap, body: &[u8]) -> Option<Presented> {
    let word = headers.get(toolgate_protocol::header::VOUCH)?;
    // What is no text is no word either, but it must not pass for a request without one.
    let vouch = Some(Vouch::new(word.to_str().unwrap_or_default(), body));
    Some(Presented { vouch, ..presented.clone() })
}

/// What a browser asks before it lets a page of an allowed origin send a request (Fetch standard, CORS).
fn preflight(request: &HeaderMap) -> Response<Body> {
    let mut allowed = rescue::empty(StatusCode::NO_CONTENT);
    let headers = allowed.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, DELETE"));
    let wanted = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.unwrap_or(HeaderValue::from_static("content-type")));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    allowed
}

/// Better a clear no at once than an answer that comes too late.
fn overloaded(body: Incoming) -> Response<Body> {
    body::discard(body);
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
