//! What stands between the load and the upstream: each a running process, ended when the benchmark ends.

use super::messages::Era;
use super::{Plan, nginx, procfs, toolgate};
use anyhow::{Context, bail};
use std::ffi::OsStr;
use std::fmt;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a process may take to be ready, and to end.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a process is left alone before its idle memory is read.
const SETTLING: Duration = Duration::from_secs(1);

/// A way from client to upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(super) enum Kind {
    /// Nothing in between.
    Direct,
    /// nginx `proxy_pass`.
    Nginx,
    /// toolgate with `names: transparent`.
    Toolgate,
    /// toolgate with `names: prefixed`, as it is for many upstreams.
    Prefixed,
    /// toolgate in transparent mode, in front of an upstream of the other era than the client's.
    Bridged,
    /// As prefixed, at one of a hundred namespaces that select and deny.
    Namespace,
    /// The same, with something laid over each of the tools, and over an argument of those that are called.
    Overridden,
}

/// One such way, running.
pub(super) struct Target {
    /// Which way it is.
    pub(super) kind: Kind,
    /// What the clients that use it speak.
    pub(super) era: Era,
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// What keeps it running; several targets may share one process, and the direct way has none.
    pub(super) process: Option<usize>,
}

/// A child process, with its memory before there was any load.
pub(super) struct Process {
    /// For the report.
    pub(super) name: String,
    child: Child,
    idle: u64,
    log: Option<PathBuf>,
}

/// Everything that runs during a benchmark.
pub(super) struct Parts {
    /// What is measured.
    pub(super) targets: Vec<Target>,
    /// The toolgate that is measured, if one is.
    pub(super) toolgate: Option<PathBuf>,
    processes: Vec<Process>,
    upstream: Process,
    // Last, so that the processes are gone when their folder goes.
    folder: tempfile::TempDir,
}

/// Resident memory of a process, in bytes.
pub(super) struct Memory {
    /// Whose.
    pub(super) name: String,
    /// Before any load.
    pub(super) idle: u64,
    /// Now; absent when the process has gone.
    pub(super) now: Option<u64>,
}

// === impl Kind ===

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Direct => "direct",
            Self::Nginx => "nginx",
            Self::Toolgate => "toolgate",
            Self::Prefixed => "prefixed",
            Self::Bridged => "bridged",
            Self::Namespace => "namespace",
            Self::Overridden => "overridden",
        })
    }
}

impl Kind {
    /// The words of the report.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Nginx => "nginx",
            Self::Toolgate => "toolgate, transparent",
            Self::Prefixed => "toolgate, prefixed",
            Self::Bridged => "toolgate, bridged",
            Self::Namespace => "toolgate, one of 100 namespaces",
            Self::Overridden => "toolgate, overrides",
        }
    }

    /// What stands before each tool's name as the client sees it.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Prefixed | Self::Namespace | Self::Overridden => "bench__",
            _ => "",
        }
    }

    /// The path of the endpoint.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Namespace | Self::Overridden => "/ns/n50/mcp",
            _ => "/mcp",
        }
    }
}

// === impl Parts ===

impl Parts {
    /// Starts the upstream and everything that the plan names.
    ///
    /// # Errors
    /// When something is missing or does not become ready; what was started until then is ended.
    pub(super) fn start(plan: &Plan) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let (upstream, address) = start_upstream()?;
        let mut parts = Self { targets: Vec::new(), toolgate: None, processes: Vec::new(), upstream, folder };
        for &kind in &plan.targets {
            match kind {
                Kind::Direct => parts.add_for_each_era(plan, kind, address, None),
                Kind::Nginx => {
                    nginx::require(plan)?;
                    let folder = parts.folder("nginx")?;
                    let (process, front) = nginx::start(plan, &folder, address)?;
                    let process = parts.keep(process);
                    parts.add_for_each_era(plan, kind, front, Some(process));
                }
                Kind::Toolgate | Kind::Prefixed | Kind::Bridged | Kind::Namespace | Kind::Overridden => {
                    let program = parts.toolgate(plan)?;
                    for &era in &plan.eras {
                        let folder = parts.folder(&format!("{kind}-{era}"))?;
                        let (process, front) = toolgate::start(&program, &folder, kind, era, address)?;
                        let process = Some(parts.keep(process));
                        parts.targets.push(Target { kind, era, address: front, process });
                    }
                }
            }
        }
        std::thread::sleep(SETTLING);
        for process in &mut parts.processes {
            process.idle = procfs::resident(process.pid())?;
        }
        Ok(parts)
    }

    /// The process that keeps a target running.
    pub(super) fn process(&self, target: &Target) -> Option<&Process> {
        Some(&self.processes[target.process?])
    }

    /// What each process holds.
    pub(super) fn memory(&self) -> Vec<Memory> {
        let look = |process: &Process| Memory {
            name: process.name.clone(),
            idle: process.idle,
            now: procfs::resident(process.pid()).ok(),
        };
        self.processes.iter().map(look).collect()
    }

    /// The upstream's process, for its CPU time.
    pub(super) fn upstream(&self) -> &Process {
        &self.upstream
    }

    fn add_for_each_era(&mut self, plan: &Plan, kind: Kind, address: SocketAddr, process: Option<usize>) {
        self.targets.extend(plan.eras.iter().map(|&era| Target { kind, era, address, process }));
    }

    fn keep(&mut self, process: Process) -> usize {
        self.processes.push(process);
        self.processes.len() - 1
    }

    fn folder(&self, name: &str) -> anyhow::Result<PathBuf> {
        let folder = self.folder.path().join(name);
        std::fs::create_dir(&folder)?;
        Ok(folder)
    }

    fn toolgate(&mut self, plan: &Plan) -> anyhow::Result<PathBuf> {
        if self.toolgate.is_none() {
            self.toolgate = Some(toolgate::find(plan)?);
        }
        self.toolgate.clone().context("found just now")
    }
}

