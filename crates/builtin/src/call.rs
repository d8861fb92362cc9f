//! What a handler has at hand while it runs: ways to tell (progress, log) and to ask, and the ways to stop early.

use std::collections::BTreeMap;
use std::sync::Arc;

use toolgate_protocol::meta::{Level, PROGRESS_TOKEN};
use toolgate_protocol::{Json, Method, Notification, Object, Revision, RpcError, code};

use crate::ask::Question;
use crate::outbox::Outbox;

/// Answers that have come so far, by the key of their question.
pub(crate) type Answers = BTreeMap<String, Json>;

/// What is known of the client that made a request.
pub(crate) struct Client {
    pub(crate) revision: Revision,
    pub(crate) capabilities: Object,
    /// Who it says it is.
    pub(crate) info: Option<Json>,
}

/// One run of a handler.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) client: Arc<Client>,
    /// The request's `_meta`.
    pub(crate) meta: Option<Json>,
    /// Where notifications about this request go.
    pub(crate) outbox: Outbox,
    /// Progress is wanted under this token.
    pub(crate) progress_token: Option<Json>,
    /// Log messages from this level on are wanted.
    pub(crate) log_from: Option<Level>,
    pub(crate) answers: Answers,
}

/// Why a handler ended without a result.
#[derive(Debug)]
pub(crate) enum Halt {
    /// It needs answers first, and will run again when they are there.
    Ask(Vec<Question>),
    /// It failed, and the model should read why.
    Told(String),
    /// The request was wrong, or we were.
    Error(RpcError),
}

// === impl Call ===

impl Call {
    /// Tells how far the work is. Nothing happens when nobody wants to know.
    pub(crate) async fn progress(&self, done: u64, total: u64, message: &str) {
        let Some(token) = &self.progress_token else { return };
        let params = Object::new()
            .with(PROGRESS_TOKEN, token.clone())
            .with("progress", Json::integer(done))
            .with("total", Json::integer(total))
            .with("message", Json::string(message));
        self.outbox.notify(&Notification::new(Method::Progress, params)).await;
    }

    /// Writes a line to the client's log, if it wants lines of this level.
    pub(crate) async fn log(&self, level: Level, logger: &str, data: Json) {
        if self.log_from.is_none_or(|least| level < least) {
            return;
        }
        let params = Object::new()
            .with("level", Json::string(level.as_str()))
            .with("logger", Json::string(logger))
            .with("data", data);
        self.outbox.notify(&Notification::new(Method::LogMessage, params)).await;
    }

    /// The answers to `questions`, or the halt that asks those without one.
    pub(crate) fn ask<const N: usize>(&self, questions: [Question; N]) -> Result<[Json; N], Halt> {
        let found: Vec<Json> =
            questions.iter().filter_map(|question| self.answers.get(question.key).cloned()).collect();
        <[Json; N]>::try_from(found).map_err(|_| {
            Halt::Ask(questions.into_iter().filter(|question| !self.answers.contains_key(question.key)).collect())
        })
    }
}

// === impl Halt ===

impl Halt {
    pub(crate) fn told(text: impl Into<String>) -> Self {
        Self::Told(text.into())
    }

    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self::Error(RpcError::new(code::INVALID_PARAMS, text))
    }

    pub(crate) fn internal(error: &dyn std::fmt::Display) -> Self {
        Self::Error(RpcError::new(code::INTERNAL_ERROR, error.to_string()))
    }
}

impl From<RpcError> for Halt {
    fn from(error: RpcError) -> Self {
        Self::Error(error)
    }
}
