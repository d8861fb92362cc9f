//! `tokens`: what the tools cost a model, listed directly and through search, and from where on search pays.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use toolgate_app::{Costs, build, start_logging};
use toolgate_discovery::cost::{Comparison, Parts};

use crate::args;
use crate::screen::{Paint, table};
use crate::settings;
use crate::told;
use crate::{Failure, Outcome};

/// Tasks of so many turns are shown by default; `--json` has all of them.
const SHOWN: [usize; 8] = [1, 2, 3, 5, 10, 15, 20, 30];
/// The longest task that is reckoned with.
const MOST_TURNS: usize = 30;
/// A hundred thousand definitions take some seconds to count.
const ANSWER_WAIT: Duration = Duration::from_secs(120);
/// For upstreams that were started for the command to end.
const STOP_WAIT: Duration = Duration::from_secs(10);

/// One task, as `--json` tells it.
#[derive(serde::Serialize)]
struct Task {
    turns: usize,
    direct: usize,
    search: usize,
    /// Definitions of more tokens than this are cheaper through search.
    break_even: usize,
}

/// Counts and shows.
pub(crate) async fn tokens(options: args::Tokens) -> Outcome {
    let costs = match &options.config {
        Some(file) => of_config(file).await?,
        None => {
            let address = told::address(options.url.as_deref()).await?;
            let text = told::get(&address, "/tokens", ANSWER_WAIT).await?;
            serde_json::from_slice(&text).with_context(|| format!("what answers at {address} is no toolgate"))?
        }
    };
    let parts = Parts {
        direct: costs.definitions + costs.direct_instructions,
        surface: costs.surface + costs.surface_instructions,
        search: costs.search,
        context: options.context,
        calls_per_search: options.calls_per_search,
    };
    if options.json {
        print_json(&costs, &parts)?;
    } else {
        show(&costs, &parts);
    }
    Ok(ExitCode::SUCCESS)
}

async fn of_config(file: &std::path::Path) -> Result<Costs, Failure> {
    let loaded = settings::load_aloud(Some(file)).await?;
    let mut quiet = loaded.settings.log.clone();
    quiet.level = toolgate_config::LogLevel::Warn;
    start_logging(&quiet);
    let connect = loaded.settings.timeouts.connect;
    let built = build(&loaded.settings, &settings::surroundings())?;
    // What is still starting would be missing from the sum.
    let settled = async {
        while !built.gateway.is_settled() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(connect, settled).await.is_err() {
        eprintln!("toolgate: some upstreams are still starting, and are not counted");
    }
    let costs = built.gateway.costs().await;
    built.gateway.stop(STOP_WAIT).await;
    Ok(costs?)
}

fn print_json(costs: &Costs, parts: &Parts) -> anyhow::Result<()> {
    #[derive(serde::Serialize)]
    struct All<'a> {
        #[serde(flatten)]
        costs: &'a Costs,
        context: usize,
        calls_per_search: usize,
        tasks: Vec<Task>,
    }
    let tasks = parts.table(MOST_TURNS).iter().map(|task| of_task(parts, task)).collect();
    let all = All { costs, context: parts.context, calls_per_search: parts.calls_per_search, tasks };
    outln!("{}", serde_json::to_string_pretty(&all)?);
    Ok(())
}

fn of_task(parts: &Parts, task: &Comparison) -> Task {
    let break_even = parts.break_even(task.turns);
    Task { turns: task.turns, direct: task.direct, search: task.search, break_even }
}

fn show(costs: &Costs, parts: &Parts) {
    let paint = Paint::stdout();
    let mut rows = vec![["upstream", "tools", "tokens", "each"].map(str::to_owned).to_vec()];
    let row = |name: &str, tools: usize, tokens: usize| {
        let each = tokens.checked_div(tools).map(|each| each.to_string()).unwrap_or_default();
        vec![name.to_owned(), tools.to_string(), tokens.to_string(), each]
    };
    rows.extend(costs.upstreams.iter().map(|upstream| row(&upstream.name, upstream.tools, upstream.tokens)));
    rows.push(row("in all", costs.tools, costs.definitions));
    out!("{}", table(&rows));
    outln!("\n{}", paint.bold("What a model reads in every turn (o200k tokens)"));
    outln!("  listed directly  {} ({} of them instructions)", parts.direct, costs.direct_instructions);
    outln!("  through search   {} ({} of them instructions)", parts.surface, costs.surface_instructions);
    outln!("  and for a search {} once, and again in every later turn (mean of {})", parts.search, costs.samples);
    outln!("\n{}", paint.bold("A task that calls so many tools, over all its turns"));
    let mut rows = vec![["calls", "direct", "search", "", "search pays from"].map(str::to_owned).to_vec()];
    for turns in SHOWN {
        let task = parts.compare(turns);
        rows.push(vec![
            turns.to_string(),
            task.direct.to_string(),
            task.search.to_string(),
            if task.search_is_cheaper() { format!("saves {:.0} %", task.saved() * 100.0) } else { "costs more".into() },
            format!("{} tokens of definitions", parts.break_even(turns)),
        ]);
    }
    out!("{}", table(&rows));
    outln!(
        "\nEach search is a turn more, which reads the rest of the context again: {} tokens are reckoned with (--context),\n\
         and {} to a search (--calls-per-search). Cached input costs a fraction; this counts it fully.",
        parts.context,
        if parts.calls_per_search == 1 { "one call".to_owned() } else { format!("{} calls", parts.calls_per_search) }
    );
}
