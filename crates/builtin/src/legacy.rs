//! The legacy edge (2024-11-05 to 2025-11-25): a handshake, a session, and questions that are requests of our own.
//!
//! Handlers are modern. Where one halts to ask, this shim sends the questions, waits for the answers and runs it again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::oneshot;
use toolgate_protocol::meta::{Level, PROGRESS_TOKEN};
use toolgate_protocol::{Id, Json, Method, Notification, Object, Outcome, Request, Response, Revision, RpcError, code};

use crate::answer::{answer, capabilities, not_found, server_info};
use crate::ask::Question;
use crate::call::{Answers, Call, Client, Halt};
use crate::listen::{self, MAX_WATCHED, Wanted};
use crate::outbox::Outbox;
use crate::server::Server;
use crate::tool::Output;

/// How often one call may ask before it is given up.
const MAX_ROUNDS: usize = 8;
/// How long a client may take for one answer; a person may be behind it.
const PATIENCE: Duration = Duration::from_secs(600);

/// What a legacy client said once for all its requests.
pub(crate) struct Session {
    client: Arc<Client>,
    /// Log messages from this level on are wanted.
    level: Mutex<Level>,
    wanted: Mutex<Wanted>,
    next_question: AtomicU64,
    open_questions: Mutex<HashMap<Id, oneshot::Sender<Outcome>>>,
}

/// A question on its way: taken back when nobody waits for its answer any more.
struct Asked<'a> {
    session: &'a Session,
    outbox: &'a Outbox,
    id: Id,
}

// === impl Session ===

impl Session {
    /// Answers `initialize`.
    pub(crate) fn open(server: &Server, params: &Object) -> Result<(Self, Json), RpcError> {
        let wrong = |what: &str| RpcError::new(code::INVALID_PARAMS, what);
        let asked =
            params.string("protocolVersion").ok_or_else(|| wrong("`params.protocolVersion` must be a string"))?;
        let revision = Revision::parse(&asked)
            .filter(|revision| *revision <= Revision::LATEST_LEGACY)
            .unwrap_or(Revision::LATEST_LEGACY);
        let declared = match params.get("capabilities") {
            None => Object::new(),
            Some(declared) => declared.object().map_err(|_| wrong("`params.capabilities` must be an object"))?,
        };
        let client = Client { revision, capabilities: declared, info: params.get("clientInfo").cloned() };
        let session = Self {
            client: Arc::new(client),
            level: Mutex::new(Level::Info),
            wanted: Mutex::new(Wanted { tools: true, prompts: true, resources: true, ..Wanted::default() }),
            next_question: AtomicU64::new(1),
            open_questions: Mutex::default(),
        };
        let result = Object::new()
            .with("protocolVersion", Json::string(revision.as_str()))
            .with("capabilities", capabilities(server))
            .with("serverInfo", server_info(&server.about))
            .with("instructions", Json::string(server.about.instructions));
        Ok((session, result.to_json()))
    }

    /// Whether its revision has batches: only one ever had.
    pub(crate) fn takes_batches(&self) -> bool {
        self.client.revision == Revision::V2025_03_26
    }

    /// Answers one request.
    pub(crate) async fn respond(&self, server: &Server, method: &Method, params: &Object, outbox: &Outbox) -> Outcome {
        match method {
            Method::Ping => Ok(Json::literal("{}")),
            Method::SetLevel if server.about.logs => self.set_level(params),
            Method::Subscribe if server.resources.is_some() => self.subscribe(params),
            Method::Unsubscribe if server.resources.is_some() => self.unsubscribe(params),
            Method::Discover | Method::Listen => Err(not_found(method)),
            method => match self.in_rounds(server, method, params, outbox).await {
                Ok(result) => Ok(self.fitted(result).to_json()),
                Err(error) => Err(in_legacy_words(method, error)),
            },
        }
    }

    /// Tells of changes until dropped.
    pub(crate) async fn tell(&self, server: &Server, outbox: &Outbox) {
        let mut changes = server.changes.listen();
        loop {
            for change in listen::next(&mut changes, || lock(&self.wanted).clone()).await {
                let wanted = lock(&self.wanted).wants(&change);
                if wanted {
                    outbox.notify(&listen::notification(&change)).await;
                }
            }
        }
    }

    /// Takes the answer to one of our questions. Answers to none are dropped.
    pub(crate) fn answered(&self, response: Response) {
        let waiting = response.id.and_then(|id| lock(&self.open_questions).remove(&id));
        if let Some(waiting) = waiting {
            let _ = waiting.send(response.outcome);
        }
    }

    /// Ends all waiting for answers: none can come any more.
    pub(crate) fn close(&self) {
        lock(&self.open_questions).clear();
    }

    fn set_level(&self, params: &Object) -> Outcome {
        let level = params.string("level").and_then(|name| Level::parse(&name));
        *lock(&self.level) =
            level.ok_or_else(|| RpcError::new(code::INVALID_PARAMS, "`params.level` is no log level"))?;
        Ok(Json::literal("{}"))
    }

    fn subscribe(&self, params: &Object) -> Outcome {
        let uri =
            params.string("uri").ok_or_else(|| RpcError::new(code::INVALID_PARAMS, "`params.uri` must be a string"))?;
        let mut wanted = lock(&self.wanted);
        if wanted.uris.len() >= MAX_WATCHED && !wanted.uris.contains(&uri) {
            return Err(RpcError::new(
                code::INVALID_PARAMS,
                format!("at most {MAX_WATCHED} resources can be watched at once"),
            ));
        }
        wanted.uris.insert(uri);
        Ok(Json::literal("{}"))
    }

