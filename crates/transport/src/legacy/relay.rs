//! What a legacy client sends once its session is open, one message at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use toolgate_gateway::Request;
use toolgate_protocol::message::{Request as RpcRequest, Response};
use toolgate_protocol::meta::{self, Level};
use toolgate_protocol::{
    Event, Id, Json, Message, Method, Notification, Object, OnDrop, Outcome, Reply, RpcError, code, refusal,
};

use super::result::as_legacy_result;
use super::session::{Out, Outlet, Session};
use crate::modern;

/// How often one call may come back with questions.
const MAX_ROUNDS: usize = 10;
/// Before a call is sent again that came back without any; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

impl Session {
    /// Takes one message. A request is answered through `outlet`, along with everything that belongs to it; the future ends
    /// when it is. The client's disappearance does not end it: a legacy call goes on until it is cancelled in words.
    pub(crate) async fn accept(self: &Arc<Self>, message: Message, outlet: &Outlet) {
        self.touch();
        match message {
            Message::Request(request) => self.serve(request, outlet).await,
            Message::Notification(notification) => self.notified(&notification),
            Message::Response(response) => {
                if let Some(id) = response.id {
                    self.answered(&id, response.outcome);
                }
            }
        }
    }

    async fn serve(self: &Arc<Self>, request: RpcRequest, outlet: &Outlet) {
        let id = request.id.clone();
        let Some(cancelled) = self.begin(&id) else {
            let error = RpcError::new(code::INVALID_REQUEST, format!("the request id {id} is already in use"));
            let _ = outlet.send(Out::Response(Response::new(id, Err(error)).encode())).await;
            return;
        };
        tokio::select! {
            outcome = self.answer(request, outlet) => {
                // The id is free before the client can have read the answer.
                self.end(&id);
                let _ = outlet.send(Out::Response(Response::new(id, outcome).encode())).await;
            }
            // Nothing more is said of a cancelled request (`basic/utilities/cancellation`).
            _ = cancelled => {}
        }
        self.touch();
    }

    async fn answer(self: &Arc<Self>, request: RpcRequest, outlet: &Outlet) -> Outcome {
        match request.method {
            Method::Ping => Ok(Json::literal("{}")),
            Method::SetLevel => {
                let level = request.params.string("level").and_then(|level| Level::parse(&level));
                self.set_level(level.ok_or_else(|| {
                    RpcError::new(code::INVALID_PARAMS, "`level` must be one of the eight log levels")
                })?);
                Ok(Json::literal("{}"))
            }
            Method::Subscribe => self.subscribe(&request.params).await,
            Method::Unsubscribe => {
                self.unwatch(&uri(&request.params)?);
                Ok(Json::literal("{}"))
            }
            Method::TasksGet | Method::TasksCancel | Method::TasksList | Method::TasksResult => {
                self.serve_task(request, outlet).await
            }
            Method::Initialize => Err(RpcError::new(code::INVALID_REQUEST, "this session is already initialized")),
            // What only the modern era has does not exist here.
            Method::Discover | Method::Listen | Method::TasksUpdate => {
                Err(RpcError::new(code::METHOD_NOT_FOUND, format!("method not found: {}", request.method)))
            }
            _ => self.relay(request, outlet).await,
        }
    }

    /// Carries a request through the gateway, in as many rounds as it has questions.
    async fn relay(self: &Arc<Self>, request: RpcRequest, outlet: &Outlet) -> Outcome {
        let RpcRequest { id, method, mut params, .. } = request;
        let wish = self.tasks.take_wish(&method, &mut params);
        self.stamp(&mut params);
        if let Some(wish) = &wish {
            meta::edit(&mut params, |meta| meta.set(meta::AS_TASK, wish.clone()));
        }
        let (mut rounds, mut patience, mut pages) = (0, Patience::new(self.gateway.answer_wait()), Vec::new());
        while rounds < MAX_ROUNDS {
            patience.begin();
            let request =
                Request { id: id.json().clone(), method: method.clone(), params: params.clone(), param_headers: None };
            let reply = self.gateway.handle(&self.presented, request).await;
            let result = match self.pass_on(reply, outlet).await {
                Ok(result) => result,
                Err(error) if refusal::among(&params).as_ref() == Some(&error) => return refused(&method, error),
                Err(error) => return Err(as_legacy_error(&method, error)),
            };
            let Ok(mut object) = result.object() else { return Ok(result) };
            let asks =
                method.may_ask() && object.get("resultType").is_some_and(|kind| kind.as_str() == "\"input_required\"");
            if wish.is_some() && !asks {
                self.close_pages(pages, outlet).await;
                return Ok(self.as_task(object));
            }
            if method == Method::ToolsCall && object.get("resultType").is_some_and(|kind| kind.as_str() == "\"task\"") {
                let driven = self.drive(id.json(), &params, &object, outlet, &mut pages).await;
                let result = driven.map_err(|error| as_legacy_error(&method, error))?;
                self.close_pages(pages, outlet).await;
                return Ok(result.object().map_or(result, |object| as_legacy_result(&method, object)));
            }
            if !asks {
                self.close_pages(pages, outlet).await;
                return Ok(as_legacy_result(&method, object));
            }
            params.remove("inputResponses");
            params.remove("requestState");
            if let Some(state) = object.remove("requestState") {
                params.set("requestState", state);
                // Nothing is asked: whoever answers wants to be asked again later.
                if object.child("inputRequests").is_none_or(|questions| questions.is_empty()) {
                    if patience.is_over() {
                        return refused(&method, patience.error());
                    }
                    patience.pause().await;
                    continue;
                }
            }
            rounds += 1;
            let mut abandoned = self.abandoning(&method, &params);
            let responses = match self.ask_all(&object, outlet, &mut pages).await {
                Ok(responses) => responses,
                Err(error) => return refused(&method, error),
            };
            abandoned.disarm();
            params.set("inputResponses", responses.to_json());
            patience = Patience::new(self.gateway.answer_wait());
        }
        let asked_too_often = format!("the server asked more than {MAX_ROUNDS} times");
        refused(&method, RpcError::new(code::INTERNAL_ERROR, asked_too_often))
    }

