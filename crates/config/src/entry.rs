//! One server of a client's file, put into our words.

use std::collections::HashSet;

use crate::fault::Report;
use crate::node::{Node, Value};
use crate::suggest;

/// Our words, which may stand in a client's entry too.
const OURS: [&str; 24] = [
    "start",
    "idle",
    "declare",
    "command",
    "args",
    "env",
    "env_file",
    "env_allow",
    "cwd",
    "url",
    "transport",
    "headers",
    "openapi",
    "base_url",
    "operations",
    "http",
    "builtin",
    "enabled",
    "era",
    "isolation",
    "warm",
    "timeout",
    "restart",
    "tools",
];

/// Words of clients that mean something here; see [`word`].
const THEIRS: [&str; 22] = [
    "type",
    "transportType",
    "serverUrl",
    "httpUrl",
    "baseUrl",
    "envFile",
    "disabled",
    "isActive",
    "includeTools",
    "excludeTools",
    "disabledTools",
    "enabledTools",
    "environment",
    "workingDirectory",
    "working_directory",
    "env_vars",
    "http_headers",
    "env_http_headers",
    "bearer_token_env_var",
    "tool_timeout_sec",
    "enabled_tools",
    "disabled_tools",
];

/// Words of clients about themselves: how a server is shown, and what is run without asking.
const FOREIGN: [&str; 38] = [
    "description",
    "name",
    "displayName",
    "title",
    "version",
    "gallery",
    "icon",
    "iconPath",
    "logoUrl",
    "tags",
    "provider",
    "providerUrl",
    "reference",
    "registry",
    "registryUrl",
    "homepage",
    "docs",
    "alwaysAllow",
    "autoApprove",
    "trust",
    "dev",
    "watchPaths",
    "chatMenu",
    "serverInstructions",
    "initTimeout",
    "startup",
    "alwaysLoad",
    "extensionName",
    "isBuiltIn",
    "longRunning",
    "settings",
    "source",
    "startup_timeout_sec",
    "startup_timeout_ms",
    "required",
    "supports_parallel_tool_calls",
    "default_tools_approval_mode",
    "experimental_environment",
];

/// Words of clients for what toolgate does not do; the server may miss it, so that is said.
const UNUSED: [&str; 14] = [
    "oauth",
    "auth",
    "authorization",
    "headersHelper",
    "sandbox",
    "sandboxEnabled",
    "authProviderType",
    "targetAudience",
    "targetServiceAccount",
    "oauthScopes",
    "customUserVars",
    "tcp",
    "scopes",
    "oauth_resource",
];

/// An entry by which the client reaches this gateway; taken as an upstream, it would call itself.
pub(crate) fn is_ourselves(key: &Node, entry: &Node) -> bool {
    let command = entry.get("command").and_then(Node::as_text).unwrap_or_default();
    let program = command.rsplit(['/', '\\']).next().unwrap_or_default();
    if matches!(program, "toolgate" | "toolgate.exe") {
        return true;
    }
    let url = ["url", "serverUrl", "httpUrl"].iter().find_map(|word| entry.get(word)?.as_text()).unwrap_or_default();
    let host = url.split("://").nth(1).unwrap_or_default();
    let loopback = ["127.0.0.1", "localhost", "[::1]"].iter().any(|name| host.starts_with(name));
    key.as_text().is_some_and(|name| name.eq_ignore_ascii_case("toolgate")) && loopback
}

/// A server that Zed installs and starts itself: there is no command to run.
pub(crate) fn is_an_extension(entry: &Node) -> bool {
    let source = entry.get("source").and_then(Node::as_text);
    let bare = entry.is_map() && entry.get("settings").is_some() && entry.pairs().len() == 1;
    source == Some("extension") || bare
}

