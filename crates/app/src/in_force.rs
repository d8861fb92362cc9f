//! Every value that is in force, and whether the file, a default or the command line says so.

use std::path::Path;

use toolgate_config::{InForce, Source};

use crate::command_line::CommandLine;

/// A value that is in force.
pub(crate) struct Value {
    pub(crate) key: String,
    pub(crate) value: serde_json::Value,
    pub(crate) from: From,
}

/// Who says so.
pub(crate) enum From {
    /// The file, at this place.
    File(String),
    Default,
    CommandLine,
    /// It was set over the control API.
    Api,
}

/// What a file says, with the command line above it.
pub(crate) fn values(file: Option<&Path>, written: &[InForce], command_line: &CommandLine) -> Vec<Value> {
    let above = command_line.says();
    let is_above = |key: &str| above.iter().any(|(own, _)| *own == key);
    let below = written.iter().filter(|one| !is_above(&one.key)).map(|one| Value {
        key: one.key.clone(),
        value: one.value.clone(),
        from: match (one.source, file) {
            (Source::Api, _) => From::Api,
            (Source::File(place), Some(file)) => {
                From::File(format!("{}:{}:{}", file.display(), place.line, place.column))
            }
            // The compiled-in file is nobody's to look up.
            (Source::File(_), None) | (Source::Default, _) => From::Default,
        },
    });
    let above = above.iter().map(|(key, value)| Value {
        key: (*key).to_owned(),
        value: value.clone(),
        from: From::CommandLine,
    });
    above.chain(below).collect()
}
