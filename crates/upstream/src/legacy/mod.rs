//! An upstream of the legacy era, made modern: the core never knows.
//!
//! The link has a handshake and a memory: the capabilities declared to it, the log level set at it, a session. What a modern
//! request says of itself is taken off on the way out; what a modern result must say is put on on the way back; and where the
//! upstream asks in mid-call, the call is put aside and its result is the question (`call.rs`).

mod answer;
mod asking;
mod call;
mod question;
mod roots;
mod session;
mod task;
mod url;
mod visit;

use std::collections::HashSet;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use toolgate_protocol::meta::{self, Level};
use toolgate_protocol::{
    Json, Message, Method, Notification, Object, Outcome, Reply, Request, Response, Revision, RpcError, code,
};

use crate::change::{Change, Teller};
use crate::config::{Limits, Timeouts};
use crate::course::{self, Around};
use crate::era::Peer;
use crate::error::{Failure, neutral};
use crate::flight::{Arrival, Flight, Seat, Traits};
use crate::isolation::Whose;
use crate::mux::{Ask, House, Mux};
use crate::park::{Digest, Park};
use crate::upstream::Call;
use crate::watch::{Status, Wishes};
use asking::Asking;
use question::Abilities;
use session::Opened;
use url::Pages;
use visit::{Visiting, Visits};

pub(crate) use call::LegacyCall;
pub(crate) use roots::Roots;
pub(crate) use session::Session;

/// Many servers ask for roots as soon as they are initialized. That concerns no call, even if one is in flight by then.
const GREETING: Duration = Duration::from_secs(5);
/// A request of the gateway's own.
const OWN: Traits = Traits { asks: false, logs: None, alone: false, own: true };
/// No level was set yet; greater than any.
const UNSET: u8 = u8::MAX;

/// A link to a legacy upstream.
#[derive(Debug)]
pub(crate) struct Legacy {
    wire: Wire,
    peer: Peer,
    teller: Teller,
    park: Arc<Park<LegacyCall>>,
    around: Around,
    timeouts: Timeouts,
    limits: Limits,
    /// The least severe log level set so far.
    level: AtomicU8,
    /// Held while one is being set.
    setting: tokio::sync::Mutex<()>,
    /// Until then, an unaddressed question for roots is taken for a greeting; `None` once there was one.
    greeting: Mutex<Option<Instant>>,
    visits: Visits,
    roots: Arc<Roots>,
    /// What tasks want to know of their clients.
    asking: Asking,
}

/// How a call begins.
enum Started {
    /// With its end, and the pages that it wants to be visited.
    Over(Outcome, Pages),
    Running(Box<LegacyCall>),
}

/// What carries a legacy link.
#[derive(Debug)]
pub(crate) enum Wire {
    /// One connection for all.
    Mux(Arc<Mux>),
    /// A request each, in a session.
    Http(Arc<Session>),
}

/// What is the same for all links of one upstream.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    pub(crate) teller: Teller,
    /// Of the one client whose connection it is.
    pub(crate) roots: Arc<Roots>,
    pub(crate) park: Arc<Park<LegacyCall>>,
    pub(crate) around: Around,
    pub(crate) timeouts: Timeouts,
    pub(crate) limits: Limits,
}

