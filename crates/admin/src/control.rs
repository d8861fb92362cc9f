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

    /// What the config says of an item, if it says anything.
    fn entry(&self, item: &Item) -> Option<Entry>;

    /// What it says of all upstreams, of all namespaces, or of the tools of a namespace.
    fn entries(&self, of: &Items) -> Vec<Entry>;

    /// Sets an item, in the place of all that was said of it.
    fn set(
        &self,
        item: Item,
        value: serde_json::Value,
        expected: Expectation,
    ) -> BoxFuture<'_, Result<Vec<Difference>, Refusal>>;

    /// Takes back what was set of an item.
    fn unset(&self, item: Item, expected: Expectation) -> BoxFuture<'_, Result<Vec<Difference>, Refusal>>;

    /// Enables or disables an upstream.
    fn switch(&self, upstream: String, enabled: bool) -> BoxFuture<'_, Result<Vec<Difference>, Refusal>>;
}

/// Something that the config says, and that can be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// An upstream.
    Upstream(String),
    /// A namespace.
    Namespace(String),
    /// What a namespace lays over a tool.
    Override {
        /// The namespace.
        namespace: String,
        /// `upstream/tool`.
        tool: String,
    },
}

/// A kind of items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Items {
    /// All upstreams.
    Upstreams,
    /// All namespaces.
    Namespaces,
    /// What this namespace lays over tools.
    Overrides(String),
}

/// What somebody who changes an item takes it to be (RFC 9110, 13.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expectation {
    /// Whatever it is.
    Any,
    /// One of these tags.
    Tags(Vec<String>),
    /// It is there.
    Something,
    /// It is not there.
    Nothing,
}

/// What the config says of an item.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Entry {
    /// The name of the upstream or namespace; `upstream/tool` for what is laid over a tool.
    #[schema(example = "github")]
    pub name: String,
    /// `api` if it was set over this API, else `file`.
    #[schema(example = "file")]
    pub from: &'static str,
    /// Where the file says something of it: `file:line:column`. Not in force where it was set over this API.
    pub place: Option<String>,
    /// Whether an upstream of the file was enabled or disabled over this API.
    pub switched: bool,
    /// What stands for it as it is now; the same as in the header ETag.
    pub tag: String,
    /// What is said, as in the config file. Literal secrets are masked; given back masked they stay what they are.
    #[schema(value_type = Object)]
    pub value: serde_json::Value,
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
    /// It is not what it was taken to be.
    Changed,
    /// The config says nothing of it.
    Unknown,
    /// Only the file says it, at this place.
    InFile(String),
    /// There is nowhere to keep it.
    NoStore(String),
    /// What keeps it cannot be reached.
    StoreUnavailable(String),
    /// What keeps it has no room.
    StoreFull(String),
    /// It is larger than what is kept.
    TooLarge(String),
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
    /// `file`, `default`, `command line` or `api`.
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
