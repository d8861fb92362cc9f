//! The calls in whose middle a server asks its client something, and the words that a right answer ends up with.
//!
//! server-everything asks as legacy servers do, with requests of its own; the Python server, reached as a modern one, by
//! multi round-trip. So through toolgate modern clients answer a legacy server and legacy clients a modern one. The scripts
//! answer all in the same way (`contract.py`, `contract.mjs`); these words can only come about if each answer arrived.

use super::plan::Server;
use serde::Serialize;
use serde_json::{Value, json};

/// What a client can be asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ask {
    /// Its model (sampling).
    Model,
    /// Its person, with a form (elicitation).
    Form,
    /// Its person, with a URL to open (elicitation).
    Url,
    /// Its roots.
    Roots,
}

/// Everything there is to ask.
pub(super) const ALL: &[Ask] = &[Ask::Model, Ask::Form, Ask::Url, Ask::Roots];

/// A planned call of a tool that asks.
#[derive(Clone, Serialize)]
pub(super) struct Question {
    pub(super) label: String,
    pub(super) tool: String,
    pub(super) arguments: Value,
    /// What the client must be able to answer; if it is not, the call must be refused, or end as `otherwise` says.
    #[serde(skip)]
    pub(super) asks: &'static [Ask],
    /// What the text of the result must have in it.
    #[serde(skip)]
    pub(super) words: &'static [&'static str],
    /// What is in the result if the server goes on without an answer.
    #[serde(skip)]
    pub(super) otherwise: Option<&'static str>,
    /// Whether it is toolgate that makes such a call possible, for clients that know nothing of tasks.
    #[serde(skip)]
    pub(super) is_task: bool,
}

/// The questions of a server, under its own names.
pub(super) fn native(server: Server) -> Vec<Question> {
    let question = |label: &str, tool: &str, arguments, asks, words| Question {
        label: label.to_owned(),
        tool: tool.to_owned(),
        arguments,
        asks,
        words,
        otherwise: None,
        is_task: false,
    };
    let url = json!({"url": "https://example.org/consent"});
    match server {
        Server::Everything => vec![
            question(
                "model",
                "trigger-sampling-request",
                json!({"prompt": "a word for cold"}),
                &[Ask::Model],
                &["The model heard: Resource trigger-sampling-request context: a word for cold"],
            ),
            question(
                "form",
                "trigger-elicitation-request",
                json!({}),
                &[Ask::Form],
                &["- Name: Eva", "- Agreed to terms: true", "- Favorite Integer: 7"],
            ),
            Question {
                is_task: true,
                otherwise: Some("elicitation unavailable"),
                ..question(
                    "task",
                    "simulate-research-query",
                    json!({"topic": "ice", "ambiguous": true}),
                    &[Ask::Form],
                    &["# Research Report: ice (technical)"],
                )
            },
            question("url", "trigger-url-elicitation", url, &[Ask::Url], &["User completed the URL elicitation flow"]),
        ],
        Server::Python => vec![
            question(
                "model",
                "invent",
                json!({"topic": "ice"}),
                &[Ask::Model],
                &["ice: The model heard: Say something about ice"],
            ),
            question("form", "order", json!({"dish": "soup"}), &[Ask::Form], &["Eva gets 4 of soup"]),
            question("roots", "where", json!({}), &[Ask::Roots], &["at file:///srv/fixture"]),
            question(
                "two-rounds",
                "dine",
                json!({}),
                &[Ask::Form, Ask::Roots, Ask::Model],
                &["Eva dines for 4 at file:///srv/fixture: The model heard: A wine for Eva"],
            ),
        ],
        Server::Memory | Server::Files => Vec::new(),
    }
}

// === impl Question ===

impl Question {
    /// What is wrong with the answer of a client that can be asked for `can`.
    pub(super) fn faults(&self, can: &[Ask], answer: &Value) -> Vec<String> {
        let told = |what: &str| vec![format!("answers: {} {what}: {answer:.300}", self.label)];
        let is_refused = answer.get("failed").is_some() || answer["isError"] == json!(true);
        let is_able = self.asks.iter().all(|ask| can.contains(ask));
        let text = text_of(answer);
        match (answer.is_null(), is_able, is_refused) {
            (true, ..) => told("was not asked"),
            (_, true, true) => told("was refused"),
            (_, false, false) if self.otherwise.is_some_and(|words| text.contains(words)) => Vec::new(),
            (_, false, false) => told("was answered by a client that cannot"),
            (_, false, true) => Vec::new(),
            (_, true, false) if self.words.iter().all(|words| text.contains(words)) => Vec::new(),
            (_, true, false) => told("has other words"),
        }
    }
}

fn text_of(result: &Value) -> String {
    let blocks = result["content"].as_array().map(Vec::as_slice).unwrap_or_default();
    blocks.iter().filter_map(|block| block["text"].as_str()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_right_by_its_words_and_a_client_that_cannot_is_refused() {
        let order = &native(Server::Python)[1];
        let answer = json!({"content": [{"type": "text", "text": "Eva gets 4 of soup"}]});
        let other = json!({"content": [{"type": "text", "text": "Eva gets 1 of soup"}]});
        let refused = json!({"failed": {"code": -32021}});
        assert!(order.faults(ALL, &answer).is_empty());
        assert!(order.faults(&[Ask::Model], &refused).is_empty());
        let task = &native(Server::Everything)[2];
        let without = json!({"content": [{"type": "text", "text": "ice (default - elicitation unavailable)"}]});
        assert!(task.faults(&[], &without).is_empty());
        assert_eq!(task.faults(ALL, &without).len(), 1);
        for (can, answer) in [(ALL, &other), (ALL, &refused), (&[Ask::Model], &answer), (ALL, &Value::Null)] {
            assert_eq!(order.faults(can, answer).len(), 1, "{answer}");
        }
    }
}
