//! The two shapes of the config file that serde has no word for: a text that knows its place, and a map in order.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::node::Spot;

/// The name by which [`crate::de`] knows that a [`Text`] is wanted.
pub(crate) const TEXT: &str = "$toolgate::Text";

/// A text in the file: what it says once `${…}` is filled in, as it was written, and where.
///
/// Numbers and booleans are texts too where a text is wanted (`args: [--port, 8080]`), spelled as they were.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) value: String,
    pub(crate) written: String,
    pub(crate) spot: Spot,
}

/// A map that keeps the order of the file.
#[derive(Debug, Clone)]
pub(crate) struct Pairs<V>(pub(crate) Vec<(Text, V)>);

/// Any value at all, as JSON text with its members in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JsonText(pub(crate) String);

// === impl Text ===

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Text { value: text.to_owned(), written: text.to_owned(), spot: Spot::default() }
    }
}

/// As written: a variable's value is nobody's business in a log.
impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.written)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.written)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text::from(text))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Text, A::Error> {
                let short = |at| A::Error::invalid_length(at, &"value, written, spot");
                let value = parts.next_element()?.ok_or_else(|| short(0))?;
                let written = parts.next_element()?.ok_or_else(|| short(1))?;
                let spot = Spot(parts.next_element()?.ok_or_else(|| short(2))?);
                Ok(Text { value, written, spot })
            }
        }
        deserializer.deserialize_newtype_struct(TEXT, TextVisitor)
    }
}

impl JsonSchema for Text {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Text".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number", "boolean"] })
    }
}

// === impl Pairs ===

impl<V> Default for Pairs<V> {
    fn default() -> Self {
        Pairs(Vec::new())
    }
}

impl<V: Serialize> Serialize for Pairs<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Pairs<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor<V>(std::marker::PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for PairsVisitor<V> {
            type Value = Pairs<V>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<V>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(PairsVisitor(std::marker::PhantomData))
    }
}

impl<V: JsonSchema> JsonSchema for Pairs<V> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Map".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<V>();
        json_schema!({ "type": "object", "additionalProperties": value })
    }
}

// === impl JsonText ===

impl Serialize for JsonText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<serde_json::Value>(&self.0).unwrap_or_default().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for JsonText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = JsonText;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_unit<E: Error>(self) -> Result<JsonText, E> {
                Ok(JsonText("null".into()))
            }
            fn visit_bool<E: Error>(self, value: bool) -> Result<JsonText, E> {
                Ok(JsonText(value.to_string()))
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<JsonText, E> {
                Ok(JsonText(value.to_string()))
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<JsonText, E> {
                Ok(JsonText(value.to_string()))
            }
            fn visit_f64<E: Error>(self, value: f64) -> Result<JsonText, E> {
                // JSON has neither infinity nor `-5.0` where -5 was written.
                let whole = value.fract() == 0.0 && value.abs() < 1e15;
                Ok(JsonText(if whole { format!("{value:.0}") } else { serde_json::Value::from(value).to_string() }))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<JsonText, E> {
                Ok(JsonText(serde_json::Value::from(text).to_string()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<JsonText, A::Error> {
                let mut all = Vec::new();
                while let Some(JsonText(item)) = items.next_element()? {
                    all.push(item);
                }
                Ok(JsonText(format!("[{}]", all.join(","))))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonText, A::Error> {
                let mut all = Vec::new();
                while let Some((name, JsonText(value))) = map.next_entry::<String, JsonText>()? {
                    all.push(format!("{}:{value}", serde_json::Value::from(name)));
                }
                Ok(JsonText(format!("{{{}}}", all.join(","))))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl JsonSchema for JsonText {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Any".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!(true)
    }
}
