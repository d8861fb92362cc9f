//! `config`, `sessions`, `restart`, `ns`: a running gateway, looked at and acted upon.

use std::process::ExitCode;

use serde::Deserialize;
use serde_json::Value;

use crate::Outcome;
use crate::args::{self, NsWhat};
use crate::control::Gateway;
use crate::diff::escaped;
use crate::screen::{Paint, harmless, one_line, table};
use crate::set;
use crate::status::Counts;

/// The widest description in a table.
const WIDTH: usize = 80;

#[derive(Deserialize)]
struct Config {
    file: Option<String>,
    values: Vec<Setting>,
}

#[derive(Deserialize)]
struct Setting {
    key: String,
    value: Value,
    from: String,
    place: Option<String>,
}

#[derive(Deserialize)]
struct Sessions {
    sessions: Vec<Session>,
}

#[derive(Deserialize)]
struct Session {
    id: String,
    kind: String,
    over: String,
    client: Option<String>,
    revision: Option<String>,
    endpoint: String,
    age_seconds: u64,
    idle_seconds: u64,
    in_flight: usize,
}

#[derive(Deserialize)]
struct Upstream {
    name: String,
    state: String,
}

#[derive(Deserialize)]
struct Namespaces {
    namespaces: Vec<Namespace>,
}

#[derive(Deserialize)]
struct Namespace {
    name: String,
    endpoint: String,
    upstreams: Vec<String>,
    counts: Counts,
    left_out: Vec<LeftOut>,
    left_out_count: usize,
    faults: Vec<String>,
}

#[derive(Deserialize)]
struct LeftOut {
    kind: String,
    upstream: Option<String>,
    name: String,
    reason: String,
}

#[derive(Deserialize)]
struct Entries {
    entries: Vec<Entry>,
    total: usize,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    upstream: String,
    native: String,
    overridden: bool,
    definition: Value,
}

/// Shows every value of the config.
pub(crate) async fn config(options: args::Control) -> Outcome {
    let gateway = Gateway::find(&options).await?;
    let (told, json): (Config, _) = gateway.get("/api/v1/config").await?;
    if options.json {
        outln!("{}", String::from_utf8_lossy(&json));
        return Ok(ExitCode::SUCCESS);
    }
    outln!("{}", told.file.as_deref().map_or("the compiled-in config".into(), |file| format!("config {file}")));
    let rows = told.values.into_iter().map(|one| {
        let value = one.value.as_str().map_or_else(|| one.value.to_string(), str::to_owned);
        vec![harmless(&one.key), harmless(&value), one.place.unwrap_or(one.from)]
    });
    out!("{}", table(&rows.collect::<Vec<_>>()));
    Ok(ExitCode::SUCCESS)
}

