//! What came of the runs: a line while they go on, a table at the end, and the page in the docs.

use std::fmt::Write as _;

use super::expected::Expected;
use super::plan::Run;
use super::suite::{Scenario, Status};

/// One run's figures.
pub(super) struct Row {
    cell: String,
    transport: &'static str,
    revision: &'static str,
    scored: Score,
    /// Checks of all scenarios that ran, scored or not.
    succeeded: usize,
    failed: usize,
    warned: usize,
    /// The unscored scenarios that failed.
    unscored: Vec<String>,
    expected: Expected,
}

struct Score {
    passed: usize,
    total: usize,
}

const HEAD: [&str; 6] = [
    "client over upstream",
    "upstream by",
    "scored scenarios",
    "checks passed",
    "failed (warned)",
    "unscored scenarios that fail",
];

/// What stands above the table on the page.
const INTRODUCTION: &str = "\
# Conformance

The official MCP conformance suite through toolgate in transparent mode, before a server of our own that passes it
without toolgate (`cargo xtask conformance --direct`). A cell is the client's era over the upstream's; *legacy* stands for
revision 2025-11-25, *modern* for 2026-07-28. Scored scenarios are those that the suite requires of a server of the
client's revision; it runs the others for information, mostly extensions.

This page is written by `cargo xtask conformance --write`.
";

// === impl Row ===

impl Row {
    pub(super) fn new(run: Run, results: &[Scenario], expected: Expected) -> Self {
        let sum = |status| results.iter().map(|scenario| scenario.count(status)).sum();
        let scored = || results.iter().filter(|scenario| scenario.scored);
        let failing = results.iter().filter(|scenario| !scenario.scored && !scenario.passed());
        Row {
            cell: run.cell(),
            transport: run.transport(),
            revision: run.client.revision(),
            scored: Score { passed: scored().filter(|scenario| scenario.passed()).count(), total: scored().count() },
            succeeded: sum(Status::Success),
            failed: sum(Status::Failure),
            warned: sum(Status::Warning),
            unscored: failing.map(|scenario| scenario.name.clone()).collect(),
            expected,
        }
    }

    fn cells(&self) -> [String; 6] {
        let unscored = if self.unscored.is_empty() { "none".to_owned() } else { self.unscored.join(", ") };
        [
            self.cell.clone(),
            self.transport.to_owned(),
            format!("{}/{} ({})", self.scored.passed, self.scored.total, self.revision),
            self.succeeded.to_string(),
            format!("{} ({})", self.failed, self.warned),
            unscored,
        ]
    }
}

/// One line, when a run is done.
pub(super) fn headline(row: &Row) -> String {
    let Score { passed, total } = row.scored;
    format!(
        "{} ({}): {passed}/{total}, checks {} passed, {} failed, {} warned",
        row.cell, row.transport, row.succeeded, row.failed, row.warned
    )
}

/// A Markdown table, with columns that line up in a terminal too.
pub(super) fn table(rows: &[Row]) -> String {
    let rows: Vec<[String; 6]> = rows.iter().map(Row::cells).collect();
    let mut widths = HEAD.map(str::len);
    // The last column is the longest by far and needs no edge.
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row).take(HEAD.len() - 1) {
            *width = (*width).max(cell.len());
        }
    }
    let line = |cells: &[String; 6]| {
        let padded = cells.iter().zip(widths).map(|(cell, width)| format!(" {cell:width$} |"));
        format!("|{}\n", padded.collect::<String>())
    };
    let rule: String = widths.map(|width| format!("{}|", "-".repeat(width + 2))).concat();
    let body: String = rows.iter().map(line).collect();
    format!("{}|{rule}\n{body}", line(&HEAD.map(str::to_owned)))
}

/// The page `docs/conformance.md`.
pub(super) fn page(suite_version: &str, rows: &[Row]) -> String {
    let mut page =
        format!("{INTRODUCTION}\nSuite: `@modelcontextprotocol/conformance` {suite_version}.\n\n{}", table(rows));
    page.push_str("\n## What is expected to fail, and why\n");
    let mut told = "";
    for row in rows.iter().filter(|row| !row.expected.entries.is_empty()) {
        // The same file holds for both transports of a cell.
        if page.contains(&format!("\n### {}\n", row.cell)) {
            continue;
        }
        let _ = writeln!(page, "\n### {}", row.cell);
        for entry in &row.expected.entries {
            if entry.reason != told {
                let _ = writeln!(page, "\n{}\n", entry.reason);
                told = &entry.reason;
            }
            let _ = writeln!(page, "- `{}`", entry.name());
        }
        told = "";
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_lines_up_and_names_what_fails() {
        let row = Row {
            cell: "modern-over-legacy".to_owned(),
            transport: "http",
            revision: "2026-07-28",
            scored: Score { passed: 34, total: 37 },
            succeeded: 156,
            failed: 34,
            warned: 0,
            unscored: vec!["tasks-lifecycle".to_owned()],
            expected: Expected::default(),
        };
        let table = table(&[row]);
        let bars: Vec<_> = table.lines().map(|line| line.match_indices('|').map(|(at, _)| at).nth(5)).collect();
        assert!(bars.windows(2).all(|pair| pair[0] == pair[1]), "{table}");
        assert!(table.contains("34/37") && table.contains("tasks-lifecycle"));
    }
}
