//! What sets something on a running gateway: `add`, `remove`, `enable`, `disable`, `ns add` and its like, `override`.

use std::path::PathBuf;

use super::Control;

/// `add`.
#[derive(clap::Args)]
#[command(after_help = ADD_EXAMPLES)]
pub(crate) struct Add {
    /// What the upstream is called: the first part of what clients see, `name__tool`.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// The URL of a remote MCP server.
    #[arg(long, value_name = "URL", conflicts_with_all = ["builtin", "openapi", "command"])]
    pub(crate) url: Option<String>,
    /// A server that is compiled into toolgate: time, memory or everything.
    #[arg(long, value_name = "SERVER", conflicts_with_all = ["openapi", "command"])]
    pub(crate) builtin: Option<String>,
    /// The OpenAPI document of an API that speaks no MCP: a file, or a URL.
    #[arg(long, value_name = "DOCUMENT", conflicts_with = "command")]
    pub(crate) openapi: Option<String>,
    /// A variable for the program; without a value it is the gateway's own of that name.
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    pub(crate) env: Vec<String>,
    /// A header for each request to the URL. `${VAR}` in it is filled in by the gateway.
    #[arg(short = 'H', long, value_name = "NAME: VALUE")]
    pub(crate) header: Vec<String>,
    /// The folder that the program runs in. Default: this one if an argument is a path of it, else that of the config.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) cwd: Option<PathBuf>,
    /// Any other key of an upstream, as `toolgate defaults` explains them.
    #[arg(short, long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Put it in the place of the one that has this name.
    #[arg(long)]
    pub(crate) replace: bool,
    /// Do not start it yet.
    #[arg(long)]
    pub(crate) disabled: bool,
    /// Do not wait for it to come up.
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// The address of the gateway's control API. Default: the gateway that runs on this machine.
    #[arg(long, value_name = "URL")]
    pub(crate) gateway: Option<String>,
    /// The config file that it runs with, where several run on this machine.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// As JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// The program to run, which speaks MCP over stdin and stdout, and its arguments.
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

const ADD_EXAMPLES: &str = "\
Examples:
  toolgate add memory -- npx -y @modelcontextprotocol/server-memory
  toolgate add github --url https://api.githubcopilot.com/mcp/ -H 'Authorization: Bearer ${GITHUB_TOKEN}'
  toolgate add files --set 'tools.allow=[\"read_*\"]' --set timeout=2m -- npx -y @modelcontextprotocol/server-filesystem .
  toolgate add clock --builtin time";

/// `remove`, `enable`, `disable`.
#[derive(clap::Args)]
pub(crate) struct Upstream {
    /// The upstream.
    pub(crate) upstream: String,
    #[command(flatten)]
    pub(crate) control: Control,
}

/// What a namespace is to be like.
#[derive(clap::Args)]
pub(crate) struct Namespace {
    /// An upstream that has something in it, by a pattern on its name. May be given several times; without it, all.
    #[arg(long = "upstream", value_name = "PATTERN")]
    pub(crate) upstreams: Vec<String>,
    /// Only these tools: their own names or `upstream/tool`, `*` for any characters.
    #[arg(long, value_name = "PATTERN")]
    pub(crate) allow: Vec<String>,
    /// Not these tools, with the reason if there is one to tell.
    #[arg(long, value_name = "PATTERN[=REASON]")]
    pub(crate) deny: Vec<String>,
    /// Only tools that say that they only read.
    #[arg(long)]
    pub(crate) read_only: bool,
    /// No tools that may destroy something.
    #[arg(long)]
    pub(crate) no_destructive: bool,
    /// How tools are shown: direct, search, auto.
    #[arg(long, value_name = "PRESENTATION")]
    pub(crate) presentation: Option<String>,
    /// A tool that is listed in any case.
    #[arg(long = "pin", value_name = "TOOL")]
    pub(crate) pinned: Vec<String>,
    /// How tools are named: prefixed, plain, transparent.
    #[arg(long, value_name = "NAMES")]
    pub(crate) names: Option<String>,
    /// What clients read first.
    #[arg(long, value_name = "TEXT")]
    pub(crate) instructions: Option<String>,
    /// Any other key of a namespace, as `toolgate defaults` explains them.
    #[arg(short, long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

/// `override`.
#[derive(clap::Args)]
pub(crate) struct Override {
    #[command(subcommand)]
    pub(crate) what: OverrideWhat,
    #[command(flatten)]
    pub(crate) control: Control,
}

/// What to do with what is laid over tools.
#[derive(clap::Subcommand)]
pub(crate) enum OverrideWhat {
    /// What a namespace lays over tools.
    List {
        /// The namespace.
        #[arg(value_name = "NAMESPACE", default_value = "default")]
        namespace: String,
    },
    /// Lay something over a tool; what is laid over it already stays where nothing else is said.
    #[command(after_help = OVERRIDE_EXAMPLES)]
    Set(Box<Overlay>),
    /// Take back what was laid over a tool.
    Remove {
        /// The namespace.
        namespace: String,
        /// The tool, by its own name: `upstream/tool`.
        #[arg(value_name = "UPSTREAM/TOOL")]
        tool: String,
    },
}

const OVERRIDE_EXAMPLES: &str = "\
Examples:
  toolgate override set default github/create_issue --name new_issue --fixed owner=acme
  toolgate override set team time/current_time --description 'What time it is.' --default zone=Europe/Rome
  toolgate override set team github/delete_repo --hide";

/// What is laid over a tool.
#[derive(clap::Args)]
pub(crate) struct Overlay {
    /// The namespace; `default` is what /mcp shows.
    pub(crate) namespace: String,
    /// The tool, by its own name: `upstream/tool`.
    #[arg(value_name = "UPSTREAM/TOOL")]
    pub(crate) tool: String,
    /// What it is called.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Its title.
    #[arg(long, value_name = "TEXT")]
    pub(crate) title: Option<String>,
    /// Its description.
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// Leave it out.
    #[arg(long, conflicts_with = "show")]
    pub(crate) hide: bool,
    /// Do not leave it out any more.
    #[arg(long)]
    pub(crate) show: bool,
    /// An annotation, such as readOnlyHint=true.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) annotation: Vec<String>,
    /// What is sent for an argument where the client gives nothing.
    #[arg(long, value_name = "ARGUMENT=VALUE")]
    pub(crate) default: Vec<String>,
    /// What is always sent for an argument, which clients do not see.
    #[arg(long, value_name = "ARGUMENT=VALUE")]
    pub(crate) fixed: Vec<String>,
    /// An argument that is what is known of the caller, and that clients do not see: caller or conversation.
    #[arg(long, value_name = "ARGUMENT=FACT")]
    pub(crate) from: Vec<String>,
    /// What clients call an argument.
    #[arg(long, value_name = "ARGUMENT=NAME")]
    pub(crate) rename: Vec<String>,
    /// How an argument is described.
    #[arg(long, value_name = "ARGUMENT=TEXT")]
    pub(crate) describe: Vec<String>,
    /// An argument that clients neither see nor give.
    #[arg(long, value_name = "ARGUMENT")]
    pub(crate) hide_argument: Vec<String>,
    /// Begin anew, without what is laid over it already.
    #[arg(long)]
    pub(crate) anew: bool,
}

// === impl Add ===

impl Add {
    /// Which gateway.
    pub(crate) fn control(&self) -> Control {
        Control { url: self.gateway.clone(), config: self.config.clone(), json: self.json }
    }
}
