//! The catalog itself: who is behind us, what they offer now, and who is told when that changes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use toolgate_identity::Caller;
use toolgate_protocol::{Endpoint, Json, Kind, UpstreamName};
use toolgate_upstream::Upstream;

use crate::change::Change;
use crate::finder::{Corpus, Finder};
use crate::handle::Handles;
use crate::journal::{Happening, Journal};
use crate::moment::{Arrangement, Moment, Space};
use crate::offer::{Cause, Dropped, Offer};
use crate::operate;
use crate::refresh;
use crate::route::origin;
use crate::shelf::Shelf;
use crate::snapshot::Snapshot;
use crate::status::{NamespaceStatus, UpstreamStatus};
use crate::tracked::{Known, Tracked};
use crate::view::View;

/// How many changes a listener may be behind before it is told that it missed some.
const CHANGES_KEPT: usize = 1024;

/// Entries that are not offered and named one by one in the log.
const MOST_NAMED: usize = 20;

/// The version of what is there at first; before it there is nothing.
const FIRST: u64 = 1;

/// How the catalog behaves.
#[derive(Clone, Debug)]
pub struct Config {
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

/// What there is to call.
pub struct Catalog {
    pub(crate) inner: Arc<Inner>,
    tasks: TaskTracker,
    _indexing: AbortOnDropHandle<()>,
}

pub(crate) struct Inner {
    pub(crate) handles: Arc<Handles>,
    pub(crate) journal: Arc<Journal>,
    shelf: Option<Shelf>,
    now: ArcSwap<Moment>,
    /// Held by whoever changes what is shown: one at a time.
    publishing: Mutex<()>,
    version: AtomicU64,
    /// What can be searched, for those who wait for the next.
    corpus: watch::Sender<Arc<Corpus>>,
    pub(crate) finder: Finder,
    pub(crate) changes: broadcast::Sender<Change>,
    /// Upstreams that are no longer in the config and still see something through.
    leaving: Mutex<Vec<Arc<Upstream>>>,
}

// === impl Catalog ===

impl Catalog {
    /// Takes the upstreams over, in the config's order, and keeps their lists fresh until [`Catalog::stop`].
    pub fn open(arrangement: Arrangement, handles: Handles, shelf: Option<Shelf>) -> Self {
        let moment = Moment::new(arrangement, None);
        let corpus = Arc::new(Corpus::of(&moment, FIRST));
        let inner = Arc::new(Inner {
            finder: Finder::default(),
            handles: Arc::new(handles),
            journal: Arc::default(),
            shelf,
            now: ArcSwap::new(Arc::new(moment)),
            publishing: Mutex::default(),
            version: AtomicU64::new(FIRST),
            corpus: watch::Sender::new(corpus),
            changes: broadcast::Sender::new(CHANGES_KEPT),
            leaving: Mutex::default(),
        });
        let indexed = inner.clone();
        let indexing = tokio::spawn(async move { indexed.finder.follow(indexed.corpus.subscribe()).await });
        let catalog = Self { inner, tasks: TaskTracker::new(), _indexing: AbortOnDropHandle::new(indexing) };
        for member in &catalog.inner.now().members {
            catalog.follow(member);
        }
        catalog.expect_searches();
        catalog
    }

    /// Puts another arrangement in the place of the present one, at once for all who look from now on. What is in flight
    /// goes on as it began. Upstreams that are no longer there are ended once what they see through is over.
    ///
    /// Must be called within a Tokio runtime.
    pub fn rearrange(&self, arrangement: Arrangement) {
        let (before, now) = self.inner.rearrange(arrangement);
        for member in &now.members {
            if !before.members.iter().any(|other| Arc::ptr_eq(other, member)) {
                self.follow(member);
            }
        }
        let mut replaced = Vec::new();
        for gone in &before.members {
            if now.members.iter().any(|other| Arc::ptr_eq(other, gone)) {
                continue;
            }
            gone.retired.cancel();
            if now.member(gone.upstream.name()).is_none() {
                let upstream = gone.upstream.name().clone();
                self.journal().note(Happening::Upstream { upstream, state: "removed", error: None });
            }
            if !now.members.iter().any(|other| Arc::ptr_eq(&other.upstream, &gone.upstream)) {
                replaced.push(gone.upstream.name().clone());
                self.retire(gone.upstream.clone());
            }
        }
        self.expect_searches();
        let _ = self.inner.changes.send(Change::Rearranged { replaced: replaced.into() });
        for kind in [Kind::Tool, Kind::Prompt, Kind::Resource] {
            // Nobody listening is fine. Who sees the same as before is not told.
            let _ = self.inner.changes.send(Change::List(kind));
        }
    }

