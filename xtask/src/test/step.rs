//! The steps of the test command, and what each runs.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, bail};
use clap::{Parser as _, ValueEnum};
use serde_json::Value;

use crate::Chore;

/// Seconds for each fuzz target: enough to see that nothing broke that was found before. Who looks for more gives it more.
const FUZZ_SECONDS: &str = "7";

/// One step, from the cheap to the dear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Step {
    /// Formatting.
    Fmt,
    /// The laws.
    Tidy,
    /// Lints.
    Clippy,
    /// Unit and integration tests.
    Test,
    /// Fuzz targets.
    Fuzz,
    /// The binary that the next steps use.
    Build,
    /// The official suite.
    Conformance,
    /// The control API, held against its document.
    Admin,
    /// Clients that we did not write.
    Clients,
    /// Agents of frameworks that search and call.
    Frameworks,
}

/// What earlier steps leave for later ones.
#[derive(Default)]
pub(super) struct State {
    /// The binary; without it a chore builds its own.
    toolgate: Option<PathBuf>,
}

// === impl Step ===

impl Step {
    /// What it does, in words.
    pub(super) fn about(self) -> &'static str {
        match self {
            Self::Fmt => "one formatting",
            Self::Tidy => "the laws of ARCHITECTURE.md",
            Self::Clippy => "no warning in any target",
            Self::Test => "unit and integration tests of all crates",
            Self::Fuzz => "what must hold for any bytes at all, for a bounded time",
            Self::Build => "the binary for the steps that follow",
            Self::Conformance => "the official MCP conformance suite, through toolgate",
            Self::Admin => "requests that fit the control API's document, and requests that do not",
            Self::Clients => "MCP clients that we did not write, through toolgate",
            Self::Frameworks => "agents of frameworks that we did not write find and call tools among many",
        }
    }

    /// Whether it belongs to what is run between two changes.
    pub(super) fn is_quick(self) -> bool {
        matches!(self, Self::Fmt | Self::Tidy | Self::Clippy | Self::Test)
    }

    /// Runs it, with what it says in front of the person who asked.
    pub(super) fn run(self, state: &mut State) -> anyhow::Result<()> {
        match self {
            Self::Fmt => {
                // Names of files only: the difference is `cargo fmt` away, and can be long.
                cargo(&["fmt", "--all", "--check", "--", "-l"])?;
                cargo(&["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check", "--", "-l"])
            }
            Self::Tidy => chore(&["tidy"], None),
            Self::Clippy => cargo(&["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]),
            Self::Test => cargo(&["test", "--workspace"]),
            Self::Fuzz => chore(&["fuzz", "--seconds", FUZZ_SECONDS], None),
            Self::Build => {
                state.toolgate = Some(build()?);
                Ok(())
            }
            Self::Conformance => chore(&["conformance"], state.toolgate.as_deref()),
            Self::Admin => chore(&["admin"], state.toolgate.as_deref()),
            Self::Clients => chore(&["clients"], state.toolgate.as_deref()),
            Self::Frameworks => chore(&["frameworks"], state.toolgate.as_deref()),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value().expect("no step is hidden from the command line");
        f.write_str(value.get_name())
    }
}

/// Another chore of ours, in this process: the program file may be replaced by a build in between.
fn chore(words: &[&str], toolgate: Option<&Path>) -> anyhow::Result<()> {
    let words = ["cargo xtask"].into_iter().chain(words.iter().copied()).map(Into::into);
    let binary = toolgate.into_iter().flat_map(|path| ["--toolgate".into(), path.into()]);
    Chore::try_parse_from(words.chain(binary).collect::<Vec<std::ffi::OsString>>())?.run()
}

fn cargo(words: &[&str]) -> anyhow::Result<()> {
    let status = crate::cargo::cargo().args(words).status().context("cannot run cargo")?;
    if !status.success() {
        bail!("cargo {}: {status}", words.join(" "));
    }
    Ok(())
}

/// Builds toolgate. Returns the binary's path, as cargo tells it.
///
/// Together with the tests, which are built already: alone, some of its dependencies would have fewer features than the
/// tests ask of them, and would be built a second time.
fn build() -> anyhow::Result<PathBuf> {
    let words = ["build", "--workspace", "--tests", "--bin", "toolgate", "--message-format", "json-render-diagnostics"];
    let output = crate::cargo::cargo().args(words).stderr(Stdio::inherit()).output().context("cannot run cargo")?;
    if !output.status.success() {
        bail!("toolgate does not build");
    }
    let messages =
        output.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let is_it = |message: &Value| {
        let target = &message["target"];
        target["name"] == "toolgate" && target["kind"][0] == "bin" && message["profile"]["test"] == false
    };
    let mut ours = messages.filter(is_it);
    let binary = ours.find_map(|message| message["executable"].as_str().map(PathBuf::from));
    binary.context("cargo built no binary named toolgate")
}
