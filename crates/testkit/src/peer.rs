//! A client of any revision over any transport, which many stories may use at once. It notes all that it is told in the order
//! of arrival, answers what it is asked as its [`Manners`] say, and holds everything against the words of its revision.

mod params;
mod words;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};
use tokio_util::task::AbortOnDropHandle;

use crate::client::{Answer, Client, Fault, Outcome};
use crate::line_client::Lines;
use crate::script::META;
use crate::upstream::Way;
use crate::wait::soon;
use crate::{Era, Gate, Revision};

pub use params::Params;

/// How often a modern request may come back with questions.
const MAX_ROUNDS: usize = 10;

/// What a client answers to a question: its method, and its parameters.
pub type Answers = Box<dyn Fn(&str, &Value) -> Answer + Send + Sync>;

/// What a client can do, and how it behaves.
pub struct Manners {
    pub name: String,
    pub capabilities: Value,
    /// From which level on it wants log messages.
    pub log_level: &'static str,
    pub answer: Answers,
}

/// A client.
pub struct Peer {
    pub revision: Revision,
    pub way: Way,
    manners: Manners,
    wire: Wire,
    next_id: AtomicU64,
    /// Counts what arrives.
    clock: AtomicU64,
    notes: Mutex<Vec<Arc<Note>>>,
    noted: watch::Sender<usize>,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Answered>>>,
    /// Streams that are read, by the request that opened them.
    streams: Mutex<HashMap<u64, AbortOnDropHandle<()>>>,
    readers: Mutex<Vec<AbortOnDropHandle<()>>>,
    faults: Mutex<Vec<String>>,
}

enum Wire {
    Http(Box<Client>),
    Pipe(Box<dyn Fn(String) -> futures_util::future::BoxFuture<'static, ()> + Send + Sync>),
}

/// Something that the client was told or asked.
#[derive(Clone, Debug)]
pub struct Note {
    /// Its place in the order of arrival, answers included.
    pub at: u64,
    /// The request on whose stream it came; `None` for a stream that belongs to none.
    pub on: Option<u64>,
    pub method: String,
    pub params: Value,
    pub text: String,
}

/// A request that is not answered yet.
#[derive(Debug)]
pub struct Pending {
    pub id: u64,
    answer: oneshot::Receiver<Answered>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answered {
    /// Its place in the order of arrival.
    pub at: u64,
    pub outcome: Outcome,
    /// The whole message.
    pub text: String,
}

/// A resource that is watched.
#[derive(Debug)]
pub struct Watching {
    uri: String,
    /// The listen of a modern client.
    listen: Option<Pending>,
}

// === impl Peer ===

impl Peer {
    /// Connects; a legacy client shakes hands and opens its stream, a modern one listens to changed lists.
    pub async fn open(gate: &Gate, revision: Revision, way: Way, manners: Manners) -> Arc<Self> {
        let mut lines = None;
        let wire = match way {
            Way::Http => {
                let client = Client::of(gate.url(), revision.era()).revision(revision.as_str());
                Wire::Http(Box::new(client.capabilities(manners.capabilities.clone()).open().await))
            }
            Way::Stdio | Way::Sse => {
                let pipe = if way == Way::Stdio { gate.pipes() } else { Lines::over_sse(gate.url()).await };
                lines = Some((pipe.incoming, pipe.reader));
                Wire::Pipe(pipe.send)
            }
        };
        let peer = Arc::new(Self {
            revision,
            way,
            manners,
            wire,
            next_id: AtomicU64::new(1000),
            clock: AtomicU64::new(0),
            notes: Mutex::default(),
            noted: watch::Sender::new(0),
            waiting: Mutex::default(),
            streams: Mutex::default(),
            readers: Mutex::default(),
            faults: Mutex::default(),
        });
        if let Some((mut incoming, reader)) = lines {
            let weak = Arc::downgrade(&peer);
            let reading = async move {
                let _reader = reader;
                while let Some(text) = incoming.recv().await {
                    let Some(peer) = weak.upgrade() else { return };
                    peer.take(text, None);
                }
            };
            peer.read_with(reading);
        }
        match revision.era() {
            Era::Legacy => peer.shake_hands().await,
            Era::Modern => {
                let lists = json!({"toolsListChanged": true, "promptsListChanged": true, "resourcesListChanged": true});
                peer.listen(lists).await;
            }
        }
        peer
    }

