//! `describe_tools`: full definitions, and what servers say of themselves.

use toolgate_catalog::View;
use toolgate_discovery::Tool;
use toolgate_discovery::answer::{Answer, Described, Instructions, Unknown};
use toolgate_discovery::request::Describe;
use toolgate_discovery::suggest;
use toolgate_protocol::Kind;

use super::shown;

/// Names that may have been meant.
const NEAREST: usize = 3;

/// Describes what was asked for.
pub(super) fn describe(view: &View, describe: &Describe) -> Answer {
    let servers = view.servers();
    let mut known: Vec<Tool<'_>> = Vec::new();
    let mut asked: Vec<Instructions<'_>> = Vec::new();
    let mut unknown: Vec<Unknown<'_>> = Vec::new();
    for name in &describe.names {
        let entry = Kind::ALL.into_iter().find_map(|kind| view.entry(kind, name));
        let server = servers.iter().find(|server| server.name.as_str() == name);
        match (entry, server) {
            (Some(entry), _) => known.push(shown(entry)),
            (None, Some(server)) => {
                let text = server.instructions.as_deref().unwrap_or("(it gives no instructions)");
                asked.push(Instructions { server: server.name.as_str(), text });
            }
            (None, None) => unknown.push(Unknown { name, nearest: nearest(view, name) }),
        }
    }
    Described { known: &known, servers: &asked, unknown: &unknown, dropped: describe.dropped }.answer()
}

/// The tools that a name may have meant.
pub(super) fn nearest<'v>(view: &'v View, name: &str) -> Vec<&'v str> {
    suggest::nearest(name, view.tools().map(|entry| &*entry.public), NEAREST)
}
