//! What looks like a secret in an entry, and how it comes out of the file: into a variable of an env file.
//!
//! Of `env` and `headers` a value is taken for a secret by its name; anywhere else, and under any name, by its shape: the
//! beginnings that the makers of tokens give them so that scanners find them.

use std::collections::HashSet;

use super::Variables;
use crate::env_file;
use crate::node::{Node, Value};
use crate::secret::Secret;
use crate::sources::Sources;

/// Parts of names of variables and headers, in capitals, with `_` for `-`.
const NAMES: [&str; 14] = [
    "TOKEN",
    "KEY",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "AUTHORIZATION",
    "CREDENTIAL",
    "COOKIE",
    "PASSPHRASE",
    "PRIVATE",
    "PAT",
    "DSN",
    "CONNECTION_STRING",
    "DATABASE_URL",
];

/// Names that have such a part and hold none.
const HARMLESS: [&str; 6] = ["PATH", "KEYBOARD", "KEYMAP", "MAX_TOKENS", "TOKEN_LIMIT", "PATTERN"];

/// How tokens begin: GitHub, OpenAI and Anthropic, Slack, GitLab, AWS, Google, npm, Hugging Face, Notion, Linear, Figma, Stripe,
/// Sentry, Atlassian, DigitalOcean, JSON web tokens.
const SHAPES: [&str; 26] = [
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "sk-",
    "xoxb-",
    "xoxp-",
    "xapp-",
    "glpat-",
    "AKIA",
    "AIza",
    "ya29.",
    "npm_",
    "hf_",
    "ntn_",
    "lin_api_",
    "figd_",
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "sntrys_",
    "ATATT",
    "dop_v1_",
    "eyJ",
];

/// The least characters of a token of such a shape.
const MIN_TOKEN: usize = 16;

/// Moves secrets, or counts them.
pub(super) struct Keeper<'a> {
    moves: bool,
    sources: &'a Sources<'a>,
    /// What the file holds already.
    kept: Variables,
    /// Names and values, in order.
    pub(super) moved: Vec<(String, String)>,
    pub(super) in_the_open: usize,
}

// === impl Keeper ===

impl<'a> Keeper<'a> {
    pub(super) fn new(moves: bool, sources: &'a Sources<'a>, kept: Vec<(String, Secret)>) -> Self {
        Self { moves, sources, kept: kept.into_iter().collect(), moved: Vec::new(), in_the_open: 0 }
    }

    /// Puts variables in the place of the secrets of an upstream.
    pub(super) fn keep(&mut self, upstream: &str, entry: &mut Node) {
        let mut unmoved = 0;
        each_secret(entry, &mut |hint, secret| {
            let variable = self.moves.then(|| self.variable(upstream, hint, secret)).flatten();
            unmoved += usize::from(variable.is_none());
            variable.map(|name| format!("${{{name}}}"))
        });
        self.in_the_open += unmoved;
    }

    /// The variable that holds a secret from now on; `None` where no file can hold it. The server's name is part of it, since
    /// the environment wins: a `DSN` that somebody sets for something else must not reach this server.
    fn variable(&mut self, upstream: &str, hint: &str, secret: &str) -> Option<String> {
        let value = secret.replace("$${", "${");
        env_file::line("X", &value)?;
        let (own, hint) = (word(upstream), word(hint));
        let long = if hint.starts_with(&format!("{own}_")) { hint.clone() } else { format!("{own}_{hint}") };
        let more = (2..100).map(|count| format!("{long}_{count}"));
        let name = [long.clone()].into_iter().chain(more).find(|name| self.is_free_for(name, &value))?;
        let there = self.kept.contains_key(&name) || self.moved.iter().any(|(moved, _)| *moved == name);
        if !there {
            self.moved.push((name.clone(), value));
        }
        Some(name)
    }

    /// Whether a variable is not set, or to this very value.
    fn is_free_for(&self, name: &str, value: &str) -> bool {
        let legal = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let moved = self.moved.iter().find(|(moved, _)| moved == name);
        let of_file = self.kept.get(name).is_none_or(|kept| kept.reveal() == value);
        let of_process = (self.sources.env)(name).is_none_or(|set| set == value);
        legal && of_file && of_process && moved.is_none_or(|(_, moved)| moved == value)
    }

