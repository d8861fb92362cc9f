//! The binary: parse, dispatch, exit code.
//!
//! Exit codes: 0 done; 1 the thing asked for failed (a tool's error, a gateway that broke off); 2 wrong usage; 64 a config
//! with faults; 69 nothing answers where a gateway, or a config, should be. `diff` has those of diff(1): 0 the same, 1 different, 2 trouble.
#![allow(clippy::print_stderr, reason = "a command line talks to the person who runs it")]

#[macro_use]
mod screen;

mod args;
mod call;
mod check;
mod connect;
mod control;
mod diff;
mod endpoint;
mod follow;
mod import;
mod operate;
mod paste;
mod search;
mod serve;
mod set;
mod settings;
mod status;
mod tokens;
mod told;
mod tools;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::args::{Args, Command};

/// A request is many small allocations; this halves what they cost.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Why a command did not do what was asked.
pub(crate) enum Failure {
    /// It was tried and failed.
    Failed(anyhow::Error),
    /// The config has faults; they were shown.
    Config,
    /// Nothing answers.
    Unavailable(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// How a command ends.
pub(crate) type Outcome = Result<ExitCode, Failure>;

fn main() -> ExitCode {
    let args = Args::parse();
    match run(args) {
        Ok(code) => code,
        Err(Failure::Config) => ExitCode::from(64),
        Err(Failure::Unavailable(error)) => {
            eprintln!("toolgate: {error:#}");
            ExitCode::from(69)
        }
        Err(Failure::Failed(error)) => {
            eprintln!("toolgate: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Everything the program can do.
fn run(args: Args) -> Outcome {
    match args.command.unwrap_or_default() {
        Command::Serve(options) => in_runtime(serve::serve(options)),
        Command::Stdio(options) => in_runtime(serve::stdio(options)),
        Command::Check(options) => in_small_runtime(check::check(options)),
        Command::Defaults => check::defaults(),
        Command::Schema => check::schema(),
        Command::Status(options) => in_runtime(status::status(options)),
        Command::Tools(options) => in_runtime(tools::tools(options)),
        Command::Call(options) => in_runtime(call::call(options)),
        Command::Search(options) => in_runtime(search::search(options)),
        Command::Tokens(options) => in_runtime(tokens::tokens(options)),
        Command::Import(options) => import::import(&options),
        Command::Connect(options) => in_small_runtime(connect::connect(options)),
        Command::Disconnect(options) => connect::disconnect(&options),
        Command::Diff(options) => in_runtime(diff::diff(options)),
        Command::Add(options) => in_runtime(set::add(*options)),
        Command::Remove(options) => in_runtime(set::remove(options)),
        Command::Enable(options) => in_runtime(set::switch(options, true)),
        Command::Disable(options) => in_runtime(set::switch(options, false)),
        Command::Override(options) => in_runtime(set::overrides(options)),
        Command::Reload(options) => in_runtime(diff::reload(options)),
        Command::Config(options) => in_runtime(operate::config(options)),
        Command::Sessions(options) => in_runtime(operate::sessions(options)),
        Command::Logs(options) => in_runtime(follow::logs(options)),
        Command::Restart(options) => in_runtime(operate::restart(options)),
        Command::Ns(options) => in_runtime(operate::namespaces(*options)),
        Command::Events(options) => in_runtime(follow::events(options)),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Args::command(), "toolgate", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
        Command::Builtin { name } => in_small_runtime(async move {
            toolgate_builtin::run(&name).await?;
            Ok(ExitCode::SUCCESS)
        }),
        Command::Watchdog => {
            toolgate_upstream::watchdog_main()?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn in_runtime(command: impl Future<Output = Outcome>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(command);
    // A read of stdin cannot be interrupted; it must not hold up the exit.
    runtime.shutdown_background();
    outcome
}

/// One thread is enough for a server with one client.
fn in_small_runtime(command: impl Future<Output = Outcome>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(command);
    runtime.shutdown_background();
    outcome
}
