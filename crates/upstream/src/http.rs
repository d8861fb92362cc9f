//! HTTP to one upstream: requests out, bounded answers back. Knows status codes and content types, and nothing of eras.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method as Verb, Request, StatusCode, Uri};
use http_body_util::Full;
use toolgate_protocol::sse::{SseDecoder, SseEvent};
use toolgate_protocol::{Message, Outcome, header};

use crate::config::{HttpConfig, Limits};
use crate::error::{Failure, neutral, root};
use crate::host::Host;
use crate::pool::{Pool, PooledBody};

/// Where an SSE stream is resumed.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// The legacy session.
pub(crate) const SESSION: HeaderName = HeaderName::from_static(header::SESSION);
/// The revision, repeated.
pub(crate) const REVISION: HeaderName = HeaderName::from_static(header::REVISION);
/// Of a body that only explains an error status.
const ERROR_BODY: usize = 64 << 10;
/// What may follow the answer in an event stream before the connection is given up instead of reused.
const DRAIN: (usize, Duration) = (64 << 10, Duration::from_secs(5));

/// One URL, with what every request to it has in common.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pool: Arc<Pool>,
    url: Uri,
    /// What a request line says: path and query.
    target: Uri,
    headers: HeaderMap,
    message_bytes: usize,
    depth: usize,
}

/// What came back, its body not yet judged.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) session: Option<HeaderValue>,
    pub(crate) body: Body,
}

/// A body by its content type.
#[derive(Debug)]
pub(crate) enum Body {
    /// Read to its end.
    Json(Bytes),
    /// Not yet read.
    Events(Box<EventStream>),
    /// Of no use: its content type, and with an error status what it says.
    Other(String, Bytes),
}

/// Server-sent events as they come.
#[derive(Debug)]
pub(crate) struct EventStream {
    body: PooledBody,
    decoder: SseDecoder,
    limit: usize,
}

// === impl Endpoint ===

impl Endpoint {
    pub(crate) fn new(config: &HttpConfig, limits: &Limits, host: &Arc<Host>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("toolgate/", env!("CARGO_PKG_VERSION"))));
        for (name, value) in &config.headers {
            let mut value = value.clone();
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        headers.insert(HOST, host_header(&config.url));
        Self {
            pool: Pool::new(host.clone(), config.url.clone()),
            url: config.url.clone(),
            target: target(&config.url),
            headers,
            message_bytes: limits.message_bytes,
            depth: limits.depth,
        }
    }

    /// The same place under another URL of the same origin.
    pub(crate) fn at(&self, url: Uri) -> Self {
        Self {
            pool: self.pool.clone(),
            target: target(&url),
            url,
            headers: self.headers.clone(),
            message_bytes: self.message_bytes,
            depth: self.depth,
        }
    }

    /// The URL.
    pub(crate) fn url(&self) -> &Uri {
        &self.url
    }

    /// How deep a message may nest.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// The headers of a POST, prepared once for many.
    pub(crate) fn post_headers(&self) -> HeaderMap {
        let mut headers = self.headers.clone();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers
    }

    /// The headers of a GET for events.
    pub(crate) fn get_headers(&self) -> HeaderMap {
        let mut headers = self.headers.clone();
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        headers
    }

    /// Sends one message.
    pub(crate) async fn post(&self, text: Bytes, headers: HeaderMap) -> Result<Answer, Failure> {
        self.send(Verb::POST, text, headers).await
    }

    /// Asks for events, from after `last_event_id` on where that is given.
    pub(crate) async fn get(&self, mut headers: HeaderMap, last_event_id: Option<&str>) -> Result<Answer, Failure> {
        if let Some(id) = last_event_id.and_then(|id| HeaderValue::from_bytes(id.as_bytes()).ok()) {
            headers.insert(LAST_EVENT_ID, id);
        }
        self.send(Verb::GET, Bytes::new(), headers).await
    }

    /// Ends a session.
    pub(crate) async fn delete(&self, headers: HeaderMap) -> Result<Answer, Failure> {
        self.send(Verb::DELETE, Bytes::new(), headers).await
    }

    async fn send(&self, verb: Verb, body: Bytes, headers: HeaderMap) -> Result<Answer, Failure> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = verb;
        *request.uri_mut() = self.target.clone();
        *request.headers_mut() = headers;
        let (head, body) = self.pool.send(request).await?.into_parts();
        let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let body = if is_type(content_type, "text/event-stream") && head.status.is_success() {
            let decoder = SseDecoder::new(self.message_bytes);
            Body::Events(Box::new(EventStream { body, decoder, limit: self.message_bytes }))
        } else if is_type(content_type, "application/json") {
            let limit = if head.status.is_success() { self.message_bytes } else { self.message_bytes.min(ERROR_BODY) };
            Body::Json(read(body, limit).await?)
        } else {
            let what = if content_type.is_empty() { "nothing".into() } else { neutral(content_type, 60) };
            // Only a few words of an error are of interest, and not having them is no other error.
            let text =
                if head.status.is_success() { Bytes::new() } else { read(body, ERROR_BODY).await.unwrap_or_default() };
            Body::Other(what, text)
        };
        Ok(Answer { status: head.status, session: head.headers.get(&SESSION).cloned(), body })
    }
}

/// Path and query alone, as a request line has them.
pub(crate) fn target(url: &Uri) -> Uri {
    url.path_and_query().cloned().map_or_else(|| Uri::from_static("/"), Uri::from)
}

