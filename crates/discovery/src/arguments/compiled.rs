//! A schema made ready to check arguments with, and the cache of those.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use jsonschema::{Draft, PatternOptions, Validator};
use regex::RegexBuilder;
use serde_json::Value;
use toolgate_protocol::Json;

use super::faults::Verdict;
use super::weight;
use crate::node::Node;
use crate::schema;
use crate::shape::Reading;

/// Arguments are at most as deep as a message may be.
const MAX_DEPTH: usize = toolgate_protocol::json::MAX_DEPTH;
/// Visits for all values of the arguments together; about a second at the very worst.
const MAX_WORK: u64 = 50_000_000;
/// The same while faults are collected, which costs more for each, and much more where there are alternatives.
const MAX_FAULT_WORK: u64 = 2_000_000;
const MAX_BRANCHING_FAULT_WORK: u64 = 200_000;
/// Arguments of more bytes are not held against patterns: time is linear in the text, but also in the pattern.
const MAX_PATTERN_TEXT: usize = 64 << 10;
/// How large a pattern may become, in bytes.
const PATTERN_SIZE: usize = 256 << 10;

/// Why arguments cannot be checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsuitable {
    /// The tool has no schema, or an empty one.
    NoSchema,
    /// The schema cannot be compiled: it is wrong, too long, or refers to another document.
    Schema(String),
    /// Checking could take too long.
    TooMuchWork,
}

/// A schema made ready.
pub(super) struct Compiled {
    root: Node,
    validator: Validator,
    /// The same without patterns, if there are any: `None` where that does not compile.
    without_patterns: OnceLock<Option<Validator>>,
    schema: Value,
    draft: Draft,
    has_patterns: bool,
    branches: bool,
    reading: OnceLock<Reading>,
    /// Visits by the depth of the arguments.
    visits: Vec<OnceLock<Option<u64>>>,
}

// === impl Compiled ===

impl Compiled {
    /// Compiles `schema`. What is not quite JSON Schema is taken as it is meant, if that can be told.
    pub(super) fn new(schema: &Json) -> Result<Self, Unsuitable> {
        let too_long = || Unsuitable::Schema(format!("longer than {} bytes, or too deep", crate::node::MAX_TEXT));
        let root = Node::read(schema).ok_or_else(too_long)?;
        let mut value: Value = schema.read().map_err(|error| Unsuitable::Schema(error.to_string()))?;
        let named = value.as_object_mut().and_then(|members| members.remove("$schema"));
        let named = named.as_ref().and_then(Value::as_str).and_then(draft);
        let first = named.unwrap_or(Draft::Draft202012);
        let mut repaired = value.clone();
        repair(&mut repaired, Repair::Faults);
        let mut bare = repaired.clone();
        repair(&mut bare, Repair::Patterns);
        // Without a name, lists in `items` tell that an older draft is meant.
        let older = named.is_none().then_some(Draft::Draft7);
        let mut why = String::new();
        for draft in [Some(first), older].into_iter().flatten() {
            for schema in [&value, &repaired, &bare] {
                match build(draft, schema) {
                    Ok(validator) => return Ok(Self::of(root, validator, schema.clone(), draft)),
                    Err(error) if why.is_empty() => why = error,
                    Err(_) => {}
                }
            }
        }
        Err(Unsuitable::Schema(why))
    }

    fn of(root: Node, validator: Validator, schema: Value, draft: Draft) -> Self {
        Self {
            has_patterns: mentions(&schema, &["pattern", "patternProperties"]),
            branches: mentions(&schema, &["anyOf", "oneOf", "not", "if", "contains"]),
            root,
            validator,
            without_patterns: OnceLock::new(),
            schema,
            draft,
            reading: OnceLock::new(),
            visits: (0..=MAX_DEPTH).map(|_| OnceLock::new()).collect(),
        }
    }

    /// The schema as it was written.
    pub(super) fn root(&self) -> &Node {
        &self.root
    }

    pub(super) fn reading(&self) -> &Reading {
        self.reading.get_or_init(|| schema::read_node(&self.root))
    }

