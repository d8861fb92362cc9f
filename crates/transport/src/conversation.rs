//! A client at the other end of one pipe: stdio, or HTTP+SSE. Everything it sends comes in order, everything for it goes out
//! on one outlet; whether it speaks the legacy or the modern era, each message says.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;
use tokio::sync::oneshot;
use toolgate_gateway::{Gateway, Request};
use toolgate_identity::Presented;
use toolgate_protocol::message::{Request as RpcRequest, Response};
use toolgate_protocol::meta::RequestMeta;
use toolgate_protocol::{Event, Id, Json, Message, Method, Revision, RpcError, code};

use crate::legacy::{self, Out, Outlet, Session};
use crate::modern;

/// What is too much on a pipe.
#[derive(Clone, Copy, Debug)]
pub struct PipeLimits {
    /// Bytes in one message.
    pub message: usize,
    /// Levels of nesting in one message.
    pub depth: usize,
    /// Messages in one batch.
    pub batch: usize,
}

/// One client's pipe.
pub(crate) struct Conversation {
    gateway: Arc<Gateway>,
    presented: Presented,
    outlet: Outlet,
    limits: PipeLimits,
    /// Begun by a legacy client's handshake.
    session: OnceLock<Arc<Session>>,
    /// The modern requests in flight.
    running: Mutex<HashMap<Id, oneshot::Sender<()>>>,
}

impl Drop for Conversation {
    fn drop(&mut self) {
        if let Some(conversation) = &self.presented.conversation {
            self.gateway.end_conversation(conversation);
        }
    }
}

// === impl Conversation ===

impl Conversation {
    /// A pipe on which nothing was said yet.
    pub(crate) fn new(gateway: Arc<Gateway>, presented: Presented, outlet: Outlet, limits: PipeLimits) -> Self {
        let presented = Presented { conversation: Some(legacy::random_id().into()), ..presented };
        Self { gateway, presented, outlet, limits, session: OnceLock::new(), running: Mutex::default() }
    }

    /// The session in it, if one was begun.
    pub(crate) fn session(&self) -> Option<&Arc<Session>> {
        self.session.get()
    }

    /// Takes one message; the future ends when it is answered, or when nobody reads answers any more: the end of the pipe is
    /// the end of all that was asked on it, also where it waits for the client's answer to a question.
    pub(crate) async fn accept(&self, text: Bytes) {
        tokio::select! {
            () = self.take(text) => {}
            () = self.outlet.closed() => {}
        }
    }

    /// The client will send nothing more, and with that no answers; it may still read those to what it asked.
    pub(crate) fn hears_no_more(&self) {
        if let Some(session) = self.session.get() {
            session.answers_no_more();
        }
    }

    /// The client is gone, or is to be: nothing that it asked is wanted any more, in the words of either era.
    pub(crate) fn has_left(&self) {
        if let Some(session) = self.session.get() {
            session.cancel_all();
        }
        let running = std::mem::take(&mut *self.running.lock().expect("nothing panics while it is held"));
        for cancel in running.into_values() {
            let _ = cancel.send(());
        }
    }

    async fn take(&self, text: Bytes) {
        if text.starts_with(b"[") {
            return self.accept_batch(text).await;
        }
        match Message::parse_within(text, self.limits.depth) {
            Ok(message) => self.accept_message(message).await,
            Err(error) => self.say(Response::nameless(error)).await,
        }
    }

    /// A batch, which revisions up to 2025-03-26 have. Its messages are taken as if they had come alone; each answer goes out by itself.
    async fn accept_batch(&self, text: Bytes) {
        let has_batches = self.session.get().is_some_and(|session| session.revision <= Revision::V2025_03_26);
        let invalid = |what: String| RpcError::new(code::INVALID_REQUEST, what);
        let messages = match legacy::read_batch(text, self.limits.depth) {
            _ if !has_batches => Err(invalid("batches exist in sessions of revisions up to 2025-03-26 only".into())),
            Ok(messages) if messages.is_empty() || messages.len() > self.limits.batch => {
                Err(invalid(format!("a batch has 1 to {} messages (`limits.batch`)", self.limits.batch)))
            }
            read => read,
        };
        match messages {
            Ok(messages) => {
                let taken = messages.into_iter().map(|message| self.accept_message(message));
                futures_util::future::join_all(taken).await;
            }
            Err(error) => self.say(Response::nameless(error)).await,
        }
    }

