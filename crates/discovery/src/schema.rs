//! Reads a JSON Schema into a [`Shape`]: references are followed, `allOf` is merged, and what a shape cannot say is noticed.
//!
//! Understood are the keywords of 2020-12 and of draft-07. The schema is an upstream's, so the work is bounded: what lies
//! too deep or comes too late is [`Shape::Elided`], and the reading is not faithful.

use std::collections::HashSet;

use toolgate_protocol::Json;

use crate::node::{Node, number_text};
use crate::shape::{Bound, Field, List, Number, Object, Reading, Shape, Text, Tuple};

/// Subschemas that are read; a tool whose signature needs more is not for a signature.
const MAX_STEPS: usize = 3_000;
/// How deep subschemas are read.
const MAX_DEPTH: usize = 16;
/// No schema has more keywords; what has may be data.
const MAX_KEYWORDS: usize = 200;
/// Limits of so many characters and more are not shown; the check of arguments still holds them.
const LONG_TEXT: u64 = 40;
/// A longer name or value is no part of a signature.
const MAX_WORD: usize = 200;
/// Nor is a longer default.
const MAX_DEFAULT: usize = 40;
/// Bounds beyond this say "any number that fits", as some generators write.
const ENDLESS: f64 = 2_147_483_647.0;

/// What no shape says.
const UNSAYABLE: [&str; 11] = [
    "if",
    "not",
    "dependentRequired",
    "dependentSchemas",
    "dependencies",
    "patternProperties",
    "propertyNames",
    "contains",
    "minProperties",
    "maxProperties",
    "$dynamicRef",
];

/// Reads `schema`. Something that is no schema at all reads as anything, unfaithfully.
pub fn read(schema: &Json) -> Reading {
    match Node::read(schema) {
        Some(root) => read_node(&root),
        None => Reading { shape: Shape::Elided, named: Vec::new(), faithful: false },
    }
}

pub(crate) fn read_node(root: &Node) -> Reading {
    read_at(root, "").unwrap_or(Reading { shape: Shape::Elided, named: Vec::new(), faithful: false })
}

/// Reads the subschema of `root` to which a JSON pointer leads.
pub(crate) fn read_at(root: &Node, pointer: &str) -> Option<Reading> {
    root.pointed(pointer)?;
    let dialect = root.get("$schema").and_then(Node::as_str).unwrap_or_default();
    let mut reader = Reader {
        root,
        open: Vec::new(),
        names: Vec::new(),
        named: Vec::new(),
        steps: MAX_STEPS,
        depth: 0,
        faithful: true,
        refs_stand_alone: ["draft-07", "draft-06", "draft-04"].iter().any(|old| dialect.contains(old)),
    };
    let shape = reader.follow(pointer);
    let named = reader.named.into_iter().map(|named| (named.name, named.shape)).collect();
    Some(Reading { shape, named, faithful: reader.faithful })
}

/// A schema being read.
struct Reader<'a> {
    root: &'a Node,
    /// The references being followed, the innermost last.
    open: Vec<Open>,
    /// The names given, by pointer.
    names: Vec<(String, String)>,
    named: Vec<Named>,
    steps: usize,
    depth: usize,
    faithful: bool,
    /// Before 2019-09, whatever stood beside a `$ref` had no meaning.
    refs_stand_alone: bool,
}

struct Open {
    pointer: String,
    recursive: bool,
}

struct Named {
    pointer: String,
    name: String,
    shape: Shape,
}

// === impl Reader ===

