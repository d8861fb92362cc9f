//! `cargo xtask rank`: ranks the tools of any folder in the corpus format through the real engine, and writes the run that
//! the corpus' own `score.py` scores.

pub(crate) mod corpus;

use anyhow::Context;
use corpus::Corpus;
use serde::Serialize;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use toolgate_search::{Index, Scope, Tuning};

/// What to rank, and where to.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A folder with `tools.jsonl` and `queries.jsonl`.
    #[arg(long, value_name = "DIR")]
    corpus: PathBuf,
    /// The run: a line of JSON for each query.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// How many tools are named for each query.
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

/// A line of a run.
#[derive(Serialize)]
struct Ranked<'a> {
    query_id: &'a str,
    ranked: Vec<&'a str>,
}

/// Ranks the tools for each query.
///
/// # Errors
/// When a file cannot be read, understood or written.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let corpus = Corpus::read(&args.corpus)?;
    let scope = index(&corpus, Tuning::default());
    let file = std::fs::File::create(&args.out).with_context(|| format!("cannot write {}", args.out.display()))?;
    let mut out = BufWriter::new(file);
    for query in &corpus.queries {
        let found = scope.search(&query.text, args.limit);
        let ranked = found.hits.iter().map(|hit| hit.id.as_ref()).collect();
        serde_json::to_writer(&mut out, &Ranked { query_id: &query.id, ranked })?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    println!("{} queries over {} tools: {}", corpus.queries.len(), scope.len(), args.out.display());
    Ok(())
}

/// All tools of a corpus, in the groups that their servers are.
pub(crate) fn index(corpus: &Corpus, tuning: Tuning) -> Scope {
    let edit = Index::new(tuning).edit();
    corpus.servers.iter().fold(edit, |edit, (server, tools)| edit.put(server, tools.clone())).finish().all()
}
