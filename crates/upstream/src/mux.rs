//! One connection that carries many calls at once: what stdio and HTTP with SSE have in common.
//!
//! Whoever owns the connection feeds [`Mux::receive`] and empties the outbox; this file knows neither pipes nor HTTP.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use toolgate_protocol::{Json, Message, Method, Object, Request, Response, RpcError, code};

use crate::error::{Failure, neutral};
use crate::flight::{Arrival, Flight, Seat, Traits};

/// Messages that may wait to be written.
const OUTBOX: usize = 1024;
/// Messages in one batch (2025-03-26).
pub(crate) const BATCH: usize = 1024;
/// So many unreadable messages of one connection are shown in the log; the others are counted.
const SHOWN: u64 = 5;

/// One connection.
#[derive(Debug)]
pub(crate) struct Mux {
    flight: Arc<Flight>,
    outbox: mpsc::Sender<Outgoing>,
    house: OnceLock<Weak<dyn House>>,
    closed: CancellationToken,
    depth: usize,
    unreadable: std::sync::atomic::AtomicU64,
}

/// A message to be written.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// The call that it begins; ask [`Flight::begin`] before writing it.
    pub(crate) call: Option<u64>,
    /// One line of JSON.
    pub(crate) text: Bytes,
}

/// Takes what belongs to no call in particular. Called by the reader, so it must not wait.
pub(crate) trait House: Send + Sync + std::fmt::Debug {
    /// A request or notification of the upstream.
    fn receive(&self, message: Message);
}

// === impl Mux ===

impl Mux {
    /// A connection, and the messages to be written to it.
    pub(crate) fn new(depth: usize) -> (Arc<Self>, mpsc::Receiver<Outgoing>) {
        let (outbox, outgoing) = mpsc::channel(OUTBOX);
        let mux = Self {
            flight: Flight::new(),
            outbox,
            house: OnceLock::new(),
            closed: CancellationToken::new(),
            depth,
            unreadable: Default::default(),
        };
        (Arc::new(mux), outgoing)
    }

    /// The calls in flight on it.
    pub(crate) fn flight(&self) -> &Arc<Flight> {
        &self.flight
    }

    /// From now on `house` takes what belongs to no call.
    pub(crate) fn settle(&self, house: Weak<dyn House>) {
        // A connection is settled once, at the end of its handshake.
        let _ = self.house.set(house);
    }

    /// Sends a request. `edit` may change the parameters once the call's id is known.
    pub(crate) async fn call(
        &self,
        method: Method,
        mut params: Object,
        traits: Traits,
        within: Duration,
        edit: impl FnOnce(&mut Object, u64),
    ) -> Result<Seat, Failure> {
        let seat = self.flight.board(traits)?;
        edit(&mut params, seat.id());
        let text = Request::new(seat.request_id(), method, params).encode();
        let outgoing = Outgoing { call: Some(seat.id()), text };
        match timeout(within, self.outbox.send(outgoing)).await {
            Ok(Ok(())) => Ok(seat),
            Ok(Err(_)) => Err(Failure::NotTaken(self.flight.over().unwrap_or_else(|| "the connection ended".into()))),
            Err(_) => Err(Failure::Timeout(within)),
        }
    }

    /// Sends a request of our own and waits for its outcome.
    pub(crate) async fn ask(
        &self,
        method: Method,
        params: Object,
        traits: Traits,
        within: Duration,
    ) -> Result<Json, Ask> {
        let mut seat = self.call(method, params, traits, within, |_, _| {}).await.map_err(Ask::Failed)?;
        let outcome = async {
            loop {
                match seat.next().await {
                    Arrival::Outcome(outcome) => break outcome.map_err(Ask::Error),
                    Arrival::Lost(failure) => break Err(Ask::Failed(failure)),
                    Arrival::Notification(_) | Arrival::Question(_) => {}
                }
            }
        };
        timeout(within, outcome).await.unwrap_or(Err(Ask::Failed(Failure::Timeout(within))))
    }

    /// Sends a message that nobody waits for. Dropped when the upstream has not read its last thousand messages.
    pub(crate) fn push(&self, text: Bytes) {
        if self.outbox.try_send(Outgoing { call: None, text }).is_err() {
            tracing::debug!("a message was dropped: the upstream does not read, or its connection ended");
        }
    }

    /// Sends a message that must arrive.
    pub(crate) async fn deliver(&self, text: Bytes, within: Duration) -> Result<(), Failure> {
        match timeout(within, self.outbox.send(Outgoing { call: None, text })).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Failure::Closed(self.flight.over().unwrap_or_else(|| "the connection ended".into()))),
            Err(_) => Err(Failure::Timeout(within)),
        }
    }

    /// Takes one message, or a batch of them, from the upstream.
    pub(crate) fn receive(&self, text: Bytes) {
        if text.first() == Some(&b'[') {
            match Json::parse_within(text.clone(), self.depth).and_then(|batch| batch.array()) {
                Ok(batch) if batch.len() <= BATCH => {
                    for element in batch {
                        match Message::from_json(&element) {
                            Ok(message) => self.take(message),
                            Err(error) => self.complain(element.text(), &error),
                        }
                    }
                }
                _ => self.complain(&text, &RpcError::new(code::INVALID_REQUEST, "no batch of messages")),
            }
            return;
        }
        match Message::parse_within(text.clone(), self.depth) {
            Ok(message) => self.take(message),
            Err(error) => self.complain(&text, &error),
        }
    }

    fn take(&self, message: Message) {
        let Some(unclaimed) = self.flight.route(message) else { return };
        match self.house.get().map(Weak::upgrade) {
            Some(Some(house)) => house.receive(unclaimed),
            // The link is being torn down.
            Some(None) => {}
            None => {
                if let Message::Request(request) = unclaimed {
                    let outcome = match request.method {
                        Method::Ping => Ok(Object::new().to_json()),
                        _ => Err(RpcError::new(code::METHOD_NOT_FOUND, "the handshake is not over")),
                    };
                    self.push(Response::new(request.id, outcome).encode());
                }
            }
        }
    }

    /// Servers print to stdout by mistake; that costs a warning each, but not one for every line of a flood.
    fn complain(&self, text: &[u8], error: &RpcError) {
        let nth = self.unreadable.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if nth < SHOWN {
            let shown = neutral(&String::from_utf8_lossy(&text[..text.len().min(400)]), 200);
            tracing::warn!(error = %error.message, text = shown, "the upstream sent something that is no MCP message; it was skipped");
        } else if nth == SHOWN {
            tracing::warn!("the upstream goes on sending what is no MCP message; further ones are not shown");
        }
    }

    /// A message was longer than the limit and its bytes are gone. If only one call is in flight it was most likely the
    /// answer; with several, nobody can tell whose it was, and their deadlines apply.
    pub(crate) fn too_long(&self, limit: usize) {
        tracing::warn!(limit, "the upstream sent a message longer than the limit; it was skipped");
        self.flight.fail_only(Failure::TooLarge(limit));
    }

    /// Ends the connection and every call on it.
    pub(crate) fn close(&self, reason: &str) {
        self.flight.end(reason);
        self.closed.cancel();
    }

    /// Ends when the connection has.
    pub(crate) async fn closed(&self) {
        self.closed.cancelled().await;
    }

    /// The same as a token.
    pub(crate) fn closing(&self) -> &CancellationToken {
        &self.closed
    }
}

/// Why a request of our own has no result.
#[derive(Debug)]
pub(crate) enum Ask {
    /// The upstream said so.
    Error(RpcError),
    /// It did not answer.
    Failed(Failure),
}
