//! The config file as written: every key, its type, its default and what it is for. No meaning yet.
//!
//! These structs are the one source of three things: what is read, what `toolgate schema` prints for editors (the doc
//! comments are its descriptions), and what unknown and mistyped keys are held against. What the keys mean together is
//! in `resolve.rs`; every key with its default, for people, is in `default.yaml`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::admin::Admin;
use crate::api::{HttpTool, Operations};
use crate::namespace::Namespace;
use crate::search::{Presentation, Search};
use crate::spelled::{OneOrMany, Period, Size, bytes, period};
use crate::written::{Pairs, Text};

/// The configuration of toolgate, an MCP gateway: one endpoint in front of many MCP servers.
///
/// Every text may hold `${VAR}`, `${VAR:-default}`, `${env:VAR}` or `${file:path}`; `$${` stands for `${`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "toolgate.yaml")]
pub(crate) struct File {
    /// The address to listen on, or a list of them. Port 0 takes a free port.
    #[schemars(example = &"127.0.0.1:8665")]
    #[schemars(with = "OneOrMany")]
    pub(crate) listen: Vec<Text>,
    /// How the tools and prompts of upstreams are named for clients.
    pub(crate) names: Names,
    /// How tools are shown to clients. An endpoint can ask for another presentation: `/mcp?view=search`.
    pub(crate) presentation: Presentation,
    /// How tools are found, and what stands beside the three that find them.
    pub(crate) search: Search,
    /// Further hosts that clients may ask for, when the gateway stands behind a name or a reverse proxy. Loopback
    /// names and the addresses listened on are always allowed; others are refused (DNS rebinding).
    #[schemars(example = serde_json::json!(["mcp.example.com"]))]
    pub(crate) allowed_hosts: Vec<Text>,
    /// Further web origins that may call from a browser, as `https://host`. Loopback origins are always allowed.
    #[schemars(example = serde_json::json!(["https://chat.example.com"]))]
    pub(crate) allowed_origins: Vec<Text>,
    /// The folder for what outlives a restart, such as the lists that upstreams gave. Without it, the system's usual
    /// place for state.
    #[schemars(example = &"./state")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) state_dir: Option<Text>,
    /// A file of `NAME=value` lines that `${NAME}` in this file is filled from, so that secrets can be kept out of it. The
    /// gateway's own environment wins; no server gets these variables unless its `env` names them.
    #[schemars(example = &"./secrets.env")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) env_file: Option<Text>,
    /// Keys that seal what clients keep between two requests (`requestState`, ids of tasks, cursors), of 32 characters at
    /// least. The first one seals and all open, so that a new one goes to the front and an old one stays for a day. Without
    /// any, a random one is used: questions in mid-call, tasks and begun lists hold at this process alone, until it ends.
    #[schemars(example = serde_json::json!(["${file:./toolgate.key}"]))]
    pub(crate) keys: Vec<Text>,
    /// How this gateway and its other replicas reach each other.
    pub(crate) replica: Replica,
    /// The control API, which operators and the commands of this program use.
    pub(crate) admin: Admin,
    /// Where what is set over the control API is kept: an SQLite file, a Postgres database that replicas share, or `off`, so
    /// that nothing can be set. Without it, an SQLite file in the state folder.
    #[schemars(example = &"sqlite:./toolgate.db", example = &"${DATABASE_URL}")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) store: Option<Text>,
    /// How often the lists of upstreams are asked for again, even if nothing says that they changed.
    #[serde(with = "period")]
    #[schemars(with = "Period")]
    pub(crate) refresh: Duration,
    /// What is logged, and how.
    pub(crate) log: Log,
    /// What is too much: a request beyond these is refused with an error that names the limit.
    pub(crate) limits: Limits,
    /// How long to wait.
    pub(crate) timeouts: Timeouts,
    /// How an upstream that ended or is out of reach is tried again, unless it says otherwise itself.
    pub(crate) restart: Restart,
    /// What holds for every upstream that runs as a child process.
    pub(crate) stdio: Stdio,
    /// The MCP servers behind the gateway, by name. The name is the first part of what clients see: `name__tool`.
    pub(crate) upstreams: Pairs<Upstream>,
    /// Sets of entries of these, each under names of their own and at an endpoint of its own: `/ns/<name>/mcp`. The one that
    /// is called `default` is `/mcp`.
    pub(crate) namespaces: Pairs<Namespace>,
    /// The address of this schema, for editors.
    #[serde(rename = "$schema", skip_serializing)]
    pub(crate) schema: Option<Text>,
}