/// The entry in our words; what is neither ours nor a client's is a fault.
pub(crate) fn translate(entry: &Node, report: &mut Report) -> Node {
    if !entry.is_map() {
        return entry.clone();
    }
    let mut pairs = Vec::new();
    let mut seen = HashSet::new();
    // Gemini CLI: where both are given, `httpUrl` counts.
    let overruled = |key: &Node| key.as_text() == Some("url") && entry.get("httpUrl").is_some();
    for (key, value) in entry.pairs().iter().filter(|(key, _)| !overruled(key)) {
        for (name, value) in word(key, value, report) {
            // Two words for the same key: the first counts. What adds to a map may come several times.
            if name.ends_with('.') || seen.insert(name.to_owned()) {
                pairs.push((key.text_like(name), value));
            }
        }
    }
    let pairs = merge_maps(merge_maps(pairs, "env"), "headers");
    entry.like(Value::Map(merge_tools(pairs, report)))
}

/// One key of a client's entry as keys of ours.
fn word<'a>(key: &'a Node, value: &Node, report: &mut Report) -> Vec<(&'a str, Node)> {
    let same = value.clone();
    match key.as_text().unwrap_or_default() {
        "command" if value.is_map() => {
            let part = |theirs, ours| value.get(theirs).map(|node| (ours, node.clone()));
            [part("path", "command"), part("args", "args"), part("env", "env")].into_iter().flatten().collect()
        }
        "env" | "environment" => vec![("env", without_nulls(value))],
        "envFile" => vec![("env_file", same)],
        "workingDirectory" | "working_directory" => vec![("cwd", same)],
        "baseUrl" => vec![("base_url", same)],
        "serverUrl" => vec![("url", same)],
        "httpUrl" => vec![("url", same), ("transport", key.text_like("http"))],
        "type" | "transport" | "transportType" => transport(value, report),
        "disabled" => vec![("enabled", value.as_bool().map_or(same, |off| value.like(Value::Bool(!off))))],
        "isActive" => vec![("enabled", same)],
        "timeout" => vec![("timeout", timeout(value))],
        "tool_timeout_sec" => vec![("timeout", seconds(value))],
        "env_vars" => vec![("env.", passed_on(value))],
        "http_headers" => vec![("headers", same)],
        "env_http_headers" => vec![("headers.", of_variables(value))],
        "bearer_token_env_var" => vec![("headers.", bearer(key, value))],
        "includeTools" | "enabledTools" | "enabled_tools" => vec![("tools.allow", same)],
        "excludeTools" | "disabledTools" | "disabled_tools" => vec![("tools.deny", same)],
        // Codex: what may be run without asking, tool by tool.
        "tools" if value.pairs().iter().any(|(_, tool)| tool.get("approval_mode").is_some()) => Vec::new(),
        // GitHub's Copilot: a list of names, or of `*` for all.
        "tools" if matches!(value.value, Value::List(_)) => vec![("tools.allow", same)],
        word => {
            if let Some(ours) = OURS.iter().find(|ours| **ours == word) {
                return vec![(ours, same)];
            }
            if UNUSED.contains(&word) {
                report.note(key.spot, "not used: toolgate has nothing of the kind");
                return Vec::new();
            }
            if FOREIGN.contains(&word) {
                return Vec::new();
            }
            let known = OURS.iter().chain(&THEIRS).copied();
            let near = (word.len() <= 64).then(|| suggest::closest(word, known)).flatten();
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => "no client that toolgate knows has it".to_owned(),
            };
            report.fault_with_help(key.spot, "unknown key", help);
            // The hole tells those who come after that something was meant to be here.
            vec![(word, value.like(Value::Hole))]
        }
    }
}

fn transport(value: &Node, report: &mut Report) -> Vec<(&'static str, Node)> {
    match value.as_text().unwrap_or_default() {
        "stdio" | "local" => Vec::new(),
        "http" | "streamable-http" | "streamableHttp" | "streamable_http" | "streamable" => {
            vec![("transport", value.text_like("http"))]
        }
        "sse" => vec![("transport", value.clone())],
        other => {
            let message = format!("no such transport: `{}`", crate::show::brief(other));
            report.fault_with_help(value.spot, message, "known here: `stdio`, `http`, `sse`");
            vec![("transport", value.like(Value::Hole))]
        }
    }
}

/// VS Code's `null` takes a variable out of the child's environment; it is not there to begin with.
fn without_nulls(env: &Node) -> Node {
    match &env.value {
        Value::Map(pairs) => {
            let set = pairs.iter().filter(|(_, value)| !matches!(value.value, Value::Null));
            env.like(Value::Map(set.cloned().collect()))
        }
        _ => env.clone(),
    }
}

