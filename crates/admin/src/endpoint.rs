//! What one endpoint shows, searched and called: the same for namespaces and for upstreams alone.

use serde::{Deserialize, Serialize};
use toolgate_catalog::{Entry, Searchable};
use toolgate_gateway::Request;
use toolgate_identity::Presented;
use toolgate_protocol::{Endpoint, Json, Kind, Method, Object, Presentation, Revision, UpstreamName, code, meta};
use toolgate_search::{How, Reason};
use utoipa::{IntoParams, ToSchema};

use crate::api::Admin;
use crate::extract::whole;
use crate::model::{Shown, kind_word};
use crate::problem::Problem;

/// The most entries on one page.
const MOST_ENTRIES: usize = 1_000;
/// The most needs of one search, and the longest of them in bytes.
const MOST_NEEDS: usize = 16;
const LONGEST_NEED: usize = 2_000;
/// The most hits for each need, and where no limit is given.
const MOST_HITS: usize = 50;
const HITS: usize = 10;

/// Which entries.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Entries {
    /// Which kind.
    #[serde(default)]
    #[param(inline)]
    kind: Which,
    /// How many come before the page.
    #[serde(default)]
    offset: usize,
    /// How many are on it.
    #[serde(default = "usual_page")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: usize,
}

/// A kind of entries.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Which {
    #[default]
    Tool,
    Prompt,
    Resource,
    Template,
}

fn usual_page() -> usize {
    100
}

/// A page of entries.
#[derive(Serialize, ToSchema)]
pub(crate) struct EntriesPage {
    /// In the order in which clients are listed them.
    entries: Vec<Shown>,
    /// How many there are in all.
    total: usize,
    /// The offset of the next page, if there is one.
    next_offset: Option<usize>,
    /// The upstreams of which nothing can be listed now, each with the reason.
    missing: Vec<Missing>,
}

/// An upstream of which nothing is known.
#[derive(Serialize, ToSchema)]
struct Missing {
    upstream: String,
    reason: String,
}

/// What is searched for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Search {
    /// What is needed, in plain words.
    #[schema(example = json!(["time in another city"]), min_items = 1, max_items = 16)]
    needs: Vec<String>,
    /// Only entries of this upstream.
    upstream: Option<String>,
    /// At most so many for each need.
    #[schema(minimum = 1, maximum = 50, default = 10)]
    #[serde(default, deserialize_with = "whole")]
    limit: Option<usize>,
}

/// What was found.
#[derive(Serialize, ToSchema)]
pub(crate) struct Found {
    /// For each need, in order.
    needs: Vec<OfNeed>,
    /// How many entries could have been found.
    total: usize,
}

/// What was found for one need.
#[derive(Serialize, ToSchema)]
struct OfNeed {
    need: String,
    /// How many match at all.
    matching: usize,
    /// The best first.
    hits: Vec<Hit>,
}

/// One entry that was found.
#[derive(Serialize, ToSchema)]
struct Hit {
    kind: &'static str,
    name: String,
    upstream: String,
    native: String,
    /// What answers each word of the need.
    words: Vec<Word>,
}

/// What answers one word of a need.
#[derive(Serialize, ToSchema)]
struct Word {
    word: String,
    /// What it could have counted at most.
    worth: f32,
    /// The term that answers it, if any does.
    found: Option<String>,
    /// `same`, `synonym`, `compound` or `misspelling`.
    how: Option<&'static str>,
    /// Where it stands: `name`, `title`, …
    #[serde(rename = "in")]
    fields: Vec<String>,
    /// What it counts.
    counts: Option<f32>,
}

/// A call of a tool.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Call {
    /// The tool, by the name that the namespace has for it.
    #[schema(example = "time__current_time")]
    tool: String,
    /// Its arguments.
    #[serde(default)]
    #[schema(value_type = Object, required = false)]
    arguments: serde_json::Map<String, serde_json::Value>,
}

/// A page of what an endpoint shows.
pub(crate) fn entries(admin: &Admin, endpoint: &Endpoint, asked: &Entries) -> Result<EntriesPage, Problem> {
    if !(1..=MOST_ENTRIES).contains(&asked.limit) {
        return Err(Problem::bad_request(format!("`limit` is 1 to {MOST_ENTRIES}")));
    }
    let view = admin.gateway.look(endpoint).map_err(|_| Problem::gone(endpoint))?;
    let kind = match asked.kind {
        Which::Tool => Kind::Tool,
        Which::Prompt => Kind::Prompt,
        Which::Resource => Kind::Resource,
        Which::Template => Kind::Template,
    };
    let total = view.entries(kind).count();
    let page = view.entries(kind).skip(asked.offset).take(asked.limit).map(|entry| Shown::from(&**entry));
    let next = asked.offset.saturating_add(asked.limit);
    let missing = view.missing().into_iter();
    Ok(EntriesPage {
        entries: page.collect(),
        total,
        next_offset: (next < total).then_some(next),
        missing: missing.map(|(upstream, reason)| Missing { upstream: upstream.as_str().to_owned(), reason }).collect(),
    })
}

