//! One entry of a client's file, as it would stand in a file of ours.

use std::collections::HashSet;
use std::path::Path;

use super::{Candidate, Dollar, write};
use crate::fault::Report;
use crate::fill::{closing_brace, input_variable, is_variable, split_default};
use crate::load::{base_folder, parse};
use crate::node::{Node, Value};
use crate::sources::Sources;
use crate::{entry, json, syntax};

/// What an entry is.
pub(super) enum Read {
    /// A server, in our words.
    Entry {
        entry: Node,
        notes: Vec<String>,
    },
    Ourselves,
}

/// The entry in our words, or why it is none.
pub(super) fn read(candidate: &Candidate<'_>, base: &Path, sources: &Sources<'_>) -> Result<Read, String> {
    if candidate.json.len() > syntax::MAX_BYTES {
        return Err(format!("larger than {} MiB", syntax::MAX_BYTES >> 20));
    }
    let mut report = Report::default();
    let tree = json::read(candidate.json, &mut report).map_err(|error| error.message)?;
    if !report.is_clean() {
        return Err(report.words().0.join("; "));
    }
    let mut theirs = tree.root;
    let key = theirs.text_like(candidate.name);
    if entry::is_ourselves(&key, &theirs) {
        return Ok(Read::Ourselves);
    }
    if entry::is_an_extension(&theirs) {
        return Err("Zed runs it as an extension of its own; there is no command to take over".to_owned());
    }
    if !theirs.is_map() {
        return Err(format!("a server is a map, and this is {}", theirs.kind()));
    }
    each_text(&mut theirs, &mut |text| translate(text, candidate));
    let ours = entry::translate(&theirs, &mut report);
    let (faults, mut notes) = report.words();
    if ours.get("transport").is_some_and(Node::is_hole) {
        return Err(faults.join("; "));
    }
    let mut entry = without_holes(&ours, &mut notes);
    drop_company(&mut entry, &mut notes);
    settle(&mut entry, candidate, base, sources);
    if candidate.project.is_none() && candidate.json.contains("${workspaceFolder") {
        notes.push("`${workspaceFolder}` is the folder of toolgate.yaml here, whatever the client has open".to_owned());
    }
    arrange(&mut entry);
    Ok(Read::Entry { entry, notes })
}

/// Keys that are not known are left out: the client overlooks them too.
fn without_holes(entry: &Node, notes: &mut Vec<String>) -> Node {
    let (holes, whole): (Vec<_>, Vec<_>) = entry.pairs().iter().cloned().partition(|(_, value)| value.is_hole());
    notes.extend(holes.iter().map(|(key, _)| {
        format!("`{}` is left out: toolgate does not know it", crate::show::brief(key.as_text().unwrap_or_default()))
    }));
    super::map(entry, whole)
}

/// What means nothing for this kind of server, and what says nothing.
fn drop_company(entry: &mut Node, notes: &mut Vec<String>) {
    let has_url = entry.get("url").is_some();
    let strange: &[&str] = match has_url && entry.get("command").is_none() {
        true => &["args", "env", "env_file", "env_allow", "cwd"],
        false if !has_url => &["headers", "transport"],
        false => &[],
    };
    let Value::Map(pairs) = &mut entry.value else { return };
    pairs.retain(|(key, value)| {
        let key = key.as_text().unwrap_or_default();
        let empty = matches!(&value.value, Value::Map(pairs) if pairs.is_empty())
            || matches!(&value.value, Value::List(items) if items.is_empty())
            || matches!(&value.value, Value::Null);
        let strange = strange.contains(&key);
        if strange && !empty {
            notes.push(format!("`{key}` is left out: it means nothing for such a server"));
        }
        let default = key == "enabled" && value.as_bool() == Some(true);
        !(strange || empty || default)
    });
}

/// Paths that were meant from where the client's file is, and the folder that a project's server runs in.
fn settle(entry: &mut Node, candidate: &Candidate<'_>, base: &Path, sources: &Sources<'_>) {
    let theirs = candidate.project.map_or_else(|| base_folder(candidate.file, sources), Path::to_owned);
    if theirs == base {
        return;
    }
    let whole = |text: &str| {
        let fixed = text.starts_with(['/', '~', '$']) || Path::new(text).is_absolute();
        (!fixed).then(|| sources.resolve(&theirs, text).display().to_string())
    };
    let like = entry.clone();
    let Value::Map(pairs) = &mut entry.value else { return };
    for (key, value) in pairs.iter_mut() {
        let is_path = match (key.as_text(), value.as_text()) {
            (Some("cwd" | "env_file"), _) => true,
            (Some("command"), Some(command)) => command.contains('/'),
            _ => false,
        };
        if let Some(path) = value.as_text().filter(|_| is_path).and_then(whole) {
            *value = value.text_like(&path);
        }
    }
    let runs = pairs.iter().any(|(key, _)| key.as_text() == Some("command"));
    let has_folder = pairs.iter().any(|(key, _)| key.as_text() == Some("cwd"));
    if runs && !has_folder && candidate.project.is_some() {
        pairs.push((like.text_like("cwd"), like.text_like(&theirs.display().to_string())));
    }
}

