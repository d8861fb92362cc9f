//! Text of the file as it may be shown: without secrets, and without what a terminal would act upon.
//!
//! A fault shows the line it is about, and that text ends up in terminals, CI logs and bug reports.

use crate::node::{Node, Value};

/// The longest line that is shown at all.
const MAX_LINE: usize = 4096;

/// The shortest of what stands in the place of a key.
pub(crate) const MASKED_KEY: &str = "********************";

/// The most secrets that a line is held against.
const MAX_SECRETS: usize = 1000;

/// Literal values under `env` and `headers` anywhere in the file, longest first.
pub(crate) fn secrets_of(root: &Node) -> Vec<String> {
    let mut found = Vec::new();
    collect(root, false, &mut found);
    found.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    found.dedup();
    found
}

fn collect(node: &Node, secret: bool, found: &mut Vec<String>) {
    match &node.value {
        Value::Map(pairs) => {
            for (key, value) in pairs {
                let name = key.as_text().unwrap_or_default();
                let holds = value.is_map() && matches!(name, "env" | "headers" | "environment");
                collect(value, secret || holds, found);
            }
        }
        Value::List(items) => items.iter().for_each(|item| collect(item, secret, found)),
        Value::Text(text) | Value::Number(text) if secret && text.len() > 3 && !text.contains("${") => {
            found.push(text.clone());
        }
        _ => {}
    }
}

/// The line with those values, and whatever looks like a key, masked; every other character keeps its column.
///
/// `None` where masking would cost too much: a file without line breaks, or one that is mostly secrets.
pub(crate) fn line(line: &str, secrets: &[String]) -> Option<String> {
    if line.len() > MAX_LINE || secrets.len() > MAX_SECRETS {
        return None;
    }
    let mut shown = line.to_owned();
    for secret in secrets {
        shown = shown.replace(secret.as_str(), &stars(secret));
    }
    let mut masked = String::with_capacity(shown.len());
    let mut word = String::new();
    for c in shown.chars().chain(std::iter::once(' ')) {
        if c.is_ascii_alphanumeric() || "_-.+/=~".contains(c) {
            word.push(c);
        } else {
            if looks_like_key(&word) {
                word = stars(&word);
            }
            masked.push_str(&word);
            word.clear();
            masked.push(c);
        }
    }
    masked.truncate(masked.len() - 1);
    Some(masked)
}

/// Twenty or more characters that mix digits with letters and are neither a path nor a package.
fn looks_like_key(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let letters = word.bytes().filter(u8::is_ascii_alphabetic).count();
    word.len() >= MASKED_KEY.len() && digits >= 3 && letters >= 6 && !word.contains('/') && !word.contains("..")
}

fn stars(text: &str) -> String {
    "*".repeat(text.chars().count())
}

/// The beginning of a text.
pub(crate) fn brief(text: &str) -> String {
    let mut short: String = text.chars().take(40).map(harmless).collect();
    if text.chars().nth(40).is_some() {
        short.push('…');
    }
    short
}

/// A text on one line, without what a terminal would act upon.
pub(crate) fn text(text: &str) -> String {
    text.chars().map(harmless).collect()
}

/// A space for control characters and for those that change the direction of text or cannot be seen.
pub(crate) fn harmless(c: char) -> char {
    let hidden = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    if c.is_control() || hidden { ' ' } else { c }
}
