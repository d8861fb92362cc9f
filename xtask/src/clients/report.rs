//! The table of a run, and under it what is wrong.

use super::judge::{Score, Verdict};

/// The most lines that are shown for one client; the documents hold the rest.
const LINES: usize = 25;

/// Prints the verdicts.
pub(super) fn print(verdicts: &[Verdict]) {
    let heads = [
        "client",
        "version",
        "era",
        "listed",
        "tools",
        "others",
        "calls",
        "reads",
        "progress",
        "answers",
        "seconds",
        "differences",
    ];
    let rows: Vec<[String; 12]> = verdicts.iter().map(row).collect();
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).chain([heads[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..heads.len()).map(width).collect();
    let line = |cells: &[String]| {
        let padded: Vec<_> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        println!("{}", padded.join("  ").trim_end());
    };
    println!();
    line(&heads.map(str::to_owned));
    rows.iter().for_each(|row| line(row));
    println!(
        "\nlisted: all tools shown; tools, others (prompts, resources, templates): equal to the servers' own definitions;"
    );
    println!("calls, reads (resources, prompts, completions), progress: equal to what the servers answer directly;");
    println!(
        "answers: tools that ask the client in mid-call, over eras, said what only its answers can have told them"
    );
    for verdict in verdicts.iter().filter(|verdict| !verdict.unasked.is_empty()) {
        let unasked: Vec<_> = verdict.unasked.iter().map(|ask| format!("{ask:?}").to_lowercase()).collect();
        let (client, unasked) = (&verdict.client, unasked.join(", "));
        println!("{client} has no callback for: {unasked}; a call that asks for it counts if it is refused");
    }
    for verdict in verdicts.iter().filter(|verdict| !verdict.is_good()) {
        println!("\n{}:", verdict.client);
        verdict.differences.iter().take(LINES).for_each(|difference| println!("  {difference}"));
        if verdict.differences.len() > LINES {
            println!("  … and {} more", verdict.differences.len() - LINES);
        }
    }
}

fn row(verdict: &Verdict) -> [String; 12] {
    [
        verdict.client.clone(),
        verdict.version.clone(),
        verdict.era.clone(),
        if verdict.listed > 0 { verdict.listed.to_string() } else { String::new() },
        score(verdict.tools),
        score(verdict.others),
        score(verdict.calls),
        score(verdict.reads),
        score(verdict.progress),
        score(verdict.answers),
        if verdict.seconds > 0.0 { format!("{:.1}", verdict.seconds) } else { String::new() },
        if verdict.is_good() { "none".to_owned() } else { verdict.differences.len().to_string() },
    ]
}

fn score(score: Score) -> String {
    if score.of == 0 { String::new() } else { format!("{}/{}", score.good, score.of) }
}
