//! The calls in flight on one link, and which of them a message from the upstream belongs to.
//!
//! Ids are ours and unique on the link, so an answer reaches the call it answers and no other, however many clients chose
//! the same id. The id of a call is also its progress token. Whoever reads from the upstream must never wait for one slow
//! call: notifications beyond a call's queue are dropped, while its outcome has a place reserved from the start.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;
use toolgate_protocol::meta::{self, Level};
use toolgate_protocol::{Id, Message, Method, Notification, Outcome, Request};

use crate::error::Failure;

/// Messages that may wait for one call to take them.
const QUEUE: usize = 256;
/// Their bytes, beyond the first of them.
const QUEUE_BYTES: usize = 4 << 20;

/// The calls in flight on one link.
#[derive(Debug)]
pub(crate) struct Flight {
    next: AtomicU64,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    /// Why the link ended, once it has.
    over: Option<String>,
    slots: HashMap<u64, Slot>,
}

#[derive(Debug)]
struct Slot {
    /// Boxed, because a channel makes room for many at once and most calls have one.
    queue: mpsc::Sender<Box<Arrival>>,
    queued_bytes: Arc<AtomicUsize>,
    last: mpsc::OwnedPermit<Box<Arrival>>,
    begun: bool,
    traits: Traits,
}

/// What must be known of a call to tell whether an unaddressed message is for it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traits {
    /// The upstream may ask the client something in the course of it.
    pub(crate) asks: bool,
    /// Log messages from this level on are wanted.
    pub(crate) logs: Option<Level>,
    /// It is the only call there is (the handshake), so an error without id is about it.
    pub(crate) alone: bool,
    /// The gateway makes it itself: no client waits for what is said in the course of it.
    pub(crate) own: bool,
}

/// What arrives for one call.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// Progress, a log message, a change.
    Notification(Notification),
    /// The upstream asks the client (legacy).
    Question(Request),
    /// The end.
    Outcome(Outcome),
    /// The end, without an answer.
    Lost(Failure),
}

/// A call's place among those in flight; given up when dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    id: u64,
    flight: Arc<Flight>,
    queue: mpsc::Receiver<Box<Arrival>>,
    queued_bytes: Arc<AtomicUsize>,
}

// === impl Flight ===

