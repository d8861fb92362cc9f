//! What comes back: one outcome, perhaps after notifications.
//!
//! A [`Reply`] is pulled: whoever answers the client asks for the next event when the client can take it. Dropping a reply
//! before its end means that nobody wants it any more, and cancels the request where it runs.

use tokio::sync::mpsc;

use crate::code::{self, RpcError};
use crate::json::Json;
use crate::message::Notification;

/// A result, or an error.
pub type Outcome = Result<Json, RpcError>;

/// One thing that happens in answer to a request.
#[derive(Debug)]
pub enum Event {
    /// Progress, a log message, a change.
    Notification(Notification),
    /// The end.
    Done(Outcome),
}

/// The answer to one request: notifications in order, then one outcome, then nothing.
pub struct Reply(Source);

enum Source {
    Ready(Option<Outcome>),
    Stream { events: mpsc::Receiver<Event>, on_drop: OnDrop, change: Option<Change> },
    Ended,
}

/// What an outcome still has to go through.
type Change = Box<dyn FnOnce(Outcome) -> Outcome + Send + Sync>;

/// Runs once when dropped: how a reply tells that it is no longer wanted.
#[derive(Default)]
pub struct OnDrop(Option<Box<dyn FnOnce() + Send + Sync>>);

// === impl Reply ===

impl Reply {
    /// An answer that is already there.
    pub fn done(outcome: Outcome) -> Self {
        Self(Source::Ready(Some(outcome)))
    }

    /// An answer that comes in parts. `on_drop` runs if the reply is dropped before [`Event::Done`] was taken from it.
    pub fn stream(events: mpsc::Receiver<Event>, on_drop: OnDrop) -> Self {
        Self(Source::Stream { events, on_drop, change: None })
    }

    /// The next event; `None` once the outcome was taken. A stream whose sender vanished ends with an error.
    pub async fn next(&mut self) -> Option<Event> {
        match &mut self.0 {
            Source::Ready(outcome) => outcome.take().map(Event::Done),
            Source::Ended => None,
            Source::Stream { events, .. } => match events.recv().await {
                Some(Event::Notification(notification)) => Some(Event::Notification(notification)),
                last => {
                    let outcome = match last {
                        Some(Event::Done(outcome)) => outcome,
                        _ => Err(RpcError::new(code::INTERNAL_ERROR, "the answer broke off")),
                    };
                    let mut change = None;
                    if let Source::Stream { on_drop, change: wanted, .. } = &mut self.0 {
                        on_drop.disarm();
                        change = wanted.take();
                    }
                    self.0 = Source::Ended;
                    Some(Event::Done(match change {
                        Some(change) => change(outcome),
                        None => outcome,
                    }))
                }
            },
        }
    }

    /// The same answer with its outcome changed, once it is there.
    #[must_use]
    pub fn map_outcome(self, change: impl FnOnce(Outcome) -> Outcome + Send + Sync + 'static) -> Self {
        Self(match self.0 {
            Source::Ready(outcome) => Source::Ready(outcome.map(change)),
            Source::Stream { events, on_drop, change: earlier } => {
                let change: Change = match earlier {
                    None => Box::new(change),
                    Some(earlier) => Box::new(move |outcome| change(earlier(outcome))),
                };
                Source::Stream { events, on_drop, change: Some(change) }
            }
            Source::Ended => Source::Ended,
        })
    }

    /// The outcome alone, for whoever has no use for notifications.
    pub async fn outcome(mut self) -> Outcome {
        while let Some(event) = self.next().await {
            if let Event::Done(outcome) = event {
                return outcome;
            }
        }
        Err(RpcError::new(code::INTERNAL_ERROR, "the answer was taken twice"))
    }
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            Source::Ready(_) => "Reply(ready)",
            Source::Stream { .. } => "Reply(stream)",
            Source::Ended => "Reply(ended)",
        })
    }
}

// === impl OnDrop ===

impl OnDrop {
    /// Runs `act` when dropped, unless disarmed.
    pub fn new(act: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(act)))
    }

    /// Does nothing when dropped.
    pub fn disarm(&mut self) {
        self.0 = None;
    }
}

impl Drop for OnDrop {
    fn drop(&mut self) {
        if let Some(act) = self.0.take() {
            act();
        }
    }
}

impl std::fmt::Debug for OnDrop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OnDrop({})", if self.0.is_some() { "armed" } else { "disarmed" })
    }
}
