//! The figures as Markdown: on the screen, and in docs/benchmark.md between two marks.

use super::messages::Case;
use super::rounds::{Cell, Figures, Sample, median};
use super::targets::{Kind, Memory};
use anyhow::Context;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// The figures stand between these in the document.
const BEGIN: &str = "<!-- begin: written by `cargo xtask bench --write` -->";
const END: &str = "<!-- end: written by `cargo xtask bench --write` -->";

/// At most so many times nginx's CPU time for a `tools/call`.
const AIM_CPU: f64 = 1.5;
/// At least so many times nginx's throughput for a `tools/call`.
const AIM_RATE: f64 = 0.8;
/// At most so much memory when idle, in bytes.
const AIM_IDLE: u64 = 15 * MEBIBYTE;
const MEBIBYTE: u64 = 1024 * 1024;

/// Everything about one run; `about` describes it.
pub(super) fn text(about: &str, figures: &Figures, memory: &[Memory]) -> String {
    let mut text = format!("{about}\n");
    let mut case = None;
    for (cell, kinds) in figures.cells() {
        if case != Some(cell.case) {
            case = Some(cell.case);
            text.push_str(&heading(cell.case));
        }
        for (kind, samples) in kinds {
            text.push_str(&row(cell, *kind, samples, kinds.get(&Kind::Nginx)));
        }
    }
    text.push_str(&memories(memory));
    text.push_str(&aims(figures, memory));
    text
}

/// Replaces the figures in docs/benchmark.md.
///
/// # Errors
/// When the document or its marks are not there.
pub(super) fn write(text: &str) -> anyhow::Result<()> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/benchmark.md");
    let old = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let new = replace(&old, text).with_context(|| format!("{} has lost its marks", file.display()))?;
    std::fs::write(&file, new)?;
    eprintln!("docs/benchmark.md has the new figures");
    Ok(())
}

fn replace(document: &str, figures: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", figures.trim()))
}

fn heading(case: Case) -> String {
    format!(
        "\n### {}\n\n| era | connections | way | req/s | × nginx | spread | p50 µs | p99 µs | CPU µs per request | × nginx | of it in the kernel | upstream's CPU µs |\n|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
        case.title()
    )
}

fn row(cell: Cell, kind: Kind, samples: &[Sample], nginx: Option<&Vec<Sample>>) -> String {
    let of = |figure: fn(&Sample) -> f64| median(samples.iter().map(figure));
    let ratio = |figure: fn(&Sample) -> f64| against(samples, nginx, figure);
    let (cpu, cpu_ratio, kernel) = match kind {
        Kind::Direct => ("–".to_owned(), "–".to_owned(), "–".to_owned()),
        _ => {
            let share = of(|sample| sample.kernel / sample.cpu().max(f64::MIN_POSITIVE));
            (format!("{:.1}", of(Sample::cpu)), shown(ratio(Sample::cpu)), format!("{:.0} %", share * 100.0))
        }
    };
    format!(
        "| {} | {} | {} | {:.0} | {} | {} | {:.0} | {:.0} | {cpu} | {cpu_ratio} | {kernel} | {:.1} |\n",
        cell.era,
        cell.connections,
        kind.title(),
        of(|sample| sample.rate),
        shown(ratio(|sample| sample.rate)),
        spread(samples),
        of(|sample| sample.p50),
        of(|sample| sample.p99),
        of(|sample| sample.upstream),
    )
}

/// The median of the ratios to nginx in the same round: the two were measured within seconds of each other.
fn against(samples: &[Sample], nginx: Option<&Vec<Sample>>, figure: fn(&Sample) -> f64) -> Option<f64> {
    let pairs = samples.iter().zip(nginx?);
    Some(median(pairs.map(|(ours, theirs)| figure(ours) / figure(theirs).max(f64::MIN_POSITIVE))))
}

fn shown(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}"))
}

/// Half the way from the slowest round to the fastest, as a part of the median; one round has none.
fn spread(samples: &[Sample]) -> String {
    let rates = || samples.iter().map(|sample| sample.rate);
    if rates().count() < 2 {
        return "–".to_owned();
    }
    let (low, high) = (rates().fold(f64::INFINITY, f64::min), rates().fold(0.0, f64::max));
    let part = (high - low) / 2.0 / median(rates()).max(f64::MIN_POSITIVE);
    format!("±{:.0} %", part * 100.0)
}

fn memories(memory: &[Memory]) -> String {
    let mut text = String::from("\n### Resident memory\n\n| process | idle MiB | after the run MiB |\n|---|--:|--:|\n");
    for Memory { name, idle, now } in memory {
        let now = now.map_or_else(|| "gone".to_owned(), mebibytes);
        writeln!(text, "| {name} | {} | {now} |", mebibytes(*idle)).expect("a string takes everything");
    }
    text
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / MEBIBYTE as f64)
}

