//! `cargo xtask conformance`: the official MCP conformance suite, with toolgate between it and a server of our own.
//!
//! toolgate runs in transparent mode, so that the suite should see no difference from the server itself. A cell is the
//! client's era over the upstream's; the suite plays the client, and the fixture is held to the upstream era at both
//! ends (its own flag, and the pin in toolgate's configuration), so that no cell can pass by quietly being another.
//! What may fail stands with its reason in `fixtures/conformance/expected`; anything worse, or better, is a failure here.

mod expected;
mod fixture;
mod gateway;
mod plan;
mod report;
mod service;
mod suite;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tokio::signal::unix::{SignalKind, signal};

use expected::{Expected, Judgement};
use fixture::Fixture;
use gateway::Toolgate;
use plan::{Behind, Cell, Run, Transport};
use report::Row;

/// How many differences from the expectation are told of each run: when nothing works, the first ones say why.
const FAULTS_TOLD: usize = 40;

/// What to run, and through which toolgate.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only this cell, such as `modern-over-legacy`; may be given several times.
    #[arg(long, value_name = "CELL")]
    cell: Vec<Cell>,
    /// How toolgate reaches the fixture; without it http for every cell, and stdio too where both eras are the same.
    #[arg(long, value_enum)]
    transport: Option<Transport>,
    /// Only this scenario of the suite, with everything the suite has to say about it.
    #[arg(long, value_name = "NAME")]
    scenario: Option<String>,
    /// Run the suite on the fixture itself, without toolgate.
    #[arg(long, conflicts_with_all = ["cell", "transport", "toolgate", "release"])]
    direct: bool,
    /// Use this binary instead of building one.
    #[arg(long, value_name = "PATH")]
    toolgate: Option<PathBuf>,
    /// Build toolgate with the release profile.
    #[arg(long, conflicts_with = "toolgate")]
    release: bool,
    /// Write the table to docs/conformance.md.
    #[arg(long, conflicts_with_all = ["cell", "transport", "scenario", "direct"])]
    write: bool,
}

/// Runs what `args` choose. An error when a cell differs from what is expected of it, or could not be run.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminated = signal(SignalKind::terminate())?;
        // Whichever way this ends, the children are dropped here, and a dropped child is killed.
        tokio::select! {
            result = run_all(&args) => result,
            _ = tokio::signal::ctrl_c() => bail!("interrupted"),
            _ = terminated.recv() => bail!("terminated"),
        }
    })
}

async fn run_all(args: &Args) -> anyhow::Result<()> {
    let fixture = Fixture::installed().await?;
    let toolgate = match (&args.toolgate, args.direct) {
        (_, true) => None,
        (Some(path), false) => Some(path.canonicalize().with_context(|| format!("no toolgate at {}", path.display()))?),
        (None, false) => Some(gateway::build(args.release).await?),
    };
    let work = repository().join("target/conformance");

    let mut rows = Vec::new();
    let mut faults = Vec::new();
    for run in plan::runs(&args.cell, args.transport, args.direct) {
        let folder = work.join(run.to_string());
        let stage = Stage {
            fixture: &fixture,
            toolgate: toolgate.as_deref(),
            folder: &folder,
            scenario: args.scenario.as_deref(),
        };
        match stage.run(run, &mut faults).await.with_context(|| format!("{run} (logs in {})", folder.display())) {
            Ok(Some(row)) => {
                println!("{}", report::headline(&row));
                rows.push(row);
            }
            Ok(None) => {}
            Err(error) => faults.push(format!("{error:#}")),
        }
    }

    if !rows.is_empty() {
        println!("\n{}", report::table(&rows));
    }
    if args.write && faults.is_empty() {
        let page = repository().join("docs/conformance.md");
        std::fs::write(&page, report::page(&fixture.suite_version()?, &rows))?;
        println!("written: {}", page.display());
    }
    for fault in &faults {
        eprintln!("{fault}");
    }
    if !faults.is_empty() {
        bail!("conformance is not as expected");
    }
    Ok(())
}

/// Where one run takes place.
struct Stage<'a> {
    fixture: &'a Fixture,
    /// The binary, unless the suite runs on the fixture itself.
    toolgate: Option<&'a Path>,
    /// For logs, the configuration and the suite's results; emptied before each run, kept after it.
    folder: &'a Path,
    scenario: Option<&'a str>,
}

// === impl Stage ===

impl Stage<'_> {
    /// Starts what the run needs, runs the suite, ends it all. What differs from the expectation is added to `faults`;
    /// a row is returned unless a single scenario was asked for.
    async fn run(&self, run: Run, faults: &mut Vec<String>) -> anyhow::Result<Option<Row>> {
        if self.folder.exists() {
            std::fs::remove_dir_all(self.folder)?;
        }
        std::fs::create_dir_all(self.folder)?;

        let (url, services) = self.start(run).await?;
        let result = self.suite(run, &url, faults).await;
        for service in services {
            if let Err(error) = service.stop().await {
                faults.push(format!("{run}: {error:#}"));
            }
        }
        result
    }

    /// Starts the fixture and toolgate before it. Returns the URL for the suite, and what must be stopped in this order.
    async fn start(&self, run: Run) -> anyhow::Result<(String, Vec<service::Service>)> {
        let (upstream, transport) = match run.behind {
            Behind::Fixture => {
                let (fixture, url) = self.fixture.serve_http("dual", self.folder).await?;
                return Ok((url, vec![fixture]));
            }
            Behind::Toolgate { upstream, transport } => (upstream, transport),
        };
        let toolgate = Toolgate { binary: self.toolgate.context("no toolgate was built")?, folder: self.folder };
        match transport {
            Transport::Http => {
                let (fixture, url) = self.fixture.serve_http(upstream.name(), self.folder).await?;
                let (gateway, url) = toolgate.serve(upstream, &gateway::Reach::Url(url)).await?;
                Ok((url, vec![gateway, fixture]))
            }
            Transport::Stdio => {
                let (gateway, url) =
                    toolgate.serve(upstream, &gateway::Reach::Command(self.fixture.stdio(upstream))).await?;
                Ok((url, vec![gateway]))
            }
        }
    }

    async fn suite(&self, run: Run, url: &str, faults: &mut Vec<String>) -> anyhow::Result<Option<Row>> {
        if let Some(scenario) = self.scenario {
            println!("=== {run}: {scenario}");
            let passed = suite::one_scenario(self.fixture, run.client, url, scenario, self.folder).await?;
            if !passed {
                faults.push(format!("{run}: {scenario} failed"));
            }
            return Ok(None);
        }
        let expected = Expected::read(&self.fixture.folder().join("expected"), run)?;
        let results = suite::all_scenarios(self.fixture, run.client, url, self.folder).await?;
        let judgement = Judgement::of(&results, &expected);
        faults.extend(judgement.faults.iter().take(FAULTS_TOLD).map(|fault| format!("{run}: {fault}")));
        if judgement.faults.len() > FAULTS_TOLD {
            let more = judgement.faults.len() - FAULTS_TOLD;
            faults.push(format!("{run}: and {more} more; all are in {}", self.folder.join("results").display()));
        }
        Ok(Some(Row::new(run, &results, expected)))
    }
}

/// The root of the repository: this crate's parent folder.
fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate xtask lies in a folder of the repository")
}
