//! What may fail, and why: `fixtures/conformance/expected/<cell>.yaml`, in the suite's own format for such files.
//!
//! ```yaml
//! server:
//!   # Wire: the reason, which holds for the entries below it until the next comment, and begins with whose it is.
//!   - scenario:check-id
//!   - whole-scenario
//! ```
//! An entry without a reason is not accepted, nor one for something that passes: the file says what is so today. With a
//! scenario that is not scored this is less strict: there it is a fault when something gets worse, and a note when it is
//! better than the file says.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, bail};

use super::recorded::Passed;
use super::results::{Scenario, Status};

const MESSAGE_CHARS: usize = 200;
/// Whose a failure can be: toolgate's, our server's behind it, the suite's, or nobody's, because one of the two revisions
/// cannot say what the other can.
const WHOSE: [&str; 4] = ["Ours: ", "Fixture: ", "Suite: ", "Wire: "];

/// The entries of one file.
#[derive(Default)]
pub(super) struct Expected {
    pub(super) entries: Vec<Entry>,
}

/// Something that may fail.
pub(super) struct Entry {
    pub(super) scenario: String,
    /// One check of the scenario; without it any.
    pub(super) check: Option<String>,
    pub(super) reason: String,
}

/// How the results differ from what is expected, one line each.
#[derive(Default)]
pub(super) struct Judgement {
    pub(super) faults: Vec<String>,
    /// What is better than expected or recorded, where that is no fault.
    pub(super) notes: Vec<String>,
}

// === impl Expected ===

impl Expected {
    /// Reads the file of a cell.
    pub(super) fn read(folder: &Path, cell: &str) -> anyhow::Result<Self> {
        let file = folder.join(format!("{cell}.yaml"));
        let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        Self::parse(&text).with_context(|| file.display().to_string())
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let mut lines = text.lines().enumerate().skip_while(|(_, line)| line.starts_with('#') || line.is_empty());
        match lines.next() {
            Some((_, "server: []" | "client: []")) => return Ok(Expected::default()),
            Some((_, "server:" | "client:")) => {}
            _ => bail!("expected `server:` or `client:` with a list, or an empty one: `server: []`"),
        }
        let mut entries = Vec::new();
        let mut reason = String::new();
        let mut in_comment = false;
        for (index, line) in lines {
            let line = line.trim();
            if let Some(comment) = line.strip_prefix('#') {
                if !in_comment {
                    reason.clear();
                }
                reason = format!("{reason} {}", comment.trim()).trim().to_owned();
            } else if let Some(item) = line.strip_prefix("- ") {
                if !WHOSE.iter().any(|whose| reason.starts_with(whose)) {
                    let whose = WHOSE.map(str::trim_end).join(", ");
                    bail!("line {}: `{item}` has no reason above it that begins with one of {whose}", index + 1);
                }
                let (scenario, check) = match item.split_once(':') {
                    Some((scenario, check)) => (scenario, Some(check.to_owned())),
                    None => (item, None),
                };
                entries.push(Entry { scenario: scenario.to_owned(), check, reason: reason.clone() });
            } else if !line.is_empty() {
                bail!("line {}: neither a comment nor an entry", index + 1);
            }
            in_comment = line.starts_with('#');
        }
        Ok(Expected { entries })
    }
}

// === impl Entry ===

impl Entry {
    /// As it stands in the file.
    pub(super) fn name(&self) -> String {
        match &self.check {
            Some(check) => format!("{}:{check}", self.scenario),
            None => self.scenario.clone(),
        }
    }
}

// === impl Judgement ===

impl Judgement {
    /// Judges a run; `recorded` has how many checks passed when last that was written down.
    pub(super) fn of(results: &[Scenario], expected: &Expected, recorded: &Passed) -> Self {
        let faults = results.iter().flat_map(|scenario| unexpected(scenario, expected)).collect();
        let mut judgement = Judgement { faults, notes: Vec::new() };
        for entry in &expected.entries {
            judgement.stale(entry, results);
        }
        for scenario in results {
            let before = recorded.get(&scenario.name).copied().unwrap_or_default();
            let now = scenario.count(Status::Success);
            let line = || format!("{}: {now} checks pass, {before} were recorded", scenario.name);
            match now.cmp(&before) {
                Ordering::Less => judgement.faults.push(line()),
                Ordering::Greater => judgement.notes.push(line()),
                Ordering::Equal => {}
            }
        }
        judgement
    }

