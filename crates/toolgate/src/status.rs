//! `status`: how a running gateway and its upstreams are doing.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use serde::Deserialize;

use crate::Outcome;
use crate::args;
use crate::screen::{Paint, harmless, table};
use crate::told;

/// The first answer after a start counts tokens.
const ANSWER_WAIT: Duration = Duration::from_secs(30);

/// As the gateway says it; unknown members are left for `--json`.
#[derive(Deserialize)]
struct Status {
    version: String,
    uptime_seconds: u64,
    sessions: usize,
    #[serde(default)]
    config: Config,
    presentation: Option<Presentation>,
    upstreams: Vec<Upstream>,
    #[serde(default)]
    namespaces: Vec<Namespace>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Config {
    file: Option<String>,
    applied: u64,
    fault: Option<String>,
    unreachable: Option<String>,
    needs_restart: Vec<String>,
    left_out: Vec<String>,
    store_fault: Option<String>,
}

#[derive(Deserialize)]
struct Presentation {
    shown: String,
    why: String,
    tools: usize,
    tokens: usize,
    surface_tokens: usize,
    pinned: usize,
}

#[derive(Deserialize)]
struct Upstream {
    name: String,
    state: String,
    era: Option<String>,
    revision: Option<String>,
    error: Option<String>,
    retry_in_seconds: Option<f64>,
    from_cache: bool,
    counts: Counts,
    warm: Option<usize>,
    #[serde(default)]
    notes: Vec<String>,
    dropped: Vec<Dropped>,
}

#[derive(Deserialize)]
struct Namespace {
    endpoint: String,
    upstreams: Vec<String>,
    counts: Counts,
    left_out_count: usize,
    faults: Vec<String>,
}

/// How many entries of each kind, as the status and the control API say it.
#[derive(Deserialize)]
pub(crate) struct Counts {
    pub(crate) tools: usize,
    pub(crate) prompts: usize,
    pub(crate) resources: usize,
    pub(crate) templates: usize,
}

#[derive(Deserialize)]
struct Dropped {
    kind: String,
    name: String,
    reason: String,
}

/// Asks and shows.
pub(crate) async fn status(options: args::Status) -> Outcome {
    let address = told::address(options.url.as_deref()).await?;
    let text = told::get(&address, "/status", ANSWER_WAIT).await?;
    if options.json {
        outln!("{}", String::from_utf8_lossy(&text));
        return Ok(ExitCode::SUCCESS);
    }
    let status: Status =
        serde_json::from_slice(&text).with_context(|| format!("what answers at {address} is no toolgate"))?;
    show(&address, &status);
    Ok(ExitCode::SUCCESS)
}

fn show(address: &str, status: &Status) {
    let paint = Paint::stdout();
    outln!(
        "toolgate {} at http://{address}/mcp, up for {} s, {} legacy sessions",
        status.version,
        status.uptime_seconds,
        status.sessions
    );
    show_config(&status.config, paint);
    if let Some(presentation) = &status.presentation {
        outln!("tools are shown as {} ({})", presentation.shown, presentation.why);
        outln!(
            "{} tools have {} tokens listed directly, {} through search{}",
            presentation.tools,
            presentation.tokens,
            presentation.surface_tokens,
            if presentation.pinned > 0 { format!(", with {} pinned", presentation.pinned) } else { String::new() }
        );
    }
    let mut rows = vec![["upstream", "state", "era", "tools", "prompts", "resources", ""].map(str::to_owned).to_vec()];
    for upstream in &status.upstreams {
        let era = match (&upstream.era, &upstream.revision) {
            (Some(era), Some(revision)) => format!("{era} {revision}"),
            _ => "?".into(),
        };
        let mut remarks = Vec::new();
        remarks.extend(upstream.error.as_deref().map(harmless));
        remarks.extend(upstream.retry_in_seconds.map(|seconds| format!("next try in {seconds} s")));
        remarks.extend(upstream.warm.map(|warm| format!("{warm} warm")));
        if upstream.from_cache {
            remarks.push("lists as remembered".into());
        }
        if !upstream.dropped.is_empty() {
            remarks.push(format!("{} not offered", upstream.dropped.len()));
        }
        rows.push(vec![
            upstream.name.clone(),
            upstream.state.clone(),
            era,
            upstream.counts.tools.to_string(),
            upstream.counts.prompts.to_string(),
            (upstream.counts.resources + upstream.counts.templates).to_string(),
            remarks.join("; "),
        ]);
    }
    out!("{}", table(&rows));
    for upstream in &status.upstreams {
        for note in &upstream.notes {
            outln!("{} {}: {}", paint.yellow("note"), upstream.name, harmless(note));
        }
        for dropped in &upstream.dropped {
            outln!(
                "{} {}: {} `{}` is not offered: {}",
                paint.yellow("note"),
                upstream.name,
                dropped.kind,
                harmless(&dropped.name),
                harmless(&dropped.reason)
            );
        }
    }
    show_namespaces(&status.namespaces, paint);
}

/// Which config is in force, and what keeps the file from being so.
fn show_config(config: &Config, paint: Paint) {
    if let Some(file) = &config.file {
        match config.applied {
            0 => outln!("config {file}"),
            times => outln!("config {file}, changed {times} times since the start"),
        }
    }
    if let Some(fault) = &config.fault {
        outln!("{} the config has faults now; the one before stays in force:", paint.red("fault"));
        for line in fault.lines() {
            outln!("  {}", harmless(line));
        }
    }
    if let Some(why) = &config.unreachable {
        outln!("{} {}", paint.red("fault"), harmless(why));
    }
    if let Some(why) = &config.store_fault {
        outln!("{} what is set over the control API cannot be read: {}", paint.red("fault"), harmless(why));
    }
    for what in &config.left_out {
        outln!("{} left out: {}", paint.yellow("note"), harmless(what));
    }
    if !config.needs_restart.is_empty() {
        outln!("{} takes effect at the next start: {}", paint.yellow("note"), config.needs_restart.join(", "));
    }
}

/// What the endpoints show, where there is more than the one.
fn show_namespaces(namespaces: &[Namespace], paint: Paint) {
    if namespaces.len() > 1 {
        let head = ["endpoint", "upstreams", "tools", "prompts", "resources", ""].map(str::to_owned).to_vec();
        let rows = namespaces.iter().map(|namespace| {
            let left_out = match namespace.left_out_count {
                0 => String::new(),
                count => format!("{count} left out (--json says why)"),
            };
            vec![
                namespace.endpoint.clone(),
                namespace.upstreams.len().to_string(),
                namespace.counts.tools.to_string(),
                namespace.counts.prompts.to_string(),
                (namespace.counts.resources + namespace.counts.templates).to_string(),
                left_out,
            ]
        });
        out!("\n{}", table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()));
    }
    for namespace in namespaces {
        for fault in &namespace.faults {
            outln!("{} {}: {}", paint.yellow("note"), namespace.endpoint, harmless(fault));
        }
    }
}