    async fn shake_hands(self: &Arc<Self>) {
        match &self.wire {
            Wire::Http(client) => {
                let mut stream = client.listen(&[]).await;
                let weak = Arc::downgrade(self);
                self.read_with(async move {
                    while let Some(text) = stream.patient_text().await {
                        let Some(peer) = weak.upgrade() else { return };
                        peer.take(text, None);
                    }
                });
            }
            Wire::Pipe(_) => {
                let params = json!({
                    "protocolVersion": self.revision.as_str(), "capabilities": self.manners.capabilities,
                    "clientInfo": {"name": self.manners.name, "version": "1"},
                });
                let result = self.request("initialize", params).await.outcome.expect("the handshake succeeds");
                assert_eq!(result["protocolVersion"], self.revision.as_str());
                self.notify("notifications/initialized", json!({})).await;
            }
        }
        let level = json!({"level": self.manners.log_level});
        self.request("logging/setLevel", level).await.outcome.expect("a level can be set");
    }

    fn read_with(&self, reading: impl Future<Output = ()> + Send + 'static) {
        self.readers.lock().unwrap().push(AbortOnDropHandle::new(tokio::spawn(reading)));
    }

    /// The name that it calls itself.
    pub fn name(&self) -> &str {
        &self.manners.name
    }

    /// Sends a request.
    pub async fn start(self: &Arc<Self>, method: &str, params: impl Into<Params>) -> Pending {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        self.waiting.lock().unwrap().insert(id, sender);
        let params = self.with_envelope(params.into());
        let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#);
        match &self.wire {
            Wire::Pipe(send) => send(text).await,
            Wire::Http(_) => self.post(id, method, text),
        }
        Pending { id, answer }
    }

