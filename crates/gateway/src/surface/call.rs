//! `call_tool`: the arguments are checked before anything leaves; what comes back is the upstream's own.

use std::sync::Arc;

use toolgate_catalog::{NotFound, Route, View};
use toolgate_discovery::answer::{self, Answer, Unknown};
use toolgate_discovery::arguments::{Checked, Slips};
use toolgate_discovery::request::{Call, Misuse};
use toolgate_discovery::surface::{self, SurfaceTool};
use toolgate_protocol::{Json, Method, Object, Reply};

use super::describe::nearest;
use super::{finished, shown};
use crate::error::Error;
use crate::exchange::Request;
use crate::present::Presenter;

/// Calls the tool that is meant, by the same way as if it had been called by its own name.
pub(super) async fn call(
    presenter: &Arc<Presenter>,
    view: View,
    call: Call,
    mut request: Request,
) -> Result<Reply, Error> {
    let name = if view.showing().lenient { meant(&view, &call.name) } else { call.name.clone() };
    request.params.set("name", Json::string(&name));
    let route = match view.resolve(&Method::ToolsCall, &request.params).await {
        Ok(route) => route,
        Err(missing) => return Ok(finished(&view, unknown(&view.now(), &missing), None)),
    };
    if call.only_reads && !route.entry().is_some_and(|entry| surface::only_reads(&entry.definition)) {
        let (read, write) = (SurfaceTool::CallRead, SurfaceTool::Call.name());
        let message = format!("{name} is not marked as one that only reads; use {write}");
        return Ok(finished(&view, answer::misused(&Misuse { tool: read, message }), None));
    }
    let slips = if view.showing().lenient { Slips::ALL } else { Slips::NONE };
    match checked(presenter, &route, call.arguments, slips) {
        Ok(arguments) if arguments.is_object() => request.params.set("arguments", arguments),
        Ok(_) => {
            let misuse = Misuse { tool: SurfaceTool::Call, message: "arguments: an object is needed".into() };
            return Ok(finished(&view, answer::misused(&misuse), None));
        }
        Err(faults) => return Ok(finished(&view, *faults, None)),
    }
    tracing::debug!(subject = %route.subject(), "called through the surface");
    Ok(route.send(request.method, request.params).await)
}

/// The public name of a tool that was called by its native one, where that can mean only one.
fn meant(view: &View, name: &str) -> String {
    if view.tools().any(|entry| *entry.public == *name) {
        return name.to_owned();
    }
    let mut named = view.tools().filter(|entry| *entry.subject.native == *name);
    match (named.next(), named.next()) {
        (Some(only), None) => only.public.to_string(),
        _ => name.to_owned(),
    }
}

/// The arguments as they are to be sent, or what is wrong with them.
fn checked(presenter: &Presenter, route: &Route, arguments: Json, slips: Slips) -> Result<Json, Box<Answer>> {
    let Some(entry) = route.entry() else { return Ok(arguments) };
    match presenter.checker.check(&shown(entry), &arguments, slips) {
        Checked::Sound => Ok(arguments),
        Checked::Mended { arguments, mends } => {
            tracing::debug!(subject = %route.subject(), ?mends, "slips in arguments were understood");
            Ok(arguments)
        }
        Checked::Unchecked(why) => {
            tracing::debug!(subject = %route.subject(), ?why, "arguments were not checked");
            Ok(arguments)
        }
        Checked::Faulty(faults) => Err(Box::new(answer::faulty(&entry.public, &faults))),
    }
}

/// The answer to a call of a tool that there is not, for the model to read.
fn unknown(view: &View, missing: &NotFound) -> Answer {
    let mut answer = answer::unknown(&Unknown { name: &missing.name, nearest: nearest(view, &missing.name) });
    if let Some((upstream, why)) = &missing.down {
        answer.text = format!("{} Server {upstream} is not up: {why}", answer.text);
        let down = Object::new().with("server", Json::string(upstream.as_str())).with("reason", Json::string(why));
        answer.structured.set("missing", Json::array_of([&down.to_json()]));
    }
    answer
}