/// What was aimed at and what is reached, for the two plain ways through toolgate; and what namespaces cost.
fn aims(figures: &Figures, memory: &[Memory]) -> String {
    let mut text = String::new();
    for kind in [Kind::Toolgate, Kind::Prefixed] {
        let rates = ratios(figures, kind, Kind::Nginx, |sample| sample.rate);
        if let (Some(low), Some(high)) = (rates.first(), rates.last()) {
            let verdict = verdict(low.0 >= AIM_RATE);
            let aim = format!("`tools/call` throughput at least {AIM_RATE} × nginx's");
            text += &format!("- {}: {aim}: {verdict}. Lowest {}, highest {}.\n", kind.title(), place(low), place(high));
        }
        let costs = ratios(figures, kind, Kind::Nginx, Sample::cpu);
        if let (Some(low), Some(high)) = (costs.first(), costs.last()) {
            let verdict = verdict(high.0 <= AIM_CPU);
            let aim = format!("`tools/call` CPU time at most {AIM_CPU} × nginx's");
            text += &format!("- {}: {aim}: {verdict}. Lowest {}, highest {}.\n", kind.title(), place(low), place(high));
        }
    }
    for kind in [Kind::Namespace, Kind::Overridden] {
        let costs = ratios(figures, kind, Kind::Prefixed, Sample::cpu);
        if let (Some(low), Some(high)) = (costs.first(), costs.last()) {
            let (title, median) = (kind.title(), costs[costs.len() / 2].0);
            text += &format!(
                "- {title}: `tools/call` CPU time {median:.2} × that of prefixed (median of the cells). Lowest {}, highest {}.\n",
                place(low),
                place(high)
            );
        }
    }
    let idle = memory.iter().filter(|memory| memory.name.starts_with("toolgate")).map(|memory| memory.idle).max();
    if let Some(idle) = idle {
        let (aim, verdict) = (AIM_IDLE / MEBIBYTE, verdict(idle <= AIM_IDLE));
        text += &format!("- idle memory at most {aim} MiB: {verdict}. Highest {} MiB.\n", mebibytes(idle));
    }
    if text.is_empty() { text } else { format!("\n### Aims\n\n{text}") }
}

/// The ratios to `base` in every `tools/call` cell, the lowest first.
fn ratios(figures: &Figures, kind: Kind, base: Kind, figure: fn(&Sample) -> f64) -> Vec<(f64, Cell)> {
    let ratio = |(cell, kinds): (Cell, &BTreeMap<Kind, Vec<Sample>>)| {
        Some((against(kinds.get(&kind)?, kinds.get(&base), figure)?, cell))
    };
    let mut ratios: Vec<_> = figures.cells().filter(|(cell, _)| cell.case != Case::List).filter_map(ratio).collect();
    ratios.sort_by(|a, b| a.0.total_cmp(&b.0));
    ratios
}

fn verdict(reached: bool) -> &'static str {
    match reached {
        true => "**reached**",
        false => "**not reached**",
    }
}

fn place((ratio, cell): &(f64, Cell)) -> String {
    format!("{ratio:.2} ({cell})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::load::Tally;
    use crate::bench::messages::Era;

    fn sample(rate: f64, cpu: f64) -> Sample {
        Sample { rate, p50: 1.0, p99: 2.0, user: cpu / 2.0, kernel: cpu / 2.0, upstream: 1.0 }
    }

    /// Three rounds in which toolgate has 0.9 of nginx's throughput at `cost` times its CPU time.
    fn figures(cost: f64) -> Figures {
        let cell = Cell { case: Case::Small, era: Era::Modern, connections: 1 };
        let mut figures = Figures::default();
        for speed in [1.0, 0.5, 2.0] {
            figures.add(cell, Kind::Nginx, sample(1000.0 * speed, 20.0), Tally::default());
            figures.add(cell, Kind::Toolgate, sample(900.0 * speed, 20.0 * cost), Tally::default());
        }
        figures
    }

    #[test]
    fn ratios_are_taken_round_by_round_and_judged() {
        let memory = [Memory { name: "toolgate".to_owned(), idle: 16 * MEBIBYTE, now: None }];
        let text = text("- here\n", &figures(1.4), &memory);
        assert!(
            text.contains(
                "| modern | 1 | toolgate, transparent | 900 | 0.90 | ±75 % | 1 | 2 | 28.0 | 1.40 | 50 % | 1.0 |"
            ),
            "{text}"
        );
        assert!(
            text.contains("throughput at least 0.8 × nginx's: **reached**. Lowest 0.90 (modern small on 1)"),
            "{text}"
        );
        assert!(text.contains("CPU time at most 1.5 × nginx's: **reached**"), "{text}");
        assert!(text.contains("idle memory at most 15 MiB: **not reached**. Highest 16.0 MiB."), "{text}");
        let text = super::text("", &figures(1.6), &[]);
        assert!(text.contains("CPU time at most 1.5 × nginx's: **not reached**"), "{text}");
    }

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        let document = format!("above\n{BEGIN}\nold\n{END}\nbelow\n");
        assert_eq!(replace(&document, "new\n"), Some(format!("above\n{BEGIN}\n\nnew\n\n{END}\nbelow\n")));
        assert_eq!(replace("no marks", "new"), None);
    }

    #[test]
    fn the_document_has_its_marks() {
        let document = include_str!("../../../docs/benchmark.md");
        assert!(replace(document, "new").is_some());
    }
}