impl Reader<'_> {
    fn elided(&mut self) -> Shape {
        self.faithful = false;
        Shape::Elided
    }

    /// Reads what `pointer` leads to. What contains itself gets a name.
    fn follow(&mut self, pointer: &str) -> Shape {
        if let Some(named) = self.named.iter().find(|named| named.pointer == pointer) {
            return Shape::Named(named.name.clone());
        }
        if let Some(open) = self.open.iter_mut().find(|open| open.pointer == pointer) {
            open.recursive = true;
            return Shape::Named(self.name(pointer));
        }
        let Some(target) = self.root.pointed(pointer) else { return self.elided() };
        self.open.push(Open { pointer: pointer.to_owned(), recursive: false });
        let shape = self.read(target);
        if !self.open.pop().is_some_and(|open| open.recursive) {
            return shape;
        }
        let name = self.name(pointer);
        if shape == Shape::Named(name.clone()) {
            return self.elided();
        }
        self.named.push(Named { pointer: pointer.to_owned(), name: name.clone(), shape });
        Shape::Named(name)
    }

    /// A name for what `pointer` leads to, which nothing else has.
    fn name(&mut self, pointer: &str) -> String {
        if let Some((_, name)) = self.names.iter().find(|(known, _)| known == pointer) {
            return name.clone();
        }
        let last = pointer.rsplit('/').next().unwrap_or_default();
        let word: String = last.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(40).collect();
        let word = if word.starts_with(|c: char| c.is_ascii_alphabetic()) { word } else { format!("Arguments{word}") };
        let is_free = |name: &String| self.names.iter().all(|(_, taken)| taken != name);
        let numbered = (2_usize..).map(|number| format!("{word}{number}"));
        let name = std::iter::once(word.clone()).chain(numbered).find(is_free).unwrap_or(word);
        self.names.push((pointer.to_owned(), name.clone()));
        name
    }

    fn read(&mut self, node: &Node) -> Shape {
        if self.steps == 0 || self.depth == MAX_DEPTH || node.members().len() > MAX_KEYWORDS {
            return self.elided();
        }
        self.steps -= 1;
        self.depth += 1;
        let shape = match node {
            Node::Bool(false) => Shape::Never,
            Node::Object(_) => self.read_schema(node),
            _ => Shape::Any,
        };
        self.depth -= 1;
        shape
    }

    fn read_schema(&mut self, node: &Node) -> Shape {
        let reference = node.get("$ref").and_then(Node::as_str).map(|reference| self.read_reference(reference));
        if let (Some(shape), true) = (&reference, self.refs_stand_alone) {
            return shape.clone();
        }
        // As some generators write what is never there.
        if node.get("not").is_some_and(|not| *not == Node::Bool(true) || *not == Node::Object(Vec::new())) {
            return Shape::Never;
        }
        if UNSAYABLE.iter().any(|keyword| node.get(keyword).is_some_and(says_something)) {
            self.faithful = false;
        }
        let mut shape = self.read_own(node);
        shape = shape.and(reference.unwrap_or(Shape::Any));
        for part in node.get("allOf").map(Node::elements).unwrap_or_default() {
            shape = shape.and(self.read(part));
        }
        for keyword in ["anyOf", "oneOf"] {
            let Some(branches) = node.get(keyword) else { continue };
            let branches: Vec<Shape> = branches.elements().iter().map(|branch| self.read(branch)).collect();
            shape = shape.and(Shape::union(branches));
        }
        shape
    }

    fn read_reference(&mut self, reference: &str) -> Shape {
        match reference.strip_prefix('#') {
            Some(pointer) if pointer.is_empty() || pointer.starts_with('/') => self.follow(&percent_decoded(pointer)),
            // Another document, or an anchor: nothing is fetched, and anchors are too rare to be looked for.
            _ => {
                self.faithful = false;
                Shape::Any
            }
        }
    }

    /// What the schema's own keywords say, apart from those that combine others.
    fn read_own(&mut self, node: &Node) -> Shape {
        let types = types(node);
        if let Some(value) = node.get("const") {
            return self.read_value(value);
        }
        if let Some(values) = node.get("enum") {
            let fits = |value: &&Node| types.is_empty() || types.iter().any(|name| is_of_type(value, name));
            let mut shapes = Vec::new();
            for value in values.elements().iter().filter(fits) {
                if self.steps == 0 {
                    self.faithful = false;
                    break;
                }
                self.steps -= 1;
                shapes.push(self.read_value(value));
            }
            return Shape::union(shapes);
        }
        if types.is_empty() {
            return self.read_untyped(node);
        }
        Shape::union(types.into_iter().map(|name| self.read_type(node, name)).collect::<Vec<_>>())
    }

    fn read_value(&mut self, value: &Node) -> Shape {
        value.text_within(MAX_WORD).map_or_else(|| self.elided(), Shape::Literal)
    }

    /// Members or elements without a type speak of objects and arrays, though to the letter they allow everything else too.
    fn read_untyped(&mut self, node: &Node) -> Shape {
        let has = |keywords: &[&str]| keywords.iter().any(|keyword| node.get(keyword).is_some());
        if has(&["properties", "required", "additionalProperties"]) {
            self.read_type(node, "object")
        } else if has(&["items", "prefixItems"]) {
            self.read_type(node, "array")
        } else {
            Shape::Any
        }
    }

    fn read_type(&mut self, node: &Node, name: &str) -> Shape {
        match name {
            "null" => Shape::Null,
            "boolean" => Shape::Boolean,
            "number" | "integer" => Shape::Number(number(node, name == "integer")),
            "string" => Shape::Text(self.read_text(node)),
            "array" => self.read_array(node),
            "object" => self.read_object(node),
            // `any`, `date`, `file`: not JSON Schema, but seen.
            _ => Shape::Any,
        }
    }

    fn read_text(&mut self, node: &Node) -> Text {
        let format = node.get("format").or_else(|| node.get("contentEncoding")).and_then(Node::as_str);
        let is_word = |text: &&str| {
            (1..=32).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        let pattern = node.get("pattern").and_then(Node::as_str);
        if pattern.is_some_and(|pattern| !is_showable(pattern)) {
            self.faithful = false;
        }
        Text {
            format: format.filter(is_word).filter(|format| !NO_FORMATS.contains(format)).map(str::to_owned),
            // Nearly every string that must not be empty would say so, and nobody sends an empty one on purpose.
            min: node.get("minLength").and_then(Node::as_count).filter(|min| *min > 1),
            // What a text is at most, it usually is; a limit that one could meet by chance is worth its tokens.
            max: node.get("maxLength").and_then(Node::as_count).filter(|max| *max < LONG_TEXT),
            pattern: pattern.filter(|pattern| is_showable(pattern)).map(str::to_owned),
        }
    }

    fn read_array(&mut self, node: &Node) -> Shape {
        let min = node.get("minItems").and_then(Node::as_count).filter(|min| *min > 0);
        let max = node.get("maxItems").and_then(Node::as_count);
        let unique = node.get("uniqueItems") == Some(&Node::Bool(true));
        let (first, rest) = match (node.get("prefixItems"), node.get("items")) {
            (Some(first), rest) => (first.elements(), rest),
            (None, Some(Node::Array(first))) => (&first[..], node.get("additionalItems")),
            (None, rest) => (&[][..], rest),
        };
        let rest = rest.map_or(Shape::Any, |rest| self.read(rest));
        if first.is_empty() {
            return Shape::List(List { item: Box::new(rest), min, max, unique });
        }
        let count = first.len() as u64;
        let required = min.unwrap_or(0).min(count) as usize;
        let ends = rest == Shape::Never || max.is_some_and(|max| max <= count);
        if min.is_some_and(|min| min > count) || max.is_some_and(|max| max != count) || unique {
            self.faithful = false;
        }
        let items = first.iter().map(|item| self.read(item)).collect();
        Shape::Tuple(Tuple { items, required, rest: (!ends).then(|| Box::new(rest)) })
    }

    fn read_object(&mut self, node: &Node) -> Shape {
        let properties = node.get("properties").map(Node::members).unwrap_or_default();
        let required: Vec<&str> =
            node.get("required").map(Node::elements).unwrap_or_default().iter().filter_map(Node::as_str).collect();
        let mut missing: HashSet<&str> = required.iter().copied().collect();
        let mut object = Object::default();
        for (name, property) in properties {
            let optional = !missing.remove(&**name);
            if self.steps == 0 || name.len() > MAX_WORD {
                self.faithful = false;
                continue;
            }
            let shape = self.read(property);
            object.fields.push(Field { name: name.clone(), optional, shape, default: default(property) });
        }
        for name in required {
            if missing.remove(name) && self.steps > 0 && name.len() <= MAX_WORD {
                self.steps -= 1;
                object.fields.push(Field { name: name.to_owned(), optional: false, shape: Shape::Any, default: None });
            }
        }
        object.required_first();
        object.rest = match node.get("additionalProperties") {
            None | Some(Node::Bool(true)) if object.fields.is_empty() && node.get("properties").is_none() => {
                Some(Shape::Any)
            }
            None | Some(Node::Bool(_)) => None,
            Some(schema) => match self.read(schema) {
                // The schema `{}` beside named members is what `true` is.
                Shape::Any if !object.fields.is_empty() => None,
                shape => Some(shape),
            },
        }
        .map(Box::new);
        Shape::Object(object)
    }
}

