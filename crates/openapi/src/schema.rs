//! Schemas of OpenAPI, 3.0 and 3.1 alike, as JSON Schema 2020-12 that clients take.
//!
//! What is referred to is converted once for the whole document and kept by name, so that neither a recursive schema nor one
//! that is used everywhere costs more than its own size; [`inline`](crate::inline) puts the small ones back where they are
//! used. Keywords that only OpenAPI has are put into JSON Schema's words or left out; faults are mended or left out.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::document::{Document, Target, brief};
use crate::names::Names;
use crate::pattern::is_portable;
use crate::tree::{Members, Node};

/// What an `allOf` may be made of before it is left as it is.
const MAX_PARTS: usize = 64;
/// An example longer than this helps nobody.
const MAX_EXAMPLE: usize = 300;

/// Keywords that hold one schema.
const ONE: [&str; 9] = [
    "not",
    "if",
    "then",
    "else",
    "contains",
    "propertyNames",
    "additionalProperties",
    "unevaluatedProperties",
    "items",
];
/// Keywords that hold a list of schemas.
const MANY: [&str; 4] = ["allOf", "oneOf", "anyOf", "prefixItems"];
/// Keywords that hold schemas by name.
const NAMED: [&str; 3] = ["properties", "patternProperties", "dependentSchemas"];
/// Keywords that are kept as they are, if their value is of the right kind.
const TEXTS: [&str; 5] = ["title", "description", "format", "contentEncoding", "contentMediaType"];
const NUMBERS: [&str; 9] = [
    "multipleOf",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "minContains",
    "maxContains",
];

/// All that merging may copy, in bytes.
const MAX_MERGED: usize = 64 << 20;

/// The schemas of one document, as far as they were asked for.
#[derive(Debug)]
pub(crate) struct Schemas<'d> {
    document: &'d Document,
    /// By pointer, the name under `$defs`.
    names: HashMap<String, String>,
    taken: Names,
    /// By name.
    pub(crate) defs: HashMap<String, Node>,
    /// Pointers to what was named and is not converted yet.
    waiting: VecDeque<String>,
    merged: usize,
    /// What was faulty, in words.
    pub(crate) faults: Vec<String>,
}

/// What an `allOf` is made of.
#[derive(Default)]
struct Parts<'a> {
    found: Vec<&'a Members>,
    seen: HashSet<*const Node>,
}

// === impl Schemas ===

impl<'d> Schemas<'d> {
    pub(crate) fn new(document: &'d Document) -> Self {
        Self {
            document,
            names: HashMap::new(),
            taken: Names::default(),
            defs: HashMap::new(),
            waiting: VecDeque::new(),
            merged: 0,
            faults: Vec::new(),
        }
    }

    /// A schema in JSON Schema's words. What it refers to is among the `defs` afterwards.
    pub(crate) fn convert(&mut self, schema: &Node) -> Node {
        let converted = self.one(schema);
        // One after the other, so that a long chain of references is no deep recursion.
        while let Some(pointer) = self.waiting.pop_front() {
            let document = self.document;
            let converted = match document.follow(&format!("#{pointer}")) {
                Target::Here(_, target) => self.one(target),
                Target::Nowhere(_) => Node::map([]),
            };
            let name = self.names[&pointer].clone();
            self.defs.insert(name, converted);
        }
        converted
    }

    fn one(&mut self, schema: &Node) -> Node {
        let Some(members) = schema.members() else {
            return match schema {
                Node::Bool(false) => Node::map([("not", Node::map([]))]),
                _ => Node::map([]),
            };
        };
        if let Some(reference) = schema.text_of("$ref") {
            return self.reference(reference, schema);
        }
        if let Some(flat) = self.flatten(schema) {
            return self.all(flat.members().unwrap_or(members), schema.is_set("nullable"));
        }
        self.all(members, schema.is_set("nullable"))
    }

    /// A schema of these keywords.
    fn all(&mut self, members: &Members, nullable: bool) -> Node {
        let mut out = Members::new();
        for (name, value) in members {
            if let Some((name, value)) = self.keyword(name, value, members) {
                out.insert(name.to_owned(), value);
            }
        }
        mend(&mut out);
        if nullable { or_null(out) } else { Node::Map(out) }
    }

    fn reference(&mut self, reference: &str, schema: &Node) -> Node {
        let mut out = match self.document.follow(reference) {
            Target::Here(pointer, _) => {
                let name = self.name(pointer);
                Members::from_iter([("$ref".to_owned(), Node::text(format!("#/$defs/{name}")))])
            }
            Target::Nowhere(why) => {
                let told = Node::text("Anything: the document does not say what.");
                self.fault(format!("a schema {why}"));
                Members::from_iter([("description".to_owned(), told)])
            }
        };
        if let Some(text) = schema.text_of("description") {
            out.insert("description".into(), Node::text(text));
        }
        if schema.is_set("nullable") { or_null(out) } else { Node::Map(out) }
    }