/// The parameters of `initialize`.
pub(crate) fn initialize_params(whose: &Whose) -> Object {
    Object::new()
        .with("protocolVersion", Json::string(Revision::LATEST_LEGACY.as_str()))
        .with("capabilities", roots::capabilities(whose))
        .with(
            "clientInfo",
            Json::literal(concat!(r#"{"name":"toolgate","version":""#, env!("CARGO_PKG_VERSION"), r#""}"#)),
        )
}

// === impl Legacy ===

impl Legacy {
    /// Ends the handshake: from here on the link takes messages.
    pub(crate) async fn settle(wire: Wire, peer: Peer, surroundings: Surroundings) -> Result<Arc<Self>, Failure> {
        let Surroundings { teller, roots, park, around, timeouts, limits } = surroundings;
        let greeting = (!teller.whose().is_one()).then(|| Instant::now() + GREETING);
        let link = Arc::new(Self {
            wire,
            peer,
            teller,
            park,
            around,
            timeouts,
            limits,
            level: AtomicU8::new(UNSET),
            setting: tokio::sync::Mutex::default(),
            greeting: Mutex::new(greeting),
            visits: Visits::default(),
            roots,
            asking: Asking::default(),
        });
        let house = Arc::downgrade(&link);
        let initialized = Notification::new(Method::Initialized, Object::new()).encode();
        match &link.wire {
            Wire::Mux(mux) => {
                mux.settle(house);
                mux.deliver(initialized, timeouts.connect).await?;
            }
            Wire::Http(session) => {
                session.settle(house);
                session.deliver(initialized, timeouts.connect).await?;
                session.listen(&link.around.tasks).await;
            }
        }
        Ok(link)
    }

    /// Ends when the connection or the session has.
    pub(crate) fn lost(&self) -> &CancellationToken {
        match &self.wire {
            Wire::Mux(mux) => mux.closing(),
            Wire::Http(session) => session.lost(),
        }
    }

    /// Why it did, where that is known.
    pub(crate) fn why(&self) -> Option<String> {
        self.flight().over()
    }

    /// Ends the link.
    pub(crate) async fn close(&self) {
        match &self.wire {
            Wire::Mux(mux) => mux.close("it was stopped"),
            Wire::Http(session) => session.close().await,
        }
    }

    /// Runs a call, or the rest of one that was put aside.
    pub(crate) async fn call(
        self: &Arc<Self>,
        call: Call,
        within: Duration,
        permit: OwnedSemaphorePermit,
    ) -> Result<Reply, Failure> {
        if call.method.may_ask()
            && let Some(state) = call.params.string("requestState")
        {
            let Some(pages) = Pages::read(&state) else { return self.resume(&call, within, permit).await };
            return match pages.answered(&call, self.limits.parked_for) {
                Err(outcome) => Ok(Reply::done(outcome)),
                Ok(pages) => course::run(Visiting::new(self, call, pages, within), &self.around, permit).await,
            };
        }
        if let Some(wish) = task::Wish::of(&call.method) {
            return Box::pin(task::fulfil(self, wish, call, within, permit)).await;
        }
        match self.start(call, Pages::default(), within).await? {
            Started::Over(outcome, _) => Ok(Reply::done(outcome)),
            Started::Running(course) => course::run(*course, &self.around, permit).await,
        }
    }

    /// Begins a call, as a task if it must be one. `pages` are what its person agreed to visit.
    async fn start(self: &Arc<Self>, call: Call, mut pages: Pages, within: Duration) -> Result<Started, Failure> {
        let instead = match task::is_wanted(&call) && self.peer.can(&["tasks", "requests", "tools", "call"]) {
            false => None,
            true if meta::declares(&call.params, meta::TASKS) => {
                let outcome = task::hand_out(self, &call, within).await?;
                return Ok(Started::Over(self.judge_begun(&mut pages, &call, outcome), pages));
            }
            true => match Box::pin(task::begin(self, &call, within)).await? {
                task::Begun::Answered(outcome) => {
                    let outcome = self.judge_begun(&mut pages, &call, outcome);
                    return Ok(Started::Over(answer::modernize(&call.method, None, outcome), pages));
                }
                task::Begun::Task(method, params, unwanted) => Some((method, params, unwanted)),
            },
        };
        let mut course = Box::new(LegacyCall::begin(self, call, instead, pages, within).await?);
        Ok(match course.take_answer() {
            Some(outcome) => Started::Over(outcome, course.pages().clone()),
            None => Started::Running(course),
        })
    }

    /// The outcome of a call that ended as soon as it was to begin.
    fn judge_begun(&self, pages: &mut Pages, call: &Call, outcome: Outcome) -> Outcome {
        let abilities = Abilities::of(&call.params.child("_meta").unwrap_or_default());
        self.judge(pages, &call.method, &abilities, outcome)
    }

    fn judge(&self, pages: &mut Pages, method: &Method, abilities: &Abilities, outcome: Outcome) -> Outcome {
        pages.judge(method, abilities, self.limits.questions, &self.visits, outcome)
    }

    async fn resume(&self, call: &Call, within: Duration, permit: OwnedSemaphorePermit) -> Result<Reply, Failure> {
        let handle = call.params.string("requestState").unwrap_or_default();
        let Some(mut parked) = self.park.take(&handle, Digest::of(&call.method, &call.params)) else {
            let text = "`requestState` is unknown, expired, already used, or belongs to another request; send the request anew without it";
            return Ok(Reply::done(Err(RpcError::new(code::INVALID_PARAMS, text))));
        };
        let answers = call.params.child("inputResponses").unwrap_or_default();
        if !parked.is_answered_by(&answers) {
            return Ok(Reply::done(course::Course::park(parked)));
        }
        parked.resume(call, &answers, within).await.map_err(|failure| match failure {
            // The call began long ago: it must not look as if it could be sent again.
            failure if failure.did_not_run() => Failure::Closed(failure.to_string()),
            failure => failure,
        })?;
        course::run(parked, &self.around, permit).await
    }

    /// Makes the upstream log at least from `wanted` on. A failure is not worth failing a call for.
    async fn raise_level(&self, wanted: Level) {
        if self.level.load(Ordering::Relaxed) <= wanted as u8 || !self.peer.can(&["logging"]) {
            return;
        }
        let _one_at_a_time = self.setting.lock().await;
        if self.level.load(Ordering::Relaxed) <= wanted as u8 {
            return;
        }
        let params = Object::new().with("level", Json::string(wanted.as_str()));
        if self.ask(Method::SetLevel, params, self.timeouts.probe).await.is_err() {
            tracing::debug!(upstream = %self.around.upstream, "the upstream did not accept a log level");
        }
        self.level.store(wanted as u8, Ordering::Relaxed);
    }

    /// Sends a request of our own and waits for its outcome.
    pub(crate) async fn ask(&self, method: Method, params: Object, within: Duration) -> Result<Json, Ask> {
        match &self.wire {
            Wire::Mux(mux) => mux.ask(method, params, OWN, within).await,
            Wire::Http(session) => {
                let asking = async {
                    let seat = session.flight().board(OWN).map_err(Ask::Failed)?;
                    let text = Request::new(seat.request_id(), method, params).encode();
                    match session.open(&seat, text, within).await.map_err(Ask::Failed)? {
                        Opened::Outcome(outcome) => outcome.map_err(Ask::Error),
                        Opened::Events(mut events) => loop {
                            match events.next().await.map_err(Ask::Failed)? {
                                Message::Response(response) if answers(&response, &seat) => {
                                    break response.outcome.map_err(Ask::Error);
                                }
                                Message::Response(_) => {}
                                other => self.receive(other),
                            }
                        },
                    }
                };
                timeout(within, asking).await.unwrap_or(Err(Ask::Failed(Failure::Timeout(within))))
            }
        }
    }

    /// Whether it answers at all, be it with an error, within this time.
    pub(crate) async fn answers(&self, within: Duration) -> bool {
        !matches!(self.ask(Method::Ping, Object::new(), within).await, Err(Ask::Failed(Failure::Timeout(_))))
    }

    /// Keeps the upstream subscribed to what is wished for. Runs until dropped. Where there was a connection before, what was
    /// wished for may have changed since.
    pub(crate) async fn keep_subscribed(self: Arc<Self>, wishes: Arc<Wishes>, is_later: bool) {
        let mut changes = wishes.changes();
        let mut subscribed: HashSet<Arc<str>> = HashSet::new();
        let mut missed = if is_later { wishes.wanted() } else { Vec::new() };
        loop {
            changes.mark_unchanged();
            let wanted = wishes.wanted();
            for uri in &wanted {
                // One that was given up and wished for again meanwhile is a new wish.
                let status = if subscribed.contains(uri) {
                    Status::Live
                } else {
                    match self.subscribe(Method::Subscribe, uri).await {
                        Ok(()) => {
                            subscribed.insert(uri.clone());
                            Status::Live
                        }
                        Err(error) => Status::Refused(error),
                    }
                };
                wishes.settle(uri, status);
            }
            for uri in missed.drain(..).filter(|uri| subscribed.contains(uri)) {
                let params = Object::new().with("uri", Json::string(&uri));
                self.teller.tell(Change::ResourceUpdated { uri: uri.to_string(), params });
            }
            let unwanted: Vec<_> =
                subscribed.iter().filter(|uri| wanted.binary_search(uri).is_err()).cloned().collect();
            for uri in unwanted {
                if self.subscribe(Method::Unsubscribe, &uri).await.is_err() {
                    tracing::debug!(upstream = %self.around.upstream, "the upstream did not accept an unsubscription");
                }
                subscribed.remove(&uri);
            }
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    async fn subscribe(&self, method: Method, uri: &str) -> Result<(), RpcError> {
        if !self.peer.can(&["resources", "subscribe"]) {
            return Err(RpcError::new(code::METHOD_NOT_FOUND, "the upstream offers no resource subscriptions"));
        }
        let params = Object::new().with("uri", Json::string(uri));
        match self.ask(method, params, self.timeouts.list).await {
            Ok(_) => Ok(()),
            Err(Ask::Error(error)) => Err(error),
            Err(Ask::Failed(failure)) => Err(failure.to_rpc(&self.around.upstream)),
        }
    }

    fn flight(&self) -> &Arc<Flight> {
        match &self.wire {
            Wire::Mux(mux) => mux.flight(),
            Wire::Http(session) => session.flight(),
        }
    }

    /// Sends a message that nobody waits for.
    fn push(&self, text: Bytes) {
        match &self.wire {
            Wire::Mux(mux) => mux.push(text),
            Wire::Http(session) => session.push(text, &self.around.tasks),
        }
    }

    /// Sends a message that must arrive.
    async fn deliver(&self, text: Bytes) -> Result<(), Failure> {
        match &self.wire {
            Wire::Mux(mux) => mux.deliver(text, self.timeouts.call).await,
            Wire::Http(session) => session.deliver(text, self.timeouts.call).await,
        }
    }

    fn respond(&self, request: &Request, outcome: Outcome) {
        self.push(Response::new(request.id.clone(), outcome).encode());
    }

    fn tell(&self, notification: &Notification) {
        if !self.teller.pass_on(notification) {
            tracing::debug!(upstream = %self.around.upstream, method = %neutral(notification.method.as_str(), 60), "a notification was dropped");
        }
    }
}

impl House for Legacy {
    /// Takes what names no call: on a shared connection, or on the session's own stream.
    fn receive(&self, message: Message) {
        match message {
            Message::Request(request) => self.unaddressed_request(request),
            // It names no call, but the call that asked knows the id.
            Message::Notification(notification) if notification.method == Method::ElicitationComplete => {
                self.visited(&notification);
                self.flight().offer_all(&notification, |traits| traits.asks);
            }
            Message::Notification(notification) => {
                // A log message names no call. It is some client's only if there is only the one.
                if notification.method == Method::LogMessage && self.flight().of_clients() == 1 {
                    if let Err(Arrival::Notification(unclaimed)) =
                        self.flight().offer(Arrival::Notification(notification), |traits| !traits.own)
                    {
                        self.tell(&unclaimed);
                    }
                    return;
                }
                self.tell(&notification);
            }
            Message::Response(_) => {}
        }
    }
}

impl Legacy {
    fn unaddressed_request(&self, request: Request) {
        match request.method {
            Method::Ping => self.respond(&request, Ok(Object::new().to_json())),
            Method::RootsList if self.is_greeting() => self.respond(&request, self.roots.answer()),
            Method::Sample | Method::Elicit | Method::RootsList => match self.flight().askable() {
                1 => {
                    if let Err(Arrival::Question(request)) =
                        self.flight().offer(Arrival::Question(request), |traits| traits.asks)
                    {
                        self.respond(
                            &request,
                            Err(RpcError::new(code::INTERNAL_ERROR, "the call in flight takes no more questions")),
                        );
                    }
                }
                0 if request.method == Method::RootsList => self.respond(&request, self.roots.answer()),
                _ if request.method == Method::RootsList && self.roots.are_known() => {
                    self.respond(&request, self.roots.answer())
                }
                0 => self.respond(
                    &request,
                    Err(RpcError::new(code::METHOD_NOT_FOUND, "no call is in flight whose client could be asked")),
                ),
                _ => {
                    let text = "several calls are in flight, and nothing tells which client this is for; `isolation: call` would give each a connection of its own";
                    self.respond(&request, Err(RpcError::new(code::INTERNAL_ERROR, text)));
                }
            },
            _ => self.respond(&request, Err(unknown(&request.method))),
        }
    }
}

impl Legacy {
    /// The upstream says that a page was visited.
    fn visited(&self, notification: &Notification) {
        if let Some(id) = notification.params.get("elicitationId") {
            self.visits.complete(id);
            // The call in which a client was sent there may have ended meanwhile.
            self.tell(notification);
        }
    }

    /// The roots of the one client whose connection it is have changed.
    pub(crate) fn roots_changed(&self) {
        self.push(Notification::new(Method::RootsChanged, Object::new()).encode());
    }

    fn is_greeting(&self) -> bool {
        let until = self.greeting.lock().unwrap_or_else(PoisonError::into_inner).take();
        until.is_some_and(|until| Instant::now() < until)
    }
}

fn unknown(method: &Method) -> RpcError {
    RpcError::new(code::METHOD_NOT_FOUND, format!("clients have no method `{}`", neutral(method.as_str(), 60)))
}

/// Whether `response` answers the call in `seat`. An error without id on the call's own stream can be about nothing else.
fn answers(response: &Response, seat: &Seat) -> bool {
    response.id.as_ref().map_or(response.outcome.is_err(), |id| id.as_u64() == Some(seat.id()))
}