/// How the tools and prompts of upstreams are named for clients.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Names {
    /// `upstream__tool`, always: adding an upstream never renames another's tools.
    #[default]
    Prefixed,
    /// The upstream's own names; where two collide, the first upstream keeps its name and the other is prefixed.
    Plain,
    /// A single upstream, with nothing renamed or rewritten.
    Transparent,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// For people on a terminal and as JSON elsewhere (`auto`), or always the one.
    pub format: LogFormat,
    /// The least level that is logged.
    pub level: LogLevel,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// `human` on a terminal, `json` elsewhere.
    #[default]
    Auto,
    /// For reading.
    Human,
    /// One JSON object a line.
    Json,
}

/// The least level that is logged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// What failed.
    Error,
    /// And what is suspect.
    Warn,
    /// And what happens.
    #[default]
    Info,
    /// And why.
    Debug,
    /// And every message's way.
    Trace,
}

/// What is too much.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The largest message that a client may send, in bytes.
    #[serde(with = "bytes")]
    #[schemars(with = "Size")]
    pub request: usize,
    /// The largest message, line or event that an upstream may answer, in bytes.
    #[serde(with = "bytes")]
    #[schemars(with = "Size")]
    pub response: usize,
    /// The deepest nesting of JSON in either.
    #[schemars(range(min = 8, max = 120))]
    pub depth: usize,
    /// The most messages in one JSON-RPC batch (legacy clients only).
    #[schemars(range(min = 1, max = 10_000))]
    pub batch: usize,
    /// The most legacy sessions open at once.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub sessions: usize,
    /// The most requests in flight at once, over all clients.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub in_flight: usize,
    /// The most tools, prompts or resources that are taken from one upstream.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub entries: usize,
    /// The most calls that wait for their clients to answer what an upstream asked, over all upstreams.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub parked: usize,
    /// The same of one caller; clients that are not told apart are one caller.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub parked_per_caller: usize,
    /// The most connections to one upstream that `isolation` keeps apart.
    #[schemars(range(min = 1, max = 100_000))]
    pub isolated: usize,
}

/// How long to wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// How long the first list request after a start waits for upstreams that are still coming up.
    #[serde(with = "period")]
    #[schemars(with = "Period")]
    pub startup: Duration,
    /// For an upstream to come up: start, connect, shake hands. `npx` and `uvx` may first install what they run.
    #[serde(with = "period")]
    #[schemars(with = "Period")]
    pub connect: Duration,
    /// To find out which era an upstream speaks.
    #[serde(with = "period")]
    #[schemars(with = "Period")]
    pub probe: Duration,
    /// For one page of an upstream's list.
    #[serde(with = "period")]
    #[schemars(with = "Period")]
    pub list: Duration,
    /// For a call, unless the upstream sets its own. Progress starts the wait anew.
    #[serde(with = "period")]
    #[schemars(with = "Period")]
    pub call: Duration,
    /// For a client to answer what an upstream asks it in mid-call; a person may be behind it.
    #[serde(with = "period")]
    #[schemars(with = "Period")]
    pub answer: Duration,
    /// Until a legacy session that nobody uses is forgotten.
    #[serde(with = "period")]
    #[schemars(with = "Period")]
    pub session_idle: Duration,
    /// Until a connection that a legacy client reads a stream from is closed, for it to come back to the stream. Clients of
    /// 2025-11-25 can; those before are not asked to. Without it connections stay open while there is something to wait for.
    #[serde(with = "period::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Period>", example = &"25s")]
    pub stream: Option<Duration>,
    /// For what is in flight to finish once the gateway was told to stop.
    #[serde(with = "period")]
    #[schemars(with = "Period")]
    pub shutdown: Duration,
}

