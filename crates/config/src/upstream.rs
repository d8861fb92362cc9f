//! One upstream, from as written to as meant.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use crate::fault::Report;
use crate::file::{self, Restart};
use crate::node::Spot;
use crate::resolve::Context;
use crate::secret::Secret;
use crate::settings::{ToolFilter, Transport, UpstreamSettings};
use crate::show::brief;
use crate::written::{Pairs, Text};
use crate::{api, env_file};

/// What upstreams have in common unless they say otherwise.
pub(crate) struct Common<'a> {
    pub(crate) stdio_env: &'a [String],
    pub(crate) call: Duration,
    pub(crate) restart: &'a Restart,
    pub(crate) isolated: usize,
}

/// Headers that the protocol or HTTP itself sets.
const RESERVED: [&str; 12] = [
    "host",
    "connection",
    "content-length",
    "content-type",
    "transfer-encoding",
    "upgrade",
    "te",
    "accept",
    "mcp-session-id",
    "mcp-protocol-version",
    "mcp-method",
    "mcp-name",
];

/// The upstream as meant; `None` when it says too little, which has been reported.
///
/// The name, slug and origin are the caller's to fill in.
pub(crate) fn resolve(
    name: &Text,
    written: file::Upstream,
    common: &Common<'_>,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<UpstreamSettings> {
    check_kind(name, &written, context, report)?;
    let enabled = written.enabled.unwrap_or(true);
    // A disabled upstream keeps its `${…}` as written; there is no point in judging its values.
    let mut unheard = Report::default();
    let report = if enabled { report } else { &mut unheard };
    check_company(name, &written, context, report);
    check_warm(name, &written, common.isolated, report);
    let timeout = written.timeout.unwrap_or(common.call);
    let restart = Restart {
        first_wait: written.restart.first_wait.unwrap_or(common.restart.first_wait),
        max_wait: written.restart.max_wait.unwrap_or(common.restart.max_wait),
    };
    let tools = ToolFilter { allow: written.tools.allow.as_deref().map(values), deny: values(&written.tools.deny) };
    let declared = declared(name, &written.declare, report);
    Some(UpstreamSettings {
        idle: (written.start == file::Start::Demand).then_some(written.idle),
        declared,
        name: String::new(),
        slug: String::new(),
        enabled,
        era: written.era,
        isolation: written.isolation,
        warm: written.warm,
        timeout,
        restart,
        tools,
        origin: context.origin(name.spot),
        transport: transport(written, common, context, report)?,
    })
}

/// Definitions of tools, each with what makes it one.
fn declared(name: &Text, definitions: &[serde_json::Value], report: &mut Report) -> Vec<String> {
    for (nth, definition) in definitions.iter().enumerate() {
        let has_name = definition["name"].as_str().is_some_and(|name| !name.is_empty());
        if !has_name || !definition["inputSchema"].is_object() {
            let help = "a tool has at least a `name` and an `inputSchema`, which is an object";
            report.fault_with_help(name.spot, format!("number {} of `declare` is no tool", nth + 1), help);
        }
    }
    definitions.iter().map(ToString::to_string).collect()
}

fn values(texts: &[Text]) -> Vec<String> {
    texts.iter().map(|text| text.value.clone()).collect()
}

/// Exactly one of the ways to reach it.
fn check_kind(name: &Text, written: &file::Upstream, context: &Context<'_>, report: &mut Report) -> Option<()> {
    let command = written.command.as_ref().map(|text| ("command", text.spot));
    let url = written.url.as_ref().map(|text| ("url", text.spot));
    let builtin = written.builtin.map(|_| ("builtin", name.spot));
    let openapi = written.openapi.as_ref().map(|text| ("openapi", text.spot));
    let http = (!written.http.is_empty()).then_some(("http", name.spot));
    let given: Vec<(&str, Spot)> = [command, url, builtin, openapi, http].into_iter().flatten().collect();
    match given[..] {
        [_] => Some(()),
        [] => {
            let map = context.root.get("upstreams").and_then(|upstreams| upstreams.get(&name.value));
            let is_whole = map.is_none_or(|map| !context.lost.contains(&map.spot));
            if is_whole {
                let help = "give it a `command` to run, a `url` to call, or say which `builtin` it is";
                report.fault_with_help(name.spot, "says nothing about how to reach it", help);
            }
            None
        }
        [(first, _), (second, spot), ..] => {
            report.fault_with_help(spot, format!("both `{first}` and `{second}`"), "an upstream has one of them");
            None
        }
    }
}

