//! A child process that serves until it is stopped: it says its URL on stdout, and must end when it is asked to.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(15);
/// How much of a log is shown when its process failed.
const TAIL_LINES: usize = 15;

/// The process. Dropping it kills it.
pub(super) struct Service {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

// === impl Service ===

impl Service {
    /// Starts `command`, with stderr in `<folder>/<name>.log`, and waits for a line of stdout with a URL that ends in `/mcp`.
    /// Its stdin stays open as long as the service lives.
    pub(super) async fn start(
        name: &'static str,
        mut command: Command,
        folder: &Path,
    ) -> anyhow::Result<(Self, String)> {
        let log = folder.join(format!("{name}.log"));
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).with_context(|| format!("cannot write {}", log.display()))?)
            .kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        let stdout = child.stdout.take().context("stdout was asked for as a pipe")?;
        let service = Service { name, child, log };

        let mut lines = BufReader::new(stdout).lines();
        let url = match timeout(START, url_line(&mut lines)).await {
            Ok(Ok(Some(url))) => url,
            Ok(Ok(None)) => bail!("{name} ended without saying its URL{}", service.tail()),
            Ok(Err(error)) => bail!("{name}: {error}"),
            Err(_) => bail!("{name} said no URL within {} s{}", START.as_secs(), service.tail()),
        };
        // Read on, or the process would one day wait for room in the pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok((service, url))
    }

    /// Asks the process to end and waits for it. An error if it had to be killed, or says that it failed.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        let id =
            self.child.id().with_context(|| format!("{} ended before it was stopped{}", self.name, self.tail()))?;
        // By way of kill(1), because sending a signal is not in the standard library.
        Command::new("kill").args(["-TERM", &id.to_string()]).status().await.context("cannot run kill")?;
        let Ok(status) = timeout(STOP, self.child.wait()).await else {
            bail!("{} did not end within {} s of SIGTERM{}", self.name, STOP.as_secs(), self.tail());
        };
        let status = status?;
        if !status.success() {
            bail!("{} ended with {status}{}", self.name, self.tail());
        }
        Ok(())
    }

    /// The end of the log, to follow an error's text.
    pub(super) fn tail(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        let tail = &lines[lines.len().saturating_sub(TAIL_LINES)..];
        tail.iter().map(|line| format!("\n    | {line}")).collect()
    }
}

/// The first word of the stream that is a URL ending in `/mcp`.
async fn url_line(lines: &mut Lines<BufReader<ChildStdout>>) -> std::io::Result<Option<String>> {
    while let Some(line) = lines.next_line().await? {
        if let Some(url) = url_in(&line) {
            return Ok(Some(url.to_owned()));
        }
    }
    Ok(None)
}

fn url_in(line: &str) -> Option<&str> {
    let start = line.find("http://127.0.0.1:")?;
    let length = line[start..].find("/mcp")? + "/mcp".len();
    Some(&line[start..start + length])
}

#[cfg(test)]
mod tests {
    use super::url_in;

    #[test]
    fn a_url_is_found_within_a_sentence() {
        assert_eq!(url_in("listening on http://127.0.0.1:4711/mcp (both eras)"), Some("http://127.0.0.1:4711/mcp"));
        assert_eq!(url_in("listening on http://127.0.0.1:4711/sse"), None);
    }
}