    fn follow(&self, member: &Arc<Tracked>) {
        for following in [
            Box::pin(refresh::keep_fresh(self.inner.clone(), member.clone()))
                as futures_util::future::BoxFuture<'static, ()>,
            Box::pin(refresh::forward(self.inner.clone(), member.clone())),
            Box::pin(operate::note_states(self.inner.clone(), member.clone())),
        ] {
            let retired = member.retired.clone();
            self.tasks.spawn(async move {
                retired.run_until_cancelled(following).await;
            });
        }
    }

    /// Ends an upstream when nothing is under way there any more.
    fn retire(&self, upstream: Arc<Upstream>) {
        upstream.retire();
        self.inner.leaving().push(upstream.clone());
        let inner = self.inner.clone();
        self.tasks.spawn(async move {
            upstream.drained().await;
            upstream.stop().await;
            inner.leaving().retain(|other| !Arc::ptr_eq(other, &upstream));
        });
    }

    /// Keeps a search index from now on, rather than from the first search on, where somebody may search.
    fn expect_searches(&self) {
        if self.inner.now().spaces().any(|space| space.namespace.showing.may_search()) {
            self.inner.finder.want();
        }
    }

    /// What an endpoint shows `caller` now; `None` if there is no such endpoint.
    pub fn view(&self, caller: &Caller, endpoint: &Endpoint) -> Option<View> {
        self.inner.view(caller, endpoint)
    }

    /// Whether there is such an endpoint.
    pub fn has(&self, endpoint: &Endpoint) -> bool {
        self.inner.now().space(endpoint).is_some()
    }

    /// Waits until something is known of every upstream, at most as long as the config says.
    pub async fn settled(&self) {
        let now = self.inner.now();
        // The usual case costs no timer.
        if now.members.iter().all(|member| *member.known.borrow() > Known::Nothing) {
            return;
        }
        let deadline = Instant::now() + now.config.startup_wait;
        for member in &now.members {
            member.wait_for(Known::Unreachable, deadline).await;
        }
    }

    /// Whether every upstream has come up or failed by now.
    pub fn is_settled(&self) -> bool {
        self.inner.now().members.iter().all(|member| member.is_settled())
    }

    /// A client's conversation is over.
    pub fn end_conversation(&self, conversation: &str) {
        for member in &self.inner.now().members {
            member.upstream.end_conversation(conversation);
        }
        for upstream in self.inner.leaving().iter() {
            upstream.end_conversation(conversation);
        }
    }

    /// Whether some upstream has a connection for this caller's conversation alone, and may want to know of its roots.
    pub fn wants_roots(&self, caller: &Caller) -> bool {
        let origin = origin(caller);
        self.inner.now().members.iter().any(|member| member.upstream.is_apart(&origin))
    }

    /// The roots of this caller's client are others now; `answer` is what it answers who asks for them.
    pub fn roots_changed(&self, caller: &Caller, answer: &Json) {
        let origin = origin(caller);
        for member in &self.inner.now().members {
            member.upstream.roots_changed(&origin, answer.clone());
        }
    }

    /// How long a client may take to answer what an upstream asks it.
    pub fn answer_wait(&self) -> Duration {
        self.inner.now().config.answer_wait
    }

    /// What changes from now on.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.inner.changes.subscribe()
    }

    /// How each upstream is doing, in the config's order.
    pub fn status(&self) -> Vec<UpstreamStatus> {
        let now = self.inner.now();
        let disabled = now.disabled.iter().map(UpstreamStatus::disabled);
        now.members.iter().map(|member| member.status()).chain(disabled).collect()
    }

    /// What each endpoint of the config shows, by its path.
    pub fn namespaces(&self) -> Vec<NamespaceStatus> {
        let now = self.inner.now();
        let configured = now.spaces().filter(|space| !matches!(space.namespace.endpoint, Endpoint::Upstream(_)));
        let mut all: Vec<NamespaceStatus> =
            configured.map(|space| NamespaceStatus::of(space, &now, &self.inner.snapshot(&now, space))).collect();
        all.sort_by(|one, other| one.endpoint.cmp(&other.endpoint));
        all
    }

    /// Ends every upstream and the keeping of lists.
    pub async fn stop(&self) {
        let now = self.inner.now();
        let leaving: Vec<Arc<Upstream>> = self.inner.leaving().clone();
        let all = now.members.iter().map(|member| member.upstream.clone()).chain(leaving);
        let mut stopping: tokio::task::JoinSet<()> = all.map(|upstream| async move { upstream.stop().await }).collect();
        while stopping.join_next().await.is_some() {}
        self.tasks.close();
        self.tasks.wait().await;
    }
}

