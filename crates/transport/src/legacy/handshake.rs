//! `initialize`: the client says once what a modern one says each time, and learns what the gateway is.

use std::sync::Arc;

use toolgate_gateway::Gateway;
use toolgate_identity::Presented;
use toolgate_protocol::{Era, Json, Object, Revision, RpcError, code, meta};

use super::own_task::OwnTasks;
use super::resume::Room;
use super::session::Session;

/// A longer name of a client is none.
const MAX_CLIENT_NAME: usize = 200;

/// Opens a session and gives the result of `initialize`.
pub(crate) async fn initialize(
    gateway: &Arc<Gateway>,
    presented: &Presented,
    params: &Object,
    room: Room,
) -> Result<(Arc<Session>, Json), RpcError> {
    let wanted = params
        .string("protocolVersion")
        .ok_or_else(|| RpcError::new(code::INVALID_PARAMS, "initialize needs a `protocolVersion`"))?;
    let revision =
        Revision::parse(&wanted).filter(|revision| revision.era() == Era::Legacy).unwrap_or(Revision::LATEST_LEGACY);
    let capabilities = params
        .get("capabilities")
        .filter(|capabilities| capabilities.is_object())
        .cloned()
        .unwrap_or(Json::literal("{}"));
    let presented = &Presented { introduced_as: client_name(params), ..presented.clone() };
    let about = gateway.about(presented).await.map_err(|error| error.to_rpc())?;

    let mut offered = about.capabilities;
    // Tasks of the modern era are seen through on the client's behalf, unless it asks for some itself, in the way of its own.
    if let Some(mut extensions) = offered.child("extensions") {
        extensions.remove(meta::TASKS);
        match extensions.is_empty() {
            true => drop(offered.remove("extensions")),
            false => offered.set("extensions", extensions.to_json()),
        }
    }
    let tasks = OwnTasks::new(revision, about.tasks_on_request);
    if let Some(capability) = tasks.capability() {
        offered.set("tasks", capability);
    }
    let mut result = Object::new()
        .with("protocolVersion", Json::string(revision.as_str()))
        .with("capabilities", offered.to_json())
        .with("serverInfo", about.server_info);
    if let Some(instructions) = &about.instructions {
        result.set("instructions", Json::string(instructions));
    }
    let client_info = params.get("clientInfo").cloned();
    let session = Session::new(gateway.clone(), presented.clone(), revision, capabilities, client_info, tasks, room);
    Ok((session, result.to_json()))
}

/// The name that the client gives itself.
fn client_name(params: &Object) -> Option<Arc<str>> {
    let name = params.child("clientInfo")?.string("name")?;
    (name.len() <= MAX_CLIENT_NAME).then(|| name.into())
}
