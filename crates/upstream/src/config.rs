//! What must be known to reach one upstream, already checked and with every variable filled in.
//!
//! `Debug` shows the shape and never a value that may be a secret: environment values and header values stay out of logs.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};
use toolgate_protocol::{Era, UpstreamName};

use crate::api::ApiConfig;
use crate::isolation::Apart;

/// One upstream as configured.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Its name in public names, logs and status.
    pub name: UpstreamName,
    /// How it is reached.
    pub transport: Transport,
    /// Whether its era is found out or given.
    pub era: EraPin,
    /// How long to wait for what.
    pub timeouts: Timeouts,
    /// How much to accept of what.
    pub limits: Limits,
    /// How fast to try again.
    pub restart: Backoff,
    /// Who shares a connection.
    pub apart: Apart,
    /// After how long without a call it is ended until the next one; `None` keeps it up.
    pub idle: Option<Duration>,
}

/// How an upstream is reached.
#[derive(Clone, Debug, PartialEq)]
pub enum Transport {
    /// A child process, over its stdin and stdout.
    Stdio(StdioConfig),
    /// Streamable HTTP; falls back to HTTP with SSE for a server that knows only that.
    Http(HttpConfig),
    /// HTTP with SSE (2024-11-05), without trying anything newer.
    Sse(HttpConfig),
    /// An HTTP API that speaks no MCP.
    Api(ApiConfig),
}

/// A child process.
#[derive(Clone, PartialEq)]
pub struct StdioConfig {
    /// The program; looked up in `PATH` when it has no slash. No shell is involved.
    pub command: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables set for it.
    pub env: Vec<(String, String)>,
    /// Names of further variables of our own environment that it may see.
    pub env_allow: Vec<String>,
    /// Where it runs; our own directory when absent.
    pub cwd: Option<PathBuf>,
}

/// A URL.
#[derive(Clone, PartialEq)]
pub struct HttpConfig {
    /// `http` or `https`, absolute.
    pub url: Uri,
    /// Sent with every request.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// Whether the era of an upstream is found out or given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EraPin {
    /// Found out.
    #[default]
    Auto,
    /// `initialize`, without asking.
    Legacy,
    /// `server/discover`, and nothing else will do.
    Modern,
}

/// How long to wait for what.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timeouts {
    /// From starting to reach an upstream until its handshake is over.
    pub connect: Duration,
    /// For the answer to `server/discover` before `initialize` is tried as well.
    pub probe: Duration,
    /// Between two signs of life of a call.
    pub call: Duration,
    /// The same for lists.
    pub list: Duration,
}

/// How much to accept of what.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Bytes in one message.
    pub message_bytes: usize,
    /// Levels of nesting in one message.
    pub depth: usize,
    /// Calls at a time.
    pub in_flight: usize,
    /// How long a call waits for a client's answers.
    pub parked_for: Duration,
    /// Questions that one call may have open at a time.
    pub questions: usize,
}

/// How fast to try again after a failure: doubling from `initial` to `max`, with jitter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// After the first failure.
    pub initial: Duration,
    /// The most.
    pub max: Duration,
}

// === impl EraPin ===

impl EraPin {
    /// The era to go by before it is found out.
    pub fn assumed(self) -> Era {
        match self {
            Self::Auto | Self::Modern => Era::Modern,
            Self::Legacy => Era::Legacy,
        }
    }
}

// === impl StdioConfig ===

impl fmt::Debug for StdioConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.env.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("StdioConfig")
            .field("command", &self.command)
            .field("args", &self.args.len())
            .field("env", &names)
            .field("env_allow", &self.env_allow)
            .field("cwd", &self.cwd)
            .finish()
    }
}

// === impl HttpConfig ===

impl HttpConfig {
    /// Scheme, host and port: what may be shown of a URL, since paths and queries may hold keys.
    pub fn origin(&self) -> String {
        let scheme = self.url.scheme_str().unwrap_or("http");
        let host = self.url.host().unwrap_or("?");
        match self.url.port_u16() {
            Some(port) => format!("{scheme}://{host}:{port}"),
            None => format!("{scheme}://{host}"),
        }
    }
}

impl fmt::Debug for HttpConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("HttpConfig").field("origin", &self.origin()).field("headers", &names).finish()
    }
}

// === impl Timeouts ===

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            probe: Duration::from_secs(5),
            call: Duration::from_secs(60),
            list: Duration::from_secs(30),
        }
    }
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 16 << 20,
            depth: toolgate_protocol::json::MAX_DEPTH,
            in_flight: 1024,
            parked_for: Duration::from_secs(600),
            questions: 16,
        }
    }
}

// === impl Backoff ===

impl Default for Backoff {
    fn default() -> Self {
        Self { initial: Duration::from_millis(500), max: Duration::from_secs(60) }
    }
}
