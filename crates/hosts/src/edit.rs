//! Toolgate's entry put into the text of a host's file, and taken out again; every other byte stays.
//!
//! The new text is read again and held against what was meant before anybody sees it: whatever a library makes of an
//! unusual file, a change that says more than it should is refused.

use serde_json::{Map, Value};

use crate::entry::leads_to_toolgate;
use crate::host::Syntax;
use crate::json::Change;
use crate::{Entry, Fault, Host, json, toml};

/// The mark that some editors of Windows begin a file with.
const BOM: char = '\u{feff}';

/// The text with `entry` under `name`, and without the servers of the names in `without`.
///
/// # Errors
/// The text cannot be read, or another server has that name.
pub fn connect(host: Host, text: &str, name: &str, entry: &Entry, without: &[String]) -> Result<String, Fault> {
    let mut wanted = meaning(host, text)?;
    let there = servers_of(host, &wanted).and_then(|servers| servers.get(name));
    if there.is_some_and(|there| !leads_to_toolgate(there)) {
        let message = format!("another server is called `{name}` there; give toolgate another name with `--name`");
        return Err(Fault::new(message));
    }
    let mut changes: Vec<Change<'_>> = without.iter().map(|name| Change::Remove(name)).collect();
    let written = entry.written(host).into_iter().map(|(key, value)| (key.to_owned(), value));
    changes.push(Change::Put(name, written.collect()));
    let servers = servers_mut(host, &mut wanted)?;
    without.iter().for_each(|name| drop(servers.remove(name)));
    servers.insert(name.to_owned(), entry.as_value(host));
    apply(host, text, changes, &wanted)
}

/// What [`disconnect`] made of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disconnected {
    /// The new text.
    pub text: String,
    /// The servers that were put back.
    pub restored: Vec<String>,
    /// Whether toolgate's entry was there to be taken out.
    pub was_there: bool,
}

/// The text without toolgate's entry, and with the servers of `before` that are named and not there.
///
/// # Errors
/// A text cannot be read.
pub fn disconnect(host: Host, text: &str, name: &str, before: &str, removed: &[String]) -> Result<Disconnected, Fault> {
    let (mut wanted, old) = (meaning(host, text)?, meaning(host, before)?);
    let had_list = old.get(host.list()).is_some();
    let there = servers_of(host, &wanted).cloned().unwrap_or_default();
    let old = servers_of(host, &old).cloned().unwrap_or_default();
    let was_there = there.get(name).is_some_and(leads_to_toolgate);
    let mut changes = Vec::new();
    if was_there {
        changes.push(Change::Remove(name));
        servers_mut(host, &mut wanted)?.remove(name);
    }
    let mut restored = Vec::new();
    for name in removed.iter().filter(|name| !there.contains_key(*name)) {
        if let Some(Value::Object(entry)) = old.get(name) {
            changes.push(Change::Put(name, entry.clone().into_iter().collect()));
            servers_mut(host, &mut wanted)?.insert(name.clone(), Value::Object(entry.clone()));
            restored.push(name.clone());
        }
    }
    if !had_list && was_there && servers_of(host, &wanted).is_some_and(Map::is_empty) {
        changes.push(Change::RemoveEmptyList);
        wanted.as_object_mut().and_then(|root| root.remove(host.list()));
    }
    let text = if changes.is_empty() { text.to_owned() } else { apply(host, text, changes, &wanted)? };
    Ok(Disconnected { text, restored, was_there })
}

/// Whether the text has an entry of this name that leads to toolgate.
///
/// # Errors
/// The text cannot be read.
pub fn is_connected(host: Host, text: &str, name: &str) -> Result<bool, Fault> {
    let meaning = meaning(host, text)?;
    Ok(servers_of(host, &meaning).and_then(|servers| servers.get(name)).is_some_and(leads_to_toolgate))
}

fn apply(host: Host, text: &str, changes: Vec<Change<'_>>, wanted: &Value) -> Result<String, Fault> {
    let (mark, body) = match text.strip_prefix(BOM) {
        Some(body) => (&text[..BOM.len_utf8()], body),
        None => ("", text),
    };
    let changed = match host.syntax() {
        Syntax::Json => json::change(body, host.list(), changes)?,
        Syntax::Toml => toml::change(body, host.list(), changes)?,
    };
    if without_nothing(meaning(host, &changed)?) != without_nothing(wanted.clone()) {
        return Err(Fault::new("the file is written in a way that toolgate cannot change; change it by hand"));
    }
    Ok(format!("{mark}{changed}"))
}

fn meaning(host: Host, text: &str) -> Result<Value, Fault> {
    let body = text.strip_prefix(BOM).unwrap_or(text);
    match host.syntax() {
        Syntax::Json => json::meaning(body, host.list()),
        Syntax::Toml => toml::meaning(body),
    }
}

/// What was `null` may have become a map; an empty one says the same.
fn without_nothing(mut value: Value) -> Value {
    if let Some(root) = value.as_object_mut() {
        root.retain(|_, value| !value.is_null() && value.as_object().is_none_or(|map| !map.is_empty()));
    }
    value
}

fn servers_of(host: Host, root: &Value) -> Option<&Map<String, Value>> {
    root.get(host.list())?.as_object()
}

fn servers_mut(host: Host, root: &mut Value) -> Result<&mut Map<String, Value>, Fault> {
    let list = host.list();
    let wrong = || Fault::new(format!("`{list}` is not a map of servers"));
    let servers = root.as_object_mut().ok_or_else(wrong)?.entry(list).or_insert(Value::Null);
    if servers.is_null() {
        *servers = Value::Object(Map::new());
    }
    servers.as_object_mut().ok_or_else(wrong)
}
