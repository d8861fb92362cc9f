//! The command line, as `--help` teaches it.

mod set;

use std::net::SocketAddr;
use std::path::PathBuf;

use toolgate_hosts::Host;
use toolgate_protocol::Slug;

pub(crate) use set::{Add, Namespace, Overlay, Override, OverrideWhat, Upstream};

/// One MCP endpoint in front of any number of MCP servers.
///
/// Without a command, `toolgate` serves: it reads the config it finds (toolgate.yaml, .mcp.json, …), starts the MCP servers
/// in it and offers everything they have at one URL, to clients of every protocol revision.
#[derive(clap::Parser)]
#[command(name = "toolgate", version, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  toolgate                                        serve with the config found, or the compiled-in servers
  toolgate serve --config ~/.cursor/mcp.json      serve the servers that Cursor has
  toolgate serve --config https://…/toolgate.yaml  serve a config at a URL, and follow it
  toolgate stdio                                  be the MCP server of one client, over stdin and stdout
  toolgate tools                                  what a running gateway offers
  toolgate search 'time in another city'          what a model would find
  toolgate tokens                                 what the tools cost a model, and when search pays
  toolgate call time__current_time zone=Europe/Rome  call a tool
  toolgate import                                 take over the servers that Claude, Cursor, VS Code, … have
  toolgate connect cursor                         point Cursor at toolgate; `disconnect` undoes it
  toolgate add memory -- npx -y @modelcontextprotocol/server-memory   add a server to a running gateway
  toolgate check my.yaml                          everything that is wrong with a config
  toolgate defaults > toolgate.yaml               begin a config: every key, its default, what it means";

/// What to do.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Serve MCP over HTTP (the default).
    Serve(Serve),
    /// Serve one client over stdin and stdout; logs go to stderr.
    Stdio(Stdio),
    /// Check a config and show everything that is wrong with it. Exits with 0 or 64.
    Check(Config),
    /// Print the default config: every key, explained.
    Defaults,
    /// Print the JSON Schema of toolgate.yaml, for editors.
    Schema,
    /// Show how a running gateway and its upstreams are doing.
    Status(Status),
    /// List the tools of a running gateway, or of a config.
    Tools(Tools),
    /// Call a tool of a running gateway, or of a config.
    Call(Call),
    /// Search the tools of a running gateway, or of a config, as a model would.
    Search(Search),
    /// Count what the tools of a running gateway, or of a config, cost a model: listed directly, and through search.
    Tokens(Tokens),
    /// Take the MCP servers of other applications over into toolgate.yaml.
    Import(Import),
    /// Point an application at toolgate; its file is kept as it was, for `disconnect`.
    Connect(Connect),
    /// Undo `connect`: the application's file is what it was.
    Disconnect(Disconnect),
    /// Add an upstream to a running gateway. It is kept, also when the gateway is started again.
    Add(Box<Add>),
    /// Remove an upstream that was added to a running gateway; one of the config file is taken out there.
    Remove(Upstream),
    /// Enable an upstream of a running gateway.
    Enable(Upstream),
    /// Disable an upstream of a running gateway: it stays listed, and nothing can be called there.
    Disable(Upstream),
    /// Show what a config would change on a running gateway. Exits with 0 if nothing, 1 if something, 2 on trouble.
    Diff(Diff),
    /// Have a running gateway read its config again, and show what that changed.
    Reload(Control),
    /// Show every value of a running gateway's config, and where it is from.
    Config(Control),
    /// List the clients of a running gateway: legacy sessions and open listens. Ends one with --end.
    Sessions(Sessions),
    /// Show what an upstream of a running gateway says on stderr and in log messages.
    Logs(Logs),
    /// Start an upstream of a running gateway anew; calls in flight there fail.
    Restart(Restart),
    /// List the namespaces of a running gateway, show, add, change or remove one.
    Ns(Box<Ns>),
    /// Lay something over a tool of a running gateway: another name, description, arguments.
    Override(Override),
    /// Show what happens on a running gateway, as it happens.
    Events(Control),
    /// Print completions for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Be one of the compiled-in MCP servers, over stdin and stdout.
    Builtin {
        /// time, memory or everything.
        name: String,
    },
    /// Ends the children of a gateway that was killed. Started by the gateway itself.
    #[command(hide = true)]
    Watchdog,
}

impl Default for Command {
    fn default() -> Self {
        Self::Serve(Serve::default())
    }
}

/// Which config.
#[derive(clap::Args, Default)]
pub(crate) struct Config {
    /// The config: toolgate.yaml, or the JSON that an MCP client has; a file or an https URL. Found by itself when not given.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The same, without a flag.
    #[arg(value_name = "FILE", conflicts_with = "config")]
    pub(crate) file: Option<PathBuf>,
}

