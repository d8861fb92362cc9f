//! The catalog itself: who is behind us, what they offer now, and who is told when that changes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use toolgate_identity::Caller;
use toolgate_policy::Policy;
use toolgate_protocol::{Kind, UpstreamName};
use toolgate_upstream::{State, Upstream};

use crate::change::Change;
use crate::finder::Finder;
use crate::handle::Handles;
use crate::naming::Naming;
use crate::offer::{Cause, Dropped, Offer};
use crate::refresh;
use crate::shelf::Shelf;
use crate::snapshot::Snapshot;
use crate::status::{Counts, UpstreamStatus, seconds};
use crate::view::View;

/// How many changes a listener may be behind before it is told that it missed some.
const CHANGES_KEPT: usize = 1024;

/// Entries that are not offered and named one by one in the log.
const MOST_NAMED: usize = 20;

/// How the catalog behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// How public names are made.
    pub naming: Naming,
    /// The longest that a list waits for upstreams that were never heard of; afterwards they are left out, and announced
    /// by a list change once they are up.
    pub startup_wait: Duration,
    /// The longest that a call to an entry of an upstream that is not up yet waits for it to come up.
    pub call_wait: Duration,
    /// The longest that such a call waits for lists once the upstream is up.
    pub list_wait: Duration,
    /// How long a client may take to answer what an upstream asks it.
    pub answer_wait: Duration,
    /// How often lists are fetched again although nothing announced a change.
    pub sweep: Duration,
    /// How long clients may keep a list.
    pub list_ttl: Duration,
    /// The most entries on one page of a list.
    pub page_size: usize,
    /// The most entries of one kind taken from one upstream.
    pub entries: usize,
    /// The kinds of entries that can be searched for.
    pub findable: Vec<Kind>,
}

/// One upstream, as the catalog takes it over.
pub struct Member {
    /// The upstream, already starting.
    pub upstream: Arc<Upstream>,
    /// Names what it is made of; see [`Shelf`].
    pub fingerprint: String,
    /// What it offered in an earlier run.
    pub remembered: Option<Offer>,
    /// Whether the config wants its tool of this native name.
    pub permits: Permits,
}

/// Whether a tool is wanted, by its native name.
pub type Permits = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// What there is to call.
pub struct Catalog {
    inner: Arc<Inner>,
    tasks: TaskTracker,
    _indexing: AbortOnDropHandle<()>,
}

pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) policy: Policy,
    pub(crate) handles: Arc<Handles>,
    pub(crate) members: Vec<Tracked>,
    disabled: Vec<UpstreamName>,
    shelf: Option<Shelf>,
    offers: Mutex<Vec<(UpstreamName, Option<Arc<Offer>>)>>,
    snapshot: ArcSwap<Snapshot>,
    /// The same, for those who wait for the next one.
    snapshots: watch::Sender<Arc<Snapshot>>,
    pub(crate) finder: Finder,
    pub(crate) changes: broadcast::Sender<Change>,
}

/// One upstream and how much is known of what it offers.
pub(crate) struct Tracked {
    pub(crate) upstream: Arc<Upstream>,
    fingerprint: String,
    pub(crate) permits: Permits,
    pub(crate) known: watch::Sender<Known>,
}

/// How much is known of what an upstream offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Known {
    /// Nothing yet.
    Nothing,
    /// It was tried and failed; nothing is known.
    Unreachable,
    /// What it offered in an earlier run.
    Remembered,
    /// What it says now.
    Fetched,
}

// === impl Catalog ===

impl Catalog {
    /// Takes the upstreams over, in the config's order, and keeps their lists fresh until [`Catalog::stop`].
    pub fn open(
        config: Config,
        policy: Policy,
        handles: Handles,
        shelf: Option<Shelf>,
        members: Vec<Member>,
        disabled: Vec<UpstreamName>,
    ) -> Self {
        let mut tracked = Vec::new();
        let mut offers = Vec::new();
        for member in members {
            let known = if member.remembered.is_some() { Known::Remembered } else { Known::Nothing };
            offers.push((member.upstream.name().clone(), member.remembered.map(Arc::new)));
            tracked.push(Tracked {
                upstream: member.upstream,
                fingerprint: member.fingerprint,
                permits: member.permits,
                known: watch::Sender::new(known),
            });
        }
        let snapshot = Arc::new(Snapshot::build(offers.clone(), config.naming, None));
        let inner = Arc::new(Inner {
            finder: Finder::new(config.findable.clone()),
            config,
            policy,
            handles: Arc::new(handles),
            members: tracked,
            disabled,
            shelf,
            offers: Mutex::new(offers),
            snapshot: ArcSwap::new(snapshot.clone()),
            snapshots: watch::Sender::new(snapshot),
            changes: broadcast::Sender::new(CHANGES_KEPT),
        });
        let tasks = TaskTracker::new();
        for at in 0..inner.members.len() {
            tasks.spawn(refresh::keep_fresh(inner.clone(), at));
            tasks.spawn(refresh::forward(inner.clone(), at));
        }
        let indexed = inner.clone();
        let indexing = tokio::spawn(async move { indexed.finder.follow(indexed.snapshots.subscribe()).await });
        Self { inner, tasks, _indexing: AbortOnDropHandle::new(indexing) }
    }

