//! Puts small schemas back where they are referred to, and gathers the others under `$defs`.
//!
//! Clients and model APIs exist that do not follow `$ref`, so one that can be avoided is. A recursive schema cannot be written
//! out; it stays under its name, and so does a large one.

use std::collections::{HashMap, HashSet};

use crate::tree::{Members, Node};

/// A schema up to this many bytes is written out wherever it is used.
const SMALL: usize = 2_000;
/// And it nests no deeper than this.
const SHALLOW: usize = 12;
/// So many bytes are gathered under `$defs` at most; a tool's schema is smaller in the end.
const MAX_NEEDED: usize = 512 << 10;

/// The schemas that are referred to, each with what it refers to written out where that is small.
#[derive(Debug, Default)]
pub(crate) struct Closed {
    /// By name.
    done: HashMap<String, Node>,
    /// Those that are written out where they are used.
    small: HashSet<String>,
}

// === impl Closed ===

impl Closed {
    /// The schema for itself: what it refers to is written out, or under its own `$defs`.
    pub(crate) fn close(&mut self, schema: &Node, defs: &HashMap<String, Node>) -> Node {
        let mut names = Vec::new();
        references(schema, &mut names);
        for name in names {
            self.prepare(&name, defs);
        }
        self.written_out(schema)
    }

    /// What must stand under `$defs` for these schemas; `None` if that is too much.
    pub(crate) fn needed(&self, schemas: &[&Node]) -> Option<Members> {
        let mut waiting = Vec::new();
        schemas.iter().for_each(|schema| references(schema, &mut waiting));
        let (mut needed, mut size) = (Members::new(), 0);
        while let Some(name) = waiting.pop() {
            if let Some(schema) = self.done.get(&name).filter(|_| !needed.contains_key(&name)) {
                size += schema.size();
                if size > MAX_NEEDED {
                    return None;
                }
                references(schema, &mut waiting);
                needed.insert(name, schema.clone());
            }
        }
        needed.sort_unstable_keys();
        Some(needed)
    }

    /// Makes ready one named schema, after all that it refers to. With a stack of its own: chains of references are long.
    fn prepare(&mut self, name: &str, defs: &HashMap<String, Node>) {
        let mut begun = HashSet::new();
        let mut stack = vec![(name.to_owned(), false)];
        while let Some((name, is_ready)) = stack.pop() {
            let Some(schema) = defs.get(&name).filter(|_| !self.done.contains_key(&name)) else { continue };
            if is_ready {
                let closed = self.written_out(schema);
                let mut left = Vec::new();
                references(&closed, &mut left);
                if left.is_empty() && closed.size() <= SMALL && closed.depth() <= SHALLOW {
                    self.small.insert(name.clone());
                }
                self.done.insert(name, closed);
                continue;
            }
            // One that is begun and comes again is recursive; its reference stays.
            if begun.insert(name.clone()) {
                let mut names = Vec::new();
                references(schema, &mut names);
                stack.push((name, true));
                stack.extend(names.into_iter().map(|name| (name, false)));
            }
        }
    }

    fn written_out(&self, schema: &Node) -> Node {
        match schema {
            Node::Map(members) => match reference(schema).filter(|name| self.small.contains(*name)) {
                Some(name) => {
                    let mut copy = self.done[name].clone();
                    if let (Node::Map(copy), Some(told)) = (&mut copy, members.get("description")) {
                        copy.insert("description".into(), told.clone());
                    }
                    copy
                }
                None => {
                    Node::Map(members.iter().map(|(name, value)| (name.clone(), self.written_out(value))).collect())
                }
            },
            Node::List(items) => Node::List(items.iter().map(|item| self.written_out(item)).collect()),
            scalar => scalar.clone(),
        }
    }
}

/// The name that a schema is a reference to.
fn reference(schema: &Node) -> Option<&str> {
    schema.text_of("$ref")?.strip_prefix("#/$defs/")
}

/// The names of all that a schema refers to.
pub(crate) fn names_in(schema: &Node) -> Vec<String> {
    let mut found = Vec::new();
    references(schema, &mut found);
    found
}

fn references(schema: &Node, found: &mut Vec<String>) {
    if let Some(name) = reference(schema) {
        found.push(name.to_owned());
    }
    match schema {
        Node::Map(members) => members.values().for_each(|value| references(value, found)),
        Node::List(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

/// A schema without references: what they lead to may be anything.
pub(crate) fn without_references(schema: &Node) -> Node {
    match schema {
        Node::Map(members) if reference(schema).is_some() => {
            Node::Map(members.iter().filter(|(name, _)| *name == "description").map(owned).collect())
        }
        Node::Map(members) => {
            Node::Map(members.iter().map(|(name, value)| (name.clone(), without_references(value))).collect())
        }
        Node::List(items) => Node::List(items.iter().map(without_references).collect()),
        scalar => scalar.clone(),
    }
}

fn owned((name, value): (&String, &Node)) -> (String, Node) {
    (name.clone(), value.clone())
}

/// A schema without what is below so many levels of schemas: what is there may be anything. What says "not" or "exactly one"
/// goes as well, since it would forbid what it no longer describes.
pub(crate) fn cut(node: &Node, levels: usize) -> Node {
    match node {
        Node::Map(_) if levels == 0 => Node::map([]),
        Node::Map(members) => {
            Node::Map(members.iter().filter_map(|(name, value)| below(name, value, levels)).collect())
        }
        other => other.clone(),
    }
}

fn below(keyword: &str, value: &Node, levels: usize) -> Option<(String, Node)> {
    let (keyword, value) = match (keyword, value) {
        ("properties" | "patternProperties" | "dependentSchemas" | "$defs", Node::Map(schemas)) => {
            let schemas = schemas.iter().map(|(name, schema)| (name.clone(), cut(schema, levels - 1)));
            (keyword, Node::Map(schemas.collect()))
        }
        ("oneOf" | "anyOf", Node::List(schemas)) => {
            ("anyOf", Node::List(schemas.iter().map(|schema| cut(schema, levels - 1)).collect()))
        }
        ("allOf" | "prefixItems", Node::List(schemas)) => {
            (keyword, Node::List(schemas.iter().map(|schema| cut(schema, levels - 1)).collect()))
        }
        ("items" | "additionalProperties", Node::Map(_)) => (keyword, cut(value, levels - 1)),
        ("not" | "contains" | "if" | "then" | "else", _) => return None,
        _ => (keyword, value.clone()),
    };
    Some((keyword.to_owned(), value))
}