    /// The text of the file with what was moved at its end.
    pub(super) fn file(&self, text: &str) -> String {
        let mut file = text.to_owned();
        if !file.is_empty() && !file.ends_with('\n') {
            file.push('\n');
        }
        for line in self.moved.iter().filter_map(|(name, value)| env_file::line(name, value)) {
            file.push_str(&line);
            file.push('\n');
        }
        file
    }
}

/// An entry as it may be shown.
pub(super) fn masked(entry: &Node) -> Node {
    let mut entry = entry.clone();
    each_secret(&mut entry, &mut |_, _| Some("****".to_owned()));
    entry
}

/// Calls with each secret and a word for it, and puts the answer in its place.
fn each_secret(entry: &mut Node, answer: &mut dyn FnMut(&str, &str) -> Option<String>) {
    let Value::Map(pairs) = &mut entry.value else { return };
    for (key, value) in pairs {
        match (key.as_text().unwrap_or_default(), &mut value.value) {
            ("env" | "headers", Value::Map(values)) => {
                for (name, value) in values {
                    of_name(name.as_text().unwrap_or_default(), value, answer);
                }
            }
            ("url", Value::Text(text)) => of_shape("url token", text, answer),
            ("args", Value::List(items)) => {
                for item in items {
                    if let Value::Text(text) = &mut item.value {
                        of_shape("token", text, answer);
                    }
                }
            }
            _ => {}
        }
    }
}

/// A value under a name.
fn of_name(name: &str, value: &mut Node, answer: &mut dyn FnMut(&str, &str) -> Option<String>) {
    let (Value::Text(text) | Value::Number(text)) = &value.value else { return };
    let refers = text.replace("$${", "").contains("${");
    let upper = word(name);
    let named = NAMES.iter().any(|part| upper.contains(part)) && !HARMLESS.iter().any(|word| upper.ends_with(word));
    if refers || text.is_empty() {
        return;
    }
    if !named {
        let mut text = text.clone();
        of_shape(name, &mut text, answer);
        if value.as_text().is_some_and(|old| old != text) {
            *value = value.text_like(&text);
        }
        return;
    }
    // The scheme of a header is no secret, and says what the rest is.
    let scheme = text.split_once(' ').filter(|(scheme, rest)| {
        !rest.is_empty() && ["bearer", "basic", "token"].contains(&scheme.to_ascii_lowercase().as_str())
    });
    let (scheme, secret) = scheme.map_or(("", text.as_str()), |(scheme, rest)| (scheme, rest));
    if let Some(other) = answer(name, secret) {
        let space = if scheme.is_empty() { "" } else { " " };
        *value = value.text_like(&format!("{scheme}{space}{other}"));
    }
}

/// The tokens and passwords within a text.
fn of_shape(hint: &str, text: &mut String, answer: &mut dyn FnMut(&str, &str) -> Option<String>) {
    let found: Vec<String> = tokens(text).into_iter().map(str::to_owned).collect();
    for secret in found {
        if let Some(other) = answer(hint, &secret) {
            *text = text.replace(&secret, &other);
        }
    }
}

fn tokens(text: &str) -> Vec<&str> {
    let mut seen = HashSet::new();
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "_-.".contains(c)));
    let of_shape = |word: &&str| word.len() >= MIN_TOKEN && SHAPES.iter().any(|shape| word.starts_with(shape));
    let password = || {
        let (_, rest) = text.split_once("://")?;
        let (user, _) = rest.split(['/', '?']).next()?.rsplit_once('@')?;
        user.split_once(':').map(|(_, password)| password)
    };
    let password = password().filter(|password| password.len() > 3 && !password.contains("${"));
    words.filter(of_shape).chain(password).filter(|token| seen.insert(*token)).collect()
}

/// A name as variables are written.
fn word(name: &str) -> String {
    let word = name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
    let word: String = word.collect();
    word.trim_matches('_').to_owned()
}
