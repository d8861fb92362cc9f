//! Instances of a legacy upstream that are begun before anybody needs them, for servers that are slow to start.
//!
//! A warm one has started and has answered `initialize`, but is not told `notifications/initialized` before it is handed to
//! somebody. What `initialize` carries is the same for every client: toolgate's name, and all that some client may be able to
//! do (`legacy/roots.rs`); it differs only with whether a connection outlives a call, which `isolation` decides for all. So
//! nobody's handshake is lost on another. What comes after `initialized` is not the same: many servers ask for the roots at that
//! moment and go by the answer from then on, and that must be the answer of the client whose connection it is. Until then a
//! server may ask nothing (2025-11-25 `basic/lifecycle`), so it cannot tell one that rested from one that did not.
//!
//! Each is handed out once and then ends as any other. Another is begun in its place, one at a time. None is begun while the
//! connection that all share does not stand: what fails there would fail here too.

use std::collections::VecDeque;
use std::future::{Future as _, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use toolgate_protocol::Era;

use crate::backoff::HEALTHY_AFTER;
use crate::config::{Config, Transport};
use crate::connect::Met;
use crate::course::Around;
use crate::error::Failure;
use crate::greeted::Greeted;
use crate::isolation::{Branches, Isolation, Whose};
use crate::shared::Shared;
use crate::upstream::State;

/// How many instances are ready for whoever needs one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warmth {
    /// So many are.
    pub ready: usize,
    /// So many are to be.
    pub wanted: usize,
}

/// The warm instances of one upstream.
#[derive(Debug, Default)]
pub(crate) struct Warm {
    pub(crate) wanted: usize,
    /// The one that is warm for longest comes first.
    spares: VecDeque<Spare>,
    /// Ends the one that is being begun, if one is.
    making: Option<CancellationToken>,
    /// In a row.
    failures: u32,
    /// Before this, none is begun.
    not_before: Option<Instant>,
    fault: Option<String>,
}

/// An instance that nobody has yet. Dropped, it ends.
#[derive(Debug)]
pub(crate) struct Spare {
    greeted: Greeted,
    around: Around,
    guard: DropGuard,
    since: Instant,
}

/// Whether there may be warm instances just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Season {
    /// Yes, of the server that was met for the so many-th time.
    Warm(u64),
    /// Those that are there may stay.
    Waiting,
    /// None is of use.
    Cold,
}

// === impl Spare ===

impl Spare {
    /// Begins one for whoever will need it.
    async fn begin(branches: &Branches) -> Result<Self, Failure> {
        let Config { name, timeouts, apart, .. } = branches.config();
        let around = Around::of(name.clone());
        let guard = branches.see_off(&around);
        let connector = branches.connector(&apart.by.somebody(), around.clone());
        let met = timeout(timeouts.connect, connector.meet(Some(Era::Legacy), 0)).await;
        match met.unwrap_or(Err(Failure::Timeout(timeouts.connect)))? {
            Met::Greeted(greeted) => Ok(Self { greeted, around, guard, since: Instant::now() }),
            Met::Standing(_, link) => {
                link.close().await;
                Err(Failure::Refused("it is of the modern era now".into()))
            }
        }
    }

    /// Hands it out.
    pub(crate) fn into_parts(self) -> (Greeted, Around) {
        self.guard.disarm();
        (self.greeted, self.around)
    }

    /// Ends it, and its session at the server.
    pub(crate) async fn close(self) {
        self.greeted.close().await;
    }

    fn is_lost(&self) -> bool {
        self.greeted.lost().is_cancelled()
    }
}

// === impl Warm ===

impl Warm {
    /// How many there are, with the one that is being begun.
    pub(crate) fn len(&self) -> usize {
        self.spares.len() + usize::from(self.making.is_some())
    }

    /// The one that is warm for longest, if a connection of this kind begins as they did.
    pub(crate) fn take(&mut self, whose: &Whose, by: Isolation) -> Option<Spare> {
        if whose.has_lasting_roots() != by.somebody().has_lasting_roots() {
            return None;
        }
        let good = self.spares.iter().position(|spare| !spare.is_lost())?;
        self.spares.remove(good)
    }

    /// Makes room for one connection more, if it can. What was begun last goes first, for the caller to end.
    pub(crate) fn make_room(&mut self) -> Option<Vec<Spare>> {
        match self.making.take() {
            Some(making) => {
                making.cancel();
                Some(Vec::new())
            }
            None => self.spares.pop_back().map(|spare| vec![spare]),
        }
    }

    /// All but as many as are wanted, for the caller to end.
    pub(crate) fn surplus(&mut self) -> Vec<Spare> {
        let kept = self.spares.len().min(self.wanted);
        if kept == self.wanted
            && let Some(making) = self.making.take()
        {
            making.cancel();
        }
        self.spares.drain(kept..).collect()
    }

    /// All, for the caller to end; what failed is forgotten.
    pub(crate) fn clear(&mut self) -> Vec<Spare> {
        if let Some(making) = self.making.take() {
            making.cancel();
        }
        (self.failures, self.not_before, self.fault) = (0, None, None);
        self.spares.drain(..).collect()
    }

    /// Those that have ended by themselves, for the caller to see off.
    fn lost(&mut self, pause: impl Fn(u32) -> Duration) -> Vec<Spare> {
        let (lost, good): (VecDeque<_>, _) = self.spares.drain(..).partition(Spare::is_lost);
        self.spares = good;
        // One that does not last is a failure, or it would be started again and again without a pause.
        if let Some(spare) = lost.iter().find(|spare| spare.since.elapsed() < HEALTHY_AFTER) {
            let why = spare.greeted.why().unwrap_or_else(|| "it ended".into());
            self.failed(why, pause);
        }
        lost.into()
    }

