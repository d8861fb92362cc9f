//! What texts and definitions cost a model, in o200k tokens.
//!
//! The unit of every budget here. Other models' tokenizers differ by a tenth or so on such texts, in the same direction
//! for what is compared. Loading costs about 7 MB of memory and 13 milliseconds, once, when the first text is counted; a
//! gateway that only lists never pays it.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use toolgate_protocol::{Json, Kind, Object};

use crate::vocabulary::Vocabulary;

/// Counts that are remembered; 24 bytes each.
const MAX_REMEMBERED: usize = 1 << 17;
/// A longer text is counted by its beginning and the rest in proportion: it is beyond every budget anyway.
const MAX_COUNTED: usize = 1 << 20;

/// Counts tokens. Clones share one vocabulary and one memory of counts.
#[derive(Clone, Default)]
pub struct Tokens(Arc<Inner>);

#[derive(Default)]
struct Inner {
    vocabulary: OnceLock<Vocabulary>,
    /// Counts of definitions by two hashes of their text, keyed so that nobody can choose texts that collide.
    counts: Mutex<HashMap<(u64, u64), u32>>,
    keys: (RandomState, RandomState),
}

// === impl Tokens ===

impl Tokens {
    /// A counter that has loaded nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many tokens `text` is.
    pub fn count(&self, text: &str) -> usize {
        let vocabulary = self.0.vocabulary.get_or_init(Vocabulary::load);
        if text.len() <= MAX_COUNTED {
            return vocabulary.count(text);
        }
        let mut end = MAX_COUNTED;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        (vocabulary.count(&text[..end]) as f64 * text.len() as f64 / end as f64) as usize
    }

    /// What a definition costs a model that is given it: [`model_text`] in tokens. Remembered, as definitions rarely change.
    pub fn of_definition(&self, kind: Kind, definition: &Json) -> usize {
        let text = definition.text();
        let key = (self.0.keys.0.hash_one(text), self.0.keys.1.hash_one(text));
        if let Some(count) = self.counts().get(&key) {
            return *count as usize;
        }
        let count = self.count(&model_text(kind, definition));
        let mut counts = self.counts();
        if counts.len() >= MAX_REMEMBERED {
            counts.clear();
        }
        counts.insert(key, u32::try_from(count).unwrap_or(u32::MAX));
        count
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, HashMap<(u64, u64), u32>> {
        // A count that was being written by a thread that panicked is there or not, and both is fine.
        self.0.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens")
    }
}

/// What a host gives to a model of a definition: of a tool its name, description and input schema as compact JSON. Titles,
/// annotations, icons, output schemas and `_meta` are for the host.
pub fn model_text(kind: Kind, definition: &Json) -> String {
    let Ok(members) = definition.object() else { return definition.as_str().to_owned() };
    let wanted: &[&str] = match kind {
        Kind::Tool => &["name", "description", "inputSchema"],
        Kind::Prompt => &["name", "description", "arguments"],
        Kind::Resource => &["uri", "name", "description"],
        Kind::Template => &["uriTemplate", "name", "description"],
    };
    let mut shown = Object::new();
    for name in wanted {
        if let Some(value) = members.get(name) {
            shown.set(name, value.clone());
        }
    }
    compact(shown.to_json().as_str())
}

/// JSON text without the white space between its tokens.
pub(crate) fn compact(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let mut in_string = false;
    let mut escaped = false;
    for c in json.chars() {
        if in_string || !c.is_ascii_whitespace() {
            text.push(c);
        }
        if c == '"' && !escaped {
            in_string = !in_string;
        }
        escaped = in_string && c == '\\' && !escaped;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_costs_what_the_model_sees_of_it() {
        let tokens = Tokens::new();
        let lean = Json::literal(r#"{"name":"a","description":"b c","inputSchema":{"type":"object"}}"#);
        let rich = Json::literal(
            r#"{ "name": "a", "title": "A long title", "description": "b c",
                 "inputSchema": { "type": "object" }, "annotations": { "readOnlyHint": true }, "_meta": {"x": [1,2,3]} }"#,
        );
        assert_eq!(tokens.of_definition(Kind::Tool, &lean), tokens.of_definition(Kind::Tool, &rich));
        assert_eq!(tokens.of_definition(Kind::Tool, &lean), tokens.count(lean.as_str()));
    }

    #[test]
    fn white_space_within_strings_stays() {
        assert_eq!(compact("{ \"a \\\" b\" :\n[ 1 , \"\\\\\" , \" \" ] }"), r#"{"a \" b":[1,"\\"," "]}"#);
    }

    #[test]
    fn beyond_a_megabyte_counts_are_in_proportion() {
        let tokens = Tokens::new();
        let count = tokens.count(&"hello world ".repeat(500_000));
        assert!((990_000..1_010_000).contains(&count), "{count}");
    }
}
