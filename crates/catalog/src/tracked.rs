//! One upstream, as the catalog keeps track of it: what it offers, and how much of that is known.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use toolgate_upstream::{State, Upstream};

use crate::offer::{Cause, Dropped, Offer};
use crate::status::{Counts, UpstreamStatus, seconds};

/// One upstream, as the catalog takes it over.
pub struct Member {
    /// The upstream, already starting.
    pub upstream: Arc<Upstream>,
    /// Names what it is made of; see [`Shelf`](crate::Shelf).
    pub fingerprint: String,
    /// What it offered in an earlier run.
    pub remembered: Option<Offer>,
    /// Which of its tools the config wants.
    pub permits: Permits,
}

/// Whether a tool is wanted, by its native name.
pub type Permits = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// One upstream and how much is known of what it offers.
pub(crate) struct Tracked {
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) fingerprint: String,
    pub(crate) permits: Permits,
    pub(crate) known: watch::Sender<Known>,
    offer: Mutex<Option<Arc<Offer>>>,
    /// How often its lists were asked for out of turn, and how often that was done, with what came of it last.
    pub(crate) asked: watch::Sender<u64>,
    pub(crate) done: watch::Sender<(u64, Result<(), String>)>,
    /// Cancelled once something else is in its place.
    pub(crate) retired: CancellationToken,
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

// === impl Tracked ===

impl Tracked {
    /// Takes an upstream over. `before` is what was known of the same one until now.
    pub(crate) fn new(member: Member, before: Option<&Self>) -> Self {
        let known_before = before.and_then(Self::offer).map(|offer| offer.only(&*member.permits));
        let offer = known_before.or(member.remembered).map(Arc::new);
        let known = if offer.is_some() { Known::Remembered } else { Known::Nothing };
        Self {
            upstream: member.upstream,
            fingerprint: member.fingerprint,
            permits: member.permits,
            known: watch::Sender::new(known),
            offer: Mutex::new(offer),
            asked: watch::Sender::new(0),
            done: watch::Sender::new((0, Ok(()))),
            retired: CancellationToken::new(),
        }
    }

    /// Whether `member` is this, with nothing changed.
    pub(crate) fn is(&self, member: &Member) -> bool {
        Arc::ptr_eq(&self.upstream, &member.upstream) && Arc::ptr_eq(&self.permits, &member.permits)
    }

    /// What it offers, if that is known.
    pub(crate) fn offer(&self) -> Option<Arc<Offer>> {
        self.offer.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts what it offers now in the place of what it offered, which is returned.
    pub(crate) fn replace_offer(&self, offer: Arc<Offer>) -> Option<Arc<Offer>> {
        self.offer.lock().unwrap_or_else(PoisonError::into_inner).replace(offer)
    }

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

    /// Has its lists fetched now, and waits until that is done.
    pub(crate) async fn refresh(&self) -> Result<(), String> {
        let mut done = self.done.subscribe();
        let mut number = 0;
        self.asked.send_modify(|asked| {
            *asked += 1;
            number = *asked;
        });
        match done.wait_for(|(done, _)| *done >= number).await {
            Ok(done) => done.1.clone(),
            Err(_) => Err("it was taken out of service".into()),
        }
    }

    /// Whether it has come up or failed by now.
    pub(crate) fn is_settled(&self) -> bool {
        let is_over = |state: &State| matches!(state, State::Failed { .. } | State::Asleep | State::Stopped);
        matches!(*self.known.borrow(), Known::Fetched | Known::Unreachable) || is_over(&self.upstream.state().borrow())
    }

    /// Why nothing is known of what it offers, in a few words for whoever reads a list.
    pub(crate) fn why_unknown(&self) -> String {
        match &*self.upstream.state().borrow() {
            State::Starting => "it is still starting".into(),
            State::Ready(_) => "its lists are still being fetched, or could not be".into(),
            State::Failed { error, .. } => error.clone(),
            State::Asleep => "it is started by the first call".into(),
            State::Stopped => "it was stopped".into(),
        }
    }

    pub(crate) fn status(&self) -> UpstreamStatus {
        let offer = self.offer();
        let state = self.upstream.state();
        let state = state.borrow();
        let (word, error, retry_in) = match &*state {
            State::Starting => ("starting", None, None),
            State::Ready(_) => ("ready", None, None),
            State::Failed { error, retry_at, .. } => {
                ("failed", Some(error.clone()), Some(seconds(retry_at.saturating_duration_since(Instant::now()))))
            }
            State::Asleep => ("asleep", None, None),
            State::Stopped => ("stopped", None, None),
        };
        let peer = match &*state {
            State::Ready(peer) => Some((peer.era, peer.revision)),
            _ => offer.as_ref().map(|offer| (offer.era, offer.revision)),
        };
        UpstreamStatus {
            name: self.upstream.name().clone(),
            state: word,
            era: peer.map(|(era, _)| era.to_string()),
            revision: peer.map(|(_, revision)| revision.as_str()),
            error,
            retry_in_seconds: retry_in,
            from_cache: *self.known.borrow() == Known::Remembered,
            counts: offer.as_deref().map(Counts::of).unwrap_or_default(),
            warm: self.upstream.warm().map(|warmth| warmth.ready),
            notes: self.upstream.notes(),
            dropped: offer.iter().flat_map(|offer| offer.dropped().cloned()).collect(),
        }
    }
}

// === impl Offer ===

impl Offer {
    /// What it is without the tools that are not wanted any more.
    fn only(&self, permits: &dyn Fn(&str) -> bool) -> Self {
        let mut offer = self.clone();
        offer.tools.entries.retain(|(native, _)| permits(native));
        // Those that are wanted now are fetched again; these are no longer left out for this reason.
        offer.tools.dropped.retain(|dropped| dropped.cause != Cause::Filtered);
        let filtered = self.tools.entries.iter().filter(|(native, _)| !permits(native));
        offer.tools.dropped.extend(filtered.map(|(native, _)| Dropped::filtered(native)));
        offer
    }
}
