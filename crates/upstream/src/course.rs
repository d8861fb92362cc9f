//! How a call becomes a [`Reply`], whatever carries it.
//!
//! Most calls have one event, their outcome: it is waited for in place, and no task is spawned. Only when something else
//! comes first does a task take over and feed the reply; it ends with the outcome, or when nobody holds the reply any more.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use toolgate_protocol::{Event, Notification, OnDrop, Outcome, Reply, UpstreamName};

use crate::error::Failure;

/// Events that may wait for the client to take them.
const QUEUE: usize = 16;

/// A call under way. Dropped before its end, it cancels itself upstream.
pub(crate) trait Course: Send + 'static {
    /// What happens next. May be dropped in mid-wait without losing anything.
    fn step(&mut self) -> impl Future<Output = Step> + Send;

    /// Called after [`Step::Ask`]: puts the call aside until the client has answered, and says how to ask it.
    fn park(self) -> Outcome;
}

/// One thing that happens to a call.
pub(crate) enum Step {
    /// Something for the client.
    Notification(Notification),
    /// The end.
    Done(Outcome),
    /// The end, without an answer.
    Lost(Failure),
    /// The upstream wants answers from the client first.
    Ask,
}

/// What a call needs of the upstream it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Around {
    pub(crate) upstream: UpstreamName,
    /// Cancelled when the upstream is stopped.
    pub(crate) stopped: CancellationToken,
    pub(crate) tasks: TaskTracker,
    /// Rung when a call had no answer in time.
    pub(crate) suspect: Arc<Notify>,
}

// === impl Around ===

impl Around {
    pub(crate) fn of(upstream: UpstreamName) -> Self {
        Self { upstream, stopped: CancellationToken::new(), tasks: TaskTracker::new(), suspect: Arc::default() }
    }

    /// Takes note of how a call failed.
    pub(crate) fn note(&self, failure: &Failure) {
        if matches!(failure, Failure::Timeout(_)) {
            self.suspect.notify_one();
        }
    }
}

/// Runs a call up to its outcome, or up to the first event before that. `permit` is given back at the end.
///
/// A failure comes back as such only if nothing was passed on, so that the caller may try again.
pub(crate) async fn run<C: Course>(
    mut course: C,
    around: &Around,
    permit: OwnedSemaphorePermit,
) -> Result<Reply, Failure> {
    let first = tokio::select! {
        biased;
        () = around.stopped.cancelled() => Step::Lost(Failure::Stopped),
        step = course.step() => step,
    };
    match first {
        Step::Done(outcome) => Ok(Reply::done(outcome)),
        Step::Lost(failure) => Err(failure),
        Step::Ask => Ok(Reply::done(course.park())),
        Step::Notification(notification) => {
            let (sender, events) = mpsc::channel(QUEUE);
            let feeding = feed(course, notification, sender, around.clone());
            around.tasks.spawn(async move {
                feeding.await;
                drop(permit);
            });
            // The task sees the closed channel.
            Ok(Reply::stream(events, OnDrop::default()))
        }
    }
}

async fn feed<C: Course>(mut course: C, first: Notification, events: mpsc::Sender<Event>, around: Around) {
    let mut notification = first;
    loop {
        if events.send(Event::Notification(notification)).await.is_err() {
            return;
        }
        let step = tokio::select! {
            biased;
            () = events.closed() => return,
            () = around.stopped.cancelled() => Step::Lost(Failure::Stopped),
            step = course.step() => step,
        };
        let outcome = match step {
            Step::Notification(next) => {
                notification = next;
                continue;
            }
            Step::Done(outcome) => outcome,
            Step::Lost(failure) => {
                around.note(&failure);
                tracing::warn!(upstream = %around.upstream, error = %failure, "a call failed");
                Err(failure.to_rpc(&around.upstream))
            }
            Step::Ask => course.park(),
        };
        // Nobody waits any more: nothing is left to do.
        let _ = events.send(Event::Done(outcome)).await;
        return;
    }
}
