//! toolgate as the suite meets it: built, configured in transparent mode with one upstream, started, ready.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use super::plan::Era;
use super::repository;
use super::service::Service;

const BUILD: Duration = Duration::from_secs(3_600);
const READY: Duration = Duration::from_secs(60);
const BETWEEN_PROBES: Duration = Duration::from_millis(50);

/// How long a legacy client may read one connection before it must come back: shorter than the tool that the suite polls lasts
/// (`test_reconnection`), longer than any other.
const STREAM: &str = "1s";

/// The binary, and a folder for its configuration, state and log.
pub(super) struct Toolgate<'a> {
    pub(super) binary: &'a Path,
    pub(super) folder: &'a Path,
}

/// How the upstream is reached.
pub(super) enum Reach {
    Url(String),
    Command(Vec<String>),
}

/// Builds toolgate. Returns the path of the binary, as cargo names it.
pub(super) async fn build(release: bool) -> anyhow::Result<PathBuf> {
    let mut command = Command::from(crate::cargo::cargo());
    command.args(["build", "--package", "toolgate", "--message-format", "json-render-diagnostics"]);
    if release {
        command.arg("--release");
    }
    command.current_dir(repository()).stdin(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true);
    let output = timeout(BUILD, command.output()).await.context("building toolgate took too long")??;
    if !output.status.success() {
        bail!("toolgate does not build");
    }
    let messages = output.stdout.split(|byte| *byte == b'\n');
    let mut executables = messages.filter_map(|line| {
        let message: Value = serde_json::from_slice(line).ok()?;
        let ours = message["reason"] == "compiler-artifact" && message["target"]["name"] == "toolgate";
        ours.then(|| message["executable"].as_str().map(PathBuf::from)).flatten()
    });
    executables.next_back().context("cargo built no binary named toolgate")
}

// === impl Toolgate ===

impl Toolgate<'_> {
    /// Starts toolgate before one upstream and waits until the upstream is up. Returns it with its URL.
    pub(super) async fn serve(&self, era: Era, reach: &Reach) -> anyhow::Result<(Service, String)> {
        let file = self.folder.join("toolgate.yaml");
        std::fs::write(&file, configuration(era, reach))?;
        let mut command = Command::new(self.binary);
        command.arg("serve").arg("--config").arg(&file).args(["--listen", "127.0.0.1:0"]);
        // What toolgate remembers of upstreams must be what this run taught it, and must not outlive it.
        for variable in ["XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"] {
            command.env(variable, self.folder.join("state"));
        }
        let (service, url) = Service::start("toolgate", command, self.folder).await?;
        ready(&url).await.with_context(|| format!("toolgate is not ready{}", service.tail()))?;
        Ok((service, url))
    }
}

/// The configuration, as JSON, which is YAML as well and needs no quoting rules of ours.
fn configuration(era: Era, reach: &Reach) -> String {
    let mut upstream = match reach {
        Reach::Url(url) => json!({ "url": url }),
        Reach::Command(words) => json!({ "command": words[0], "args": words[1..] }),
    };
    upstream["era"] = json!(era.name());
    let config = json!({
        "names": "transparent", "upstreams": { "fixture": upstream }, "timeouts": { "stream": STREAM },
    });
    format!("{config:#}\n")
}

/// Asks `/readyz` until it says yes.
async fn ready(url: &str) -> anyhow::Result<()> {
    let address = url.trim_start_matches("http://").trim_end_matches("/mcp");
    let until_ready = async {
        while !matches!(status(address, "/readyz").await, Ok(200)) {
            sleep(BETWEEN_PROBES).await;
        }
    };
    timeout(READY, until_ready)
        .await
        .with_context(|| format!("/readyz did not answer 200 within {} s", READY.as_secs()))
}

/// The status of one GET.
async fn status(address: &str, path: &str) -> anyhow::Result<u16> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    // "HTTP/1.1 200": all that is of interest.
    let mut start = [0; 12];
    stream.read_exact(&mut start).await?;
    Ok(std::str::from_utf8(&start[9..])?.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upstream_is_pinned_and_nothing_is_renamed() {
        let words = ["node", "everything.mjs", "--stdio"].map(str::to_owned).to_vec();
        let config: Value = serde_json::from_str(&configuration(Era::Legacy, &Reach::Command(words))).unwrap();
        assert_eq!(config["names"], "transparent");
        assert_eq!(config["upstreams"]["fixture"]["era"], "legacy");
        assert_eq!(config["upstreams"]["fixture"]["args"], json!(["everything.mjs", "--stdio"]));
    }
}