/// What an endpoint's clients would find.
pub(crate) async fn search(admin: &Admin, endpoint: &Endpoint, search: Search) -> Result<Found, Problem> {
    let limit = search.limit.unwrap_or(HITS);
    if search.needs.is_empty() || search.needs.len() > MOST_NEEDS || !(1..=MOST_HITS).contains(&limit) {
        return Err(Problem::bad_request(format!(
            "a search has 1 to {MOST_NEEDS} needs, and a limit of 1 to {MOST_HITS}"
        )));
    }
    if search.needs.iter().any(|need| need.len() > LONGEST_NEED) {
        return Err(Problem::bad_request(format!("a need has at most {LONGEST_NEED} bytes")));
    }
    let view = admin.gateway.look(endpoint).map_err(|_| Problem::gone(endpoint))?;
    let upstream = match &search.upstream {
        None => None,
        Some(name) => Some(admin.upstream(name)?.0),
    };
    let place = admin.searching.acquire().await.map_err(|_| Problem::busy())?;
    let searchable = view.searchable().await;
    let found = tokio::task::spawn_blocking(move || find(&searchable, &search.needs, upstream.as_ref(), limit)).await;
    drop(place);
    found.map_err(Problem::internal)
}

fn find(searchable: &Searchable, needs: &[String], upstream: Option<&UpstreamName>, limit: usize) -> Found {
    let of_need = |need: &String| {
        let hits = searchable.search(need, upstream, limit);
        let hit = |entry: &Entry| Hit {
            kind: kind_word(entry.subject.kind),
            name: entry.public.to_string(),
            upstream: entry.subject.upstream.as_str().to_owned(),
            native: entry.subject.native.to_string(),
            words: searchable.explain(need, upstream, entry).into_iter().map(Word::from).collect(),
        };
        OfNeed {
            need: need.clone(),
            matching: hits.matching,
            hits: hits.entries.iter().map(|entry| hit(entry)).collect(),
        }
    };
    Found { needs: needs.iter().map(of_need).collect(), total: searchable.total(upstream) }
}

/// Calls a tool as a client of the endpoint would that can answer no questions.
pub(crate) async fn call(admin: &Admin, endpoint: &Endpoint, call: Call) -> Result<Json, Problem> {
    let arguments = Json::of(&call.arguments).map_err(Problem::internal)?;
    let own = Object::new()
        .with(meta::REVISION, Json::string(Revision::LATEST_MODERN.as_str()))
        .with(meta::CAPABILITIES, Json::literal("{}"))
        .with(meta::CLIENT_INFO, Json::literal(r#"{"name":"toolgate-control","version":"1"}"#));
    let params =
        Object::new().with("name", Json::string(&call.tool)).with("arguments", arguments).with("_meta", own.to_json());
    let presented =
        Presented { endpoint: endpoint.clone(), presentation: Some(Presentation::Direct), ..Presented::default() };
    let request = Request { id: Json::literal("1"), method: Method::ToolsCall, params, param_headers: None };
    let outcome = admin.gateway.handle(&presented, request).await.outcome().await;
    outcome.map_err(|error| {
        let view = admin.gateway.look(endpoint);
        let is_known = view.is_ok_and(|view| view.entry(Kind::Tool, &call.tool).is_some());
        match error.code {
            code::INVALID_PARAMS if !is_known => {
                let nearest = admin.gateway.look(endpoint).ok();
                let tools = nearest.iter().flat_map(|view| view.entries(Kind::Tool));
                Problem::unknown("tool", &call.tool, tools.map(|entry| entry.public.to_string()).collect::<Vec<_>>())
            }
            code::INVALID_PARAMS => Problem::bad_request(error.message),
            _ => Problem::of_upstream(error.message),
        }
    })
}

impl From<Reason> for Word {
    fn from(reason: Reason) -> Self {
        let Reason { word, answer, worth } = reason;
        let how = answer.as_ref().map(|answer| match answer.how {
            How::Same => "same",
            How::Synonym => "synonym",
            How::Compound => "compound",
            How::Misspelling => "misspelling",
        });
        let fields = answer.iter().flat_map(|answer| &answer.fields);
        let fields = fields.map(|field| format!("{field:?}").to_lowercase()).collect();
        let counts = answer.as_ref().map(|answer| answer.counts);
        Self { word, worth, found: answer.map(|answer| answer.term), how, fields, counts }
    }
}