/// Some clients count in milliseconds (Gemini CLI, Amazon Q) and some in seconds (Cline, Roo Code). Nobody waits less
/// than a second for a tool, and few more than a quarter of an hour: below 1000 it is seconds.
fn timeout(value: &Node) -> Node {
    match &value.value {
        Value::Number(number) => match number.parse::<u64>() {
            Ok(count) if count < 1000 => value.text_like(&format!("{count}s")),
            Ok(count) => value.text_like(&format!("{count}ms")),
            Err(_) => value.clone(),
        },
        _ => value.clone(),
    }
}

/// Codex counts in seconds, also in parts of them.
fn seconds(value: &Node) -> Node {
    match &value.value {
        Value::Number(number) => match number.parse::<f64>() {
            Ok(count) if count.is_finite() && count > 0.0 => {
                value.text_like(&format!("{}ms", (count * 1000.0).round()))
            }
            _ => value.clone(),
        },
        _ => value.clone(),
    }
}

/// Codex's list of variables that the child gets from the environment, as names or as `{name, source}`.
fn passed_on(list: &Node) -> Node {
    let name = |item: &Node| item.as_text().or_else(|| item.get("name")?.as_text()).map(str::to_owned);
    let pair = |item: &Node| name(item).map(|name| (item.text_like(&name), item.text_like(&format!("${{{name}}}"))));
    list.like(Value::Map(list.items().iter().filter_map(pair).collect()))
}

/// Codex's map of headers to the names of the variables that hold them.
fn of_variables(map: &Node) -> Node {
    let pair = |(header, variable): &(Node, Node)| {
        variable.as_text().map(|name| (header.clone(), variable.text_like(&format!("${{{name}}}"))))
    };
    map.like(Value::Map(map.pairs().iter().filter_map(pair).collect()))
}

/// Codex's name of the variable that holds a bearer token, as the header that it becomes.
fn bearer(key: &Node, variable: &Node) -> Node {
    let name = variable.as_text().unwrap_or_default();
    let value = variable.text_like(&format!("Bearer ${{{name}}}"));
    variable.like(Value::Map(vec![(key.text_like("Authorization"), value)]))
}

/// Puts the maps `name.` into the one that is called `name`; what that one has already counts.
fn merge_maps(pairs: Vec<(Node, Node)>, name: &str) -> Vec<(Node, Node)> {
    let adds = |key: &Node| key.as_text().and_then(|key| key.strip_suffix('.')) == Some(name);
    let (more, mut rest): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|(key, _)| adds(key));
    for (key, map) in more {
        let Value::Map(more) = map.value else { continue };
        let there = rest.iter_mut().find(|(key, _)| key.as_text() == Some(name));
        match there {
            Some((_, Node { value: Value::Map(pairs), .. })) => {
                let new =
                    more.into_iter().filter(|(new, _)| pairs.iter().all(|(old, _)| old.as_text() != new.as_text()));
                let new: Vec<_> = new.collect();
                pairs.extend(new);
            }
            Some(_) => {}
            None => rest.push((key.text_like(name), Node { value: Value::Map(more), ..map })),
        }
    }
    rest
}

/// Puts `tools.allow` and `tools.deny`, which clients have beside each other, into one `tools`.
fn merge_tools(pairs: Vec<(Node, Node)>, report: &mut Report) -> Vec<(Node, Node)> {
    let name = |key: &Node| key.as_text().and_then(|name| name.strip_prefix("tools.")).map(str::to_owned);
    let (tools, mut rest): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|(key, _)| name(key).is_some());
    let Some((first, _)) = tools.first().cloned() else { return rest };
    if rest.iter().any(|(key, _)| key.as_text() == Some("tools")) {
        report.fault_with_help(first.spot, "`tools` is here as well", "keep one of the two");
        return rest;
    }
    let inner = tools.into_iter().map(|(key, list)| (key.text_like(&name(&key).unwrap_or_default()), list));
    let map = first.like(Value::Map(inner.collect()));
    rest.push((first.text_like("tools"), map));
    rest
}