    /// Says so if an entry should not be in the file.
    fn stale(&mut self, entry: &Entry, results: &[Scenario]) {
        let Some(scenario) = results.iter().find(|scenario| scenario.name == entry.scenario) else {
            self.faults.push(format!("{} is expected to fail, but is not a scenario of this run", entry.name()));
            return;
        };
        // A scenario that is not scored may also be one that the suite skips, or in which it only looks.
        let is_amiss = |status| status == Status::Skipped && !scenario.scored;
        let is_vacuous = !scenario.scored && entry.check.is_none() && scenario.count(Status::Success) == 0;
        let mut looked_at = scenario.checks.iter().filter(|check| match &entry.check {
            Some(id) => check.id == *id,
            None => true,
        });
        let fails =
            is_vacuous || scenario.checks.is_empty() || looked_at.any(|check| check.is_bad() || is_amiss(check.status));
        if !fails {
            let line = format!("{} is expected to fail, but does not; take it out of the file", entry.name());
            if scenario.scored { self.faults.push(line) } else { self.notes.push(line) }
        }
    }
}

/// What is wrong with a scenario beyond what may be.
fn unexpected(scenario: &Scenario, expected: &Expected) -> Vec<String> {
    let entries: Vec<_> = expected.entries.iter().filter(|entry| entry.scenario == scenario.name).collect();
    if entries.iter().any(|entry| entry.check.is_none()) {
        return Vec::new();
    }
    if scenario.checks.is_empty() {
        return vec![format!("{} did not run", scenario.name)];
    }
    // The suite makes some checks several times under one id; the first failure tells what is wrong.
    let mut told: BTreeSet<_> = entries.iter().filter_map(|entry| entry.check.as_deref()).collect();
    let bad = scenario.checks.iter().filter(|check| check.is_bad() && told.insert(&check.id));
    bad.map(|check| {
        let verb = if check.status == Status::Warning { "warns" } else { "fails" };
        format!("{}:{} {verb}: {}", scenario.name, check.id, start_of(&check.message))
    })
    .collect()
}

/// As much of a message as fits a line or two; some carry whole JSON documents.
fn start_of(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let start: String = line.chars().take(MESSAGE_CHARS).collect();
    if start.len() < message.len() { format!("{start} …") } else { start }
}

#[cfg(test)]
mod tests {
    use super::super::results::Check;
    use super::*;

    const FILE: &str = "\
# About the file.
server:
  # Wire: it cannot
  # carry it.
  - tools-list:names
  - ping
";

    fn scenario(name: &str, checks: &[(&str, Status)]) -> Scenario {
        let check =
            |(id, status): &(&str, Status)| Check { id: (*id).to_owned(), status: *status, message: "so".to_owned() };
        Scenario { name: name.to_owned(), scored: true, checks: checks.iter().map(check).collect() }
    }

    fn faults(results: &[Scenario]) -> Vec<String> {
        Judgement::of(results, &Expected::parse(FILE).unwrap(), &Passed::new()).faults
    }

    #[test]
    fn a_reason_holds_until_the_next_and_may_not_be_missing() {
        let expected = Expected::parse(FILE).unwrap();
        assert!(expected.entries.iter().all(|entry| entry.reason == "Wire: it cannot carry it."));
        assert!(Expected::parse("server:\n  - ping\n").is_err());
        assert!(Expected::parse("server:\n  # It is so.\n  - ping\n").is_err(), "whose is it?");
        assert!(Expected::parse("server: []\n").unwrap().entries.is_empty());
        assert!(Expected::parse("clients:\n").is_err());
    }

    #[test]
    fn what_is_expected_to_fail_may_fail() {
        let list = scenario("tools-list", &[("names", Status::Failure), ("order", Status::Success)]);
        assert_eq!(faults(&[list, scenario("ping", &[("ping", Status::Failure)])]), [""; 0]);
    }

    #[test]
    fn another_failure_or_warning_may_not() {
        let list = scenario("tools-list", &[("names", Status::Failure), ("order", Status::Warning)]);
        assert_eq!(faults(&[list, scenario("ping", &[])]), ["tools-list:order warns: so"]);
    }

    #[test]
    fn what_did_not_run_and_what_passes_against_expectation_are_faults() {
        let found = faults(&[
            scenario("tools-list", &[]),
            scenario("ping", &[("ping", Status::Success)]),
            scenario("new", &[]),
        ]);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].contains("tools-list did not run"));
        assert!(found[1].contains("new did not run"));
        assert!(found[2].contains("ping is expected to fail"));
    }

    #[test]
    fn what_is_not_scored_may_get_better_but_not_worse() {
        let recorded = Passed::from([("ping".to_owned(), 1)]);
        let judged = |statuses: &[Status]| {
            let checks: Vec<_> = statuses.iter().map(|status| ("ping", *status)).collect();
            let results = [
                scenario("tools-list", &[("names", Status::Failure)]),
                Scenario { scored: false, ..scenario("ping", &checks) },
            ];
            let Judgement { faults, notes } = Judgement::of(&results, &Expected::parse(FILE).unwrap(), &recorded);
            (faults.len(), notes.len())
        };
        assert_eq!(judged(&[Status::Success, Status::Skipped]), (0, 0));
        assert_eq!(judged(&[Status::Success, Status::Success]), (0, 2), "more pass, and the entry is stale");
        assert_eq!(judged(&[Status::Skipped]), (1, 0));
    }
}
