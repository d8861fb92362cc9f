//! A tool of a legacy upstream that runs as a task only (`execution.taskSupport: required`, experimental in 2025-11-25): the
//! gateway begins the task, waits for it, and fetches its result as if it were the call's.
//!
//! Source: 2025-11-25 `basic/utilities/tasks`. Nothing of it is on the modern wire, whose tasks are another thing.

use std::sync::Arc;
use std::time::Duration;

use toolgate_protocol::{Json, Method, Object, OnDrop, Outcome};

use super::Legacy;
use super::call::outward;
use crate::error::Failure;
use crate::mux::Ask;
use crate::upstream::Call;

/// How often a task is asked after where its server does not say, and the bounds of what it may say.
const USUAL_PAUSE: Duration = Duration::from_secs(1);
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The parameter that asks for a task.
const TASK: &str = "task";

/// How far a call came.
pub(super) enum Begun {
    /// The upstream answered without a task, or refused.
    Answered(Outcome),
    /// The task has ended or wants to ask something: this request fetches what there is. Dropped, the guard cancels the task.
    Task(Method, Object, OnDrop),
}

/// Whether a call is to run as a task.
pub(super) fn is_wanted(call: &Call) -> bool {
    call.method == Method::ToolsCall && call.params.get(TASK).is_some()
}

/// Begins a task and waits until it has something to say.
pub(super) async fn begin(link: &Arc<Legacy>, call: &Call, within: Duration) -> Result<Begun, Failure> {
    let created = match link.ask(Method::ToolsCall, outward(&call.params, None), within).await {
        Ok(created) => created,
        Err(Ask::Error(error)) => return Ok(Begun::Answered(Err(error))),
        Err(Ask::Failed(failure)) => return Err(failure),
    };
    let task = created.object().ok().and_then(|created| created.child(TASK));
    let Some((task, id)) = task.and_then(|task| Some((task.clone(), task.get("taskId")?.clone()))) else {
        return Ok(Begun::Answered(Ok(created)));
    };
    let unwanted = cancelling(link, &id);
    let mut state = task;
    while state.string("status").is_none_or(|status| status == "working") {
        tokio::time::sleep(pause(&state)).await;
        state = match link.ask(Method::TasksGet, named(&id), within).await {
            Ok(state) => state.object().map_err(|_| Failure::Garbage("the state of a task is no object".into()))?,
            Err(Ask::Error(error)) => return Ok(Begun::Answered(Err(error))),
            Err(Ask::Failed(failure)) => return Err(failure),
        };
    }
    Ok(Begun::Task(Method::TasksResult, named(&id), unwanted))
}

fn named(id: &Json) -> Object {
    Object::new().with("taskId", id.clone())
}

/// How long the server wants to be left alone.
fn pause(state: &Object) -> Duration {
    let wanted = state.get("pollInterval").and_then(Json::as_u64).map(Duration::from_millis);
    wanted.unwrap_or(USUAL_PAUSE).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
}

/// While it is held, somebody waits for the task. Dropped, it tells the upstream that nobody does any more.
fn cancelling(link: &Arc<Legacy>, id: &Json) -> OnDrop {
    let (link, params) = (link.clone(), named(id));
    OnDrop::new(move || {
        // Without a runtime, the process is ending, and the upstream with it.
        if tokio::runtime::Handle::try_current().is_ok() {
            let asking = link.clone();
            link.around.tasks.spawn(async move {
                let within = asking.timeouts.probe;
                // It may have ended meanwhile.
                drop(asking.ask(Method::TasksCancel, params, within).await);
            });
        }
    })
}
