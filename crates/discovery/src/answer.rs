//! What the surface answers: text for a model, and the same as an object for programs.
//!
//! Some hosts show a model the text, others the object, and none should read less in one than in the other. So each answer
//! is made once as a few plain facts, of which both are written.

mod described;
mod fault;
mod found;
mod overview;

pub use described::{Described, Instructions, Unknown};
pub use fault::{faulty, misused, unknown};
pub use found::{Found, Group};
pub use overview::{Overview, ServerLine};

use toolgate_protocol::{Json, Object};

use crate::surface::{self, Surface};
use crate::tokens::Tokens;

/// What an answer may cost by default, in tokens.
pub const DEFAULT_BUDGET: usize = 1_200;

/// An answer of the surface.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// For a model.
    pub text: String,
    /// The same for programs.
    pub structured: Object,
    /// Whether the request could not be met.
    pub is_error: bool,
}

/// How answers are written.
#[derive(Clone, Copy, Debug)]
pub struct Style<'a> {
    /// What counts.
    pub tokens: &'a Tokens,
    /// How many tokens an answer may have, about.
    pub budget: usize,
    /// What calls there are.
    pub surface: Surface,
}

/// A server of which nothing can be found now.
#[derive(Clone, Copy, Debug)]
pub struct Missing<'a> {
    /// Its name.
    pub server: &'a str,
    /// Why.
    pub why: &'a str,
}

// === impl Answer ===

impl Answer {
    /// The members of a `tools/call` result: `content`, `structuredContent` and, where it is one, `isError`.
    pub fn to_result(&self) -> Object {
        surface::result(&self.text, Some(self.structured.clone()), self.is_error)
    }
}

// === impl Style ===

impl<'a> Style<'a> {
    /// The usual style.
    pub fn new(tokens: &'a Tokens, surface: Surface) -> Self {
        Self { tokens, budget: DEFAULT_BUDGET, surface }
    }
}

/// A JSON array of strings.
pub(crate) fn strings<S: AsRef<str>>(texts: &[S]) -> Json {
    let texts: Vec<Json> = texts.iter().map(|text| Json::string(text.as_ref())).collect();
    Json::array_of(&texts)
}

/// As many servers are named as missing, and as much of the reason.
const MAX_MISSING: usize = 5;
const MAX_WHY: usize = 100;

/// One line that names the servers that are missing, or nothing.
fn missing_line(missing: &[Missing<'_>]) -> Option<String> {
    if missing.is_empty() {
        return None;
    }
    let named = missing.iter().take(MAX_MISSING).map(|missing| {
        let why = first_line(missing.why);
        if why.is_empty() { missing.server.to_owned() } else { format!("{} ({why})", missing.server) }
    });
    let named: Vec<String> = named.collect();
    let more = missing.len().saturating_sub(MAX_MISSING);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Some(format!("Not searched, because down: {}{more}.", named.join(", ")))
}

fn missing_json(missing: &[Missing<'_>]) -> Json {
    let rows: Vec<Json> = missing
        .iter()
        .map(|missing| {
            Object::new()
                .with("server", Json::string(missing.server))
                .with("reason", Json::string(&first_line(missing.why)))
                .to_json()
        })
        .collect();
    Json::array_of(&rows)
}

fn first_line(text: &str) -> String {
    crate::tool::cut(text.lines().next().unwrap_or_default().trim(), MAX_WHY)
}

#[cfg(test)]
mod tests;
