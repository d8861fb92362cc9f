//! What tasks want to know of their clients.
//!
//! A legacy upstream asks about a task while somebody waits for its result (`tasks/result`); the extension of 2026-07-28 has the
//! questions in the task's state, and answers are brought by a request of their own. So, once a task says that it needs an answer,
//! the gateway waits for its result; what is asked then is put aside like a call with questions, and its handle is remembered
//! here until the answers are there. One connection's tasks are its own: none of this outlives it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::timeout;
use toolgate_protocol::{Json, Method, Object, OnDrop, Outcome, meta};

use super::Legacy;
use super::call::LegacyCall;
use super::task::{named, unrelated};
use super::url::Pages;
use crate::course;
use crate::error::Failure;
use crate::upstream::Call;

/// How long a look at a task waits for its questions; the next look finds what comes later.
const NEWS: Duration = Duration::from_secs(1);

/// The tasks that have questions.
#[derive(Debug, Default)]
pub(super) struct Asking {
    stages: Mutex<HashMap<Key, Stage>>,
    changed: watch::Sender<()>,
    /// Counts how often somebody began to wait for a result: no two questions of a task may have the same name.
    waits: AtomicU64,
}

/// Whose task, and what the upstream calls it.
type Key = (Arc<str>, String);

/// How far the questions of a task are.
#[derive(Debug)]
enum Stage {
    /// Somebody waits for its result, and hears what it asks.
    Waiting,
    /// It has asked.
    Asked {
        /// Opens the wait for its result, once.
        handle: String,
        /// What goes before the names of these questions.
        prefix: String,
        questions: Object,
        answers: Object,
    },
}

// === impl Legacy ===

impl Legacy {
    /// What a task wants to know that was not answered yet; `None` while it wants to know nothing.
    pub(super) async fn questions(
        self: &Arc<Self>,
        id: &Json,
        call: Call,
        within: Duration,
        permit: OwnedSemaphorePermit,
    ) -> Option<Object> {
        let key: Key = (call.origin.caller.clone(), id.as_str().to_owned());
        let mut changed = self.asking.changed.subscribe();
        if self.asking.begins(&key, |handle| self.park.holds(handle)) {
            let (link, id, key) = (self.clone(), id.clone(), key.clone());
            let prefix = format!("{}.", self.asking.waits.fetch_add(1, Ordering::Relaxed) + 1);
            self.around.tasks.spawn(async move {
                let outcome = link.wait_for_result(&id, &call, within, permit).await;
                link.take_note(key, prefix, outcome);
            });
        }
        let asking = &self.asking;
        let _ = timeout(NEWS, changed.wait_for(|()| !matches!(asking.stages().get(&key), Some(Stage::Waiting)))).await;
        asking.open_questions(&key)
    }

    /// Up to the result of a task, or to what it asks on the way.
    async fn wait_for_result(
        self: &Arc<Self>,
        id: &Json,
        call: &Call,
        within: Duration,
        permit: OwnedSemaphorePermit,
    ) -> Result<Outcome, Failure> {
        let instead = Some((Method::TasksResult, named(id), OnDrop::default()));
        let mut course = LegacyCall::begin(self, on_behalf(call), instead, Pages::default(), within).await?;
        Ok(match course.take_answer() {
            Some(outcome) => outcome,
            None => course::run(course, &self.around, permit).await?.outcome().await,
        })
    }

    /// Takes the answers to a task's questions. Once all are there they go upstream.
    pub(super) fn update(self: &Arc<Self>, id: &Json, call: Call, within: Duration, permit: OwnedSemaphorePermit) {
        let key: Key = (call.origin.caller.clone(), id.as_str().to_owned());
        let answers = call.params.child("inputResponses").unwrap_or_default();
        let Some((handle, prefix, answers)) = self.asking.take_answered(&key, &answers) else { return };
        let mut retry = on_behalf(&call);
        retry.params.set("requestState", Json::string(&handle));
        retry.params.set("inputResponses", answers.to_json());
        let link = self.clone();
        self.around.tasks.spawn(async move {
            let outcome = match link.resume(&retry, within, permit).await {
                Ok(reply) => Ok(reply.outcome().await),
                Err(failure) => Err(failure),
            };
            link.take_note(key, prefix, outcome);
        });
    }

