//! How many checks passed: `fixtures/conformance/recorded.json`, written by `--write`.
//!
//! The suite may skip checks as well as fail them, and stop early in a scenario that may fail, so that what gets worse would
//! not always show as a failure. The number of checks that passed shows it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;

use super::results::{Scenario, Status};

const FILE: &str = "recorded.json";

/// Checks that passed, by scenario.
pub(super) type Passed = BTreeMap<String, usize>;

/// All runs.
#[derive(Default)]
pub(super) struct Recorded(BTreeMap<String, Passed>);

// === impl Recorded ===

impl Recorded {
    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        let file = folder.join(FILE);
        let text = std::fs::read(&file).with_context(|| file.display().to_string())?;
        Ok(Self(serde_json::from_slice(&text).with_context(|| file.display().to_string())?))
    }

    /// What was recorded of a run; nothing of one that is new.
    pub(super) fn of(&self, run: &str) -> Passed {
        self.0.get(run).cloned().unwrap_or_default()
    }

    /// Puts what came of a run in the place of what was recorded of it.
    pub(super) fn set(&mut self, run: String, scenarios: &[Scenario]) {
        let passed = scenarios.iter().map(|scenario| (scenario.name.clone(), scenario.count(Status::Success)));
        self.0.insert(run, passed.collect());
    }

    pub(super) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(&self.0)?;
        std::fs::write(folder.join(FILE), text + "\n").context("the record cannot be written")
    }
}
