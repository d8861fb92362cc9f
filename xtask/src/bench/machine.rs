//! Where and with what the figures came about, and the builds that are measured.

use super::targets::Parts;
use super::{Plan, nginx, toolgate};
use anyhow::{Context, bail};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Builds toolgate as for release, but with the names of its functions, beside the release build.
pub(super) const WITH_SYMBOLS: &str =
    "CARGO_PROFILE_RELEASE_STRIP=none cargo build --release --package toolgate --target-dir target/symbols";

/// Builds one of our packages for release.
///
/// # Errors
/// When it does not build.
pub(super) fn cargo_build(package: &str) -> anyhow::Result<()> {
    eprintln!("building {package} for release");
    // One package at a time: built together they would share dependency features, and differ from what is shipped.
    let status = cargo().args(["build", "--quiet", "--release", "--package", package]).status()?;
    if !status.success() {
        bail!("{package} does not build");
    }
    Ok(())
}

/// Where cargo puts a release binary.
///
/// # Errors
/// When cargo does not say, or there is none.
pub(super) fn release_binary(name: &str) -> anyhow::Result<PathBuf> {
    let said = cargo().args(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    let said: serde_json::Value = serde_json::from_slice(&said.stdout).context("cargo metadata says nothing")?;
    let folder = said["target_directory"].as_str().context("cargo metadata names no target directory")?;
    let file = PathBuf::from(folder).join("release").join(name);
    if !file.is_file() {
        bail!("there is no {}", file.display());
    }
    Ok(file)
}

/// One line each on date, machine, versions and how it was measured, as a Markdown list.
pub(super) fn describe(plan: &Plan, parts: &Parts) -> String {
    let mut lines = vec![
        format!("date: {}", said("date", &["-u", "+%Y-%m-%d"])),
        format!(
            "machine: {} cores ({}), Linux {}, load average {} after the run",
            std::thread::available_parallelism().map_or(0, usize::from),
            processor(),
            first_word("/proc/sys/kernel/osrelease"),
            first_word("/proc/loadavg"),
        ),
        format!(
            "measured: {} rounds, {} s for each cell of each round after a warm-up, medians over the rounds",
            plan.rounds, plan.seconds
        ),
    ];
    if let Some(program) = &parts.toolgate {
        let version = toolgate::version(program).unwrap_or_else(|| "unknown".to_owned());
        lines.push(format!("toolgate: {version} (commit {}), {}", commit(), said("rustc", &["--version"])));
    }
    if let Some(version) = nginx::version(plan) {
        lines.push(format!("nginx: {version}, worker_processes {}", plan.nginx_workers));
    }
    lines.iter().map(|line| format!("- {line}\n")).collect()
}

/// The commit of the source, and whether the source has moved on since.
fn commit() -> String {
    let hash = said("git", &["rev-parse", "--short", "HEAD"]);
    let changed = said("git", &["status", "--porcelain", "--untracked-files=no", "crates", "Cargo.toml", "Cargo.lock"]);
    if changed.is_empty() { hash } else { format!("{hash} with changes") }
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    name.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}

fn first_word(file: &str) -> String {
    fs::read_to_string(file).unwrap_or_default().split_whitespace().next().unwrap_or("unknown").to_owned()
}

/// What a program prints; empty when it is not there.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

fn cargo() -> Command {
    // Set by cargo itself; the plain name is for those who run the binary by hand.
    crate::cargo::cargo()
}
