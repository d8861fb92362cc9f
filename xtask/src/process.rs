//! Child processes that never outlive the run: each leads a process group, and the group is killed when its handle goes.
//!
//! Why groups: `npx`, the Inspector and toolgate itself start processes of their own. The standard library can signal
//! one process only; a signal to a group goes through the shell's `kill`, which every POSIX system has built in.

use anyhow::{Context as _, bail};
use std::fs::File;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

/// The most that a process may print and be listened to.
const PRINTED_BYTES: u64 = 64 << 20;

/// A running process and its group.
pub(crate) struct Process {
    name: String,
    child: Child,
    group: u32,
}

/// What a process that has ended said.
pub(crate) struct Said {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

// === impl Process ===

impl Process {
    /// Starts `command` as the leader of a new process group.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub(crate) fn start(name: &str, command: &mut Command) -> anyhow::Result<Self> {
        let child = command.process_group(0).kill_on_drop(true).spawn();
        let child = child.with_context(|| format!("{name} cannot be started"))?;
        let group = child.id().with_context(|| format!("{name} ended at once"))?;
        Ok(Self { name: name.to_owned(), child, group })
    }

    /// Starts `command` with both its outputs in files: `<log>.out` and `<log>.err`.
    ///
    /// # Errors
    /// When a file cannot be made or the program cannot be started.
    pub(crate) fn start_logged(name: &str, command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let out = File::create(log.with_extension("out"))?;
        let err = File::create(log.with_extension("err"))?;
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        Self::start(name, command)
    }

    /// The pipes of a process that was started with pipes.
    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Says so if the process has ended.
    ///
    /// # Errors
    /// When it has ended.
    pub(crate) fn must_run(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended: {status}", self.name),
        }
    }

    /// Asks the process to end with SIGTERM and waits for it.
    ///
    /// # Errors
    /// When it does not end within `patience`.
    pub(crate) async fn end(mut self, patience: Duration) -> anyhow::Result<ExitStatus> {
        signal("-TERM", &self.group.to_string());
        let ended = tokio::time::timeout(patience, self.child.wait()).await;
        Ok(ended.with_context(|| format!("{} did not end within {patience:?} of SIGTERM", self.name))??)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        signal("-KILL", &format!("-{}", self.group));
    }
}

/// Runs `command` to its end and answers what it printed.
///
/// # Errors
/// When it cannot be started or does not end within `limit`.
pub(crate) async fn run(name: &str, command: &mut Command, limit: Duration) -> anyhow::Result<Said> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = Process::start(name, command)?;
    let child = process.child();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let everything = async { tokio::try_join!(printed(stdout), printed(stderr), child.wait()) };
    let ended = tokio::time::timeout(limit, everything).await;
    let (stdout, stderr, status) = ended.with_context(|| format!("{name} did not end within {limit:?}"))??;
    Ok(Said { status, stdout, stderr })
}

/// Runs `command` to its end; what it printed is shown only when it failed.
///
/// # Errors
/// When it cannot be started, does not end within `limit`, or fails.
pub(crate) async fn succeed(name: &str, command: &mut Command, limit: Duration) -> anyhow::Result<()> {
    let said = run(name, command, limit).await?;
    if !said.status.success() {
        bail!("{name}: {}\n{}{}", said.status, tail(&said.stdout), tail(&said.stderr));
    }
    Ok(())
}

/// The last of what was printed: enough to see why something failed.
pub(crate) fn tail(printed: &[u8]) -> String {
    let text = String::from_utf8_lossy(printed);
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].iter().map(|line| format!("{line:.400}\n")).collect()
}

async fn printed(pipe: Option<impl AsyncRead + Unpin>) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(PRINTED_BYTES).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

/// Sends a signal; that nobody is left to receive it is the usual case and no failure.
fn signal(signal: &str, target: &str) {
    let mut kill = std::process::Command::new("sh");
    kill.args(["-c", "kill \"$0\" \"$1\"", signal, target])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    kill.status().ok();
}

/// Runs a chore to its end or to Ctrl-C; then, as at the end, every process that it started is ended.
///
/// # Errors
/// The chore's own, or that it was interrupted.
pub(crate) fn until_interrupted(chore: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::select! {
            outcome = chore => outcome,
            // returning drops, and so ends, every process that was started
            _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
        }
    })
}
