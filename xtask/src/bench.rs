//! `cargo xtask bench`: what a request costs directly, through nginx and through toolgate, all measured in one run.
//!
//! nginx is the yardstick because it is the practical limit for any HTTP proxy: it looks into nothing. Every figure is
//! taken next to nginx's on the same machine within seconds, so that a ratio holds where an absolute figure does not.
//! Upstream, proxies and load generator are processes of their own, so that each one's CPU time is accounted apart.

mod http1;
mod load;
mod machine;
mod messages;
mod nginx;
mod procfs;
mod profile;
mod report;
mod rounds;
mod targets;
mod toolgate;
mod upstream;

use anyhow::{Context, bail};
use clap::ValueEnum;
use messages::{Case, Era};
use std::path::PathBuf;
use targets::Kind;

/// Options of the benchmark.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    role: Option<Role>,
    #[command(flatten)]
    plan: Plan,
}

/// What a child process of the benchmark does; not for people.
#[derive(clap::Subcommand)]
enum Role {
    /// The scripted upstream: prints its address, then serves until it is ended.
    #[command(hide = true)]
    Upstream,
}

/// What is measured, and for how long.
#[derive(clap::Args)]
struct Plan {
    /// How long each cell is measured, in seconds; a warm-up of a sixth of it comes first.
    #[arg(long, default_value_t = 3.0, value_parser = seconds)]
    seconds: f64,
    /// How often everything is measured; the figures are medians over the rounds.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=25))]
    rounds: u8,
    /// How many connections ask at once, one request at a time each.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 32], value_parser = clap::value_parser!(u8).range(1..=64))]
    connections: Vec<u8>,
    /// Which revision client and upstream speak.
    #[arg(long, value_delimiter = ',', default_values_t = Era::value_variants().to_vec())]
    eras: Vec<Era>,
    /// Which requests are made.
    #[arg(long, value_delimiter = ',', default_values_t = Case::value_variants().to_vec())]
    cases: Vec<Case>,
    /// What stands between the load and the upstream.
    #[arg(long, value_delimiter = ',', default_values_t = [Kind::Direct, Kind::Nginx, Kind::Toolgate, Kind::Prefixed, Kind::Namespace, Kind::Overridden])]
    targets: Vec<Kind>,
    /// The toolgate to measure; without it the release build is made and measured.
    #[arg(long, value_name = "FILE")]
    toolgate: Option<PathBuf>,
    /// The nginx to measure against.
    #[arg(long, value_name = "FILE", default_value = "nginx")]
    nginx: PathBuf,
    /// nginx's `worker_processes`: a number, or auto for one per core.
    #[arg(long, default_value = "auto", value_parser = nginx::workers)]
    nginx_workers: String,
    /// Installs nginx (Debian's nginx-light, through apt-get) if it is missing.
    #[arg(long)]
    install: bool,
    /// Puts the figures into docs/benchmark.md; the prose around them stays.
    #[arg(long)]
    write: bool,
    /// Also samples each proxy with perf and prints where its time goes.
    #[arg(long)]
    profile: bool,
}

/// Runs the benchmark.
///
/// # Errors
/// When a part cannot be started, and when any request was answered wrongly or not at all.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    if let Some(Role::Upstream) = args.role {
        return upstream::run();
    }
    if !cfg!(target_os = "linux") {
        bail!("the benchmark reads CPU time and memory from /proc, so it runs on Linux only");
    }
    if cfg!(debug_assertions) {
        return again_in_release();
    }
    let plan = args.plan;
    let parts = targets::Parts::start(&plan)?;
    let figures = rounds::measure(&plan, &parts)?;
    let text = report::text(&machine::describe(&plan, &parts), &figures, &parts.memory());
    println!("{text}");
    if plan.profile {
        profile::print(&plan, &parts)?;
    }
    drop(parts);
    if let Some(fault) = figures.first_fault() {
        bail!("{} requests failed, so these figures do not count; the first: {fault}", figures.errors());
    }
    if plan.write {
        report::write(&text)?;
    }
    Ok(())
}

/// `cargo xtask` is a debug build; a load generator of that kind would measure itself.
fn again_in_release() -> anyhow::Result<()> {
    machine::cargo_build("xtask")?;
    let program = machine::release_binary("xtask")?;
    let status = targets::tied(program.as_os_str())
        .args(std::env::args_os().skip(1))
        .status()
        .with_context(|| format!("cannot start {}", program.display()))?;
    if !status.success() {
        // The child has already told why on stderr.
        std::process::exit(status.code().unwrap_or(1));
    }
    Ok(())
}

/// Bounds the length of a cell, so that a run always ends.
fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(value) if (0.1..=60.0).contains(&value) => Ok(value),
        _ => Err("a number from 0.1 to 60".to_owned()),
    }
}