impl Flight {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { next: AtomicU64::new(1), table: Mutex::default() })
    }

    /// A place for one more call. Fails when the link has ended.
    pub(crate) fn board(self: &Arc<Self>, traits: Traits) -> Result<Seat, Failure> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, queue) = mpsc::channel(QUEUE + 1);
        let last = sender.clone().try_reserve_owned().expect("a new channel has room");
        let mut table = self.table();
        if let Some(reason) = &table.over {
            return Err(Failure::NotTaken(reason.clone()));
        }
        let queued_bytes = Arc::new(AtomicUsize::new(0));
        table.slots.insert(id, Slot { queue: sender, queued_bytes: queued_bytes.clone(), last, begun: false, traits });
        Ok(Seat { id, flight: self.clone(), queue, queued_bytes })
    }

    /// Says that the call's bytes are about to be sent. `false` when it must not be sent any more: it was given up, or the
    /// link has ended. From a `true` on, nobody can tell whether the upstream runs it.
    pub(crate) fn begin(&self, id: u64) -> bool {
        let mut table = self.table();
        if table.over.is_some() {
            return false;
        }
        table.slots.get_mut(&id).map(|slot| slot.begun = true).is_some()
    }

    /// Says that the call's bytes did not all go out after all, and what did is no message: it certainly did not run.
    pub(crate) fn take_back(&self, id: u64) {
        if let Some(slot) = self.table().slots.get_mut(&id) {
            slot.begun = false;
        }
    }

    /// Hands a message to the call it belongs to. Gives it back when it belongs to none; late answers end here.
    pub(crate) fn route(&self, message: Message) -> Option<Message> {
        match message {
            Message::Response(response) => {
                let id = match &response.id {
                    Some(id) => id.as_u64(),
                    None => self.alone(),
                };
                let slot = id.and_then(|id| self.table().slots.remove(&id));
                match slot {
                    Some(slot) => drop(slot.last.send(Box::new(Arrival::Outcome(response.outcome)))),
                    None => tracing::debug!(id = ?response.id, "an answer to no call in flight was dropped"),
                }
                None
            }
            Message::Notification(notification) => match addressee(&notification) {
                Some(id) => {
                    self.pass(id, notification);
                    None
                }
                None => Some(Message::Notification(notification)),
            },
            request => Some(request),
        }
    }

    fn pass(&self, id: u64, notification: Notification) {
        let table = self.table();
        let Some(slot) = table.slots.get(&id) else {
            tracing::debug!(id, method = %notification.method, "a notification for no call in flight was dropped");
            return;
        };
        if slot.enqueue(Arrival::Notification(notification)).is_err() {
            tracing::debug!(id, "a notification was dropped: its call does not keep up");
        }
    }

    /// Hands an arrival to the one call that `wanted` says yes to; gives it back when none or several do, or its queue is
    /// full.
    pub(crate) fn offer(&self, arrival: Arrival, wanted: impl Fn(&Traits) -> bool) -> Result<(), Arrival> {
        let table = self.table();
        let mut takers = table.slots.values().filter(|slot| wanted(&slot.traits));
        match (takers.next(), takers.next()) {
            (Some(slot), None) => slot.enqueue(arrival),
            _ => Err(arrival),
        }
    }

    /// Gives a notification to every call that may want it; each judges for itself.
    pub(crate) fn offer_all(&self, notification: &Notification, wanted: impl Fn(&Traits) -> bool) {
        for slot in self.table().slots.values().filter(|slot| wanted(&slot.traits)) {
            // A call that takes no more loses a notification, never its answer.
            drop(slot.enqueue(Arrival::Notification(notification.clone())));
        }
    }

    /// How many calls of clients are in flight.
    pub(crate) fn of_clients(&self) -> usize {
        self.table().slots.values().filter(|slot| !slot.traits.own).count()
    }

    /// How many calls in flight may be asked something.
    pub(crate) fn askable(&self) -> usize {
        self.table().slots.values().filter(|slot| slot.traits.asks).count()
    }

    /// Ends the only call in flight, if there is exactly one: what could not be read was most likely its answer.
    pub(crate) fn fail_only(&self, failure: Failure) {
        let mut table = self.table();
        if table.slots.len() == 1 {
            for (_, slot) in table.slots.drain() {
                slot.last.send(Box::new(Arrival::Lost(failure.clone())));
            }
        }
    }

    /// Ends one call without an answer.
    pub(crate) fn fail(&self, id: u64, failure: Failure) {
        if let Some(slot) = self.table().slots.remove(&id) {
            slot.last.send(Box::new(Arrival::Lost(failure)));
        }
    }

    /// Ends every call, and every later one. Only the first reason counts.
    pub(crate) fn end(&self, reason: &str) {
        let slots = {
            let mut table = self.table();
            if table.over.is_some() {
                return;
            }
            table.over = Some(reason.to_owned());
            std::mem::take(&mut table.slots)
        };
        for slot in slots.into_values() {
            let failure =
                if slot.begun { Failure::Closed(reason.to_owned()) } else { Failure::NotTaken(reason.to_owned()) };
            slot.last.send(Box::new(Arrival::Lost(failure)));
        }
    }

    /// Why the link ended, once it has.
    pub(crate) fn over(&self) -> Option<String> {
        self.table().over.clone()
    }

    fn alone(&self) -> Option<u64> {
        let table = self.table();
        let mut alone = table.slots.iter().filter(|(_, slot)| slot.traits.alone).map(|(id, _)| *id);
        alone.next().filter(|_| alone.next().is_none())
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Slot ===

impl Slot {
    /// Gives the arrival back when there is no room for it.
    fn enqueue(&self, arrival: Arrival) -> Result<(), Arrival> {
        let waiting = self.queued_bytes.load(Ordering::Relaxed);
        if waiting > 0 && waiting + arrival.len() > QUEUE_BYTES {
            return Err(arrival);
        }
        let len = arrival.len();
        self.queued_bytes.fetch_add(len, Ordering::Relaxed);
        self.queue.try_send(Box::new(arrival)).map_err(|error| {
            self.queued_bytes.fetch_sub(len, Ordering::Relaxed);
            *error.into_inner()
        })
    }
}

// === impl Arrival ===

impl Arrival {
    /// About how many bytes it holds, where that may be many and nobody counted them before.
    fn len(&self) -> usize {
        match self {
            Self::Notification(notification) => notification.params.text_len(),
            Self::Question(request) => request.params.text_len(),
            Self::Outcome(_) | Self::Lost(_) => 0,
        }
    }
}

/// The call that a notification names, if it names one.
fn addressee(notification: &Notification) -> Option<u64> {
    let params = &notification.params;
    match notification.method {
        // A progress token that is none of ours is nobody's: u64::MAX is never given out.
        Method::Progress => Some(params.get(meta::PROGRESS_TOKEN).and_then(number).unwrap_or(u64::MAX)),
        Method::Cancelled => params.get("requestId").and_then(number),
        _ => params.child("_meta")?.get(meta::SUBSCRIPTION_ID).and_then(number),
    }
}

/// A number, also one that came back as a string.
fn number(json: &toolgate_protocol::Json) -> Option<u64> {
    json.as_u64().or_else(|| json.as_string()?.parse().ok())
}

// === impl Seat ===

impl Seat {
    /// Its id, which is also its progress token.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// The same, for a message.
    pub(crate) fn request_id(&self) -> Id {
        Id::number(self.id)
    }

    /// What arrives next. Nothing does after an outcome or a loss.
    pub(crate) async fn next(&mut self) -> Arrival {
        match self.queue.recv().await {
            Some(arrival) => {
                self.queued_bytes.fetch_sub(arrival.len(), Ordering::Relaxed);
                *arrival
            }
            None => Arrival::Lost(Failure::Closed("the answer was already taken".into())),
        }
    }

    /// Gives the place up. `true` when the upstream may be at work on the call and should be told.
    pub(crate) fn leave(&self) -> bool {
        self.flight.table().slots.remove(&self.id).is_some_and(|slot| slot.begun)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn message(text: &str) -> Message {
        Message::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
    }

    fn answer(id: &str) -> Message {
        message(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"for":"{}"}}}}"#, id.replace('"', "")))
    }

    async fn outcome(seat: &mut Seat) -> String {
        match seat.next().await {
            Arrival::Outcome(Ok(result)) => result.as_str().to_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn answers_reach_their_calls_in_any_order_and_spelling() {
        let flight = Flight::new();
        let mut seats: Vec<Seat> = (0..3).map(|_| flight.board(Traits::default()).unwrap()).collect();
        assert!(flight.route(answer("3")).is_none());
        assert!(flight.route(answer("1.0")).is_none());
        assert!(flight.route(answer("77")).is_none());
        assert!(flight.route(answer("3")).is_none());
        assert!(flight.route(answer("2")).is_none());
        assert_eq!(outcome(&mut seats[0]).await, r#"{"for":"1.0"}"#);
        assert_eq!(outcome(&mut seats[1]).await, r#"{"for":"2"}"#);
        assert_eq!(outcome(&mut seats[2]).await, r#"{"for":"3"}"#);
    }

    #[tokio::test]
    async fn a_call_that_does_not_keep_up_loses_notifications_but_never_its_outcome() {
        let flight = Flight::new();
        let mut slow = flight.board(Traits::default()).unwrap();
        let mut other = flight.board(Traits::default()).unwrap();
        for n in 0..1000 {
            flight.route(message(&format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":1,"progress":{n}}}}}"#
            )));
        }
        flight.route(answer("1"));
        flight.route(answer("2"));
        outcome(&mut other).await;
        let mut taken = 0;
        while let Arrival::Notification(_) = slow.next().await {
            taken += 1;
        }
        assert_eq!(taken, QUEUE);
    }

    #[tokio::test]
    async fn a_lost_link_tells_what_certainly_did_not_run() {
        let flight = Flight::new();
        let mut begun = flight.board(Traits::default()).unwrap();
        let mut waiting = flight.board(Traits::default()).unwrap();
        assert!(flight.begin(begun.id()));
        flight.end("its process ended");
        assert!(!flight.begin(waiting.id()));
        assert!(matches!(begun.next().await, Arrival::Lost(Failure::Closed(_))));
        assert!(matches!(waiting.next().await, Arrival::Lost(failure) if failure.did_not_run()));
        assert!(flight.board(Traits::default()).unwrap_err().did_not_run());
    }

    #[tokio::test]
    async fn what_did_not_all_go_out_did_not_run() {
        let flight = Flight::new();
        let mut seat = flight.board(Traits::default()).unwrap();
        assert!(flight.begin(seat.id()));
        flight.take_back(seat.id());
        flight.end("its process ended");
        assert!(matches!(seat.next().await, Arrival::Lost(failure) if failure.did_not_run()));
    }

    #[test]
    fn unaddressed_messages_go_to_the_only_call_they_can_be_for() {
        let flight = Flight::new();
        let question = || Arrival::Question(Request::new(Id::number(9), Method::Elicit, Default::default()));
        let asks = Traits { asks: true, ..Traits::default() };
        assert!(flight.offer(question(), |traits| traits.asks).is_err());
        let first = flight.board(asks).unwrap();
        let _list = flight.board(Traits::default()).unwrap();
        assert!(flight.offer(question(), |traits| traits.asks).is_ok());
        let second = flight.board(asks).unwrap();
        assert!(flight.offer(question(), |traits| traits.asks).is_err());
        drop(first);
        assert!(flight.offer(question(), |traits| traits.asks).is_ok());
        drop(second);
        assert_eq!(flight.of_clients(), 1);
    }

    #[test]
    fn a_call_given_up_before_it_was_sent_need_not_be_cancelled() {
        let flight = Flight::new();
        let unsent = flight.board(Traits::default()).unwrap();
        assert!(!unsent.leave());
        assert!(!flight.begin(unsent.id()));
        let sent = flight.board(Traits::default()).unwrap();
        assert!(flight.begin(sent.id()));
        assert!(sent.leave());
    }
}