/// How to log.
#[derive(clap::Args, Default)]
pub(crate) struct Log {
    /// How much to log, instead of what the config says: error, warn, info, debug, trace.
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log_level: Option<String>,
    /// How to log, instead of what the config says: auto, human, json.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<String>,
}

/// `serve`.
#[derive(clap::Args, Default)]
pub(crate) struct Serve {
    /// The config: toolgate.yaml, or the JSON that an MCP client has; a file or an https URL. Found by itself when not given.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Listen here instead of where the config says; port 0 takes a free port.
    #[arg(short, long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Vec<SocketAddr>,
    #[command(flatten)]
    pub(crate) view: View,
    #[command(flatten)]
    pub(crate) log: Log,
}

/// How to show the tools.
#[derive(clap::Args, Default)]
pub(crate) struct View {
    /// Show the tools like this instead of as the config says: direct, search, auto.
    #[arg(long, value_name = "PRESENTATION")]
    pub(crate) view: Option<String>,
}

/// `stdio`.
#[derive(clap::Args)]
pub(crate) struct Stdio {
    /// The config: toolgate.yaml, or the JSON that an MCP client has; a file or an https URL. Found by itself when not given.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Serve this namespace of the config.
    #[arg(long, value_name = "NAME")]
    pub(crate) namespace: Option<Slug>,
    #[command(flatten)]
    pub(crate) view: View,
    #[command(flatten)]
    pub(crate) log: Log,
}

/// Which gateway.
#[derive(clap::Args)]
pub(crate) struct Gateway {
    /// The MCP endpoint of a running gateway (or of any MCP server). Default: where the config says that it listens.
    #[arg(short, long, value_name = "URL", conflicts_with = "config")]
    pub(crate) url: Option<String>,
    /// Start the servers of this config for as long as the command takes, instead of asking a running gateway.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// As this namespace shows them.
    #[arg(long, value_name = "NAME", conflicts_with = "url")]
    pub(crate) namespace: Option<Slug>,
}

