//! A legacy upstream over streamable HTTP: a POST for each message, a session id on each, and one stream for what belongs
//! to no POST.
//!
//! A stream that breaks off is resumed where it stopped if the server numbered its events. A session that the server has
//! forgotten ends the link: requests rejected for that reason did not run, and are sent again on the next one.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use toolgate_protocol::{Json, Message, Method, Object, Outcome, Request, Revision, code};

use super::OWN;
use crate::config::Backoff;
use crate::error::Failure;
use crate::flight::{Flight, Seat};
use crate::http::{Answer, Body, Endpoint, EventStream, REVISION, SESSION, is_message};
use crate::mux::{BATCH, House};

/// For a message that nobody waits for.
const PUSH: Duration = Duration::from_secs(10);
/// Such messages at a time; an upstream that asks without end is not answered without end.
const PUSHES: usize = 1024;
/// For ending a session.
const DELETE: Duration = Duration::from_secs(2);
/// Before a stream is opened again, unless the server says.
const RETRY: Duration = Duration::from_secs(1);
/// How long the stream may take to stand before the upstream counts as ready without it. Some servers send the head of that
/// answer together with the first event only, so there is no waiting for it.
const STANDING: Duration = Duration::from_millis(300);
/// The most a server may make us wait.
const RETRY_MAX: Duration = Duration::from_secs(30);

/// One session.
pub(crate) struct Session {
    endpoint: Arc<Endpoint>,
    post_headers: HeaderMap,
    get_headers: HeaderMap,
    has_id: bool,
    flight: Arc<Flight>,
    house: OnceLock<Weak<dyn House>>,
    pushes: Arc<Semaphore>,
    lost: CancellationToken,
}

/// How a POST is answered.
pub(crate) enum Opened {
    /// At once.
    Outcome(Outcome),
    /// By events.
    Events(PostStream),
}

/// The events that answer one POST.
pub(crate) struct PostStream {
    session: Arc<Session>,
    state: StreamState,
    /// Of a batch, what was not given yet (2025-03-26).
    batch: VecDeque<Message>,
    last_id: Option<String>,
    retry: Duration,
}

enum StreamState {
    Reading(Box<EventStream>),
    Resuming(Pin<Box<dyn Future<Output = Result<Box<EventStream>, Failure>> + Send>>),
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("has_id", &self.has_id).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for PostStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PostStream")
    }
}

// === impl Session ===

impl Session {
    /// The session that an answer to `initialize` began; `flight` has given out the ids so far.
    pub(crate) fn new(
        endpoint: Endpoint,
        id: Option<HeaderValue>,
        revision: Revision,
        flight: Arc<Flight>,
    ) -> Arc<Self> {
        let (mut post_headers, mut get_headers) = (endpoint.post_headers(), endpoint.get_headers());
        for headers in [&mut post_headers, &mut get_headers] {
            if let Some(id) = &id {
                let mut id = id.clone();
                id.set_sensitive(true);
                headers.insert(SESSION, id);
            }
            // Earlier revisions do not have the header.
            if revision >= Revision::V2025_06_18 {
                headers.insert(REVISION, HeaderValue::from_static(revision.as_str()));
            }
        }
        let has_id = id.is_some();
        let endpoint = Arc::new(endpoint);
        Arc::new(Self {
            endpoint,
            post_headers,
            get_headers,
            has_id,
            flight,
            house: OnceLock::new(),
            pushes: Arc::new(Semaphore::new(PUSHES)),
            lost: CancellationToken::new(),
        })
    }

    pub(crate) fn flight(&self) -> &Arc<Flight> {
        &self.flight
    }

    pub(crate) fn lost(&self) -> &CancellationToken {
        &self.lost
    }

    pub(crate) fn settle(&self, house: Weak<dyn House>) {
        // A session is settled once, at the end of its handshake.
        let _ = self.house.set(house);
    }

    /// Sends a request and waits for how it is answered.
    pub(crate) async fn open(self: &Arc<Self>, seat: &Seat, text: Bytes, within: Duration) -> Result<Opened, Failure> {
        if !self.flight.begin(seat.id()) {
            return Err(Failure::NotTaken("the session ended".into()));
        }
        let posted = timeout(within, self.endpoint.post(text, self.post_headers.clone())).await;
        let answer = posted.unwrap_or(Err(Failure::Timeout(within))).inspect_err(|failure| self.note(failure))?;
        if self.is_forgotten(&answer) {
            self.lost.cancel();
            return Err(Failure::NotTaken("it has forgotten the session".into()));
        }
        let outcome = answer.outcome(seat.id(), self.endpoint.depth());
        if let (400, Some(Err(error))) = (answer.status.as_u16(), &outcome)
            && error.code == code::UNSUPPORTED_REVISION
        {
            // A modern server has taken its place, and has not looked at the request.
            self.lost.cancel();
            return Err(Failure::NotTaken("it does not speak the revision any more that it did".into()));
        }
        match (outcome, answer.status.as_u16(), answer.body) {
            (_, _, Body::Events(events)) => Ok(Opened::Events(PostStream::new(self, events))),
            (Some(outcome), status, _) if !matches!(status, 300..=399 | 401 | 403) => Ok(Opened::Outcome(outcome)),
            (_, 200..300, Body::Json(_)) => Err(Failure::Garbage("its JSON is no answer to the request".into())),
            (_, _, body) => Err(Answer { status: answer.status, session: None, body }.refusal()),
        }
    }

