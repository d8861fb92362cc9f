//! YAML to a tree, from the parser's events: aliases are bounded, and keys that are numbers (`200:`) are texts.

use std::collections::HashMap;

use indexmap::map::Entry;
use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::Number;

use crate::tree::{MAX_DEPTH, Members, Node};

/// How many bytes aliases may add to a document.
const MAX_COPIED: usize = 32 << 20;

#[derive(Default)]
struct Loader {
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    copied: usize,
    root: Option<Node>,
}

/// A list or a map whose end has not been read yet.
struct Open {
    anchor: usize,
    kind: Kind,
}

enum Kind {
    List(Vec<Node>),
    Map { members: Members, key: Option<String> },
}

/// The tree of a YAML text. Of several documents in it, the first.
pub(crate) fn read(text: &str) -> Result<Node, String> {
    let mut loader = Loader::default();
    for event in Parser::new_from_str(text) {
        let (event, span) =
            event.map_err(|error| format!("not YAML: line {}: {}", error.marker().line().max(1), error.info()))?;
        if loader.root.is_some() {
            break;
        }
        loader.event(event).map_err(|what| format!("line {}: {what}", span.start.line().max(1)))?;
    }
    Ok(loader.root.unwrap_or(Node::Null))
}

// === impl Loader ===

impl Loader {
    fn event(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_text = style != ScalarStyle::Plain || tag.is_some_and(|tag| tag.suffix == "str");
                // A key is a text whatever it looks like.
                let node = match is_text || self.wants_key() {
                    true => Node::text(text),
                    false => scalar(&text),
                };
                self.add(anchor, node)
            }
            Event::SequenceStart(anchor, _) => self.enter(Open { anchor, kind: Kind::List(Vec::new()) }),
            Event::MappingStart(anchor, _) => {
                self.enter(Open { anchor, kind: Kind::Map { members: Members::new(), key: None } })
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open { anchor, kind: Kind::List(items) }) => self.add(anchor, Node::List(items)),
                Some(Open { anchor, kind: Kind::Map { members, .. } }) => self.add(anchor, Node::Map(members)),
                None => Ok(()),
            },
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).ok_or("an alias to what is not defined before it")?.clone();
                self.copied += node.size();
                if self.copied > MAX_COPIED {
                    return Err("aliases make this document too large".into());
                }
                if self.open.len() + node.depth() > MAX_DEPTH {
                    return Err(format!("nested deeper than {MAX_DEPTH}"));
                }
                self.add(0, node)
            }
            _ => Ok(()),
        }
    }

    fn wants_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { kind: Kind::Map { key: None, .. }, .. }))
    }

    fn enter(&mut self, open: Open) -> Result<(), String> {
        if self.open.len() >= MAX_DEPTH {
            return Err(format!("nested deeper than {MAX_DEPTH}"));
        }
        self.open.push(open);
        Ok(())
    }

    /// Puts a complete node where it belongs.
    fn add(&mut self, anchor: usize, node: Node) -> Result<(), String> {
        if anchor > 0 {
            self.copied += node.size();
            if self.copied > MAX_COPIED {
                return Err("anchors make this document too large".into());
            }
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.kind) {
            None => self.root = Some(node),
            Some(Kind::List(items)) => items.push(node),
            Some(Kind::Map { members, key }) => match (key.take(), node) {
                (None, Node::Text(name)) => *key = Some(name),
                (None, _) => return Err("a key must be a text".into()),
                (Some(name), Node::Map(merged)) if name == "<<" => merge(members, merged),
                (Some(name), node) => drop(members.insert(name, node)),
            },
        }
        Ok(())
    }
}

/// `<<: *base`: its members, where the map has none of its own.
fn merge(members: &mut Members, merged: Members) {
    for (name, value) in merged {
        if let Entry::Vacant(vacant) = members.entry(name) {
            vacant.insert(value);
        }
    }
}

/// A plain scalar, by the core schema of YAML 1.2.
fn scalar(text: &str) -> Node {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Node::Null,
        "true" | "True" | "TRUE" => Node::Bool(true),
        "false" | "False" | "FALSE" => Node::Bool(false),
        _ => number(text).map_or_else(|| Node::text(text), Node::Number),
    }
}

fn number(text: &str) -> Option<Number> {
    let starts = text.trim_start_matches(['-', '+']).starts_with(|c: char| c.is_ascii_digit() || c == '.');
    if !starts {
        return None;
    }
    if let Ok(number) = text.parse::<u64>() {
        return Some(number.into());
    }
    match text.parse::<i64>() {
        Ok(number) => Some(number.into()),
        Err(_) => Number::from_f64(text.parse().ok()?),
    }
}
