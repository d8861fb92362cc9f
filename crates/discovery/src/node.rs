//! A schema as a tree that keeps the order of its members: the order of parameters is part of what their author says.
//!
//! `serde_json::Value` sorts members. The tree is bounded, because a schema is written by whoever runs an upstream.

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use toolgate_protocol::Json;

/// A longer schema is not read into a tree.
pub(crate) const MAX_TEXT: usize = 256 << 10;

/// A JSON value with its members in order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    String(String),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

// === impl Node ===

impl Node {
    /// The tree of `json`; `None` where it is too long, or deeper than serde_json descends.
    pub(crate) fn read(json: &Json) -> Option<Self> {
        (json.text().len() <= MAX_TEXT).then(|| json.read().ok()).flatten()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        self.members().iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    pub(crate) fn members(&self) -> &[(String, Self)] {
        match self {
            Self::Object(members) => members,
            _ => &[],
        }
    }

    pub(crate) fn elements(&self) -> &[Self] {
        match self {
            Self::Array(elements) => elements,
            _ => &[],
        }
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Number(number) => number.as_f64(),
            _ => None,
        }
    }

    /// A count, also where it is spelled `7.0`.
    pub(crate) fn as_count(&self) -> Option<u64> {
        let number = self.as_f64()?;
        (number >= 0.0 && number.fract() == 0.0 && number <= 9e15).then_some(number as u64)
    }

    /// What a JSON pointer without its `#` leads to.
    pub(crate) fn pointed(&self, pointer: &str) -> Option<&Self> {
        if pointer.is_empty() {
            return Some(self);
        }
        let mut here = self;
        for step in pointer.strip_prefix('/')?.split('/') {
            let step = step.replace("~1", "/").replace("~0", "~");
            here = match here {
                Self::Object(_) => here.get(&step)?,
                Self::Array(elements) => elements.get(step.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        Some(here)
    }

    /// The value as compact JSON, if that has at most `limit` bytes; no more than that is written.
    pub(crate) fn text_within(&self, limit: usize) -> Option<String> {
        let mut text = String::new();
        self.write(&mut text, limit);
        (text.len() <= limit).then_some(text)
    }

    /// Appends compact JSON until `out` is longer than `limit`.
    fn write(&self, out: &mut String, limit: usize) {
        match self {
            _ if out.len() > limit => {}
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(number) => out.push_str(&number_text(number)),
            Self::String(text) if text.len() > limit => out.push_str(text),
            Self::String(text) => out.push_str(Json::string(text).as_str()),
            Self::Array(elements) => {
                out.push('[');
                for (at, element) in elements.iter().enumerate().take(limit) {
                    out.push_str(if at > 0 { "," } else { "" });
                    element.write(out, limit);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (at, (name, value)) in members.iter().enumerate().take(limit) {
                    out.push_str(if at > 0 { "," } else { "" });
                    Self::String(name.clone()).write(out, limit);
                    out.push(':');
                    value.write(out, limit);
                }
                out.push('}');
            }
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Build;
        impl<'de> Visitor<'de> for Build {
            type Value = Node;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("JSON")
            }
            fn visit_unit<E>(self) -> Result<Node, E> {
                Ok(Node::Null)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
                Ok(Node::Bool(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
                Ok(Node::Number(value.into()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
                Ok(Node::Number(value.into()))
            }
            fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
                serde_json::Number::from_f64(value).map(Node::Number).ok_or_else(|| E::custom("not a JSON number"))
            }
            fn visit_str<E>(self, value: &str) -> Result<Node, E> {
                Ok(Node::String(value.to_owned()))
            }
            fn visit_string<E>(self, value: String) -> Result<Node, E> {
                Ok(Node::String(value))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = seq.next_element()? {
                    elements.push(element);
                }
                Ok(Node::Array(elements))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Node::Object(members))
            }
        }
        deserializer.deserialize_any(Build)
    }
}

/// A number as people write it: `100` rather than `100.0`.
pub(crate) fn number_text(number: &serde_json::Number) -> String {
    match number.as_f64() {
        Some(value) if number.is_f64() && value.fract() == 0.0 && value.abs() < 9e15 => format!("{value:.0}"),
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_order_and_numbers_their_value() {
        let node = Node::read(&Json::literal(r#"{"z": 1e2, "a": [null, true, "x\n", -1.5]}"#)).unwrap();
        assert_eq!(node.text_within(100).as_deref(), Some(r#"{"z":100,"a":[null,true,"x\n",-1.5]}"#));
        assert_eq!(node.text_within(10), None);
        assert_eq!(node.pointed("/a/2").and_then(Node::as_str), Some("x\n"));
        assert_eq!(node.pointed("/a/9"), None);
    }
}
