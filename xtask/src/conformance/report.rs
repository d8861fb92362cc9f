//! What came of the runs: a line while they go on, tables at the end, and the page in the docs.

use std::fmt::Write as _;

use super::expected::Expected;
use super::results::{Scenario, Status};

/// What came of one run.
pub(super) struct Row {
    /// As the file of expected failures is called.
    pub(super) cell: String,
    pub(super) transport: &'static str,
    pub(super) revision: &'static str,
    pub(super) scenarios: Vec<Scenario>,
    pub(super) expected: Expected,
}

/// What stands above the tables on the page.
const INTRODUCTION: &str = "\
# Conformance

The official MCP conformance suite through toolgate in transparent mode, before a server of our own that passes it
without toolgate (`cargo xtask conformance --direct`). A cell is the client's era over the upstream's; *legacy* stands for
revision 2025-11-25, *modern* for 2026-07-28. Scored scenarios are those that the suite requires of a server of the
client's revision.

This page is written by `cargo xtask conformance --write`.
";

const UNSCORED: &str = "
## Beyond what is scored

Extensions, and what the suite's authors do not count yet. A cell has the checks that passed, of those that passed or
failed; `skip` is a check that found nothing to look at. Why, if not all is well, stands below. The chore fails when
fewer pass than here.

";

const CLIENTS: &str = "
## toolgate as the client

The suite plays a server, and a toolgate whose only upstream it is does what the scenario asks of a client. Checks as in
the table above. The scenarios of authorization are not run here, nor those in which a host verifies the files of a skill:
a gateway hands them on as they are.

";

// === impl Row ===

impl Row {
    /// Scored scenarios that passed, and all scored ones.
    fn score(&self) -> (usize, usize) {
        let scored = || self.scenarios.iter().filter(|scenario| scenario.scored);
        (scored().filter(|scenario| scenario.passed()).count(), scored().count())
    }

    fn sum(&self, status: Status) -> usize {
        self.scenarios.iter().map(|scenario| scenario.count(status)).sum()
    }

    fn cells(&self) -> Vec<String> {
        let (passed, total) = self.score();
        vec![
            self.cell.clone(),
            self.transport.to_owned(),
            format!("{passed}/{total} ({})", self.revision),
            self.sum(Status::Success).to_string(),
            format!("{} ({})", self.sum(Status::Failure), self.sum(Status::Warning)),
        ]
    }
}

/// One line, when a run is done.
pub(super) fn headline(row: &Row) -> String {
    let (passed, total) = row.score();
    let [good, bad, warned] = [Status::Success, Status::Failure, Status::Warning].map(|status| row.sum(status));
    format!("{} ({}): {passed}/{total}, checks {good} passed, {bad} failed, {warned} warned", row.cell, row.transport)
}

/// The table of the runs.
pub(super) fn summary(rows: &[Row]) -> String {
    let head = ["client over upstream", "upstream by", "scored scenarios", "checks passed", "failed (warned)"];
    aligned(&head.map(str::to_owned), &rows.iter().map(Row::cells).collect::<Vec<_>>())
}

/// A table with a line for each scenario that is `wanted`, and a column for each run.
pub(super) fn matrix(rows: &[Row], wanted: impl Fn(&Scenario) -> bool) -> String {
    let mut names: Vec<&str> = Vec::new();
    for scenario in rows.iter().flat_map(|row| &row.scenarios).filter(|scenario| wanted(scenario)) {
        if !names.contains(&scenario.name.as_str()) {
            names.push(&scenario.name);
        }
    }
    let head: Vec<_> = rows.iter().map(|row| format!("{}, {}", row.cell, row.transport)).collect();
    let head: Vec<_> = [String::from("scenario")].into_iter().chain(head).collect();
    let line = |name: &&str| {
        let of =
            |row: &Row| row.scenarios.iter().find(|scenario| scenario.name == **name && wanted(scenario)).map(tally);
        let tallies = rows.iter().map(|row| of(row).unwrap_or_default());
        [format!("`{name}`")].into_iter().chain(tallies).collect()
    };
    aligned(&head, &names.iter().map(line).collect::<Vec<Vec<_>>>())
}

