//! One call at a legacy upstream, from the modern request to the modern result.
//!
//! The upstream may ask the client in mid-call. Questions that come close together are collected; then the call ends, as the
//! client sees it, with the questions as its result, and is put aside with its stream open. The client's retry brings the
//! answers, and the call goes on where it stopped.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use toolgate_protocol::meta::{self, Level};
use toolgate_protocol::{
    Json, Message, Method, Notification, Object, OnDrop, Outcome, Request, Response, RpcError, code, refusal,
};

use super::question::{Abilities, Question};
use super::session::{Opened, PostStream};
use super::url::Pages;
use super::{Legacy, Wire, answer, answers, unknown};
use crate::course::{Course, Step};
use crate::error::Failure;
use crate::flight::{Arrival, Seat, Traits};
use crate::modern::cancelled;
use crate::mux::House as _;
use crate::park::{Digest, Parked};
use crate::upstream::{Call, Origin};

/// Pages that one call remembers.
const MOST_PAGES: usize = 64;
/// Questions that come this close together are asked together.
const COLLECT: Duration = Duration::from_millis(20);

/// A call under way. Dropped before its end, it is cancelled upstream.
#[derive(Debug)]
pub(crate) struct LegacyCall {
    link: Arc<Legacy>,
    seat: Seat,
    /// Over HTTP, the stream that answers; `None` on a shared connection.
    stream: Option<PostStream>,
    /// The answer, if it was there at once.
    answer: Option<Outcome>,
    method: Method,
    /// As the client sent them.
    params: Object,
    origin: Origin,
    caller: Caller,
    within: Duration,
    questions: Vec<Question>,
    asked: usize,
    /// When the questions collected so far are asked.
    ask_at: Option<Instant>,
    finished: bool,
    /// The ids of the pages that the client's person was sent to in the course of it.
    sent_to: Vec<Json>,
    /// The pages that the person agreed to visit before it.
    pages: Pages,
    /// What to do where nobody waits for the end any more.
    unwanted: Option<OnDrop>,
}

/// What a modern request says of the client that waits for its answer.
#[derive(Clone, Debug, Default)]
struct Caller {
    token: Option<Json>,
    level: Option<Level>,
    abilities: Abilities,
}

// === impl Caller ===

impl Caller {
    fn of(params: &Object) -> Self {
        let meta = params.child("_meta").unwrap_or_default();
        Self {
            token: meta.get(meta::PROGRESS_TOKEN).cloned(),
            level: meta.string(meta::LOG_LEVEL).and_then(|level| Level::parse(&level)),
            abilities: Abilities::of(&meta),
        }
    }
}

/// What a legacy upstream is sent of a modern request's parameters.
pub(super) fn outward(params: &Object, token: Option<u64>) -> Object {
    let mut params = params.clone();
    params.remove("inputResponses");
    params.remove("requestState");
    // Only the gateway begins tasks here, on behalf of a client or for lack of another way.
    params.remove("task");
    meta::edit(&mut params, |meta| {
        meta.retain(|member| !meta::is_per_hop(member.name()) && member.name() != meta::AS_TASK);
        match token {
            Some(token) => meta.set(meta::PROGRESS_TOKEN, Json::integer(token)),
            None => drop(meta.remove(meta::PROGRESS_TOKEN)),
        }
    });
    params
}

/// Whether the upstream may still be at work on a call that failed so.
fn goes_on_after(failure: &Failure) -> bool {
    matches!(failure, Failure::Timeout(_) | Failure::Garbage(_) | Failure::TooLarge(_))
}

// === impl LegacyCall ===

