//! An MCP client of either era over streamable HTTP. It is pedantic: an answer with a header that is not on its list, a
//! message after the last one, or a result that belongs to the other era fails the story.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use crate::Era;
use crate::events::Events;
use crate::script::META;
use crate::wait::soon;

/// The headers that the gateway may answer with. Another one is a fault: it may tell what nobody should know.
const EXPECTED_HEADERS: [&str; 14] = [
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "access-control-max-age",
    "allow",
    "cache-control",
    "content-length",
    "content-type",
    "date",
    "mcp-session-id",
    "retry-after",
    "vary",
    "x-accel-buffering",
];
/// What a client calls itself unless a story says otherwise.
const NAME: &str = "story";
/// The headers of the connection, which HTTP itself answers with.
const CONNECTION_HEADERS: [&str; 2] = ["connection", "transfer-encoding"];

/// A client.
pub struct Client {
    http: hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>,
    url: String,
    /// The path of MCP, with its query.
    path: String,
    name: &'static str,
    era: Era,
    revision: &'static str,
    capabilities: Value,
    answers: BTreeMap<String, Answer>,
    log_level: Option<&'static str>,
    session: Option<String>,
    /// One more header for each request.
    header: Option<(&'static str, &'static str)>,
    next_id: AtomicU64,
}

/// What a client answers to a question.
#[derive(Clone, Debug)]
pub enum Answer {
    Result(Value),
    /// An error, which only the legacy era has.
    Refuse(i64, &'static str),
}

/// How a request ends.
pub type Outcome = Result<Value, Fault>;

/// A JSON-RPC error, and the HTTP status that it came with.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub status: u16,
    pub code: i64,
    pub message: String,
    pub data: Value,
}

/// A request, and what comes back. Dropping it closes its stream.
#[derive(Debug)]
pub struct Exchange {
    pub status: u16,
    pub headers: HeaderMap,
    /// The id of the request; null for a stream without one.
    pub id: Value,
    era: Era,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Json(Option<String>),
    Events(Box<Incoming>, Events),
}

/// A whole HTTP answer.
#[derive(Debug)]
pub struct Page {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

// === impl Client ===

impl Client {
    /// A client that has not spoken yet.
    pub fn of(url: &str, era: Era) -> Self {
        Self {
            http: hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http(),
            url: url.to_owned(),
            path: "/mcp".into(),
            name: NAME,
            era,
            revision: if era == Era::Legacy { "2025-11-25" } else { "2026-07-28" },
            capabilities: json!({}),
            answers: BTreeMap::new(),
            log_level: None,
            session: None,
            header: None,
            next_id: AtomicU64::new(1),
        }
    }

    /// One that speaks plain HTTP only.
    pub fn visitor(url: &str) -> Self {
        Self::of(url, Era::Modern)
    }

    /// A client without any capability; a legacy one shakes hands.
    pub async fn connect(url: &str, era: Era) -> Self {
        Self::of(url, era).open().await
    }

    /// Asks for a presentation with its URL.
    #[must_use]
    pub fn view(mut self, presentation: &str) -> Self {
        self.path = format!("/mcp?view={presentation}");
        self
    }

    /// Goes to another endpoint than `/mcp`.
    #[must_use]
    pub fn at(mut self, path: &str) -> Self {
        self.path = path.to_owned();
        self
    }

    /// Sends this header with each request.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.header = Some((name, value));
        self
    }

    /// Opens a connection for each request, as behind a balancer of connections.
    #[must_use]
    pub fn without_keeping_connections(mut self) -> Self {
        let mut builder = hyper_util::client::legacy::Client::builder(TokioExecutor::new());
        self.http = builder.pool_max_idle_per_host(0).build_http();
        self
    }

