//! Makes the entries findable: a search index beside the snapshot, made off the request path and only where it is asked for.
//!
//! The index never holds up a call. It follows the lists by a moment; who searches waits until it has reached what was
//! listed when the request came, so that a tool that was just announced is found. Only what an upstream changed is read
//! again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use toolgate_discovery::tool::is_for_model;
use toolgate_protocol::{Json, Kind, UpstreamName};
use toolgate_search::{Document, Edit, Index, Reason, Scope, parameters};

use crate::entry::Entry;
use crate::offer::Offer;
use crate::snapshot::Snapshot;
use crate::view::View;

/// The longest that a search waits for the index. A hundred thousand tools take two seconds.
const INDEX_WAIT: Duration = Duration::from_secs(10);
/// Of a text, the index reads no more than this.
const MAX_TEXT: usize = 64 << 10;

/// The index of the moment, and whether anybody wants one.
pub(crate) struct Finder {
    kinds: Vec<Kind>,
    wanted: watch::Sender<bool>,
    now: watch::Sender<Indexed>,
}

/// An index, and the entries that are in it.
#[derive(Clone, Default)]
struct Indexed {
    snapshot: Arc<Snapshot>,
    index: Index,
}

/// A view whose entries can be searched.
pub struct Searchable {
    view: View,
    index: Index,
}

/// The answer to one need.
#[derive(Clone, Debug, Default)]
pub struct Hits {
    /// The best entries, the best first.
    pub entries: Vec<Arc<Entry>>,
    /// How many match at all.
    pub matching: usize,
}

// === impl Finder ===

impl Finder {
    /// One that will find entries of these kinds.
    pub(crate) fn new(kinds: Vec<Kind>) -> Self {
        Self { kinds, wanted: watch::Sender::new(false), now: watch::Sender::default() }
    }

    /// From now on the index is kept up to date.
    pub(crate) fn want(&self) {
        self.wanted.send_if_modified(|wanted| !std::mem::replace(wanted, true));
    }

    /// Follows the snapshots with an index, for as long as they are published.
    pub(crate) async fn follow(&self, mut snapshots: watch::Receiver<Arc<Snapshot>>) {
        let mut wanted = self.wanted.subscribe();
        if wanted.wait_for(|wanted| *wanted).await.is_err() {
            return;
        }
        loop {
            let snapshot = snapshots.borrow_and_update().clone();
            let (before, kinds) = (self.now.borrow().clone(), self.kinds.clone());
            match tokio::task::spawn_blocking(move || before.next(snapshot, &kinds)).await {
                Ok(next) => drop(self.now.send_replace(next)),
                Err(error) => tracing::error!(%error, "the search index could not be made; the one before stays"),
            }
            if snapshots.changed().await.is_err() {
                return;
            }
        }
    }

    /// The index once it has reached `version` of the snapshot, or the newest there is by the time limit.
    async fn reach(&self, version: u64) -> Indexed {
        self.want();
        let mut now = self.now.subscribe();
        let reached = now.wait_for(|indexed| indexed.snapshot.version >= version);
        let in_time = tokio::time::timeout(INDEX_WAIT, reached).await.map(|reached| reached.map(|now| now.clone()));
        match in_time {
            Ok(Ok(indexed)) => indexed,
            _ => self.now.borrow().clone(),
        }
    }
}

// === impl Indexed ===

impl Indexed {
    /// The index of the next snapshot. What did not change is not read again.
    fn next(&self, snapshot: Arc<Snapshot>, kinds: &[Kind]) -> Self {
        let mut edit = self.index.edit();
        for (upstream, offer) in &snapshot.offers {
            let before = self.snapshot.offer(upstream);
            let same = match (before, offer) {
                (Some(before), Some(now)) => Arc::ptr_eq(before, now),
                (None, None) => true,
                _ => false,
            };
            if !same {
                edit = put(edit, upstream, offer.as_deref(), kinds);
            }
        }
        for (upstream, _) in &self.snapshot.offers {
            if !snapshot.offers.iter().any(|(name, _)| name == upstream) {
                edit = edit.remove(upstream.as_str());
            }
        }
        Self { index: edit.finish(), snapshot }
    }
}

