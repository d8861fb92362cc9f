//! One note, its bounds, and the URI it is known by as a resource.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The longest text of a note, in characters.
pub(super) const MAX_TEXT: usize = 64 * 1024;
/// The longest key, in characters.
pub(super) const MAX_KEY: usize = 100;
/// The longest tag, in characters.
pub(super) const MAX_TAG: usize = 50;
/// The most tags on one note.
pub(super) const MAX_TAGS: usize = 16;

const URI_PREFIX: &str = "memory://notes/";
/// The family of all notes (RFC 6570).
pub(super) const URI_TEMPLATE: &str = "memory://notes/{key}";

/// A note, as it is kept and as it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) struct Note {
    /// Its name.
    pub(super) key: String,
    /// What it says.
    pub(super) text: String,
    /// What it is about, in alphabetical order.
    pub(super) tags: Vec<String>,
    /// When it was first written, in RFC 3339.
    pub(super) created: String,
    /// When it was last written, in RFC 3339.
    pub(super) updated: String,
}

/// The key as it is kept, or why it cannot be one.
pub(super) fn checked_key(key: &str) -> Result<String, String> {
    checked(key, "key", MAX_KEY)
}

/// The tags as they are kept: each once, in order.
pub(super) fn checked_tags<'a>(tags: impl Iterator<Item = &'a str>) -> Result<Vec<String>, String> {
    let mut tags = tags.map(|tag| checked(tag, "tag", MAX_TAG)).collect::<Result<Vec<_>, _>>()?;
    tags.sort();
    tags.dedup();
    if tags.len() > MAX_TAGS { Err(format!("A note has at most {MAX_TAGS} tags")) } else { Ok(tags) }
}

fn checked(word: &str, what: &str, max: usize) -> Result<String, String> {
    let word = word.trim();
    if word.is_empty() || word.chars().any(char::is_control) || word.chars().count() > max {
        return Err(format!("A {what} has 1 to {max} characters, and no line breaks"));
    }
    Ok(word.to_owned())
}

/// The URI of the note `key`: everything but letters, digits and `-._~` is escaped, as the template's expansion does it.
pub(super) fn uri(key: &str) -> String {
    key.bytes().fold(URI_PREFIX.to_owned(), |mut uri, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
        uri
    })
}

/// The key of the note with this URI, if it is one.
pub(super) fn key_of(uri: &str) -> Option<String> {
    let mut rest = uri.strip_prefix(URI_PREFIX)?.as_bytes();
    let mut key = Vec::with_capacity(rest.len());
    while let Some((&first, after)) = rest.split_first() {
        if first == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            key.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            key.push(first);
            rest = after;
        }
    }
    String::from_utf8(key).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_key_survives_its_uri(key in "\\PC{1,40}") {
            prop_assert_eq!(key_of(&uri(&key)), Some(key));
        }

        #[test]
        fn any_uri_is_read_or_refused(uri in "memory://notes/[%0-9a-fA-Fé]{0,20}") {
            let _ = key_of(&uri);
        }
    }

    #[test]
    fn keys_and_tags_are_trimmed_and_bounded() {
        assert_eq!(checked_key("  a b "), Ok("a b".into()));
        assert!(checked_key(" ").is_err() && checked_key("a\nb").is_err() && checked_key(&"k".repeat(101)).is_err());
        assert_eq!(checked_tags(["b", "a", " b"].into_iter()), Ok(vec!["a".into(), "b".into()]));
        let many: Vec<String> = (0..17).map(|n| n.to_string()).collect();
        assert!(checked_tags(many.iter().map(String::as_str)).is_err());
    }
}