    /// Keeps a search index from now on, rather than from the first search on.
    pub fn expect_searches(&self) {
        self.inner.finder.want();
    }

    /// The catalog as `caller` may see it now.
    pub fn view(&self, caller: &Caller) -> View {
        View::new(self.inner.clone(), caller.clone())
    }

    /// Waits until something is known of every upstream, at most as long as the config says.
    pub async fn settled(&self) {
        // The usual case costs no timer.
        if self.inner.members.iter().all(|member| *member.known.borrow() > Known::Nothing) {
            return;
        }
        let deadline = Instant::now() + self.inner.config.startup_wait;
        for member in &self.inner.members {
            member.wait_for(Known::Unreachable, deadline).await;
        }
    }

    /// Whether every upstream has come up or failed by now.
    pub fn is_settled(&self) -> bool {
        self.inner
            .members
            .iter()
            .all(|member| matches!(*member.known.borrow(), Known::Fetched | Known::Unreachable) || member.has_failed())
    }

    /// A client's conversation is over.
    pub fn end_conversation(&self, conversation: &str) {
        for member in &self.inner.members {
            member.upstream.end_conversation(conversation);
        }
    }

    /// How long a client may take to answer what an upstream asks it.
    pub fn answer_wait(&self) -> Duration {
        self.inner.config.answer_wait
    }

    /// What changes from now on.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.inner.changes.subscribe()
    }

    /// How each upstream is doing, in the config's order.
    pub fn status(&self) -> Vec<UpstreamStatus> {
        let snapshot = self.inner.snapshot();
        let mut all: Vec<UpstreamStatus> = self
            .inner
            .members
            .iter()
            .map(|member| member.status(snapshot.offer(member.upstream.name()).map(|offer| &**offer)))
            .collect();
        all.extend(self.inner.disabled.iter().map(|name| UpstreamStatus {
            name: name.clone(),
            state: "disabled",
            era: None,
            revision: None,
            error: None,
            retry_in_seconds: None,
            from_cache: false,
            counts: Counts::default(),
            dropped: Vec::new(),
        }));
        all
    }

    /// Ends every upstream and the keeping of lists.
    pub async fn stop(&self) {
        futures_join(self.inner.members.iter().map(|member| {
            let upstream = member.upstream.clone();
            async move { upstream.stop().await }
        }))
        .await;
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Runs all at once and waits for all.
async fn futures_join<F: Future<Output = ()> + Send + 'static>(all: impl Iterator<Item = F>) {
    let mut set: tokio::task::JoinSet<()> = all.collect();
    while set.join_next().await.is_some() {}
}

// === impl Inner ===

impl Inner {
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    pub(crate) fn member(&self, name: &UpstreamName) -> Option<&Tracked> {
        self.members.iter().find(|member| member.upstream.name() == name)
    }

    pub(crate) fn offer(&self, at: usize) -> Option<Arc<Offer>> {
        self.offers.lock().expect("no panic while it is held").get(at).and_then(|(_, offer)| offer.clone())
    }

