//! What a scripted upstream is, and what it does when it is asked: lists it answers by itself, everything else a story says.
//!
//! The same script runs over every transport. It notes all that it is asked, in order, so that a story can say what must have
//! reached an upstream and what must not.

use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot, watch};

use crate::upstream::{Upstream, Way};
use crate::wait::soon;
use crate::{Era, Revision};

/// Modern `_meta` keys.
pub(crate) const META: &str = "io.modelcontextprotocol/";

type Doing = Pin<Box<dyn Future<Output = ()> + Send>>;
type Act = Arc<dyn Fn(Call) -> Doing + Send + Sync>;

/// A script as it is written. [`Script::over`] begins the play.
#[derive(Clone)]
pub struct Script {
    pub(crate) era: Era,
    pub(crate) revision: &'static str,
    capabilities: Value,
    instructions: Option<String>,
    lists: BTreeMap<&'static str, Vec<String>>,
    acts: HashMap<String, Act>,
    page: usize,
    pub(crate) closes: bool,
    pub(crate) child_flags: Vec<&'static str>,
}

/// A script that runs.
pub(crate) struct Play {
    script: Script,
    lists: Mutex<BTreeMap<&'static str, Vec<String>>>,
    asked: Mutex<Vec<Asked>>,
    heard: watch::Sender<usize>,
    speakers: Mutex<Vec<Speaker>>,
    speaking: watch::Sender<usize>,
    questions: Mutex<HashMap<u64, oneshot::Sender<Value>>>,
    next_question: AtomicU64,
    connections: AtomicUsize,
}

/// Something that the upstream received.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Empty for an answer; `(gone)` when whoever waited for the answer to this id left.
    pub method: String,
    pub id: Value,
    pub params: Value,
    /// The whole message as it arrived.
    pub text: String,
    /// The HTTP headers, where there are any.
    pub headers: http::HeaderMap,
}

/// Who hears what belongs to no call.
struct Speaker {
    out: Outlet,
    /// The subscription's id and what it asked for; absent in the legacy era.
    listen: Option<(Value, Value)>,
}

/// What goes back.
#[derive(Debug)]
pub(crate) enum Out {
    /// A message that is not the last.
    Message(Bytes),
    /// The answer.
    Last(Bytes),
    /// Bytes that need not be a message.
    Raw(Bytes),
    /// Another HTTP answer altogether.
    Http(u16, &'static str, Bytes),
    /// The end of the connection.
    Break,
}

pub(crate) type Outlet = mpsc::UnboundedSender<Out>;

/// A request to the upstream, for an act to answer.
pub struct Call {
    pub id: Value,
    pub method: String,
    pub params: Value,
    play: Arc<Play>,
    out: Outlet,
}

// === impl Script ===

impl Script {
    /// A legacy server without anything on offer.
    pub fn legacy() -> Self {
        Self::new(Era::Legacy)
    }

    /// A modern server without anything on offer.
    pub fn modern() -> Self {
        Self::new(Era::Modern)
    }

    /// A server of that era with one tool, `echo`, which answers with its argument `text`.
    pub fn echo(era: Era) -> Self {
        Self::new(era).tool("echo", async |call: Call| {
            let text = call.argument("text");
            call.text(&text);
        })
    }

    pub fn new(era: Era) -> Self {
        Self {
            era,
            revision: if era == Era::Legacy { "2025-11-25" } else { "2026-07-28" },
            capabilities: json!({
                "tools": {"listChanged": true}, "prompts": {"listChanged": true},
                "resources": {"listChanged": true, "subscribe": true}, "logging": {}, "completions": {},
            }),
            instructions: None,
            lists: BTreeMap::new(),
            acts: HashMap::new(),
            page: usize::MAX,
            closes: false,
            child_flags: Vec::new(),
        }
    }

    /// A server of that revision.
    pub fn of(revision: Revision) -> Self {
        Self { revision: revision.as_str(), ..Self::new(revision.era()) }
    }

    #[must_use]
    pub fn capabilities(mut self, capabilities: Value) -> Self {
        self.capabilities = capabilities;
        self
    }

    #[must_use]
    pub fn instructions(mut self, text: &str) -> Self {
        self.instructions = Some(text.to_owned());
        self
    }

    /// At most so many entries on one page of a list.
    #[must_use]
    pub fn pages_of(mut self, entries: usize) -> Self {
        self.page = entries;
        self
    }

    /// A tool with the plainest definition.
    #[must_use]
    pub fn tool<F>(self, name: &str, act: impl Fn(Call) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let definition = json!({"name": name, "inputSchema": {"type": "object"}}).to_string();
        self.entry("tools", &definition).on(&format!("tools/call {name}"), act)
    }

