//! Tasks that a legacy client asks for itself (`task` of 2025-11-25, experimental there): made tasks of the extension that the
//! core knows, and shown in the old words.
//!
//! Source: 2025-11-25 `basic/utilities/tasks`. Only the methods for one task are requests of the core; which tasks there are
//! (`tasks/list`) the session remembers. Where a call was answered without becoming a task, its answer is kept here for the
//! client to fetch: it asked for a task, and would not know what to do with anything else.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::join_all;
use toolgate_gateway::Request;
use toolgate_protocol::message::Request as RpcRequest;
use toolgate_protocol::{Json, Method, Object, Outcome, Revision, RpcError, code, meta};

use super::relay::as_legacy_error;
use super::result::as_legacy_result;
use super::session::{Outlet, Session, random_id};
use super::task::Driven;

/// The most tasks that a session remembers; the oldest are not listed any more.
const MAX_LISTED: usize = 100;
/// Answers of calls that did not become tasks: how many are kept, and how many bytes of them beside the last.
const MAX_ENDED: usize = 16;
const MAX_ENDED_BYTES: usize = 1 << 20;
/// The parameter that asks for a task, and the member of a result that has one.
const TASK: &str = "task";
/// The member that names a task.
const ID: &str = "taskId";
/// How members are spelled in the core, and here.
const SPELLINGS: [(&str, &str); 2] = [("ttlMs", "ttl"), ("pollIntervalMs", "pollInterval")];
/// What says more than a task of this era does of itself: there are other ways to it.
const UNKNOWN: [&str; 5] = ["resultType", "result", "error", "inputRequests", "_meta"];

/// The tasks that one session's client asked for.
#[derive(Default)]
pub(super) struct OwnTasks {
    /// Whether the client was told that there may be any.
    promised: bool,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// By id, oldest first.
    listed: VecDeque<String>,
    /// Those that never were tasks, likewise.
    ended: VecDeque<(String, Json)>,
}

// === impl OwnTasks ===

impl OwnTasks {
    /// For a client of this revision of a gateway that runs some tools as tasks, or does not.
    pub(super) fn new(revision: Revision, runs_some: bool) -> Self {
        Self { promised: runs_some && revision == Revision::LATEST_LEGACY, known: Mutex::default() }
    }

