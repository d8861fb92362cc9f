//! `connect` and `disconnect`: an application pointed at toolgate, and back again.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use serde_json::json;
use toolgate_app::whole_name;
use toolgate_config::{Sources, Target, Verdict, is_url, take_over, url_shown};
use toolgate_hosts::connection::{Connected, Connection, Disconnected, Force};
use toolgate_hosts::{Entry, Host};
use toolgate_protocol::Endpoint;

use crate::import::{self, Into, Source};
use crate::screen::{Paint, harmless};
use crate::{Failure, Outcome, args, settings};

/// Points an application at toolgate.
pub(crate) async fn connect(options: args::Connect) -> Outcome {
    let options = &options;
    let host = options.client.client;
    let connection = connection(&options.client)?;
    let entry = entry(options).await?;
    let (without, kept) = match options.only_toolgate {
        true => taken_over(&connection, options)?,
        false => (Vec::new(), Vec::new()),
    };
    let done = connection.connect(&options.name, &entry, &without)?;
    let changed = done == Connected::Written;
    if options.client.json {
        let reached = match &entry {
            Entry::Url(url) => json!({"url": url}),
            Entry::Command { command, args } => json!({"command": command, "args": shown(args)}),
        };
        let said = json!({
            "client": host.word(), "file": connection.file(), "name": options.name, "changed": changed, "entry": reached,
            "removed": without, "kept": kept.iter().map(|(name, why)| json!({"name": name, "why": why})).collect::<Vec<_>>(), "backup": connection.backup(), "then": host.restart(),
        });
        outln!("{said:#}");
        return Ok(ExitCode::SUCCESS);
    }
    let paint = Paint::stdout();
    let file = connection.file().display();
    let reached = match &entry {
        Entry::Url(url) => format!("at {url}"),
        Entry::Command { command, args } => format!("by `{command} {}`", shown(args).join(" ")),
    };
    if !changed {
        outln!("{host} reaches toolgate {reached} already; {file} is as it was");
        return Ok(ExitCode::SUCCESS);
    }
    outln!("{} reaches toolgate {reached}, as `{}` in {file}", paint.bold(host.name()), options.name);
    for name in &without {
        outln!("  taken out: {} is reached through toolgate", harmless(name));
    }
    for (name, why) in &kept {
        outln!("  {} {} stays: {why}", paint.yellow("note"), harmless(name));
    }
    outln!("  the file as it was: {}", connection.backup().display());
    outln!("  now: {}", host.restart());
    if let Entry::Url(_) = &entry {
        outln!("  toolgate has to be running there: `toolgate serve`");
    }
    outln!(
        "  back again: `toolgate disconnect {}{}`",
        host.word(),
        if options.client.project { " --project" } else { "" }
    );
    Ok(ExitCode::SUCCESS)
}

/// Takes toolgate out of an application's file again.
pub(crate) fn disconnect(options: &args::Disconnect) -> Outcome {
    let host = options.client.client;
    let connection = connection(&options.client)?;
    let force = if options.force { Force::Yes } else { Force::No };
    let done = connection.disconnect(force)?;
    let file = connection.file().display().to_string();
    let (outcome, said) = match &done {
        Disconnected::Restored { existed: true } => ("restored", format!("{file} is byte for byte what it was")),
        Disconnected::Restored { existed: false } => ("removed", format!("{file} is gone, as it was before")),
        Disconnected::TakenOut { was_there: true, .. } => (
            "taken-out",
            format!("{file} was changed since; toolgate's entry was taken out, and all else left as it is"),
        ),
        Disconnected::TakenOut { was_there: false, .. } => {
            ("not-there", format!("{file} was changed since, and toolgate's entry is not in it any more"))
        }
        Disconnected::NotConnected => {
            let why = format!("{file}: toolgate has not connected it, so there is nothing to undo");
            return Err(anyhow::anyhow!(why).into());
        }
    };
    let restored = match &done {
        Disconnected::TakenOut { restored, .. } => restored.clone(),
        _ => Vec::new(),
    };
    if options.client.json {
        let said = json!({
            "client": host.word(), "file": connection.file(), "outcome": outcome, "restored": restored, "then": host.restart(),
        });
        outln!("{said:#}");
        return Ok(ExitCode::SUCCESS);
    }
    outln!("{said}");
    restored.iter().for_each(|name| outln!("  put back: {}", harmless(name)));
    outln!("  now: {}", host.restart());
    Ok(ExitCode::SUCCESS)
}

