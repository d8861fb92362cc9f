//! How durations and sizes are spelled in the config file, for serde.

use std::time::Duration;

use crate::units;

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