/// Whether a keyword's value restricts anything, rather than to be `true` or empty.
fn says_something(value: &Node) -> bool {
    !matches!(value, Node::Bool(true)) && *value != Node::Object(Vec::new())
}

/// Formats that say what `integer` and `number` say already, or how a form should look.
const NO_FORMATS: [&str; 7] = ["int32", "int64", "float", "double", "string", "textarea", "text"];

/// A pattern that fits into a signature.
fn is_showable(pattern: &str) -> bool {
    pattern.len() <= 80 && !pattern.is_empty() && !pattern.chars().any(char::is_control)
}

/// The types that the schema names.
fn types(node: &Node) -> Vec<&str> {
    match node.get("type") {
        Some(Node::String(name)) => vec![name],
        Some(Node::Array(names)) => names.iter().filter_map(Node::as_str).take(8).collect(),
        _ => Vec::new(),
    }
}

fn is_of_type(value: &Node, name: &str) -> bool {
    match (value, name) {
        (Node::Null, "null") | (Node::Bool(_), "boolean") | (Node::String(_), "string") => true,
        (Node::Array(_), "array") | (Node::Object(_), "object") | (Node::Number(_), "number") => true,
        (Node::Number(number), "integer") => number.as_f64().is_some_and(|number| number.fract() == 0.0),
        (_, "null" | "boolean" | "string" | "array" | "object" | "number" | "integer") => false,
        _ => true,
    }
}