/// One of several replicas of this gateway, behind a load balancer.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Replica {
    /// Where the other replicas reach this one, and no client needs to: a call that waits here for its client's answer is
    /// passed on to it. All replicas have the same `keys` and the same upstreams.
    #[schemars(example = &"http://10.0.0.3:8665")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<Text>,
}

/// How an upstream that ended or is out of reach is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Restart {
    /// The first wait; it doubles with each failure.
    #[serde(with = "period")]
    #[schemars(with = "Period")]
    pub first_wait: Duration,
    /// The longest wait.
    #[serde(with = "period")]
    #[schemars(with = "Period")]
    pub max_wait: Duration,
}

/// What holds for every upstream that runs as a child process.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Stdio {
    /// The variables of the gateway's own environment that a child gets; all others are kept from it.
    pub(crate) env_allow: Vec<Text>,
}

/// One MCP server behind the gateway: a `command` to run, a `url` to call, or one that is `builtin`. Or an HTTP API that speaks
/// no MCP: its `openapi` document, or single requests as tools (`http`).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("oneOf" = [
    { "required": ["command"] }, { "required": ["url"] }, { "required": ["builtin"] },
    { "required": ["openapi"] }, { "required": ["http"] }
]))]
pub(crate) struct Upstream {
    /// The program to run, which speaks MCP over stdin and stdout. No shell is involved; a path with a slash is
    /// relative to this file.
    #[schemars(example = &"npx")]
    pub(crate) command: Option<Text>,
    /// Its arguments.
    #[schemars(example = serde_json::json!(["-y", "@modelcontextprotocol/server-memory"]))]
    pub(crate) args: Vec<Text>,
    /// Variables for it, beyond those that `env_allow` lets through.
    #[schemars(example = serde_json::json!({ "API_KEY": "${API_KEY}" }))]
    pub(crate) env: Pairs<Text>,
    /// A file of `NAME=value` lines with further variables; `env` wins.
    #[schemars(example = &".env")]
    pub(crate) env_file: Option<Text>,
    /// Variables of the gateway's own environment for it, beyond those of `stdio.env_allow`.
    #[schemars(example = serde_json::json!(["SSH_AUTH_SOCK"]))]
    pub(crate) env_allow: Vec<Text>,
    /// The folder that it runs in, relative to this file. Without it, the folder of this file.
    #[schemars(example = &"./dir")]
    pub(crate) cwd: Option<Text>,
    /// The URL of a remote MCP server.
    #[schemars(example = &"https://example.com/mcp")]
    pub(crate) url: Option<Text>,
    /// How the URL is spoken to: streamable HTTP, or the older HTTP+SSE. Without it: `sse` if the path of the URL ends
    /// in `/sse`, else `http`.
    pub(crate) transport: Option<Transport>,
    /// Headers for each request to it.
    #[schemars(example = serde_json::json!({ "Authorization": "Bearer ${TOKEN}" }))]
    pub(crate) headers: Pairs<Text>,
    /// The OpenAPI document (3.0 or 3.1) of an API, whose operations become tools: a file, or a URL.
    #[schemars(example = &"./openapi.yaml")]
    pub(crate) openapi: Option<Text>,
    /// Where that API is, if not where its document says.
    #[schemars(example = &"https://api.example.com/v1")]
    pub(crate) base_url: Option<Text>,
    /// Which of its operations become tools.
    pub(crate) operations: Operations,
    /// Single HTTP requests as tools.
    pub(crate) http: Vec<HttpTool>,
    /// A small server that is compiled into toolgate.
    pub(crate) builtin: Option<Builtin>,
    /// `false` keeps it listed, as disabled.
    pub(crate) enabled: Option<bool>,
    /// The era of the protocol that it speaks; `auto` finds out.
    pub(crate) era: Era,
    /// Who shares a connection to it, if it is of the legacy era and may remember whom it talks to.
    pub(crate) isolation: Isolation,
    /// With `isolation: session` or `call`: so many instances are kept started for those who come next, within
    /// `limits.isolated`. For a server that is slow to start.
    #[schemars(range(min = 0, max = 100_000))]
    pub(crate) warm: usize,
    /// How long a call to it may take; without it, `timeouts.call`.
    #[serde(with = "period::option")]
    #[schemars(with = "Option<Period>", example = &"60s")]
    pub(crate) timeout: Option<Duration>,
    /// How it is tried again, where not as `restart` says.
    pub(crate) restart: OwnRestart,
    /// Which of its tools are offered at all.
    pub(crate) tools: Tools,
    /// When it is started.
    pub(crate) start: Start,
    /// With `start: demand`: after how long without a call it is ended until the next one.
    #[serde(with = "period")]
    #[schemars(with = "Period")]
    pub(crate) idle: Duration,
    /// Its tools, as definitions of the protocol, for as long as it was not asked itself: with `start: demand`, nothing need be
    /// asked before the first call.
    #[schemars(example = serde_json::json!([{ "name": "search", "description": "Searches", "inputSchema": { "type": "object" } }]))]
    pub(crate) declare: Vec<serde_json::Value>,
}