/// Keys that belong to another kind of upstream: a slip, or half of a change. Clients overlook them, and their
/// documentation has examples with them.
fn check_company(name: &Text, written: &file::Upstream, context: &Context<'_>, report: &mut Report) {
    let first = |pairs: &Pairs<Text>| pairs.0.first().map(|(key, _)| key.spot);
    let of_process = [
        ("args", written.args.first().map(|text| text.spot)),
        ("env", first(&written.env)),
        ("env_file", written.env_file.as_ref().map(|text| text.spot)),
        ("env_allow", written.env_allow.first().map(|text| text.spot)),
        ("cwd", written.cwd.as_ref().map(|text| text.spot)),
    ];
    let of_url = [("transport", written.transport.map(|_| name.spot))];
    let of_http = [("headers", first(&written.headers))];
    let patterns = written.operations.allow.iter().flatten().chain(&written.operations.deny);
    let of_document = [
        ("base_url", written.base_url.as_ref().map(|text| text.spot)),
        ("operations", patterns.map(|text| text.spot).next()),
    ];
    let complain = |report: &mut Report, keys: &[(&str, Option<Spot>)], owner: &str| {
        for (key, spot) in keys {
            if let Some(spot) = spot {
                let message = format!("`{key}` means nothing without `{owner}`");
                if context.theirs { report.note(*spot, message) } else { report.fault(*spot, message) }
            }
        }
    };
    if written.command.is_none() {
        complain(report, &of_process, "command");
    }
    if written.url.is_none() {
        complain(report, &of_url, "url");
    }
    if written.url.is_none() && written.openapi.is_none() && written.http.is_empty() {
        complain(report, &of_http, "url");
    }
    if written.openapi.is_none() {
        complain(report, &of_document, "openapi");
    }
}

/// Instances are kept for those who have one for themselves.
fn check_warm(name: &Text, written: &file::Upstream, most: usize, report: &mut Report) {
    let is_api = written.openapi.is_some() || !written.http.is_empty();
    let (message, help) = match written {
        file::Upstream { warm: 0, .. } => return,
        _ if is_api => ("an HTTP API has no instances, so `warm` means nothing".to_owned(), "remove it"),
        file::Upstream { era: file::Era::Modern, .. } => {
            let help = "a server of the modern era keeps nothing between requests, so all share it; remove `warm`";
            ("`warm` means nothing with `era: modern`".to_owned(), help)
        }
        file::Upstream { isolation: file::Isolation::Shared | file::Isolation::Caller, .. } => {
            let help = "otherwise all share one instance, which `start: always`, the default, has ready; remove `warm`, or say `isolation: session` or `isolation: call`";
            ("`warm` means nothing without `isolation: session` or `isolation: call`".to_owned(), help)
        }
        file::Upstream { warm, .. } if *warm > most => {
            let help = "instances that are warm count among those, as do the ones in use";
            (format!("`warm: {warm}` is more than `limits.isolated`, which is {most}"), help)
        }
        _ => return,
    };
    report.fault_with_help(name.spot, message, help);
}

fn transport(
    written: file::Upstream,
    common: &Common<'_>,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Transport> {
    if let Some(name) = written.builtin {
        return Some(Transport::Builtin { name });
    }
    if let Some(document) = written.openapi {
        return Some(api::openapi(document, written.base_url, &written.headers, &written.operations, context, report));
    }
    if !written.http.is_empty() {
        return Some(api::tools(written.http, &written.headers, report));
    }
    if let Some(url) = written.url {
        check_url(&url, report);
        let headers = headers(&written.headers, report);
        check_clear_text(&url, &written.headers, report);
        let path = url.value.split(['?', '#']).next().unwrap_or_default();
        let by_path = if path.ends_with("/sse") { file::Transport::Sse } else { file::Transport::Http };
        let url = Secret::shown_as(url.value, url.written);
        return Some(match written.transport.unwrap_or(by_path) {
            file::Transport::Http => Transport::Http { url, headers },
            file::Transport::Sse => Transport::Sse { url, headers },
        });
    }
    let command = written.command?;
    check_command(&command, &written.args, report);
    for text in written.args.iter().chain(&written.cwd) {
        check_no_nul(text, report);
    }
    let has_folder = command.value.contains('/') || command.value.contains(std::path::MAIN_SEPARATOR);
    let program = match has_folder {
        true => context.sources.resolve(context.base, &command.value),
        false => PathBuf::from(&command.value),
    };
    let mut env_allow = common.stdio_env.to_vec();
    env_allow.extend(values(&written.env_allow));
    Some(Transport::Stdio {
        command: program,
        args: written.args.into_iter().map(|arg| Secret::shown_as(arg.value, arg.written)).collect(),
        env: environment(written.env, written.env_file, context, report),
        env_allow,
        cwd: written
            .cwd
            .map_or_else(|| context.base.to_owned(), |cwd| context.sources.resolve(context.base, &cwd.value)),
    })
}

