//! How durations and sizes are spelled in the config file, for serde and for the schema.

use std::time::Duration;

use schemars::JsonSchema;

use crate::units;
use crate::written::Text;

/// One text, or a list of them; one is read as a list of one.
#[derive(JsonSchema)]
#[schemars(inline, untagged)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) enum OneOrMany {
    One(Text),
    Many(Vec<Text>),
}

/// A duration: `250ms`, `60s`, `5m`, `1h`.
#[derive(JsonSchema)]
#[schemars(inline, extend("x-unit" = "time", "pattern" = r"^[0-9.]+ ?(ms|s|m|h|d)$|\$\{"))]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Period(String);

/// A size: `64KiB`, `4MiB`.
#[derive(JsonSchema)]
#[schemars(inline, extend("x-unit" = "size", "pattern" = r"^[0-9.]+ ?([KMG]iB|B)$|\$\{"))]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Size(String);

pub(crate) mod period {
    use super::{Duration, units};
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    pub(crate) fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&units::show_duration(*value))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        units::duration(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }

    pub(crate) mod option {
        use super::{Deserialize, Deserializer, Duration, Error, Serializer, units};

        #[expect(clippy::ref_option, reason = "the signature is serde's")]
        pub(crate) fn serialize<S: Serializer>(value: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
            match value {
                Some(value) => super::serialize(value, serializer),
                None => serializer.serialize_none(),
            }
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
            let text = Option::<String>::deserialize(deserializer)?;
            text.map(|text| units::duration(&text).map_err(D::Error::custom)).transpose()
        }
    }
}

pub(crate) mod bytes {
    use super::units;
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    pub(crate) fn serialize<S: Serializer>(value: &usize, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&units::show_size(*value))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
        units::size(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
