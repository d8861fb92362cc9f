//! The project's chores, as one program: `cargo xtask <chore>`. No shell scripts, so that a chore reads like the rest of the code.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a chore talks to the person who runs it")]

mod bench;
mod clients;
mod conformance;

use clap::Parser;

/// Chores of the toolgate repository.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Chore {
    /// Runs the official MCP conformance suite through toolgate, in all four cells of client era and upstream era.
    Conformance(conformance::Args),
    /// Lists and calls through a running toolgate with MCP clients that we did not write.
    Clients(clients::Args),
    /// Compares direct, nginx and toolgate: requests per second, latency, CPU and memory.
    Bench(bench::Args),
}

fn main() -> anyhow::Result<()> {
    match Chore::parse() {
        Chore::Conformance(args) => conformance::run(args),
        Chore::Clients(args) => clients::run(args),
        Chore::Bench(args) => bench::run(args),
    }
}
