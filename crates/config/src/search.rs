//! How tools are shown and found: that part of the config file, and what it means.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::Report;
use crate::settings::{Pinned, SearchSettings};
use crate::show::brief;
use crate::written::{Pairs, Text};

/// How tools are shown to clients.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Presentation {
    /// Every tool is listed.
    Direct,
    /// Three tools are listed, which find, describe and call all others.
    Search,
    /// `direct` as long as all definitions together fit `search.budget`, else `search`.
    #[default]
    Auto,
}

/// How tools are found, and what stands beside the three tools that find them.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Search {
    /// `auto` lists tools directly up to so many tokens (o200k) of names, descriptions and schemas.
    #[schemars(range(min = 0, max = 10_000_000))]
    pub(crate) budget: usize,
    /// Tools that are listed beside the three, by their public names; `*` stands for any characters.
    #[schemars(example = serde_json::json!(["github__create_issue", "time__*"]))]
    pub(crate) pinned: Vec<Text>,
    /// Whether tools that say of themselves that they only read are called with a tool of their own, `call_read_tool`,
    /// so that a person can approve reads once.
    pub(crate) split_calls: bool,
    /// Whether slips in arguments that can mean only one thing are understood, such as a number spelled as a string.
    pub(crate) lenient: bool,
    /// How many tokens an answer to a search may have, about.
    #[schemars(range(min = 100, max = 100_000))]
    pub(crate) answer_tokens: usize,
    /// What can be found. Prompts and resources stay listed in any case.
    pub(crate) include: Vec<Findable>,
    /// Presentations by the name that a legacy client gives itself on connecting, in any case. Clients of 2026-07-28
    /// and later are told apart by their URL (`?view=`) alone, as that revision demands.
    #[schemars(example = serde_json::json!({ "my-agent": "search" }))]
    pub(crate) clients: Pairs<Presentation>,
}

/// What can be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Findable {
    /// Tools.
    Tools,
    /// Prompts.
    Prompts,
    /// Resources and resource templates.
    Resources,
}

// === impl Search ===

impl Default for Search {
    fn default() -> Self {
        Search {
            budget: 8_000,
            pinned: Vec::new(),
            split_calls: false,
            lenient: true,
            answer_tokens: 1_200,
            include: vec![Findable::Tools],
            clients: Pairs::default(),
        }
    }
}

/// What is written, as it is meant.
pub(crate) fn resolve(written: Search, report: &mut Report) -> SearchSettings {
    let mut include = Vec::new();
    for findable in written.include {
        if !include.contains(&findable) {
            include.push(findable);
        }
    }
    let mut clients: Vec<(String, Presentation)> = Vec::new();
    for (name, presentation) in written.clients.0 {
        let lower = name.value.to_lowercase();
        if clients.iter().any(|(other, _)| *other == lower) {
            report.fault(name.spot, format!("the client `{}` stands here twice", brief(&name.value)));
            continue;
        }
        clients.push((lower, presentation));
    }
    SearchSettings {
        budget: written.budget,
        pinned: Pinned(written.pinned.into_iter().map(|pattern| pattern.value).collect()),
        split_calls: written.split_calls,
        lenient: written.lenient,
        answer_tokens: written.answer_tokens,
        include,
        clients,
    }
}