// === impl Inner ===

impl Inner {
    /// What the config says now.
    pub(crate) fn now(&self) -> Arc<Moment> {
        self.now.load_full()
    }

    pub(crate) fn view(self: &Arc<Self>, caller: &Caller, endpoint: &Endpoint) -> Option<View> {
        let moment = self.now();
        let space = moment.space(endpoint)?.clone();
        let snapshot = self.snapshot(&moment, &space);
        Some(View { inner: self.clone(), moment, space, snapshot, caller: caller.clone() })
    }

    /// The entries of a namespace. Only the first who looks at it waits for them to be named.
    pub(crate) fn snapshot(&self, moment: &Moment, space: &Space) -> Arc<Snapshot> {
        if let Some(snapshot) = space.snapshot() {
            return snapshot;
        }
        let _one = self.publishing();
        let made = space.snapshot();
        made.unwrap_or_else(|| space.rebuild(moment, self.version.load(Ordering::Acquire), None))
    }

    fn publishing(&self) -> MutexGuard<'_, ()> {
        self.publishing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leaving(&self) -> MutexGuard<'_, Vec<Arc<Upstream>>> {
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The upstream that holds the call which a `requestState` stands for, though it is no longer in the config.
    pub(crate) fn left_with(&self, name: &UpstreamName, state: &str) -> Option<Arc<Upstream>> {
        self.leaving().iter().find(|upstream| upstream.name() == name && upstream.has_parked(state)).cloned()
    }

    /// The moments before and after.
    fn rearrange(&self, arrangement: Arrangement) -> (Arc<Moment>, Arc<Moment>) {
        let _one = self.publishing();
        let before = self.now();
        let now = Arc::new(Moment::new(arrangement, Some(&before)));
        let version = self.version.fetch_add(1, Ordering::AcqRel) + 1;
        // Where somebody looks, nobody shall have to wait.
        for space in now.spaces() {
            if let Some(known) = before.space(&space.namespace.endpoint).and_then(|space| space.snapshot()) {
                space.rebuild(&now, version, Some(known));
            }
        }
        self.now.store(now.clone());
        self.corpus.send_replace(Arc::new(Corpus::of(&now, version)));
        (before, now)
    }

    /// Puts what an upstream offers now in the place of what it offered, tells listeners what differs, and remembers it.
    pub(crate) fn publish(&self, member: &Tracked, offer: Offer) {
        let offer = Arc::new(offer);
        let before = {
            let _one = self.publishing();
            let before = member.replace_offer(offer.clone());
            let now = self.now();
            let version = self.version.fetch_add(1, Ordering::AcqRel) + 1;
            let in_use =
                |space: &&Arc<Space>| space.snapshot().is_some() && (space.namespace.members)(member.upstream.name());
            for space in now.spaces().filter(in_use) {
                space.rebuild(&now, version, None);
            }
            self.corpus.send_replace(Arc::new(Corpus::of(&now, version)));
            before
        };
        let was_known = *member.known.borrow() > Known::Unreachable;
        member.known.send_replace(Known::Fetched);
        let differs = |kind| before.as_ref().is_none_or(|before| !before.list(kind).same_entries(offer.list(kind)));
        let differing: Vec<Kind> = Kind::ALL
            .into_iter()
            .filter(|&kind| differs(kind) && (was_known || !offer.list(kind).entries.is_empty()))
            .collect();
        if !differing.is_empty() {
            let upstream = member.upstream.name().clone();
            self.journal.note(Happening::Lists { upstream, kinds: differing.clone() });
        }
        let mut announced: Vec<Kind> =
            differing.iter().map(|kind| if *kind == Kind::Template { Kind::Resource } else { *kind }).collect();
        announced.dedup();
        for kind in announced {
            // Nobody listening is fine.
            let _ = self.changes.send(Change::List(kind));
        }
        warn_of_dropped(member, before.as_deref(), &offer);
        if (before.is_none() || !differing.is_empty())
            && let Some(shelf) = &self.shelf
        {
            let name = member.upstream.name();
            if let Err(error) = shelf.store(name, &member.fingerprint, &offer) {
                tracing::warn!(upstream = %name, %error, "the catalog could not be kept on disk; lists will be fetched again after a restart");
            }
        }
    }
}

/// Tells once of each entry that is not offered: by name where somebody could mend it, in numbers beyond a few.
fn warn_of_dropped(member: &Tracked, before: Option<&Offer>, now: &Offer) {
    let is_news = |dropped: &&Dropped| !before.is_some_and(|before| before.dropped().any(|known| known == *dropped));
    let upstream = member.upstream.name();
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