/// Lists the clients, or ends one's session.
pub(crate) async fn sessions(options: args::Sessions) -> Outcome {
    let gateway = Gateway::find(&options.control).await?;
    if let Some(id) = &options.end {
        gateway.delete(&format!("/api/v1/sessions/{}", escaped(id))).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let (told, json): (Sessions, _) = gateway.get("/api/v1/sessions").await?;
    if options.control.json {
        outln!("{}", String::from_utf8_lossy(&json));
        return Ok(ExitCode::SUCCESS);
    }
    let head = ["id", "kind", "over", "client", "revision", "endpoint", "since", "used", "in flight"];
    let rows = told.sessions.iter().map(|one| {
        let text = |text: &Option<String>| text.as_deref().map_or("?".into(), harmless);
        vec![
            one.id.clone(),
            one.kind.clone(),
            one.over.clone(),
            text(&one.client),
            text(&one.revision),
            one.endpoint.clone(),
            format!("{} s ago", one.age_seconds),
            format!("{} s ago", one.idle_seconds),
            one.in_flight.to_string(),
        ]
    });
    out!("{}", table(&std::iter::once(head.map(str::to_owned).to_vec()).chain(rows).collect::<Vec<_>>()));
    Ok(ExitCode::SUCCESS)
}

/// Starts an upstream anew.
pub(crate) async fn restart(options: args::Restart) -> Outcome {
    let gateway = Gateway::find(&options.control).await?;
    let path = format!("/api/v1/upstreams/{}/restart", escaped(&options.upstream));
    let (upstream, json): (Upstream, _) = gateway.post(&path, String::new()).await?;
    if options.control.json {
        outln!("{}", String::from_utf8_lossy(&json));
    } else {
        outln!("{} is {}", upstream.name, upstream.state);
    }
    Ok(ExitCode::SUCCESS)
}

/// Lists the namespaces, or shows one.
pub(crate) async fn namespaces(options: args::Ns) -> Outcome {
    let control = &options.control;
    match options.what.as_ref().unwrap_or(&NsWhat::List) {
        NsWhat::Add { name, options } => set::add_namespace(control, name, options).await,
        NsWhat::Change { name, options } => set::change_namespace(control, name, options).await,
        NsWhat::Remove { name } => set::remove_namespace(control, name).await,
        NsWhat::List => {
            let gateway = Gateway::find(control).await?;
            let (told, json): (Namespaces, _) = gateway.get("/api/v1/namespaces").await?;
            if control.json {
                outln!("{}", String::from_utf8_lossy(&json));
                return Ok(ExitCode::SUCCESS);
            }
            let head = ["namespace", "endpoint", "upstreams", "tools", "prompts", "resources", "left out", "faults"];
            let rows = told.namespaces.iter().map(Namespace::row);
            out!("{}", table(&std::iter::once(head.map(str::to_owned).to_vec()).chain(rows).collect::<Vec<_>>()));
            Ok(ExitCode::SUCCESS)
        }
        NsWhat::Show { name } => {
            let gateway = Gateway::find(control).await?;
            let path = format!("/api/v1/namespaces/{}", escaped(name));
            let (namespace, json): (Namespace, _) = gateway.get(&path).await?;
            if control.json {
                outln!("{}", String::from_utf8_lossy(&json));
                return Ok(ExitCode::SUCCESS);
            }
            let (tools, _): (Entries, _) = gateway.get(&format!("{path}/entries?limit=1000")).await?;
            namespace.show(&tools);
            Ok(ExitCode::SUCCESS)
        }
    }
}

impl Namespace {
    fn row(&self) -> Vec<String> {
        let Counts { tools, prompts, resources, templates } = self.counts;
        vec![
            self.name.clone(),
            self.endpoint.clone(),
            self.upstreams.len().to_string(),
            tools.to_string(),
            prompts.to_string(),
            (resources + templates).to_string(),
            self.left_out_count.to_string(),
            self.faults.len().to_string(),
        ]
    }

    fn show(&self, tools: &Entries) {
        let paint = Paint::stdout();
        outln!("{} at {}, of {}", paint.bold(&self.name), self.endpoint, self.upstreams.join(", "));
        let rows = tools.entries.iter().map(|tool| {
            let mark = if tool.overridden { "overridden" } else { "" };
            let description = tool.definition["description"].as_str().unwrap_or_default();
            let native = format!("{}/{}", tool.upstream, harmless(&tool.native));
            vec![harmless(&tool.name), native, mark.into(), one_line(description, WIDTH)]
        });
        out!("{}", table(&rows.collect::<Vec<_>>()));
        if tools.total > tools.entries.len() {
            outln!("and {} more tools", tools.total - tools.entries.len());
        }
        for left in &self.left_out {
            let upstream = left.upstream.as_deref().unwrap_or_default();
            outln!("left out: {} {upstream}/{}: {}", left.kind, harmless(&left.name), harmless(&left.reason));
        }
        if self.left_out_count > self.left_out.len() {
            outln!("and {} more are left out", self.left_out_count - self.left_out.len());
        }
        for fault in &self.faults {
            outln!("{} {}", paint.yellow("note"), harmless(fault));
        }
    }
}
