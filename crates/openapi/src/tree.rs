//! A document as a tree of values in the order of the text, read from JSON or YAML.
//!
//! Generic on purpose: real documents are faulty, and a typed model would refuse a whole API for one member that nobody
//! needs. Whoever reads a tree asks for what it needs and takes what is there.

use std::fmt;

use indexmap::IndexMap;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use toolgate_protocol::Json;

use crate::yaml;

/// How deep a document may nest; `serde_json` itself goes no deeper than 128.
pub(crate) const MAX_DEPTH: usize = 100;

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Self>),
    /// Members in the order of the text; of a key given twice the last counts.
    Map(Members),
}

/// The members of a map.
pub(crate) type Members = IndexMap<String, Node>;

// === impl Node ===

impl Node {
    /// Reads a text that is JSON or YAML. The error says where and what.
    ///
    /// # Errors
    /// The text is neither, or nests too deep.
    pub fn read(text: &str) -> Result<Self, String> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if !text.trim_start().starts_with(['{', '[']) {
            return yaml::read(text);
        }
        // What begins like JSON may still be YAML's inline form; but if both fail, JSON is what was meant.
        match serde_json::from_str::<Self>(text) {
            Ok(node) if node.depth() > MAX_DEPTH => Err(format!("nested deeper than {MAX_DEPTH}")),
            Ok(node) => Ok(node),
            Err(error) => yaml::read(text).map_err(|_| format!("not JSON: {error}")),
        }
    }

    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A map of these members.
    pub fn map<'a>(members: impl IntoIterator<Item = (&'a str, Self)>) -> Self {
        Self::Map(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// The member of that name, if this is a map that has it.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.members()?.get(name)
    }

    /// The characters of the text member `name`.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_text()
    }

    /// Whether the member `name` is `true`.
    pub fn is_set(&self, name: &str) -> bool {
        matches!(self.get(name), Some(Self::Bool(true)))
    }

    /// The characters, if this is a text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The members, if this is a map.
    pub fn members(&self) -> Option<&Members> {
        match self {
            Self::Map(members) => Some(members),
            _ => None,
        }
    }

    /// The items, if this is a list; else none.
    pub fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    /// All members, or none if this is no map.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &Self)> {
        self.members().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
    }

    /// How deep it nests; a scalar is 0.
    pub(crate) fn depth(&self) -> usize {
        match self {
            Self::List(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Self::Map(members) => 1 + members.values().map(Self::depth).max().unwrap_or(0),
            _ => 0,
        }
    }

    /// About how long its text is, in bytes.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Null | Self::Bool(_) => 4,
            Self::Number(_) => 6,
            Self::Text(text) => text.len() + 2,
            Self::List(items) => 2 + items.iter().map(|item| item.size() + 1).sum::<usize>(),
            Self::Map(members) => 2 + members.iter().map(|(name, value)| name.len() + value.size() + 4).sum::<usize>(),
        }
    }

    /// As JSON text.
    pub fn to_json(&self) -> Json {
        Json::of(self).expect("a tree has text keys and finite numbers, all of which JSON can say")
    }
}

impl serde::Serialize for Node {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(number) => number.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => serializer.collect_seq(items),
            Self::Map(members) => serializer.collect_map(members),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Node;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_unit<E>(self) -> Result<Node, E> {
                Ok(Node::Null)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
                Ok(Node::Bool(value))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
                Ok(Node::Number(value.into()))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
                Ok(Node::Number(value.into()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
                Ok(Number::from_f64(value).map_or(Node::Null, Node::Number))
            }
            fn visit_str<E>(self, text: &str) -> Result<Node, E> {
                Ok(Node::text(text))
            }
            fn visit_string<E>(self, text: String) -> Result<Node, E> {
                Ok(Node::Text(text))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Node::List(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
                let mut members = Members::new();
                while let Some((name, value)) = map.next_entry()? {
                    members.insert(name, value);
                }
                Ok(Node::Map(members))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_yaml_read_the_same_and_keep_their_order() {
        let json = Node::read(r#"{"b": 1, "a": [true, null, 1.5, "x"], "200": {}}"#).unwrap();
        let yaml = Node::read("b: 1\na: [true, ~, 1.5, x]\n200: {}\n").unwrap();
        assert_eq!(json, yaml);
        assert_eq!(json.to_json().as_str(), r#"{"b":1,"a":[true,null,1.5,"x"],"200":{}}"#);
    }

    #[test]
    fn what_is_neither_is_told_with_its_place() {
        assert!(Node::read("{\"a\": 1,\n nope").unwrap_err().contains("line 2"));
        assert!(Node::read("a: [1\nb: }").unwrap_err().contains("line"));
        assert!(Node::read(&"[".repeat(100_000)).is_err());
        assert!(Node::read(&"- ".repeat(100_000)).is_err());
    }
}
