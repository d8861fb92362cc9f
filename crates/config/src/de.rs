//! serde over a node, so that the structs of `file.rs` are read straight from the tree.
//!
//! By the time this runs the tree has been held against the schema of the same structs, so that an error here means
//! that the two disagree; it is reported as a fault of the whole file rather than hidden.

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, Error as _, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Error, Value as Json};

use crate::node::{Node, Value};
use crate::written::TEXT;

impl<'de> IntoDeserializer<'de, Error> for &'de Node {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

impl Node {
    /// A scalar as a text: as spelled in the file, before and after filling in.
    fn spelled(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) | Value::Number(text) => Some(text),
            Value::Bool(true) => Some("true"),
            Value::Bool(false) => Some("false"),
            _ => None,
        }
    }
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::Number(text) => match (text.parse::<u64>(), text.parse::<i64>()) {
                (Ok(number), _) => visitor.visit_u64(number),
                (Err(_), Ok(number)) => visitor.visit_i64(number),
                _ => visitor.visit_f64(text.parse().map_err(Error::custom)?),
            },
            Value::List(items) => visitor.visit_seq(SeqDeserializer::new(items.iter())),
            Value::Map(pairs) => visitor.visit_map(MapDeserializer::new(pairs.iter().map(|(key, value)| (key, value)))),
            Value::Hole => Err(Error::custom("a faulty value was left in the tree")),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        match self.spelled() {
            Some(value) if name == TEXT => {
                let written = self.written.as_deref().unwrap_or(value);
                let parts = [Json::from(value), Json::from(written), Json::from(self.spot.0)];
                visitor.visit_seq(SeqDeserializer::new(parts.into_iter()))
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let word = self.spelled().ok_or_else(|| Error::custom("expected one of a few words"))?;
        IntoDeserializer::<Error>::into_deserializer(word).deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}
