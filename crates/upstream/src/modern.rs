//! An upstream of the modern era: requests go out nearly as they came.
//!
//! Over HTTP each call has a connection of its own for as long as it lasts, so not even progress tokens are touched. Over
//! stdio all calls share one connection, and tokens are made unique on it and restored on the way back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use toolgate_protocol::meta::{self, Level};
use toolgate_protocol::{
    Id, Json, Message, Method, Notification, Object, Outcome, Reply, Request, Response, Revision, RpcError, code,
    header, refusal,
};

use crate::change::Teller;
use crate::course::{self, Around, Course, Step};
use crate::error::Failure;
use crate::flight::{Arrival, Seat, Traits};
use crate::http::{Answer, Body, Endpoint, EventStream, REVISION, is_message};
use crate::listen::Listening;
use crate::mux::{Ask, House, Mux};
use crate::upstream::Call;

const METHOD: HeaderName = HeaderName::from_static(header::METHOD);
const NAME: HeaderName = HeaderName::from_static(header::NAME);

/// A link to a modern upstream.
#[derive(Debug)]
pub(crate) struct Modern {
    wire: Wire,
    teller: Teller,
}

#[derive(Debug)]
enum Wire {
    Http(Box<ModernHttp>),
    Mux(Arc<Mux>),
}

/// Modern requests to one URL.
#[derive(Debug)]
pub(crate) struct ModernHttp {
    endpoint: Endpoint,
    headers: HeaderMap,
    next: AtomicU64,
    /// Cancelled once the URL stopped answering like a modern server.
    lost: CancellationToken,
}