fn put(edit: Edit, upstream: &UpstreamName, offer: Option<&Offer>, kinds: &[Kind]) -> Edit {
    let listed = |&kind: &Kind| {
        let entries = offer.map(|offer| &offer.list(kind).entries[..]).unwrap_or_default();
        entries.iter().filter_map(move |(native, definition)| document(kind, native, definition))
    };
    edit.put(upstream.as_str(), kinds.iter().flat_map(listed).collect())
}

/// An entry as the index reads it; `None` where it is none of a model's business.
fn document(kind: Kind, native: &str, definition: &Json) -> Option<Document> {
    if !is_for_model(definition) {
        return None;
    }
    let members = definition.object().ok()?;
    let text = |name: &str| members.get(name).and_then(Json::as_string).map(cut).unwrap_or_default();
    let annotated = members.child("annotations").and_then(|annotations| annotations.string("title")).map(cut);
    let title = Some(text("title")).filter(|title| !title.is_empty()).or(annotated).unwrap_or_default();
    Some(Document {
        id: id(kind, native),
        name: if matches!(kind, Kind::Tool | Kind::Prompt) { cut(native.to_owned()) } else { text("name") },
        title,
        description: text("description"),
        parameters: members
            .get("inputSchema")
            .and_then(|schema| schema.read::<serde_json::Value>().ok())
            .map(|schema| parameters(&schema))
            .unwrap_or_default(),
    })
}

fn cut(mut text: String) -> String {
    if text.len() > MAX_TEXT {
        let mut end = MAX_TEXT;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
    text
}

/// An entry's id within its upstream's group. Public names are no ids: another upstream's change can change them.
fn id(kind: Kind, native: &str) -> String {
    format!("{}:{native}", kind.list_member())
}

fn read_id(id: &str) -> Option<(Kind, &str)> {
    let (list, native) = id.split_once(':')?;
    Some((Kind::ALL.into_iter().find(|kind| kind.list_member() == list)?, native))
}

// === impl View ===

impl View {
    /// This view with an index of what it shows. Waits for the index where it is behind.
    pub async fn searchable(&self) -> Searchable {
        let indexed = self.inner.finder.reach(self.snapshot.version).await;
        let view = Self { snapshot: indexed.snapshot, ..self.clone() };
        Searchable { view, index: indexed.index }
    }
}

// === impl Searchable ===

impl Searchable {
    /// What is searched.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// The entries that meet a need best, at most `limit`, of one server or of all. Takes up to some milliseconds.
    pub fn search(&self, need: &str, server: Option<&UpstreamName>, limit: usize) -> Hits {
        let found = self.scope(server).search(need, limit);
        let entries = found.hits.iter().filter_map(|hit| self.entry(&hit.group, &hit.id).cloned()).collect();
        Hits { entries, matching: found.matching }
    }

    /// How many entries such a search can find.
    pub fn total(&self, server: Option<&UpstreamName>) -> usize {
        self.scope(server).len()
    }

    /// Why an entry was found by such a search: what answers each word of the need.
    pub fn explain(&self, need: &str, server: Option<&UpstreamName>, entry: &Entry) -> Vec<Reason> {
        let id = id(entry.subject.kind, &entry.subject.native);
        let reasons = self.scope(server).explain(need, entry.subject.upstream.as_str(), &id);
        reasons.unwrap_or_default()
    }

    /// What of the index the caller may see: nothing else is found, or counted.
    fn scope(&self, server: Option<&UpstreamName>) -> Scope {
        if server.is_none() && !self.view.inner.policy.distinguishes_callers() {
            return self.index.all();
        }
        let is_wanted = |group: &str| server.is_none_or(|server| server.as_str() == group);
        self.index.scope(|group, id| is_wanted(group) && self.entry(group, id).is_some())
    }

    fn entry(&self, group: &str, id: &str) -> Option<&Arc<Entry>> {
        let (kind, native) = read_id(id)?;
        let upstream = UpstreamName::new(group)?;
        self.view.snapshot.of(kind).by_native(&upstream, native).filter(|entry| self.view.may_see(&entry.subject))
    }
}
