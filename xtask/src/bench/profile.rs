//! Where a proxy's time goes: `perf` samples it while it serves small calls on all connections.

use super::load::{Load, close, drive};
use super::messages::Case;
use super::targets::Parts;
use super::{Plan, machine};
use anyhow::{Context, bail};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// How many functions are shown for each proxy.
const LINES: usize = 30;

/// Prints, for each proxy, the functions in which it spends most of its time.
///
/// # Errors
/// When perf is missing or may not sample, and when a target does not answer.
pub(super) fn print(plan: &Plan, parts: &Parts) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let folder = tempfile::tempdir()?;
    let connections = plan.connections.iter().copied().max().context("no connections")?;
    for target in &parts.targets {
        let Some(process) = parts.process(target) else {
            continue;
        };
        let load = Load {
            address: target.address,
            era: target.era,
            case: Case::Small,
            prefix: target.kind.prefix(),
            path: target.kind.path(),
        };
        let clients = runtime.block_on(load.open(connections))?;
        let pids: Vec<_> = super::procfs::family(process.pid())?.iter().map(u32::to_string).collect();
        let file = folder.path().join("perf.data");
        let mut recording = Command::new("perf")
            .args(["record", "--quiet", "-F", "997", "-p", &pids.join(","), "-o"])
            .arg(&file)
            .args(["--", "sleep", &plan.seconds.to_string()])
            .stdin(Stdio::null())
            .spawn()
            .context("cannot start perf (Debian: linux-perf)")?;
        let (clients, _) = runtime.block_on(drive(clients, Duration::from_secs_f64(plan.seconds + 0.5)));
        runtime.block_on(close(clients));
        if !recording.wait()?.success() {
            bail!("perf could not sample; as root, or with kernel.perf_event_paranoid at most 1, it may");
        }
        println!(
            "\n### Where the time goes: {}, {} `small` on {connections} connections\n",
            target.kind.title(),
            target.era
        );
        println!("```\n{}\n\n{}\n```", report(&file, "dso")?, report(&file, "dso,symbol")?);
    }
    if parts.toolgate.is_some() && plan.toolgate.is_none() {
        let kept = machine::WITH_SYMBOLS;
        println!(
            "\nThe release build has no symbols. For toolgate's own functions: `{kept}`, then --toolgate with what that builds."
        );
    }
    Ok(())
}

fn report(file: &Path, by: &str) -> anyhow::Result<String> {
    let said = Command::new("perf")
        .args(["report", "--stdio", "--no-children", "--sort", by, "--percent-limit", "0.5", "-i"])
        .arg(file)
        .output()?;
    let said = String::from_utf8_lossy(&said.stdout);
    let lines = said.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    Ok(lines
        .take(LINES)
        .map(|line| line.trim_end_matches([' ', '-']).chars().take(140).collect::<String>())
        .collect::<Vec<_>>()
        .join("\n"))
}
