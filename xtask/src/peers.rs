//! `cargo xtask peers`: what it costs a model to find and call tools, and what is left of the answers, in four ways: with
//! every server's tools listed, through toolgate, and through two peers from PyPI.
//!
//! The same client uses the same servers through each of them and writes down all that it was shown and answered
//! (`fixtures/peers/measure.py`); here tokens are counted and put into tables. Each peer is set up as its documentation
//! says; where a setting would be unfair to it, the more favourable one is taken, and docs/discovery-peers.md says which.
//!
//! The story of a run: [`stage`] installs and starts, [`scenario`] says what stands behind the fronts and what is asked,
//! [`front`] starts one front after the other, [`transcript`] reads what the client wrote, [`figures`] counts, [`report`]
//! prints.

mod figures;
mod front;
mod report;
mod scenario;
pub(crate) mod stage;
mod transcript;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::ValueEnum as _;
use figures::Figures;
use front::Front;
use scenario::Scenario;
use stage::Stage;
use tokio::process::Command;
use toolgate_discovery::Tokens;
use transcript::Transcript;

/// One client's work at one front. A peer that connects to 70 servers for every request needs minutes for it.
const CLIENT_LIMIT: Duration = Duration::from_secs(20 * 60);

/// Options of `cargo xtask peers`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The toolgate to compare, instead of building one.
    #[arg(long, value_name = "PATH")]
    toolgate: Option<PathBuf>,
    /// Only these fronts beside `direct`; may be given several times.
    #[arg(long, value_enum, value_name = "FRONT")]
    only: Vec<Front>,
    /// Only these scenarios; may be given several times.
    #[arg(long, value_enum, value_name = "SCENARIO")]
    scenario: Vec<Scenario>,
    /// Puts the tables into docs/discovery-peers.md; the prose around them stays.
    #[arg(long, conflicts_with_all = ["only", "scenario"])]
    write: bool,
    /// Keeps the transcripts and logs here.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Goes on with an interrupted run: where there is a transcript already, it counts.
    #[arg(long, requires = "keep")]
    resume: bool,
}

/// Compares the fronts and prints tables.
///
/// # Errors
/// When something cannot be installed or started, or a client cannot do its work.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    crate::process::until_interrupted(attempt(&args))
}

async fn attempt(args: &Args) -> anyhow::Result<()> {
    let stage = Stage::prepare().await?;
    let python = stage.environment("peers", "python.lock").await?;
    let toolgate = stage::toolgate_binary(args.toolgate.as_deref()).await?;
    let folder = match &args.keep {
        Some(folder) => folder.clone(),
        None => tempfile::Builder::new().prefix("toolgate-peers-").tempdir()?.keep(),
    };
    std::fs::create_dir_all(&folder)?;
    let folder = folder.canonicalize()?;
    let run = Run { stage: &stage, python: &python, toolgate: &toolgate, folder: &folder, args };
    let transcripts = run.all().await.with_context(|| format!("logs are in {}", folder.display()))?;
    let tokens = Tokens::new();
    let figures: Vec<Figures> = transcripts.iter().map(|read| Figures::of(read, &transcripts, &tokens)).collect();
    let text = report::tables(&figures, &transcripts);
    println!("{text}");
    if args.write {
        report::write(&text)?;
    }
    match &args.keep {
        Some(folder) => println!("transcripts and logs are in {}", folder.display()),
        None => std::fs::remove_dir_all(&folder)?,
    }
    Ok(())
}

/// What all parts of a run share.
struct Run<'a> {
    stage: &'a Stage,
    python: &'a Path,
    toolgate: &'a Path,
    folder: &'a Path,
    args: &'a Args,
}

// === impl Run ===

impl Run<'_> {
    /// Every front in every scenario, the direct way first: it is what the others are held against.
    async fn all(&self) -> anyhow::Result<Vec<Transcript>> {
        let mut transcripts = Vec::new();
        for &scenario in Scenario::value_variants() {
            if !self.args.scenario.is_empty() && !self.args.scenario.contains(&scenario) {
                continue;
            }
            let Some(scene) = scenario.open(self.stage, self.python, self.folder).await? else { continue };
            for &front in Front::value_variants() {
                let wanted = self.args.only.is_empty() || self.args.only.contains(&front) || front == Front::Direct;
                if wanted && front.plays_in(scenario) {
                    println!("{scenario}: {front} …");
                    transcripts.push(self.one(&scene, front).await.with_context(|| format!("{scenario}: {front}"))?);
                }
            }
        }
        Ok(transcripts)
    }

    /// One client at one front.
    async fn one(&self, scene: &scenario::Scene, front: Front) -> anyhow::Result<Transcript> {
        let name = |front: Front| format!("{}-{}", scene.scenario, front.slug());
        let folder = self.folder.join(name(front));
        let out = folder.join("transcript.json");
        if self.args.resume && out.is_file() {
            return Transcript::read(&out, scene.scenario, front);
        }
        let place = scene.place(&folder, front, self.stage, self.python)?;
        let running = front.start(&place, self.toolgate, self.python, scene.scenario).await?;
        let mut command = Command::new(self.python);
        command.arg(stage::fixture("peers/measure.py")).arg(front.adapter()).arg(running.url());
        command.arg("--servers").arg(&place.servers).arg("--plan").arg(&place.plan);
        command.arg("--out").arg(&out);
        if front != Front::Direct {
            command.arg("--direct").arg(self.folder.join(name(Front::Direct)).join("transcript.json"));
        }
        crate::process::succeed("the client", &mut command, CLIENT_LIMIT).await?;
        if front == Front::Toolgate {
            running.end().await?;
        }
        Transcript::read(&out, scene.scenario, front)
    }
}