    /// The name of what a pointer leads to, which is converted in its turn.
    fn name(&mut self, pointer: &str) -> String {
        if let Some(name) = self.names.get(pointer) {
            return name.clone();
        }
        let last = pointer.rsplit('/').next().unwrap_or_default();
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let stem: String = last.chars().map(|c| if legal(c) { c } else { '_' }).take(80).collect();
        let name = self.taken.unique_among(if stem.is_empty() { "schema".to_owned() } else { stem }, 100);
        self.names.insert(pointer.to_owned(), name.clone());
        self.waiting.push_back(pointer.to_owned());
        name
    }

    /// One keyword as JSON Schema has it; `None` where it has none.
    fn keyword<'k>(&mut self, name: &'k str, value: &Node, all: &Members) -> Option<(&'k str, Node)> {
        let is_number = matches!(value, Node::Number(_));
        let keep = |keep: bool| keep.then(|| (name, value.clone()));
        match name {
            "type" => kinds(value).map(|kinds| (name, kinds)),
            "items" if matches!(value, Node::List(_)) => {
                Some(("prefixItems", Node::List(value.items().iter().map(|item| self.one(item)).collect())))
            }
            "additionalProperties" if matches!(value, Node::Bool(_)) => keep(true),
            _ if ONE.contains(&name) => match value {
                Node::Map(_) | Node::Bool(_) => Some((name, self.one(value))),
                _ => None,
            },
            _ if MANY.contains(&name) => {
                let parts: Vec<Node> = value.items().iter().map(|part| self.one(part)).collect();
                (!parts.is_empty()).then_some((name, Node::List(parts)))
            }
            _ if NAMED.contains(&name) => {
                let mut schemas = Members::new();
                for (property, schema) in value.pairs() {
                    if !self.is_read_only(schema) {
                        let schema = self.one(schema);
                        schemas.insert(property.to_owned(), schema);
                    }
                }
                Some((name, Node::Map(schemas)))
            }
            "required" => self.required(value, all.get("properties")).map(|names| (name, names)),
            "const" | "default" => keep(true),
            "enum" => keep(!value.items().is_empty()),
            // OpenAPI 3.0 has booleans here that change what `minimum` and `maximum` mean.
            "exclusiveMinimum" if value == &Node::Bool(true) => Some((name, all.get("minimum")?.clone())),
            "exclusiveMaximum" if value == &Node::Bool(true) => Some((name, all.get("maximum")?.clone())),
            "minimum" => keep(is_number && all.get("exclusiveMinimum") != Some(&Node::Bool(true))),
            "maximum" => keep(is_number && all.get("exclusiveMaximum") != Some(&Node::Bool(true))),
            "exclusiveMinimum" | "exclusiveMaximum" => keep(is_number),
            "pattern" => keep(value.as_text().is_some_and(is_portable)),
            "example" if value.size() <= MAX_EXAMPLE && all.get("examples").is_none() => {
                Some(("examples", Node::List(vec![value.clone()])))
            }
            "examples" => keep(!value.items().is_empty() && value.size() <= MAX_EXAMPLE),
            "uniqueItems" | "deprecated" => keep(value == &Node::Bool(true)),
            _ if TEXTS.contains(&name) => keep(value.as_text().is_some_and(|text| !text.is_empty())),
            _ if NUMBERS.contains(&name) => keep(matches!(value, Node::Number(n) if n.as_f64() > Some(0.0))),
            _ => None,
        }
    }

    /// The names of required properties, without those that are in answers only.
    fn required(&self, value: &Node, properties: Option<&Node>) -> Option<Node> {
        let mut seen = HashSet::new();
        let is_hidden = |name| properties.and_then(|all| all.get(name)).is_some_and(|one| self.is_read_only(one));
        let names = value.items().iter().filter_map(Node::as_text);
        let names: Vec<Node> = names.filter(|name| seen.insert(*name) && !is_hidden(name)).map(Node::text).collect();
        (!names.is_empty()).then_some(Node::List(names))
    }

    /// Whether a property is in answers only.
    pub(crate) fn is_read_only(&self, schema: &Node) -> bool {
        schema.is_set("readOnly") || self.document.resolve(schema).is_ok_and(|schema| schema.is_set("readOnly"))
    }

    /// An `allOf` of plain objects as one object: many clients know no `allOf`. `None` where it is none.
    pub(crate) fn flatten(&mut self, schema: &Node) -> Option<Node> {
        schema.get("allOf")?;
        let mut parts = Parts::default();
        gather(self.document, schema, &mut parts)?;
        let flat = parts.join();
        self.merged += flat.size();
        (self.merged <= MAX_MERGED).then_some(flat)
    }

    fn fault(&mut self, what: String) {
        let what = brief(&what, 200);
        if self.faults.len() < 20 && !self.faults.contains(&what) {
            self.faults.push(what);
        }
    }
}

