//! A call that became a task, seen through to its end: a legacy client knows nothing of the tasks extension, and is still to
//! get its result.
//!
//! Source: the extension `io.modelcontextprotocol/tasks` of 2026-07-28. The gateway declares it on the client's behalf, asks how
//! the task is doing as often as its server says, puts the task's questions to the client, and gives its result in the end.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use toolgate_gateway::Request;
use toolgate_protocol::{Json, Method, Notification, Object, OnDrop, Outcome, RpcError, code, meta};

use super::own_task::related;
use super::session::{Out, Outlet, Session};

/// How often a task is asked after where its server does not say, and the bounds of what it may say.
const USUAL_PAUSE: Duration = Duration::from_secs(1);
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// The longest that a task is waited for; its client can cancel it before.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// A task in the client's stead.
pub(super) struct Driven<'a> {
    session: &'a Arc<Session>,
    id: Json,
    task: Json,
    token: Option<Json>,
    said: Option<String>,
    steps: u64,
    answered: HashSet<String>,
    /// Those that the client agreed to visit, see [`Session::ask_all`].
    pages: &'a mut Vec<Json>,
    /// Whether the client knows of it, and is told which questions belong to it.
    is_known: bool,
}

impl Session {
    /// Sees a task through that a call with these parameters became; gives the result of the call.
    pub(super) async fn drive(
        self: &Arc<Self>,
        id: &Json,
        params: &Object,
        created: &Object,
        outlet: &Outlet,
        pages: &mut Vec<Json>,
    ) -> Outcome {
        let task = created.get("taskId").cloned().unwrap_or(Json::literal("null"));
        let token = params.child("_meta").and_then(|meta| meta.get(meta::PROGRESS_TOKEN).cloned());
        let mut driven = Driven::new(self, id, task, token, pages);
        let mut unwanted = driven.cancelling();
        let ended = tokio::time::timeout(LONGEST, driven.see_through(created, outlet)).await;
        if ended.is_ok() {
            unwanted.disarm();
        }
        ended.unwrap_or_else(|_| Err(took_too_long()))
    }
}

// === impl Driven ===

impl<'a> Driven<'a> {
    /// One that was asked for with the request of this id.
    pub(super) fn new(
        session: &'a Arc<Session>,
        id: &Json,
        task: Json,
        token: Option<Json>,
        pages: &'a mut Vec<Json>,
    ) -> Self {
        let (id, answered) = (id.clone(), HashSet::new());
        Self { session, id, task, token, said: None, steps: 0, answered, pages, is_known: false }
    }

    /// The same for a client that asked for the task itself.
    pub(super) fn known(self) -> Self {
        Self { is_known: true, ..self }
    }

    /// Waits for the end of a task that is in this state; gives its result.
    pub(super) async fn wait(mut self, state: &Object, outlet: &Outlet) -> Outcome {
        let ended = tokio::time::timeout(LONGEST, self.see_through(state, outlet)).await;
        ended.unwrap_or_else(|_| Err(took_too_long()))
    }

    async fn see_through(&mut self, created: &Object, outlet: &Outlet) -> Outcome {
        let mut state = created.clone();
        // One that had ended as soon as it was created does not say with what: only a look at it does.
        let says = |member| state.get(member).is_some();
        let has_ended = matches!(state.string("status").as_deref(), Some("completed" | "failed"));
        if has_ended && !says("result") && !says("error") {
            state = self.look().await?;
        }
        loop {
            self.tell(&state, outlet).await;
            match state.string("status").unwrap_or_default().as_str() {
                "completed" => {
                    return state.get("result").cloned().ok_or_else(|| failed("the task has no result".into()));
                }
                "failed" => {
                    let error = state.get("error").and_then(|error| RpcError::read(error).ok());
                    return Err(error.unwrap_or_else(|| failed("the task failed".into())));
                }
                "cancelled" => return Err(failed("the server cancelled the task".into())),
                "input_required" => self.answer(&state, outlet).await?,
                _ => {}
            }
            tokio::time::sleep(pause(&state)).await;
            state = self.look().await?;
        }
    }

    async fn look(&self) -> Result<Object, RpcError> {
        let state = self.send(Method::TasksGet, Object::new()).await?;
        state.object().map_err(|error| failed(format!("what the server says of the task cannot be read: {error}")))
    }

    /// Puts the questions of the task that were not answered yet to the client, and passes the answers on.
    async fn answer(&mut self, state: &Object, outlet: &Outlet) -> Result<(), RpcError> {
        let mut questions = state.child("inputRequests").unwrap_or_default();
        questions.retain(|question| !self.answered.contains(question.name()));
        if questions.is_empty() {
            return Ok(());
        }
        let mut asked = questions.clone();
        if self.is_known {
            for question in questions.members() {
                asked.set(question.name(), self.related(&question.value));
            }
        }
        let asked = Object::new().with("inputRequests", asked.to_json());
        let answers = self.session.ask_all(&asked, outlet, self.pages).await?;
        self.answered.extend(questions.members().map(|question| question.name().to_owned()));
        self.send(Method::TasksUpdate, Object::new().with("inputResponses", answers.to_json())).await?;
        Ok(())
    }

    /// A question that says which task it belongs to.
    fn related(&self, question: &Json) -> Json {
        let Ok(mut question) = question.object() else { return question.clone() };
        let mut params = question.child("params").unwrap_or_default();
        meta::edit(&mut params, |meta| meta.set(meta::RELATED_TASK, related(&self.task)));
        question.set("params", params.to_json());
        question.to_json()
    }

    /// What the task says of itself, as progress of the call.
    async fn tell(&mut self, state: &Object, outlet: &Outlet) {
        let (Some(token), Some(said)) = (&self.token, state.string("statusMessage")) else { return };
        if self.said.as_ref() == Some(&said) {
            return;
        }
        self.steps += 1;
        let params = Object::new()
            .with(meta::PROGRESS_TOKEN, token.clone())
            .with("progress", Json::integer(self.steps))
            .with("message", Json::string(&said));
        self.said = Some(said);
        // A client that is gone gets nothing, but its call goes on.
        let _ = outlet.send(Out::Message(Notification::new(Method::Progress, params).encode())).await;
    }

    async fn send(&self, method: Method, mut params: Object) -> Outcome {
        params.set("taskId", self.task.clone());
        self.session.stamp(&mut params);
        let request = Request { id: self.id.clone(), method, params, param_headers: None };
        self.session.gateway.handle(&self.session.presented, request).await.outcome().await
    }

    /// While it is held, somebody waits for the task. Dropped, it tells the server that nobody does any more.
    fn cancelling(&self) -> OnDrop {
        let (session, id, task) = (self.session.clone(), self.id.clone(), self.task.clone());
        OnDrop::new(move || {
            // Without a runtime, the process is ending, and the upstreams with it.
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn(async move {
                    let mut params = Object::new().with("taskId", task);
                    session.stamp(&mut params);
                    let request = Request { id, method: Method::TasksCancel, params, param_headers: None };
                    let _ = session.gateway.handle(&session.presented, request).await.outcome().await;
                });
            }
        })
    }
}

/// How long the server wants to be left alone.
fn pause(state: &Object) -> Duration {
    let wanted = state.get("pollIntervalMs").and_then(Json::as_u64).map(Duration::from_millis);
    wanted.unwrap_or(USUAL_PAUSE).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
}

fn took_too_long() -> RpcError {
    failed(format!("the task did not end within {LONGEST:?}"))
}

fn failed(what: String) -> RpcError {
    RpcError::new(code::INTERNAL_ERROR, what)
}
