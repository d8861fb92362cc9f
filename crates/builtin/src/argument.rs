//! Arguments as types that carry their own bounds: what the schema tells is what is accepted.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeOwned, Error as _, Visitor};
use serde::{Deserialize, Deserializer};
use toolgate_protocol::Json;

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Whole<const MIN: u64, const MAX: u64>(pub(crate) u64);

/// A text of at most `MAX` characters.
#[derive(Clone, Debug, PartialEq, Eq, Default, serde::Serialize)]
pub(crate) struct Text<const MAX: usize>(pub(crate) String);

/// No arguments.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// Reads a tool's arguments, or says which is wrong and what would be right.
pub(crate) fn read<A: DeserializeOwned>(arguments: &Json) -> Result<A, String> {
    let mut reader = serde_json::Deserializer::from_slice(arguments.text());
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let told = error.into_inner().to_string().replace("field", "argument");
        let told = told.split(" at line ").next().unwrap_or_default();
        if path == "." { format!("Invalid arguments: {told}") } else { format!("Invalid argument `{path}`: {told}") }
    })
}

// === impl Whole ===

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for Whole<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Models write 5.0 for 5 often enough.
        let number = deserializer.deserialize_f64(Number::<MIN, MAX>)?;
        if number.fract() == 0.0 && number >= MIN as f64 && number <= MAX as f64 {
            Ok(Self(number as u64))
        } else {
            Err(D::Error::custom(format_args!("{number} is not a whole number from {MIN} to {MAX}")))
        }
    }
}

/// Reads a number in whichever way it is spelled.
struct Number<const MIN: u64, const MAX: u64>;

impl<const MIN: u64, const MAX: u64> Visitor<'_> for Number<MIN, MAX> {
    type Value = f64;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a whole number from {MIN} to {MAX}")
    }

    fn visit_f64<E>(self, number: f64) -> Result<f64, E> {
        Ok(number)
    }

    fn visit_i64<E>(self, number: i64) -> Result<f64, E> {
        Ok(number as f64)
    }

    fn visit_u64<E>(self, number: u64) -> Result<f64, E> {
        Ok(number as f64)
    }
}

impl<const MIN: u64, const MAX: u64> JsonSchema for Whole<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Whole_{MIN}_{MAX}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "minimum": MIN, "maximum": MAX})
    }
}

// === impl Text ===

impl<'de, const MAX: usize> Deserialize<'de> for Text<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let length = text.chars().count();
        if length <= MAX {
            Ok(Self(text))
        } else {
            Err(D::Error::custom(format_args!("{length} characters are more than the {MAX} allowed")))
        }
    }
}

impl<const MAX: usize> JsonSchema for Text<MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Text_{MAX}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "maxLength": MAX})
    }
}

impl<const MAX: usize> std::ops::Deref for Text<MAX> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[serde(rename = "count")]
        _count: Whole<1, 10>,
        #[serde(default, rename = "word")]
        _word: Text<3>,
    }

    fn fault(arguments: &'static str) -> String {
        read::<Sample>(&Json::literal(arguments)).unwrap_err()
    }

    #[test]
    fn a_wrong_argument_is_named_with_what_would_be_right() {
        assert_eq!(fault(r#"{"count":11}"#), "Invalid argument `count`: 11 is not a whole number from 1 to 10");
        assert_eq!(
            fault(r#"{"count":"x"}"#),
            "Invalid argument `count`: invalid type: string \"x\", expected a whole number from 1 to 10"
        );
        assert_eq!(
            fault(r#"{"count":1,"word":"long"}"#),
            "Invalid argument `word`: 4 characters are more than the 3 allowed"
        );
        assert_eq!(fault("{}"), "Invalid arguments: missing argument `count`");
        assert!(fault(r#"{"count":1,"cuont":2}"#).contains("unknown argument `cuont`, expected `count` or `word`"));
        assert!(read::<Sample>(&Json::literal(r#"{"count":5.0}"#)).is_ok());
    }
}
