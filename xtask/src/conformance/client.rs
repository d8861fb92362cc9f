//! The suite's scenarios for clients: the suite plays a server, and toolgate's upstream side is the client.
//!
//! `fixtures/conformance/upstream.mjs` starts a toolgate whose only upstream is the suite's server, and calls through it.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::fixture::Fixture;
use super::plan::Era;
use super::results::{self, Scenario};
use super::suite;

/// A scenario's own bound in milliseconds.
const SCENARIO_MS: &str = "30000";
/// How many scenarios, each with a toolgate of its own, run at a time.
const ABREAST: usize = 4;

/// The scenarios that say something of a gateway. Not here: those of authorization, and three in which a host verifies the
/// files of a skill, which a gateway hands on as they are.
const SCENARIOS: [(Era, &[&str]); 2] = [
    (
        Era::Legacy,
        &[
            "initialize",
            "tools_call",
            "elicitation-sep1034-client-defaults",
            "sse-retry",
            "json-schema-2020-12-preservation",
        ],
    ),
    (
        Era::Modern,
        &[
            "tools_call",
            "request-metadata",
            "sep-2322-client-request-state",
            "http-standard-headers",
            "http-custom-headers",
            "http-invalid-tool-headers",
            "json-schema-ref-no-deref",
            "json-schema-2020-12-preservation",
            "sep-2640-client-no-prefetch",
        ],
    ),
];

/// Runs all of them through `toolgate`. Returns what came of them by the era of the suite's server.
pub(super) async fn all_scenarios(
    fixture: &Fixture,
    toolgate: &Path,
    folder: &Path,
) -> anyhow::Result<Vec<(Era, Vec<Scenario>)>> {
    let mut running = JoinSet::new();
    let abreast = Arc::new(Semaphore::new(ABREAST));
    for (era, scenarios) in SCENARIOS {
        let folder = folder.join(era.name());
        std::fs::create_dir_all(&folder)?;
        for scenario in scenarios {
            let command = command(fixture, toolgate, era, scenario, &folder);
            let (abreast, log) = (Arc::clone(&abreast), folder.join(format!("{scenario}.log")));
            running.spawn(async move {
                let _place = abreast.acquire().await?;
                suite::finish(command, &log).await
            });
        }
    }
    running.join_all().await.into_iter().collect::<anyhow::Result<()>>()?;
    let results = SCENARIOS.iter().map(|(era, scenarios)| {
        let results = folder.join(era.name()).join("results");
        let named = scenarios.iter().map(|name| (*name, true));
        Ok((*era, results::read(&results, "", named)?))
    });
    results.collect()
}

/// Runs one scenario in each era that has it, with all its output to ours. Returns whether it passed.
pub(super) async fn one_scenario(
    fixture: &Fixture,
    toolgate: &Path,
    name: &str,
    folder: &Path,
) -> anyhow::Result<bool> {
    let eras = SCENARIOS.iter().filter(|(_, scenarios)| scenarios.contains(&name));
    let mut passed = true;
    for (era, _) in eras {
        println!("=== {} server: {name}", era.name());
        let mut command = command(fixture, toolgate, *era, name, folder);
        let status = command.arg("--verbose").stdin(Stdio::null()).kill_on_drop(true).status().await;
        passed &= status.context("cannot run the suite")?.success();
    }
    Ok(passed)
}

fn command(fixture: &Fixture, toolgate: &Path, era: Era, scenario: &str, folder: &Path) -> Command {
    let mut command = fixture.suite();
    command
        .args(["client", "--spec-version", era.revision(), "--scenario", scenario, "--force"])
        .args(["--timeout", SCENARIO_MS, "--command", &fixture.upstream_client(), "--output-dir"])
        .arg(folder.join("results"))
        .env("GATEWAY", toolgate)
        .env("SCRATCH", folder);
    command
}