fn connection(client: &args::Client) -> Result<Connection, Failure> {
    let sources = Sources::of_process()?;
    let env = |name: &str| std::env::var(name).ok();
    let world = import::world(&sources, &env)?;
    let host = client.client;
    let file = match client.project {
        true => host.project_file(&world).with_context(|| format!("{host} has no file for single projects"))?,
        false => host.user_file(&world),
    };
    let state = settings::surroundings().state.context("there is no folder to keep the file as it was: set HOME")?;
    Ok(Connection::new(host, file, &state))
}

/// How the application is to reach toolgate.
async fn entry(options: &args::Connect) -> Result<Entry, Failure> {
    let host = options.client.client;
    if let Some(url) = &options.url {
        if !host.takes_urls() {
            return Err(anyhow::anyhow!("{host} starts its servers itself and takes no URL; leave --url out").into());
        }
        let known = ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme));
        return match known {
            true => Ok(Entry::Url(url.clone())),
            false => Err(anyhow::anyhow!("--url {url}: an endpoint begins with http:// or https://").into()),
        };
    }
    let loaded = settings::load_aloud(options.config.as_deref()).await?;
    let endpoint = options.namespace.clone().map_or(Endpoint::Default, Endpoint::of_namespace);
    let is_known = |wanted: &str| loaded.settings.namespaces.iter().any(|namespace| namespace.slug == wanted);
    if options.namespace.as_ref().is_some_and(|wanted| !is_known(wanted.as_str())) {
        return Err(settings::unknown_namespace(&loaded.settings));
    }
    if options.stdio || !host.takes_urls() {
        return command(options, loaded.named);
    }
    let mut address = *loaded.settings.listen.first().context("the config has no address to listen on")?;
    if address.port() == 0 {
        return Err(anyhow::anyhow!("the config listens on any free port; say which with --url, or use --stdio").into());
    }
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            std::net::Ipv4Addr::LOCALHOST.into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        });
    }
    Ok(Entry::Url(format!("http://{address}{endpoint}")))
}

/// The command by which the application starts a toolgate of its own; it may do so in any folder.
fn command(options: &args::Connect, config: Option<PathBuf>) -> Result<Entry, Failure> {
    let executable = std::env::current_exe().context("where toolgate itself is, is not known")?;
    let mut args = vec!["stdio".to_owned()];
    if let Some(config) = config {
        // The application is given a URL as it is; whoever reads what is said here is not.
        let whole = if is_url(&config) { config } else { whole_name(&config) };
        args.extend(["--config".to_owned(), whole.display().to_string()]);
    }
    if let Some(namespace) = &options.namespace {
        args.extend(["--namespace".to_owned(), namespace.as_str().to_owned()]);
    }
    Ok(Entry::Command { command: executable.display().to_string(), args })
}

/// Arguments without what lets somebody in.
fn shown(args: &[String]) -> Vec<String> {
    let shown = |arg: &String| if is_url(Path::new(arg)) { url_shown(arg) } else { arg.clone() };
    args.iter().map(shown).collect()
}

/// Names of servers to take out, and names of others with why they stay.
type Divided = (Vec<String>, Vec<(String, String)>);

/// The servers of the file that the config has too, and those that it has not.
fn taken_over(connection: &Connection, options: &args::Connect) -> Result<Divided, Failure> {
    let sources = Sources::of_process()?;
    let host: Host = options.client.client;
    let text = connection.own_text()?;
    let project = options.client.project.then(|| sources.cwd.clone());
    let source = Source::of_text(host, connection.file().to_owned(), project.clone(), &text)?;
    let config = Into::read(options.config.clone().unwrap_or_else(|| import::own_config(&sources)))?;
    let target = Target { file: &config.file, text: config.text(), secrets: None };
    // What Claude Code has for single projects stays with them.
    let candidates: Vec<_> = source.candidates().filter(|candidate| candidate.project == project.as_deref()).collect();
    let takeover = take_over(&candidates, &target, &sources).map_err(|faults| {
        eprint!("{}", Paint::stderr().faults(&faults));
        Failure::Config
    })?;
    let (mut without, mut kept) = (Vec::new(), Vec::new());
    for (candidate, (verdict, _)) in candidates.iter().zip(takeover.verdicts) {
        match verdict {
            Verdict::Present { enabled: true, .. } => without.push(candidate.name.to_owned()),
            Verdict::Ourselves => {}
            Verdict::Present { .. } => {
                kept.push((candidate.name.to_owned(), "it is disabled in the config".to_owned()))
            }
            Verdict::Refused(why) => kept.push((candidate.name.to_owned(), why)),
            Verdict::Added { .. } => {
                let why = format!("the config does not have it; `toolgate import {}` takes it over", host.word());
                kept.push((candidate.name.to_owned(), why));
            }
        }
    }
    Ok((without, kept))
}