impl LegacyCall {
    /// Sends the request, or another in its stead; dropped before its end, the call drops what comes with that one.
    pub(super) async fn begin(
        link: &Arc<Legacy>,
        call: Call,
        instead: Option<(Method, Object, OnDrop)>,
        pages: Pages,
        within: Duration,
    ) -> Result<Self, Failure> {
        let Call { method, params, origin, .. } = call;
        let (sent, outgoing, unwanted) = match instead {
            Some((sent, outgoing, unwanted)) => (sent, outgoing, Some(unwanted)),
            None => (method.clone(), params.clone(), None),
        };
        let caller = Caller::of(&params);
        if let Some(level) = caller.level {
            link.raise_level(level).await;
        }
        let traits = Traits {
            asks: method.may_ask() && !origin.is_own(),
            logs: caller.level,
            alone: false,
            own: origin.is_own(),
        };
        let token = |id| caller.token.is_some().then_some(id);
        match &link.wire {
            Wire::Mux(mux) => {
                let seat =
                    mux.call(sent, outgoing, traits, within, |params, id| *params = outward(params, token(id))).await?;
                let mut call = Self::new(link, seat, (method, params, origin), caller, within);
                (call.unwanted, call.pages) = (unwanted, pages);
                Ok(call)
            }
            Wire::Http(session) => {
                let seat = session.flight().board(traits)?;
                let text = Request::new(seat.request_id(), sent, outward(&outgoing, token(seat.id()))).encode();
                let mut call = Self::new(link, seat, (method, params, origin), caller, within);
                (call.unwanted, call.pages) = (unwanted, pages);
                let opened = tokio::select! {
                    biased;
                    () = link.around.stopped.cancelled() => Err(Failure::Stopped),
                    opened = session.open(&call.seat, text, within) => opened,
                };
                match opened {
                    Ok(Opened::Outcome(outcome)) => call.answer = Some(call.end(outcome)),
                    Ok(Opened::Events(stream)) => call.stream = Some(stream),
                    Err(failure) => {
                        call.finished = !goes_on_after(&failure);
                        return Err(failure);
                    }
                }
                Ok(call)
            }
        }
    }

    fn new(
        link: &Arc<Legacy>,
        seat: Seat,
        (method, params, origin): (Method, Object, Origin),
        caller: Caller,
        within: Duration,
    ) -> Self {
        Self {
            link: link.clone(),
            seat,
            stream: None,
            answer: None,
            method,
            params,
            origin,
            caller,
            within,
            questions: Vec::new(),
            asked: 0,
            ask_at: None,
            finished: false,
            sent_to: Vec::new(),
            pages: Pages::default(),
            unwanted: None,
        }
    }

    /// The answer, if it was there at once.
    pub(super) fn take_answer(&mut self) -> Option<Outcome> {
        self.answer.take()
    }

    /// The pages that the person agreed to visit, and whether the upstream still wants them once the call has ended.
    pub(super) fn pages(&self) -> &Pages {
        &self.pages
    }

    /// Whether every question has an answer that can be one.
    pub(super) fn is_answered_by(&self, answers: &Object) -> bool {
        self.questions.iter().all(|question| answers.get(&question.key).is_some_and(Json::is_object))
    }

    /// Goes on after the client has answered: it is the retry's token and log level that count now.
    pub(super) async fn resume(&mut self, retry: &Call, answers: &Object, within: Duration) -> Result<(), Failure> {
        self.caller = Caller::of(&retry.params);
        self.within = within;
        if let Some(level) = self.caller.level {
            self.link.raise_level(level).await;
        }
        for question in std::mem::take(&mut self.questions) {
            let Some(answer) = answers.get(&question.key) else { continue };
            let answer = refusal::read(answer).map_or_else(|| Ok(answer.clone()), Err);
            self.link.deliver(Response::new(question.id, answer).encode()).await?;
        }
        Ok(())
    }

    fn end(&mut self, outcome: Outcome) -> Outcome {
        self.finished = true;
        if let Some(unwanted) = &mut self.unwanted {
            unwanted.disarm();
        }
        let outcome = self.link.judge(&mut self.pages, &self.method, &self.caller.abilities, outcome);
        answer::modernize(&self.method, self.params.get("uri"), outcome)
    }

    /// What arrives next, on the call's own stream or for it on the shared one.
    async fn arrival(&mut self) -> Arrival {
        loop {
            let Some(stream) = &mut self.stream else { return self.seat.next().await };
            let message = tokio::select! {
                biased;
                arrival = self.seat.next() => return arrival,
                message = stream.next() => message,
            };
            match message {
                Err(failure) => return Arrival::Lost(failure),
                Ok(Message::Response(response)) if answers(&response, &self.seat) => {
                    if let Some(stream) = self.stream.take() {
                        stream.finish();
                    }
                    return Arrival::Outcome(response.outcome);
                }
                Ok(Message::Response(_)) => {}
                Ok(Message::Notification(notification)) => match notification.method {
                    Method::ToolsChanged
                    | Method::PromptsChanged
                    | Method::ResourcesChanged
                    | Method::ResourceUpdated => self.link.tell(&notification),
                    Method::ElicitationComplete => {
                        self.link.visited(&notification);
                        return Arrival::Notification(notification);
                    }
                    _ => return Arrival::Notification(notification),
                },
                Ok(Message::Request(request)) => match request.method {
                    Method::Sample | Method::Elicit | Method::RootsList => return Arrival::Question(request),
                    Method::Ping => self.link.receive(Message::Request(request)),
                    _ => self.link.respond(&request, Err(unknown(&request.method))),
                },
            }
        }
    }

