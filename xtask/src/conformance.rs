//! `cargo xtask conformance`: the official MCP conformance suite, with toolgate between it and a server of our own.
//!
//! toolgate runs in transparent mode, so that the suite should see no difference from the server itself. A cell is the
//! client's era over the upstream's; the suite plays the client, and the fixture is held to the upstream era at both
//! ends (its own flag, and the pin in toolgate's configuration), so that no cell can pass by quietly being another.
//! What may fail stands with its reason in `fixtures/conformance/expected`; anything worse, or better, is a failure here.
//! Of what the suite does not score only what gets worse is.
//!
//! The other way round, the suite plays servers and toolgate's upstream side is the client ([`client`]).

mod client;
mod expected;
mod fixture;
mod gateway;
mod plan;
mod recorded;
mod report;
mod results;
mod service;
mod suite;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use expected::{Expected, Judgement};
use fixture::Fixture;
use gateway::Toolgate;
use plan::{Behind, Cell, Era, Run, Transport};
use recorded::Recorded;
use report::Row;
use results::Scenario;

/// How many differences from the expectation are told of each run: when nothing works, the first ones say why.
const FAULTS_TOLD: usize = 40;
/// How many runs go on at a time.
const ABREAST: usize = 3;

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
    /// Only the scenarios in which toolgate is the client.
    #[arg(long, conflicts_with_all = ["cell", "transport", "direct"])]
    client: bool,
    /// Use this binary instead of building one.
    #[arg(long, value_name = "PATH")]
    toolgate: Option<PathBuf>,
    /// Build toolgate with the release profile.
    #[arg(long, conflicts_with = "toolgate")]
    release: bool,
    /// Write the tables to docs/conformance.md, and record how many checks pass.
    #[arg(long, conflicts_with_all = ["cell", "transport", "scenario", "direct", "client"])]
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
    let mut session = Session::new(&fixture, toolgate.as_deref(), args)?;
    if !args.client {
        session.servers().await?;
    }
    if args.client || (args.cell.is_empty() && args.transport.is_none() && args.scenario.is_none() && !args.direct) {
        session.clients().await;
    }
    session.end()
}

/// All runs of one start of the chore, and what came of them.
struct Session<'a> {
    args: &'a Args,
    fixture: &'a Fixture,
    /// The binary, unless the suite runs on the fixture itself.
    toolgate: Option<&'a Path>,
    recorded: Recorded,
    servers: Vec<Row>,
    clients: Vec<Row>,
    faults: Vec<String>,
    /// What is better than it has to be.
    notes: Vec<String>,
}

// === impl Session ===

impl<'a> Session<'a> {
    fn new(fixture: &'a Fixture, toolgate: Option<&'a Path>, args: &'a Args) -> anyhow::Result<Self> {
        let recorded = Recorded::read(fixture.folder())?;
        let (servers, clients) = (Vec::new(), Vec::new());
        Ok(Session { args, fixture, toolgate, recorded, servers, clients, faults: Vec::new(), notes: Vec::new() })
    }

    /// The suite as a client, of toolgate or of the fixture itself. Much of a run is waiting, so a few go on at a time.
    async fn servers(&mut self) -> anyhow::Result<()> {
        let runs = plan::runs(&self.args.cell, self.args.transport, self.args.direct);
        let abreast = Arc::new(Semaphore::new(if self.args.scenario.is_some() { 1 } else { ABREAST }));
        let mut running = JoinSet::new();
        for (at, run) in runs.iter().copied().enumerate() {
            let stage = Stage {
                fixture: self.fixture.clone(),
                toolgate: self.toolgate.map(Path::to_owned),
                folder: work().join(run.to_string()),
                scenario: self.args.scenario.clone(),
            };
            let abreast = Arc::clone(&abreast);
            running.spawn(async move {
                let _place = abreast.acquire().await?;
                anyhow::Ok((at, stage.run(run).await))
            });
        }
        let mut ended = running.join_all().await.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
        ended.sort_by_key(|(at, _)| *at);
        for (at, outcome) in ended {
            let run = runs[at];
            let folder = work().join(run.to_string());
            let row = match outcome.with_context(|| format!("{run} (logs in {})", folder.display())) {
                Ok(None) => continue,
                Ok(Some(scenarios)) => self.judged(run.cell(), run.transport(), run.client, scenarios, &folder),
                Err(error) => Err(error),
            };
            match row {
                Ok(row) => self.servers.push(row),
                Err(error) => self.faults.push(format!("{error:#}")),
            }
        }
        Ok(())
    }

    /// The suite as a server, and toolgate its client.
    async fn clients(&mut self) {
        let folder = work().join("client");
        if let Err(error) = self.try_clients(&folder).await {
            self.faults.push(format!("toolgate as the client (logs in {}): {error:#}", folder.display()));
        }
    }

