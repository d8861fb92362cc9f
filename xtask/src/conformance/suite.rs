//! Runs the suite and reads the files it leaves: one `checks.json` for each scenario.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use tokio::time::timeout;

use super::fixture::Fixture;
use super::plan::Era;

/// A scenario's own bound, in the suite's unit, milliseconds. The slowest waits 10 s for a stream that stays open.
const SCENARIO_MS: &str = "20000";
const SUITE: Duration = Duration::from_secs(1_200);
/// `-2026-11-21T03-02-34-585Z`, which the suite appends to the name of a scenario's folder.
const STAMP_LENGTH: usize = 25;

/// A scenario and what came of it.
pub(super) struct Scenario {
    pub(super) name: String,
    /// Whether it counts for the revision; the others are run for information.
    pub(super) scored: bool,
    /// Empty when the suite could not run it.
    pub(super) checks: Vec<Check>,
}

/// One thing that the suite looked at.
#[derive(Deserialize)]
pub(super) struct Check {
    pub(super) id: String,
    pub(super) status: Status,
    #[serde(rename = "errorMessage", default)]
    pub(super) message: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Status {
    Success,
    Failure,
    /// Something the specification only recommends is missing.
    Warning,
    Skipped,
    Info,
}

/// Runs every scenario that the revision of `era` asks of a server.
pub(super) async fn all_scenarios(
    fixture: &Fixture,
    era: Era,
    url: &str,
    folder: &Path,
) -> anyhow::Result<Vec<Scenario>> {
    let results = folder.join("results");
    let log = folder.join("suite.log");
    let output = File::create(&log)?;
    let mut command = fixture.suite();
    command
        .args(["server", "--url", url, "--requirements", era.revision(), "--timeout", SCENARIO_MS, "--output-dir"])
        .arg(&results)
        .stdin(Stdio::null())
        .stderr(output.try_clone()?)
        .stdout(output)
        .kill_on_drop(true);
    // The exit code is not asked: what counts is in the files, and is judged against what is expected.
    timeout(SUITE, command.status()).await.context("the suite took too long")??;
    read_results(&fixture.requirements(era)?, &results).with_context(|| format!("see {}", log.display()))
}

/// Runs one scenario, with all its output to ours. Returns whether it passed.
pub(super) async fn one_scenario(
    fixture: &Fixture,
    era: Era,
    url: &str,
    name: &str,
    folder: &Path,
) -> anyhow::Result<bool> {
    let mut command = fixture.suite();
    command
        .args(["server", "--url", url, "--spec-version", era.revision(), "--scenario", name, "--timeout", SCENARIO_MS])
        .args(["--verbose", "--output-dir"])
        .arg(folder.join("results"))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let status = timeout(SUITE, command.status()).await.context("the suite took too long")??;
    Ok(status.success())
}

fn read_results(requirements: &str, results: &Path) -> anyhow::Result<Vec<Scenario>> {
    let mut checks = HashMap::new();
    for entry in std::fs::read_dir(results).context("the suite left no results")? {
        let entry = entry?;
        let Some(scenario) = scenario_of(&entry.file_name().to_string_lossy()).map(str::to_owned) else { continue };
        let file = entry.path().join("checks.json");
        // A scenario that broke down leaves its folder empty.
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        let found: Vec<Check> = serde_json::from_str(&text).with_context(|| file.display().to_string())?;
        checks.insert(scenario, found);
    }
    let scenarios: Vec<_> = server_scenarios(requirements)
        .map(|(name, scored)| Scenario {
            name: name.to_owned(),
            scored,
            checks: checks.remove(name).unwrap_or_default(),
        })
        .collect();
    if scenarios.is_empty() {
        bail!("the suite names no scenarios for servers");
    }
    Ok(scenarios)
}

/// `server-tools-list-2026-11-21T03-02-34-231Z` is the folder of `tools-list`.
fn scenario_of(folder: &str) -> Option<&str> {
    let name = folder.strip_prefix("server-")?;
    name.get(..name.len().checked_sub(STAMP_LENGTH)?)
}

/// The names in a file of requirements, and whether each is scored. Of YAML it has only what is read here:
/// `server:` with a list of names, and `not_scored:` with a list of mappings that begin with `scenario` and `leg`.
fn server_scenarios(requirements: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut section = "";
    let mut unscored = "";
    requirements.lines().filter_map(move |line| {
        if let Some(key) = line.strip_suffix(':').filter(|key| !key.starts_with([' ', '#'])) {
            section = key;
            return None;
        }
        let line = line.trim();
        match section {
            "server" => line.strip_prefix("- ").map(|name| (name, true)),
            "not_scored" => {
                unscored = line.strip_prefix("- scenario: ").unwrap_or(unscored);
                (line == "leg: server").then_some((unscored, false))
            }
            _ => None,
        }
    })
}

// === impl Scenario ===

impl Scenario {
    /// As the suite scores it: it ran, and nothing failed.
    pub(super) fn passed(&self) -> bool {
        !self.checks.is_empty() && self.count(Status::Failure) == 0
    }

    pub(super) fn count(&self, status: Status) -> usize {
        self.checks.iter().filter(|check| check.status == status).count()
    }
}

// === impl Check ===

impl Check {
    /// Whether the suite found fault. A warning counts: through a gateway nothing should get worse.
    pub(super) fn is_bad(&self) -> bool {
        matches!(self.status, Status::Failure | Status::Warning)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUIREMENTS: &str = "\
# a comment:
server:
  - ping
  - tools-list

client:
  - initialize

not_scored:
  - scenario: auth/dpop
    leg: client
    reason: extension
  - scenario: server-sse-polling
    leg: server
    reason: pending
    note: >-
      on hold
";

    #[test]
    fn requirements_are_read_for_servers_only() {
        let found: Vec<_> = server_scenarios(REQUIREMENTS).collect();
        assert_eq!(found, [("ping", true), ("tools-list", true), ("server-sse-polling", false)]);
    }

    #[test]
    fn results_are_found_by_scenario_and_a_missing_one_has_not_passed() {
        let folder = tempfile::tempdir().unwrap();
        let ping = folder.path().join("server-ping-2026-11-21T03-02-34-231Z");
        std::fs::create_dir(&ping).unwrap();
        let checks = r#"[{"id":"ping","name":"Ping","status":"SUCCESS"},{"id":"note","status":"INFO","details":{}}]"#;
        std::fs::write(ping.join("checks.json"), checks).unwrap();

        let scenarios = read_results(REQUIREMENTS, folder.path()).unwrap();

        assert_eq!(scenarios.iter().map(Scenario::passed).collect::<Vec<_>>(), [true, false, false]);
        assert_eq!(scenarios[0].count(Status::Success), 1);
    }
}
