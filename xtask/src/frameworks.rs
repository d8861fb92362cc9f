//! `cargo xtask frameworks`: agents of real frameworks find and call tools of a large catalog through `?view=search`.
//!
//! No language model is asked: a script stands in for it, which searches in the words of a public collection, reads the
//! signatures of the answer as a model would, and calls (`fixtures/frameworks`). Each framework carries these turns in its
//! own way, and what each of them does to the surface, to arguments and to results on the way is what is tried. The tools
//! are those of the collection, served by a script too; it holds every call against the tool's schema.
//!
//! The story of a run: [`needs`] chooses what is wished for, the upstream and toolgate are started, all agents run at the
//! same time, [`report`] prints a row for each.

mod needs;
mod report;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use needs::{Catalog, Plan};
use report::Document;
use tokio::process::Command;
use tokio::task::JoinSet;

use crate::peers::stage::{self, Listening, Stage};

/// One agent's work.
const AGENT_LIMIT: Duration = Duration::from_secs(180);
/// The collection that is used where it lies beside the repository, and the excerpt in it that is used elsewhere.
const BESIDE: &str = "../shared/eval/retrieval/dev/livemcp/tools.jsonl";
const EXCERPT: &str = "crates/search/tests/data/tools.jsonl";

/// Options of `cargo xtask frameworks`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The toolgate to try, instead of building one.
    #[arg(long, value_name = "PATH")]
    toolgate: Option<PathBuf>,
    /// The tools to serve, as JSON lines, with `queries.jsonl` beside them; may be given several times.
    #[arg(long, value_name = "FILE")]
    tools: Vec<PathBuf>,
    /// Run only frameworks whose name contains this; may be given several times.
    #[arg(long, value_name = "FRAMEWORK")]
    only: Vec<String>,
}

/// A framework: its script, and the environment that this runs in.
struct Framework {
    script: &'static str,
    folder: &'static str,
    lock: &'static str,
}

/// Those of `mcp` 2 share the clients' environment.
const FRAMEWORKS: [Framework; 4] = [
    Framework { script: "fastmcp_agent.py", folder: "clients/python", lock: "modern.lock" },
    Framework { script: "pydantic_ai_agent.py", folder: "clients/python", lock: "modern.lock" },
    Framework { script: "openai_agents_agent.py", folder: "clients/python", lock: "modern.lock" },
    Framework { script: "langchain_agent.py", folder: "frameworks", lock: "langchain.lock" },
];

/// Runs the agents and prints what they did.
///
/// # Errors
/// When something cannot be installed or started, or when any agent did not get what it wished for.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    crate::process::until_interrupted(attempt(&args))
}

async fn attempt(args: &Args) -> anyhow::Result<()> {
    let files = files(&args.tools);
    let catalog = Catalog::read(&files)?;
    let plan = catalog.plan()?;
    let stage = Stage::bare();
    let toolgate = stage::toolgate_binary(args.toolgate.as_deref()).await?;
    let folder = tempfile::Builder::new().prefix("toolgate-frameworks-").tempdir()?;
    let documents = in_folder(args, &stage, &files, &catalog, &plan, &toolgate, folder.path()).await;
    let documents = documents.map_err(|error| error.context(format!("logs are in {}", folder.keep().display())))?;
    report::print(&catalog, &plan, &documents);
    report::judge(&catalog, &plan, &documents)
}

/// Everything that happens between an empty folder and the documents.
async fn in_folder(
    args: &Args,
    stage: &Stage,
    files: &[PathBuf],
    catalog: &Catalog,
    plan: &Plan,
    toolgate: &Path,
    folder: &Path,
) -> anyhow::Result<Vec<Document>> {
    let (gateway, _upstream) = serve(stage, files, catalog, toolgate, folder).await?;
    let documents = agents(args, stage, gateway.url(), plan, folder).await?;
    gateway.end().await?;
    Ok(documents)
}

/// Starts toolgate in front of an upstream for each server of the catalog; the second is what serves them all.
async fn serve(
    stage: &Stage,
    files: &[PathBuf],
    catalog: &Catalog,
    toolgate: &Path,
    folder: &Path,
) -> anyhow::Result<(Listening, Listening)> {
    let python = stage.environment("clients/python", "modern.lock").await?;
    let port = stage::free_port()?;
    let mut command = Command::new(python);
    command.arg(stage::fixture("frameworks/upstream.py")).arg(port.to_string()).args(files);
    let upstream = Listening::start("the upstream", &mut command, port, "", &folder.join("upstream.log")).await?;
    let line = |server: &String| format!("  {server:?}: {{url: {:?}}}\n", format!("{}/{server}/mcp", upstream.url()));
    let upstreams: String = catalog.servers().map(line).collect();
    let gateway = Listening::toolgate(toolgate, &upstreams, "?view=search", folder).await?;
    Ok((gateway, upstream))
}

/// Runs all agents at the same time. An agent that fails is a document that says so.
async fn agents(args: &Args, stage: &Stage, url: &str, plan: &Plan, folder: &Path) -> anyhow::Result<Vec<Document>> {
    let file = folder.join("plan.json");
    std::fs::write(&file, serde_json::to_vec_pretty(plan)?)?;
    let mut running = JoinSet::new();
    for (at, framework) in FRAMEWORKS.iter().enumerate() {
        if !args.only.is_empty() && !args.only.iter().any(|only| framework.script.contains(only.as_str())) {
            continue;
        }
        let python = stage.environment(framework.folder, framework.lock).await?;
        let mut command = Command::new(python);
        command.arg(stage::fixture("frameworks").join(framework.script)).arg(url).arg("--plan").arg(&file);
        let script = framework.script;
        running.spawn(async move { (at, script, stage::printed(script, &mut command, AGENT_LIMIT).await) });
    }
    let mut documents: Vec<_> = running.join_all().await;
    documents.sort_by_key(|(at, ..)| *at);
    documents
        .into_iter()
        .map(|(_, script, printed)| match printed {
            Ok(printed) => serde_json::from_slice(&printed).with_context(|| format!("what {script} printed")),
            Err(error) => Ok(Document::failed(script, &error)),
        })
        .collect()
}

/// The files that were named, or those that are there.
fn files(named: &[PathBuf]) -> Vec<PathBuf> {
    if !named.is_empty() {
        return named.to_vec();
    }
    let beside = crate::root().join(BESIDE);
    if beside.is_file() {
        return vec![beside];
    }
    println!("there is no {BESIDE} beside the repository: the excerpt {EXCERPT} is served instead");
    vec![crate::root().join(EXCERPT)]
}
