//! The measuring itself: every cell of every round, with the targets of a cell right after one another.
//!
//! A busy neighbour slows all of them then, and their ratio stays. Figures are medians over the rounds.

use super::Plan;
use super::load::{Load, Tally, close, drive};
use super::messages::{Case, Era};
use super::procfs::{self, Cpu};
use super::targets::{Kind, Parts, Process, Target};
use anyhow::Context;
use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// Which cell of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cell {
    /// What is asked.
    pub(super) case: Case,
    /// By clients of which era.
    pub(super) era: Era,
    /// On how many connections at once.
    pub(super) connections: u8,
}

/// What one round saw in a cell, for one target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    /// Good answers per second.
    pub(super) rate: f64,
    /// The median time to an answer, in microseconds.
    pub(super) p50: f64,
    /// What 99 of 100 answers took at most, in microseconds.
    pub(super) p99: f64,
    /// CPU time of the proxy per request in its own code, in microseconds; nothing for the direct way.
    pub(super) user: f64,
    /// The same in the kernel.
    pub(super) kernel: f64,
    /// CPU time of the upstream per request, in microseconds.
    pub(super) upstream: f64,
}

/// All samples, and the faults met on the way.
#[derive(Default)]
pub(super) struct Figures {
    samples: BTreeMap<Cell, BTreeMap<Kind, Vec<Sample>>>,
    errors: u64,
    fault: Option<String>,
}

/// Measures everything in the plan.
///
/// # Errors
/// When a target does not answer its first requests rightly, or one of the processes ends.
pub(super) fn measure(plan: &Plan, parts: &Parts) -> anyhow::Result<Figures> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let cells = cells(plan);
    let total = cells.len() * parts.targets.len() / plan.eras.len().max(1) * usize::from(plan.rounds);
    let minutes = total as f64 * plan.seconds * 7.0 / 6.0 / 60.0;
    eprintln!("{total} measurements, about {minutes:.0} minutes");
    let mut figures = Figures::default();
    for round in 1..=plan.rounds {
        for &cell in &cells {
            for target in parts.targets.iter().filter(|target| target.era == cell.era) {
                let measured = sample(&runtime, plan, parts, target, cell);
                let (sample, faults) = measured.with_context(|| blame(parts, target, cell))?;
                let kind = target.kind;
                eprintln!(
                    "round {round}, {cell}, {kind}: {:.0}/s, p50 {:.0} µs, {:.1} µs CPU, {} faults",
                    sample.rate,
                    sample.p50,
                    sample.cpu(),
                    faults.errors
                );
                figures.add(cell, kind, sample, faults);
            }
        }
    }
    Ok(figures)
}

fn cells(plan: &Plan) -> Vec<Cell> {
    let mut cells = Vec::new();
    for &case in &plan.cases {
        for &era in &plan.eras {
            cells.extend(plan.connections.iter().map(|&connections| Cell { case, era, connections }));
        }
    }
    cells
}

/// Where it went wrong, with what the proxy last said, as its log goes away with this run.
fn blame(parts: &Parts, target: &Target, cell: Cell) -> String {
    let words = parts.process(target).map(Process::last_words);
    let words = words.filter(|words| !words.is_empty());
    let words = words.map_or_else(String::new, |words| format!("; its last words:\n{words}"));
    format!("{cell} through {}{words}", target.kind.title())
}

