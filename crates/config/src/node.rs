//! The file as a tree of values that remember where they were written.
//!
//! YAML and JSON both end here, so everything after this point is one path. A node keeps only a `Spot`, a number into
//! the tree's table of places: a value that is moved, renamed or copied on its way to a setting (a client's words put
//! into ours, a YAML alias) still leads back to the line and the path of keys that the reader has in front of them.

use std::collections::HashMap;

use crate::fault::Report;
use crate::show::brief;

/// Line and column in the file, both from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

/// Which node of the tree as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Spot(pub(crate) u32);

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) spot: Spot,
    pub(crate) value: Value,
    /// The text before `${…}` was filled in, if anything was.
    pub(crate) written: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// As spelled, so that `env: {VERSION: 1.10}` stays `1.10`.
    Number(String),
    Text(String),
    List(Vec<Node>),
    /// In the order of the file; keys are unique texts.
    Map(Vec<(Node, Node)>),
    /// A fault about this value has been reported; nothing more is to be said about it.
    Hole,
}

/// What was read: the root, and where each node stands.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) root: Node,
    places: Vec<Place>,
    /// Keys that were given twice: they are not in the tree, but their path is that of the first.
    twins: HashMap<Spot, Spot>,
    /// What was taken into it from elsewhere, in the order of their spots.
    grafts: Vec<Graft>,
}

/// A tree that was taken into another one.
#[derive(Debug)]
struct Graft {
    /// The least of its spots.
    first: u32,
    /// The keys that lead to where it was put.
    path: Vec<String>,
    root: Node,
}

/// Makes nodes, and counts them: the bound that stops a file of aliases of aliases.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    places: Vec<Place>,
    copies: usize,
    twins: HashMap<Spot, Spot>,
}

/// Pairs of a map that is being read.
#[derive(Debug, Default)]
pub(crate) struct MapBuilder {
    pairs: Vec<(Node, Node)>,
    seen: HashMap<String, Spot>,
}

/// The deepest nesting that a config file may have; ours needs six.
pub(crate) const MAX_DEPTH: usize = 64;

/// How many nodes YAML aliases may add to a file.
const MAX_COPIES: usize = 100_000;

// === impl Builder ===

impl Builder {
    pub(crate) fn node(&mut self, place: Place, value: Value) -> Node {
        let spot = Spot(u32::try_from(self.places.len()).unwrap_or(u32::MAX));
        self.places.push(place);
        Node { spot, value, written: None }
    }

    /// A copy of an anchored node, or `None` when the file's aliases add up to too much.
    pub(crate) fn copy(&mut self, node: &Node) -> Option<Node> {
        self.copies += node.count();
        (self.copies <= MAX_COPIES).then(|| node.clone())
    }

    pub(crate) fn place(&self, spot: Spot) -> Place {
        place_of(&self.places, spot)
    }

    /// A map to be filled in the order of the file.
    pub(crate) fn map(&self) -> MapBuilder {
        MapBuilder::default()
    }

    pub(crate) fn finish(self, root: Node) -> Tree {
        Tree { root, places: self.places, twins: self.twins, grafts: Vec::new() }
    }
}

// === impl MapBuilder ===

impl MapBuilder {
    /// Adds a pair; a key that is there already is a fault, and the first one stands.
    pub(crate) fn insert(&mut self, builder: &mut Builder, key: Node, value: Node, report: &mut Report) {
        let name = key.as_text().unwrap_or_default();
        match self.seen.get(name) {
            Some(first) => {
                let line = place_of(&builder.places, *first).line;
                let message = format!("`{name}` is given twice; first on line {line}");
                report.fault_with_help(key.spot, message, "remove one of the two");
                builder.twins.insert(key.spot, *first);
            }
            None => {
                self.seen.insert(name.to_owned(), key.spot);
                self.pairs.push((key, value));
            }
        }
    }

    /// Adds a copy of a pair unless the key is there (YAML's `<<`).
    pub(crate) fn insert_if_absent(&mut self, key: &Node, value: &Node) {
        let name = key.as_text().unwrap_or_default();
        if !self.seen.contains_key(name) {
            self.seen.insert(name.to_owned(), key.spot);
            self.pairs.push((key.clone(), value.clone()));
        }
    }

    pub(crate) fn finish(self) -> Value {
        Value::Map(self.pairs)
    }
}

// === impl Tree ===

impl Tree {
    pub(crate) fn place(&self, spot: Spot) -> Place {
        place_of(&self.places, spot)
    }

    /// Takes in a tree from elsewhere, to be put where `path` leads. Gives its root with the spots that it has from now on.
    pub(crate) fn graft(&mut self, mut other: Tree, path: &[&str]) -> Node {
        let first = self.next_spot();
        self.places.append(&mut other.places);
        let mut root = other.root;
        root.shift(first);
        self.twins.extend(other.twins.iter().map(|(twin, of)| (Spot(twin.0 + first), Spot(of.0 + first))));
        self.grafts.push(Graft { first, path: path.iter().map(|key| (*key).to_owned()).collect(), root: root.clone() });
        root
    }

