//! The files that people already have: the words of each client, put into ours.
//!
//! A client's file is rewritten as the tree of a `toolgate.yaml`, node by node, each keeping its spot in the file as
//! written; from there on there is one kind of config. Client by client, and so that nothing has to be changed by hand:
//!
//! | client | list of servers | of its own |
//! | --- | --- | --- |
//! | Claude Desktop, Claude Code, Cursor, Windsurf, Cline | `mcpServers` | `type`, `serverUrl`, `disabled`, `envFile` |
//! | Gemini CLI | `mcpServers` | `httpUrl`, `includeTools`, `excludeTools`, `timeout` in ms |
//! | VS Code | `servers`, or `mcp.servers` in its settings | `inputs`, `type`, `envFile` |
//! | Zed | `context_servers` | `command: {path, args, env}`, `source` |
//! | Lasso's gateway | `servers` inside the gateway's entry | |

use std::collections::HashSet;

use serde_json::Value as Json;

use crate::entry;
use crate::fault::Report;
use crate::node::{Node, Spot, Value};
use crate::syntax::Format;

/// A config in our words.
pub(crate) struct Ours {
    pub(crate) root: Node,
    /// VS Code's `inputs`, for `${input:id}`.
    pub(crate) inputs: Option<Node>,
    /// Whether the upstreams were in a client's words.
    pub(crate) theirs: bool,
}

/// The keys under which clients keep their servers.
const LISTS: [&str; 3] = ["mcpServers", "servers", "context_servers"];

/// Keys of ours that another program's settings file has too, so that they do not make it ours.
const SHARED: [&str; 2] = ["log", "$schema"];

/// The file in our words, whoever's it is.
pub(crate) fn translate(root: &Node, format: Format, schema: &Json, report: &mut Report) -> Ours {
    let speaks_to_us = |key: &str| schema["properties"].get(key).is_some() && !SHARED.contains(&key);
    let ours = root.pairs().iter().any(|(key, _)| key.as_text().is_some_and(speaks_to_us));
    let list = server_list(root);
    let inputs = list.and_then(|list| list.inputs).cloned();
    let theirs = list.is_some();
    let root = match (list, format == Format::Json && !ours) {
        (Some(list), true) => {
            note_what_is_left(root, report);
            root.like(Value::Map(vec![upstreams(&list, report)]))
        }
        (Some(list), false) => mixed(root, &list, report),
        (None, _) if matches!(root.value, Value::Null) => root.like(Value::Map(Vec::new())),
        (None, _) => root.clone(),
    };
    Ours { root, inputs, theirs }
}

/// Whether a file lists its servers in a client's words.
pub(crate) fn is_theirs(root: &Node) -> bool {
    server_list(root).is_some()
}

#[derive(Clone, Copy)]
struct ServerList<'a> {
    key: &'a Node,
    servers: &'a Node,
    inputs: Option<&'a Node>,
}

/// The list of servers of a client's file, at the top or under VS Code's `mcp`.
fn server_list(root: &Node) -> Option<ServerList<'_>> {
    let in_map = |map: &'_ Node| -> Option<(Spot, &'static str)> {
        LISTS.iter().find_map(|name| map.get(name).map(|servers| (servers.spot, *name)))
    };
    let map = if in_map(root).is_some() { root } else { root.get("mcp")? };
    let (_, name) = in_map(map)?;
    let (key, servers) = map.pairs().iter().find(|(key, _)| key.as_text() == Some(name))?;
    Some(ServerList { key, servers, inputs: map.get("inputs") })
}

/// A file of ours that lists its upstreams in a client's words.
fn mixed(root: &Node, list: &ServerList<'_>, report: &mut Report) -> Node {
    let name = list.key.as_text().unwrap_or_default();
    if root.get("upstreams").is_some() {
        report.fault_with_help(
            list.key.spot,
            format!("`upstreams` is here as well as `{name}`"),
            "keep one of the two",
        );
    }
    let kept = root.pairs().iter().filter(|(key, _)| {
        let key = key.as_text().unwrap_or_default();
        key != name && key != "inputs" && key != "upstreams"
    });
    let mut pairs: Vec<(Node, Node)> = kept.cloned().collect();
    pairs.push(upstreams(list, report));
    root.like(Value::Map(pairs))
}

/// Claude Code keeps servers of single projects in its own file too; those belong to the projects.
fn note_what_is_left(root: &Node, report: &mut Report) {
    let has_servers = |project: &Node| project.get("mcpServers").is_some_and(|list| !list.pairs().is_empty());
    let projects = root.get("projects").map(Node::pairs).unwrap_or_default();
    for (key, _) in projects.iter().filter(|(_, project)| has_servers(project)) {
        report.note(key.spot, "the servers of this project are not taken; only those of the user are");
    }
}

/// The pair `upstreams: {…}`.
fn upstreams(list: &ServerList<'_>, report: &mut Report) -> (Node, Node) {
    let key = list.key.text_like("upstreams");
    if !list.servers.is_map() {
        return (key, list.servers.clone());
    }
    let nested: Vec<&Node> = list.servers.pairs().iter().filter_map(|(_, entry)| nested_servers(entry)).collect();
    let mut taken = Taken::default();
    if nested.is_empty() {
        taken.take(list.servers, report);
    } else {
        for (key, _) in list.servers.pairs().iter().filter(|(_, entry)| nested_servers(entry).is_none()) {
            report.note(key.spot, "left to the client: only the servers nested inside the gateway's entry are taken");
        }
        nested.iter().for_each(|servers| taken.take(servers, report));
    }
    (key, list.servers.like(Value::Map(taken.entries)))
}

/// The servers inside a gateway's own entry.
fn nested_servers(entry: &Node) -> Option<&Node> {
    entry.get("servers").filter(|servers| servers.is_map())
}

/// The servers taken so far, in our words. Two gateways' entries may have servers of the same name.
#[derive(Default)]
struct Taken {
    entries: Vec<(Node, Node)>,
    names: HashSet<String>,
}

// === impl Taken ===

impl Taken {
    fn take(&mut self, servers: &Node, report: &mut Report) {
        for (key, value) in servers.pairs() {
            let name = key.as_text().unwrap_or_default();
            if entry::is_ourselves(key, value) {
                report.note(key.spot, "skipped: this is the gateway itself");
            } else if entry::is_an_extension(value) {
                report.note(key.spot, "skipped: Zed runs this one as an extension of its own");
            } else if self.names.insert(name.to_owned()) {
                self.entries.push((key.clone(), entry::translate(value, report)));
            } else {
                let message = format!("a second server with the name `{name}`");
                report.fault_with_help(key.spot, message, "rename one of the two");
            }
        }
    }
}
