//! The project's chores, as one program: `cargo xtask <chore>`. No shell scripts, so that a chore reads like the rest of the code.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a chore talks to the person who runs it")]

mod admin;
mod bench;
mod cargo;
mod clients;
mod conformance;
mod eval;
mod figures;
mod frameworks;
mod fuzz;
mod installed;
mod peers;
mod process;
mod rank;
mod ready;
mod test;
mod tidy;

use std::path::Path;

use clap::Parser;

/// Chores of the toolgate repository.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Chore {
    /// Runs everything: formatting, laws, lints, tests, fuzzing, conformance, clients. Installs what it needs.
    Test(test::Args),
    /// Holds the laws of ARCHITECTURE.md: floors, eras, names, lengths, lock files.
    Tidy(tidy::Args),
    /// Feeds the envelope, the framings, the config and API documents with bytes that look for what breaks them.
    Fuzz(fuzz::Args),
    /// Runs the official MCP conformance suite through toolgate, in all four cells of client era and upstream era.
    Conformance(conformance::Args),
    /// Lists and calls through a running toolgate with MCP clients that we did not write.
    Clients(clients::Args),
    /// Finds and calls tools of a large catalog through a running toolgate, with agents of frameworks that we did not write.
    Frameworks(frameworks::Args),
    /// Asks the control API what its document says can be asked, and what it says cannot.
    Admin(admin::Args),
    /// Compares what finding and calling tools costs and keeps: directly, through toolgate and through two peers.
    Peers(peers::Args),
    /// Compares direct, nginx and toolgate: requests per second, latency, CPU and memory.
    Bench(bench::Args),
    /// Ranks the tools of a corpus for its queries through the search engine, and writes the run.
    Rank(rank::Args),
    /// Measures how well the search engine finds tools, beside simple ways to do it, and what each part of it is worth.
    Eval(eval::Args),
}

fn main() -> anyhow::Result<()> {
    Chore::parse().run()
}

// === impl Chore ===

impl Chore {
    fn run(self) -> anyhow::Result<()> {
        match self {
            Chore::Test(args) => test::run(args),
            Chore::Tidy(args) => tidy::run(args),
            Chore::Fuzz(args) => fuzz::run(args),
            Chore::Conformance(args) => conformance::run(args),
            Chore::Clients(args) => clients::run(args),
            Chore::Frameworks(args) => frameworks::run(args),
            Chore::Admin(args) => admin::run(args),
            Chore::Peers(args) => peers::run(args),
            Chore::Bench(args) => bench::run(args),
            Chore::Rank(args) => rank::run(args),
            Chore::Eval(args) => eval::run(args),
        }
    }
}

/// The root of the repository: this crate's parent folder.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate xtask lies in a folder of the repository")
}
