//! Tasks that a listen tells of: `taskIds` in `subscriptions/listen`, `notifications/tasks` on its stream.
//!
//! Source: the extension `io.modelcontextprotocol/tasks` of 2026-07-28, "Task Status Notifications". Servers need not notify, and
//! few do; so the gateway looks at each task as often as its server says, and tells what has changed. The first look comes
//! before the acknowledgement: what is no task of this caller is missing there, and what the task is by then is told first, so
//! that no change falls between. A task is followed to its end, or until its client leaves.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use toolgate_catalog::View;
use toolgate_protocol::{Json, Method, Notification, Object, Outcome, code, meta};

use crate::error::Error;

/// The most tasks one listen may name.
const MAX_TASKS: usize = 100;
/// How long a listen waits for the first look at its tasks; those that say nothing by then are not among the acknowledged.
const FIRST_LOOK: Duration = Duration::from_secs(5);
/// How often a task is looked at where its server does not say, and the bounds of what it may say.
const USUAL_PAUSE: Duration = Duration::from_secs(1);
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// What they tell and the client has not taken; beyond it they look no further.
const QUEUE: usize = 16;
/// The member of a listen that names tasks.
pub(crate) const TASK_IDS: &str = "taskIds";
/// The member of a request and a state that names one.
const ID: &str = "taskId";

/// A task that is followed, as it was when last looked at.
pub(crate) struct Followed {
    /// As the client knows it.
    pub(crate) id: String,
    view: View,
    /// With what it is asked after.
    params: Object,
    state: Object,
}

/// Tells of tasks until all have ended, or it is dropped.
pub(crate) struct Follower {
    told: mpsc::Receiver<Notification>,
    _following: JoinSet<()>,
}

/// The tasks that a listen names and that are its caller's. `params` are those of the listen.
pub(crate) async fn named(view: &View, wanted: &Object, params: &Object) -> Result<Vec<Followed>, Error> {
    let Some(ids) = wanted.get(TASK_IDS) else { return Ok(Vec::new()) };
    if !meta::declares(params, meta::TASKS) {
        return Err(Error::MissingExtension(meta::TASKS));
    }
    let ids: BTreeSet<String> =
        ids.read().map_err(|_| Error::BadParams(format!("`{TASK_IDS}` must be a list of ids of tasks")))?;
    if ids.len() > MAX_TASKS {
        return Err(Error::BadParams(format!("at most {MAX_TASKS} tasks can be listened to at once")));
    }
    let mut meta = params.child("_meta").unwrap_or_default();
    meta.remove(meta::PROGRESS_TOKEN);
    let looked = ids.into_iter().map(async |id| {
        let params = Object::new().with(ID, Json::string(&id)).with("_meta", meta.to_json());
        let state = timeout(FIRST_LOOK, look(view, &params)).await.ok()??.ok()?.object().ok()?;
        Some(Followed { id, view: view.clone(), params, state })
    });
    Ok(join_all(looked).await.into_iter().flatten().collect())
}

/// What the task is now, if it is still the caller's.
async fn look(view: &View, params: &Object) -> Option<Outcome> {
    let route = view.task(params)?;
    Some(route.send(Method::TasksGet, params.clone()).await.outcome().await)
}

// === impl Followed ===

impl Followed {
    async fn follow(mut self, told: mpsc::Sender<Notification>) {
        let mut failures = 0;
        let mut is_news = true;
        loop {
            if is_news && told.send(self.notification()).await.is_err() || self.has_ended() {
                return;
            }
            sleep((self.pause() * (1 << failures)).min(LONGEST_PAUSE)).await;
            match look(&self.view.now(), &self.params).await {
                // The caller may not see its tool any more, or the server has forgotten it: nothing will be said of it.
                None => return,
                Some(Err(error)) if error.code == code::INVALID_PARAMS => return,
                Some(outcome) => match outcome.ok().and_then(|state| state.object().ok()) {
                    Some(state) => {
                        failures = 0;
                        is_news = state.to_json() != self.state.to_json();
                        self.state = state;
                    }
                    // Its server is away; the task may have outlived that.
                    None => {
                        failures = (failures + 1).min(12);
                        is_news = false;
                    }
                },
            }
        }
    }

    fn has_ended(&self) -> bool {
        matches!(self.state.string("status").as_deref(), Some("completed" | "failed" | "cancelled"))
    }

    /// How long the server wants to be left alone.
    fn pause(&self) -> Duration {
        let wanted = self.state.get("pollIntervalMs").and_then(Json::as_u64).map(Duration::from_millis);
        wanted.unwrap_or(USUAL_PAUSE).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
    }

    /// All that is known of the task, without what a result says of itself.
    fn notification(&self) -> Notification {
        let mut params = self.state.clone();
        params.remove("resultType");
        meta::edit(&mut params, |meta| meta.retain(|member| !meta::is_per_hop(member.name())));
        Notification::new(Method::TaskStatus, params)
    }
}

// === impl Follower ===

impl Follower {
    pub(crate) fn new(tasks: Vec<Followed>) -> Self {
        let (sender, told) = mpsc::channel(QUEUE);
        let following = tasks.into_iter().map(|task| task.follow(sender.clone())).collect();
        Self { told, _following: following }
    }

    /// What has changed next; `None` when all have ended.
    pub(crate) async fn next(&mut self) -> Option<Notification> {
        self.told.recv().await
    }
}