    /// What the client is told that it can do with tasks.
    pub(super) fn capability(&self) -> Option<Json> {
        self.promised.then(|| Json::literal(r#"{"list":{},"cancel":{},"requests":{"tools":{"call":{}}}}"#))
    }

    /// Takes the wish for a task out of a call's parameters. It counts for nothing where none was promised.
    pub(super) fn take_wish(&self, method: &Method, params: &mut Object) -> Option<Json> {
        let wish = params.remove(TASK)?;
        (self.promised && *method == Method::ToolsCall && wish.is_object()).then_some(wish)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn list(&self, id: &str) {
        let listed = &mut self.known().listed;
        if listed.len() >= MAX_LISTED {
            listed.pop_front();
        }
        listed.push_back(id.to_owned());
    }

    /// Keeps an answer as if a task had ended with it; gives its id.
    fn keep(&self, result: Json) -> String {
        let id = format!("ended.{}", random_id());
        let mut known = self.known();
        known.ended.push_back((id.clone(), result));
        let bytes =
            |ended: &VecDeque<(String, Json)>| ended.iter().map(|(_, result)| result.text().len()).sum::<usize>();
        while known.ended.len() > MAX_ENDED || (known.ended.len() > 1 && bytes(&known.ended) > MAX_ENDED_BYTES) {
            known.ended.pop_front();
        }
        id
    }

    /// The state of a task that had ended as soon as it was asked for.
    fn ended(&self, id: &str) -> Option<Object> {
        let result = self.known().ended.iter().find(|(known, _)| known == id).map(|(_, result)| result.clone())?;
        // Nobody noted when; a client reads these only to show them.
        let time = || Json::literal("\"1970-01-01T00:00:00Z\"");
        let state = Object::new().with(ID, Json::string(id)).with("status", Json::literal("\"completed\""));
        let state = state.with("createdAt", time()).with("lastUpdatedAt", time()).with("ttlMs", Json::literal("null"));
        Some(state.with("pollIntervalMs", Json::literal("20")).with("result", result))
    }
}

// === impl Session ===

impl Session {
    /// The answer to a call that its client wants to be a task.
    pub(super) fn as_task(&self, result: Object) -> Json {
        let state = match result.string(ID).filter(|_| result.string("resultType").as_deref() == Some("task")) {
            Some(id) => {
                self.tasks.list(&id);
                result
            }
            None => {
                let id = self.tasks.keep(result.to_json());
                self.tasks.list(&id);
                self.tasks.ended(&id).unwrap_or_default()
            }
        };
        Object::new().with(TASK, as_legacy(state).to_json()).to_json()
    }

    /// Answers what a client wants of its tasks.
    pub(super) async fn serve_task(self: &Arc<Self>, request: RpcRequest, outlet: &Outlet) -> Outcome {
        if !self.tasks.promised {
            return Err(RpcError::new(code::METHOD_NOT_FOUND, format!("method not found: {}", request.method)));
        }
        let id = request.params.string(ID).unwrap_or_default();
        let outcome = match request.method {
            Method::TasksList => return Ok(self.listed(request.id.json()).await),
            Method::TasksResult => self.result_of(&request, &id, outlet).await,
            Method::TasksCancel => {
                self.cancel_task(request.id.json(), &id).await.map(|state| as_legacy(state).to_json())
            }
            _ => self.look(request.id.json(), &id).await.map(|state| as_legacy(state).to_json()),
        };
        outcome.map_err(|error| as_legacy_error(&request.method, error))
    }

    /// What came of a task, once it is there. What the task asks on the way is asked on the stream of this request.
    async fn result_of(self: &Arc<Self>, request: &RpcRequest, id: &str, outlet: &Outlet) -> Outcome {
        let state = self.look(request.id.json(), id).await?;
        let token = request.params.child("_meta").and_then(|meta| meta.get(meta::PROGRESS_TOKEN).cloned());
        let mut pages = Vec::new();
        let driven = Driven::new(self, request.id.json(), Json::string(id), token, &mut pages).known();
        let result = driven.wait(&state, outlet).await?;
        self.close_pages(pages, outlet).await;
        let Ok(result) = result.object() else { return Ok(result) };
        let Ok(mut result) = as_legacy_result(&Method::ToolsCall, result).object() else {
            return Ok(Json::literal("{}"));
        };
        meta::edit(&mut result, |meta| meta.set(meta::RELATED_TASK, related(&Json::string(id))));
        Ok(result.to_json())
    }

    async fn cancel_task(&self, id: &Json, task: &str) -> Result<Object, RpcError> {
        if self.tasks.ended(task).is_some() {
            return Err(RpcError::new(code::INVALID_PARAMS, "the task has ended, and cannot be cancelled any more"));
        }
        self.of_task(id, Method::TasksCancel, task).await?;
        self.look(id, task).await
    }

    /// Those of the client's tasks that are still known where they run.
    async fn listed(&self, id: &Json) -> Json {
        let listed: Vec<String> = self.tasks.known().listed.iter().cloned().collect();
        let states = join_all(listed.iter().map(|task| self.look(id, task))).await;
        let tasks: Vec<Json> = states.into_iter().flatten().map(|state| as_legacy(state).to_json()).collect();
        Object::new().with("tasks", Json::array_of(&tasks)).to_json()
    }

    /// How a task is going.
    async fn look(&self, id: &Json, task: &str) -> Result<Object, RpcError> {
        if let Some(state) = self.tasks.ended(task) {
            return Ok(state);
        }
        let state = self.of_task(id, Method::TasksGet, task).await?;
        state
            .object()
            .map_err(|_| RpcError::new(code::INTERNAL_ERROR, "what the server says of the task cannot be read"))
    }

    async fn of_task(&self, id: &Json, method: Method, task: &str) -> Outcome {
        let mut params = Object::new().with(ID, Json::string(task));
        self.stamp(&mut params);
        let request = Request { id: id.clone(), method, params, param_headers: None };
        self.gateway.handle(&self.presented, request).await.outcome().await
    }
}

/// What a message that belongs to a task says of it.
pub(super) fn related(id: &Json) -> Json {
    Object::new().with(ID, id.clone()).to_json()
}

/// A task in the words of 2025-11-25.
fn as_legacy(state: Object) -> Object {
    let has_failed = || state.child("result")?.get("isError").map(|is| is.as_str() == "true");
    let status = has_failed().unwrap_or(false).then(|| Json::literal("\"failed\""));
    let mut task = Object::new();
    for member in state.into_members() {
        if !UNKNOWN.contains(&member.name()) {
            let spelled = SPELLINGS.iter().find(|(modern, _)| *modern == member.name());
            task.set(spelled.map_or(member.name(), |(_, legacy)| legacy), member.value.clone());
        }
    }
    if let Some(status) = status {
        task.set("status", status);
    }
    if task.get("ttl").is_none() {
        task.set("ttl", Json::literal("null"));
    }
    task
}
