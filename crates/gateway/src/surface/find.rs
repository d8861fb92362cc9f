//! `search_tools`: for each need the tools that meet it, ready to be called.
//!
//! Ranking and writing take up to some milliseconds where there are many tools, so they run beside the threads that serve,
//! on as many at once as there are processors: a search never delays a call.

use std::sync::Arc;

use toolgate_catalog::{Entry, Searchable, Server, View};
use toolgate_discovery::Tool;
use toolgate_discovery::answer::{Answer, Found, Group, Missing};
use toolgate_discovery::request::{Misuse, Search};
use toolgate_discovery::surface::SurfaceTool;
use toolgate_discovery::{answer, suggest};
use toolgate_protocol::{Json, Object, UpstreamName};
use toolgate_search::{How, Reason};

use super::{overview, shown};
use crate::error::Error;
use crate::present::Presenter;

/// Request and result `_meta` key: why each tool was found. For people who look after the gateway.
pub(crate) const EXPLAIN: &str = "io.toolgate/explain";

/// Hits for a single need, and for each of several, where no limit was named. The budget of tokens may hold fewer.
const HITS_OF_ONE: usize = 10;
const HITS_OF_EACH: usize = 6;
/// Whatever limit is named.
const MOST_HITS: usize = 50;
/// Names that may have been meant.
const NEAREST: usize = 5;

