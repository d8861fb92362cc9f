//! YAML to a tree, with the place of each value.
//!
//! It is built from the parser's events and not with a ready-made loader, for three things that a config file needs:
//! places, a bound on depth and on aliases, and numbers that stay as they were spelled. YAML 1.2 core schema: `yes`
//! and `on` are texts.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, Tag};

use crate::fault::Report;
use crate::node::{Builder, MAX_DEPTH, MapBuilder, Node, Place, Tree, Value};
use crate::syntax::SyntaxError;

/// A list or a map whose end has not been read yet.
struct Open {
    place: Place,
    anchor: usize,
    kind: Kind,
}

enum Kind {
    List(Vec<Node>),
    Map { map: MapBuilder, key: Option<Node>, merged: Vec<Node> },
}

struct Loader<'r> {
    builder: Builder,
    report: &'r mut Report,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    root: Option<Node>,
}

/// The tree of a YAML text of one document; an empty one is null.
pub(crate) fn read(text: &str, report: &mut Report) -> Result<Tree, SyntaxError> {
    let mut loader =
        Loader { builder: Builder::default(), report, open: Vec::new(), anchors: HashMap::new(), root: None };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| explain(text, &error))?;
        loader.event(event, span)?;
    }
    let start = Place { line: 1, column: 1 };
    let root = loader.root.take();
    let root = root.unwrap_or_else(|| loader.builder.node(start, Value::Null));
    Ok(loader.builder.finish(root))
}

fn place(marker: Marker) -> Place {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Place { line: number(marker.line().max(1)), column: number(marker.col() + 1) }
}

// === impl Loader ===

impl Loader<'_> {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), SyntaxError> {
        let place = place(span.start);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar(&text, style, tag.as_deref(), place)?;
                let node = self.builder.node(place, value);
                self.keep(anchor, &node);
                self.add(node)
            }
            Event::SequenceStart(anchor, tag) => {
                check_tag(tag.as_deref(), place)?;
                self.enter(Open { place, anchor, kind: Kind::List(Vec::new()) })
            }
            Event::MappingStart(anchor, tag) => {
                check_tag(tag.as_deref(), place)?;
                let kind = Kind::Map { map: self.builder.map(), key: None, merged: Vec::new() };
                self.enter(Open { place, anchor, kind })
            }
            Event::SequenceEnd | Event::MappingEnd => self.leave(),
            Event::Alias(anchor) => {
                let copy = self.anchors.get(&anchor).map(|node| self.builder.copy(node));
                match copy {
                    Some(Some(node)) => self.add(node),
                    Some(None) => Err(error(place, "aliases (`*name`) make this file too large")),
                    None => Err(error(place, "an alias (`*name`) to what is not defined before it")),
                }
            }
            Event::DocumentStart(_) if self.root.is_some() => {
                Err(error(place, "a second document; a config file has one"))
            }
            _ => Ok(()),
        }
    }

    fn enter(&mut self, open: Open) -> Result<(), SyntaxError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(error(open.place, &format!("nested deeper than {MAX_DEPTH}")));
        }
        self.open.push(open);
        Ok(())
    }

    fn leave(&mut self) -> Result<(), SyntaxError> {
        let Some(Open { place, anchor, kind }) = self.open.pop() else { return Ok(()) };
        let value = match kind {
            Kind::List(items) => Value::List(items),
            Kind::Map { mut map, merged, .. } => {
                for (key, value) in merged.iter().flat_map(Node::pairs) {
                    map.insert_if_absent(key, value);
                }
                map.finish()
            }
        };
        let node = self.builder.node(place, value);
        self.keep(anchor, &node);
        self.add(node)
    }

    fn keep(&mut self, anchor: usize, node: &Node) {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
    }

    /// Puts a complete node where it belongs: into the list or map that is open, or at the root.
    fn add(&mut self, node: Node) -> Result<(), SyntaxError> {
        let at = self.builder.place(node.spot);
        match self.open.last_mut().map(|open| &mut open.kind) {
            None => self.root = Some(node),
            Some(Kind::List(items)) => items.push(node),
            Some(Kind::Map { map, key, merged }) => match key.take() {
                None => *key = Some(as_key(node, at)?),
                Some(name) if name.as_text() == Some("<<") => merge(node, at, merged)?,
                Some(name) => map.insert(&mut self.builder, name, node, self.report),
            },
        }
        Ok(())
    }
}

/// `<<: *base` or `<<: [*one, *two]`: their pairs, where the map has none of its own.
fn merge(node: Node, at: Place, merged: &mut Vec<Node>) -> Result<(), SyntaxError> {
    match &node.value {
        Value::Map(_) => merged.push(node),
        Value::List(items) if items.iter().all(Node::is_map) => merged.extend(items.iter().cloned()),
        _ => return Err(error(at, "`<<` takes a map or a list of maps, such as `*base`")),
    }
    Ok(())
}

fn as_key(node: Node, at: Place) -> Result<Node, SyntaxError> {
    let name = match &node.value {
        Value::Text(_) => return Ok(node),
        Value::Number(text) => text.clone(),
        Value::Bool(value) => value.to_string(),
        _ => return Err(error(at, &format!("a key must be a text, this is {}", node.kind()))),
    };
    Ok(node.text_like(&name))
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>, at: Place) -> Result<Value, SyntaxError> {
    check_tag(tag, at)?;
    let is_text = style != ScalarStyle::Plain || tag.is_some_and(|tag| tag.suffix == "str");
    if is_text {
        return Ok(Value::Text(text.to_owned()));
    }
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ if is_number(text) => Value::Number(text.to_owned()),
        _ => Value::Text(text.to_owned()),
    })
}

/// A decimal number, as JSON or YAML spell it.
fn is_number(text: &str) -> bool {
    let starts = text.trim_start_matches(['-', '+']).starts_with(|c: char| c.is_ascii_digit() || c == '.');
    starts && text.parse::<f64>().is_ok_and(f64::is_finite)
}

/// Only the tags of the core schema; others are for programs that make objects of their files.
fn check_tag(tag: Option<&Tag>, at: Place) -> Result<(), SyntaxError> {
    match tag {
        Some(tag) if !tag.is_yaml_core_schema() => Err(error(at, &format!("the tag `{tag}` is not known here"))),
        _ => Ok(()),
    }
}

fn error(place: Place, message: &str) -> SyntaxError {
    SyntaxError { place, message: message.to_owned(), help: None }
}

/// What ends too early is reported behind the last line; this is the end of that line instead.
fn within(text: &str, place: Place) -> Place {
    let (lines, last) = text.lines().fold((0u32, ""), |(count, _), line| (count + 1, line));
    if place.line <= lines.max(1) {
        return place;
    }
    Place { line: lines.max(1), column: u32::try_from(last.chars().count() + 1).unwrap_or(u32::MAX) }
}

/// The parser's error, with what most often leads to it.
fn explain(text: &str, error: &ScanError) -> SyntaxError {
    let place = within(text, place(*error.marker()));
    let line = text.lines().nth(place.line as usize - 1).unwrap_or_default();
    let help = if line.contains("${") && line.contains(['{', '[']) {
        Some("inside `{ }` and `[ ]`, put a text with `${…}` in double quotes")
    } else if line.contains(": @") || line.contains("- @") || line.contains("[@") || line.contains(", @") {
        Some("a text that begins with `@` must be in double quotes")
    } else if line.starts_with('\t') || line.trim_start_matches(' ').starts_with('\t') {
        Some("indent with spaces, not tabs")
    } else {
        None
    };
    SyntaxError { place, message: format!("not YAML: {}", error.info()), help: help.map(str::to_owned) }
}
