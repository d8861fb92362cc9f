//! Holds the tree against the schema of the config file: unknown keys, wrong types, wrong words. All of them.
//!
//! serde stops at its first error; this does not. What is at fault is reported and then taken out of the tree, so that
//! what remains can be read into the structs of `file.rs`, and the faults of meaning be found in the same run. It
//! knows the part of JSON Schema that those structs produce, and no more.

use std::collections::HashSet;

use serde_json::Value as Json;

use crate::fault::Report;
use crate::node::{Node, Spot, Value};
use crate::show::brief;
use crate::{suggest, units};

/// The maps from which something was taken: of these it is not known what is missing.
pub(crate) type Lost = HashSet<Spot>;

struct Fitter<'a> {
    definitions: &'a Json,
    report: &'a mut Report,
    lost: Lost,
}

/// Takes out of the tree, with a fault for each, what the schema does not allow.
pub(crate) fn fit(root: &mut Node, schema: &Json, report: &mut Report) -> Lost {
    let mut fitter = Fitter { definitions: &schema["$defs"], report, lost: Lost::new() };
    fitter.fit(root, schema);
    fitter.lost
}

// === impl Fitter ===

impl<'a> Fitter<'a> {
    /// Whether the node may stay.
    fn fit(&mut self, node: &mut Node, schema: &'a Json) -> bool {
        if node.is_hole() {
            return false;
        }
        let schema = self.definition(schema);
        if is_anything(schema) {
            return !has_hole(node);
        }
        let words = words(schema);
        if !words.is_empty() {
            return self.fit_word(node, &words);
        }
        if let Some(choices) = schema["anyOf"].as_array() {
            return self.fit_one_of(node, schema, choices);
        }
        let types = types(schema);
        if !types.is_empty() && !accepts(node, &types) {
            self.wrong_type(node, schema, &types);
            return false;
        }
        match &mut node.value {
            Value::Map(_) => self.fit_map(node, schema),
            Value::List(items) => {
                let before = items.len();
                items.retain_mut(|item| self.fit(item, &schema["items"]));
                if items.len() < before {
                    self.lost.insert(node.spot);
                }
            }
            Value::Number(number) => return self.fit_number(node.spot, number, schema),
            Value::Text(_) => return self.fit_text(node, schema),
            _ => {}
        }
        true
    }

    fn definition(&self, schema: &'a Json) -> &'a Json {
        match schema["$ref"].as_str().and_then(|name| name.strip_prefix("#/$defs/")) {
            Some(name) => &self.definitions[name],
            None => schema,
        }
    }

    fn fit_map(&mut self, node: &mut Node, schema: &'a Json) {
        let Value::Map(pairs) = &mut node.value else { return };
        let before = pairs.len();
        let mut empty = 0;
        pairs.retain_mut(|(key, value)| {
            let name = key.as_text().unwrap_or_default();
            let property = schema["properties"].get(name);
            match (property, schema.get("additionalProperties")) {
                // `key:` with nothing behind it is how YAML looks when all below it is commented out.
                (Some(_), _) if matches!(value.value, Value::Null) => {
                    empty += 1;
                    false
                }
                (Some(property), _) => self.fit(value, property),
                (None, _) if name.starts_with("x-") && schema.get("patternProperties").is_some() => {
                    empty += 1;
                    false
                }
                (None, Some(others)) if others.is_object() || is_anything(others) => self.fit(value, others),
                (None, _) if value.is_hole() => false,
                (None, _) => {
                    self.unknown_key(key, schema);
                    false
                }
            }
        });
        if pairs.len() + empty < before {
            self.lost.insert(node.spot);
        }
    }

    fn unknown_key(&mut self, key: &Node, schema: &Json) {
        let name = key.as_text().unwrap_or_default();
        let known = schema["properties"].as_object();
        let known = known.into_iter().flat_map(|known| known.keys()).map(String::as_str).filter(|k| *k != "$schema");
        match suggest::instead(name, known) {
            Some(help) => self.report.fault_with_help(key.spot, "unknown key", help),
            None => self.report.fault(key.spot, "unknown key"),
        }
    }

    fn fit_word(&mut self, node: &Node, words: &[&str]) -> bool {
        let word = node.as_text().unwrap_or_default();
        if words.contains(&word) {
            return true;
        }
        let all = words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        let message = format!("expected one of {all}, found {}", found(node));
        match suggest::closest(word, words.iter().copied()) {
            Some(near) if word.len() <= 64 => {
                self.report.fault_with_help(node.spot, message, format!("did you mean `{near}`?"));
            }
            _ => self.report.fault(node.spot, message),
        }
        false
    }

    /// The first choice that takes a value of this kind; choices that differ only inside are not among ours.
    fn fit_one_of(&mut self, node: &mut Node, schema: &'a Json, choices: &'a [Json]) -> bool {
        let choices: Vec<&Json> = choices.iter().map(|choice| self.definition(choice)).collect();
        let fitting = choices.iter().find(|choice| !words(choice).is_empty() || accepts(node, &types(choice)));
        match fitting {
            Some(choice) => {
                let fits = self.fit(node, choice);
                let one_for_many = choices.iter().any(|choice| types(choice).contains(&"array"));
                if one_for_many && !matches!(node.value, Value::List(_) | Value::Map(_)) {
                    let one = node.clone();
                    node.value = Value::List(vec![one]);
                }
                fits
            }
            None => {
                let types: Vec<&str> = choices.iter().flat_map(|choice| types(choice)).collect();
                self.wrong_type(node, schema, &types);
                false
            }
        }
    }

    fn wrong_type(&mut self, node: &Node, schema: &Json, types: &[&str]) {
        let unit = schema["x-unit"].as_str();
        let wanted = match unit {
            Some("time") => "a duration such as `60s`".to_owned(),
            Some("size") => "a size such as `4MiB`".to_owned(),
            _ => wanted(types),
        };
        let message = format!("expected {wanted}, found {}", found(node));
        let help = match (&node.value, unit) {
            (Value::Number(number), Some("time")) => Some(format!("add the unit, as in `{number}s`")),
            (Value::Number(number), Some("size")) => Some(format!("add the unit, as in `{number}MiB`")),
            (Value::Text(text), None) if types.contains(&"array") => Some(format!("write `[{}]`", brief(text))),
            (Value::Null, _) => Some("give it a value, or remove the key".to_owned()),
            _ => None,
        };
        match help {
            Some(help) => self.report.fault_with_help(node.spot, message, help),
            None => self.report.fault(node.spot, message),
        }
    }

    fn fit_number(&mut self, spot: Spot, number: &str, schema: &Json) -> bool {
        let value: f64 = number.parse().unwrap_or(f64::NAN);
        let least = schema["minimum"].as_f64().unwrap_or(f64::NEG_INFINITY);
        let most = schema["maximum"].as_f64().unwrap_or(f64::INFINITY);
        let within = (least..=most).contains(&value);
        if !within {
            self.report.fault(spot, format!("must be from {least} to {most}"));
        }
        within
    }

    fn fit_text(&mut self, node: &Node, schema: &Json) -> bool {
        let text = node.as_text().unwrap_or_default();
        let read = match schema["x-unit"].as_str() {
            Some("time") => units::duration(text).map(|_| ()),
            Some("size") => units::size(text).map(|_| ()),
            _ => Ok(()),
        };
        if let Err(wrong) = read {
            self.report.fault(node.spot, format!("{wrong}, found {}", found(node)));
            return false;
        }
        true
    }
}

/// Whether any JSON will do: the schema says nothing, or nothing but what it is for.
fn is_anything(schema: &Json) -> bool {
    const SAYS: [&str; 8] = ["type", "enum", "oneOf", "anyOf", "properties", "additionalProperties", "items", "$ref"];
    match schema {
        Json::Bool(all) => *all,
        Json::Object(keywords) => !SAYS.iter().any(|keyword| keywords.contains_key(*keyword)),
        _ => false,
    }
}

/// Whether a fault has been reported somewhere in it.
fn has_hole(node: &Node) -> bool {
    node.is_hole() || node.items().iter().any(has_hole) || node.pairs().iter().any(|(_, value)| has_hole(value))
}

/// The words of an enumeration.
fn words(schema: &Json) -> Vec<&str> {
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().filter_map(Json::as_str).collect();
    }
    schema["oneOf"].as_array().into_iter().flatten().filter_map(|choice| choice["const"].as_str()).collect()
}

