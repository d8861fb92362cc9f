//! `search_tools` without a need: which servers there are, and what is not offered.

use std::collections::BTreeMap;

use toolgate_catalog::{Server, View};
use toolgate_discovery::answer::{Answer, Missing, Overview, ServerLine};

use crate::present::Presenter;

/// The servers in a few tokens.
pub(super) fn overview(presenter: &Presenter, view: &View, servers: &[Server]) -> Answer {
    let lines: Vec<ServerLine<'_>> = servers
        .iter()
        .map(|server| ServerLine { name: server.name.as_str(), tools: server.tools, about: &server.about })
        .collect();
    let missing = view.missing();
    let missing: Vec<Missing<'_>> =
        missing.iter().map(|(server, why)| Missing { server: server.as_str(), why }).collect();
    let mut hidden: BTreeMap<&str, usize> = BTreeMap::new();
    for dropped in servers.iter().flat_map(|server| &server.dropped) {
        *hidden.entry(dropped.cause.as_str()).or_default() += 1;
    }
    let hidden: Vec<(&str, usize)> = hidden.into_iter().collect();
    let instructed = servers.iter().any(|server| server.instructions.is_some());
    Overview { servers: &lines, missing: &missing, instructed, hidden: &hidden }.answer(&presenter.style(view))
}
