//! Extensions: which of them many upstreams behind one endpoint can keep a promise of.
//!
//! What an extension needs beyond the methods of the specification, the gateway has to know how to lead to the one upstream
//! that is meant. It knows that of tasks (their ids say whose they are) and of pages (their URIs do). Of any other extension it
//! only knows that a request would not arrive, so it is not offered: `skills/list`, for one, names no upstream. A transparent
//! gateway passes everything on, and offers what its upstream does.

use toolgate_protocol::{Json, Object, meta};

use crate::offer::Offer;

/// The extension by which tools bring pages along (MCP Apps).
const UI: &str = "io.modelcontextprotocol/ui";
/// Those that can be kept by many as by one.
const CARRIED: [&str; 2] = [meta::TASKS, UI];

/// Whether an upstream runs tools as tasks of 2025-11-25 where they are asked to. In the core these are tasks of the extension.
pub(crate) fn runs_tasks_on_request(offer: &Offer) -> bool {
    let calls = || offer.capabilities.child("tasks")?.child("requests")?.child("tools")?.get("call").cloned();
    calls().is_some()
}

/// The extensions of an upstream, in the words of the modern era.
pub(crate) fn of_one(offer: &Offer) -> Object {
    let mut extensions = offer.capabilities.child("extensions").unwrap_or_default();
    if runs_tasks_on_request(offer) {
        extensions.set(meta::TASKS, Json::literal("{}"));
    }
    extensions
}

/// The extensions of all these upstreams that clients can use through one endpoint.
pub(crate) fn of_all<'o>(offers: impl Iterator<Item = &'o Offer>) -> Object {
    let mut all = Object::new();
    for extension in offers.map(of_one).flat_map(Object::into_members) {
        if CARRIED.contains(&extension.name()) && all.get(extension.name()).is_none() {
            all.set(extension.name(), extension.value.clone());
        }
    }
    all
}