/// An answer, and what explains it.
pub(crate) type Explained = (Answer, Option<(&'static str, Json)>);

/// Finds what was asked for.
pub(crate) async fn find(
    presenter: Arc<Presenter>,
    view: View,
    search: Search,
    explain: bool,
) -> Result<Explained, Error> {
    let place = presenter.searching.acquire().await.map_err(|_| Error::Internal("no place for a search".into()))?;
    let searchable = view.searchable().await;
    let searcher = presenter.clone();
    let answered = tokio::task::spawn_blocking(move || answer(&searcher, &searchable, &search, explain)).await;
    drop(place);
    answered.map_err(|error| Error::Internal(format!("a search failed: {error}")))
}

fn answer(presenter: &Presenter, searchable: &Searchable, search: &Search, explain: bool) -> Explained {
    let view = searchable.view();
    let servers = view.servers();
    let server = match search.server.as_deref().map(|wanted| named(&servers, wanted, view.showing().lenient)) {
        Some(Err(wanted)) => return (unknown_server(&servers, wanted), None),
        Some(Ok(server)) => Some(server),
        None => None,
    };
    if search.queries.is_empty() && server.is_none() {
        return (overview::overview(presenter, view, &servers), None);
    }
    let found = match (&search.queries[..], server) {
        ([], Some(server)) => vec![all_of(view, server, search.limit)],
        (queries, server) => queries.iter().map(|query| one(searchable, query, server, search)).collect(),
    };
    let reasons = explain.then(|| (EXPLAIN, explained(searchable, &search.queries, &found, server)));
    let groups: Vec<Group<'_>> = found.iter().enumerate().map(|(at, hits)| hits.group(search, at)).collect();
    let missing = view.missing();
    let missing: Vec<Missing<'_>> =
        missing.iter().map(|(server, why)| Missing { server: server.as_str(), why }).collect();
    let total = searchable.total(server.map(|server| &server.name));
    let found = Found { groups: &groups, total, missing: &missing, dropped: search.dropped };
    (found.answer(&presenter.style(view)), reasons)
}

/// What was found for one need.
struct OfOne {
    entries: Vec<Arc<Entry>>,
    matching: usize,
    nearest: Vec<String>,
}

/// The tools for one need.
fn one(searchable: &Searchable, query: &str, server: Option<&Server>, search: &Search) -> OfOne {
    let usual = if search.queries.len() == 1 { HITS_OF_ONE } else { HITS_OF_EACH };
    let limit = search.limit.unwrap_or(usual).min(MOST_HITS);
    let hits = searchable.search(query, server.map(|server| &server.name), limit);
    let nearest = if hits.entries.is_empty() {
        let names = searchable.view().tools().map(|entry| &*entry.public);
        suggest::nearest(query, names, NEAREST).into_iter().map(str::to_owned).collect()
    } else {
        Vec::new()
    };
    OfOne { entries: hits.entries, matching: hits.matching, nearest }
}

/// The tools of one server, as it lists them.
fn all_of(view: &View, server: &Server, limit: Option<usize>) -> OfOne {
    let own = view.tools().filter(|entry| entry.subject.upstream == server.name);
    let entries: Vec<Arc<Entry>> = own.take(limit.unwrap_or(MOST_HITS).min(MOST_HITS)).cloned().collect();
    OfOne { entries, matching: server.tools, nearest: Vec::new() }
}

/// The server of this name, also in another case where that can mean only one.
fn named<'s, 'w>(servers: &'s [Server], wanted: &'w str, lenient: bool) -> Result<&'s Server, &'w str> {
    if let Some(server) = servers.iter().find(|server| server.name.as_str() == wanted) {
        return Ok(server);
    }
    let mut alike = servers.iter().filter(|server| lenient && server.name.as_str().eq_ignore_ascii_case(wanted));
    match (alike.next(), alike.next()) {
        (Some(server), None) => Ok(server),
        _ => Err(wanted),
    }
}

fn unknown_server(servers: &[Server], wanted: &str) -> Answer {
    let names = servers.iter().map(|server: &Server| server.name.as_str());
    let nearest = suggest::nearest(wanted, names, NEAREST);
    let advice = if nearest.is_empty() {
        "leave `server` out to search all".to_owned()
    } else {
        format!("did you mean {}?", nearest.join(", "))
    };
    let wanted: String = wanted.chars().take(UpstreamName::MAX_LEN).collect();
    let message = format!("server: there is no `{wanted}`; {advice}");
    answer::misused(&Misuse { tool: SurfaceTool::Search, message })
}

/// For each need, what answers each of its words in each hit.
fn explained(searchable: &Searchable, queries: &[String], found: &[OfOne], server: Option<&Server>) -> Json {
    let server = server.map(|server| &server.name);
    let rows: Vec<Json> = queries
        .iter()
        .zip(found)
        .map(|(query, found)| {
            let hits: Vec<Json> = found
                .entries
                .iter()
                .map(|entry| {
                    let reasons: Vec<Json> = searchable.explain(query, server, entry).iter().map(reason).collect();
                    Object::new()
                        .with("name", Json::string(&entry.public))
                        .with("words", Json::array_of(&reasons))
                        .to_json()
                })
                .collect();
            Object::new().with("query", Json::string(query)).with("tools", Json::array_of(&hits)).to_json()
        })
        .collect();
    Json::array_of(&rows)
}

fn reason(reason: &Reason) -> Json {
    let mut row = Object::new().with("word", Json::string(&reason.word)).with("worth", number(reason.worth));
    if let Some(matched) = &reason.answer {
        let fields: Vec<Json> =
            matched.fields.iter().map(|field| Json::string(&format!("{field:?}").to_lowercase())).collect();
        row.set("found", Json::string(&matched.term));
        row.set("how", Json::string(how(matched.how)));
        row.set("in", Json::array_of(&fields));
        row.set("counts", number(matched.counts));
    }
    row.to_json()
}

fn how(how: How) -> &'static str {
    match how {
        How::Same => "the same",
        How::Synonym => "means the same",
        How::Compound => "written together or apart",
        How::Misspelling => "perhaps misspelt",
    }
}

fn number(number: f32) -> Json {
    Json::of(&((f64::from(number) * 100.0).round() / 100.0)).unwrap_or(Json::literal("0"))
}

// === impl OfOne ===

impl OfOne {
    fn group<'a>(&'a self, search: &'a Search, at: usize) -> Group<'a> {
        Group {
            query: search.queries.get(at).map(String::as_str).unwrap_or_default(),
            hits: self.entries.iter().map(|entry| shown(entry)).collect::<Vec<Tool<'_>>>(),
            matches: self.matching,
            nearest: self.nearest.clone(),
        }
    }
}
