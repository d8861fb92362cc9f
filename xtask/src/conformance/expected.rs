//! What may fail, and why: `fixtures/conformance/expected/<cell>.yaml`, in the suite's own format for such files.
//!
//! ```yaml
//! server:
//!   # The reason, which holds for the entries below it until the next comment.
//!   - scenario:check-id
//!   - whole-scenario
//! ```
//! An entry without a reason is not accepted, nor one for something that passes: the file says what is so today.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, bail};

use super::plan::Run;
use super::suite::{Scenario, Status};

const MESSAGE_CHARS: usize = 200;

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
pub(super) struct Judgement {
    pub(super) faults: Vec<String>,
}

// === impl Expected ===

impl Expected {
    pub(super) fn read(folder: &Path, run: Run) -> anyhow::Result<Self> {
        let file = folder.join(format!("{}.yaml", run.cell()));
        let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        Self::parse(&text).with_context(|| file.display().to_string())
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let mut lines = text.lines().enumerate().skip_while(|(_, line)| line.starts_with('#') || line.is_empty());
        match lines.next() {
            Some((_, "server: []")) => return Ok(Expected::default()),
            Some((_, "server:")) => {}
            _ => bail!("expected `server:` with a list, or `server: []`"),
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
                if reason.is_empty() {
                    bail!("line {}: `{item}` has no reason above it", index + 1);
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
    pub(super) fn of(results: &[Scenario], expected: &Expected) -> Self {
        let mut faults: Vec<_> = results.iter().flat_map(|scenario| unexpected(scenario, expected)).collect();
        faults.extend(expected.entries.iter().filter_map(|entry| stale(entry, results)));
        Judgement { faults }
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

/// Why an entry should not be in the file, if so.
fn stale(entry: &Entry, results: &[Scenario]) -> Option<String> {
    let Some(scenario) = results.iter().find(|scenario| scenario.name == entry.scenario) else {
        return Some(format!("{} is expected to fail, but is not a scenario of this revision", entry.name()));
    };
    let mut looked_at = scenario.checks.iter().filter(|check| match &entry.check {
        Some(id) => check.id == *id,
        None => true,
    });
    let fails = scenario.checks.is_empty() || looked_at.any(|check| check.is_bad());
    (!fails).then(|| format!("{} is expected to fail, but does not; take it out of the file", entry.name()))
}

#[cfg(test)]
mod tests {
    use super::super::suite::Check;
    use super::*;

    const FILE: &str = "\
# About the file.
server:
  # The wire cannot
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
        Judgement::of(results, &Expected::parse(FILE).unwrap()).faults
    }

    #[test]
    fn a_reason_holds_until_the_next_and_may_not_be_missing() {
        let expected = Expected::parse(FILE).unwrap();
        assert!(expected.entries.iter().all(|entry| entry.reason == "The wire cannot carry it."));
        assert!(Expected::parse("server:\n  - ping\n").is_err());
        assert!(Expected::parse("server: []\n").unwrap().entries.is_empty());
        assert!(Expected::parse("client:\n").is_err());
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
}
