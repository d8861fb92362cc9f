//! A client in the test's process, of either era. It answers questions as the test told it to, and keeps what it hears.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines};
use tokio::task::JoinHandle;
use toolgate_protocol::Revision;

use crate::server::Server;

/// How long anything may take before the test has failed.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Client {
    to: Option<DuplexStream>,
    from: Lines<BufReader<DuplexStream>>,
    serving: JoinHandle<std::io::Result<()>>,
    revision: Revision,
    capabilities: Value,
    /// Added to the `_meta` of every request.
    meta: Value,
    /// What to answer to a question, by its method.
    answers: HashMap<&'static str, Value>,
    next_id: u64,
    /// Answers to requests that nobody waits for yet, by their id.
    early: HashMap<String, Value>,
    /// Notifications, in order.
    pub(crate) heard: Vec<Value>,
    /// Questions, in order.
    pub(crate) asked: Vec<Value>,
    /// Tool calls, prompts and reads that came back with questions.
    pub(crate) rounds: usize,
}

// === impl Client ===

impl Client {
    pub(crate) async fn modern(server: Server) -> Self {
        Self::start(server, Revision::LATEST_MODERN, json!({}))
    }

    pub(crate) async fn legacy(server: Server, revision: Revision, capabilities: Value) -> Self {
        let mut client = Self::start(server, revision, capabilities.clone());
        let params = json!({"protocolVersion": revision.as_str(), "capabilities": capabilities, "clientInfo": {"name": "test", "version": "1"}});
        let result = client.request("initialize", params).await.unwrap();
        assert_eq!(result["protocolVersion"], revision.as_str());
        client.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        client
    }

    /// Of the given revision's era, able to do everything that questions need.
    pub(crate) async fn able(server: Server, revision: Revision) -> Self {
        let capabilities = json!({"sampling": {}, "roots": {}, "elicitation": {"form": {}, "url": {}}});
        if revision > Revision::LATEST_LEGACY {
            Self { capabilities, ..Self::modern(server).await }
        } else {
            Self::legacy(server, revision, capabilities).await
        }
    }

    /// Sends nothing of its own accord.
    pub(crate) fn raw(server: Server) -> Self {
        Self::start(server, Revision::LATEST_LEGACY, json!({}))
    }

    fn start(server: Server, revision: Revision, capabilities: Value) -> Self {
        let (to, stdin) = tokio::io::duplex(64 * 1024);
        let (stdout, from) = tokio::io::duplex(64 * 1024);
        Self {
            to: Some(to),
            from: BufReader::new(from).lines(),
            serving: tokio::spawn(crate::serve(server, stdin, stdout)),
            revision,
            capabilities,
            meta: json!({}),
            answers: HashMap::new(),
            next_id: 1,
            early: HashMap::new(),
            heard: Vec::new(),
            asked: Vec::new(),
            rounds: 0,
        }
    }

    pub(crate) fn with_meta(mut self, key: &str, value: Value) -> Self {
        self.meta[key] = value;
        self
    }

    pub(crate) fn answering(mut self, method: &'static str, answer: Value) -> Self {
        self.answers.insert(method, answer);
        self
    }

    pub(crate) async fn send(&mut self, message: &Value) {
        self.send_line(message.to_string().as_bytes()).await;
    }

    pub(crate) async fn send_line(&mut self, line: &[u8]) {
        let to = self.to.as_mut().unwrap();
        to.write_all(&[line, b"\n"].concat()).await.unwrap();
    }

    /// Sends a request and gives its id.
    pub(crate) async fn begin(&mut self, method: &str, mut params: Value) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let mut meta = self.meta.clone();
        if self.revision > Revision::LATEST_LEGACY {
            meta["io.modelcontextprotocol/protocolVersion"] = json!(self.revision.as_str());
            meta["io.modelcontextprotocol/clientCapabilities"] = self.capabilities.clone();
        }
        params["_meta"] = meta;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).await;
        id
    }

    /// The next message, whatever it is; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        let line = tokio::time::timeout(PATIENCE, self.from.next_line()).await.expect("a message in time").unwrap()?;
        Some(serde_json::from_str(&line).unwrap())
    }

    /// The answer to the request `id`, once questions on the way are answered and notifications kept.
    pub(crate) async fn answer_to(&mut self, id: u64) -> Result<Value, Value> {
        if let Some(early) = self.early.remove(&id.to_string()) {
            return outcome(&early);
        }
        loop {
            let message = self.next().await.expect("an answer");
            match (message.get("method"), message.get("id")) {
                (Some(_), None) => self.heard.push(message),
                (Some(method), Some(question)) => {
                    let answer = match self.answers.get(method.as_str().unwrap()) {
                        Some(answer) => json!({"jsonrpc": "2.0", "id": question, "result": answer}),
                        None => {
                            json!({"jsonrpc": "2.0", "id": question, "error": {"code": -32601, "message": "cannot"}})
                        }
                    };
                    self.asked.push(message.clone());
                    self.send(&answer).await;
                }
                (None, answered) if answered == Some(&json!(id)) => return outcome(&message),
                (None, Some(other)) => {
                    self.early.insert(other.to_string(), message);
                }
                (None, None) => panic!("an answer without an id: {message}"),
            }
        }
    }

    /// One request, in as many rounds as its questions take.
    pub(crate) async fn request(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        let mut round = params.clone();
        loop {
            let id = self.begin(method, round).await;
            let result = self.answer_to(id).await?;
            if result["resultType"] != "input_required" {
                return Ok(result);
            }
            self.rounds += 1;
            assert!(self.rounds <= 20, "it asks on and on");
            let mut responses = json!({});
            for (key, question) in result["inputRequests"].as_object().unwrap() {
                self.asked.push(question.clone());
                responses[key] = self.answers[question["method"].as_str().unwrap()].clone();
            }
            round = params.clone();
            round["inputResponses"] = responses;
            round["requestState"] = result["requestState"].clone();
        }
    }

    /// The result of a tool.
    pub(crate) async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.request("tools/call", json!({"name": tool, "arguments": arguments})).await.unwrap()
    }

    /// What a tool tells in its first block.
    pub(crate) async fn told(&mut self, tool: &str, arguments: Value) -> String {
        self.call(tool, arguments).await["content"][0]["text"].as_str().unwrap().to_owned()
    }

    /// The next notification of this method, kept or still to come.
    pub(crate) async fn hear(&mut self, method: &str) -> Value {
        loop {
            if let Some(at) = self.heard.iter().position(|heard| heard["method"] == method) {
                return self.heard.remove(at);
            }
            let message = self.next().await.expect("a notification");
            assert!(message.get("id").is_none(), "{message}");
            self.heard.push(message);
        }
    }

    /// Closes our end, and gives what the server still says and how it ended.
    pub(crate) async fn close(mut self) -> (Vec<Value>, std::io::Result<()>) {
        self.to = None;
        let mut last = Vec::new();
        while let Some(message) = self.next().await {
            last.push(message);
        }
        (last, tokio::time::timeout(PATIENCE, self.serving).await.expect("an end in time").unwrap())
    }
}

fn outcome(answer: &Value) -> Result<Value, Value> {
    answer.get("result").cloned().ok_or_else(|| answer["error"].clone())
}
