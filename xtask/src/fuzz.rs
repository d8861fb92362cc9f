//! `cargo xtask fuzz`: the targets of `fuzz/`, built with coverage counters by a stable compiler, run for a bounded time.
//!
//! cargo-fuzz needs a nightly compiler, for the sanitizers. Our code is free of `unsafe`, so what we look for are panics,
//! overflows and broken assertions, and these need none: libFuzzer is led by counters alone, and LLVM's pass for them can
//! be asked for with stable flags. libFuzzer itself is C++ that the system's own compiler builds.

mod target;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, bail};

use target::{TARGETS, Target};

/// What `cargo fuzz` passes too, without what only nightly has.
const COVERAGE: [&str; 7] = [
    "--cfg=fuzzing",
    "-Ccodegen-units=1",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// What to run, and for how long.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How long each target runs, in seconds.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// Only this target; may be given several times.
    #[arg(long, value_name = "NAME", value_parser = target::named)]
    target: Vec<&'static Target>,
    /// Run the one chosen target on this input only, such as one that it crashed on.
    #[arg(long, value_name = "FILE", requires = "target")]
    input: Option<PathBuf>,
}

/// The programs, built.
struct Built {
    /// Holds one program per target.
    programs: PathBuf,
    /// For logs.
    folder: PathBuf,
}

/// Builds the targets and runs them, one after the other.
///
/// # Errors
/// When a target crashes, hangs or is not led by coverage; when it cannot be built.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let chosen: Vec<&Target> = if args.target.is_empty() { TARGETS.iter().collect() } else { args.target };
    let built = build()?;
    if let Some(input) = &args.input {
        let [target] = chosen[..] else { bail!("an input is for one target") };
        return built.run_one(target, input);
    }
    for target in chosen {
        let started = Instant::now();
        let figures = target.fuzz(&built.programs, &built.folder, args.seconds)?;
        println!("{:10} {figures}, in {:.0} s", target.name, started.elapsed().as_secs_f64());
    }
    Ok(())
}

/// Builds all targets. They have a folder of their own below the usual one: flags for every crate would make cargo build
/// the product anew, again and again.
fn build() -> anyhow::Result<Built> {
    let shared = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| crate::root().join("target"), PathBuf::from);
    let folder = crate::root().join(shared).join("fuzz");
    // With a target given, flags are for it alone: build scripts and procedural macros stay as they are.
    let host = host()?;
    let mut cargo = crate::cargo::cargo();
    cargo.args(["build", "--release", "--target", &host]).arg("--target-dir").arg(&folder);
    cargo.arg("--manifest-path").arg(crate::root().join("fuzz/Cargo.toml"));
    cargo.env("RUSTFLAGS", COVERAGE.join(" ")).env_remove("CARGO_ENCODED_RUSTFLAGS");
    if !cargo.status().context("cannot run cargo")?.success() {
        bail!("the fuzz targets do not build; libFuzzer needs a C++ compiler (Debian: g++)");
    }
    Ok(Built { programs: folder.join(host).join("release"), folder })
}

/// The platform of this compiler.
fn host() -> anyhow::Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("cannot run rustc")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not tell its host")?.to_owned())
}

// === impl Built ===

impl Built {
    /// Runs a target on one input, in front of the person who asked.
    fn run_one(&self, target: &Target, input: &Path) -> anyhow::Result<()> {
        let mut command = Command::new(self.programs.join(target.name));
        let status = command.arg(input).stdin(Stdio::null()).status()?;
        if !status.success() {
            bail!("{} fails on {}", target.name, input.display());
        }
        Ok(())
    }
}