/// Collects the parts of an `allOf`, and theirs. `None` where one is no plain object.
fn gather<'a>(document: &'a Document, schema: &'a Node, parts: &mut Parts<'a>) -> Option<()> {
    let schema = document.resolve(schema).ok()?;
    let members = schema.members()?;
    // A part that contains itself adds nothing.
    if !parts.seen.insert(std::ptr::from_ref(schema)) {
        return Some(());
    }
    if parts.seen.len() > MAX_PARTS {
        return None;
    }
    let is_plain = |key: &String| !matches!(key.as_str(), "oneOf" | "anyOf" | "not" | "if" | "enum" | "items");
    if !members.keys().all(is_plain) || schema.text_of("type").is_some_and(|kind| kind != "object") {
        return None;
    }
    // What stands beside the `allOf` comes last: it says more about this very schema.
    for part in schema.get("allOf").into_iter().flat_map(Node::items) {
        gather(document, part, parts)?;
    }
    parts.found.push(members);
    Some(())
}

// === impl Parts ===

impl Parts<'_> {
    /// One schema of all parts; what a later one says of a property counts.
    fn join(self) -> Node {
        let mut joined = Members::new();
        let (mut properties, mut required) = (Members::new(), Vec::new());
        for part in &self.found {
            for (name, value) in *part {
                match (name.as_str(), value) {
                    ("properties", Node::Map(more)) => properties.extend(more.clone()),
                    ("required", Node::List(more)) => required.extend(more.iter().cloned()),
                    // Said of one part, it would forbid the properties of the others.
                    ("additionalProperties", Node::Bool(false)) | ("allOf" | "nullable", _) => {}
                    _ => drop(joined.insert(name.clone(), value.clone())),
                }
            }
        }
        joined.insert("type".into(), Node::text("object"));
        if !properties.is_empty() {
            joined.insert("properties".into(), Node::Map(properties));
        }
        if !required.is_empty() {
            joined.insert("required".into(), Node::List(required));
        }
        Node::Map(joined)
    }
}

/// What a type is called in JSON Schema, whatever a document calls it; `None` for none and for anything.
fn kinds(value: &Node) -> Option<Node> {
    let kind = |name: &str| {
        Some(match name {
            "string" | "file" | "date" | "datetime" | "date-time" | "uuid" | "str" | "text" => "string",
            "number" | "float" | "double" | "decimal" => "number",
            "integer" | "int" | "int32" | "int64" | "long" => "integer",
            "boolean" | "bool" => "boolean",
            "array" | "list" => "array",
            "object" | "dict" | "map" => "object",
            "null" => "null",
            _ => return None,
        })
    };
    match value {
        Node::Text(name) => kind(name).map(Node::text),
        Node::List(names) => {
            let mut known: Vec<&str> = names.iter().filter_map(|name| kind(name.as_text()?)).collect();
            known.dedup();
            let known: Vec<Node> = known.into_iter().map(Node::text).collect();
            (!known.is_empty()).then_some(Node::List(known))
        }
        _ => None,
    }
}

/// What clients stumble over: a list without `items`, a type that the keywords only imply.
fn mend(out: &mut Members) {
    let is = |out: &Members, kind: &str| match out.get("type") {
        Some(Node::Text(name)) => name == kind,
        Some(Node::List(names)) => names.iter().any(|name| name.as_text() == Some(kind)),
        _ => false,
    };
    if is(out, "array") && !out.contains_key("items") && !out.contains_key("prefixItems") {
        out.insert("items".into(), Node::map([]));
    }
    if !out.contains_key("type") && out.contains_key("properties") {
        out.shift_insert(0, "type".into(), Node::text("object"));
    }
}

/// The same, or null: OpenAPI 3.0's `nullable`.
fn or_null(mut schema: Members) -> Node {
    if let Some(Node::List(values)) = schema.get_mut("enum")
        && !values.contains(&Node::Null)
    {
        values.push(Node::Null);
    }
    let null = Node::text("null");
    match schema.get("type").cloned() {
        Some(kind @ Node::Text(_)) => {
            schema.insert("type".into(), Node::List(vec![kind, null]));
            Node::Map(schema)
        }
        Some(Node::List(mut kinds)) => {
            if !kinds.contains(&null) {
                kinds.push(null);
            }
            schema.insert("type".into(), Node::List(kinds));
            Node::Map(schema)
        }
        _ if ["$ref", "oneOf", "anyOf", "allOf"].iter().any(|key| schema.contains_key(*key)) => {
            let null = Node::map([("type", null)]);
            let told = schema.shift_remove("description");
            let mut either = Members::from_iter([("anyOf".to_owned(), Node::List(vec![Node::Map(schema), null]))]);
            either.extend(told.map(|told| ("description".to_owned(), told)));
            Node::Map(either)
        }
        // Without a type it may be null anyway.
        _ => Node::Map(schema),
    }
}
