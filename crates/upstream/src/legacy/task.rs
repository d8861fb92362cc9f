//! Tasks of a legacy upstream (experimental in 2025-11-25): a call that is to run as one is begun as one.
//!
//! A client that declares the tasks extension of 2026-07-28 gets it as a task of that extension, and what it asks of it is
//! translated. For any other the gateway waits for the task, and fetches its result as if it were the call's.
//!
//! Source: 2025-11-25 `basic/utilities/tasks`; the extension `io.modelcontextprotocol/tasks`.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use toolgate_protocol::{Json, Method, Object, OnDrop, Outcome, Reply, meta};

use super::call::outward;
use super::{Legacy, answer};
use crate::error::Failure;
use crate::mux::Ask;
use crate::upstream::Call;

/// How often a task is asked after where its server does not say, and the bounds of what it may say.
const USUAL_PAUSE: Duration = Duration::from_secs(1);
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The parameter that asks for a task, and the member of a result that has one.
const TASK: &str = "task";
/// The member that names a task.
const ID: &str = "taskId";
/// What is spelled differently in the two eras: here, and in the extension.
const SPELLINGS: [(&str, &str); 2] = [("ttl", "ttlMs"), ("pollInterval", "pollIntervalMs")];

/// How far a call came.
pub(super) enum Begun {
    /// The upstream answered without a task, or refused.
    Answered(Outcome),
    /// The task has ended or wants to ask something: this request fetches what there is. Dropped, the guard cancels the task.
    Task(Method, Object, OnDrop),
}

/// What a client wants of a task that it was handed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wish {
    /// How is it going?
    Get,
    /// Here are answers to its questions.
    Update,
    /// It is no longer wanted.
    Cancel,
}

// === impl Wish ===

impl Wish {
    pub(super) fn of(method: &Method) -> Option<Self> {
        match method {
            Method::TasksGet => Some(Self::Get),
            Method::TasksUpdate => Some(Self::Update),
            Method::TasksCancel => Some(Self::Cancel),
            _ => None,
        }
    }
}

/// Whether a call is to run as a task.
pub(super) fn is_wanted(call: &Call) -> bool {
    call.method == Method::ToolsCall && meta::asks_for_task(&call.params)
}

/// The parameters of a call that is to run as a task.
fn as_task(params: &Object) -> Object {
    let asked = params.child("_meta").and_then(|meta| meta.get(meta::AS_TASK).cloned());
    let task = asked.filter(Json::is_object).unwrap_or(Json::literal("{}"));
    outward(params, None).with(TASK, task)
}

/// Begins a task and gives it to the client.
pub(super) async fn hand_out(link: &Legacy, call: &Call, within: Duration) -> Result<Outcome, Failure> {
    let created = match link.ask(Method::ToolsCall, as_task(&call.params), within).await {
        Ok(created) => created,
        Err(Ask::Error(error)) => return Ok(Err(error)),
        Err(Ask::Failed(failure)) => return Err(failure),
    };
    Ok(match created.object().ok().and_then(|created| created.child(TASK)) {
        Some(task) => Ok(modern(task).with("resultType", Json::literal("\"task\"")).to_json()),
        None => answer::modernize(&call.method, None, Ok(created)),
    })
}

/// Does what a client wants of a task.
pub(super) async fn fulfil(
    link: &Arc<Legacy>,
    wish: Wish,
    call: Call,
    within: Duration,
    permit: OwnedSemaphorePermit,
) -> Result<Reply, Failure> {
    let id = call.params.get(ID).cloned().unwrap_or(Json::literal("null"));
    let fulfilled = match wish {
        Wish::Get => state(link, &id, call, within, permit).await,
        Wish::Update => {
            link.update(&id, call, within, permit);
            Ok(Object::new())
        }
        Wish::Cancel => link.ask(Method::TasksCancel, named(&id), within).await.map(|_| {
            link.forget(&call.origin.caller, &id);
            Object::new()
        }),
    };
    match fulfilled {
        Ok(result) => Ok(Reply::done(Ok(result.with("resultType", Json::literal("\"complete\"")).to_json()))),
        Err(Ask::Error(error)) => Ok(Reply::done(Err(error))),
        Err(Ask::Failed(failure)) => Err(failure),
    }
}

/// How a task is going, with all that the extension wants to know: its result, its error, its questions.
async fn state(
    link: &Arc<Legacy>,
    id: &Json,
    call: Call,
    within: Duration,
    permit: OwnedSemaphorePermit,
) -> Result<Object, Ask> {
    let state = link.ask(Method::TasksGet, named(id), within).await?;
    let garbage = |_| Ask::Failed(Failure::Garbage("the state of a task is no object".into()));
    let mut state = modern(state.object().map_err(garbage)?);
    let status = |status: &'static str| Json::string(status);
    match state.string("status").unwrap_or_default().as_str() {
        // A tool that failed has a result here, and a task that failed there has an error.
        "completed" | "failed" => match link.ask(Method::TasksResult, named(id), within).await {
            Ok(result) => {
                state.set("status", status("completed"));
                let result = answer::modernize(&Method::ToolsCall, None, Ok(unrelated(result)));
                state.set("result", result.map_err(Ask::Error)?);
            }
            Err(Ask::Error(error)) => {
                state.set("status", status("failed"));
                state.set("error", error.to_json());
            }
            Err(failed) => return Err(failed),
        },
        "input_required" => match link.questions(id, call, within, permit).await {
            Some(questions) => state.set("inputRequests", questions.to_json()),
            // It was answered already, or has not said what it wants to know.
            None => state.set("status", status("working")),
        },
        _ => {}
    }
    Ok(state)
}

/// A task in the words of the extension.
fn modern(task: Object) -> Object {
    task.into_members().into_iter().fold(Object::new(), |all, member| {
        let spelled = SPELLINGS.iter().find(|(legacy, _)| *legacy == member.name());
        all.with(spelled.map_or(member.name(), |(_, modern)| modern), member.value.clone())
    })
}

/// Without the id of its task, which clients know by another one.
pub(super) fn unrelated(result: Json) -> Json {
    let Ok(mut object) = result.object() else { return result };
    meta::edit(&mut object, |meta| drop(meta.remove(meta::RELATED_TASK)));
    object.to_json()
}

/// Begins a task and waits until it has something to say.
pub(super) async fn begin(link: &Arc<Legacy>, call: &Call, within: Duration) -> Result<Begun, Failure> {
    let created = match link.ask(Method::ToolsCall, as_task(&call.params), within).await {
        Ok(created) => created,
        Err(Ask::Error(error)) => return Ok(Begun::Answered(Err(error))),
        Err(Ask::Failed(failure)) => return Err(failure),
    };
    let task = created.object().ok().and_then(|created| created.child(TASK));
    let Some((task, id)) = task.and_then(|task| Some((task.clone(), task.get(ID)?.clone()))) else {
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

pub(super) fn named(id: &Json) -> Object {
    Object::new().with(ID, id.clone())
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