    async fn try_clients(&mut self, folder: &Path) -> anyhow::Result<()> {
        emptied(folder)?;
        let toolgate = self.toolgate.context("no toolgate was built")?;
        if let Some(scenario) = &self.args.scenario {
            if !client::one_scenario(self.fixture, toolgate, scenario, folder).await? {
                self.faults.push(format!("{scenario} failed"));
            }
            return Ok(());
        }
        for (era, scenarios) in client::all_scenarios(self.fixture, toolgate, folder).await? {
            let row = self.judged(format!("client-of-{}", era.name()), "http", era, scenarios, folder)?;
            self.clients.push(row);
        }
        Ok(())
    }

    /// Holds what came of a run against what is expected of it.
    fn judged(
        &mut self,
        cell: String,
        transport: &'static str,
        era: Era,
        scenarios: Vec<Scenario>,
        folder: &Path,
    ) -> anyhow::Result<Row> {
        let run = format!("{cell}-{transport}");
        let mut expected = Expected::read(&self.fixture.folder().join("expected"), &cell)?;
        // One file serves both transports, but not all scenarios are run over both.
        expected.entries.retain(|entry| transport == "http" || !suite::is_unlisted(&entry.scenario));
        let Judgement { faults, notes } = Judgement::of(&scenarios, &expected, &self.recorded.of(&run));
        self.faults.extend(faults.iter().take(FAULTS_TOLD).map(|fault| format!("{run}: {fault}")));
        if faults.len() > FAULTS_TOLD {
            let more = faults.len() - FAULTS_TOLD;
            self.faults.push(format!("{run}: and {more} more; all are in {}", folder.display()));
        }
        self.notes.extend(notes.iter().map(|note| format!("{run}: {note}")));
        self.recorded.set(run, &scenarios);
        let row = Row { cell, transport, revision: era.revision(), scenarios, expected };
        println!("{}", report::headline(&row));
        Ok(row)
    }

    /// Prints and writes what there is to say.
    fn end(self) -> anyhow::Result<()> {
        if !self.servers.is_empty() {
            println!("\n{}", report::summary(&self.servers));
            println!("{}", report::matrix(&self.servers, |scenario| !scenario.scored));
        }
        if !self.clients.is_empty() {
            println!("{}", report::matrix(&self.clients, |_| true));
        }
        if self.args.write && self.faults.is_empty() {
            let page = repository().join("docs/conformance.md");
            std::fs::write(&page, report::page(&self.fixture.suite_version()?, &self.servers, &self.clients))?;
            self.recorded.write(self.fixture.folder())?;
            println!("written: {}", page.display());
        } else if !self.notes.is_empty() {
            println!("better than recorded (`cargo xtask conformance --write` records it):");
            self.notes.iter().for_each(|note| println!("  {note}"));
        }
        for fault in &self.faults {
            eprintln!("{fault}");
        }
        if !self.faults.is_empty() {
            bail!("conformance is not as expected");
        }
        Ok(())
    }
}

/// Where one run takes place.
struct Stage {
    fixture: Fixture,
    /// The binary, unless the suite runs on the fixture itself.
    toolgate: Option<PathBuf>,
    /// For logs, the configuration and the suite's results; emptied before each run, kept after it.
    folder: PathBuf,
    scenario: Option<String>,
}

// === impl Stage ===

impl Stage {
    /// Starts what the run needs, runs the suite, ends it all. Returns what came of the scenarios, or nothing if a single one
    /// was asked for and passed.
    async fn run(&self, run: Run) -> anyhow::Result<Option<Vec<Scenario>>> {
        emptied(&self.folder)?;
        let (url, services) = self.start(run).await?;
        let result = self.suite(run, &url).await;
        for service in services {
            service.stop().await?;
        }
        result
    }

    /// Starts the fixture and toolgate before it. Returns the URL for the suite, and what must be stopped in this order.
    async fn start(&self, run: Run) -> anyhow::Result<(String, Vec<service::Service>)> {
        let (upstream, transport) = match run.behind {
            Behind::Fixture => {
                let (fixture, url) = self.fixture.serve_http("dual", &self.folder).await?;
                return Ok((url, vec![fixture]));
            }
            Behind::Toolgate { upstream, transport } => (upstream, transport),
        };
        let toolgate =
            Toolgate { binary: self.toolgate.as_deref().context("no toolgate was built")?, folder: &self.folder };
        match transport {
            Transport::Http => {
                let (fixture, url) = self.fixture.serve_http(upstream.name(), &self.folder).await?;
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

    async fn suite(&self, run: Run, url: &str) -> anyhow::Result<Option<Vec<Scenario>>> {
        let Some(scenario) = &self.scenario else {
            return suite::all_scenarios(&self.fixture, run, url, &self.folder).await.map(Some);
        };
        println!("=== {run}: {scenario}");
        if !suite::one_scenario(&self.fixture, run.client, url, scenario, &self.folder).await? {
            bail!("{scenario} failed");
        }
        Ok(None)
    }
}

/// Where logs and results are left.
fn work() -> PathBuf {
    repository().join("target/conformance")
}

/// Makes the folder, with nothing of an earlier run in it.
fn emptied(folder: &Path) -> anyhow::Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())
}

/// The root of the repository: this crate's parent folder.
fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate xtask lies in a folder of the repository")
}