/// How one upstream is tried again; what is left out is as `restart` says.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct OwnRestart {
    /// The first wait; it doubles with each failure.
    #[serde(with = "period::option")]
    #[schemars(with = "Option<Period>", example = &"1s")]
    pub(crate) first_wait: Option<Duration>,
    /// The longest wait.
    #[serde(with = "period::option")]
    #[schemars(with = "Option<Period>", example = &"5m")]
    pub(crate) max_wait: Option<Duration>,
}

/// Which of an upstream's tools are offered, by its own names for them; `*` stands for any characters.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Tools {
    /// Only these; without it, all.
    #[schemars(example = serde_json::json!(["read_*"]))]
    pub(crate) allow: Option<Vec<Text>>,
    /// Not these.
    #[schemars(example = serde_json::json!(["delete_*"]))]
    pub(crate) deny: Vec<Text>,
}

/// How a remote upstream is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Transport {
    /// Streamable HTTP.
    Http,
    /// The HTTP+SSE of 2024-11-05.
    Sse,
}

/// A small MCP server that is compiled into toolgate and runs as its child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Builtin {
    /// Times and time zones.
    Time,
    /// A key-value memory that lasts as long as the process.
    Memory,
    /// Exercises every feature of MCP.
    Everything,
}

/// The era of the protocol that an upstream speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Era {
    /// Found out on connecting, and remembered.
    #[default]
    Auto,
    /// Before 2026-07-28: with `initialize` and sessions.
    Legacy,
    /// From 2026-07-28 on: stateless.
    Modern,
}

/// When an upstream is started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// With the gateway, and kept up.
    #[default]
    Always,
    /// With the first call to it, and ended when nobody calls it any more; its tools are listed and found all the while. As
    /// long as nothing is known of its tools, it is started to be asked.
    Demand,
}

/// Who shares a connection to an upstream of the legacy era, and what it remembers with it. Lists are always read from one
/// that is shared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Isolation {
    /// Everybody.
    Shared,
    /// All that one caller does. Callers are not told apart yet: all are one, and this is the same as `shared`.
    #[default]
    Caller,
    /// One session of a legacy client, or one pipe; other clients as `caller`.
    Session,
    /// Nobody: each call has a connection, or process, of its own, so that what a server asks in the middle of it can
    /// belong to no other.
    Call,
}

/// The JSON Schema of `toolgate.yaml`, draft 2020-12.
pub fn schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(File).to_value();
    // YAML anchors need a place to stand; the docker-compose convention is a key that begins with `x-`.
    schema["patternProperties"] = serde_json::json!({ "^x-": true });
    schema
}

// === impl LogLevel ===

impl LogLevel {
    /// Its word in the config file, which is also that of `tracing`.
    pub fn as_str(self) -> &'static str {
        match self {
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
            LogLevel::Trace => "trace",
        }
    }
}
