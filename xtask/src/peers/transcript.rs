//! What the client wrote down: `fixtures/peers/measure.py` says what each member means.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::Value;

use super::front::Front;
use super::scenario::Scenario;

/// One client's work at one front.
pub(super) struct Transcript {
    pub(super) scenario: Scenario,
    pub(super) front: Front,
    pub(super) said: Said,
}

/// The document of the client.
#[derive(Deserialize)]
pub(super) struct Said {
    pub(super) client: String,
    pub(super) versions: BTreeMap<String, String>,
    /// What `tools/list` answered.
    pub(super) tools: Vec<Value>,
    /// By server where there is no front.
    pub(super) instructions: BTreeMap<String, String>,
    /// The tools behind the front.
    pub(super) truth: Vec<Value>,
    /// By server: the names that its listing shows.
    pub(super) listings: BTreeMap<String, Vec<String>>,
    pub(super) needs: Vec<Need>,
    pub(super) together: Option<Turn>,
    pub(super) reach: Vec<Reach>,
    /// By era and by tool: the result through the front and by the tool's own name.
    pub(super) probes: BTreeMap<String, BTreeMap<String, BTreeMap<String, Probe>>>,
}

/// From a need to the answer of the right tool.
#[derive(Deserialize)]
pub(super) struct Need {
    pub(super) turns: Vec<Turn>,
    /// Where the right tool stands in the answer to the first search, from 1.
    pub(super) rank: Option<usize>,
    /// `phrase`, `keywords`, `listing` or `direct`.
    pub(super) found_by: Option<String>,
    /// `called`, `not reached` or `not found`.
    pub(super) ended: String,
}

/// One call of a tool of the front.
#[derive(Deserialize)]
pub(super) struct Turn {
    pub(super) result: Value,
    pub(super) seconds: f64,
}

/// Whether one tool behind the front can be found by its own name and called.
#[derive(Deserialize)]
pub(super) struct Reach {
    pub(super) tool: String,
    pub(super) found: bool,
    /// `None` where nobody wrote a valid call.
    pub(super) called: Option<bool>,
    /// What the tool said, without what differs between two runs.
    pub(super) said: Option<String>,
}

/// A result as it was on the wire, and what came before it.
#[derive(Deserialize)]
pub(super) struct Probe {
    pub(super) result: Value,
    pub(super) progress: Vec<Value>,
    pub(super) asked: Vec<String>,
}

// === impl Transcript ===

impl Transcript {
    /// Reads a transcript.
    ///
    /// # Errors
    /// When it is not there, or not what the client writes.
    pub(super) fn read(path: &Path, scenario: Scenario, front: Front) -> anyhow::Result<Self> {
        let text = std::fs::read(path).context("the client wrote no transcript")?;
        let said = serde_json::from_slice(&text).context("the client's transcript")?;
        Ok(Self { scenario, front, said })
    }
}

// === impl Need ===

impl Need {
    /// Whether it ended with the right tool's own answer.
    pub(super) fn is_met(&self) -> bool {
        self.ended == "called"
    }

    /// The turns before the call itself.
    pub(super) fn searches(&self) -> &[Turn] {
        &self.turns[..self.turns.len() - usize::from(self.ended != "not found")]
    }
}

// === impl Turn ===

impl Turn {
    /// The text blocks of the result: what every host gives to its model.
    pub(super) fn text(&self) -> String {
        let blocks = self.result["content"].as_array().map(Vec::as_slice).unwrap_or_default();
        blocks.iter().filter_map(|block| block["text"].as_str()).collect::<Vec<_>>().join("\n")
    }

    /// The structured content, as compact JSON: what some hosts give instead.
    pub(super) fn structured(&self) -> Option<String> {
        self.result.get("structuredContent").map(Value::to_string)
    }
}