/// The keys in the order in which people write them.
fn arrange(entry: &mut Node) {
    const ORDER: [&str; 9] = ["enabled", "command", "args", "cwd", "env_file", "env", "url", "transport", "headers"];
    if let Value::Map(pairs) = &mut entry.value {
        let rank = |key: &Node| ORDER.iter().position(|known| Some(*known) == key.as_text()).unwrap_or(ORDER.len());
        pairs.sort_by_key(|(key, _)| rank(key));
    }
}

/// Whether two entries mean the same, whatever the order of their keys.
pub(super) fn same(one: &Node, other: &Node) -> bool {
    match (&one.value, &other.value) {
        (Value::Map(one), Value::Map(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, value)| {
                    other.iter().any(|(its, other)| its.as_text() == key.as_text() && same(value, other))
                })
        }
        (Value::List(one), Value::List(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Text(one) | Value::Number(one), Value::Text(other) | Value::Number(other)) => one == other,
        (Value::Bool(one), Value::Bool(other)) => one == other,
        (Value::Null, Value::Null) => true,
        _ => false,
    }
}

/// The variables that the entry needs and that are not set.
pub(super) fn unset(entry: &Node, sources: &Sources<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    each_text(&mut entry.clone(), &mut |text| {
        each_reference(text, &mut |inner| {
            let (name, default) = split_default(inner);
            let name = name.strip_prefix("env:").unwrap_or(name);
            let folder = matches!(name, "userHome" | "cwd" | "workspaceFolder" | "workspaceRoot")
                || name.starts_with("workspaceFolder")
                || name == "pathSeparator";
            let missing = is_variable(name) && !folder && default.is_none() && (sources.env)(name).is_none();
            if missing && seen.insert(name.to_owned()) {
                found.push(name.to_owned());
            }
            None
        });
        None
    });
    found
}

/// Puts `enabled: false` at the front.
pub(super) fn disable(entry: &mut Node) {
    let (key, off) = (entry.text_like("enabled"), entry.like(Value::Bool(false)));
    if let Value::Map(pairs) = &mut entry.value {
        pairs.retain(|(key, _)| key.as_text() != Some("enabled"));
        pairs.insert(0, (key, off));
    }
}

/// Whether a config with this entry alone has no fault.
pub(super) fn check(name: &str, entry: &Node, base: &Path, sources: &Sources<'_>) -> Result<(), String> {
    let mut text = "upstreams:\n".to_owned();
    write::block(name, entry, 2, &mut text);
    match parse(&text, &base.join("toolgate.yaml"), sources) {
        Ok(_) => Ok(()),
        Err(faults) => {
            let words = |fault: &crate::Fault| match &fault.help {
                Some(help) => format!("{}; {help}", fault.message),
                None => fault.message.clone(),
            };
            Err(faults.iter().map(words).collect::<Vec<_>>().join("; "))
        }
    }
}

/// The text as it would be written here.
fn translate(text: &str, candidate: &Candidate<'_>) -> Option<String> {
    match candidate.dollar {
        Dollar::Literal => text.contains("${").then(|| text.replace("${", "$${")),
        Dollar::Bare => Some(with_braces(text)),
        Dollar::Braces => each_reference(text, &mut |inner| {
            let folder = candidate.project.map(|folder| folder.display().to_string());
            match inner.split_once(':') {
                Some(("input", id)) => {
                    let input = candidate.inputs.iter().find(|(other, _)| other == id);
                    let variable = input_variable(id);
                    Some(match input.and_then(|(_, default)| default.as_deref()) {
                        Some(default) => format!("${{{variable}:-{default}}}"),
                        None => format!("${{{variable}}}"),
                    })
                }
                _ if matches!(inner, "workspaceFolder" | "workspaceRoot" | "cwd") => folder,
                _ => None,
            }
        }),
    }
}

/// `$VAR` as `${VAR}`.
fn with_braces(text: &str) -> String {
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        whole.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let length = rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        if is_variable(&rest[..length]) {
            whole.push_str(&format!("${{{}}}", &rest[..length]));
            rest = &rest[length..];
        } else {
            whole.push('$');
        }
    }
    whole + rest
}

/// Calls with what stands in each `${…}`; the text with what it was answered, if there was an answer.
fn each_reference(text: &str, answer: &mut dyn FnMut(&str) -> Option<String>) -> Option<String> {
    let mut whole = String::with_capacity(text.len());
    let (mut rest, mut changed) = (text, false);
    while let Some(at) = rest.find("${") {
        let (before, reference) = rest.split_at(at);
        whole.push_str(before);
        let end = closing_brace(reference).filter(|_| !before.ends_with('$'));
        let Some(end) = end else {
            whole.push_str("${");
            rest = &reference[2..];
            continue;
        };
        match answer(&reference[2..end]) {
            Some(other) => {
                changed = true;
                whole.push_str(&other);
            }
            None => whole.push_str(&reference[..=end]),
        }
        rest = &reference[end + 1..];
    }
    changed.then(|| whole + rest)
}

/// Calls with each text below a node that is no key, and puts the answer in its place.
pub(super) fn each_text(node: &mut Node, answer: &mut dyn FnMut(&str) -> Option<String>) {
    match &mut node.value {
        Value::Text(text) => {
            if let Some(other) = answer(text) {
                *text = other;
            }
        }
        Value::List(items) => items.iter_mut().for_each(|item| each_text(item, answer)),
        Value::Map(pairs) => pairs.iter_mut().for_each(|(_, value)| each_text(value, answer)),
        _ => {}
    }
}