    /// The notification as this client wants it, if it does.
    fn translate(&self, mut notification: Notification) -> Option<Notification> {
        match &notification.method {
            Method::Progress => {
                notification.params.set(meta::PROGRESS_TOKEN, self.caller.token.clone()?);
                Some(notification)
            }
            // No client waits for what the gateway asks for itself, but some may want to hear it all the same.
            Method::LogMessage if self.origin.is_own() => {
                self.link.tell(&notification);
                None
            }
            Method::LogMessage => {
                let wanted = self.caller.level?;
                // A level that does not exist is for the client to judge.
                let level = notification.params.string("level").and_then(|level| Level::parse(&level));
                level.is_none_or(|level| level >= wanted).then_some(notification)
            }
            // These are not modern.
            Method::Cancelled | Method::Initialized | Method::RootsChanged | Method::Acknowledged => None,
            Method::ElicitationComplete => {
                let id = notification.params.get("elicitationId")?;
                self.sent_to.contains(id).then_some(notification)
            }
            Method::Other(name) if &**name == "notifications/tasks/status" => None,
            _ => Some(notification),
        }
    }

    fn ask(&mut self, request: Request) {
        let refused = if !self.method.may_ask() {
            Err(RpcError::new(code::METHOD_NOT_FOUND, format!("`{}` asks the client nothing", self.method)))
        } else if self.questions.len() >= self.link.limits.questions {
            Err(RpcError::new(code::INTERNAL_ERROR, "too many questions at a time"))
        } else {
            self.caller.abilities.allow(&request.method, &request.params)
        };
        if let Err(error) = refused {
            return self.link.respond(&request, Err(error));
        }
        self.asked += 1;
        if let Some(id) = request.params.get("elicitationId").filter(|_| self.sent_to.len() < MOST_PAGES) {
            self.sent_to.push(id.clone());
        }
        self.ask_at.get_or_insert_with(|| Instant::now() + COLLECT);
        self.questions.push(Question {
            key: format!("q{}", self.asked),
            id: request.id,
            method: request.method,
            params: request.params,
        });
    }
}

impl Course for LegacyCall {
    async fn step(&mut self) -> Step {
        loop {
            let wait = self.ask_at.map_or(self.within, |at| at.saturating_duration_since(Instant::now()));
            match timeout(wait, self.arrival()).await {
                Err(_) if self.ask_at.take().is_some() => return Step::Ask,
                Err(_) => return Step::Lost(Failure::Timeout(self.within)),
                Ok(Arrival::Notification(notification)) => {
                    if let Some(notification) = self.translate(notification) {
                        return Step::Notification(notification);
                    }
                }
                Ok(Arrival::Question(request)) => self.ask(request),
                Ok(Arrival::Outcome(outcome)) => return Step::Done(self.end(outcome)),
                Ok(Arrival::Lost(failure)) => {
                    self.finished = !goes_on_after(&failure);
                    return Step::Lost(failure);
                }
            }
        }
    }

    fn park(self) -> Outcome {
        let questions =
            self.questions.iter().fold(Object::new(), |all, question| all.with(&question.key, question.embedded()));
        let digest = Digest::of(&self.method, &self.params);
        let (park, caller) = (self.link.park.clone(), self.origin.caller.clone());
        match park.put(self, digest, &caller) {
            Ok(handle) => Ok(Object::new()
                .with("resultType", Json::literal(r#""input_required""#))
                .with("inputRequests", questions.to_json())
                .with("requestState", Json::string(&handle))
                .to_json()),
            Err((call, full)) => {
                call.expire();
                Err(RpcError::new(code::INTERNAL_ERROR, format!("{full}; try again later")))
            }
        }
    }
}

impl Parked for LegacyCall {
    fn expire(self) {
        for question in &self.questions {
            self.link.push(Response::new(question.id.clone(), question.unanswered()).encode());
        }
    }
}

impl Drop for LegacyCall {
    fn drop(&mut self) {
        if self.seat.leave() && !self.finished {
            self.link.push(cancelled(&self.seat));
        }
    }
}
