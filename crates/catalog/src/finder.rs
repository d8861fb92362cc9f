//! Makes the entries findable: a search index beside the snapshot, made off the request path and only where it is asked for.
//!
//! The index never holds up a call. It follows the lists by a moment; who searches waits until it has reached what was
//! listed when the request came, so that a tool that was just announced is found. Only what an upstream changed is read
//! again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use toolgate_discovery::tool::is_for_model;
use toolgate_protocol::{Endpoint, Json, Kind, Subject, UpstreamName};
use toolgate_search::{Document, Index, Reason, Scope, parameters};

use crate::entry::Entry;
use crate::moment::{Moment, Space};
use crate::offer::Offer;
use crate::view::View;

/// The longest that a search waits for the index. A hundred thousand tools take two seconds.
const INDEX_WAIT: Duration = Duration::from_secs(10);
/// Of a text, the index reads no more than this.
const MAX_TEXT: usize = 64 << 10;

/// The index of the moment, and whether anybody wants one.
#[derive(Default)]
pub(crate) struct Finder {
    wanted: watch::Sender<bool>,
    now: watch::Sender<Indexed>,
}

/// All that can be searched, at one moment.
#[derive(Default)]
pub(crate) struct Corpus {
    version: u64,
    kinds: Vec<Kind>,
    groups: Vec<(UpstreamName, Group)>,
}

/// What is to be found of one upstream.
#[derive(Clone, Default)]
struct Group {
    offer: Option<Arc<Offer>>,
    /// Its tools in the words of the namespaces that have their own for them, by the endpoint and the native name.
    reworded: Vec<(Endpoint, Arc<str>, Json)>,
}

/// An index, and what is in it.
#[derive(Clone, Default)]
struct Indexed {
    corpus: Arc<Corpus>,
    index: Index,
}

/// A view whose entries can be searched.
pub struct Searchable {
    view: View,
    indexed: Indexed,
}

/// Begins the ids of what is reworded.
const REWORDED: &str = "@";

/// What an id in the index stands for, within its upstream's group. Public names are no ids: another upstream's change can
/// change them.
enum Key<'a> {
    /// An entry in its upstream's words, by its native name.
    Listed(Kind, &'a str),
    /// A tool in the words that an endpoint has for it.
    Reworded(String, &'a str),
}

/// The answer to one need.
#[derive(Clone, Debug, Default)]
pub struct Hits {
    /// The best entries, the best first.
    pub entries: Vec<Arc<Entry>>,
    /// How many match at all.
    pub matching: usize,
}

// === impl Corpus ===

impl Corpus {
    /// What can be searched at a moment.
    pub(crate) fn of(moment: &Moment, version: u64) -> Self {
        // Hardly any has words of its own, and each upstream has a space.
        let rewording: Vec<&Arc<Space>> =
            moment.spaces().filter(|space| !space.namespace.overrides.is_empty()).collect();
        let groups = moment.offers().into_iter().map(|(name, offer)| {
            let spaces = rewording.iter().filter(|space| (space.namespace.members)(&name));
            let mut reworded: Vec<_> = spaces
                .flat_map(|space| std::iter::repeat(space).zip(&space.namespace.overrides))
                .filter(|(_, ((upstream, _), _))| *upstream == name)
                .filter_map(|(space, ((_, native), overlay))| {
                    let tools = &offer.as_ref()?.tools.entries;
                    let (_, definition) = tools.iter().find(|(tool, _)| tool == native)?;
                    let mut definition = definition.object().ok()?;
                    overlay.lay_over(&mut definition);
                    if let Some(name) = &overlay.name {
                        definition.set("name", Json::string(name));
                    }
                    Some((space.namespace.endpoint.clone(), native.clone(), definition.to_json()))
                })
                .collect();
            reworded.sort_by(|one, other| (&one.0, &one.1).cmp(&(&other.0, &other.1)));
            (name, Group { offer, reworded })
        });
        Self { version, kinds: moment.config.findable.clone(), groups: groups.collect() }
    }

    fn group(&self, upstream: &UpstreamName) -> Option<&Group> {
        self.groups.iter().find(|(name, _)| name == upstream).map(|(_, group)| group)
    }
}

// === impl Group ===

impl Group {
    fn is(&self, other: &Self) -> bool {
        let same_offer = match (&self.offer, &other.offer) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        };
        same_offer && self.reworded == other.reworded
    }

    fn documents(&self, kinds: &[Kind]) -> Vec<Document> {
        let listed = |&kind: &Kind| {
            let entries = self.offer.as_deref().map(|offer| &offer.list(kind).entries[..]).unwrap_or_default();
            entries.iter().filter_map(move |(native, definition)| document(kind, native, definition))
        };
        let reworded = self.reworded.iter().filter(|_| kinds.contains(&Kind::Tool));
        let reworded = reworded.filter_map(|(endpoint, native, definition)| {
            let document = document(Kind::Tool, native, definition)?;
            let name = definition.object().ok()?.string("name").unwrap_or_default();
            Some(Document { id: Key::Reworded(endpoint.to_string(), native).write(), name: cut(name), ..document })
        });
        kinds.iter().flat_map(listed).chain(reworded).collect()
    }
}

// === impl Finder ===

impl Finder {
    /// From now on the index is kept up to date.
    pub(crate) fn want(&self) {
        self.wanted.send_if_modified(|wanted| !std::mem::replace(wanted, true));
    }

