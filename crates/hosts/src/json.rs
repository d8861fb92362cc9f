//! JSON, with the comments and trailing commas that hosts allow: read with places, changed without touching the rest.

use std::collections::HashSet;
use std::path::PathBuf;

use jsonc_parser::ast::{Object, Value as Ast};
use jsonc_parser::common::Ranged;
use jsonc_parser::cst::{CstInputValue, CstObject, CstRootNode};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde_json::Value;

use crate::{Fault, Host, Input, Listed, Server};

/// What VS Code takes as JSONC, and no more.
const OPTIONS: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// The servers of a text.
pub(crate) fn listed(host: Host, text: &str) -> Result<Listed, Fault> {
    let Some(root) = root(text)? else { return Ok(Listed::default()) };
    let mut listed = Listed::default();
    servers(text, &root, host.list(), None, &mut listed.servers)?;
    if host == Host::ClaudeCode {
        for project in object(text, &root, "projects")?.map(|projects| &projects.properties[..]).unwrap_or_default() {
            if let Ast::Object(settings) = &project.value {
                let folder = PathBuf::from(project.name.as_str());
                servers(text, settings, host.list(), Some(folder), &mut listed.servers)?;
            }
        }
    }
    if host == Host::VsCode {
        listed.inputs = inputs(&root);
    }
    Ok(listed)
}

fn servers(
    text: &str,
    map: &Object<'_>,
    list: &str,
    project: Option<PathBuf>,
    found: &mut Vec<Server>,
) -> Result<(), Fault> {
    for property in object(text, map, list)?.map(|list| &list.properties[..]).unwrap_or_default() {
        let range = property.value.range();
        let json = text.get(range.start..range.end).unwrap_or_default().to_owned();
        found.push(Server { name: property.name.as_str().to_owned(), json, project: project.clone() });
    }
    Ok(())
}

fn inputs(root: &Object<'_>) -> Vec<Input> {
    let Some(inputs) = root.get_array("inputs") else { return Vec::new() };
    let text = |input: &Object<'_>, key: &str| input.get_string(key).map(|text| text.value.to_string());
    let input = |value: &Ast<'_>| {
        let input = value.as_object()?;
        let description = text(input, "description").unwrap_or_default();
        Some(Input { id: text(input, "id")?, default: text(input, "default"), description })
    };
    inputs.elements.iter().filter_map(input).collect()
}

/// The map that a file is; `None` when there is nothing in it.
fn root(text: &str) -> Result<Option<Object<'_>>, Fault> {
    let parsed = parse_to_ast(text, &CollectOptions::default(), &OPTIONS)
        .map_err(|error| Fault::at(text, error.range().start, format!("not JSON: {}", error.kind())))?;
    match parsed.value {
        None => Ok(None),
        Some(Ast::Object(map)) => {
            check_twins(text, &map)?;
            Ok(Some(map))
        }
        Some(other) => Err(Fault::at(text, other.range().start, "not a map; a host's file begins with `{`")),
    }
}

/// The map under a key; an error if there is something else.
fn object<'a, 'b>(text: &str, map: &'b Object<'a>, key: &str) -> Result<Option<&'b Object<'a>>, Fault> {
    let Some(property) = map.get(key) else { return Ok(None) };
    match &property.value {
        Ast::Object(inner) => {
            check_twins(text, inner)?;
            Ok(Some(inner))
        }
        Ast::NullKeyword(_) => Ok(None),
        other => Err(Fault::at(text, other.range().start, format!("`{key}` is not a map"))),
    }
}

/// Of two keys that are the same, hosts take the one or the other; whoever changes such a file must guess.
fn check_twins(text: &str, map: &Object<'_>) -> Result<(), Fault> {
    let mut seen = HashSet::new();
    for property in &map.properties {
        if !seen.insert(property.name.as_str()) {
            let message = format!("`{}` is given twice; remove one of the two", property.name.as_str());
            return Err(Fault::at(text, property.range().start, message));
        }
    }
    Ok(())
}

/// One change of the list of servers.
pub(crate) enum Change<'a> {
    /// Sets the entry of this name.
    Put(&'a str, Vec<(String, Value)>),
    /// Takes the entry of this name out.
    Remove(&'a str),
    /// Takes the whole list out if nothing is left in it.
    RemoveEmptyList,
}

/// The text with these changes, and else as it is.
pub(crate) fn change(text: &str, list: &str, changes: Vec<Change<'_>>) -> Result<String, Fault> {
    if text.trim().is_empty() {
        return Ok(fresh(list, changes));
    }
    let Some(_) = root(text)? else {
        // Comments only.
        return Ok(format!("{}\n{}", text.trim_end_matches(['\r', '\n']), fresh(list, changes)));
    };
    let tree = CstRootNode::parse(text, &OPTIONS)
        .map_err(|error| Fault::at(text, error.range().start, format!("not JSON: {}", error.kind())))?;
    let root = tree.object_value().ok_or_else(|| Fault::new("not a map; a host's file begins with `{`"))?;
    for change in changes {
        match change {
            Change::Put(name, entry) => put(&root, list, name, entry)?,
            Change::Remove(name) => {
                let property = root.object_value(list).and_then(|list| list.get(name));
                property.into_iter().for_each(|property| property.remove());
            }
            Change::RemoveEmptyList => {
                let empty = root.object_value(list).is_some_and(|list| list.properties().is_empty());
                root.get(list).filter(|_| empty).into_iter().for_each(|property| property.remove());
            }
        }
    }
    Ok(tree.to_string())
}

fn put(root: &CstObject, list: &str, name: &str, entry: Vec<(String, Value)>) -> Result<(), Fault> {
    let servers = match root.get(list) {
        None => root.append(list, CstInputValue::Object(Vec::new())).object_value(),
        Some(property) => match property.object_value() {
            None if property.value().is_some_and(|value| value.as_null_keyword().is_some()) => {
                Some(property.object_value_or_set())
            }
            there => there,
        },
    };
    let servers = servers.ok_or_else(|| Fault::new(format!("`{list}` is not a map")))?;
    let value = CstInputValue::Object(entry.into_iter().map(|(key, value)| (key, input(value))).collect());
    match servers.get(name) {
        Some(property) => property.set_value(value),
        None => drop(servers.append(name, value)),
    }
    Ok(())
}

/// A file with nothing else in it.
fn fresh(list: &str, changes: Vec<Change<'_>>) -> String {
    let mut servers = serde_json::Map::new();
    for change in changes {
        if let Change::Put(name, entry) = change {
            servers.insert(name.to_owned(), Value::Object(entry.into_iter().collect()));
        }
    }
    if servers.is_empty() {
        return String::new();
    }
    let root = Value::Object([(list.to_owned(), Value::Object(servers))].into_iter().collect());
    format!("{root:#}\n")
}

fn input(value: Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(value) => CstInputValue::Bool(value),
        Value::Number(number) => CstInputValue::Number(number.to_string()),
        Value::String(text) => CstInputValue::String(text),
        Value::Array(items) => CstInputValue::Array(items.into_iter().map(input).collect()),
        Value::Object(map) => CstInputValue::Object(map.into_iter().map(|(key, value)| (key, input(value))).collect()),
    }
}

/// What the text says, comments aside; an empty one says `{}`.
pub(crate) fn meaning(text: &str, list: &str) -> Result<Value, Fault> {
    let Some(root) = root(text)? else { return Ok(Value::Object(serde_json::Map::new())) };
    object(text, &root, list)?;
    jsonc_parser::parse_to_serde_value(text, &OPTIONS)
        .map_err(|error| Fault::at(text, error.range().start, format!("not JSON: {}", error.kind())))
}
