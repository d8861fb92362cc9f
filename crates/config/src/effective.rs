//! Every value that is in force, with the place that it is from: what `toolgate config` and the control API show.
//!
//! Values are shown as they were written, so that what a variable holds stays where it is; what may be a secret and stands in the
//! file itself is masked.

use serde_json::Value;

use crate::file::File;
use crate::node::{Node, Place, Tree};
use crate::show;

/// A value that is in force.
#[derive(Debug, Clone, PartialEq)]
pub struct InForce {
    /// The keys that lead to it: `upstreams.files.args`.
    pub key: String,
    /// The value as written, secrets masked.
    pub value: Value,
    /// Who says so.
    pub source: Source,
}

/// Who says a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Nobody: it is the default.
    Default,
    /// The file, at this place.
    File(Place),
    /// It was set over the control API.
    Api,
}

/// Keys of which every value below is somebody's secret unless it is a variable.
const SECRET: [&str; 5] = ["env", "environment", "headers", "keys", "token"];
/// What stands in the place of one.
const MASK: &str = "****";

/// All values of a file.
pub(crate) fn in_force(file: &File, root: &Node, tree: &Tree) -> Vec<InForce> {
    let mut all = Vec::new();
    if let Ok(value) = serde_json::to_value(file) {
        collect(&value, Some(root), tree, Path::default(), &mut all);
    }
    all
}

/// A part of a config as it may be shown: what may be a secret and stands in it literally is masked.
pub fn masked(value: &Value) -> Value {
    shown(value, &Path::default())
}

/// A part of a config that somebody was shown masked and gives back, with what was masked as it is in `before`.
///
/// # Errors
/// The key of a masked value that `before` knows nothing of.
pub fn unmasked(value: &Value, before: Option<&Value>) -> Result<Value, String> {
    restored(value, before.unwrap_or(&Value::Null), &Path::default())
}

fn restored(value: &Value, before: &Value, path: &Path) -> Result<Value, String> {
    if *value == shown(before, path) {
        return Ok(before.clone());
    }
    match value {
        Value::Object(members) => {
            let restored = members.iter().map(|(key, value)| {
                let before = before.get(key).unwrap_or(&Value::Null);
                Ok((key.clone(), restored(value, before, &path.then(key))?))
            });
            restored.collect()
        }
        Value::Array(items) => {
            let before = |at: usize| before.get(at).unwrap_or(&Value::Null);
            items.iter().enumerate().map(|(at, item)| restored(item, before(at), path)).collect()
        }
        Value::String(text) if path.is_masked(text) => Err(path.text.clone()),
        other => Ok(other.clone()),
    }
}

#[derive(Default)]
struct Path {
    text: String,
    is_secret: bool,
    is_url: bool,
}

impl Path {
    fn then(&self, key: &str) -> Self {
        let text = match (self.text.is_empty(), key.contains('.')) {
            (true, _) => key.to_owned(),
            (false, false) => format!("{}.{key}", self.text),
            (false, true) => format!("{}.{key:?}", self.text),
        };
        Self { text, is_secret: self.is_secret || SECRET.contains(&key), is_url: matches!(key, "url" | "store") }
    }

    /// Whether a text here was masked rather than written.
    fn is_masked(&self, text: &str) -> bool {
        match self.is_secret {
            true => text == MASK,
            false => (self.is_url && text.contains(MASK)) || text.contains(show::MASKED_KEY),
        }
    }
}

fn collect(value: &Value, node: Option<&Node>, tree: &Tree, path: Path, all: &mut Vec<InForce>) {
    let source = match node {
        None => Source::Default,
        Some(node) if tree.is_grafted(node.spot) => Source::Api,
        Some(node) => Source::File(tree.place(node.spot)),
    };
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, value) in members {
                collect(value, node.and_then(|node| node.get(key)), tree, path.then(key), all);
            }
        }
        // What is neither given nor has a default is not there.
        Value::Null | Value::Object(_) => {}
        Value::Array(items) if items.is_empty() && node.is_none() => {}
        other => all.push(InForce { key: path.text.clone(), value: shown(other, &path), source }),
    }
}

fn shown(value: &Value, path: &Path) -> Value {
    match value {
        Value::String(text) => Value::String(text_shown(text, path)),
        Value::Array(items) => Value::Array(items.iter().map(|item| shown(item, path)).collect()),
        Value::Object(members) => {
            members.iter().map(|(key, value)| (key.clone(), shown(value, &path.then(key)))).collect()
        }
        Value::Number(_) if path.is_secret => MASK.into(),
        other => other.clone(),
    }
}

fn text_shown(text: &str, path: &Path) -> String {
    let is_variable = text.contains("${");
    if path.is_secret && !is_variable {
        return MASK.to_owned();
    }
    let masked = |part: &str| if part.contains("${") { part.to_owned() } else { MASK.to_owned() };
    let text = if path.is_url { url_with(text, masked) } else { text.to_owned() };
    show::line(&text, &[]).unwrap_or_else(|| MASK.to_owned())
}

/// A URL as it may be shown: without what may let somebody in, the part before the `@` and what follows the `?`.
pub fn url_shown(url: &str) -> String {
    url_with(url, |_| MASK.to_owned())
}

fn url_with(url: &str, masked: impl Fn(&str) -> String) -> String {
    let (url, query) = match url.split_once('?') {
        Some((url, query)) => (url, format!("?{}", masked(query))),
        None => (url, String::new()),
    };
    let begins = url.find("://").map_or(0, |at| at + 3);
    let (scheme, rest) = url.split_at(begins);
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let authority = match authority.rsplit_once('@') {
        Some((user, host)) => format!("{}@{host}", masked(user)),
        None => authority.to_owned(),
    };
    format!("{scheme}{authority}{path}{query}")
}
