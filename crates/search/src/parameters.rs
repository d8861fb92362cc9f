//! The parameters that a JSON Schema tells of, as texts: names, descriptions, and the words that are allowed as values.
//!
//! Nothing is validated here and no reference is followed: a definition that is referred to is read where it stands.

use crate::document::Parameter;
use serde_json::{Map, Value};

/// Schemas nest, and some nest in themselves.
const DEEPEST: usize = 8;
/// More parameters than this, and no single one of them says what a tool is for.
const MOST: usize = 500;

/// Holders of one schema.
const ONE: [&str; 8] = ["items", "additionalProperties", "contains", "not", "if", "then", "else", "propertyNames"];
/// Holders of schemas in a list.
const MANY: [&str; 4] = ["anyOf", "oneOf", "allOf", "prefixItems"];
/// Holders of schemas by names that are not parameters.
const NAMED: [&str; 2] = ["$defs", "definitions"];

/// The parameters of an object that a JSON Schema describes, outer ones first, at most 500. What is no schema has none.
#[must_use]
pub fn parameters(schema: &Value) -> Vec<Parameter> {
    let mut found = Vec::new();
    let mut level = vec![schema];
    for _ in 0..DEEPEST {
        level = level.into_iter().filter_map(Value::as_object).flat_map(|schema| read(schema, &mut found)).collect();
    }
    found.truncate(MOST);
    found
}

/// Takes the properties of a schema, and gives the schemas that it holds.
fn read<'s>(schema: &'s Map<String, Value>, found: &mut Vec<Parameter>) -> Vec<&'s Value> {
    let mut held = Vec::new();
    if found.len() >= MOST {
        return held;
    }
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        found.push(parameter(name, property));
        held.push(property);
    }
    held.extend(ONE.iter().filter_map(|key| schema.get(*key)));
    held.extend(MANY.iter().filter_map(|key| schema.get(*key)?.as_array()).flatten());
    held.extend(NAMED.iter().filter_map(|key| schema.get(*key)?.as_object()).flat_map(Map::values));
    held
}

fn parameter(name: &str, schema: &Value) -> Parameter {
    let values = [schema.get("enum"), schema.get("items").and_then(|items| items.get("enum"))];
    let values = values.into_iter().flatten().filter_map(Value::as_array).flatten().filter_map(Value::as_str);
    Parameter {
        name: name.to_owned(),
        description: schema.get("description").and_then(Value::as_str).unwrap_or_default().to_owned(),
        values: values.map(str::to_owned).collect(),
    }
}

#[cfg(test)]
mod tests;
