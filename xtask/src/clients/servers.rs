//! What has to run: server-everything where it listens on a port, and toolgate in front of everything.

use super::fixtures::Fixtures;
use super::plan::{Places, Server};
use crate::process::{self, Process};
use anyhow::{Context as _, bail};
use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::process::Command;

/// From nothing to listening, on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(60);
/// SIGTERM to exit: toolgate finishes what is in flight and ends its children.
const END_LIMIT: Duration = Duration::from_secs(20);
/// A first build of everything.
const BUILD_LIMIT: Duration = Duration::from_secs(45 * 60);
/// How often something that has to become true is looked at.
const GLANCE: Duration = Duration::from_millis(50);

/// A server over stdio: what to start and with which environment.
pub(super) struct Stdio {
    program: PathBuf,
    arguments: Vec<PathBuf>,
    environment: Vec<(&'static str, PathBuf)>,
}

/// The servers that listen on ports of their own.
pub(super) struct Listening {
    /// Streamable HTTP.
    pub(super) http: String,
    /// HTTP+SSE, the transport of 2024-11-05.
    pub(super) sse: String,
    _processes: [Process; 2],
}

/// A running toolgate.
pub(super) struct Gateway {
    /// Where clients connect.
    pub(super) url: String,
    process: Process,
}

/// How to start `server` over stdio; `use_of_memory` keeps two memory servers apart.
pub(super) fn command(server: Server, fixtures: &Fixtures, places: &Places, use_of_memory: &str) -> Stdio {
    let npm = |name: &str| (fixtures.node(), vec![fixtures.npm_server(name)]);
    let (program, mut arguments) = match server {
        Server::Everything => npm("everything"),
        Server::Memory => npm("memory"),
        Server::Files => npm("filesystem"),
        Server::Python => {
            let (interpreter, script) = fixtures.python_server();
            (interpreter, vec![script])
        }
    };
    let mut environment = Vec::new();
    match server {
        Server::Files => arguments.push(places.files.clone()),
        Server::Memory => environment.push(("MEMORY_FILE_PATH", places.memory(use_of_memory))),
        Server::Everything | Server::Python => {}
    }
    Stdio { program, arguments, environment }
}

/// The toolgate to run: the given one, or one that is built now.
///
/// # Errors
/// When there is none, or it does not build.
pub(super) async fn toolgate_binary(given: Option<&Path>, release: bool) -> anyhow::Result<PathBuf> {
    if let Some(given) = given {
        return std::path::absolute(given)?.canonicalize().with_context(|| format!("there is no {}", given.display()));
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask stands in the workspace")?;
    let mut cargo = Command::from(crate::cargo::cargo());
    cargo.args(["build", "--quiet", "--package", "toolgate"]).args(release.then_some("--release")).current_dir(root);
    println!("building toolgate …");
    process::succeed("cargo build", &mut cargo, BUILD_LIMIT).await?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder));
    let program = target.join(if release { "release" } else { "debug" }).join("toolgate");
    program.canonicalize().with_context(|| format!("the build left no {}", program.display()))
}

// === impl Stdio ===

impl Stdio {
    /// As a command to start.
    pub(super) fn into_command(self) -> Command {
        let mut command = Command::new(self.program);
        command.args(self.arguments).envs(self.environment);
        command
    }

    /// As the lines of an upstream in `toolgate.yaml`.
    fn yaml(&self) -> String {
        let quoted = |path: &Path| format!("{:?}", path.display().to_string());
        let arguments: Vec<_> = self.arguments.iter().map(|argument| quoted(argument)).collect();
        let mut lines = format!("    command: {}\n    args: [{}]\n", quoted(&self.program), arguments.join(", "));
        for (name, value) in &self.environment {
            let _ = writeln!(lines, "    env: {{{name}: {}}}", quoted(value));
        }
        lines
    }
}

// === impl Listening ===

impl Listening {
    /// Starts server-everything once for each transport that needs a port.
    ///
    /// # Errors
    /// When one does not come up.
    pub(super) async fn start(fixtures: &Fixtures, folder: &Path) -> anyhow::Result<Self> {
        let (http_port, sse_port) = (free_port()?, free_port()?);
        let start = |transport: &str, port: u16| {
            let mut command = Command::new(fixtures.node());
            command.arg(fixtures.npm_server("everything")).arg(transport).env("PORT", port.to_string());
            let name = format!("server-everything {transport}");
            Process::start_logged(&name, &mut command, &folder.join(format!("everything-{transport}.log")))
        };
        let mut processes = [start("streamableHttp", http_port)?, start("sse", sse_port)?];
        let began = Instant::now();
        for (process, port) in processes.iter_mut().zip([http_port, sse_port]) {
            while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                process.must_run()?;
                patience(began, "server-everything")?;
                tokio::time::sleep(GLANCE).await;
            }
        }
        let (http, sse) = (format!("http://127.0.0.1:{http_port}/mcp"), format!("http://127.0.0.1:{sse_port}/sse"));
        Ok(Self { http, sse, _processes: processes })
    }
}

