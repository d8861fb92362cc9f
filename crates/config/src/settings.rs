//! The configuration as meant: plain data, checked, with every default and every `${…}` filled in.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::admin::AdminSettings;
use crate::api::{DocumentPlace, HttpToolSettings, OperationFilter};
use crate::file::{Builtin, Era, Isolation, Limits, Log, Names, Restart, Timeouts};
use crate::namespace::NamespaceSettings;
use crate::node::Place;
use crate::pattern::matches;
use crate::search::{Findable, Presentation};
use crate::secret::Secret;
use crate::store::StoreSettings;

/// Everything that a config file decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The addresses to listen on; at least one.
    pub listen: Vec<SocketAddr>,
    /// How tools and prompts are named for clients.
    pub names: Names,
    /// How tools are shown, unless endpoint or client say otherwise.
    pub presentation: Presentation,
    /// How tools are found.
    pub search: SearchSettings,
    /// Hosts allowed beyond loopback and the addresses listened on: `name` (any port) or `name:port`, in lower case.
    pub allowed_hosts: Vec<String>,
    /// Web origins allowed beyond loopback, as `scheme://host[:port]` in lower case.
    pub allowed_origins: Vec<String>,
    /// The folder for what outlives a restart, absolute; `None` leaves it to the caller.
    pub state_dir: Option<PathBuf>,
    /// What seals what clients keep; the first one is in use.
    pub keys: Vec<Secret>,
    /// Where other replicas reach this gateway: an absolute URL without a path.
    pub replica_url: Option<String>,
    /// The control API.
    pub admin: AdminSettings,
    /// Where what is set over it is kept.
    pub store: StoreSettings,
    /// How often upstreams' lists are asked for again without a reason.
    pub refresh: Duration,
    /// What is logged, and how.
    pub log: Log,
    /// What is too much.
    pub limits: Limits,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// The upstreams, in the order of the file; their slugs differ.
    pub upstreams: Vec<UpstreamSettings>,
    /// What the endpoints show, the default one first; their slugs differ.
    pub namespaces: Vec<NamespaceSettings>,
    /// What the operator may want to know though it is no fault, as lines with their places.
    pub notes: Vec<String>,
}

/// How tools are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchSettings {
    /// Up to so many tokens, `auto` lists tools directly.
    pub budget: usize,
    /// The tools that are listed in any case.
    pub pinned: Pinned,
    /// Whether calls that only read have a tool of their own.
    pub split_calls: bool,
    /// Whether slips that can mean only one thing are understood.
    pub lenient: bool,
    /// How many tokens an answer may have, about.
    pub answer_tokens: usize,
    /// What can be found, each once.
    pub include: Vec<Findable>,
    /// Presentations by the name of a legacy client, in lower case, each name once.
    pub clients: Vec<(String, Presentation)>,
}

/// Tools that are listed beside the surface, by their public names; `*` stands for any characters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pinned(pub Vec<String>);

/// One MCP server behind the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamSettings {
    /// The name as written.
    pub name: String,
    /// The name as it stands before `__` in public names: of `[A-Za-z0-9_-]`, without `__`, unlike every other.
    pub slug: String,
    /// Whether it is started; if not it is only listed.
    pub enabled: bool,
    /// How it is reached.
    pub transport: Transport,
    /// The era that it speaks.
    pub era: Era,
    /// Who shares a connection to it.
    pub isolation: Isolation,
    /// How many instances are kept started for those who need one of their own.
    pub warm: usize,
    /// How long a call may take: its own, else `timeouts.call`.
    pub timeout: Duration,
    /// How it is tried again.
    pub restart: Restart,
    /// Which of its tools are offered.
    pub tools: ToolFilter,
    /// After how long without a call it is ended until the next one, if it is.
    pub idle: Option<Duration>,
    /// Its tools for as long as it was not asked itself, as JSON.
    pub declared: Vec<String>,
    /// Where it stands in the config file.
    pub origin: Origin,
}