/// `status`.
#[derive(clap::Args)]
pub(crate) struct Status {
    /// The address of the running gateway. Default: where the config says that it listens.
    #[arg(short, long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// As JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which running gateway, by its control API.
#[derive(clap::Args)]
pub(crate) struct Control {
    /// The address of its control API. Default: the gateway that runs on this machine.
    #[arg(short, long, value_name = "URL", alias = "gateway", global = true)]
    pub(crate) url: Option<String>,
    /// The config file or URL that it runs with, where several run on this machine.
    #[arg(short, long, value_name = "FILE", global = true)]
    pub(crate) config: Option<PathBuf>,
    /// As JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// `diff`.
#[derive(clap::Args)]
pub(crate) struct Diff {
    /// The config, a file or a URL. Default: the one that is found.
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) control: Control,
}

/// `sessions`.
#[derive(clap::Args)]
pub(crate) struct Sessions {
    /// End this one, by its id as listed.
    #[arg(long, value_name = "ID")]
    pub(crate) end: Option<String>,
    #[command(flatten)]
    pub(crate) control: Control,
}

/// `logs`.
#[derive(clap::Args)]
pub(crate) struct Logs {
    /// The upstream.
    pub(crate) upstream: String,
    /// Go on as more is said.
    #[arg(short, long)]
    pub(crate) follow: bool,
    #[command(flatten)]
    pub(crate) control: Control,
}

/// `restart`.
#[derive(clap::Args)]
pub(crate) struct Restart {
    /// The upstream.
    pub(crate) upstream: String,
    #[command(flatten)]
    pub(crate) control: Control,
}

/// `ns`.
#[derive(clap::Args)]
pub(crate) struct Ns {
    #[command(subcommand)]
    pub(crate) what: Option<NsWhat>,
    #[command(flatten)]
    pub(crate) control: Control,
}

/// What to do with namespaces.
#[derive(clap::Subcommand)]
pub(crate) enum NsWhat {
    /// All of them (the default).
    List,
    /// One, with its tools and what it leaves out.
    Show {
        /// Its name.
        name: String,
    },
    /// Add one; its endpoint is /ns/NAME/mcp.
    Add {
        /// Its name: lower-case letters, digits, `-` and `_`.
        name: String,
        #[command(flatten)]
        options: Namespace,
    },
    /// Change one where something else is said; the rest stays.
    Change {
        /// Its name; `default` is what /mcp shows.
        name: String,
        #[command(flatten)]
        options: Namespace,
    },
    /// Remove one that was added here; one of the config file is taken out there.
    Remove {
        /// Its name.
        name: String,
    },
}

/// `tools`.
#[derive(clap::Args)]
pub(crate) struct Tools {
    #[command(flatten)]
    pub(crate) gateway: Gateway,
    /// As JSON: the whole definitions.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `call`.
#[derive(clap::Args)]
pub(crate) struct Call {
    /// The tool, as `toolgate tools` lists it.
    pub(crate) tool: String,
    /// Arguments as key=value; the tool's schema says which are numbers, booleans, lists or objects (given as JSON).
    #[arg(value_name = "KEY=VALUE")]
    pub(crate) pairs: Vec<String>,
    /// All arguments as one JSON object; `-` reads it from stdin.
    #[arg(long, value_name = "JSON", conflicts_with = "pairs")]
    pub(crate) args: Option<String>,
    #[command(flatten)]
    pub(crate) gateway: Gateway,
    /// Print the result as the server sent it.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `search`.
#[derive(clap::Args)]
pub(crate) struct Search {
    /// What is needed, in plain words; several needs are searched for at once. Without one: the servers.
    #[arg(value_name = "NEED")]
    pub(crate) needs: Vec<String>,
    /// Only tools of this server.
    #[arg(short, long)]
    pub(crate) server: Option<String>,
    /// At most so many for each need.
    #[arg(short = 'n', long, value_name = "NUMBER")]
    pub(crate) limit: Option<u32>,
    /// Say why each tool was found, word by word.
    #[arg(long)]
    pub(crate) explain: bool,
    #[command(flatten)]
    pub(crate) gateway: Gateway,
    /// Print the result as the gateway sent it.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `tokens`.
#[derive(clap::Args)]
pub(crate) struct Tokens {
    /// The address of a running gateway. Default: where the config says that it listens.
    #[arg(short, long, value_name = "URL", conflicts_with = "config")]
    pub(crate) url: Option<String>,
    /// Start the servers of this config for as long as the command takes, instead of asking a running gateway.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The rest of the context, such as the host's own prompt: each search is a turn more that reads it again.
    #[arg(long, value_name = "TOKENS", default_value_t = 10_000)]
    pub(crate) context: usize,
    /// How many calls one search prepares.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) calls_per_search: usize,
    /// As JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `import`.
#[derive(clap::Args)]
pub(crate) struct Import {
    /// The application: claude-desktop, claude-code, cursor, vscode, windsurf, zed, codex, gemini. Without one: all that are found.
    #[arg(value_name = "CLIENT", value_parser = host)]
    pub(crate) client: Option<Host>,
    /// Read this file instead of those that the application has for you and for the project in this folder.
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// The config to add to. Default: the toolgate.yaml that is found, or one in this folder.
    #[arg(long, value_name = "FILE")]
    pub(crate) into: Option<PathBuf>,
    /// Move what looks like a secret into this file, which only you can read; the config then says `${NAME}`.
    #[arg(long, value_name = "FILE")]
    pub(crate) secrets_to: Option<PathBuf>,
    /// Write without asking.
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// As JSON. Without --yes nothing is written.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which file of which application.
#[derive(clap::Args)]
pub(crate) struct Client {
    /// The application: claude-desktop, claude-code, cursor, vscode, windsurf, zed, codex, gemini.
    #[arg(value_name = "CLIENT", value_parser = host)]
    pub(crate) client: Host,
    /// Its file for the project in this folder, instead of yours.
    #[arg(long)]
    pub(crate) project: bool,
    /// As JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `connect`.
#[derive(clap::Args)]
pub(crate) struct Connect {
    #[command(flatten)]
    pub(crate) client: Client,
    /// The MCP endpoint of the gateway. Default: where the config says that it listens.
    #[arg(short, long, value_name = "URL", conflicts_with_all = ["stdio", "namespace", "config"])]
    pub(crate) url: Option<String>,
    /// This namespace of the config.
    #[arg(long, value_name = "NAME")]
    pub(crate) namespace: Option<Slug>,
    /// Let the application start a toolgate of its own, over stdin and stdout, instead of calling one that runs.
    #[arg(long)]
    pub(crate) stdio: bool,
    /// Take the servers out of the application's file that toolgate.yaml has, so that they are reached through toolgate only.
    #[arg(long)]
    pub(crate) only_toolgate: bool,
    /// What toolgate is called there.
    #[arg(long, value_name = "NAME", default_value = "toolgate")]
    pub(crate) name: String,
    /// The config. Found by itself when not given.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// `disconnect`.
#[derive(clap::Args)]
pub(crate) struct Disconnect {
    #[command(flatten)]
    pub(crate) client: Client,
    /// Put the file back as it was even if it was changed since.
    #[arg(long)]
    pub(crate) force: bool,
}

fn host(word: &str) -> Result<Host, String> {
    let known = || Host::ALL.map(Host::word).join(", ");
    Host::of_word(word).ok_or_else(|| format!("not known; there are: {}", known()))
}
