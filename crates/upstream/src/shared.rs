//! What the tasks of one upstream and those who call it share: the connection that stands, and the way to wait for the next.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, timeout_at};
use toolgate_protocol::{Method, Reply, UpstreamName};

use crate::backoff::DOWN_AFTER;
use crate::change::Teller;
use crate::config::{Limits, Timeouts};
use crate::connect::{Connector, Link};
use crate::course::Around;
use crate::era::Peer;
use crate::error::Failure;
use crate::upstream::{Call, Origin, State};
use crate::watch::Wishes;

/// What the upstream's tasks and its users share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) name: UpstreamName,
    pub(crate) timeouts: Timeouts,
    pub(crate) limits: Limits,
    pub(crate) connector: Connector,
    pub(crate) around: Around,
    pub(crate) teller: Teller,
    pub(crate) wishes: Arc<Wishes>,
    pub(crate) state: watch::Sender<State>,
    pub(crate) live: watch::Sender<Option<Arc<Live>>>,
    /// Rung when a call wants an attempt to be made.
    pub(crate) wanted: Notify,
    /// Rung when its connection is to be made anew.
    pub(crate) anew: Notify,
    /// Before this, none is made on demand.
    pub(crate) not_before: Mutex<Instant>,
    /// When it was last called on somebody's behalf.
    used: Mutex<Instant>,
    in_flight: Arc<Semaphore>,
}

/// The connection that stands.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) peer: Arc<Peer>,
    pub(crate) link: Link,
    /// Whether it has answered anything but lists.
    pub(crate) proved: AtomicBool,
}

// === impl Shared ===

impl Shared {
    pub(crate) fn new(connector: Connector, around: Around, teller: Teller) -> Self {
        let config = &connector.config;
        Self {
            name: config.name.clone(),
            timeouts: config.timeouts,
            limits: config.limits,
            in_flight: Arc::new(Semaphore::new(config.limits.in_flight.min(Semaphore::MAX_PERMITS))),
            connector,
            around,
            teller,
            wishes: Wishes::new(),
            state: watch::Sender::new(State::Starting),
            live: watch::Sender::new(None),
            wanted: Notify::new(),
            anew: Notify::new(),
            not_before: Mutex::new(Instant::now()),
            used: Mutex::new(Instant::now()),
        }
    }

    /// Sends a request over the connection that stands, or the next one.
    pub(crate) async fn send(&self, call: Call) -> Result<Reply, Failure> {
        let permit = self.admit()?;
        self.touch(&call.origin);
        let deadline = Instant::now() + self.timeouts.connect;
        let live = self.ready(deadline, 0).await?;
        match self.send_over(&live, call.clone(), permit).await {
            Err(failure) if failure.did_not_run() => {
                tracing::debug!(upstream = %self.name, error = %failure, "a call is sent again on the next connection");
                // It may have waited long before it was lost.
                let deadline = Instant::now() + self.timeouts.connect;
                let live = self.ready(deadline, live.peer.generation).await?;
                self.send_over(&live, call, self.admit()?).await
            }
            other => other,
        }
    }

    /// Notes that it is called; what the gateway asks for itself does not count.
    pub(crate) fn touch(&self, origin: &Origin) {
        if !origin.is_own() {
            *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
    }

    /// When it was last called on somebody's behalf.
    pub(crate) fn last_used(&self) -> Instant {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether no call is in flight.
    pub(crate) fn is_quiet(&self) -> bool {
        self.in_flight.available_permits() >= self.limits.in_flight
    }

    async fn send_over(&self, live: &Live, call: Call, permit: OwnedSemaphorePermit) -> Result<Reply, Failure> {
        let is_list = call.method.is_cacheable() && call.method != Method::ResourcesRead;
        let within = if is_list { self.timeouts.list } else { self.timeouts.call };
        let reply = match &live.link {
            Link::Modern(link) => link.call(call, within, &self.around, permit).await,
            Link::Legacy(link) => link.call(call, within, permit).await,
            Link::Api(link) => link.call(call, within, &self.around).await,
        };
        let reply = reply.inspect_err(|failure| self.around.note(failure))?;
        if !is_list {
            live.proved.store(true, Ordering::Relaxed);
        }
        Ok(reply)
    }

    fn admit(&self) -> Result<OwnedSemaphorePermit, Failure> {
        self.in_flight.clone().try_acquire_owned().map_err(|_| Failure::Busy(self.limits.in_flight))
    }

    /// The connection that stands, if it is newer than `generation`; else the next one.
    pub(crate) async fn ready(&self, deadline: Instant, generation: u64) -> Result<Arc<Live>, Failure> {
        let newer = |live: &Option<Arc<Live>>| live.clone().filter(|live| live.peer.generation > generation);
        if let Some(live) = newer(&self.live.borrow()) {
            return Ok(live);
        }
        let mut state = self.state.subscribe();
        let mut tried = false;
        loop {
            let now = state.borrow_and_update().clone();
            match now {
                State::Ready(_) => {
                    if let Some(live) = newer(&self.live.borrow()) {
                        return Ok(live);
                    }
                }
                State::Starting => tried = true,
                State::Asleep => self.wanted.notify_waiters(),
                State::Stopped => return Err(Failure::Stopped),
                State::Failed { error, attempts, .. } => {
                    let not_before = *self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
                    let pausing = not_before > Instant::now();
                    if tried || not_before > deadline || (attempts >= DOWN_AFTER && pausing) {
                        return Err(Failure::Down(error));
                    }
                    tried = true;
                    self.wanted.notify_waiters();
                }
            }
            match timeout_at(deadline, state.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(Failure::Stopped),
                Err(_) => {
                    return Err(Failure::Unavailable(format!(
                        "it is still starting after {} s",
                        self.timeouts.connect.as_secs_f32()
                    )));
                }
            }
        }
    }
}

/// Sets when the next attempt may be made on demand.
pub(crate) fn hold_back(shared: &Shared, started: Instant, pause: Duration) {
    *shared.not_before.lock().unwrap_or_else(PoisonError::into_inner) = started + pause;
}