    /// Sends several requests as one batch, which 2025-03-26 has.
    pub async fn start_batch(self: &Arc<Self>, method: &str, all: Vec<Params>) -> Vec<Pending> {
        let (mut batch, mut pending) = (Vec::new(), Vec::new());
        for params in all {
            let id = self.next_id.fetch_add(1, Ordering::Relaxed);
            let (sender, answer) = oneshot::channel();
            self.waiting.lock().unwrap().insert(id, sender);
            let params = self.with_envelope(params);
            batch.push(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#));
            pending.push(Pending { id, answer });
        }
        let text = format!("[{}]", batch.join(","));
        match &self.wire {
            Wire::Pipe(send) => send(text).await,
            Wire::Http(_) => self.post(pending[0].id, method, text),
        }
        pending
    }

    /// Posts a request and reads what comes back.
    fn post(self: &Arc<Self>, id: u64, method: &str, text: String) {
        let (peer, method) = (self.clone(), method.to_owned());
        let reading = async move {
            let Wire::Http(client) = &peer.wire else { return };
            let message: Value = serde_json::from_str(&text).expect("requests are JSON");
            let params = &message["params"];
            let name = match &*method {
                "tools/call" | "prompts/get" => params["name"].as_str(),
                "resources/read" => params["uri"].as_str(),
                _ => None,
            };
            // What is cancelled before it said anything is only taken.
            if let Some(mut stream) = client.start_text(id.into(), &method, name, text).await {
                while let Some(text) = stream.patient_text().await {
                    peer.take(text, Some(id));
                }
            }
            peer.streams.lock().unwrap().remove(&id);
        };
        // Held while it is spawned, so that a stream that ends at once is removed after it was put in.
        let mut streams = self.streams.lock().unwrap();
        streams.insert(id, AbortOnDropHandle::new(tokio::spawn(reading)));
    }

    /// The parameters with what a modern request says of itself.
    fn with_envelope(&self, params: Params) -> String {
        let Params { mut members, mut meta } = params;
        if self.revision.era() == Era::Modern {
            let own = json!({
                (format!("{META}protocolVersion")): self.revision.as_str(),
                (format!("{META}clientCapabilities")): self.manners.capabilities,
                (format!("{META}clientInfo")): {"name": self.manners.name, "version": "1"},
                (format!("{META}logLevel")): self.manners.log_level,
            });
            Params::add(&mut meta, &Params::from(own).members);
        }
        if !meta.is_empty() {
            Params::add(&mut members, &format!(r#""_meta":{{{meta}}}"#));
        }
        format!("{{{members}}}")
    }

    /// Sends a request, answers what it is asked meanwhile, and gives the answer.
    pub async fn request(self: &Arc<Self>, method: &str, params: impl Into<Params>) -> Answered {
        let params = params.into();
        let mut round = params.clone();
        for _ in 0..MAX_ROUNDS {
            let answered = self.start(method, round).await.answer().await;
            let Ok(result) = &answered.outcome else { return answered };
            if result["resultType"] != "input_required" {
                return answered;
            }
            let questions = result["inputRequests"].as_object().cloned().unwrap_or_default();
            let answers: Value =
                questions.iter().map(|(key, question)| (key.clone(), self.embedded_answer(question))).collect();
            round = params.clone();
            Params::add(&mut round.members, &format!(r#""inputResponses":{answers}"#));
            if !result["requestState"].is_null() {
                Params::add(&mut round.members, &format!(r#""requestState":{}"#, result["requestState"]));
            }
        }
        panic!("{method} came back with questions {MAX_ROUNDS} times");
    }

    fn embedded_answer(&self, question: &Value) -> Value {
        let method = question["method"].as_str().expect("a question has a method");
        self.note(None, method, &question["params"], question.to_string());
        match (self.manners.answer)(method, &question["params"]) {
            Answer::Result(result) => result,
            Answer::Refuse(..) => panic!("the modern era has no refusal: {question}"),
        }
    }

    /// Calls a tool.
    pub async fn call(self: &Arc<Self>, tool: &str, arguments: Value) -> Answered {
        self.request("tools/call", json!({"name": tool, "arguments": arguments})).await
    }

    /// Sends a notification.
    pub async fn notify(&self, method: &str, params: Value) {
        self.say(json!({"jsonrpc": "2.0", "method": method, "params": params})).await;
    }

    /// Sends a message that has no answer.
    pub async fn say(&self, message: Value) {
        match &self.wire {
            Wire::Http(client) => client.post_only(&message).await,
            Wire::Pipe(send) => send(message.to_string()).await,
        }
    }

    /// Cancels a request in the way of its era and transport.
    pub async fn cancel(&self, pending: Pending) {
        if self.revision.era() == Era::Legacy || self.way != Way::Http {
            self.notify("notifications/cancelled", json!({"requestId": pending.id})).await;
        }
        drop(self.streams.lock().unwrap().remove(&pending.id));
    }

    /// Listens; returns once the gateway has agreed.
    async fn listen(self: &Arc<Self>, filter: Value) -> Pending {
        let listen = self.start("subscriptions/listen", json!({"notifications": filter})).await;
        let acknowledged = self.heard("the acknowledgement of a listen", |note| {
            note.method == "notifications/subscriptions/acknowledged"
                && note.params["_meta"][format!("{META}subscriptionId")] == listen.id
        });
        assert_eq!(acknowledged.await.params["notifications"], filter);
        listen
    }

    /// Watches a resource in the way of its era. Returns once the gateway has agreed.
    pub async fn watch(self: &Arc<Self>, uri: &str) -> Watching {
        let listen = match self.revision.era() {
            Era::Legacy => {
                let subscribed = self.request("resources/subscribe", json!({"uri": uri})).await;
                subscribed.outcome.expect("it can be subscribed to");
                None
            }
            Era::Modern => Some(self.listen(json!({"resourceSubscriptions": [uri]})).await),
        };
        Watching { uri: uri.to_owned(), listen }
    }

    /// Watches it no longer.
    pub async fn unwatch(self: &Arc<Self>, watching: Watching) {
        match watching.listen {
            Some(listen) => self.cancel(listen).await,
            None => {
                let unsubscribed = self.request("resources/unsubscribe", json!({"uri": watching.uri})).await;
                unsubscribed.outcome.expect("it can be unsubscribed from");
            }
        }
    }

    /// All pages of a list: `tools`, `prompts`, `resources` or `resourceTemplates`.
    pub async fn list(self: &Arc<Self>, what: &str) -> Vec<Value> {
        let method = match what {
            "resourceTemplates" => "resources/templates/list".to_owned(),
            other => format!("{other}/list"),
        };
        let (mut all, mut params) = (Vec::new(), json!({}));
        loop {
            let page = self.request(&method, params.clone()).await.outcome.expect("lists can be read");
            all.extend(page[what].as_array().expect("a list").iter().cloned());
            match &page["nextCursor"] {
                Value::Null => return all,
                cursor => params["cursor"] = cursor.clone(),
            }
        }
    }

    /// What was noted so far and `wanted` says yes to, in order.
    pub fn notes(&self, wanted: impl Fn(&Note) -> bool) -> Vec<Arc<Note>> {
        self.notes.lock().unwrap().iter().filter(|note| wanted(note)).cloned().collect()
    }

    /// How many notes there are. With [`Peer::heard_after`], for what comes from now on.
    pub fn now(&self) -> usize {
        self.notes.lock().unwrap().len()
    }

    /// Waits until it is told what `wanted` says yes to, or finds that it was.
    pub async fn heard(&self, what: &str, wanted: impl Fn(&Note) -> bool) -> Arc<Note> {
        self.heard_after(0, what, wanted).await
    }

    /// The same, among all but the first `earlier` notes.
    pub async fn heard_after(&self, earlier: usize, what: &str, wanted: impl Fn(&Note) -> bool) -> Arc<Note> {
        let mut noted = self.noted.subscribe();
        let mut looked_at = earlier;
        soon(&format!("that {} hears {what}", self.name()), async {
            loop {
                noted.mark_unchanged();
                {
                    let notes = self.notes.lock().unwrap();
                    let found = notes.iter().skip(looked_at).find(|note| wanted(note));
                    if let Some(found) = found {
                        return found.clone();
                    }
                    looked_at = notes.len().max(earlier);
                }
                noted.changed().await.expect("the sender is ours");
            }
        })
        .await
    }

    /// What it was told in words that its revision does not have.
    pub fn faults(&self) -> Vec<String> {
        self.faults.lock().unwrap().clone()
    }

    fn complain(&self, what: &str, text: &str) {
        let shown: String = text.chars().take(400).collect();
        self.faults.lock().unwrap().push(format!("{}: {what}: {shown}", self.name()));
    }

    fn note(&self, on: Option<u64>, method: &str, params: &Value, text: String) {
        let at = self.clock.fetch_add(1, Ordering::Relaxed);
        let note = Note { at, on, method: method.to_owned(), params: params.clone(), text };
        self.notes.lock().unwrap().push(Arc::new(note));
        self.noted.send_modify(|count| *count += 1);
    }

    /// Takes one message.
    fn take(self: &Arc<Self>, text: String, on: Option<u64>) {
        let message: Value = match serde_json::from_str(&text) {
            Ok(message) => message,
            Err(error) => return self.complain(&format!("no JSON ({error})"), &text),
        };
        for fault in self.strange_words(&message, &text) {
            self.complain(&fault, &text);
        }
        match message["method"].as_str() {
            None => self.settle(message, text, on),
            Some(method) => {
                self.note(on, method, &message["params"], text);
                if !message["id"].is_null() {
                    self.answer(&message["id"], method, &message["params"]);
                }
            }
        }
    }

    fn settle(&self, message: Value, text: String, on: Option<u64>) {
        let at = self.clock.fetch_add(1, Ordering::Relaxed);
        let id = message["id"].as_u64().or(on);
        let Some(waiting) = id.and_then(|id| self.waiting.lock().unwrap().remove(&id)) else {
            return self.complain("an answer to nothing", &text);
        };
        let outcome = match &message["error"] {
            Value::Null => Ok(message["result"].clone()),
            error => Err(Fault {
                status: 0,
                code: error["code"].as_i64().expect("errors have codes"),
                message: error["message"].as_str().expect("errors have messages").to_owned(),
                data: error["data"].clone(),
            }),
        };
        // Nobody waits for the answer to what was cancelled.
        let _ = waiting.send(Answered { at, outcome, text });
    }

    /// Answers a question of the legacy era.
    fn answer(self: &Arc<Self>, id: &Value, method: &str, params: &Value) {
        let message = match method {
            "ping" => json!({"jsonrpc": "2.0", "id": id, "result": {}}),
            _ => match (self.manners.answer)(method, params) {
                Answer::Result(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
                Answer::Refuse(code, text) => {
                    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": text}})
                }
            },
        };
        let peer = self.clone();
        tokio::spawn(async move { peer.say(message).await });
    }
}

// === impl Pending ===

impl Pending {
    /// Waits for the answer.
    pub async fn answer(self) -> Answered {
        soon(&format!("the answer to request {}", self.id), self.answer).await.expect("its stream brings an answer")
    }
}