    /// The next one is being begun, if there is to be one. `room` is how many more connections there may be.
    fn begin(&mut self, room: usize, now: Instant) -> Option<CancellationToken> {
        let is_time = self.not_before.is_none_or(|not_before| not_before <= now);
        if self.making.is_some() || self.spares.len() >= self.wanted || room == 0 || !is_time {
            return None;
        }
        let making = CancellationToken::new();
        self.making = Some(making.clone());
        Some(making)
    }

    fn made(&mut self, spare: Spare) {
        (self.making, self.failures, self.not_before, self.fault) = (None, 0, None, None);
        self.spares.push_back(spare);
    }

    fn failed(&mut self, why: String, pause: impl Fn(u32) -> Duration) {
        self.making = None;
        self.failures += 1;
        self.not_before = Some(Instant::now() + pause(self.failures));
        if self.fault.as_ref() == Some(&why) {
            tracing::debug!(error = %why, attempts = self.failures, "no instance could be kept warm");
        } else {
            tracing::warn!(error = %why, "no instance could be kept warm; it is tried again");
            self.fault = Some(why);
        }
    }

    pub(crate) fn warmth(&self) -> Option<Warmth> {
        let ready = self.spares.iter().filter(|spare| !spare.is_lost()).count();
        (self.wanted > 0).then_some(Warmth { ready, wanted: self.wanted })
    }

    /// Why there are fewer than there should be.
    pub(crate) fn fault(&self) -> Option<&String> {
        self.fault.as_ref()
    }
}

// === the keeper ===

/// Keeps as many instances warm as are wanted, until the upstream is stopped. `main` is the connection that all share.
pub(crate) async fn keep(branches: Arc<Branches>, main: Arc<Shared>) {
    let stopped = main.around.stopped.clone();
    stopped.run_until_cancelled(keeping(&branches, &main)).await;
}

async fn keeping(branches: &Branches, main: &Shared) {
    let mut states = main.state.subscribe();
    let is_child = matches!(branches.config().transport, Transport::Stdio(_));
    let mut met = 0;
    loop {
        let rung = branches.rung.notified();
        tokio::pin!(rung);
        // From here on no ring is missed.
        rung.as_mut().enable();
        let season = Season::of(&states.borrow_and_update());
        match season {
            Season::Cold => branches.cool(),
            // The connection to a server somewhere else was lost, and so most likely were these.
            Season::Warm(times) if times != met => {
                if !is_child && met > 0 {
                    branches.cool();
                }
                met = times;
            }
            Season::Warm(_) | Season::Waiting => {}
        }
        let Look { lost, next, pause, tokens } = branches.look(season);
        branches.end_spares(lost);
        if let Some(making) = next {
            branches.fill(making).await;
            continue;
        }
        tokio::select! {
            () = rung => {}
            () = one_of(tokens) => {}
            () = end_of(pause) => {}
            changed = states.changed() => if changed.is_err() { return },
        }
    }
}

/// What there is to do just now, and what to wait for when there is nothing.
struct Look {
    lost: Vec<Spare>,
    next: Option<CancellationToken>,
    pause: Option<Instant>,
    tokens: Vec<CancellationToken>,
}

impl Branches {
    fn look(&self, season: Season) -> Look {
        let (now, mut table) = (Instant::now(), self.table());
        let lost = table.warm.lost(|failures| self.pause(failures));
        let room = table.room(self.config().apart.most);
        let next = matches!(season, Season::Warm(_)).then(|| table.warm.begin(room, now)).flatten();
        let tokens = table.warm.spares.iter().map(|spare| spare.greeted.lost().clone()).collect();
        Look { lost, next, pause: table.warm.not_before.filter(|not_before| *not_before > now), tokens }
    }

    fn pause(&self, failures: u32) -> Duration {
        self.config().restart.pause(failures)
    }

    /// Begins one instance, unless that is called off.
    async fn fill(&self, making: CancellationToken) {
        // Who ends it has forgotten it already.
        let Some(made) = making.run_until_cancelled(Spare::begin(self)).await else { return };
        let mut table = self.table();
        match made {
            Ok(spare) if making.is_cancelled() => {
                drop(table);
                self.end_spares(vec![spare]);
            }
            Ok(spare) => table.warm.made(spare),
            Err(_) if making.is_cancelled() => {}
            Err(failure) => {
                let why = failure.to_string();
                table.warm.failed(why, |failures| self.pause(failures));
            }
        }
    }

    /// Ends those that are warm.
    pub(crate) fn cool(&self) {
        let spares = self.table().warm.clear();
        self.end_spares(spares);
    }

    /// From now on so many are to be warm.
    pub(crate) fn keep_warm(&self, wanted: usize) {
        let surplus = {
            let mut table = self.table();
            table.warm.wanted = wanted;
            table.warm.surplus()
        };
        self.end_spares(surplus);
        self.rung.notify_one();
    }
}

// === impl Season ===

impl Season {
    fn of(state: &State) -> Self {
        match state {
            State::Ready(peer) if peer.era == Era::Legacy => Self::Warm(peer.generation),
            State::Ready(_) | State::Asleep | State::Stopped => Self::Cold,
            State::Starting | State::Failed { .. } => Self::Waiting,
        }
    }
}

/// Ends when one of them is cancelled.
async fn one_of(tokens: Vec<CancellationToken>) {
    let mut waiting: Vec<_> = tokens.into_iter().map(|token| Box::pin(token.cancelled_owned())).collect();
    poll_fn(|cx| match waiting.iter_mut().any(|one| one.as_mut().poll(cx).is_ready()) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}

async fn end_of(pause: Option<Instant>) {
    match pause {
        Some(end) => sleep_until(end).await,
        None => std::future::pending().await,
    }
}
