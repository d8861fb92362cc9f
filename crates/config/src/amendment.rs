//! What is set beside the config file, over the control API, and lies over it.
//!
//! An amendment is about one thing: an upstream, whether one is enabled, a namespace, or what is laid over one tool. It says
//! what the file would say in that place, in the same words, as JSON. It wins over the file there; where there is none any more,
//! the file holds again.

use std::fmt;

use crate::fault::Report;
use crate::json;
use crate::node::{Node, Place, Tree, Value};
use crate::slug::slug;

/// What an amendment is about. In the order in which they are laid over a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Item {
    /// The upstream of this slug: a map, as below `upstreams`.
    Upstream(String),
    /// Whether the upstream of this slug is enabled: `true` or `false`.
    Enabled(String),
    /// The namespace of this name: a map, as below `namespaces`.
    Namespace(String),
    /// What a namespace lays over a tool: a map, as below its `overrides`.
    Override {
        /// The namespace.
        namespace: String,
        /// `upstream/tool`.
        tool: String,
    },
}

/// Something that is set beside the config file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amendment {
    /// What it is about.
    pub item: Item,
    /// What is said of it, as JSON.
    pub json: String,
}

/// Something that a file says of what an amendment could be about.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// What it is about; never [`Item::Enabled`], which is a part of the upstream.
    pub item: Item,
    /// What is said of it, as written.
    pub value: serde_json::Value,
    /// Where.
    pub place: Place,
}

// === impl Item ===

impl Item {
    /// The name under which it is kept: `upstream:github`, `override:team:github/create_issue`.
    pub fn key(&self) -> String {
        match self {
            Self::Upstream(name) => format!("upstream:{name}"),
            Self::Enabled(name) => format!("enabled:{name}"),
            Self::Namespace(name) => format!("namespace:{name}"),
            Self::Override { namespace, tool } => format!("override:{namespace}:{tool}"),
        }
    }

    /// What is kept under a name; `None` for one that was not made by [`Item::key`].
    pub fn of_key(key: &str) -> Option<Self> {
        let (kind, name) = key.split_once(':')?;
        match kind {
            "upstream" => Some(Self::Upstream(name.to_owned())),
            "enabled" => Some(Self::Enabled(name.to_owned())),
            "namespace" => Some(Self::Namespace(name.to_owned())),
            "override" => {
                let (namespace, tool) = name.split_once(':')?;
                Some(Self::Override { namespace: namespace.to_owned(), tool: tool.to_owned() })
            }
            _ => None,
        }
    }

    /// Whether it can be set under its name.
    ///
    /// # Errors
    /// What is wrong with the name, and what to do.
    pub fn check(&self) -> Result<(), &'static str> {
        match self {
            Self::Upstream(name) | Self::Enabled(name) if slug(name) != *name => Err(
                "an upstream is set under the name that clients see before `__`: letters, digits, `-` and `_`, at most 40, no `__`",
            ),
            Self::Override { tool, .. } if !tool.contains('/') => Err("a tool is named `upstream/tool`"),
            // Names of namespaces are checked with the rest of the config.
            _ => Ok(()),
        }
    }

    /// The keys of the config that lead to it.
    fn path(&self) -> Vec<&str> {
        match self {
            Self::Upstream(name) => vec!["upstreams", name],
            Self::Enabled(name) => vec!["upstreams", name, "enabled"],
            Self::Namespace(name) => vec!["namespaces", name],
            Self::Override { namespace, tool } => vec!["namespaces", namespace, "overrides", tool],
        }
    }
}

/// `upstream github`, as differences name it.
impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upstream(name) | Self::Enabled(name) => write!(f, "upstream {name}"),
            Self::Namespace(name) => write!(f, "namespace {name}"),
            Self::Override { namespace, tool } => write!(f, "override of {tool} in namespace {namespace}"),
        }
    }
}

// === what a file says ===

/// What a config in our words says of upstreams, namespaces and tools.
pub(crate) fn written(root: &Node, tree: &Tree) -> Vec<Written> {
    let mut all = Vec::new();
    let mut take = |item, key: &Node, value: &Node| {
        all.push(Written { item, value: value.as_written(), place: tree.place(key.spot) });
    };
    for (key, value) in pairs_of(root, "upstreams") {
        take(Item::Upstream(slug(key.as_text().unwrap_or_default())), key, value);
    }
    for (key, value) in pairs_of(root, "namespaces") {
        let namespace = key.as_text().unwrap_or_default().to_owned();
        for (tool, value) in pairs_of(value, "overrides") {
            let tool_name = tool.as_text().unwrap_or_default().to_owned();
            take(Item::Override { namespace: namespace.clone(), tool: tool_name }, tool, value);
        }
        take(Item::Namespace(namespace), key, value);
    }
    all
}