    /// The spot of what cannot be read, and would have been put where `path` leads.
    pub(crate) fn graft_nothing(&mut self, path: &[&str]) -> Spot {
        let mut builder = Builder::default();
        let root = builder.node(Place { line: 1, column: 1 }, Value::Hole);
        self.graft(builder.finish(root), path).spot
    }

    /// Whether a node was taken in from elsewhere.
    pub(crate) fn is_grafted(&self, spot: Spot) -> bool {
        self.graft_of(spot).is_some()
    }

    fn graft_of(&self, spot: Spot) -> Option<&Graft> {
        let after = self.grafts.partition_point(|graft| graft.first <= spot.0);
        self.grafts[..after].last()
    }

    fn next_spot(&self) -> u32 {
        u32::try_from(self.places.len()).unwrap_or(u32::MAX)
    }

    /// The keys that lead to a node, as a person would say them: `upstreams.memory.args[1]`.
    pub(crate) fn path(&self, spot: Spot) -> String {
        let spot = self.twins.get(&spot).copied().unwrap_or(spot);
        let mut steps = Vec::new();
        let mut path = String::new();
        let root = match self.graft_of(spot) {
            Some(graft) => {
                graft.path.iter().for_each(|key| push_key(&mut path, key));
                &graft.root
            }
            None => &self.root,
        };
        find(root, spot, &mut steps);
        for step in steps.iter().rev() {
            match step {
                Step::Key(key) => push_key(&mut path, key),
                Step::Item(index) => path.push_str(&format!("[{index}]")),
            }
        }
        path
    }
}

/// One step of a path.
enum Step<'a> {
    Key(&'a str),
    Item(usize),
}

fn place_of(places: &[Place], spot: Spot) -> Place {
    places.get(spot.0 as usize).copied().unwrap_or(Place { line: 1, column: 1 })
}

/// Collects the steps to a node from the last to the first, so that nothing is built for the branches in between.
fn find<'a>(node: &'a Node, spot: Spot, steps: &mut Vec<Step<'a>>) -> bool {
    if node.spot == spot {
        return true;
    }
    match &node.value {
        Value::Map(pairs) => pairs.iter().any(|(key, value)| {
            let found = key.spot == spot || find(value, spot, steps);
            if found {
                steps.push(Step::Key(key.as_text().unwrap_or_default()));
            }
            found
        }),
        Value::List(items) => items.iter().enumerate().any(|(index, item)| {
            let found = find(item, spot, steps);
            if found {
                steps.push(Step::Item(index));
            }
            found
        }),
        _ => false,
    }
}

fn push_key(path: &mut String, key: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    let plain = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || "_-$@/".contains(c));
    let key = brief(key);
    if plain {
        path.push_str(&key);
    } else {
        path.push_str(&format!("{key:?}"));
    }
}

// === impl Node ===

impl Node {
    /// A node that stands for another one: same spot, other value.
    pub(crate) fn like(&self, value: Value) -> Node {
        Node { spot: self.spot, value, written: None }
    }

    pub(crate) fn text_like(&self, text: &str) -> Node {
        self.like(Value::Text(text.to_owned()))
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn as_bool(&self) -> Option<bool> {
        match self.value {
            Value::Bool(value) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn pairs(&self) -> &[(Node, Node)] {
        match &self.value {
            Value::Map(pairs) => pairs,
            _ => &[],
        }
    }

    pub(crate) fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    pub(crate) fn is_map(&self) -> bool {
        matches!(self.value, Value::Map(_))
    }

    pub(crate) fn is_hole(&self) -> bool {
        matches!(self.value, Value::Hole)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.pairs().iter().find(|(k, _)| k.as_text() == Some(key)).map(|(_, value)| value)
    }

    /// What kind of value this is, in the words of a fault.
    pub(crate) fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
            Value::Hole => "a value that is at fault",
        }
    }

    /// The value as it was written, before anything was filled in. A number that JSON does not know is a text.
    pub(crate) fn as_written(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Null | Value::Hole => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Number(text) => {
                serde_json::from_str::<serde_json::Number>(text).map_or(text.as_str().into(), Json::Number)
            }
            Value::Text(text) => self.written.as_ref().unwrap_or(text).as_str().into(),
            Value::List(items) => items.iter().map(Node::as_written).collect(),
            Value::Map(pairs) => {
                let member =
                    |(key, value): &(Node, Node)| (key.as_text().unwrap_or_default().to_owned(), value.as_written());
                Json::Object(pairs.iter().map(member).collect())
            }
        }
    }

    /// Moves the spots of a tree behind those of another one.
    fn shift(&mut self, by: u32) {
        self.spot.0 = self.spot.0.saturating_add(by);
        match &mut self.value {
            Value::List(items) => items.iter_mut().for_each(|item| item.shift(by)),
            Value::Map(pairs) => pairs.iter_mut().for_each(|(key, value)| {
                key.shift(by);
                value.shift(by);
            }),
            _ => {}
        }
    }

    fn count(&self) -> usize {
        1 + match &self.value {
            Value::List(items) => items.iter().map(Node::count).sum(),
            Value::Map(pairs) => pairs.iter().map(|(_, value)| 1 + value.count()).sum(),
            _ => 0,
        }
    }
}