fn types(schema: &Json) -> Vec<&str> {
    match &schema["type"] {
        Json::String(name) => vec![name],
        Json::Array(names) => names.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Whether a value is of one of the types. A text that came out of `${…}` becomes the number or the boolean it spells,
/// where one is wanted: a variable has no other way to say it.
fn accepts(node: &mut Node, types: &[&str]) -> bool {
    let has = |name| types.contains(&name);
    if let (Value::Text(text), Some(_), false) = (&node.value, &node.written, has("string")) {
        match text.trim() {
            "true" => node.value = Value::Bool(true),
            "false" => node.value = Value::Bool(false),
            number if number.parse::<f64>().is_ok() => node.value = Value::Number(number.to_owned()),
            _ => {}
        }
    }
    // JSON Schema goes by the value: what programs write as `2.0` is an integer.
    if let (Value::Number(number), true, false) = (&node.value, has("integer"), has("number") || has("string"))
        && let Some(whole) = number.parse().ok().and_then(whole)
    {
        node.value = Value::Number(whole);
    }
    match &node.value {
        Value::Null => has("null"),
        Value::Bool(_) => has("boolean"),
        Value::Number(number) => has("number") || has("integer") && number.bytes().all(|b| b.is_ascii_digit()),
        Value::Text(_) => has("string"),
        Value::List(_) => has("array"),
        Value::Map(_) => has("object"),
        Value::Hole => false,
    }
}

/// The digits of a number without a fraction that is not too large to be sure of them.
fn whole(number: f64) -> Option<String> {
    (number.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(&number)).then(|| format!("{number:.0}"))
}

fn wanted(types: &[&str]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in types {
        let name = match *name {
            "null" => continue,
            // A number is taken as a text where a text is wanted; nobody needs to be told so.
            "number" | "boolean" if types.contains(&"string") => continue,
            "integer" | "number" => "a whole number",
            "boolean" => "`true` or `false`",
            "array" => "a list",
            "object" => "a map of keys and values",
            _ => "a text",
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(" or ")
}

/// What stands there, as written: what a variable holds may be a secret.
fn found(node: &Node) -> String {
    match (&node.value, &node.written) {
        (_, Some(written)) => format!("what `{}` holds", brief(written)),
        (Value::Text(text), _) => format!("`{}`", brief(text)),
        (Value::Number(number), _) => format!("the number {}", brief(number)),
        _ => node.kind().to_owned(),
    }
}