    /// Holds arguments against the schema.
    pub(super) fn judge(&self, arguments: &Json) -> Result<Verdict, Unsuitable> {
        let (validator, work, given) = self.prepare(arguments)?;
        if validator.is_valid(&given) {
            return Ok(Verdict::sound());
        }
        let bearable = if self.branches { MAX_BRANCHING_FAULT_WORK } else { MAX_FAULT_WORK };
        Ok(if work <= bearable { Verdict::of(validator.iter_errors(&given)) } else { Verdict::unexplained() })
    }

    /// Whether arguments are right, as far as that can be told.
    pub(super) fn accepts(&self, arguments: &Json) -> bool {
        self.prepare(arguments).is_ok_and(|(validator, _, given)| validator.is_valid(&given))
    }

    fn prepare(&self, arguments: &Json) -> Result<(&Validator, u64, Value), Unsuitable> {
        let given: Value = arguments.read().map_err(|_| Unsuitable::TooMuchWork)?;
        let (values, depth) = size(&given);
        let visits = self.visits.get(depth).ok_or(Unsuitable::TooMuchWork)?;
        let visits = visits.get_or_init(|| weight::visits(&self.root, depth as u32)).ok_or(Unsuitable::TooMuchWork)?;
        let work = visits * values;
        if work > MAX_WORK {
            return Err(Unsuitable::TooMuchWork);
        }
        let validator = if self.has_patterns && arguments.text().len() > MAX_PATTERN_TEXT {
            self.without_patterns().ok_or(Unsuitable::TooMuchWork)?
        } else {
            &self.validator
        };
        Ok((validator, work, given))
    }

    fn without_patterns(&self) -> Option<&Validator> {
        let build = || {
            let mut schema = self.schema.clone();
            repair(&mut schema, Repair::Patterns);
            build(self.draft, &schema).ok()
        };
        self.without_patterns.get_or_init(build).as_ref()
    }
}

impl std::fmt::Debug for Compiled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Compiled")
    }
}

fn build(draft: Draft, schema: &Value) -> Result<Validator, String> {
    jsonschema::options()
        .with_draft(draft)
        .offline()
        // By the specification a format is a remark. Servers differ in which they check, and none should be stricter here.
        .should_validate_formats(false)
        .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_SIZE).dfa_size_limit(PATTERN_SIZE))
        .build(schema)
        .map_err(|error| crate::tool::cut(&error.to_string(), 200))
}

/// The draft that a `$schema` names, if it is one.
fn draft(name: &str) -> Option<Draft> {
    let drafts = [
        ("2020-12", Draft::Draft202012),
        ("2019-09", Draft::Draft201909),
        ("draft-07", Draft::Draft7),
        ("draft-06", Draft::Draft6),
        ("draft-04", Draft::Draft4),
    ];
    drafts.into_iter().find(|(part, _)| name.contains(part)).map(|(_, draft)| draft)
}

/// How many values there are, and how deep they lie.
fn size(value: &Value) -> (u64, usize) {
    let below = |values: &mut dyn Iterator<Item = &Value>| {
        values.map(size).fold((1, 0), |(count, depth), (more, deeper)| (count + more, depth.max(deeper + 1)))
    };
    match value {
        Value::Array(elements) => below(&mut elements.iter()),
        Value::Object(members) => below(&mut members.values()),
        _ => (1, 0),
    }
}

/// Whether a keyword stands anywhere, be it as one or as a name.
fn mentions(value: &Value, keywords: &[&str]) -> bool {
    match value {
        Value::Array(elements) => elements.iter().any(|element| mentions(element, keywords)),
        Value::Object(members) => {
            members.iter().any(|(name, value)| keywords.contains(&&**name) || mentions(value, keywords))
        }
        _ => false,
    }
}

/// What is taken out of a schema.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Repair {
    /// Patterns that the linear engine cannot run, types that are none, `required` as of draft 3.
    Faults,
    /// All patterns.
    Patterns,
}

