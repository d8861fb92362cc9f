//! What the control API asks of whoever knows the config.

use futures_util::future::BoxFuture;
use serde::Serialize;
use utoipa::ToSchema;

/// Does what takes the config file.
pub trait Control: Send + Sync + 'static {
    /// Reads the config file again and applies it. Gives what that changed.
    fn reload(&self) -> BoxFuture<'_, Result<Vec<Difference>, Refusal>>;

    /// Every value that is in force.
    fn settings(&self) -> Vec<Setting>;

    /// What a text would change if it stood in the config file's place. `name` is what faults call it.
    fn differences(&self, text: String, name: Option<String>) -> BoxFuture<'_, Result<Vec<Difference>, Refusal>>;
}

/// Why a config is not applied, or not even read.
#[derive(Debug)]
pub enum Refusal {
    /// The gateway runs without a config file.
    NoFile,
    /// The file cannot be read.
    Unreadable(String),
    /// It is at a URL, which cannot be had.
    Unreachable(String),
    /// It has faults.
    Faults(Vec<Fault>),
    /// It was read, and cannot be put to use.
    Unusable(String),
}

/// One value that is in force.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Setting {
    /// The keys that lead to it.
    #[schema(example = "timeouts.call")]
    pub key: String,
    /// The value, as written.
    #[schema(value_type = Value)]
    pub value: serde_json::Value,
    /// `file`, `default` or `command line`.
    #[schema(example = "file")]
    pub from: &'static str,
    /// Where it stands in the file: `file:line:column`.
    pub place: Option<String>,
}

/// One thing that a config changes.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Difference {
    /// `added`, `removed` or `changed`.
    #[schema(example = "changed")]
    pub change: &'static str,
    /// `upstream <name>`, `namespace <name>`, or a key of the config.
    #[schema(example = "upstream files")]
    pub what: String,
    /// In which respects, where that is worth saying.
    pub respects: Vec<&'static str>,
    /// Whether it takes effect at the next start only.
    pub needs_restart: bool,
    /// The same in a line.
    #[schema(example = "~ upstream files: tools")]
    pub text: String,
}

/// What is wrong with a config.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Fault {
    /// Where: `file:line:column`.
    #[schema(example = "toolgate.yaml:3:8")]
    pub place: String,
    /// Which key, if it is about one.
    pub key: Option<String>,
    /// What is wrong, and what to write instead.
    pub message: String,
}
