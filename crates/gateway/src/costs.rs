//! What the tools cost a model, listed directly and through the surface, and how they are shown: for operators.

use std::collections::HashMap;
use std::sync::Arc;

use toolgate_catalog::View;
use toolgate_discovery::request::Search;
use toolgate_discovery::{Tool, surface};
use toolgate_identity::Presented;
use toolgate_protocol::{Kind, UpstreamName};

use crate::error::Error;
use crate::present::{Presenter, Why};
use crate::surface::find;

/// Searches from which the cost of one is taken.
const SAMPLES: usize = 20;

/// How a client that asks for nothing is shown the tools, and why.
#[derive(Clone, Debug, serde::Serialize)]
pub struct PresentationStatus {
    /// `direct` or `search`.
    pub shown: &'static str,
    /// What decided.
    pub why: String,
    /// How many tools there are.
    pub tools: usize,
    /// What they cost a model when all are listed, in tokens.
    pub tokens: usize,
    /// Up to so many tokens, `auto` lists them all.
    pub budget: usize,
    /// What the surface costs instead, with what is pinned beside it.
    pub surface_tokens: usize,
    /// How many tools are listed beside it.
    pub pinned: usize,
}

/// What the tools cost a model, in tokens.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Costs {
    /// By upstream, in the config's order.
    pub upstreams: Vec<UpstreamCost>,
    /// How many tools there are.
    pub tools: usize,
    /// All definitions together.
    pub definitions: usize,
    /// What a client reads first where all are listed.
    pub direct_instructions: usize,
    /// The surface, with what is pinned beside it.
    pub surface: usize,
    /// What a client reads first where it sees the surface.
    pub surface_instructions: usize,
    /// One search for one need: what is asked and what is answered, the mean of some.
    pub search: usize,
    /// Of how many.
    pub samples: usize,
}

/// What the tools of one upstream cost.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct UpstreamCost {
    /// Its name.
    pub name: String,
    /// How many tools it has.
    pub tools: usize,
    /// Their definitions, in tokens.
    pub tokens: usize,
}

/// How the view is shown to a client that asks for nothing, in a line: `search (auto: …)`. Counts no more than the decision
/// itself needs.
pub(crate) fn shown_as(presenter: &Presenter, view: &View) -> String {
    let shown = presenter.shown(view, &Presented::default());
    let budget = view.showing().budget;
    let why = match shown.why {
        Why::Budget if shown.as_search => format!("auto: they have more than {budget} tokens"),
        Why::Budget => format!("auto: they have at most {budget} tokens"),
        other => other.text().to_owned(),
    };
    format!("{} ({why})", word(shown.as_search))
}

fn word(as_search: bool) -> &'static str {
    if as_search { "search" } else { "direct" }
}

/// How the view is shown to a client that asks for nothing.
pub(crate) fn presentation(presenter: &Presenter, view: &View) -> PresentationStatus {
    let shown = presenter.shown(view, &Presented::default());
    let tokens = |entry: &toolgate_catalog::Entry| presenter.tokens.of_definition(Kind::Tool, &entry.definition);
    let (tools, all) = view.tools().fold((0, 0), |(tools, all), entry| (tools + 1, all + tokens(entry)));
    let budget = view.showing().budget;
    let why = match shown.why {
        Why::Budget if shown.as_search => {
            format!("auto: {tools} tools have {all} tokens, more than the budget of {budget}")
        }
        Why::Budget => format!("auto: {tools} tools have {all} tokens, within the budget of {budget}"),
        other => other.text().to_owned(),
    };
    PresentationStatus {
        shown: word(shown.as_search),
        why,
        tools,
        tokens: all,
        budget,
        surface_tokens: surface_tokens(presenter, view),
        pinned: presenter.pinned(view).count(),
    }
}

fn surface_tokens(presenter: &Presenter, view: &View) -> usize {
    let pinned = presenter.pinned(view).map(|entry| presenter.tokens.of_definition(Kind::Tool, &entry.definition));
    surface::cost(view.showing().surface, &presenter.tokens) + pinned.sum::<usize>()
}

/// What the tools of a view cost.
pub(crate) async fn costs(presenter: &Arc<Presenter>, view: &View) -> Result<Costs, Error> {
    let counted = {
        let (presenter, view) = (presenter.clone(), view.clone());
        tokio::task::spawn_blocking(move || count(&presenter, &view)).await
    };
    let mut costs = counted.map_err(|error| Error::Internal(format!("counting failed: {error}")))?;
    let step = (costs.tools / SAMPLES).max(1);
    let lines: Vec<String> = view
        .tools()
        .step_by(step)
        .map(|entry| Tool::new(&entry.public, entry.subject.upstream.as_str(), &entry.definition).line())
        .filter(|line| !line.is_empty())
        .take(SAMPLES)
        .collect();
    let mut all = 0;
    for line in &lines {
        let search = Search { queries: vec![line.clone()], ..Search::default() };
        let (answer, _) = find::find(presenter.clone(), view.clone(), search, false).await?;
        all += presenter.tokens.count(&answer.text) + presenter.tokens.count(&format!("{{\"queries\":[\"{line}\"]}}"));
    }
    costs.samples = lines.len();
    costs.search = all / lines.len().max(1);
    Ok(costs)
}

fn count(presenter: &Presenter, view: &View) -> Costs {
    let mut by_upstream: HashMap<&UpstreamName, (usize, usize)> = HashMap::new();
    for entry in view.tools() {
        let (tools, tokens) = by_upstream.entry(&entry.subject.upstream).or_default();
        *tools += 1;
        *tokens += presenter.tokens.of_definition(Kind::Tool, &entry.definition);
    }
    let upstreams: Vec<UpstreamCost> = view
        .servers()
        .iter()
        .map(|server| {
            let (tools, tokens) = by_upstream.get(&server.name).copied().unwrap_or_default();
            UpstreamCost { name: server.name.to_string(), tools, tokens }
        })
        .collect();
    let instructions = view.about().instructions.unwrap_or_default();
    Costs {
        tools: upstreams.iter().map(|upstream| upstream.tools).sum(),
        definitions: upstreams.iter().map(|upstream| upstream.tokens).sum(),
        upstreams,
        direct_instructions: presenter.tokens.count(&instructions),
        surface: surface_tokens(presenter, view),
        surface_instructions: presenter.tokens.count(&presenter.instructions(view)),
        search: 0,
        samples: 0,
    }
}