/// How an upstream is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// A child process that speaks over stdin and stdout.
    Stdio {
        /// The program: a bare name to be looked for in `PATH`, or an absolute path.
        command: PathBuf,
        /// Its arguments; shown as written, since a variable in them may hold a secret.
        args: Vec<Secret>,
        /// Its own variables, in the order of the file, each name once.
        env: Vec<(String, Secret)>,
        /// The variables of the gateway that it gets as well, if they are set.
        env_allow: Vec<String>,
        /// The folder it runs in, absolute.
        cwd: PathBuf,
    },
    /// Streamable HTTP.
    Http {
        /// An absolute `http` or `https` URL; shown as written.
        url: Secret,
        /// Headers for each request, names in lower case, each once.
        headers: Vec<(String, Secret)>,
    },
    /// The HTTP+SSE of 2024-11-05.
    Sse {
        /// The URL of the event stream.
        url: Secret,
        /// Headers for each request, names in lower case, each once.
        headers: Vec<(String, Secret)>,
    },
    /// An HTTP API that an OpenAPI document describes.
    OpenApi {
        /// Where the document is.
        document: DocumentPlace,
        /// Where the API is, where not as the document says; shown as written.
        base_url: Option<Secret>,
        /// Headers for each request, names in lower case, each once.
        headers: Vec<(String, Secret)>,
        /// Which operations become tools.
        operations: OperationFilter,
    },
    /// Single HTTP requests.
    Tools {
        /// The tools.
        tools: Vec<HttpToolSettings>,
        /// Headers for each request, names in lower case, each once.
        headers: Vec<(String, Secret)>,
    },
    /// A server compiled into toolgate.
    Builtin {
        /// Which one.
        name: Builtin,
    },
}

/// Which of an upstream's tools are offered, by their native names; `*` stands for any characters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolFilter {
    /// Only these, if it says so.
    pub allow: Option<Vec<String>>,
    /// Not these; it wins over `allow`.
    pub deny: Vec<String>,
}

/// Where something stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In the config file.
    File {
        /// The file, as it was named.
        file: PathBuf,
        /// The place in it.
        place: Place,
    },
    /// It was set over the control API.
    Api,
}

// === impl ToolFilter ===

impl ToolFilter {
    /// Whether a tool of that native name is offered.
    pub fn permits(&self, tool: &str) -> bool {
        let allowed = self.allow.as_ref().is_none_or(|allow| allow.iter().any(|pattern| matches(pattern, tool)));
        allowed && !self.deny.iter().any(|pattern| matches(pattern, tool))
    }
}

// === impl Pinned ===

impl Pinned {
    /// Whether the tool of this public name is one of them.
    pub fn has(&self, tool: &str) -> bool {
        self.0.iter().any(|pattern| matches(pattern, tool))
    }
}

// === impl Builtin ===

impl Builtin {
    /// The name under which `toolgate builtin` runs it.
    pub fn as_str(self) -> &'static str {
        match self {
            Builtin::Time => "time",
            Builtin::Memory => "memory",
            Builtin::Everything => "everything",
        }
    }
}

// === impl Transport ===

impl Transport {
    /// The word for it in lists: `stdio`, `http`, `sse`, `openapi`, `tools` or `builtin`.
    pub fn kind(&self) -> &'static str {
        match self {
            Transport::Stdio { .. } => "stdio",
            Transport::Http { .. } => "http",
            Transport::Sse { .. } => "sse",
            Transport::OpenApi { .. } => "openapi",
            Transport::Tools { .. } => "tools",
            Transport::Builtin { .. } => "builtin",
        }
    }
}

// === impl Origin ===

/// `file:line:column`, which editors and terminals turn into a link.
impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File { file, place } => write!(f, "{}:{}:{}", file.display(), place.line, place.column),
            Self::Api => f.write_str(crate::fault::SET_OVER_API),
        }
    }
}