    /// Notes what came of waiting for a task's result.
    fn take_note(&self, key: Key, prefix: String, outcome: Result<Outcome, Failure>) {
        let asked = outcome.ok().and_then(Result::ok).and_then(|result| result.object().ok());
        let asked = asked.and_then(|asked| Some((asked.string("requestState")?, asked.child("inputRequests")?)));
        let mut stages = self.asking.stages();
        stages.remove(&key);
        // Those to which nobody came back in time are forgotten with the next one.
        stages.retain(|_, stage| match stage {
            Stage::Waiting => true,
            Stage::Asked { handle, .. } => self.park.holds(handle),
        });
        // Else it has ended, or its answer will be looked for again.
        if let Some((handle, questions)) = asked {
            stages.insert(key, Stage::Asked { handle, prefix, questions, answers: Object::new() });
        }
        drop(stages);
        self.asking.changed.send_replace(());
    }

    /// Nobody will answer the questions of a task any more.
    pub(super) fn forget(&self, caller: &Arc<str>, id: &Json) {
        let stage = self.asking.stages().remove(&(caller.clone(), id.as_str().to_owned()));
        if let Some(Stage::Asked { handle, .. }) = stage {
            self.park.abandon(&handle);
        }
    }
}

/// A call that asks what a task asks, for the client of a request that concerns the task.
fn on_behalf(call: &Call) -> Call {
    let mut meta = call.params.child("_meta").unwrap_or_default();
    meta.remove(meta::PROGRESS_TOKEN);
    let params = Object::new().with("_meta", meta.to_json());
    Call { method: Method::ToolsCall, params, param_headers: Vec::new(), origin: call.origin.clone() }
}

// === impl Asking ===

impl Asking {
    fn stages(&self) -> MutexGuard<'_, HashMap<Key, Stage>> {
        self.stages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is now for the caller of this to wait for a task's result, since nobody does.
    fn begins(&self, key: &Key, is_held: impl Fn(&str) -> bool) -> bool {
        let mut stages = self.stages();
        let is_begun = match stages.get(key) {
            Some(Stage::Waiting) => true,
            // Nobody came back in time: it was told so, and may ask again.
            Some(Stage::Asked { handle, .. }) => is_held(handle),
            None => false,
        };
        if !is_begun {
            stages.insert(key.clone(), Stage::Waiting);
        }
        !is_begun
    }

    fn open_questions(&self, key: &Key) -> Option<Object> {
        let stages = self.stages();
        let Some(Stage::Asked { prefix, questions, answers, .. }) = stages.get(key) else { return None };
        let open = questions.members().filter(|question| answers.get(question.name()).is_none());
        Some(open.fold(Object::new(), |all, question| {
            all.with(&format!("{prefix}{}", question.name()), of_no_task(&question.value))
        }))
    }

    /// Adds answers; gives the handle, the prefix and all answers once every question has one.
    fn take_answered(&self, key: &Key, given: &Object) -> Option<(String, String, Object)> {
        let mut stages = self.stages();
        let stage = stages.get_mut(key)?;
        let Stage::Asked { handle, prefix, questions, answers } = stage else { return None };
        for answer in given.members().filter(|answer| answer.value.is_object()) {
            if let Some(name) = answer.name().strip_prefix(prefix.as_str())
                && questions.get(name).is_some()
                && answers.get(name).is_none()
            {
                answers.set(name, answer.value.clone());
            }
        }
        if answers.len() < questions.len() {
            return None;
        }
        let taken = (handle.clone(), prefix.clone(), answers.clone());
        *stage = Stage::Waiting;
        Some(taken)
    }
}

/// A question without the id of its task.
fn of_no_task(question: &Json) -> Json {
    let Ok(mut question) = question.object() else { return question.clone() };
    if let Some(params) = question.get("params").cloned() {
        question.set("params", unrelated(params));
    }
    question.to_json()
}
