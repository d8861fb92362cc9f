//! `serve` and `stdio`: run until told to stop.

use std::collections::HashSet;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;
use toolgate_app::{Built, CommandLine, Gateway, Presented, StopSignals, Surroundings, UpstreamStatus, build, start};
use toolgate_protocol::Endpoint;

use crate::args;
use crate::paste;
use crate::screen::{Paint, clear_progress, show_progress};
use crate::settings::{self, Loaded};
use crate::{Failure, Outcome};

/// Upstreams that are not up by then are still starting in the table; the log says when they come up.
const TABLE_WAIT: Duration = Duration::from_secs(5);
/// For upstreams that were started for nothing to end.
const STOP_WAIT: Duration = Duration::from_secs(10);
/// How often the states are looked at while upstreams start.
const LOOK: Duration = Duration::from_millis(50);

/// Serves over HTTP until SIGTERM or SIGINT.
pub(crate) async fn serve(options: args::Serve) -> Outcome {
    let mut stop = StopSignals::listen()?;
    let command_line = settings::command_line(&options.log, &options.view, &options.listen)?;
    let prepared = prepare(&mut stop, options.config.as_deref(), command_line).await?;
    let Some((loaded, surroundings)) = prepared else { return Ok(ExitCode::SUCCESS) };
    let paint = Paint::stdout();
    announce_config(&loaded, paint);

    let built = build(&loaded.settings, &surroundings)?;
    let gateway = built.gateway.clone();
    let _following = follow(&built);
    let running = match start(built, &loaded.settings).await {
        Ok(running) => running,
        Err(error) => {
            // What was started for nothing must not stay behind.
            gateway.stop(STOP_WAIT).await;
            return Err(error.into());
        }
    };
    for address in &running.addresses {
        out!("{} http://{address}/mcp\n", paint.bold("toolgate serves MCP at"));
    }
    if let Some(address) = running.control {
        out!("{} http://{address}\n", paint.dim("control API at"));
    }
    let url = running.addresses.first().map(|address| format!("http://{address}/mcp")).unwrap_or_default();
    let table = tokio::spawn(show_start(gateway, url, paint));
    let signal = stop.requested().await;
    table.abort();
    // A second signal does not wait.
    tokio::select! {
        () = running.stop() => {}
        _ = stop.requested() => {}
    }
    out!("stopped ({signal})\n");
    Ok(ExitCode::SUCCESS)
}

/// Serves one client over stdin and stdout until its input ends or a signal comes.
pub(crate) async fn stdio(options: args::Stdio) -> Outcome {
    let mut stop = StopSignals::listen()?;
    let command_line = settings::command_line(&options.log, &options.view, &[])?;
    let prepared = prepare(&mut stop, options.config.as_deref(), command_line).await?;
    let Some((loaded, surroundings)) = prepared else { return Ok(ExitCode::SUCCESS) };
    let built = build(&loaded.settings, &surroundings)?;
    let gateway = built.gateway.clone();
    let _following = follow(&built);
    let grace = loaded.settings.timeouts.shutdown;
    let endpoint = options.namespace.map_or(Endpoint::Default, Endpoint::of_namespace);
    if !gateway.serves(&endpoint) {
        gateway.stop(STOP_WAIT).await;
        return Err(settings::unknown_namespace(&loaded.settings));
    }
    let presented = Presented { endpoint, ..Presented::default() };
    let (input, output) = (tokio::io::stdin(), tokio::io::stdout());
    let served = tokio::select! {
        served = toolgate_app::serve_stdio(gateway.clone(), presented, input, output, built.pipe, grace) => served,
        _ = stop.requested() => Ok(()),
    };
    gateway.stop(grace).await;
    served?;
    Ok(ExitCode::SUCCESS)
}

/// What is needed to serve, unless a signal comes first: a URL or a database may take its time.
async fn prepare(
    stop: &mut StopSignals,
    config: Option<&Path>,
    command_line: CommandLine,
) -> Result<Option<(Loaded, Surroundings)>, Failure> {
    tokio::select! {
        prepared = settings::prepare(config, command_line) => prepared.map(Some),
        _ = stop.requested() => Ok(None),
    }
}