/// One target for one cell's time. The tally given back holds the faults only.
fn sample(
    runtime: &Runtime,
    plan: &Plan,
    parts: &Parts,
    target: &Target,
    cell: Cell,
) -> anyhow::Result<(Sample, Tally)> {
    let load = Load {
        address: target.address,
        era: cell.era,
        case: cell.case,
        prefix: target.kind.prefix(),
        path: target.kind.path(),
    };
    let time = Duration::from_secs_f64(plan.seconds);
    let clients = runtime.block_on(load.open(cell.connections))?;
    let (clients, warm) = runtime.block_on(drive(clients, time / 6));
    let cpu = || -> anyhow::Result<(Cpu, Cpu)> {
        let proxy = parts.process(target).map(|process| procfs::cpu(process.pid())).transpose()?;
        Ok((proxy.unwrap_or_default(), procfs::cpu(parts.upstream().pid())?))
    };
    let (before, began) = (cpu()?, Instant::now());
    let (clients, mut tally) = runtime.block_on(drive(clients, time));
    let (took, after) = (began.elapsed(), cpu()?);
    runtime.block_on(close(clients));
    let times = std::mem::take(&mut tally.nanoseconds);
    tally.add(Tally { nanoseconds: Vec::new(), ..warm });
    let sample = Sample::new(times, took, after.0 - before.0, after.1 - before.1);
    Ok((sample, tally))
}

// === impl Cell ===

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { case, era, connections } = self;
        write!(f, "{era} {case} on {connections}")
    }
}

// === impl Sample ===

impl Sample {
    fn new(mut nanoseconds: Vec<u32>, took: Duration, proxy: Cpu, upstream: Cpu) -> Self {
        nanoseconds.sort_unstable();
        let answers = nanoseconds.len().max(1) as f64;
        let each = |time: Duration| time.as_secs_f64() * 1e6 / answers;
        Self {
            rate: nanoseconds.len() as f64 / took.as_secs_f64(),
            p50: quantile(&nanoseconds, 0.50),
            p99: quantile(&nanoseconds, 0.99),
            user: each(proxy.user),
            kernel: each(proxy.kernel),
            upstream: each(upstream.total()),
        }
    }

    /// CPU time of the proxy per request, in microseconds.
    pub(super) fn cpu(&self) -> f64 {
        self.user + self.kernel
    }
}

/// The value that so large a part of the sorted times does not exceed, in microseconds; zero if there are none.
fn quantile(sorted: &[u32], part: f64) -> f64 {
    let rank = (sorted.len() as f64 * part).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).map_or(0.0, |&time| f64::from(time) / 1e3)
}

/// The middle value, or the mean of the two in the middle; zero if there are none.
pub(super) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        count if count % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

// === impl Figures ===

impl Figures {
    /// Takes in what one round saw.
    pub(super) fn add(&mut self, cell: Cell, kind: Kind, sample: Sample, faults: Tally) {
        self.samples.entry(cell).or_default().entry(kind).or_default().push(sample);
        self.errors += faults.errors;
        if self.fault.is_none() {
            let fault = faults.fault;
            self.fault = fault.map(|fault| format!("{cell} through {kind}: {fault}"));
        }
    }

    /// Cells with the samples of each target, a sample for each round.
    pub(super) fn cells(&self) -> impl Iterator<Item = (Cell, &BTreeMap<Kind, Vec<Sample>>)> {
        self.samples.iter().map(|(cell, kinds)| (*cell, kinds))
    }

    /// How many requests failed.
    pub(super) fn errors(&self) -> u64 {
        self.errors
    }

    /// The first failure, if there was one.
    pub(super) fn first_fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_and_medians_are_values_that_were_seen() {
        let sorted: Vec<u32> = (1..=100).map(|value| value * 1000).collect();
        assert_eq!((quantile(&sorted, 0.5), quantile(&sorted, 0.99)), (50.0, 99.0));
        assert_eq!(quantile(&[7000], 0.99), 7.0);
        assert_eq!(quantile(&[], 0.5), 0.0);
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0].into_iter()), 2.5);
    }

    #[test]
    fn cpu_time_is_per_answer() {
        let cpu = Cpu { user: Duration::from_millis(10), kernel: Duration::from_millis(30) };
        let sample = Sample::new(vec![5000; 1000], Duration::from_secs(2), cpu, Cpu::default());
        assert_eq!((sample.rate, sample.user, sample.kernel, sample.cpu()), (500.0, 10.0, 30.0, 40.0));
    }
}