fn tally(scenario: &Scenario) -> String {
    if scenario.checks.is_empty() {
        return "did not run".to_owned();
    }
    let good = scenario.count(Status::Success);
    let bad = scenario.checks.iter().filter(|check| check.is_bad()).count();
    match scenario.count(Status::Skipped) {
        0 => format!("{good}/{}", good + bad),
        skipped => format!("{good}/{}, {skipped} skip", good + bad),
    }
}

/// A Markdown table, with columns that line up in a terminal too.
fn aligned(head: &[String], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().chain([&head.to_vec()]).map(|row| row[column].chars().count()).max();
        cells.unwrap_or_default()
    };
    let widths: Vec<_> = (0..head.len()).map(width).collect();
    let line = |cells: &[String]| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!(" {cell:width$} |"));
        format!("|{}\n", padded.collect::<String>())
    };
    let rule: String = widths.iter().map(|width| format!("{}|", "-".repeat(width + 2))).collect();
    format!("{}|{rule}\n{}", line(head), rows.iter().map(|row| line(row)).collect::<String>())
}

/// The page `docs/conformance.md`.
pub(super) fn page(suite_version: &str, servers: &[Row], clients: &[Row]) -> String {
    let suite = format!("Suite: `@modelcontextprotocol/conformance` {suite_version}.");
    let mut page = format!("{INTRODUCTION}\n{suite}\n\n{}", summary(servers));
    page.push_str(UNSCORED);
    page.push_str(&matrix(servers, |scenario| !scenario.scored));
    page.push_str(CLIENTS);
    page.push_str(&matrix(clients, |_| true));
    page.push_str("\n## What is not as it should be, and why\n");
    page.push_str("\n*Ours* is toolgate's, *Fixture* our server's, *Suite* the suite's; *Wire* is nobody's: one revision cannot\n");
    page.push_str("say what the other can.\n");
    for row in servers.iter().chain(clients).filter(|row| !row.expected.entries.is_empty()) {
        // The same file holds for both transports of a cell.
        if !page.contains(&format!("\n### {}\n", row.cell)) {
            reasons(&mut page, row);
        }
    }
    page
}

fn reasons(page: &mut String, row: &Row) {
    let _ = writeln!(page, "\n### {}", row.cell);
    let mut told = "";
    for entry in &row.expected.entries {
        if entry.reason != told {
            let _ = writeln!(page, "\n{}\n", entry.reason);
            told = &entry.reason;
        }
        let _ = writeln!(page, "- `{}`", entry.name());
    }
}

#[cfg(test)]
mod tests {
    use super::super::results::Check;
    use super::*;

    fn scenario(name: &str, scored: bool, statuses: &[Status]) -> Scenario {
        let check = |status: &Status| Check { id: name.to_owned(), status: *status, message: String::new() };
        Scenario { name: name.to_owned(), scored, checks: statuses.iter().map(check).collect() }
    }

    fn row() -> Row {
        let scenarios = vec![
            scenario("ping", true, &[Status::Success, Status::Info]),
            scenario("caching", true, &[Status::Failure]),
            scenario("tasks-lifecycle", false, &[Status::Success, Status::Warning, Status::Skipped]),
            scenario("tasks-wire-fields", false, &[]),
        ];
        let expected = Expected::default();
        Row { cell: "modern-over-legacy".to_owned(), transport: "http", revision: "2026-07-28", scenarios, expected }
    }

    #[test]
    fn the_summary_lines_up_and_counts_what_is_scored() {
        let summary = summary(&[row()]);
        let bars: Vec<Vec<_>> =
            summary.lines().map(|line| line.match_indices('|').map(|(at, _)| at).collect()).collect();
        assert!(bars.windows(2).all(|pair| pair[0] == pair[1]), "{summary}");
        assert!(summary.contains("| 1/2 (2026-07-28) ") && summary.contains("| 1 (1) "), "{summary}");
    }

    #[test]
    fn the_matrix_has_what_is_wanted_of_every_run() {
        let other = Row { scenarios: vec![scenario("tasks-lifecycle", false, &[Status::Success])], ..row() };
        let matrix = matrix(&[row(), other], |scenario| !scenario.scored);
        let lines: Vec<Vec<_>> = matrix.lines().map(|line| line.split('|').map(str::trim).collect()).collect();
        assert_eq!(lines[2][1..4], ["`tasks-lifecycle`", "1/2, 1 skip", "1/1"]);
        assert_eq!(lines[3][1..4], ["`tasks-wire-fields`", "did not run", ""]);
        assert_eq!(lines.len(), 4);
    }
}