// === impl Gateway ===

impl Gateway {
    /// Starts toolgate in front of all servers and waits until every upstream has come up or failed.
    ///
    /// # Errors
    /// When it does not come up; what it logged is in the error.
    pub(super) async fn start(
        program: &Path,
        fixtures: &Fixtures,
        listening: &Listening,
        places: &Places,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let config = folder.join("toolgate.yaml");
        std::fs::write(&config, configuration(fixtures, listening, places))?;
        let mut command = Command::new(program);
        command.arg("serve").arg("--config").arg(&config).args(["--listen", "127.0.0.1:0"]).current_dir(folder);
        at_home(&mut command, folder);
        let log = folder.join("toolgate.log");
        let mut process = Process::start_logged("toolgate", &mut command, &log)?;
        match ready(&mut process, &log.with_extension("out")).await {
            Ok(url) => Ok(Self { url, process }),
            Err(error) => {
                let logged = std::fs::read(log.with_extension("err")).unwrap_or_default();
                Err(error.context(format!("toolgate did not come up; it logged:\n{}", process::tail(&logged))))
            }
        }
    }

    /// The endpoint for clients of HTTP+SSE.
    pub(super) fn sse(&self) -> String {
        self.url.replace("/mcp", "/sse")
    }

    /// Ends toolgate as an operator would.
    ///
    /// # Errors
    /// When it does not end in time, or not with 0.
    pub(super) async fn end(mut self) -> anyhow::Result<()> {
        self.process.must_run()?;
        let status = self.process.end(END_LIMIT).await?;
        if !status.success() {
            bail!("toolgate ended with {status} after SIGTERM");
        }
        Ok(())
    }
}

/// The config that puts toolgate in front of every server over every transport.
///
/// Over HTTP+SSE a question of the server names no call, and all clients are one caller here, so that calls there are kept apart.
/// The Python server, which speaks both eras, is held to the modern one; the others speak the legacy one only. So which eras a
/// call crosses does not depend on how fast a probe was answered.
fn configuration(fixtures: &Fixtures, listening: &Listening, places: &Places) -> String {
    let stdio = |server| command(server, fixtures, places, "run").yaml();
    format!(
        "names: prefixed\npresentation: direct\nupstreams:\n\
         \x20 everything:\n{}\
         \x20 everything-http:\n    url: {}\n\
         \x20 everything-sse:\n    url: {}\n    transport: sse\n    isolation: call\n\
         \x20 memory:\n{}\
         \x20 files:\n{}\
         \x20 python:\n{}    era: modern\n",
        stdio(Server::Everything),
        listening.http,
        listening.sse,
        stdio(Server::Memory),
        stdio(Server::Files),
        stdio(Server::Python),
    )
}

/// Nothing the person has set for their own toolgate may matter here, nor may this run touch their files.
fn at_home(command: &mut Command, folder: &Path) {
    command.env("HOME", folder);
    for name in ["XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"] {
        command.env(name, folder.join(name));
    }
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TOOLGATE_")) {
        command.env_remove(name);
    }
}

/// Waits for the URL on stdout and then for `/readyz`.
async fn ready(process: &mut Process, printed: &Path) -> anyhow::Result<String> {
    let began = Instant::now();
    loop {
        process.must_run()?;
        patience(began, "toolgate")?;
        if let Some(url) = printed_url(&std::fs::read_to_string(printed)?) {
            let address = url.trim_start_matches("http://").trim_end_matches("/mcp");
            if crate::ready::is_ready(address).await.unwrap_or(false) {
                return Ok(url);
            }
        }
        tokio::time::sleep(GLANCE).await;
    }
}

/// The endpoint in what toolgate printed.
fn printed_url(printed: &str) -> Option<String> {
    let after = printed.split_once("http://127.0.0.1:")?.1;
    let (port, _) = after.split_once("/mcp")?;
    port.parse::<u16>().ok().map(|port| format!("http://127.0.0.1:{port}/mcp"))
}

fn patience(began: Instant, name: &str) -> anyhow::Result<()> {
    if began.elapsed() > START_LIMIT {
        bail!("{name} did not come up within {START_LIMIT:?}");
    }
    Ok(())
}

/// A port nobody listens on; somebody might before we do, which then shows as a server that does not come up.
fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoint_is_found_in_whatever_surrounds_it() {
        let printed = "toolgate 0.1.0\n  MCP  http://127.0.0.1:40123/mcp  (SSE http://127.0.0.1:40123/sse)\n";
        assert_eq!(printed_url(printed).as_deref(), Some("http://127.0.0.1:40123/mcp"));
        assert_eq!(printed_url("listening on http://127.0.0.1:40123 for /mcp"), None);
        assert_eq!(printed_url(""), None);
    }
}