    /// Follows what can be searched with an index, for as long as it is published.
    pub(crate) async fn follow(&self, mut corpora: watch::Receiver<Arc<Corpus>>) {
        let mut wanted = self.wanted.subscribe();
        if wanted.wait_for(|wanted| *wanted).await.is_err() {
            return;
        }
        loop {
            let corpus = corpora.borrow_and_update().clone();
            let before = self.now.borrow().clone();
            match tokio::task::spawn_blocking(move || before.next(corpus)).await {
                Ok(next) => drop(self.now.send_replace(next)),
                Err(error) => tracing::error!(%error, "the search index could not be made; the one before stays"),
            }
            if corpora.changed().await.is_err() {
                return;
            }
        }
    }

    /// The index once it has reached `version`, or the newest there is by the time limit.
    async fn reach(&self, version: u64) -> Indexed {
        self.want();
        let mut now = self.now.subscribe();
        let reached = now.wait_for(|indexed| indexed.corpus.version >= version);
        let in_time = tokio::time::timeout(INDEX_WAIT, reached).await.map(|reached| reached.map(|now| now.clone()));
        match in_time {
            Ok(Ok(indexed)) => indexed,
            _ => self.now.borrow().clone(),
        }
    }
}

// === impl Indexed ===

impl Indexed {
    /// The index of what can be searched next. What did not change is not read again.
    fn next(&self, corpus: Arc<Corpus>) -> Self {
        let mut edit = self.index.edit();
        let all_anew = self.corpus.kinds != corpus.kinds;
        for (upstream, group) in &corpus.groups {
            let same = !all_anew && self.corpus.group(upstream).is_some_and(|before| before.is(group));
            if !same {
                edit = edit.put(upstream.as_str(), group.documents(&corpus.kinds));
            }
        }
        for (upstream, _) in &self.corpus.groups {
            if corpus.group(upstream).is_none() {
                edit = edit.remove(upstream.as_str());
            }
        }
        Self { index: edit.finish(), corpus }
    }
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
        id: Key::Listed(kind, native).write(),
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

// === impl Key ===

impl<'a> Key<'a> {
    fn write(&self) -> String {
        match self {
            Self::Listed(kind, native) => format!("{}:{native}", kind.list_member()),
            Self::Reworded(endpoint, native) => format!("{REWORDED}{endpoint}:{native}"),
        }
    }

    fn read(id: &'a str) -> Option<Self> {
        if let Some(rest) = id.strip_prefix(REWORDED) {
            let (endpoint, native) = rest.split_once(':')?;
            return Some(Self::Reworded(endpoint.into(), native));
        }
        let (list, native) = id.split_once(':')?;
        Some(Self::Listed(Kind::ALL.into_iter().find(|kind| kind.list_member() == list)?, native))
    }
}

// === impl View ===

impl View {
    /// This view with an index of what it shows. Waits for the index where it is behind.
    pub async fn searchable(&self) -> Searchable {
        let indexed = self.inner.finder.reach(self.snapshot.version).await;
        // What came into the index meanwhile is found as well.
        let view = if indexed.corpus.version > self.snapshot.version { self.now() } else { self.clone() };
        Searchable { view, indexed }
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
        let Subject { upstream, kind, native } = &entry.subject;
        let key = match entry.overlay {
            Some(_) => Key::Reworded(self.view.endpoint().to_string(), native),
            None => Key::Listed(*kind, native),
        };
        self.scope(server).explain(need, upstream.as_str(), &key.write()).unwrap_or_default()
    }

    /// What of the index the caller may see: nothing else is found, or counted.
    fn scope(&self, server: Option<&UpstreamName>) -> Scope {
        let is_wanted = |group: &str| server.is_none_or(|server| server.as_str() == group);
        let part = || self.indexed.index.scope(|group, id| is_wanted(group) && self.entry(group, id).is_some());
        if server.is_some() || self.view.moment.policy.distinguishes_callers() {
            return part();
        }
        if self.sees_all() {
            return self.indexed.index.all();
        }
        // To look at every entry for every search would cost more than the search.
        self.view.space.scope(self.indexed.corpus.version, &self.view.snapshot, part)
    }

    /// Whether nothing is in the index but what the view lists.
    fn sees_all(&self) -> bool {
        let space = &self.view.space;
        let is_all_here =
            |(name, group): &(UpstreamName, Group)| group.reworded.is_empty() && (space.namespace.members)(name);
        self.view.snapshot.left_out.is_empty() && self.indexed.corpus.groups.iter().all(is_all_here)
    }

    /// The entry that something in the index stands for here.
    fn entry(&self, group: &str, id: &str) -> Option<&Arc<Entry>> {
        let key = Key::read(id)?;
        let (kind, native) = match &key {
            Key::Listed(kind, native) => (*kind, *native),
            Key::Reworded(_, native) => (Kind::Tool, *native),
        };
        let upstream = UpstreamName::new(group)?;
        let entry = self.view.snapshot.of(kind).by_native(&upstream, native)?;
        // Who has words of its own for an entry does not find it by the upstream's, nor by anybody else's.
        let in_these_words = match (&key, &entry.overlay) {
            (Key::Listed(..), None) => true,
            (Key::Reworded(endpoint, _), Some(_)) => *endpoint == self.view.endpoint().to_string(),
            _ => false,
        };
        (in_these_words && self.view.may_see(&entry.subject)).then_some(entry)
    }
}