    /// Sends a notification or an answer.
    pub(crate) async fn deliver(&self, text: Bytes, within: Duration) -> Result<(), Failure> {
        let posted = timeout(within, self.endpoint.post(text, self.post_headers.clone())).await;
        let answer = posted.unwrap_or(Err(Failure::Timeout(within))).inspect_err(|failure| self.note(failure))?;
        if self.is_forgotten(&answer) {
            self.lost.cancel();
            return Err(Failure::Closed("it has forgotten the session".into()));
        }
        if answer.status.is_success() { Ok(()) } else { Err(answer.refusal()) }
    }

    /// Sends a notification or an answer that nobody waits for.
    pub(crate) fn push(self: &Arc<Self>, text: Bytes, tasks: &TaskTracker) {
        // Calls may be dropped outside of the runtime, when the process ends.
        if tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let Ok(permit) = self.pushes.clone().try_acquire_owned() else {
            return tracing::debug!("a message was dropped: too many are on their way to the upstream");
        };
        let session = self.clone();
        tasks.spawn(async move {
            let _permit = permit;
            let sent = session.deliver(text, PUSH);
            if let Some(Err(failure)) = session.lost.run_until_cancelled(sent).await {
                tracing::debug!(%failure, "a message did not reach the upstream");
            }
        });
    }

    /// Opens the stream for what belongs to no POST, and keeps it open. Returns once the first one stands, is declined, or
    /// is slow to come.
    pub(crate) async fn listen(self: &Arc<Self>, tasks: &TaskTracker) {
        let (live, standing) = oneshot::channel();
        let session = self.clone();
        tasks.spawn(async move {
            let lost = session.lost.clone();
            lost.run_until_cancelled(session.keep_listening(live)).await;
        });
        // Dropped when declined.
        let _ = timeout(STANDING, standing).await;
    }

    async fn keep_listening(self: Arc<Self>, live: oneshot::Sender<()>) {
        let (mut live, mut stood) = (Some(live), false);
        let (mut last_id, mut retry, mut failures) = (None::<String>, RETRY, 0);
        loop {
            let answer = self.endpoint.get(self.get_headers.clone(), last_id.as_deref()).await;
            match answer {
                Ok(answer) if self.is_forgotten(&answer) => return self.lost.cancel(),
                Ok(Answer { body: Body::Events(mut events), .. }) => {
                    (failures, stood) = (0, true);
                    drop(live.take());
                    self.read(&mut events, &mut last_id, &mut retry).await;
                }
                Ok(answer) if answer.status.is_server_error() => failures += 1,
                // Most servers that have no such stream say 405; those that say something else have none either.
                Ok(_) if !stood => return,
                // This one had it: it is not done with the last one yet, or another server has taken its place.
                Ok(_) if self.is_known().await => failures += 1,
                Ok(_) => return self.lost.cancel(),
                Err(failure) => {
                    self.note(&failure);
                    failures += 1;
                }
            }
            drop(live.take());
            sleep(retry.max(Backoff::default().pause(failures))).await;
        }
    }

    /// Whether the server still answers as one that knows the session, as far as that can be found out.
    async fn is_known(self: &Arc<Self>) -> bool {
        let asking = async {
            let seat = self.flight.board(OWN)?;
            let ping = Request::new(seat.request_id(), Method::Ping, Object::new()).encode();
            match self.open(&seat, ping, PUSH).await? {
                Opened::Outcome(outcome) => Ok(outcome.is_ok()),
                Opened::Events(mut events) => loop {
                    if let Message::Response(response) = events.next().await? {
                        return Ok(response.outcome.is_ok());
                    }
                },
            }
        };
        match timeout(PUSH, asking).await {
            Ok(Ok(is_known)) => is_known,
            Ok(Err(failure)) => !matches!(failure, Failure::Refused(_)),
            Err(_) => true,
        }
    }