fn pairs_of<'a>(node: &'a Node, key: &str) -> &'a [(Node, Node)] {
    node.get(key).map(Node::pairs).unwrap_or_default()
}

// === laying over ===

/// Lays amendments, in the order of their items, over a config in our words. Gives those that have nothing to lie on, each with
/// the reason.
pub(crate) fn lay_over(
    root: &mut Node,
    tree: &mut Tree,
    amendments: &[Amendment],
    report: &mut Report,
) -> Vec<(Item, String)> {
    let mut idle = Vec::new();
    for Amendment { item, json } in amendments {
        // A text that is no JSON was not made by us; the hole says so.
        let graft = match json::read(json, report) {
            Ok(graft) => tree.graft(graft, &item.path()),
            Err(error) => {
                let spot = tree.graft_nothing(&item.path());
                report.fault(spot, error.message);
                continue;
            }
        };
        let why = match item {
            Item::Upstream(name) => {
                put(map_in(root, "upstreams", &graft), |key| slug(key) == *name, name, graft);
                None
            }
            Item::Namespace(name) => {
                put(map_in(root, "namespaces", &graft), |key| key == name, name, graft);
                None
            }
            Item::Enabled(name) => match find(root, "upstreams", |key| slug(key) == *name) {
                Some(upstream) if upstream.is_map() => {
                    put(upstream, |key| key == "enabled", "enabled", graft);
                    None
                }
                // It has a fault of its own.
                Some(_) => None,
                None => Some(format!("there is no upstream `{name}`; this is kept until there is one")),
            },
            Item::Override { namespace, tool } => {
                // The default namespace is there without being named.
                if namespace == crate::namespace::DEFAULT_NAMESPACE {
                    let nothing = graft.like(Value::Map(Vec::new()));
                    let all = map_in(root, "namespaces", &graft);
                    if all.get(namespace).is_none() {
                        put(all, |_| false, namespace, nothing);
                    }
                }
                match find(root, "namespaces", |key| key == namespace) {
                    Some(namespace) if namespace.is_map() || matches!(namespace.value, Value::Null) => {
                        put(map_in(namespace, "overrides", &graft), |key| key == tool, tool, graft);
                        None
                    }
                    Some(_) => None,
                    None => Some(format!("there is no namespace `{namespace}`; this is kept until there is one")),
                }
            }
        };
        idle.extend(why.map(|why| (item.clone(), why)));
    }
    idle
}

/// The map below a key, which comes to be where there is none.
fn map_in<'a>(node: &'a mut Node, name: &str, like: &Node) -> &'a mut Node {
    if !node.is_map() {
        node.value = Value::Map(Vec::new());
    }
    let Value::Map(pairs) = &mut node.value else { unreachable!("it was made a map") };
    let at = match pairs.iter().position(|(key, _)| key.as_text() == Some(name)) {
        Some(at) => at,
        None => {
            pairs.push((like.text_like(name), like.like(Value::Map(Vec::new()))));
            pairs.len() - 1
        }
    };
    let map = &mut pairs[at].1;
    // `upstreams:` without anything below it.
    if matches!(map.value, Value::Null) {
        map.value = Value::Map(Vec::new());
    }
    map
}

fn find<'a>(root: &'a mut Node, list: &str, is_it: impl Fn(&str) -> bool) -> Option<&'a mut Node> {
    let Value::Map(pairs) = &mut root.value else { return None };
    let (_, map) = pairs.iter_mut().find(|(key, _)| key.as_text() == Some(list))?;
    let Value::Map(pairs) = &mut map.value else { return None };
    pairs.iter_mut().find(|(key, _)| key.as_text().is_some_and(&is_it)).map(|(_, value)| value)
}

/// Puts a value into a map in the place of what it has under that name, or behind all others.
fn put(map: &mut Node, is_it: impl Fn(&str) -> bool, name: &str, value: Node) {
    // What is no map has a fault of its own.
    let Value::Map(pairs) = &mut map.value else { return };
    match pairs.iter_mut().find(|(key, _)| key.as_text().is_some_and(&is_it)) {
        Some((key, old)) => {
            // The file's name for it stays, but it is said elsewhere now.
            key.spot = value.spot;
            *old = value;
        }
        None => pairs.push((value.text_like(name), value)),
    }
}