/// Follows the config file and what is set over the control API from now on, for as long as what is returned lives.
fn follow(built: &Built) -> AbortOnDropHandle<()> {
    let reloader = built.reloader.clone();
    AbortOnDropHandle::new(tokio::spawn(async move { reloader.follow().await }))
}

fn announce_config(loaded: &Loaded, paint: Paint) {
    match loaded.place() {
        Some(file) => out!("{} {}\n", paint.dim("config"), file.display()),
        None => {
            out!("No config file was found; the compiled-in servers are started instead. Looked for:\n");
            for place in &loaded.looked_at {
                out!("  {}\n", paint.dim(&place.display().to_string()));
            }
            out!(
                "Begin one with `toolgate defaults > toolgate.yaml`, or name the config of a client: `toolgate serve --config FILE`.\n\n"
            );
        }
    }
    if let Some(standing) = loaded.standing() {
        outln!("{} {standing}", paint.yellow("note"));
    }
    for note in &loaded.settings.notes {
        out!("{} {note}\n", paint.yellow("note"));
    }
    for what in loaded.left_out() {
        out!("{} left out: {what}\n", paint.yellow("note"));
    }
    if loaded.settings.upstreams.is_empty() {
        out!("{} no upstreams are configured, so there is nothing to call\n", paint.yellow("note"));
    }
}

/// Shows each upstream as it comes up or fails, then how to point clients here.
async fn show_start(gateway: Arc<Gateway>, url: String, paint: Paint) {
    let mut shown: HashSet<String> = HashSet::new();
    let deadline = tokio::time::Instant::now() + TABLE_WAIT;
    loop {
        let status = gateway.status();
        let width = status.iter().map(|upstream| upstream.name.as_str().len()).max().unwrap_or_default();
        let in_time = tokio::time::Instant::now() < deadline;
        // The lists of one that is ready may still be on their way: the gateway is settled when they are in.
        let all = gateway.is_settled() || !in_time;
        for upstream in &status {
            let is_over = !in_time
                || upstream.state == "disabled"
                || upstream.state == "failed"
                || (upstream.state == "ready"
                    && (all || !upstream.from_cache && upstream.counts != Default::default()));
            if is_over && shown.insert(upstream.name.to_string()) {
                clear_progress();
                out!("{}", line(upstream, width, paint));
            }
        }
        if all {
            break;
        }
        show_progress(&format!("  {} of {} upstreams have come up or failed", shown.len(), status.len()));
        tokio::time::sleep(LOOK).await;
    }
    clear_progress();
    if !gateway.status().is_empty() {
        out!("  {} {}\n", paint.dim("tools are shown as"), gateway.shown_as());
    }
    out!("\n{}", paste::lines(&url, paint));
}

/// One upstream: its name, state, era and counts, or what is wrong.
pub(crate) fn line(upstream: &UpstreamStatus, width: usize, paint: Paint) -> String {
    let name = format!("{:<width$}", upstream.name.as_str());
    let counts = upstream.counts;
    let mut text = format!("  {}  {}", paint.bold(&name), paint.state(upstream.state, 8));
    if let (Some(era), Some(revision)) = (&upstream.era, upstream.revision) {
        text += &format!("  {era:<6} {}", paint.dim(revision));
        text += &format!(
            "  {} tools, {} prompts, {} resources",
            counts.tools,
            counts.prompts,
            counts.resources + counts.templates
        );
    }
    if !upstream.dropped.is_empty() {
        text += &paint.yellow(&format!(", {} not offered", upstream.dropped.len()));
    }
    if upstream.from_cache && upstream.state != "ready" {
        text += &paint.dim(" (as remembered)");
    }
    if let Some(error) = &upstream.error {
        text += &format!("  {}", paint.red(error));
    }
    text + "\n"
}