/// The `_meta` of a request that the gateway makes on its own behalf.
pub fn own_meta(revision: Revision) -> Object {
    Object::new()
        .with(meta::REVISION, Json::string(revision.as_str()))
        .with(meta::CAPABILITIES, Json::literal("{}"))
        .with(
            meta::CLIENT_INFO,
            Json::literal(concat!(r#"{"name":"toolgate","version":""#, env!("CARGO_PKG_VERSION"), r#""}"#)),
        )
}

// === impl Modern ===

impl Modern {
    pub(crate) fn over_http(http: ModernHttp, teller: Teller) -> Arc<Self> {
        Arc::new(Self { wire: Wire::Http(Box::new(http)), teller })
    }

    pub(crate) fn over_mux(mux: Arc<Mux>, teller: Teller) -> Arc<Self> {
        let link = Arc::new(Self { wire: Wire::Mux(mux.clone()), teller });
        let weak = Arc::downgrade(&link);
        mux.settle(weak);
        link
    }

    /// Ends when the upstream is not what it was any more.
    pub(crate) fn lost(&self) -> &CancellationToken {
        match &self.wire {
            Wire::Http(http) => &http.lost,
            Wire::Mux(mux) => mux.closing(),
        }
    }

    /// Why it did, where that is known.
    pub(crate) fn why(&self) -> Option<String> {
        match &self.wire {
            Wire::Http(_) => None,
            Wire::Mux(mux) => mux.flight().over(),
        }
    }

    pub(crate) fn close(&self) {
        match &self.wire {
            Wire::Http(http) => http.lost.cancel(),
            Wire::Mux(mux) => mux.close("it was stopped"),
        }
    }

    /// Runs a call.
    pub(crate) async fn call(
        &self,
        call: Call,
        within: Duration,
        around: &Around,
        permit: OwnedSemaphorePermit,
    ) -> Result<Reply, Failure> {
        let Call { method, params, param_headers, .. } = call;
        // This era has no place for a refusal: the call ends with it.
        if let Some(refused) = refusal::among(&params) {
            return Ok(Reply::done(Err(refused)));
        }
        match &self.wire {
            Wire::Http(http) => http.call(method, params, &param_headers, within, around, permit).await,
            Wire::Mux(mux) => {
                let course = mux_course(mux, method, params, within).await?;
                course::run(course, around, permit).await
            }
        }
    }

    /// Whether it answers at all, be it with an error, within this time.
    pub(crate) async fn answers(&self, within: Duration) -> bool {
        let params = Object::new().with("_meta", own_meta(Revision::LATEST_MODERN).to_json());
        let failure = match &self.wire {
            Wire::Http(http) => http.post(&Method::Discover, params, &[], within).await.err(),
            Wire::Mux(mux) => match mux.ask(Method::Discover, params, Traits::default(), within).await {
                Err(Ask::Failed(failure)) => Some(failure),
                _ => None,
            },
        };
        !matches!(failure, Some(Failure::Timeout(_)))
    }

    /// Ends the link where it is no modern server that answers any more.
    pub(crate) async fn recheck(&self, within: Duration) {
        let Wire::Http(http) = &self.wire else { return };
        let params = Object::new().with("_meta", own_meta(Revision::LATEST_MODERN).to_json());
        let answered = http.post(&Method::Discover, params, &[], within).await;
        if let Ok((_, Posted::Outcome(Err(error)))) = answered
            && !is_modern(&error)
        {
            http.lost.cancel();
        }
    }

    /// Opens `subscriptions/listen`. The stream's first message should be the acknowledgement.
    pub(crate) async fn listen(&self, params: Object, within: Duration) -> Result<Listening, Failure> {
        match &self.wire {
            Wire::Mux(mux) => {
                let seat = mux.call(Method::Listen, params, Traits::default(), within, |_, _| {}).await?;
                Ok(Listening::Mux { seat, mux: mux.clone() })
            }
            Wire::Http(http) => {
                let (id, posted) = http.post(&Method::Listen, params, &[], within).await?;
                match posted {
                    Posted::Outcome(outcome) => Ok(Listening::Answered(Some(outcome))),
                    Posted::Events(events) => Ok(Listening::Http { id, events, depth: http.endpoint.depth() }),
                }
            }
        }
    }
}

impl House for Modern {
    fn receive(&self, message: Message) {
        match message {
            // Modern servers ask nothing; answering keeps one that does from waiting for ever.
            Message::Request(request) => {
                let outcome = match request.method {
                    Method::Ping => Ok(Object::new().to_json()),
                    other => Err(RpcError::new(
                        code::METHOD_NOT_FOUND,
                        format!("a modern server may not request `{}`", crate::error::neutral(other.as_str(), 60)),
                    )),
                };
                if let Wire::Mux(mux) = &self.wire {
                    mux.push(Response::new(request.id, outcome).encode());
                }
            }
            Message::Notification(notification) => self.unaddressed(notification),
            Message::Response(_) => {}
        }
    }
}

impl Modern {
    fn unaddressed(&self, notification: Notification) {
        let unclaimed = match (&notification.method, &self.wire) {
            // A log message names no call. Only calls that want some cause any.
            (Method::LogMessage, Wire::Mux(mux)) => {
                match mux.flight().offer(Arrival::Notification(notification), |traits| traits.logs.is_some()) {
                    Err(Arrival::Notification(notification)) => notification,
                    _ => return,
                }
            }
            _ => notification,
        };
        if !self.teller.pass_on(&unclaimed) {
            tracing::debug!(method = %crate::error::neutral(unclaimed.method.as_str(), 60), "a notification was dropped");
        }
    }
}

// === impl ModernHttp ===

enum Posted {
    Outcome(Outcome),
    Events(Box<EventStream>),
}

impl ModernHttp {
    pub(crate) fn new(endpoint: Endpoint, revision: Revision) -> Self {
        let mut headers = endpoint.post_headers();
        headers.insert(REVISION, HeaderValue::from_static(revision.as_str()));
        Self { endpoint, headers, next: AtomicU64::new(1), lost: CancellationToken::new() }
    }

    /// A request as it is to be sent: its id, its text and its headers.
    pub(crate) fn prepare(
        &self,
        method: &Method,
        params: Object,
        param_headers: &[(String, String)],
    ) -> Result<(u64, Bytes, HeaderMap), Failure> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut headers = self.headers.clone();
        headers.insert(METHOD, value(method.as_str())?);
        if let Some(name) = method.named_by().and_then(|member| params.string(member)) {
            headers.insert(NAME, value(&header::encode(&name))?);
        }
        for (suffix, argument) in param_headers {
            let name = HeaderName::from_bytes(format!("{}{suffix}", header::PARAM_PREFIX).as_bytes())
                .map_err(|_| Failure::Refused("an annotated argument cannot be repeated in a header".into()))?;
            headers.insert(name, value(&header::encode(argument))?);
        }
        Ok((id, Request::new(Id::number(id), method.clone(), params).encode(), headers))
    }

    /// Sends one request and returns what came back, unjudged, with the request's id.
    pub(crate) async fn send(
        &self,
        method: &Method,
        params: Object,
        param_headers: &[(String, String)],
    ) -> Result<(u64, Answer), Failure> {
        let (id, text, headers) = self.prepare(method, params, param_headers)?;
        Ok((id, self.endpoint.post(text, headers).await?))
    }

    /// Carries a prepared request that is no listen, up to its outcome or to the first event before that.
    pub(crate) async fn carry(
        &self,
        (id, text, headers): (u64, Bytes, HeaderMap),
        within: Duration,
        around: &Around,
        permit: OwnedSemaphorePermit,
    ) -> Result<Reply, Failure> {
        let posted = async {
            let answer = timeout(within, self.endpoint.post(text, headers)).await;
            self.judge(id, answer.unwrap_or(Err(Failure::Timeout(within)))?, false)
        };
        let posted = tokio::select! {
            biased;
            () = around.stopped.cancelled() => return Err(Failure::Stopped),
            posted = posted => posted?,
        };
        match posted {
            Posted::Outcome(outcome) => Ok(Reply::done(outcome)),
            Posted::Events(events) => {
                let course = HttpCourse { id, events: Some(events), depth: self.endpoint.depth(), within };
                course::run(course, around, permit).await
            }
        }
    }

    /// How deep messages may nest.
    pub(crate) fn depth(&self) -> usize {
        self.endpoint.depth()
    }

    async fn post(
        &self,
        method: &Method,
        params: Object,
        param_headers: &[(String, String)],
        within: Duration,
    ) -> Result<(u64, Posted), Failure> {
        let sent =
            timeout(within, self.send(method, params, param_headers)).await.unwrap_or(Err(Failure::Timeout(within)));
        let (id, answer) = sent.inspect_err(|failure| {
            if failure.did_not_run() {
                self.lost.cancel();
            }
        })?;
        Ok((id, self.judge(id, answer, *method == Method::Listen)?))
    }

    fn judge(&self, id: u64, answer: Answer, is_listen: bool) -> Result<Posted, Failure> {
        if let Body::Events(events) = answer.body {
            return Ok(Posted::Events(events));
        }
        let outcome = answer.outcome(id, self.endpoint.depth());
        match (outcome, answer.status.as_u16()) {
            // A server of the other era has taken its place: this one would know whose request it is.
            (Some(Err(error)), 400 | 404) if !answer.names_a_request(self.endpoint.depth()) && !is_modern(&error) => {
                self.lost.cancel();
                Err(Failure::NotTaken("it does not speak the revision any more that it did".into()))
            }
            (Some(outcome), status) if !matches!(status, 300..=399 | 401 | 403) => Ok(Posted::Outcome(outcome)),
            (_, 200..300) if matches!(answer.body, Body::Json(_)) => {
                Err(Failure::Garbage("its JSON is no answer to the request".into()))
            }
            (_, status) => {
                // Something else answers here now. Servers without listen say so in many ways.
                if matches!(status, 400 | 404 | 405) && !is_listen {
                    self.lost.cancel();
                }
                Err(answer.refusal())
            }
        }
    }

    async fn call(
        &self,
        method: Method,
        params: Object,
        param_headers: &[(String, String)],
        within: Duration,
        around: &Around,
        permit: OwnedSemaphorePermit,
    ) -> Result<Reply, Failure> {
        let posted = tokio::select! {
            biased;
            () = around.stopped.cancelled() => return Err(Failure::Stopped),
            posted = self.post(&method, params, param_headers, within) => posted?,
        };
        match posted {
            (_, Posted::Outcome(outcome)) => Ok(Reply::done(outcome)),
            (id, Posted::Events(events)) => {
                let course = HttpCourse { id, events: Some(events), depth: self.endpoint.depth(), within };
                course::run(course, around, permit).await
            }
        }
    }
}

/// Whether only a modern server has such an error.
fn is_modern(error: &RpcError) -> bool {
    matches!(error.code, code::HEADER_MISMATCH | code::MISSING_CAPABILITY | code::UNSUPPORTED_REVISION)
}

fn value(text: &str) -> Result<HeaderValue, Failure> {
    HeaderValue::from_str(text).map_err(|_| Failure::Refused("the method cannot be repeated in a header".into()))
}

// === impl HttpCourse ===

/// A call whose answer comes as events. Dropping it closes the connection, which is how a modern call is cancelled.
struct HttpCourse {
    id: u64,
    /// `None` once the outcome was read.
    events: Option<Box<EventStream>>,
    depth: usize,
    within: Duration,
}

impl Course for HttpCourse {
    async fn step(&mut self) -> Step {
        let Some(events) = &mut self.events else {
            return Step::Lost(Failure::Closed("the answer was already taken".into()));
        };
        let message = match timeout(self.within, next_message(events, self.depth)).await {
            Err(_) => return Step::Lost(Failure::Timeout(self.within)),
            Ok(Err(failure)) => return Step::Lost(failure),
            Ok(Ok(message)) => message,
        };
        match message {
            Message::Notification(notification) => Step::Notification(notification),
            Message::Response(response) if response.id.as_ref().is_none_or(|id| id.as_u64() == Some(self.id)) => {
                if let Some(events) = self.events.take() {
                    events.finish();
                }
                Step::Done(response.outcome)
            }
            Message::Response(_) | Message::Request(_) => {
                Step::Lost(Failure::Garbage("its event stream holds what belongs to no answer".into()))
            }
        }
    }

    fn park(self) -> Outcome {
        unasked()
    }
}

/// Modern upstreams put their questions into the result, so their calls never stop to ask.
fn unasked() -> Outcome {
    Err(RpcError::new(code::INTERNAL_ERROR, "a modern upstream asked in mid-call"))
}

/// The next message of a stream; a stream that ends has broken off.
pub(crate) async fn next_message(events: &mut EventStream, depth: usize) -> Result<Message, Failure> {
    loop {
        match events.next().await? {
            None => return Err(Failure::Closed("its event stream ended without an answer".into())),
            Some(event) if !is_message(&event) => {}
            Some(event) => {
                return Message::parse_within(event.data, depth)
                    .map_err(|_| Failure::Garbage("an event is no JSON-RPC message".into()));
            }
        }
    }
}

// === impl MuxCourse ===

/// A call on a shared connection.
struct MuxCourse {
    seat: Seat,
    mux: Arc<Mux>,
    token: Option<Json>,
    within: Duration,
}

async fn mux_course(mux: &Arc<Mux>, method: Method, params: Object, within: Duration) -> Result<MuxCourse, Failure> {
    let meta = params.child("_meta").unwrap_or_default();
    let token = meta.get(meta::PROGRESS_TOKEN).cloned();
    let logs = meta.string(meta::LOG_LEVEL).and_then(|level| Level::parse(&level));
    let traits = Traits { asks: false, logs, alone: false, own: false };
    let retoken = token.is_some();
    let seat = mux
        .call(method, params, traits, within, |params, id| {
            if retoken {
                meta::edit(params, |meta| meta.set(meta::PROGRESS_TOKEN, Json::integer(id)));
            }
        })
        .await?;
    Ok(MuxCourse { seat, mux: mux.clone(), token, within })
}

impl Course for MuxCourse {
    async fn step(&mut self) -> Step {
        loop {
            let arrival = match timeout(self.within, self.seat.next()).await {
                Err(_) => return Step::Lost(Failure::Timeout(self.within)),
                Ok(arrival) => arrival,
            };
            match arrival {
                Arrival::Outcome(outcome) => return Step::Done(outcome),
                Arrival::Lost(failure) => return Step::Lost(failure),
                Arrival::Notification(mut notification) => match (&notification.method, &self.token) {
                    (Method::Progress, Some(token)) => {
                        notification.params.set(meta::PROGRESS_TOKEN, token.clone());
                        return Step::Notification(notification);
                    }
                    (Method::Progress | Method::Cancelled, _) => {}
                    _ => return Step::Notification(notification),
                },
                Arrival::Question(_) => {}
            }
        }
    }

    fn park(self) -> Outcome {
        unasked()
    }
}

impl Drop for MuxCourse {
    fn drop(&mut self) {
        if self.seat.leave() {
            self.mux.push(cancelled(&self.seat));
        }
    }
}

/// Tells the upstream that nobody waits for the call any more.
pub(crate) fn cancelled(seat: &Seat) -> bytes::Bytes {
    let params = Object::new()
        .with("requestId", seat.request_id().json().clone())
        .with("reason", Json::literal(r#""nobody waits for the answer any more""#));
    Notification::new(Method::Cancelled, params).encode()
}