    /// Calls itself something else.
    #[must_use]
    pub fn named(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// Says another revision.
    #[must_use]
    pub fn revision(mut self, revision: &'static str) -> Self {
        self.revision = revision;
        self
    }

    /// Declares a capability and answers the questions that it allows.
    #[must_use]
    pub fn can(mut self, capability: &str, method: &str, answer: Answer) -> Self {
        self.capabilities[capability] = json!({});
        self.answers.insert(method.to_owned(), answer);
        self
    }

    /// Declares capabilities.
    #[must_use]
    pub fn capabilities(mut self, capabilities: Value) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Wants log messages (modern; a legacy client asks with `logging/setLevel`).
    #[must_use]
    pub fn log_level(mut self, level: &'static str) -> Self {
        self.log_level = Some(level);
        self
    }

    /// Shakes hands, if its era does.
    pub async fn open(mut self) -> Self {
        if self.era == Era::Modern {
            return self;
        }
        let params = json!({
            "protocolVersion": self.revision, "capabilities": self.capabilities,
            "clientInfo": {"name": self.name, "version": "1"},
        });
        let mut exchange = self.start("initialize", params).await;
        let session = exchange.headers.get("mcp-session-id").expect("a session begins");
        let session = session.to_str().expect("its id is plain").to_owned();
        let result = exchange.outcome().await.expect("the handshake succeeds");
        assert_eq!(result["protocolVersion"], self.revision);
        self.session = Some(session);
        self.notify("notifications/initialized", json!({})).await;
        self
    }

    /// The session's id.
    pub fn session(&self) -> &str {
        self.session.as_deref().expect("it has shaken hands")
    }

    /// The headers and the text of a request, as this client would send it.
    pub fn request_for(&self, method: &str, mut params: Value) -> (Value, http::request::Builder, Value) {
        let id: Value = self.next_id.fetch_add(1, Ordering::Relaxed).into();
        let mut request = self.post();
        if self.era == Era::Modern {
            let meta = &mut params["_meta"];
            meta[format!("{META}protocolVersion")] = self.revision.into();
            meta[format!("{META}clientCapabilities")] = self.capabilities.clone();
            if self.name != NAME {
                meta[format!("{META}clientInfo")] = json!({"name": self.name, "version": "1"});
            }
            if let Some(level) = self.log_level {
                meta[format!("{META}logLevel")] = level.into();
            }
            request = request.header("mcp-method", method);
            let named = match method {
                "tools/call" | "prompts/get" => params["name"].as_str(),
                "resources/read" => params["uri"].as_str(),
                "tasks/get" | "tasks/update" | "tasks/cancel" => params["taskId"].as_str(),
                _ => None,
            };
            if let Some(name) = named {
                request = request.header("mcp-name", name);
            }
        }
        let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        (id, request, message)
    }

    fn post(&self) -> http::request::Builder {
        let mut request = Request::post(format!("{}{}", self.url, self.path))
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream");
        // Revisions before 2025-06-18 do not have the header; dates compare as texts.
        if self.era == Era::Modern || self.session.is_some() && self.revision >= "2025-06-18" {
            request = request.header("mcp-protocol-version", self.revision);
        }
        if let Some((name, value)) = self.header {
            request = request.header(name, value);
        }
        match &self.session {
            Some(session) => request.header("mcp-session-id", session),
            None => request,
        }
    }

    /// Sends a request and gives what comes back as it comes.
    pub async fn start(&self, method: &str, params: Value) -> Exchange {
        let (id, request, message) = self.request_for(method, params);
        let response =
            self.send(request.body(message.to_string().into()).expect("the story's headers are legal")).await;
        self.exchange(id, response).await
    }

    /// Sends a request as its text. `name` is what it names, which a modern client repeats in a header. Gives nothing when the
    /// request was taken without an answer.
    pub(crate) async fn start_text(
        &self,
        id: Value,
        method: &str,
        name: Option<&str>,
        text: String,
    ) -> Option<Exchange> {
        let mut request = self.post();
        if self.era == Era::Modern {
            request = request.header("mcp-method", method);
            if let Some(name) = name {
                request = request.header("mcp-name", name);
            }
        }
        let response = self.send(request.body(text.into()).expect("the story's headers are legal")).await;
        if response.status() == 202 {
            return None;
        }
        Some(self.exchange(id, response).await)
    }

    async fn exchange(&self, id: Value, response: Response<Incoming>) -> Exchange {
        let (head, body) = response.into_parts();
        let content_type = head.headers.get("content-type").expect("an answer has a type").to_str().unwrap();
        let body = match content_type {
            "application/json" => Body::Json(Some(read(body).await)),
            "text/event-stream" => Body::Events(Box::new(body), Events::default()),
            other => panic!("no MCP client expects {other}"),
        };
        Exchange { status: head.status.as_u16(), headers: head.headers, id, era: self.era, body }
    }

    /// Sends anything and reads the whole answer.
    pub async fn fetch(&self, request: Request<Full<Bytes>>) -> Page {
        let (head, body) = self.send(request).await.into_parts();
        Page { status: head.status.as_u16(), headers: head.headers, text: read(body).await }
    }

    /// Gets a page.
    pub async fn get(&self, path: &str) -> Page {
        self.fetch(Request::get(format!("{}{path}", self.url)).body(Full::default()).expect("a plain path")).await
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Response<Incoming> {
        let what = format!("an answer to {} {}", request.method(), request.uri());
        let response = soon(&what, self.http.request(request)).await;
        let response = response.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        for name in response.headers().keys() {
            let name = name.as_str();
            assert!(EXPECTED_HEADERS.contains(&name) || CONNECTION_HEADERS.contains(&name), "{what}: header `{name}`");
        }
        response
    }

    /// Sends a request, answers what it is asked meanwhile, and gives the outcome.
    pub async fn request(&self, method: &str, params: Value) -> Outcome {
        match self.era {
            Era::Legacy => {
                let mut exchange = self.start(method, params).await;
                loop {
                    let message = exchange.expect_next().await;
                    if message["id"] == exchange.id && message["method"].is_null() {
                        return exchange.finish(message).await;
                    }
                    self.answer(&message).await;
                }
            }
            Era::Modern => {
                let mut params = params;
                loop {
                    let result = self.start(method, params.clone()).await.outcome().await?;
                    if result["resultType"] != "input_required" {
                        return Ok(result);
                    }
                    let questions = result["inputRequests"].as_object().cloned().unwrap_or_default();
                    let answers = questions.iter().map(|(key, question)| (key.clone(), self.embedded_answer(question)));
                    params["inputResponses"] = answers.collect();
                    params.as_object_mut().expect("parameters").remove("requestState");
                    if !result["requestState"].is_null() {
                        params["requestState"] = result["requestState"].clone();
                    }
                }
            }
        }
    }

    /// Answers a question of the legacy era; what is none needs no answer.
    pub async fn answer(&self, question: &Value) {
        let (id, Some(method)) = (&question["id"], question["method"].as_str()) else { return };
        if id.is_null() {
            return;
        }
        let message = match self.answers.get(method) {
            Some(Answer::Result(result)) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
            Some(Answer::Refuse(code, text)) => {
                json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": text}})
            }
            None => panic!("asked for what this client cannot do: {question}"),
        };
        self.post_only(&message).await;
    }

    fn embedded_answer(&self, question: &Value) -> Value {
        match self.answers.get(question["method"].as_str().expect("a question has a method")) {
            Some(Answer::Result(result)) => result.clone(),
            other => panic!("a modern client cannot answer {question} with {other:?}"),
        }
    }

    /// Sends a message that is only taken.
    pub async fn post_only(&self, message: &Value) {
        let request = self.post().body(message.to_string().into()).expect("plain headers");
        let page = self.fetch(request).await;
        assert_eq!((page.status, page.text.as_str()), (202, ""), "{message}");
    }

    /// Sends a notification.
    pub async fn notify(&self, method: &str, params: Value) {
        self.post_only(&json!({"jsonrpc": "2.0", "method": method, "params": params})).await;
    }

    /// Calls a tool.
    pub async fn call(&self, tool: &str, arguments: Value) -> Outcome {
        self.request("tools/call", json!({"name": tool, "arguments": arguments})).await
    }

    /// Calls a tool that answers with one text.
    pub async fn text(&self, tool: &str, arguments: Value) -> String {
        match self.call(tool, arguments).await {
            Ok(result) => text_of(&result),
            Err(fault) => panic!("{tool}: {fault:?}"),
        }
    }

    /// Begins to call a tool.
    pub async fn start_call(&self, tool: &str, arguments: Value) -> Exchange {
        self.start("tools/call", json!({"name": tool, "arguments": arguments})).await
    }

    /// All pages of a list: `tools`, `prompts`, `resources` or `resourceTemplates`.
    pub async fn list(&self, what: &str) -> Vec<Value> {
        let method =
            if what == "resourceTemplates" { "resources/templates/list".into() } else { format!("{what}/list") };
        let (mut all, mut params) = (Vec::new(), json!({}));
        loop {
            let page = self.request(&method, params.clone()).await.expect("lists can be read");
            all.extend(page[what].as_array().expect("a list").iter().cloned());
            match &page["nextCursor"] {
                Value::Null => return all,
                cursor => params["cursor"] = cursor.clone(),
            }
        }
    }

    /// The names of all tools, in order.
    pub async fn tools(&self) -> Vec<String> {
        let name = |tool: Value| tool["name"].as_str().expect("tools have names").to_owned();
        self.list("tools").await.into_iter().map(name).collect()
    }

    /// Listens to changed lists and to resources, in the way of its era. Returns once the gateway has agreed.
    pub async fn listen(&self, resources: &[&str]) -> Exchange {
        match self.era {
            Era::Legacy => {
                let mut request = Request::get(format!("{}{}", self.url, self.path))
                    .header("accept", "text/event-stream")
                    .header("mcp-session-id", self.session());
                if self.revision >= "2025-06-18" {
                    request = request.header("mcp-protocol-version", self.revision);
                }
                let response = self.send(request.body(Full::default()).expect("plain headers")).await;
                assert_eq!(response.status(), 200);
                for uri in resources {
                    self.request("resources/subscribe", json!({"uri": uri})).await.expect("it can be subscribed to");
                }
                self.exchange(Value::Null, response).await
            }
            Era::Modern => {
                let filter = json!({
                    "toolsListChanged": true, "promptsListChanged": true, "resourcesListChanged": true,
                    "resourceSubscriptions": resources,
                });
                let mut exchange = self.start("subscriptions/listen", json!({"notifications": filter})).await;
                let acknowledged = exchange.expect_next().await;
                assert_eq!(acknowledged["method"], "notifications/subscriptions/acknowledged");
                exchange
            }
        }
    }

    /// Comes back to the stream of an event, for the answer to the request of that id.
    pub async fn resume(&self, id: &Value, last_event: &str) -> Exchange {
        self.exchange(id.clone(), self.send(self.coming_back(last_event)).await).await
    }

    /// The request that comes back to the stream of an event.
    pub fn coming_back(&self, last_event: &str) -> Request<Full<Bytes>> {
        let request = Request::get(format!("{}{}", self.url, self.path))
            .header("accept", "text/event-stream")
            .header("mcp-session-id", self.session())
            .header("mcp-protocol-version", self.revision)
            .header("last-event-id", last_event);
        request.body(Full::default()).expect("plain headers")
    }

    /// Cancels a request: a modern client closes its stream, a legacy one says so.
    pub async fn cancel(&self, exchange: Exchange) {
        if self.era == Era::Legacy {
            self.notify("notifications/cancelled", json!({"requestId": exchange.id, "reason": "changed my mind"}))
                .await;
        }
    }

    /// Ends the session.
    pub async fn end(&self) -> Page {
        let request = Request::builder()
            .method(Method::DELETE)
            .uri(format!("{}{}", self.url, self.path))
            .header("mcp-session-id", self.session())
            .body(Full::default());
        self.fetch(request.expect("plain headers")).await
    }
}

async fn read(body: Incoming) -> String {
    let bytes = soon("the rest of an answer", body.collect()).await.expect("answers are whole").to_bytes();
    String::from_utf8(bytes.to_vec()).expect("answers are UTF-8")
}

/// The first text of a tool's result.
pub fn text_of(result: &Value) -> String {
    let text = result["content"][0]["text"].as_str();
    text.unwrap_or_else(|| panic!("no text in {result}")).to_owned()
}

// === impl Exchange ===

impl Exchange {
    /// The text of the next message; `None` at the end.
    pub async fn next_text(&mut self) -> Option<String> {
        soon("the next message", self.patient_text()).await
    }

    /// The same, for a stream that may be silent for long.
    pub(crate) async fn patient_text(&mut self) -> Option<String> {
        let (body, events) = match &mut self.body {
            Body::Json(text) => return text.take(),
            Body::Events(body, events) => (body, events),
        };
        loop {
            if let Some(event) = events.next() {
                assert!(event.kind.is_empty() || event.kind == "message", "{event:?}");
                return Some(event.data);
            }
            let frame = body.frame().await?;
            if let Some(data) = frame.expect("streams end properly").data_ref() {
                events.push(data);
            }
            assert!(self.era == Era::Legacy || events.last_id.is_none(), "modern streams cannot be resumed");
        }
    }

    /// The id of the last event that arrived.
    pub fn last_event_id(&self) -> String {
        match &self.body {
            Body::Events(_, events) => events.last_id.clone().expect("an event had an id"),
            Body::Json(_) => panic!("it is no stream"),
        }
    }

    /// The place in the stream that was told before any message.
    pub async fn place(&mut self) -> String {
        let Body::Events(body, events) = &mut self.body else { panic!("it is no stream") };
        while events.last_id.is_none() {
            let frame = soon("a place to come back to", body.frame()).await.expect("the stream goes on");
            events.push(frame.expect("streams end properly").data_ref().expect("events are data"));
            assert!(events.next().is_none(), "a message before the place");
        }
        self.last_event_id()
    }

    /// The next message; `None` at the end.
    pub async fn next(&mut self) -> Option<Value> {
        let text = self.next_text().await?;
        let message: Value = serde_json::from_str(&text).expect("messages are JSON");
        assert_eq!(message["jsonrpc"], "2.0", "{message}");
        Some(message)
    }

    /// The next message, which there is.
    pub async fn expect_next(&mut self) -> Value {
        self.next().await.expect("the stream goes on")
    }

    /// The next message of this method; others are passed over.
    pub async fn notification(&mut self, method: &str) -> Value {
        loop {
            let message = self.expect_next().await;
            if message["method"] == method {
                return message;
            }
        }
    }

    /// The outcome; what comes before is passed over.
    pub async fn outcome(&mut self) -> Outcome {
        loop {
            let message = self.expect_next().await;
            if message["method"].is_null() {
                return self.finish(message).await;
            }
        }
    }

    /// Reads the last message, and that nothing follows.
    pub async fn finish(&mut self, last: Value) -> Outcome {
        assert!(last["id"] == self.id || last["id"].is_null() && self.status != 200, "not an answer to this: {last}");
        if let Some(more) = self.next().await {
            panic!("a message after the last: {more}");
        }
        if last["error"].is_null() {
            let result = last["result"].clone();
            assert_eq!(result["resultType"].is_null(), self.era == Era::Legacy, "of the other era: {result}");
            return Ok(result);
        }
        let error = &last["error"];
        Err(Fault {
            status: self.status,
            code: error["code"].as_i64().expect("errors have codes"),
            message: error["message"].as_str().expect("errors have messages").to_owned(),
            data: error["data"].clone(),
        })
    }
}

// === impl Page ===

impl Page {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}