    fn unsubscribe(&self, params: &Object) -> Outcome {
        let uri =
            params.string("uri").ok_or_else(|| RpcError::new(code::INVALID_PARAMS, "`params.uri` must be a string"))?;
        lock(&self.wanted).uris.remove(&uri);
        Ok(Json::literal("{}"))
    }

    /// Runs a handler until it no longer asks.
    async fn in_rounds(
        &self,
        server: &Server,
        method: &Method,
        params: &Object,
        outbox: &Outbox,
    ) -> Result<Object, RpcError> {
        let call = Call {
            client: self.client.clone(),
            meta: params.get("_meta").cloned(),
            outbox: outbox.clone(),
            progress_token: params.child("_meta").and_then(|meta| meta.get(PROGRESS_TOKEN).cloned()),
            log_from: Some(*lock(&self.level)),
            answers: Answers::new(),
        };
        let mut answers = Answers::new();
        for _ in 0..MAX_ROUNDS {
            let round = Call { answers: answers.clone(), ..call.clone() };
            let questions = match answer(server, method, params, round).await {
                Ok(result) => return Ok(result),
                Err(Halt::Error(error)) => return Err(error),
                Err(Halt::Told(why)) => return Err(RpcError::new(code::INVALID_PARAMS, why)),
                Err(Halt::Ask(questions)) => questions,
            };
            match self.ask_all(&questions, outbox).await {
                Ok(more) => answers.extend(more),
                Err(why) => return unanswered(method, why),
            }
        }
        unanswered(method, RpcError::new(code::INTERNAL_ERROR, format!("Gave up after asking {MAX_ROUNDS} times")))
    }

    /// Asks all at once, as a person may need as long for one as for another.
    async fn ask_all(&self, questions: &[Question], outbox: &Outbox) -> Result<Answers, RpcError> {
        questions.iter().try_for_each(|question| question.allowed_by(&self.client.capabilities))?;
        let asked = join_all(questions.iter().map(|question| self.ask(question, outbox))).await;
        questions.iter().zip(asked).map(|(question, answer)| Ok((question.key.to_owned(), answer?))).collect()
    }

    /// Asks one question and waits for its answer.
    async fn ask(&self, question: &Question, outbox: &Outbox) -> Outcome {
        let number = self.next_question.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        let asked = Asked { session: self, outbox, id: Id::number(number) };
        lock(&self.open_questions).insert(asked.id.clone(), sender);
        let mut params = question.params.clone();
        if question.is_url() {
            // Legacy only: the answer tells that the page was opened, and this id ties it to its completion.
            params.set("elicitationId", Json::string(&format!("elicitation-{number}")));
        }
        outbox.send(Request::new(asked.id.clone(), question.method.clone(), params).encode()).await;
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(refused))) => Err(RpcError::new(
                code::INTERNAL_ERROR,
                format!("The client refused `{}`: {}", question.method, refused.message),
            )),
            Ok(Err(_)) => Err(RpcError::new(code::INTERNAL_ERROR, "The client has gone")),
            Err(_) => Err(RpcError::new(
                code::INTERNAL_ERROR,
                format!("The client did not answer `{}` within {} s", question.method, PATIENCE.as_secs()),
            )),
        }
    }

    /// Content that came with later revisions, in words for a client that cannot know it.
    fn fitted(&self, mut result: Object) -> Object {
        if self.client.revision >= Revision::V2025_06_18 {
            return result;
        }
        if let Some(blocks) = result.get("content").and_then(|content| content.array().ok()) {
            let blocks: Vec<Json> = blocks.into_iter().map(|block| self.fitted_block(block)).collect();
            result.set("content", Json::of(&blocks).expect("a list of JSON is JSON"));
        }
        result
    }

    fn fitted_block(&self, block: Json) -> Json {
        let Ok(members) = block.object() else { return block };
        let text = match members.string("type").as_deref() {
            Some("audio") if self.client.revision < Revision::V2025_03_26 => {
                format!("[a sound, {}]", members.string("mimeType").unwrap_or_default())
            }
            Some("resource_link") => {
                format!(
                    "[resource {}: {}]",
                    members.string("name").unwrap_or_default(),
                    members.string("uri").unwrap_or_default()
                )
            }
            _ => return block,
        };
        Object::new().with("type", Json::literal(r#""text""#)).with("text", Json::string(&text)).to_json()
    }
}

/// What becomes of a call whose question got no answer: a tool says so to the model.
fn unanswered(method: &Method, why: RpcError) -> Result<Object, RpcError> {
    match method {
        Method::ToolsCall => Ok(Output::fault(why.message).to_object()?),
        _ => Err(why),
    }
}

/// Errors as legacy revisions have them; the modern codes did not exist.
fn in_legacy_words(method: &Method, mut error: RpcError) -> RpcError {
    match (method, error.code) {
        (Method::ResourcesRead, code::INVALID_PARAMS) if error.data.is_some() => {
            error.code = code::LEGACY_RESOURCE_NOT_FOUND
        }
        (_, code::MISSING_CAPABILITY) => error.code = code::INVALID_PARAMS,
        _ => {}
    }
    error
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl Asked ===

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if lock(&self.session.open_questions).remove(&self.id).is_some() {
            let params = Object::new().with("requestId", self.id.json().clone());
            self.outbox.try_send(Notification::new(Method::Cancelled, params).encode());
        }
    }
}