// === impl Process ===

impl Process {
    /// Starts `command` with its output going to `log`.
    ///
    /// # Errors
    /// When the program is not there.
    pub(super) fn start(name: String, command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let out = std::fs::File::create(log)?;
        let child = command
            .stdin(Stdio::null())
            .stderr(out.try_clone()?)
            .stdout(out)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name, child, idle: 0, log: Some(log.to_owned()) })
    }

    /// The process id.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until `ready` says so.
    ///
    /// # Errors
    /// When the process ends first, or takes too long; the end of its log is part of the error.
    pub(super) fn wait(&mut self, ready: impl Fn() -> bool) -> anyhow::Result<()> {
        let began = Instant::now();
        while !ready() {
            let ended = self.child.try_wait()?;
            if ended.is_some() || began.elapsed() > PATIENCE {
                let state = ended.map_or_else(|| format!("not ready after {PATIENCE:?}"), |status| status.to_string());
                bail!("{}: {state}; its last words:\n{}", self.name, self.last_words());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// The end of what it wrote; empty where its output is not kept.
    pub(super) fn last_words(&self) -> String {
        let text = self.log.as_ref().and_then(|log| std::fs::read(log).ok());
        let text = text.unwrap_or_default();
        String::from_utf8_lossy(&text[text.len().saturating_sub(2000)..]).into_owned()
    }

    fn end(&mut self) -> anyhow::Result<()> {
        let family = procfs::family(self.pid())?;
        signal("TERM", self.pid())?;
        let began = Instant::now();
        while self.child.try_wait()?.is_none() {
            if began.elapsed() > PATIENCE {
                eprintln!("{} did not end within {PATIENCE:?} of SIGTERM and was killed", self.name);
                for member in family {
                    signal("KILL", member)?;
                }
                self.child.wait()?;
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None))
            && let Err(fault) = self.end()
        {
            eprintln!("cannot end {} (process {}): {fault:#}", self.name, self.pid());
        }
    }
}

/// A command that gets SIGTERM when this program dies, however that comes about.
pub(super) fn tied(program: &OsStr) -> Command {
    // util-linux has done this since 2018; without it only a kill -9 of the benchmark leaves something behind.
    let found = Command::new("setpriv").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !found.is_ok_and(|status| status.success()) {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "--"]).arg(program);
    command
}

/// A port that was free a moment ago, for programs that cannot say which one they took.
pub(super) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Whether somebody listens there.
pub(super) fn listens(address: SocketAddr) -> bool {
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
}

fn start_upstream() -> anyhow::Result<(Process, SocketAddr)> {
    let program = std::env::current_exe()?;
    let mut child = tied(program.as_os_str())
        .args(["bench", "upstream"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start the scripted upstream")?;
    let out = child.stdout.take().context("it was started with a pipe")?;
    let process = Process { name: "upstream".to_owned(), child, idle: 0, log: None };
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line)?;
    let address =
        line.trim().parse().with_context(|| format!("the scripted upstream did not say where it is: {line:?}"))?;
    Ok((process, address))
}

fn signal(name: &str, pid: u32) -> anyhow::Result<()> {
    // The shell has `kill` built in, so that nothing need be installed and no unsafe code written for it.
    Command::new("sh").args(["-c", &format!("kill -{name} {pid} 2>/dev/null || true")]).status()?;
    Ok(())
}
