//! A child process: its environment, its last lines, its end and that of everything it started.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, timeout};
use toolgate_protocol::UpstreamName;
use toolgate_protocol::line::{Line, LineDecoder};

use crate::config::StdioConfig;
use crate::error::{Failure, neutral};
use crate::host::Host;
use crate::lines::LogLine;
use crate::os::{self, Group};
use crate::ring::Ring;

/// How long a child has to end by itself once its stdin is closed, and again once it was asked to.
const GRACE: Duration = Duration::from_secs(2);
/// The longest stderr line kept.
const STDERR_LINE: usize = 8 << 10;
/// Stderr lines logged per second; a flood beyond that is counted.
const STDERR_RATE: u32 = 200;

/// A running child. Dropping it ends its group at once.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    group: Option<Group>,
    host: Arc<Host>,
    exited: bool,
}

/// What is connected to a child.
#[derive(Debug)]
pub(crate) struct Pipes {
    pub(crate) stdin: ChildStdin,
    pub(crate) stdout: ChildStdout,
    pub(crate) stderr: tokio::process::ChildStderr,
}

// === impl Process ===

impl Process {
    /// Starts a child.
    pub(crate) fn start(config: &StdioConfig, host: &Arc<Host>) -> Result<(Self, Pipes), Failure> {
        let mut command = std::process::Command::new(&config.command);
        command.args(&config.args).env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for (name, value) in std::env::vars_os() {
            let wanted = name
                .to_str()
                .is_some_and(|name| os::is_inherited(name) || config.env_allow.iter().any(|allowed| allowed == name));
            if wanted {
                command.env(name, value);
            }
        }
        command.envs(config.env.iter().map(|(name, value)| (name, value)));
        if let Some(cwd) = &config.cwd {
            if !cwd.is_dir() {
                return Err(Failure::Unavailable(format!("its working directory `{}` does not exist", cwd.display())));
            }
            command.current_dir(cwd);
        }
        os::lead_a_group(&mut command);
        let mut command = Command::from(command);
        command.kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| cannot_start(&config.command, &error))?;
        let group = child.id().and_then(Group::of);
        if let Some(group) = group {
            host.watchdog().guard(group);
        }
        let pipes = child.stdin.take().zip(child.stdout.take()).zip(child.stderr.take());
        let process = Self { child, group, host: host.clone(), exited: false };
        let ((stdin, stdout), stderr) = pipes.expect("all three were asked for");
        Ok((process, Pipes { stdin, stdout, stderr }))
    }

    /// Waits until the child has exited, and says how.
    pub(crate) async fn exited(&mut self) -> String {
        let status = self.child.wait().await;
        self.exited = true;
        match status {
            Ok(status) => format!("its process ended with {status}"),
            Err(error) => format!("its process is gone: {error}"),
        }
    }

    /// Sees to it that nothing of the child is left. Its stdin is closed by whoever owned that.
    pub(crate) async fn end(mut self) {
        if !self.exited && timeout(GRACE, self.exited()).await.is_err() {
            if let Some(group) = self.group {
                group.ask_to_end();
            }
            if timeout(GRACE, self.exited()).await.is_err() {
                self.end_at_once();
                self.exited().await;
            }
        }
        if let Some(group) = self.group.take() {
            sweep(group).await;
            self.host.watchdog().forget(group);
        }
    }

    fn end_at_once(&mut self) {
        if let Some(group) = self.group {
            group.end();
        }
        // Where there are no groups this is what ends it. An error means that it has ended.
        let _ = self.child.start_kill();
    }
}

/// Ends what a child that has exited left behind in its group.
async fn sweep(group: Group) {
    if !group.lives() {
        return;
    }
    group.ask_to_end();
    let deadline = Instant::now() + GRACE;
    while group.lives() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    if group.lives() {
        group.end();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(group) = self.group.take() {
            self.end_at_once();
            group.end();
            self.host.watchdog().forget(group);
        }
    }
}

fn cannot_start(command: &str, error: &std::io::Error) -> Failure {
    let why = match error.kind() {
        std::io::ErrorKind::NotFound => "no such program; is it installed and in PATH?".to_owned(),
        std::io::ErrorKind::PermissionDenied => "it may not be executed".to_owned(),
        _ => error.to_string(),
    };
    Failure::Unavailable(format!("`{}` could not be started: {why}", neutral(command, 200)))
}

/// Logs what a child writes to stderr, under its upstream's name, and keeps the last of it, until it ends.
pub(crate) async fn log_stderr(mut stderr: impl AsyncRead + Unpin, upstream: UpstreamName, kept: &Ring<LogLine>) {
    let mut lines = LineDecoder::new(STDERR_LINE);
    let mut second = Instant::now();
    let (mut logged, mut dropped) = (0_u32, 0_u64);
    loop {
        if second.elapsed() >= Duration::from_secs(1) {
            if dropped > 0 {
                tracing::warn!(target: "upstream", %upstream, "{dropped} more lines were not logged");
            }
            (second, logged, dropped) = (Instant::now(), 0, 0);
        }
        while let Some(line) = lines.next_line() {
            if logged >= STDERR_RATE {
                dropped += 1;
                continue;
            }
            logged += 1;
            match line {
                Line::Text(text) => {
                    let text = neutral(&String::from_utf8_lossy(&text), STDERR_LINE);
                    kept.note(LogLine::of_stderr(&text));
                    tracing::info!(target: "upstream", %upstream, "{text}");
                }
                Line::TooLong => {
                    tracing::info!(target: "upstream", %upstream, "(a line of more than {STDERR_LINE} bytes)")
                }
            }
        }
        lines.buffer().reserve(4096);
        match stderr.read_buf(lines.buffer()).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}
