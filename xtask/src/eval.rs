//! `cargo xtask eval`: how well the engine finds tools, on public collections, beside simple ways to do it; and what each
//! part of the engine is worth, by leaving it out.
//!
//! With the feature `bm25` one more line: the crate of that name (`cargo run -p xtask --features bm25 -- eval`).
//!
//! The collections lie beside the repository, not in it; see their README for origins and licences.

mod ablation;
mod baseline;
mod measure;
mod report;
mod spoil;

use crate::rank::corpus::{Corpus, Query};
use crate::rank::index;
use baseline::Plain;
use measure::Scores;
use std::path::PathBuf;
use toolgate_search::{Scope, Tuning};

/// How many tools are looked at: what is scored ends at ten.
const LOOKED_AT: usize = 10;

/// What to evaluate.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A folder of corpora; without it, `../shared/eval/retrieval/dev` beside the repository.
    #[arg(long, value_name = "DIR")]
    corpora: Option<PathBuf>,
    /// Also leaves out one part of the engine after the other.
    #[arg(long)]
    ablate: bool,
    /// Puts the tables into docs/search-quality.md; the prose around them stays.
    #[arg(long, requires = "ablate")]
    write: bool,
}

/// The scores of one way to find tools.
pub(crate) struct Row {
    pub(crate) name: String,
    /// By corpus.
    pub(crate) scores: Vec<Scores>,
}

/// Evaluates the engine and prints tables.
///
/// # Errors
/// When a corpus cannot be read.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let folder = args.corpora.unwrap_or_else(|| crate::root().join("../shared/eval/retrieval/dev"));
    let corpora = Corpus::read_all(&folder)?;
    let mut text = report::comparison(&corpora, &comparison(&corpora));
    if args.ablate {
        let rows = ablation::rows(&corpora, Corpus::as_asked);
        text += &report::ablation("Left out or changed", &rows);
        text += &report::ablation("With misspelt queries", &ablation::spoilt(&corpora));
        text += &report::ablation("In other languages", &ablation::foreign(&corpora)?);
    }
    println!("{text}");
    if args.write {
        report::write(&text)?;
    }
    Ok(())
}

/// Simple ways to find tools, and ours.
fn comparison(corpora: &[Corpus]) -> Vec<Row> {
    type Find = fn(&Plain, &str, usize) -> Vec<String>;
    let plain = |name: &str, find: Find| {
        Row::of(name, corpora, |corpus| {
            let plain = Plain::of(corpus);
            Scores::of(&corpus.queries, |query| find(&plain, &query.text, LOOKED_AT))
        })
    };
    let mut rows = vec![plain("regex OR", Plain::regex), plain("BM25, plain", Plain::bm25)];
    #[cfg(feature = "bm25")]
    rows.push(Row::of("crate `bm25` 2.3.2", corpora, |corpus| {
        let engine = baseline::Crate::of(corpus);
        Scores::of(&corpus.queries, |query| engine.search(&query.text, LOOKED_AT))
    }));
    rows.push(engine("toolgate", corpora, &Tuning::default(), Corpus::as_asked));
    rows
}

/// The engine with some tuning, asked what `ask` makes of the queries.
fn engine(name: &str, corpora: &[Corpus], tuning: &Tuning, ask: fn(&Query) -> String) -> Row {
    Row::of(name, corpora, |corpus| {
        let scope = index(corpus, tuning.clone());
        Scores::of(&corpus.queries, |query| found(&scope, &ask(query)))
    })
}

fn found(scope: &Scope, question: &str) -> Vec<String> {
    scope.search(question, LOOKED_AT).hits.iter().map(|hit| hit.id.to_string()).collect()
}

// === impl Row ===

impl Row {
    fn of(name: &str, corpora: &[Corpus], score: impl Fn(&Corpus) -> Scores + Sync) -> Self {
        let scores = std::thread::scope(|threads| {
            let score = &score;
            let threads: Vec<_> = corpora.iter().map(|corpus| threads.spawn(move || score(corpus))).collect();
            threads.into_iter().map(|thread| thread.join().expect("scoring does not panic")).collect()
        });
        Self { name: name.to_owned(), scores }
    }

    /// The mean over the corpora, each counting the same.
    pub(crate) fn macro_average(&self) -> Scores {
        Scores::mean(&self.scores)
    }
}

// === impl Corpus ===

impl Corpus {
    fn as_asked(query: &Query) -> String {
        query.text.clone()
    }
}