    /// Tells the client that the pages are done with to which it was sent under ids of ours. A modern upstream says so with
    /// its result, and an id that stays open keeps a dialog open.
    pub(super) async fn close_pages(&self, pages: Vec<Json>, outlet: &Outlet) {
        for id in pages {
            self.forget_page(&id);
            let visited = Notification::new(Method::ElicitationComplete, Object::new().with("elicitationId", id));
            let _ = outlet.send(Out::Message(visited.encode())).await;
        }
    }

    /// While it is held, a call waits for the client. Dropped, it tells the upstream that nobody will come back: the client
    /// has cancelled, or will not answer.
    fn abandoning(&self, method: &Method, params: &Object) -> OnDrop {
        let (gateway, presented) = (self.gateway.clone(), self.presented.clone());
        let (method, params) = (method.clone(), params.clone());
        OnDrop::new(move || {
            // Without a runtime, the process is ending, and the upstreams with it.
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn(async move { gateway.abandon(&presented, &method, &params).await });
            }
        })
    }

    /// Makes a request modern.
    pub(super) fn stamp(&self, params: &mut Object) {
        modern::stamp(params, &self.as_modern, self.client_info.as_ref(), self.level());
    }

    async fn pass_on(&self, mut reply: Reply, outlet: &Outlet) -> Outcome {
        while let Some(event) = reply.next().await {
            match event {
                Event::Done(outcome) => return outcome,
                // Told already, or of a page that it was not sent to.
                Event::Notification(notification)
                    if notification.method == Method::ElicitationComplete && !self.is_done_with(&notification) => {}
                // A client that is gone gets nothing, but its call goes on.
                Event::Notification(notification) => drop(outlet.send(Out::Message(notification.encode())).await),
            }
        }
        Err(RpcError::new(code::INTERNAL_ERROR, "no answer"))
    }

    fn notified(self: &Arc<Self>, notification: &Notification) {
        match notification.method {
            Method::Cancelled => {
                if let Some(id) = notification.params.get("requestId").and_then(Id::read) {
                    self.cancel(&id);
                }
            }
            Method::RootsChanged => self.roots_changed(),
            // Nothing else that a client notifies concerns anyone.
            _ => tracing::trace!(method = %notification.method, "notification"),
        }
    }
}

/// How long a call may say again and again that it wants to be sent later (a result with a state and without questions).
struct Patience {
    longest: Duration,
    until: Instant,
    began: Instant,
    next: Duration,
}

impl Patience {
    fn new(longest: Duration) -> Self {
        let now = Instant::now();
        Self { longest, until: now + longest, began: now, next: FIRST_PAUSE }
    }

    /// The call is sent.
    fn begin(&mut self) {
        self.began = Instant::now();
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    fn error(&self) -> RpcError {
        let text = format!("the server was not ready to answer within {:?}", self.longest);
        RpcError::new(code::INTERNAL_ERROR, text)
    }

    /// Waits a while, unless the call itself took as long.
    async fn pause(&mut self) {
        tokio::time::sleep_until(self.began + self.next).await;
        self.next = (self.next * 2).min(LONGEST_PAUSE);
    }
}

/// The `uri` of a subscription.
pub(super) fn uri(params: &Object) -> Result<String, RpcError> {
    params.string("uri").ok_or_else(|| RpcError::new(code::INVALID_PARAMS, "`uri` must be a string"))
}

/// Puts an error into the words of the legacy era, which knows none of the codes from -32020 on.
pub(super) fn as_legacy_error(method: &Method, mut error: RpcError) -> RpcError {
    let names_uri =
        error.data.as_ref().and_then(|data| data.object().ok()).is_some_and(|data| data.get("uri").is_some());
    if *method == Method::ResourcesRead && error.code == code::INVALID_PARAMS && names_uri {
        error.code = code::LEGACY_RESOURCE_NOT_FOUND;
    }
    if error.code == code::MISSING_CAPABILITY
        && let Some(mut data) = error.data.as_ref().and_then(|data| data.object().ok())
        && data.get("elicitations").is_some()
    {
        // A legacy upstream wants pages to be visited: this is how it said so.
        data.remove("requiredCapabilities");
        return RpcError { code: code::LEGACY_URL_ELICITATION_REQUIRED, data: Some(data.to_json()), ..error };
    }
    if matches!(error.code, code::HEADER_MISMATCH | code::MISSING_CAPABILITY | code::UNSUPPORTED_REVISION) {
        error.code = code::INTERNAL_ERROR;
    }
    error
}

/// A question that the client could not or would not answer: a failed tool for the model to read, else an error.
fn refused(method: &Method, error: RpcError) -> Outcome {
    if *method != Method::ToolsCall {
        return Err(error);
    }
    let text = Object::new().with("type", Json::literal("\"text\"")).with("text", Json::string(&error.message));
    Ok(Object::new()
        .with("content", Json::array_of([&text.to_json()]))
        .with("isError", Json::literal("true"))
        .to_json())
}