    /// Puts what an upstream offers now in the place of what it offered, tells listeners what differs, and remembers it.
    pub(crate) fn publish(&self, at: usize, offer: Offer) {
        let member = &self.members[at];
        let offer = Arc::new(offer);
        let before = {
            let mut offers = self.offers.lock().expect("no panic while it is held");
            let before = offers[at].1.replace(offer.clone());
            let snapshot = Arc::new(Snapshot::build(offers.clone(), self.config.naming, Some(&self.snapshot())));
            self.snapshot.store(snapshot.clone());
            self.snapshots.send_replace(snapshot);
            before
        };
        let was_known = *member.known.borrow() > Known::Unreachable;
        member.known.send_replace(Known::Fetched);
        let differs = |kind| before.as_ref().is_none_or(|before| !before.list(kind).same_entries(offer.list(kind)));
        let differing: Vec<Kind> = Kind::ALL
            .into_iter()
            .filter(|&kind| differs(kind) && (was_known || !offer.list(kind).entries.is_empty()))
            .collect();
        let mut announced: Vec<Kind> =
            differing.iter().map(|kind| if *kind == Kind::Template { Kind::Resource } else { *kind }).collect();
        announced.dedup();
        for kind in announced {
            // Nobody listening is fine.
            let _ = self.changes.send(Change::List(kind));
        }
        self.warn_of_dropped(at, before.as_deref(), &offer);
        if (before.is_none() || !differing.is_empty())
            && let Some(shelf) = &self.shelf
        {
            let name = member.upstream.name();
            if let Err(error) = shelf.store(name, &member.fingerprint, &offer) {
                tracing::warn!(upstream = %name, %error, "the catalog could not be kept on disk; lists will be fetched again after a restart");
            }
        }
    }

    /// Tells once of each entry that is not offered: by name where somebody could mend it, in numbers beyond a few.
    fn warn_of_dropped(&self, at: usize, before: Option<&Offer>, now: &Offer) {
        let is_news =
            |dropped: &&Dropped| !before.is_some_and(|before| before.dropped().any(|known| known == *dropped));
        let upstream = self.members[at].upstream.name();
        let (filtered, faulty): (Vec<_>, Vec<_>) =
            now.dropped().filter(is_news).partition(|dropped| dropped.cause == Cause::Filtered);
        if !filtered.is_empty() {
            tracing::info!(%upstream, tools = filtered.len(), "left out by the config (`tools`)");
        }
        for dropped in faulty.iter().take(MOST_NAMED) {
            tracing::warn!(%upstream, kind = %dropped.kind, entry = %dropped.name, reason = %dropped.reason, "not offered");
        }
        if faulty.len() > MOST_NAMED {
            tracing::warn!(%upstream, entries = faulty.len() - MOST_NAMED, "not offered either; `toolgate status` names them");
        }
    }
}

// === impl Tracked ===

impl Tracked {
    /// Notes that it was tried in vain, if nothing better is known.
    pub(crate) fn tried(&self) {
        self.known.send_if_modified(|known| {
            let is_new = *known == Known::Nothing;
            if is_new {
                *known = Known::Unreachable;
            }
            is_new
        });
    }

    /// Waits until at least so much is known, or the deadline. Whether it came to that.
    pub(crate) async fn wait_for(&self, at_least: Known, deadline: Instant) -> bool {
        let mut known = self.known.subscribe();
        matches!(tokio::time::timeout_at(deadline, known.wait_for(|known| *known >= at_least)).await, Ok(Ok(_)))
    }

    /// Why nothing is known of what it offers, in a few words for whoever reads a list.
    pub(crate) fn why_unknown(&self) -> String {
        match &*self.upstream.state().borrow() {
            State::Starting => "it is still starting".into(),
            State::Ready(_) => "its lists are still being fetched, or could not be".into(),
            State::Failed { error, .. } => error.clone(),
            State::Stopped => "it was stopped".into(),
        }
    }

    fn has_failed(&self) -> bool {
        matches!(*self.upstream.state().borrow(), State::Failed { .. } | State::Stopped)
    }

    fn status(&self, offer: Option<&Offer>) -> UpstreamStatus {
        let state = self.upstream.state();
        let state = state.borrow();
        let (word, error, retry_in) = match &*state {
            State::Starting => ("starting", None, None),
            State::Ready(_) => ("ready", None, None),
            State::Failed { error, retry_at, .. } => {
                ("failed", Some(error.clone()), Some(seconds(retry_at.saturating_duration_since(Instant::now()))))
            }
            State::Stopped => ("stopped", None, None),
        };
        let peer = match &*state {
            State::Ready(peer) => Some((peer.era, peer.revision)),
            _ => offer.map(|offer| (offer.era, offer.revision)),
        };
        UpstreamStatus {
            name: self.upstream.name().clone(),
            state: word,
            era: peer.map(|(era, _)| era.to_string()),
            revision: peer.map(|(_, revision)| revision.as_str()),
            error,
            retry_in_seconds: retry_in,
            from_cache: *self.known.borrow() == Known::Remembered,
            counts: offer.map(Counts::of).unwrap_or_default(),
            dropped: offer.map(|offer| offer.dropped().cloned().collect()).unwrap_or_default(),
        }
    }
}
