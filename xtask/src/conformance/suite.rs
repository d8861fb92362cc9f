//! Runs the suite's scenarios for servers.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::fixture::Fixture;
use super::plan::{Era, Run};
use super::results::{self, Scenario};

/// A scenario's own bound, in the suite's unit, milliseconds. The slowest waits 10 s for a stream that stays open.
const SCENARIO_MS: &str = "20000";
const SUITE: Duration = Duration::from_secs(1_200);
/// Scenarios that no revision's list names, not even as unscored: extensions that the suite learnt after the lists were
/// closed (`conformance list` has them all). They make sense in either era.
const UNLISTED: [&str; 3] = ["sep-2640-skills-directory", "sep-2640-skills-enumeration", "sep-2640-skills-manifest"];

/// Runs every scenario that the revision of the run's client asks of a server, and those that no list has.
pub(super) async fn all_scenarios(
    fixture: &Fixture,
    run: Run,
    url: &str,
    folder: &Path,
) -> anyhow::Result<Vec<Scenario>> {
    let results = folder.join("results");
    let revision = run.client.revision();
    let log = folder.join("suite.log");
    let mut command = server(fixture, url, &results);
    command.args(["--requirements", revision]);
    finish(command, &log).await?;

    // The way to the upstream makes no difference that the others do not show.
    let unlisted = if run.is_over_http() { &UNLISTED[..] } else { &[] };
    let mut running = JoinSet::new();
    for scenario in unlisted {
        let mut command = server(fixture, url, &results);
        command.args(["--spec-version", revision, "--scenario", scenario, "--force"]);
        let log = folder.join(format!("{scenario}.log"));
        running.spawn(async move { finish(command, &log).await });
    }
    running.join_all().await.into_iter().collect::<anyhow::Result<()>>()?;

    let requirements = fixture.requirements(run.client)?;
    let named = server_scenarios(&requirements).chain(unlisted.iter().map(|name| (*name, false)));
    let scenarios = results::read(&results, "server-", named).with_context(|| format!("see {}", log.display()))?;
    if scenarios.is_empty() {
        bail!("the suite names no scenarios for servers");
    }
    Ok(scenarios)
}

/// Whether a scenario is run over HTTP only, because no list has it.
pub(super) fn is_unlisted(scenario: &str) -> bool {
    UNLISTED.contains(&scenario)
}

/// Runs one scenario, with all its output to ours. Returns whether it passed.
pub(super) async fn one_scenario(
    fixture: &Fixture,
    era: Era,
    url: &str,
    name: &str,
    folder: &Path,
) -> anyhow::Result<bool> {
    let mut command = server(fixture, url, &folder.join("results"));
    // Forced, because an extension belongs to no revision.
    command.args(["--spec-version", era.revision(), "--scenario", name, "--force", "--verbose"]);
    let status = timeout(SUITE, command.status()).await.context("the suite took too long")??;
    Ok(status.success())
}

fn server(fixture: &Fixture, url: &str, results: &Path) -> Command {
    let mut command = fixture.suite();
    command
        .args(["server", "--url", url, "--timeout", SCENARIO_MS, "--output-dir"])
        .arg(results)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Runs the suite to its end, with what it says in a file. Its exit code is not asked: what counts is in the results, and is
/// judged against what is expected.
pub(super) async fn finish(mut command: Command, log: &Path) -> anyhow::Result<()> {
    let output = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    command.stdin(Stdio::null()).stderr(output.try_clone()?).stdout(output).kill_on_drop(true);
    timeout(SUITE, command.status()).await.context("the suite took too long")??;
    Ok(())
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
}