    async fn read(&self, events: &mut EventStream, last_id: &mut Option<String>, retry: &mut Duration) {
        // Why a stream ended makes no difference: it is opened again.
        while let Ok(Some(event)) = events.next().await {
            let is_message = is_message(&event);
            if event.id.is_some() {
                *last_id = event.id;
            }
            if let Some(millis) = event.retry {
                *retry = Duration::from_millis(millis).clamp(Duration::from_millis(100), RETRY_MAX);
            }
            if !is_message {
                continue;
            }
            let Ok(messages) = messages(event.data, self.endpoint.depth()) else {
                tracing::debug!("an event that is no MCP message was skipped");
                continue;
            };
            let house = self.house.get().and_then(Weak::upgrade);
            for message in messages {
                if let (Some(unclaimed), Some(house)) = (self.flight.route(message), &house) {
                    house.receive(unclaimed);
                }
            }
        }
    }

    /// A server that knows the session no more says 404, or, against the specification, 400 with words to that effect. It
    /// has not looked at the request then; where it has, the answer repeats the request's id, a number.
    fn is_forgotten(&self, answer: &Answer) -> bool {
        let status = answer.status.as_u16();
        if !self.has_id || !matches!(status, 400 | 404) {
            return false;
        }
        let names_request = answer.names_a_request(self.endpoint.depth());
        !names_request && (status == 404 || answer.says(&["session", "not initialized"]))
    }

    /// A server that cannot be reached has to be met anew.
    fn note(&self, failure: &Failure) {
        if failure.did_not_run() {
            self.lost.cancel();
        }
    }

    /// Ends the session at the server, and every call in it.
    pub(crate) async fn close(&self) {
        let known = self.has_id && !self.lost.is_cancelled();
        self.lost.cancel();
        self.flight.end("it was stopped");
        if known && timeout(DELETE, self.endpoint.delete(self.get_headers.clone())).await.is_err() {
            tracing::debug!("the upstream did not confirm the end of the session");
        }
    }
}

/// The messages of an event: one, or a batch of revision 2025-03-26.
fn messages(text: Bytes, depth: usize) -> Result<VecDeque<Message>, Failure> {
    let garbage = || Failure::Garbage("an event is no JSON-RPC message".into());
    if !text.trim_ascii_start().starts_with(b"[") {
        return Message::parse_within(text, depth).map(|message| [message].into()).map_err(|_| garbage());
    }
    let elements = Json::parse_within(text, depth).and_then(|json| json.array()).map_err(|_| garbage())?;
    if elements.len() > BATCH {
        return Err(Failure::Garbage(format!("a batch has more than {BATCH} messages")));
    }
    elements.iter().map(|element| Message::from_json(element).map_err(|_| garbage())).collect()
}

// === impl PostStream ===

impl PostStream {
    fn new(session: &Arc<Session>, events: Box<EventStream>) -> Self {
        Self {
            session: session.clone(),
            state: StreamState::Reading(events),
            batch: VecDeque::new(),
            last_id: None,
            retry: RETRY,
        }
    }

    /// The next message. May be dropped in mid-wait without losing anything.
    pub(crate) async fn next(&mut self) -> Result<Message, Failure> {
        loop {
            if let Some(message) = self.batch.pop_front() {
                return Ok(message);
            }
            let events = match &mut self.state {
                StreamState::Reading(events) => events,
                StreamState::Resuming(resuming) => {
                    let events = resuming.await?;
                    self.state = StreamState::Reading(events);
                    continue;
                }
            };
            let ended = match events.next().await {
                Ok(Some(event)) => {
                    let is_message = is_message(&event);
                    if event.id.is_some() {
                        self.last_id = event.id;
                    }
                    if let Some(millis) = event.retry {
                        self.retry = Duration::from_millis(millis).min(RETRY_MAX);
                    }
                    if !is_message {
                        continue;
                    }
                    self.batch = messages(event.data, self.session.endpoint.depth())?;
                    continue;
                }
                Ok(None) => Failure::Closed("its event stream ended without an answer".into()),
                Err(failure @ Failure::Closed(_)) => failure,
                Err(failure) => return Err(failure),
            };
            let Some(last_id) = self.last_id.clone() else { return Err(ended) };
            self.state = StreamState::Resuming(Box::pin(resume(self.session.clone(), last_id, self.retry)));
        }
    }

    /// The answer was read: lets the connection be used again.
    pub(crate) fn finish(self) {
        if let StreamState::Reading(events) = self.state {
            events.finish();
        }
    }
}

/// Opens a stream again after the event `last_id`. The call's deadline bounds how often this is tried.
async fn resume(session: Arc<Session>, last_id: String, retry: Duration) -> Result<Box<EventStream>, Failure> {
    sleep(retry).await;
    match session.endpoint.get(session.get_headers.clone(), Some(&last_id)).await {
        Ok(Answer { body: Body::Events(events), .. }) => return Ok(events),
        Ok(answer) if session.is_forgotten(&answer) => session.lost.cancel(),
        Ok(_) => {}
        Err(failure) => session.note(&failure),
    }
    // Whatever it was, the request may have run.
    Err(Failure::Closed("its event stream broke off and could not be resumed".into()))
}