    /// A tool that waits for nothing.
    #[must_use]
    pub fn quick_tool(self, name: &str, act: impl Fn(Call) + Send + Sync + 'static) -> Self {
        self.tool(name, move |call| {
            act(call);
            std::future::ready(())
        })
    }

    /// An entry of a list, as the text of its definition. `list` is the member that holds it, such as `tools`.
    #[must_use]
    pub fn entry(mut self, list: &'static str, definition: &str) -> Self {
        self.lists.entry(list).or_default().push(definition.to_owned());
        self
    }

    /// What to do for a method, or for one name or URI of it (`tools/call echo`).
    #[must_use]
    pub fn on<F>(mut self, what: &str, act: impl Fn(Call) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.acts.insert(what.to_owned(), Arc::new(move |call| Box::pin(act(call))));
        self
    }

    /// As a child process it ends by a signal only.
    #[must_use]
    pub fn that_stays(mut self) -> Self {
        self.child_flags.push("stay");
        self
    }

    /// Closes each connection of streamable HTTP with its answer. A call that is sent over a kept one in the very moment when its
    /// server ends is lost, and nobody knows whether it ran; stories about something else do without.
    #[must_use]
    pub fn that_closes(mut self) -> Self {
        self.closes = true;
        self
    }

    /// Plays for gateways that come that way.
    pub async fn over(self, way: Way) -> Upstream {
        Upstream::start(Play::of(self), way).await
    }

    /// Plays as the child processes that a gateway starts.
    pub async fn over_stdio(self) -> Upstream {
        self.over(Way::Stdio).await
    }

    /// Plays as a server of streamable HTTP.
    pub async fn over_http(self) -> Upstream {
        self.over(Way::Http).await
    }
}

// === impl Play ===

impl Play {
    pub(crate) fn of(script: Script) -> Arc<Self> {
        Arc::new(Self {
            lists: Mutex::new(script.lists.clone()),
            script,
            asked: Mutex::default(),
            heard: watch::Sender::new(0),
            speakers: Mutex::default(),
            speaking: watch::Sender::new(0),
            questions: Mutex::default(),
            next_question: AtomicU64::new(1),
            connections: AtomicUsize::new(0),
        })
    }

    pub(crate) fn script(&self) -> &Script {
        &self.script
    }

