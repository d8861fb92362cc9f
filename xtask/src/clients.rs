//! `cargo xtask clients`: MCP clients that we did not write list and call through one running toolgate, all at once.
//!
//! Why: a gateway is right when nobody notices it, and only programs that know nothing of it can tell. So each client
//! carries out the same plan twice removed: once by a raw client of ours straight on every server (the baseline), and
//! once by itself through toolgate. Whatever it is shown and answered must equal the baseline, names aside. Extra
//! entries are no fault (some servers offer more to a client that can do more); missing or altered ones are.
//! Beside that plan, each client that can be asked something calls the tools that ask ([`questions`]), of servers of both eras.
//!
//! The story of a run: [`fixtures`] are installed, [`baseline`] asks every server directly, [`servers`] starts what has
//! to listen and toolgate in front of it, [`roster`] starts every client, [`judge`] compares, [`report`] prints.

mod baseline;
mod fixtures;
mod judge;
mod plan;
mod questions;
mod report;
mod roster;
mod servers;
mod values;

use anyhow::Context as _;
use fixtures::Fixtures;
use plan::Front;
use roster::{Client, Endpoints};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tokio::task::JoinSet;

/// Options of `cargo xtask clients`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The toolgate to try, instead of building one.
    #[arg(long, value_name = "PATH", conflicts_with = "release")]
    toolgate: Option<PathBuf>,
    /// Build and try the release build.
    #[arg(long)]
    release: bool,
    /// Run only clients whose name contains this; may be given several times.
    #[arg(long, value_name = "CLIENT")]
    only: Vec<String>,
    /// Run each client straight on server-everything, without toolgate: this proves the client scripts themselves.
    #[arg(long)]
    direct: bool,
    /// Run the clients one after the other, for finding out which of them does something.
    #[arg(long)]
    one_by_one: bool,
}

/// Runs the clients and prints what they saw.
///
/// # Errors
/// When something cannot be installed or started, or when any client saw a difference.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    crate::process::until_interrupted(attempt(&args))
}

async fn attempt(args: &Args) -> anyhow::Result<()> {
    let clients = roster::chosen(&args.only)?;
    let fixtures = Fixtures::install().await?;
    let scratch = tempfile::Builder::new().prefix("toolgate-clients-").tempdir()?;
    let verdicts = match in_folder(args, &fixtures, &clients, scratch.path()).await {
        Ok(verdicts) => verdicts,
        Err(error) => return Err(error.context(format!("logs are in {}", scratch.keep().display()))),
    };
    report::print(&verdicts);
    let failed = verdicts.iter().filter(|verdict| !verdict.is_good()).count();
    if failed > 0 {
        anyhow::bail!(
            "{failed} of {} failed; plans, documents and logs are in {}",
            verdicts.len(),
            scratch.keep().display()
        );
    }
    Ok(())
}

/// Everything that happens between an empty folder and the verdicts.
async fn in_folder(
    args: &Args,
    fixtures: &Fixtures,
    clients: &[&'static Client],
    folder: &Path,
) -> anyhow::Result<Vec<judge::Verdict>> {
    let places = plan::Places::prepare(folder)?;
    let listening = servers::Listening::start(fixtures, folder).await?;
    let front = if args.direct { Front::direct() } else { Front::gateway() };
    let baselines = baseline::collect(fixtures, &places, front.servers()).await.context("the baseline")?;
    let expected = judge::Expected { front: &front, baselines: &baselines, places: &places };
    if args.direct {
        let endpoints = Endpoints { mcp: listening.http.clone(), sse: listening.sse.clone() };
        return all(args, fixtures, clients, folder, &endpoints, &expected).await;
    }
    let program = servers::toolgate_binary(args.toolgate.as_deref(), args.release).await?;
    let gateway = servers::Gateway::start(&program, fixtures, &listening, &places, folder).await?;
    let endpoints = Endpoints { mcp: gateway.url.clone(), sse: gateway.sse() };
    let mut verdicts = all(args, fixtures, clients, folder, &endpoints, &expected).await?;
    verdicts.push(judge::Verdict::of_the_end(gateway.end().await));
    Ok(verdicts)
}

/// Runs all clients and judges each document.
async fn all(
    args: &Args,
    fixtures: &Fixtures,
    clients: &[&'static Client],
    folder: &Path,
    endpoints: &Endpoints,
    expected: &judge::Expected<'_>,
) -> anyhow::Result<Vec<judge::Verdict>> {
    let mut documents = BTreeMap::new();
    let mut running = JoinSet::new();
    for &client in clients {
        let plan = expected.front.plan(client.name, expected.places);
        let launch = roster::Launch::prepare(client, fixtures, endpoints, &plan, args.direct, folder)?;
        running.spawn(async move { (client.name, launch.run().await) });
        if args.one_by_one {
            documents.extend(running.join_next().await.transpose()?);
        }
    }
    while let Some(document) = running.join_next().await.transpose()? {
        documents.extend([document]);
    }
    let verdict = |client: &&'static Client| {
        let document = documents.remove(client.name).context("the client was not run").and_then(|document| document);
        judge::judge(client, expected, !args.direct, document)
    };
    Ok(clients.iter().map(verdict).collect())
}
