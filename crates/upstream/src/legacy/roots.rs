//! The roots of the one client whose connection it is, as far as they are known.
//!
//! Legacy servers ask for them when they are met and when they are told of a change, in the course of no call. On a connection
//! that many share nobody could be meant by that. On one client's own they are that client's, and it has said what they are.

use std::sync::{Mutex, PoisonError};

use toolgate_protocol::{Json, Object, Outcome};

use crate::isolation::Whose;

/// What is known of them.
#[derive(Debug, Default)]
pub(crate) struct Roots(Mutex<Option<Json>>);

// === impl Roots ===

impl Roots {
    /// What the client has answered (`roots/list`).
    pub(crate) fn set(&self, answer: Json) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
    }

    /// What can be answered for the client; nothing, while it has not said.
    pub(super) fn answer(&self) -> Outcome {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(known.unwrap_or(Json::literal(r#"{"roots":[]}"#)))
    }

    /// Whether the client has said.
    pub(crate) fn are_known(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

/// The capabilities that a connection declares. One that is shared has what some client may have; a question to one that has
/// not is refused on its behalf. Of changes there is something true to tell where the roots are those of one client.
pub(super) fn capabilities(whose: &Whose) -> Json {
    let roots = if whose.has_lasting_roots() { r#"{"listChanged":true}"# } else { "{}" };
    Object::new()
        .with("sampling", Json::literal(r#"{"tools":{},"context":{}}"#))
        .with("elicitation", Json::literal(r#"{"form":{},"url":{}}"#))
        .with("roots", Json::literal(roots))
        .to_json()
}
