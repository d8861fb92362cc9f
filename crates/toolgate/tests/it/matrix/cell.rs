//! One cell of the matrix: a client, an upstream behind the gateway, and what is tried between them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use serde_json::{Value, json};
use toolgate_testkit::client::Fault;
use toolgate_testkit::peer::{Answered, Note, Params, Pending};
use toolgate_testkit::{Asked, Era, Peer, Upstream};

use super::features::{Feature, Variant};

/// An upstream behind the gateway.
pub(super) struct Behind {
    pub(super) variant: Variant,
    pub(super) name: String,
    pub(super) upstream: Upstream,
}

/// One cell.
#[derive(Clone)]
pub(super) struct Cell {
    pub(super) client: Arc<Peer>,
    pub(super) behind: Arc<Behind>,
    pub(super) feature: Feature,
}

// === impl Cell ===

impl Cell {
    /// A text that stands for this cell in whatever is sent.
    pub(super) fn mark(&self) -> String {
        mark(self.client.name(), &self.behind.name, self.feature)
    }

    /// A number that stands for this cell.
    pub(super) fn number(&self) -> u32 {
        let mut hasher = DefaultHasher::new();
        self.mark().hash(&mut hasher);
        u32::try_from(hasher.finish() >> 32).expect("32 bits are left")
    }

    pub(super) fn client_is(&self, era: Era) -> bool {
        self.client.revision.era() == era
    }

    pub(super) fn upstream_is(&self, era: Era) -> bool {
        self.behind.variant.0.era() == era
    }

    /// The public name of a tool or a prompt.
    pub(super) fn public(&self, native: &str) -> String {
        format!("{}__{native}", self.behind.name)
    }

    /// The URI of a resource.
    pub(super) fn uri(&self, what: &str) -> String {
        format!("doc://{}/{what}", self.behind.name)
    }

    /// Calls a tool with the mark as an argument.
    pub(super) async fn call(&self, tool: &str) -> Answered {
        self.client.call(&self.public(tool), json!({"mark": self.mark()})).await
    }

    /// The result of a call that must have one.
    pub(super) async fn result(&self, tool: &str) -> Value {
        let answered = self.call(tool).await;
        answered.outcome.unwrap_or_else(|fault| panic!("{tool}: {fault:?}"))
    }

    /// The error of a call that must have one.
    pub(super) async fn fault(&self, tool: &str) -> Fault {
        let answered = self.call(tool).await;
        answered.outcome.expect_err("the call fails")
    }

    /// The text of a call's result, as the JSON that it is.
    pub(super) async fn told(&self, tool: &str) -> Value {
        let text = text_of(&self.result(tool).await);
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{tool} told {text}"))
    }

    /// Begins to call a tool with the mark as an argument, and progress under a token.
    pub(super) async fn start(&self, tool: &str, token: &Value) -> Pending {
        let call = json!({
            "name": self.public(tool), "arguments": {"mark": self.mark()}, "_meta": {"progressToken": token},
        });
        self.client.start("tools/call", call).await
    }

    /// Waits until the upstream is asked what has the mark in it.
    pub(super) async fn asked(&self, method: &str) -> Asked {
        let mark = self.mark();
        let is_it = move |asked: &Asked| asked.method == method && asked.text.contains(&mark);
        self.behind.upstream.heard_where(&format!("that {} hears {method}", self.behind.name), is_it).await
    }

    /// What the client was told or asked with the mark in it.
    pub(super) fn notes(&self, method: &str) -> Vec<Arc<Note>> {
        let mark = self.mark();
        self.client.notes(|note| note.method == method && note.text.contains(&mark))
    }

    /// Waits until the client is told this with the mark in it, or finds that it was.
    pub(super) async fn heard(&self, method: &str) -> Arc<Note> {
        let mark = self.mark();
        self.client.heard(method, |note| note.method == method && note.text.contains(&mark)).await
    }

    /// Sends a request whose parameters are texts.
    pub(super) async fn written(&self, method: &str, members: &str, meta: &str) -> Answered {
        self.client.request(method, Params::written(members, meta)).await
    }
}

/// A text that stands for a cell. In brackets, so that none is part of another.
pub(super) fn mark(client: &str, upstream: &str, feature: Feature) -> String {
    format!("[{client} {upstream} {feature:?}]")
}

/// The first text of a tool's result.
pub(super) fn text_of(result: &Value) -> String {
    toolgate_testkit::client::text_of(result)
}
