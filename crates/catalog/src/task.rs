//! Tasks: work that goes on after its call was answered (the extension `io.modelcontextprotocol/tasks` of 2026-07-28).
//!
//! A client knows a task by an id that says whose it is and holds, sealed, what its upstream calls it and which tool began it:
//! any replica finds the way back, nobody can use what is another's, and policy is asked again each time.

use std::time::Duration;

use toolgate_identity::Caller;
use toolgate_protocol::{Json, Kind, Object, Outcome, RpcError, Subject, UpstreamName, code, meta};
use toolgate_seal::Context;

use crate::handle::Handles;

/// How long an id holds; the upstream may forget the task sooner.
const LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Stands between the upstream's name, which has none, and what is sealed.
const DOT: char = '.';
/// The member that holds a task's id.
const ID: &str = "taskId";
/// Stands between the tool's name and the upstream's id.
const END_OF_NAME: u8 = 0;

/// A task, as its client and its upstream know it.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    /// The tool that began it.
    pub(crate) subject: Subject,
    public: Json,
    native: String,
}

// === impl Task ===

impl Task {
    /// Puts the upstream's id in the place of the client's.
    pub(crate) fn use_native_id(&self, params: &mut Object) {
        params.set(ID, Json::string(&self.native));
    }

    /// Puts the client's id in the place of the upstream's.
    pub(crate) fn use_public_id(&self, result: Json) -> Json {
        match result.object() {
            Ok(mut object) if object.get(ID).is_some() => {
                object.set(ID, self.public.clone());
                object.to_json()
            }
            _ => result,
        }
    }
}

// === impl Handles ===

impl Handles {
    /// The result of a call with these parameters as the client gets it: where the call became a task, under the client's id
    /// of it.
    ///
    /// Errors: when the client did not declare that it can do with a task. No server may answer it with one.
    pub(crate) fn seal_task(&self, subject: &Subject, caller: &Caller, params: &Object, result: Json) -> Outcome {
        // Hardly any result is one, and a look at the text is enough to know.
        if memchr::memmem::find(result.text(), b"\"taskId\"").is_none() {
            return Ok(result);
        }
        let Ok(mut object) = result.object() else { return Ok(result) };
        let is_task = object.get("resultType").is_some_and(|kind| kind.as_str() == "\"task\"");
        let (true, Some(native)) = (is_task, object.string(ID)) else { return Ok(result) };
        if !meta::declares(params, meta::TASKS) {
            let text =
                format!("upstream `{}` answered with a task, which this client did not declare", subject.upstream);
            return Err(RpcError::new(code::INTERNAL_ERROR, text));
        }
        let inner = [subject.native.as_bytes(), &[END_OF_NAME], native.as_bytes()].concat();
        match self.sealer.seal(&context(&subject.upstream, caller), LIFETIME, &inner) {
            Ok(sealed) => object.set(ID, Json::string(&format!("{}{DOT}{sealed}", subject.upstream))),
            // Without random numbers nothing can be sealed, and nothing unsealed goes out.
            Err(error) => {
                tracing::error!(%error, "a task's id could not be sealed");
                object.remove(ID);
            }
        }
        Ok(object.to_json())
    }

    /// The task that `params` name, if its id was given to this caller.
    pub(crate) fn open_task(&self, caller: &Caller, params: &Object) -> Option<Task> {
        let public = params.get(ID)?;
        let id = public.as_string()?;
        let (upstream, sealed) = id.split_once(DOT)?;
        let upstream = UpstreamName::new(upstream)?;
        let inner = self.sealer.open(&context(&upstream, caller), sealed).ok()?;
        let end = inner.iter().position(|byte| *byte == END_OF_NAME)?;
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
        let subject = Subject { upstream, kind: Kind::Tool, native: text(&inner[..end])?.into() };
        Some(Task { subject, public: public.clone(), native: text(&inner[end + 1..])? })
    }
}

fn context(upstream: &UpstreamName, caller: &Caller) -> Context {
    Context::new("task").with(upstream.as_str()).with(caller.subject())
}