/// Host and port, without the port that the scheme implies and without credentials.
pub(crate) fn host_header(url: &Uri) -> HeaderValue {
    let host = url.host().unwrap_or_default();
    let implied = if url.scheme_str() == Some("https") { 443 } else { 80 };
    let text = match url.port_u16() {
        Some(port) if port != implied => format!("{host}:{port}"),
        _ => host.to_owned(),
    };
    HeaderValue::try_from(text).expect("the host of a URL is a legal header value")
}

fn is_type(content_type: &str, wanted: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(wanted)
}

/// Reads a body to its end. One that came in one piece is not copied.
pub(crate) async fn read(mut body: PooledBody, limit: usize) -> Result<Bytes, Failure> {
    if body.expected() > limit as u64 {
        return Err(Failure::TooLarge(limit));
    }
    let mut first = Bytes::new();
    let mut more = BytesMut::new();
    while let Some(data) = body.data().await {
        let data = data.map_err(|error| Failure::Closed(format!("its answer broke off: {}", root(&error))))?;
        if first.len() + more.len() + data.len() > limit {
            return Err(Failure::TooLarge(limit));
        }
        if first.is_empty() && more.is_empty() {
            first = data;
            continue;
        }
        if more.is_empty() {
            let expected = usize::try_from(body.expected()).unwrap_or(0).min(limit);
            more.reserve(first.len() + data.len() + expected);
            more.extend_from_slice(&first);
            first = Bytes::new();
        }
        more.extend_from_slice(&data);
    }
    Ok(if more.is_empty() { first } else { more.freeze() })
}

// === impl Answer ===

impl Answer {
    /// The JSON-RPC message in a JSON body.
    pub(crate) fn message(&self, depth: usize) -> Option<Message> {
        match &self.body {
            Body::Json(text) => Message::parse_within(text.clone(), depth).ok(),
            Body::Events(_) | Body::Other(..) => None,
        }
    }

    /// The outcome in a JSON body that is a response to `id`. An error without id counts, since there is no doubt what it
    /// is about.
    pub(crate) fn outcome(&self, id: u64, depth: usize) -> Option<Outcome> {
        match self.message(depth)? {
            Message::Response(response) => match &response.id {
                Some(answered) => (answered.as_u64() == Some(id)).then_some(response.outcome),
                None => response.outcome.is_err().then_some(response.outcome),
            },
            Message::Request(_) | Message::Notification(_) => None,
        }
    }

    /// Whether it answers a request by its id, which whoever has not looked at the request does not know.
    pub(crate) fn names_a_request(&self, depth: usize) -> bool {
        matches!(
            self.message(depth),
            Some(Message::Response(response)) if response.id.as_ref().is_some_and(|id| id.as_u64().is_some())
        )
    }

    /// Whether the body has one of these words in it, written in lower case here.
    pub(crate) fn says(&self, words: &[&str]) -> bool {
        let (Body::Json(text) | Body::Other(_, text)) = &self.body else { return false };
        let text = String::from_utf8_lossy(&text[..text.len().min(1000)]).to_lowercase();
        words.iter().any(|word| text.contains(word))
    }

    /// Why an answer with this status is of no use, in words that say what to do.
    pub(crate) fn refusal(&self) -> Failure {
        let status = self.status.as_u16();
        Failure::Refused(match status {
            401 | 403 => {
                format!("it wants other credentials (HTTP {status}); set `headers: {{Authorization: …}}` for it")
            }
            300..=399 => {
                format!("it redirects (HTTP {status}), which is not followed; configure the URL it redirects to")
            }
            404 | 405 => format!("nothing answers MCP at this URL (HTTP {status}); check its path"),
            429 => "it is asked too often (HTTP 429)".to_owned(),
            200..300 => match &self.body {
                Body::Other(what, _) => {
                    format!("it answered with {what} instead of JSON or events (HTTP {status}); check the URL")
                }
                Body::Json(_) | Body::Events(_) => format!("its answer fits no request (HTTP {status})"),
            },
            _ => format!("HTTP {status}"),
        })
    }
}

/// Whether an event holds a message: it is of no other type, and no mere place to resume at.
pub(crate) fn is_message(event: &SseEvent) -> bool {
    !event.data.is_empty() && event.event.as_deref().is_none_or(|kind| kind == "message")
}

// === impl EventStream ===

impl EventStream {
    /// The next event; `None` at the end. May be dropped in mid-wait without losing anything.
    pub(crate) async fn next(&mut self) -> Result<Option<SseEvent>, Failure> {
        loop {
            match self.decoder.next_event() {
                Ok(Some(event)) => return Ok(Some(event)),
                Ok(None) => {}
                Err(_) => return Err(Failure::TooLarge(self.limit)),
            }
            match self.body.data().await {
                None => return Ok(None),
                Some(Ok(data)) => self.decoder.push(&data),
                Some(Err(error)) => {
                    return Err(Failure::Closed(format!("its event stream broke off: {}", root(&error))));
                }
            }
        }
    }

    /// Reads what is left, so that the connection can be used again: right away if it is there, else off the path.
    pub(crate) fn finish(mut self) {
        // Mostly the end has arrived together with the answer.
        if let Some(None | Some(Err(_))) = self.body.data_now() {
            return;
        }
        // Without a runtime, the process is ending.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            let (mut left, patience) = DRAIN;
            let drain = async {
                while let Some(Ok(data)) = self.body.data().await {
                    if data.len() > left {
                        break;
                    }
                    left -= data.len();
                }
            };
            // Whatever is left after that closes the connection.
            let _ = tokio::time::timeout(patience, drain).await;
        });
    }
}