/// The value of a member that is left out, unless it is `null`, which says nothing.
fn default(property: &Node) -> Option<String> {
    property.get("default").filter(|value| **value != Node::Null)?.text_within(MAX_DEFAULT)
}

fn number(node: &Node, integer: bool) -> Number {
    let read = |inclusive: &str, exclusive: &str, takes_exclusive: fn(f64, f64) -> bool| {
        let value = |name: &str| match node.get(name) {
            Some(Node::Number(number)) => Some((number.as_f64()?, number_text(number))),
            _ => None,
        };
        // Draft-04 wrote `exclusiveMinimum: true` beside the minimum.
        let flagged = node.get(exclusive) == Some(&Node::Bool(true));
        let bound = match (value(inclusive), value(exclusive)) {
            (Some((a, _)), Some((b, at))) if takes_exclusive(b, a) => (b, Bound { at, open: true }),
            (Some((a, at)), _) => (a, Bound { at, open: flagged }),
            (None, Some((b, at))) => (b, Bound { at, open: true }),
            (None, None) => return None,
        };
        (bound.0.abs() < ENDLESS).then_some(bound.1)
    };
    Number {
        integer,
        min: read("minimum", "exclusiveMinimum", |exclusive, inclusive| exclusive >= inclusive),
        max: read("maximum", "exclusiveMaximum", |exclusive, inclusive| exclusive <= inclusive),
        step: match node.get("multipleOf") {
            Some(Node::Number(step)) => Some(number_text(step)).filter(|step| !integer || step != "1"),
            _ => None,
        },
    }
}

/// `text` with its `%20` and the like read; what is no such code stays.
pub(crate) fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, more)) = rest.split_first() {
        let code = (first == b'%').then(|| more.get(..2)).flatten();
        match code.and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &more[2..];
            }
            None => {
                bytes.push(first);
                rest = more;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}
