//! Tools that change the server: entries that come and go, and a resource that is updated.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::library::{Library, TICKS};
use super::prompts;
use crate::argument::Nothing;
use crate::content::Content;
use crate::prompt::Prompt;
use crate::server::{Change, Changes, Shelf};
use crate::tool::{Hints, Tool};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Toggle {
    /// What kind of entry to add or remove.
    kind: Kind,
}

#[derive(Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Tool,
    Prompt,
    Resource,
}

/// What became of an entry.
#[derive(Serialize, JsonSchema)]
struct Toggled {
    /// The kind of entry.
    kind: Kind,
    /// Whether it is there now.
    present: bool,
}

/// The counter.
#[derive(Serialize, JsonSchema)]
struct Ticks {
    /// How often it ticked.
    ticks: u64,
}

pub(super) fn tools(tools: &Shelf<Tool>, prompts: &Shelf<Prompt>, library: &Library, changes: &Changes) -> Vec<Tool> {
    let announce = {
        let changes = changes.clone();
        move |change| changes.announce(change)
    };
    let (tick, reset) = ((library.clone(), announce.clone()), (library.clone(), announce.clone()));
    let (tools, prompts, library) = (tools.clone(), prompts.clone(), library.clone());
    vec![
        Tool::structured(
            "toggle_entry",
            "Add or remove an entry",
            "Adds an extra tool, prompt or resource, or removes it if it is there. Shows list_changed notifications.",
            Hints::ADDS,
            move |asked: Toggle, _| {
                let (present, change) = match asked.kind {
                    Kind::Tool => (tools.toggle(extra()), Change::Tools),
                    Kind::Prompt => (prompts.toggle(prompts::extra()), Change::Prompts),
                    Kind::Resource => (library.toggle_extra(), Change::Resources),
                };
                announce(change);
                std::future::ready(Ok(Toggled { kind: asked.kind, present }))
            },
        ),
        Tool::structured(
            "tick",
            "Tick",
            "Advances the counter in the resource everything://ticks by one. Shows resource updates to those who subscribed.",
            Hints::ADDS,
            move |_: Nothing, _| {
                let ticks = tick.0.tick();
                tick.1(Change::Resource(TICKS.into()));
                std::future::ready(Ok(Ticks { ticks }))
            },
        ),
        Tool::structured(
            "reset_ticks",
            "Reset the counter",
            "Sets the counter in the resource everything://ticks to zero and gives what it was. Shows a tool that is marked destructive.",
            Hints::SETS,
            move |_: Nothing, _| {
                let ticks = reset.0.reset();
                reset.1(Change::Resource(TICKS.into()));
                std::future::ready(Ok(Ticks { ticks }))
            },
        ),
    ]
}

fn extra() -> Tool {
    Tool::plain(
        "extra_tool",
        "Extra tool",
        "A tool that is only there after toggle_entry has added it.",
        Hints::READS,
        |_: Nothing, _| async { Ok(vec![Content::text("The extra tool is there")]) },
    )
}
