//! An operator at the control API: plain HTTP with a token, and events as they come.

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::wait::soon;

/// Whoever knows the token.
pub struct Operator {
    http: hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>,
    url: String,
    token: String,
}

/// What came back.
#[derive(Debug)]
pub struct Told {
    pub status: u16,
    pub kind: String,
    pub text: String,
}

/// Server-sent events as they come.
pub struct Following {
    body: Incoming,
    text: String,
}

// === impl Operator ===

impl Operator {
    pub fn of(url: &str, token: &str) -> Self {
        let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http();
        Self { http, url: url.to_owned(), token: token.to_owned() }
    }

    /// Where the API is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The same with another token.
    pub fn with_token(&self, token: &str) -> Self {
        Self::of(&self.url, token)
    }

    /// Asks for a path below `/api/v1`, with a body unless it is null: a string as text, anything else as JSON.
    pub async fn ask(&self, method: Method, path: &str, body: Value) -> Told {
        let (kind, text) = match body {
            Value::Null => ("text/plain", String::new()),
            Value::String(text) => ("text/plain", text),
            other => ("application/json", other.to_string()),
        };
        let request = self.request(method, &format!("/api/v1{path}")).header("content-type", kind);
        self.fetch(request.body(Full::from(text)).unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Value {
        self.ask(Method::GET, path, Value::Null).await.ok()
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        self.ask(Method::POST, path, body).await.ok()
    }

    /// Sets what the config says at a path below `/api/v1/config`, if it is what the header says.
    pub async fn set(&self, path: &str, value: &Value, expected: Option<(&str, &str)>) -> Told {
        let request = self.request(Method::PUT, &format!("/api/v1/config{path}"));
        let mut request = request.header("content-type", "application/json");
        if let Some((name, value)) = expected {
            request = request.header(name, value);
        }
        self.fetch(request.body(Full::from(value.to_string())).unwrap()).await
    }

    /// Takes back what was set at a path below `/api/v1/config`.
    pub async fn unset(&self, path: &str) -> Told {
        self.ask(Method::DELETE, &format!("/config{path}"), Value::Null).await
    }

    /// A request with the token, to be completed.
    pub fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        if self.token.is_empty() { request } else { request.header("authorization", format!("Bearer {}", self.token)) }
    }

    pub async fn fetch(&self, request: Request<Full<Bytes>>) -> Told {
        let (head, body) = self.send(request).await.into_parts();
        let text = soon("the body", body.collect()).await.unwrap().to_bytes();
        let kind = head.headers.get("content-type").map_or("", |kind| kind.to_str().unwrap()).to_owned();
        Told { status: head.status.as_u16(), kind, text: String::from_utf8(text.into()).unwrap() }
    }

    /// Follows a path below `/api/v1`, from after an event if one is named.
    pub async fn follow(&self, path: &str, after: Option<&str>) -> Following {
        let mut request = self.request(Method::GET, &format!("/api/v1{path}"));
        if let Some(after) = after {
            request = request.header("last-event-id", after);
        }
        let response = self.send(request.body(Full::default()).unwrap()).await;
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Following { body: response.into_body(), text: String::new() }
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Response<Incoming> {
        let what = format!("an answer to {} {}", request.method(), request.uri());
        soon(&what, self.http.request(request)).await.unwrap_or_else(|error| panic!("{what}: {error:?}"))
    }
}

// === impl Told ===

impl Told {
    /// What was asked for.
    pub fn ok(self) -> Value {
        self.done(200)
    }

    /// What came of it, with this status.
    pub fn done(self, status: u16) -> Value {
        assert_eq!((self.status, self.kind.as_str()), (status, "application/json"), "{}", self.text);
        serde_json::from_str(&self.text).unwrap()
    }

    /// What was changed, in words.
    pub fn changes(self) -> Vec<String> {
        assert!(matches!(self.status, 200 | 201), "{} {}", self.status, self.text);
        let told: Value = serde_json::from_str(&self.text).unwrap();
        let texts = told["differences"].as_array().unwrap().iter().map(|one| one["text"].as_str().unwrap().to_owned());
        texts.collect()
    }

    /// A problem with this status; its kind and its detail.
    pub fn problem(self, status: u16) -> (String, String) {
        assert_eq!((self.status, self.kind.as_str()), (status, "application/problem+json"), "{}", self.text);
        let problem: Value = serde_json::from_str(&self.text).unwrap();
        assert_eq!(problem["status"], status);
        let kind = problem["type"].as_str().unwrap().strip_prefix("urn:toolgate:problem:").unwrap().to_owned();
        (kind, problem["detail"].as_str().unwrap().to_owned())
    }
}

// === impl Following ===

impl Following {
    /// The next event: its id, and its data as JSON. `None` at the end.
    pub async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let event: String = self.text.drain(..end + 2).collect();
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                if let Some(data) = field("data:") {
                    return Some((field("id:").unwrap_or_default().to_owned(), serde_json::from_str(data).unwrap()));
                }
                continue;
            }
            let frame = soon("the next event", self.body.frame()).await?.unwrap();
            self.text += std::str::from_utf8(frame.data_ref().unwrap()).unwrap();
        }
    }

    /// The first from now on that is wanted.
    pub async fn until(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> (String, Value) {
        loop {
            let (id, event) = self.next().await.unwrap_or_else(|| panic!("the events ended before {what}"));
            if wanted(&event) {
                return (id, event);
            }
        }
    }
}