/// Takes out what cannot be used. Less is checked then, and nothing that was allowed is forbidden.
fn repair(schema: &mut Value, how: Repair) {
    let Value::Object(members) = schema else { return };
    let compiles = |pattern: &str| RegexBuilder::new(pattern).size_limit(PATTERN_SIZE).build().is_ok();
    let unusable = |pattern: &str| how == Repair::Patterns || !compiles(pattern);
    if members.get("pattern").and_then(Value::as_str).is_some_and(unusable) {
        members.remove("pattern");
    }
    let named = members.get("patternProperties").and_then(Value::as_object);
    if named.is_some_and(|patterns| patterns.keys().any(|pattern| unusable(pattern))) {
        // Members that the patterns named would be strangers now.
        for keyword in ["patternProperties", "additionalProperties", "unevaluatedProperties"] {
            members.remove(keyword);
        }
    }
    if how == Repair::Faults {
        members.retain(|keyword, value| is_well_formed(keyword, value));
    }
    for (keyword, value) in members {
        match (&**keyword, value) {
            (
                "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas",
                Value::Object(named),
            ) => {
                named.retain(|_, schema| how == Repair::Patterns || schema.is_object() || schema.is_boolean());
                named.values_mut().for_each(|schema| repair(schema, how));
            }
            ("allOf" | "anyOf" | "oneOf" | "prefixItems" | "items", Value::Array(schemas)) => {
                schemas.iter_mut().for_each(|schema| repair(schema, how));
            }
            (
                "items"
                | "additionalItems"
                | "additionalProperties"
                | "propertyNames"
                | "contains"
                | "not"
                | "if"
                | "then"
                | "else",
                schema,
            ) => {
                repair(schema, how);
            }
            _ => {}
        }
    }
}

/// Whether a keyword has a value of the kind that it must have; of all others nothing is said.
fn is_well_formed(keyword: &str, value: &Value) -> bool {
    let is_type = |value: &Value| {
        let known = ["string", "number", "integer", "boolean", "object", "array", "null"];
        value.as_str().is_some_and(|name| known.contains(&name))
    };
    match keyword {
        "type" => {
            is_type(value) || value.as_array().is_some_and(|types| !types.is_empty() && types.iter().all(is_type))
        }
        "required" => value.as_array().is_some_and(|names| names.iter().all(Value::is_string)),
        "enum" | "examples" => value.is_array(),
        "properties" => value.is_object(),
        "title" | "description" | "format" | "$comment" => value.is_string(),
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" => value.is_number(),
        "minLength" | "maxLength" | "minItems" | "maxItems" => {
            value.as_f64().is_some_and(|n| n >= 0.0 && n.fract() == 0.0)
        }
        _ => true,
    }
}

/// Compiled schemas by their text, the least recently used ones leaving first.
#[derive(Debug)]
pub(super) struct Cache {
    entries: HashMap<Box<[u8]>, Cached>,
    max_entries: usize,
    max_bytes: usize,
    bytes: usize,
    /// Grows with every use.
    now: u64,
}

#[derive(Debug)]
struct Cached {
    compiled: Result<Arc<Compiled>, Unsuitable>,
    used: u64,
}

// === impl Cache ===

impl Cache {
    pub(super) fn new(max_entries: usize, max_bytes: usize) -> Self {
        Self { entries: HashMap::new(), max_entries, max_bytes, bytes: 0, now: 0 }
    }

    pub(super) fn get(&mut self, schema: &[u8]) -> Option<Result<Arc<Compiled>, Unsuitable>> {
        self.now += 1;
        let cached = self.entries.get_mut(schema)?;
        cached.used = self.now;
        Some(cached.compiled.clone())
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Keeps a copy of the text: a slice would keep the whole list alive that it came in.
    pub(super) fn insert(&mut self, schema: &[u8], compiled: Result<Arc<Compiled>, Unsuitable>) {
        if schema.len() > self.max_bytes || self.max_entries == 0 {
            return;
        }
        while self.entries.len() >= self.max_entries || self.bytes + schema.len() > self.max_bytes {
            let oldest = self.entries.iter().min_by_key(|(_, cached)| cached.used).map(|(schema, _)| schema.clone());
            let Some(oldest) = oldest else { break };
            self.bytes -= oldest.len();
            self.entries.remove(&oldest);
        }
        self.now += 1;
        self.bytes += schema.len();
        if self.entries.insert(schema.into(), Cached { compiled, used: self.now }).is_some() {
            self.bytes -= schema.len();
        }
    }
}

// === impl Unsuitable ===

impl std::fmt::Display for Unsuitable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoSchema => f.write_str("the tool has no input schema"),
            Self::Schema(why) => write!(f, "the input schema cannot be used: {why}"),
            Self::TooMuchWork => f.write_str("checking the arguments could take too long"),
        }
    }
}