fn check_command(command: &Text, args: &[Text], report: &mut Report) {
    let text = command.value.trim();
    check_no_nul(command, report);
    if text.is_empty() {
        report.fault(command.spot, "the command is empty");
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    if let ([program, rest @ ..], []) = (&words[..], args)
        && !rest.is_empty()
        && !program.contains(['/', '\\'])
        && command.value == command.written
    {
        let message = format!("`{}` is not the name of a program", brief(text));
        let help = format!("no shell reads it: write `command: {program}` and `args: [{}]`", brief(&rest.join(", ")));
        report.fault_with_help(command.spot, message, help);
    }
}

fn check_no_nul(text: &Text, report: &mut Report) {
    if text.value.contains('\0') {
        report.fault(text.spot, "holds a NUL character");
    }
}

/// The variables of `env_file` and of `env`, the latter winning.
fn environment(
    env: Pairs<Text>,
    env_file: Option<Text>,
    context: &Context<'_>,
    report: &mut Report,
) -> Vec<(String, Secret)> {
    let of_file = env_file.map(|file| {
        let named = env_file::Named { file: &file.value, spot: file.spot, base: context.base };
        env_file::read(named, context.sources, report)
    });
    let mut variables = of_file.unwrap_or_default();
    let own: HashSet<&str> = env.0.iter().map(|(name, _)| name.value.as_str()).collect();
    variables.retain(|(name, _)| !own.contains(name.as_str()));
    for (name, value) in env.0 {
        check_no_nul(&value, report);
        if name.value.is_empty() || name.value.contains(['=', '\0']) {
            report.fault(name.spot, "not a name for a variable");
        }
        variables.push((name.value, Secret::new(value.value)));
    }
    variables
}

pub(crate) fn check_url(url: &Text, report: &mut Report) {
    let shown = brief(&url.written);
    let uri = match url.value.parse::<http::Uri>() {
        Ok(uri) => uri,
        Err(error) => {
            report.fault_with_help(url.spot, format!("`{shown}` is no URL"), error.to_string());
            return;
        }
    };
    match (uri.scheme_str(), uri.authority()) {
        (Some("http" | "https"), Some(host)) if host.as_str().contains('@') => {
            let help = "put it into `headers`, as `Authorization`";
            report.fault_with_help(url.spot, "a user name in a URL ends up in logs", help);
        }
        (Some("http" | "https"), Some(host)) if !host.host().is_empty() => {}
        (None | Some(_), _) => {
            let help = "it begins with `https://` or `http://` and names a host";
            report.fault_with_help(url.spot, format!("`{shown}` is not the URL of a server"), help);
        }
    }
}

/// A credential over plain HTTP is read by everyone on the way.
pub(crate) fn check_clear_text(url: &Text, headers: &Pairs<Text>, report: &mut Report) {
    let Some(host) = url.value.strip_prefix("http://") else { return };
    let loopback = ["127.", "localhost", "[::1]"].iter().any(|name| host.starts_with(name));
    if let Some((name, _)) = headers.0.iter().find(|(name, _)| name.value.eq_ignore_ascii_case("authorization"))
        && !loopback
    {
        report.note(name.spot, "a credential over plain `http://` can be read on the way");
    }
}

pub(crate) fn headers(written: &Pairs<Text>, report: &mut Report) -> Vec<(String, Secret)> {
    let mut headers = Vec::new();
    let mut names = HashSet::new();
    for (name, value) in &written.0 {
        let lower = name.value.to_ascii_lowercase();
        if http::HeaderName::from_bytes(name.value.as_bytes()).is_err() {
            report.fault(name.spot, "not a name for a header");
        } else if RESERVED.contains(&lower.as_str()) {
            report.fault_with_help(name.spot, "toolgate sets this header itself", "remove it");
        } else if !names.insert(lower.clone()) {
            report.fault_with_help(name.spot, "given twice, in other letters", "remove one of the two");
        } else if http::HeaderValue::from_str(&value.value).is_err() {
            let help = "a header's value is one line of text";
            report.fault_with_help(value.spot, "not a value for a header", help);
        } else {
            headers.push((lower, Secret::new(&value.value)));
        }
    }
    headers
}
