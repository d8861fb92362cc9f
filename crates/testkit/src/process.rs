//! toolgate as a process of its own, and a look at processes from outside. Linux only: it reads `/proc`.

use std::path::Path;
use std::process::{ExitStatus, Output, Stdio};

use futures_util::future::BoxFuture;
use rustix::process::{Pid, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::mpsc;

use crate::Era;
use crate::gate::Plan;
use crate::line_client::LineClient;
use crate::wait::{soon, until};

pub use rustix::process::Signal;

/// A running toolgate; killed when dropped.
pub struct Program {
    child: Child,
    output: Option<tokio::io::Lines<BufReader<ChildStdout>>>,
    folder: TempDir,
}

// === impl Program ===

impl Program {
    /// Runs `toolgate <command>` with the plan as its config file.
    pub fn start(executable: &str, command: &str, plan: &Plan) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        write_config(folder.path(), plan);
        Self::start_in(executable, command, folder)
    }

    /// The same with the config file that is in the folder.
    fn start_in(executable: &str, command: &str, folder: TempDir) -> Self {
        let mut child = in_folder(executable, folder.path())
            .args([command, "--config", "toolgate.yaml", "--log-level", "error"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("toolgate can be started");
        let output = BufReader::new(child.stdout.take().expect("it was asked for")).lines();
        Self { child, output: Some(output), folder }
    }

    /// Runs `toolgate serve` and waits for its URL, which is given without a path.
    pub async fn serve(executable: &str, plan: &Plan) -> (Self, String) {
        Self::start(executable, "serve", plan).served().await
    }

    /// The same with the config file that is in the folder.
    pub async fn serve_in(executable: &str, folder: TempDir) -> (Self, String) {
        Self::start_in(executable, "serve", folder).served().await
    }

    async fn served(self) -> (Self, String) {
        let mut program = self;
        let url = program.line("http://127.0.0.1").await;
        let at = url.find("http://").expect("it was looked for");
        let url = url[at..].split("/mcp").next().expect("a split gives one part at least").to_owned();
        (program, url)
    }

    /// The next line of its stdout with `part` in it.
    pub async fn line(&mut self, part: &str) -> String {
        let output = self.output.as_mut().expect("no client has taken it");
        loop {
            let line = soon(&format!("a line with {part}"), output.next_line()).await.expect("stdout is text");
            let line = line.unwrap_or_else(|| panic!("toolgate ended before it said {part}"));
            if line.contains(part) {
                return line;
            }
        }
    }

    /// A client on its stdin and stdout.
    pub fn client(&mut self, era: Era) -> LineClient {
        let mut stdin = self.child.stdin.take().expect("there is one client only");
        let mut output = self.output.take().expect("there is one client only");
        let (sender, incoming) = mpsc::unbounded_channel();
        let reader = tokio::spawn(async move {
            while let Ok(Some(line)) = output.next_line().await {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        // The queue is what keeps stdin open: it is closed with the client's own end of it.
        let (to_write, mut lines) = mpsc::unbounded_channel::<String>();
        tokio::spawn(async move {
            while let Some(line) = lines.recv().await {
                if stdin.write_all(line.as_bytes()).await.is_err() {
                    return;
                }
            }
        });
        let send = move |text: String| -> BoxFuture<'static, ()> {
            let _ = to_write.send(text + "\n");
            Box::pin(std::future::ready(()))
        };
        LineClient::new(era, send, incoming, reader)
    }

    /// Puts another plan into its config file, as an editor would: whole, under the same name.
    pub fn rewrite(&self, plan: &Plan) {
        write_config(self.folder.path(), plan);
    }

    /// The folder with its config file, and `state` in it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("it was not waited for")
    }

    /// Sends it a signal.
    pub fn signal(&self, what: Signal) {
        signal(self.pid(), what);
    }

    /// Waits for its end.
    pub async fn ended(mut self) -> ExitStatus {
        drop(self.child.stdin.take());
        if let Some(mut output) = self.output.take() {
            // Whoever does not read what a process writes may keep it from ending.
            tokio::spawn(async move { while let Ok(Some(_)) = output.next_line().await {} });
        }
        soon("toolgate ends", self.child.wait()).await.expect("it can be waited for")
    }
}

fn write_config(folder: &Path, plan: &Plan) {
    std::fs::write(folder.join("toolgate.yaml"), plan.text(&folder.join("state"))).expect("it can be written");
}

/// A command that sees nothing of this process but where programs are.
fn in_folder(executable: &str, folder: &Path) -> Command {
    let mut command = Command::new(executable);
    command.current_dir(folder).env_clear().env("HOME", folder).kill_on_drop(true);
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

/// Runs `toolgate` with arguments in a folder, until it ends.
pub async fn run(executable: &str, folder: &Path, args: &[&str]) -> Output {
    run_with_input(executable, folder, args, "").await
}

/// The same, with something to read.
pub async fn run_with_input(executable: &str, folder: &Path, args: &[&str], input: &str) -> Output {
    let mut command = in_folder(executable, folder);
    let mut child = command
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("toolgate can be started");
    let mut stdin = child.stdin.take().expect("it was asked for");
    // A command that does not read its input may end before it is written.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    soon(&format!("toolgate {args:?} ends"), child.wait_with_output()).await.expect("it can be waited for")
}

/// Runs this test alone in a process of its own, where nothing else opens descriptors or starts processes. `true` in there.
pub async fn is_alone(test: &str) -> bool {
    const MARK: &str = "TOOLGATE_STORY_ALONE";
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    let itself = std::env::current_exe().expect("this program has a path");
    let mut command = Command::new(itself);
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(MARK, "1").kill_on_drop(true);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it can be started");
    let output = tokio::time::timeout(4 * crate::wait::PATIENCE, child.wait_with_output()).await;
    let output = output.expect("the lone test ends").expect("it can be waited for");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("1 passed"), "alone, {test} failed:\n{text}");
    false
}

/// Sends a process a signal; one that is gone needs none.
pub fn signal(pid: u32, what: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).expect("ids are small")).expect("ids are not zero");
    let _ = kill_process(pid, what);
}

/// Whether a process runs; one that is dead but not yet buried does not.
pub fn is_running(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != 'Z')
}

/// Waits until a process runs no more.
pub async fn is_gone(pid: u32) {
    until(&format!("process {pid} is gone"), || async { (!is_running(pid)).then_some(()) }).await;
}

/// State and parent of a process.
fn stat(pid: u32) -> Option<(char, u32)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may have anything in it.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// The children of a process, the dead ones that it has not buried included.
pub fn children_of(parent: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").expect("this is Linux");
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid| stat(*pid).is_some_and(|(_, of)| of == parent)).collect()
}

/// How many descriptors and threads a process has.
pub fn holdings(pid: u32) -> (usize, usize) {
    let count = |what: &str| std::fs::read_dir(format!("/proc/{pid}/{what}")).map_or(0, Iterator::count);
    (count("fd"), count("task"))
}
