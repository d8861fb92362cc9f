//! `cargo xtask test`: the whole test suite, from a clean clone on a machine with a stable Rust.
//!
//! One command, so that "the tests pass" means the same for everybody. Steps run from the cheap to the dear and stop at the
//! first that fails: what comes after it would tell the same story, only later and at greater length.

mod step;
mod tools;

use std::time::{Duration, Instant};

use clap::ValueEnum as _;

use step::Step;

/// Which steps to run.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Without fuzzing, conformance, the control API's document, clients and frameworks: what to run between two changes.
    #[arg(long)]
    quick: bool,
    /// Only this step; may be given several times.
    #[arg(long, value_enum, value_name = "STEP", conflicts_with = "quick")]
    only: Vec<Step>,
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Passed(Duration),
    Failed(Duration),
    NotRun,
}

/// Runs the steps in their order and sums up.
///
/// # Errors
/// When a tool is missing and cannot be installed. A step that fails ends the process with code 1.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let steps = chosen(&args);
    tools::provide(&steps)?;

    let mut outcomes: Vec<(Step, Outcome)> = steps.iter().map(|step| (*step, Outcome::NotRun)).collect();
    let mut state = step::State::default();
    for (at, (step, outcome)) in outcomes.iter_mut().enumerate() {
        println!("\n=== {}/{} {step}: {}", at + 1, steps.len(), step.about());
        let started = Instant::now();
        let result = step.run(&mut state);
        let took = started.elapsed();
        match result {
            Ok(()) => *outcome = Outcome::Passed(took),
            Err(error) => {
                println!("\n=== {step} FAILED: {error:#}");
                println!("=== to run it alone: cargo xtask test --only {step}");
                *outcome = Outcome::Failed(took);
                break;
            }
        }
    }
    println!("\n{}", summary(&outcomes));
    if outcomes.iter().any(|(_, outcome)| matches!(outcome, Outcome::Failed(_))) {
        // The summary says it all and is what people look for at the end: an error of `main` would stand below it.
        std::process::exit(1);
    }
    Ok(())
}

/// The steps that `args` name, in their order.
fn chosen(args: &Args) -> Vec<Step> {
    let is_chosen = |step: &Step| match (args.quick, args.only.is_empty()) {
        (true, _) => step.is_quick(),
        (false, true) => true,
        (false, false) => args.only.contains(step),
    };
    Step::value_variants().iter().copied().filter(is_chosen).collect()
}

/// A table, and last a line that says how many passed and failed. A step that was not run is in the table alone.
fn summary(outcomes: &[(Step, Outcome)]) -> String {
    let count = |wanted: fn(&Outcome) -> bool| outcomes.iter().filter(|(_, outcome)| wanted(outcome)).count();
    let passed = count(|outcome| matches!(outcome, Outcome::Passed(_)));
    let failed = count(|outcome| matches!(outcome, Outcome::Failed(_)));
    let rows: String = outcomes.iter().map(|(step, outcome)| format!("{:12} {outcome}\n", step.to_string())).collect();
    format!("{rows}\n{passed} passed, {failed} failed")
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Passed(took) => write!(f, "passed {:7.1} s", took.as_secs_f64()),
            Self::Failed(took) => write!(f, "FAILED {:7.1} s", took.as_secs_f64()),
            Self::NotRun => f.write_str("not run"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(quick: bool, only: &[Step]) -> Vec<String> {
        chosen(&Args { quick, only: only.to_vec() }).iter().map(Step::to_string).collect()
    }

    #[test]
    fn steps_run_in_their_own_order() {
        assert_eq!(
            steps(false, &[]),
            ["fmt", "tidy", "clippy", "test", "fuzz", "build", "conformance", "admin", "clients", "frameworks"]
        );
        assert_eq!(steps(true, &[]), ["fmt", "tidy", "clippy", "test"]);
        assert_eq!(steps(false, &[Step::Clients, Step::Tidy]), ["tidy", "clients"]);
    }

    #[test]
    fn the_summary_ends_with_the_count() {
        let second = Duration::from_secs(1);
        let outcomes = [
            (Step::Fmt, Outcome::Passed(second)),
            (Step::Tidy, Outcome::Failed(second)),
            (Step::Test, Outcome::NotRun),
        ];
        let summary = summary(&outcomes);
        assert!(
            summary.contains("tidy         FAILED     1.0 s\n") && summary.contains("test         not run\n"),
            "{summary}"
        );
        assert_eq!(summary.lines().last(), Some("1 passed, 1 failed"));
    }
}
