//! A client of either era on one pipe: stdin and stdout of a toolgate process, or HTTP with SSE.

use std::collections::VecDeque;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::pipe;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::Era;
use crate::client::{Fault, Outcome};
use crate::events::Events;
use crate::script::META;
use crate::wait::soon;

type Send = Box<dyn Fn(String) -> BoxFuture<'static, ()> + std::marker::Send + Sync>;

/// Both directions of a pipe, one message at a time.
pub(crate) struct Lines {
    pub(crate) send: Send,
    pub(crate) incoming: mpsc::UnboundedReceiver<String>,
    pub(crate) reader: AbortOnDropHandle<()>,
}

/// A client on a pipe. It sends in order; what it does not wait for it keeps.
pub struct LineClient {
    send: Send,
    incoming: mpsc::UnboundedReceiver<String>,
    kept: VecDeque<Value>,
    next_id: u64,
    era: Era,
    _reader: AbortOnDropHandle<()>,
}

// === impl LineClient ===

impl LineClient {
    /// Over whatever `send` writes to; `incoming` gives each message that comes back.
    pub fn new(
        era: Era,
        send: impl Fn(String) -> BoxFuture<'static, ()> + std::marker::Send + Sync + 'static,
        incoming: mpsc::UnboundedReceiver<String>,
        reader: tokio::task::JoinHandle<()>,
    ) -> Self {
        Self {
            send: Box::new(send),
            incoming,
            kept: VecDeque::new(),
            next_id: 1,
            era,
            _reader: AbortOnDropHandle::new(reader),
        }
    }

    /// Over HTTP with SSE.
    pub async fn over_sse(url: &str, era: Era) -> Self {
        let Lines { send, incoming, reader } = Lines::over_sse(url).await;
        Self { send, incoming, kept: VecDeque::new(), next_id: 1, era, _reader: reader }
    }

    /// Shakes hands, if its era does.
    pub async fn open(mut self) -> Self {
        if self.era == Era::Legacy {
            let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "story", "version": "1"}});
            let result = self.request("initialize", params).await.expect("the handshake succeeds");
            assert_eq!(result["protocolVersion"], "2025-11-25");
            self.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        }
        self
    }

    /// Sends a text that may be anything.
    pub async fn say_text(&self, text: &str) {
        (self.send)(text.to_owned()).await;
    }

    /// Sends a message.
    pub async fn say(&self, message: &Value) {
        self.say_text(&message.to_string()).await;
    }

    /// Sends a request and gives its id.
    pub async fn start(&mut self, method: &str, mut params: Value) -> Value {
        let id: Value = self.next_id.into();
        self.next_id += 1;
        if self.era == Era::Modern {
            params["_meta"][format!("{META}protocolVersion")] = "2026-07-28".into();
            params["_meta"][format!("{META}clientCapabilities")] = json!({});
        }
        self.say(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).await;
        id
    }

    /// Sends a request and waits for its outcome.
    pub async fn request(&mut self, method: &str, params: Value) -> Outcome {
        let id = self.start(method, params).await;
        self.outcome(&id).await
    }

    /// Calls a tool.
    pub async fn call(&mut self, tool: &str, arguments: Value) -> Outcome {
        self.request("tools/call", json!({"name": tool, "arguments": arguments})).await
    }

    /// Waits for the outcome of a request.
    pub async fn outcome(&mut self, id: &Value) -> Outcome {
        let message = self.next_where(|message| message["method"].is_null() && message["id"] == *id).await;
        match &message["error"] {
            Value::Null => Ok(message["result"].clone()),
            error => Err(Fault {
                status: 0,
                code: error["code"].as_i64().expect("errors have codes"),
                message: error["message"].as_str().expect("errors have messages").to_owned(),
                data: error["data"].clone(),
            }),
        }
    }

    /// Waits for a message that `wanted` says yes to; others are kept.
    pub async fn next_where(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.kept.iter().position(&wanted) {
            return self.kept.remove(at).expect("it was just found");
        }
        loop {
            let text = soon("a message", self.incoming.recv()).await.expect("the pipe is open");
            let message: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
            assert_eq!(message["jsonrpc"], "2.0", "{message}");
            if wanted(&message) {
                return message;
            }
            self.kept.push_back(message);
        }
    }

    /// Closes its own end, and gives all that still comes until the other is closed.
    pub async fn close(mut self) -> Vec<Value> {
        self.send = Box::new(|_| panic!("this end is closed"));
        let mut rest: Vec<Value> = self.kept.drain(..).collect();
        while let Some(text) = soon("the end of the pipe", self.incoming.recv()).await {
            rest.push(serde_json::from_str(&text).expect("messages are JSON"));
        }
        rest
    }

    /// Waits until the pipe ends; nothing unexpected may come before.
    pub async fn ended(&mut self) {
        let next = soon("the end of the pipe", self.incoming.recv()).await;
        assert_eq!(next, None);
    }
}

// === impl Lines ===

impl Lines {
    /// Over HTTP with SSE.
    pub(crate) async fn over_sse(url: &str) -> Self {
        let http: hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>> =
            hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http();
        let request = Request::get(format!("{url}/sse")).header("accept", "text/event-stream");
        let response = http.request(request.body(Full::default()).expect("plain headers")).await.expect("it answers");
        assert_eq!(response.status(), 200);
        let mut body = response.into_body();
        let (sender, mut incoming) = mpsc::unbounded_channel();
        let reader = tokio::spawn(async move {
            let mut events = Events::default();
            while let Some(Ok(frame)) = body.frame().await {
                events.push(frame.data_ref().unwrap_or(&Bytes::new()));
                while let Some(event) = events.next() {
                    if sender.send(event.data).is_err() {
                        return;
                    }
                }
            }
        });
        let path = soon("the endpoint", incoming.recv()).await.expect("the stream begins with its endpoint");
        let post_to = format!("{url}{path}");
        let send = move |text: String| -> BoxFuture<'static, ()> {
            let request = Request::post(&post_to).header("content-type", "application/json").body(Full::from(text));
            let answer = http.request(request.expect("plain headers"));
            Box::pin(async move { assert_eq!(answer.await.expect("it answers").status(), 202) })
        };
        Self { send: Box::new(send), incoming, reader: AbortOnDropHandle::new(reader) }
    }

    /// Over a pipe to a gateway and one back.
    pub(crate) fn over_pipes(mut output: pipe::Sender, input: pipe::Receiver) -> Self {
        let (sender, incoming) = mpsc::unbounded_channel();
        let reader = tokio::spawn(async move {
            let mut lines = BufReader::new(input).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        // The queue is what keeps the pipe open: it is closed with the client's own end of it.
        let (to_write, mut lines) = mpsc::unbounded_channel::<String>();
        tokio::spawn(async move {
            while let Some(line) = lines.recv().await {
                if output.write_all(line.as_bytes()).await.is_err() {
                    return;
                }
            }
        });
        let send = move |text: String| -> BoxFuture<'static, ()> {
            let _ = to_write.send(text + "\n");
            Box::pin(std::future::ready(()))
        };
        Self { send: Box::new(send), incoming, reader: AbortOnDropHandle::new(reader) }
    }
}