    async fn accept_message(&self, message: Message) {
        match message {
            Message::Request(request) if RequestMeta::claim(&request.params).is_some() => {
                self.serve_modern(request).await
            }
            Message::Request(request) if request.method == Method::Initialize && self.session.get().is_none() => {
                self.begin(request).await
            }
            Message::Notification(notification) if self.session.get().is_none() => {
                if notification.method == Method::Cancelled
                    && let Some(id) = notification.params.get("requestId").and_then(Id::read)
                {
                    self.cancel(&id);
                }
            }
            Message::Notification(notification) => {
                if let (Method::Initialized, Some(session)) = (&notification.method, self.session.get()) {
                    session.attach(self.outlet.clone()).await;
                }
                self.hand_over(Message::Notification(notification)).await;
            }
            Message::Request(request) if self.session.get().is_none() => {
                let outcome = match request.method {
                    Method::Ping => Ok(Json::literal("{}")),
                    _ => Err(RpcError::new(
                        code::INVALID_REQUEST,
                        "begin with `initialize`, or say the revision in `_meta` of each request",
                    )),
                };
                self.say(Response::new(request.id, outcome)).await;
            }
            other => self.hand_over(other).await,
        }
    }

    async fn hand_over(&self, message: Message) {
        if let Some(session) = self.session.get() {
            session.accept(message, &self.outlet).await;
        }
    }

    async fn begin(&self, request: RpcRequest) {
        let outcome = legacy::initialize(&self.gateway, &self.presented, &request.params, legacy::Room::none())
            .await
            .map(|(session, result)| {
                // Two handshakes at once: the first stays.
                session.announce();
                let _ = self.session.set(session);
                result
            });
        self.say(Response::new(request.id, outcome)).await;
    }

    async fn serve_modern(&self, request: RpcRequest) {
        let id = request.id.clone();
        if let Err(error) = RequestMeta::read(&request.params) {
            return self.say(Response::new(id, Err(error))).await;
        }
        let cancelled = {
            let mut running = self.running.lock().expect("nothing panics while it is held");
            let (cancel, cancelled) = oneshot::channel();
            (!running.contains_key(&id)).then(|| {
                running.insert(id.clone(), cancel);
                cancelled
            })
        };
        let Some(cancelled) = cancelled else {
            let error = RpcError::new(code::INVALID_REQUEST, format!("the request id {id} is already in use"));
            return self.say(Response::new(id, Err(error))).await;
        };
        tokio::select! {
            () = self.answer_modern(request) => {}
            // Dropping the answer cancels it upstream.
            _ = cancelled => {}
        }
        self.running.lock().expect("nothing panics while it is held").remove(&id);
    }

    async fn answer_modern(&self, request: RpcRequest) {
        let id = request.id.clone();
        let request =
            Request { id: id.json().clone(), method: request.method, params: request.params, param_headers: None };
        let mut reply = self.gateway.handle(&self.presented, request).await;
        while let Some(event) = reply.next().await {
            match event {
                Event::Notification(notification) if !modern::has(&notification) => {}
                Event::Notification(notification) => {
                    let _ = self.outlet.send(Out::Message(notification.encode())).await;
                }
                Event::Done(outcome) => self.say(Response::new(id.clone(), outcome)).await,
            }
        }
    }

    fn cancel(&self, id: &Id) {
        if let Some(cancel) = self.running.lock().expect("nothing panics while it is held").remove(id) {
            let _ = cancel.send(());
        }
    }

    async fn say(&self, response: Response) {
        // A client that is gone needs no answer.
        let _ = self.outlet.send(Out::Response(response.encode())).await;
    }
}
