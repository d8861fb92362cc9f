//! What the suite leaves: a folder for each scenario with one `checks.json`.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;

/// `-2026-11-21T03-02-34-585Z`, which the suite appends to the name of a scenario's folder.
const STAMP_LENGTH: usize = 25;

/// A scenario and what came of it.
pub(super) struct Scenario {
    pub(super) name: String,
    /// Whether it counts; the others are run for information, and must only not get worse.
    pub(super) scored: bool,
    /// Empty when the suite could not run it.
    pub(super) checks: Vec<Check>,
}

/// One thing that the suite looked at.
#[derive(Deserialize)]
pub(super) struct Check {
    pub(super) id: String,
    pub(super) status: Status,
    #[serde(rename = "errorMessage", default)]
    pub(super) message: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Status {
    Success,
    Failure,
    /// Something the specification only recommends is missing.
    Warning,
    Skipped,
    Info,
}

/// Reads what became of the scenarios `named`, each with whether it is scored. `prefix` begins the folders' names.
pub(super) fn read<'a>(
    folder: &Path,
    prefix: &str,
    named: impl Iterator<Item = (&'a str, bool)>,
) -> anyhow::Result<Vec<Scenario>> {
    let mut checks = HashMap::new();
    for entry in std::fs::read_dir(folder).context("the suite left no results")? {
        let entry = entry?;
        let folder = entry.file_name();
        let Some(scenario) = scenario_of(&folder.to_string_lossy(), prefix).map(str::to_owned) else { continue };
        let file = entry.path().join("checks.json");
        // A scenario that broke down leaves its folder empty.
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        let found: Vec<Check> = serde_json::from_str(&text).with_context(|| file.display().to_string())?;
        checks.insert(scenario, found);
    }
    let scenario = |(name, scored): (&str, bool)| Scenario {
        name: name.to_owned(),
        scored,
        checks: checks.remove(name).unwrap_or_default(),
    };
    Ok(named.map(scenario).collect())
}

/// With the prefix `server-`, `server-tools-list-2026-11-21T03-02-34-231Z` is the folder of `tools-list`.
fn scenario_of<'a>(folder: &'a str, prefix: &str) -> Option<&'a str> {
    let name = folder.strip_prefix(prefix)?;
    name.get(..name.len().checked_sub(STAMP_LENGTH)?)
}

// === impl Scenario ===

impl Scenario {
    /// As the suite scores it: it ran, and nothing failed.
    pub(super) fn passed(&self) -> bool {
        !self.checks.is_empty() && self.count(Status::Failure) == 0
    }

    pub(super) fn count(&self, status: Status) -> usize {
        self.checks.iter().filter(|check| check.status == status).count()
    }
}

// === impl Check ===

impl Check {
    /// Whether the suite found fault. A warning counts: through a gateway nothing should get worse.
    pub(super) fn is_bad(&self) -> bool {
        matches!(self.status, Status::Failure | Status::Warning)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_found_by_scenario_and_a_missing_one_has_not_passed() {
        let folder = tempfile::tempdir().unwrap();
        let ping = folder.path().join("server-ping-2026-11-21T03-02-34-231Z");
        std::fs::create_dir(&ping).unwrap();
        let checks = r#"[{"id":"ping","name":"Ping","status":"SUCCESS"},{"id":"note","status":"INFO","details":{}}]"#;
        std::fs::write(ping.join("checks.json"), checks).unwrap();

        let named = [("ping", true), ("tools-list", false)];
        let scenarios = read(folder.path(), "server-", named.into_iter()).unwrap();

        assert_eq!(scenarios.iter().map(Scenario::passed).collect::<Vec<_>>(), [true, false]);
        assert_eq!(scenarios[0].count(Status::Success), 1);
    }
}