    pub(crate) fn count_connection(&self) -> usize {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    pub(crate) fn note(&self, asked: Asked) {
        self.asked.lock().unwrap().push(asked);
        self.heard.send_modify(|count| *count += 1);
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The first thing noted that `wanted` says yes to.
    pub(crate) async fn heard(&self, what: &str, wanted: impl Fn(&Asked) -> bool) -> Asked {
        self.heard_nth(what, 1, wanted).await
    }

    /// The `nth` thing noted that `wanted` says yes to, counted from 1.
    pub(crate) async fn heard_nth(&self, what: &str, nth: usize, wanted: impl Fn(&Asked) -> bool) -> Asked {
        let mut heard = self.heard.subscribe();
        soon(what, async {
            loop {
                heard.mark_unchanged();
                if let Some(found) = self.asked.lock().unwrap().iter().filter(|asked| wanted(asked)).nth(nth - 1) {
                    return found.clone();
                }
                heard.changed().await.unwrap();
            }
        })
        .await
    }

    pub(crate) fn offer(&self, list: &'static str, definitions: Vec<String>) {
        self.lists.lock().unwrap().insert(list, definitions);
    }

    /// Takes a message and gives what will come of a request.
    pub(crate) fn receive(self: &Arc<Self>, text: &str, headers: http::HeaderMap, out: &Outlet) -> Option<Doing> {
        let message: Value = serde_json::from_str(text).expect("the gateway sends JSON");
        let method = message["method"].as_str().unwrap_or_default().to_owned();
        let (id, params) = (message["id"].clone(), message["params"].clone());
        self.note(Asked { method: method.clone(), id: id.clone(), params: params.clone(), text: text.into(), headers });
        if method.is_empty() {
            let question = id.as_u64().and_then(|id| self.questions.lock().unwrap().remove(&id));
            if let Some(question) = question {
                let _ = question.send(message);
            }
            return None;
        }
        if id.is_null() {
            return None;
        }
        let call = Call { id, method, params, play: self.clone(), out: out.clone() };
        let name = call.params["name"].as_str().or(call.params["uri"].as_str()).unwrap_or_default();
        let acts = &self.script.acts;
        let act = acts.get(&format!("{} {name}", call.method)).or_else(|| acts.get(&call.method)).cloned();
        Some(match act {
            Some(act) => act(call),
            None => Box::pin(async move { call.answer_by_default() }),
        })
    }

    /// Whoever hears what belongs to no call.
    pub(crate) fn let_speak(&self, out: Outlet) {
        self.speakers.lock().unwrap().push(Speaker { out, listen: None });
        self.speaking.send_modify(|count| *count += 1);
    }

    /// The same, beginning with `first`. Nothing is told in between: whoever has read it hears everything from there on.
    fn add_speaker(&self, speaker: Speaker, first: &Value) {
        let mut speakers = self.speakers.lock().unwrap();
        let _ = speaker.out.send(Out::Message(line(first)));
        speakers.push(speaker);
        drop(speakers);
        self.speaking.send_modify(|count| *count += 1);
    }

    /// Tells everyone who listens; waits until someone does.
    pub(crate) async fn tell(&self, method: &str, params: Value) {
        let mut speaking = self.speaking.subscribe();
        soon(&format!("someone who hears {method}"), async {
            loop {
                speaking.mark_unchanged();
                if self.tell_now(method, &params) {
                    return;
                }
                speaking.changed().await.unwrap();
            }
        })
        .await;
    }

    /// Says a message on one of the connections that hear what belongs to no call, in the order in which they began to;
    /// waits until there is one.
    pub(crate) async fn say_to(&self, nth: usize, message: &Value) {
        let mut speaking = self.speaking.subscribe();
        let speaks = speaking.wait_for(|count| *count > nth);
        soon("one more connection", speaks).await.expect("the play goes on while its story does");
        let out = self.speakers.lock().unwrap()[nth].out.clone();
        assert!(out.send(Out::Message(line(message))).is_ok(), "connection {nth} is closed");
    }

    /// Asks the client on such a connection and gives its whole answer.
    pub(crate) async fn ask_on(&self, nth: usize, method: &str, params: Value) -> Value {
        let (id, answered) = self.question();
        self.say_to(nth, &json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).await;
        soon(&format!("an answer to {method}"), answered).await.expect("the play goes on while its story does")
    }

    fn question(&self) -> (u64, oneshot::Receiver<Value>) {
        let id = self.next_question.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        self.questions.lock().unwrap().insert(id, answer);
        (id, answered)
    }

    fn tell_now(&self, method: &str, params: &Value) -> bool {
        let mut speakers = self.speakers.lock().unwrap();
        speakers.retain(|speaker| !speaker.out.is_closed());
        let mut told = false;
        for speaker in speakers.iter() {
            let mut params = params.clone();
            if let Some((id, filter)) = &speaker.listen {
                if !is_wanted(filter, method, &params) {
                    continue;
                }
                params["_meta"][format!("{META}subscriptionId")] = id.clone();
            }
            let message = json!({"jsonrpc": "2.0", "method": method, "params": params});
            told |= speaker.out.send(Out::Message(line(&message))).is_ok();
        }
        told
    }
}

fn is_wanted(filter: &Value, method: &str, params: &Value) -> bool {
    match method {
        "notifications/tools/list_changed" => filter["toolsListChanged"] == true,
        "notifications/prompts/list_changed" => filter["promptsListChanged"] == true,
        "notifications/resources/list_changed" => filter["resourcesListChanged"] == true,
        "notifications/resources/updated" => {
            filter["resourceSubscriptions"].as_array().is_some_and(|uris| uris.contains(&params["uri"]))
        }
        _ => true,
    }
}

fn line(message: &Value) -> Bytes {
    message.to_string().into()
}

// === impl Call ===

impl Call {
    /// An argument of a tool, as text.
    pub fn argument(&self, name: &str) -> String {
        self.params["arguments"][name].as_str().unwrap_or_default().to_owned()
    }

    /// Whether it is a modern server that answers.
    pub fn is_modern(&self) -> bool {
        self.play.script.era == Era::Modern
    }

    /// How often the upstream was asked what `wanted` says yes to, this time included.
    pub fn times(&self, wanted: impl Fn(&Asked) -> bool) -> usize {
        self.play.asked().iter().filter(|asked| wanted(asked)).count()
    }

    /// Answers. What a modern result must have is added.
    pub fn answer(self, mut result: Value) {
        if self.is_modern() && result.is_object() {
            let mut add = |name: &str, value: Value| {
                if result[name].is_null() {
                    result[name] = value;
                }
            };
            add("resultType", "complete".into());
            if self.method.ends_with("/list") || matches!(&*self.method, "resources/read" | "server/discover") {
                add("ttlMs", 3_600_000.into());
                add("cacheScope", "public".into());
            }
        }
        self.answer_with(&result.to_string());
    }

    /// Answers with the text of a result.
    pub fn answer_with(self, result: &str) {
        self.last(format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, self.id));
    }

    /// Answers with one text.
    pub fn text(self, text: &str) {
        self.answer(json!({"content": [{"type": "text", "text": text}]}));
    }

    /// Answers with an error.
    pub fn fail(self, code: i64, message: &str) {
        self.last(json!({"jsonrpc": "2.0", "id": self.id, "error": {"code": code, "message": message}}).to_string());
    }

    /// Answers with a whole message of the story's own.
    pub fn last(&self, message: String) {
        let _ = self.out.send(Out::Last(message.into()));
    }

    /// Notifies in the course of the call.
    pub fn notify(&self, method: &str, params: Value) {
        self.say(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// Reports progress under the token that came with the request.
    pub fn progress(&self, progress: u64, total: u64) {
        let token = &self.params["_meta"]["progressToken"];
        assert!(!token.is_null(), "nobody asked for progress");
        let params = json!({"progressToken": token, "progress": progress, "total": total});
        self.notify("notifications/progress", params);
    }

    /// Says a message in the course of the call.
    pub fn say(&self, message: &Value) {
        let _ = self.out.send(Out::Message(line(message)));
    }

    /// Bytes that need not be a message: on stdio as they are, over HTTP as the body of an event stream.
    pub fn raw(&self, bytes: impl Into<Bytes>) {
        let _ = self.out.send(Out::Raw(bytes.into()));
    }

    /// Another HTTP answer altogether.
    pub fn http(self, status: u16, content_type: &'static str, body: impl Into<Bytes>) {
        let _ = self.out.send(Out::Http(status, content_type, body.into()));
    }

    /// Never answers.
    pub async fn hang(self) {
        std::future::pending::<()>().await;
    }

    /// Ends the connection: a child process ends with it.
    pub fn break_off(self) {
        let _ = self.out.send(Out::Break);
    }

    /// Asks the client something (legacy) and gives its whole answer.
    pub async fn ask(&self, method: &str, params: Value) -> Value {
        let (id, answered) = self.play.question();
        self.say(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        answered.await.expect("the play goes on while its acts do")
    }

    fn answer_by_default(self) {
        let script = &self.play.script;
        let server = json!({"name": "scripted", "version": "1"});
        match (script.era, &*self.method) {
            (Era::Modern, "server/discover") => {
                let mut result = json!({
                    "supportedVersions": [script.revision], "capabilities": script.capabilities,
                    "_meta": {(format!("{META}serverInfo")): server},
                });
                if let Some(text) = &script.instructions {
                    result["instructions"] = text.as_str().into();
                }
                self.answer(result);
            }
            (Era::Legacy, "initialize") => {
                let mut result = json!({
                    "protocolVersion": script.revision, "capabilities": script.capabilities, "serverInfo": server,
                });
                if let Some(text) = &script.instructions {
                    result["instructions"] = text.as_str().into();
                }
                self.answer(result);
            }
            (Era::Modern, "subscriptions/listen") => self.listen(),
            (Era::Legacy, "ping" | "logging/setLevel" | "resources/subscribe" | "resources/unsubscribe") => {
                self.answer(json!({}));
            }
            (_, "tools/list") => self.list("tools"),
            (_, "prompts/list") => self.list("prompts"),
            (_, "resources/list") => self.list("resources"),
            (_, "resources/templates/list") => self.list("resourceTemplates"),
            _ => self.fail(-32601, "method not found"),
        }
    }

    /// One page of a list; its cursor is the place where the next begins.
    fn list(self, member: &'static str) {
        let all = self.play.lists.lock().unwrap().get(member).cloned().unwrap_or_default();
        let start = self.params["cursor"].as_str().map_or(0, |cursor| cursor.parse::<usize>().unwrap());
        let end = all.len().min(start.saturating_add(self.play.script.page));
        let next = if end < all.len() { format!(r#","nextCursor":"{end}""#) } else { String::new() };
        let modern = r#","resultType":"complete","ttlMs":3600000,"cacheScope":"public""#;
        let rest = if self.is_modern() { modern } else { "" };
        self.answer_with(&format!(r#"{{"{member}":[{}]{next}{rest}}}"#, all[start..end].join(",")));
    }

    fn listen(self) {
        let filter = self.params["notifications"].clone();
        let params = json!({"notifications": filter, "_meta": {(format!("{META}subscriptionId")): self.id}});
        let acknowledged =
            json!({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": params});
        self.play
            .add_speaker(Speaker { out: self.out.clone(), listen: Some((self.id.clone(), filter)) }, &acknowledged);
    }
}
