//! A second process that ends our children when we are killed too suddenly to do it ourselves.
//!
//! Nothing in a process runs after SIGKILL, and asking the kernel for a signal on the parent's death needs code between
//! fork and exec. So one helper process, a child of ours in a group of its own, reads the ids of our children's groups from
//! a pipe. The kernel closes that pipe when we end, however we end; without a goodbye on it the helper ends the groups.

use std::collections::HashSet;
use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::os::{self, Group};

/// How long the groups have between being asked to end and being ended.
const GRACE: Duration = Duration::from_secs(2);
const GOODBYE: &str = "bye";

/// Our end: starts the helper with the first child, and tells it of every child.
#[derive(Debug)]
pub(crate) struct Watchdog {
    exe: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    helper: Option<Child>,
    groups: HashSet<Group>,
}

// === impl Watchdog ===

impl Watchdog {
    /// `exe watchdog` is the helper; without one, children are ended only by us.
    pub(crate) fn new(exe: Option<PathBuf>) -> Self {
        Self { exe, state: Mutex::default() }
    }

    /// From now on `group` ends with us.
    pub(crate) fn guard(&self, group: Group) {
        let mut state = self.lock();
        state.groups.insert(group);
        if state.helper.is_some() && state.tell(&format!("+{}", group.id())).is_ok() {
            return;
        }
        if let Some(Err(error)) = self.exe.as_ref().map(|exe| state.start(exe)) {
            tracing::warn!(%error, "the watchdog could not be started: if toolgate is killed with SIGKILL, its child processes may stay behind");
        }
    }

    /// `group` has ended.
    pub(crate) fn forget(&self, group: Group) {
        let mut state = self.lock();
        if state.groups.remove(&group) && state.helper.is_some() {
            // If the helper is gone, the next `guard` starts another.
            let _ = state.tell(&format!("-{}", group.id()));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        let mut state = self.lock();
        // Children that still live now are meant to be ended by whoever dropped us first; the helper need not.
        let groups_left = !state.groups.is_empty();
        if !groups_left {
            let _ = state.tell(GOODBYE);
        }
        if let Some(mut helper) = state.helper.take() {
            drop(helper.stdin.take());
            if !groups_left {
                let _ = helper.wait();
            }
        }
    }
}

// === impl State ===

impl State {
    fn start(&mut self, exe: &PathBuf) -> io::Result<()> {
        if let Some(mut dead) = self.helper.take() {
            let _ = dead.kill();
            let _ = dead.wait();
        }
        let mut command = Command::new(exe);
        command.arg("watchdog").env_clear().stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        os::lead_a_group(&mut command);
        self.helper = Some(command.spawn()?);
        let groups: Vec<String> = self.groups.iter().map(|group| format!("+{}", group.id())).collect();
        self.tell(&groups.join("\n"))
    }

    /// A pipe holds some thousand such lines, so this does not block while the helper lives.
    fn tell(&mut self, line: &str) -> io::Result<()> {
        let pipe = self.helper.as_mut().and_then(|helper| helper.stdin.as_mut()).ok_or(io::ErrorKind::BrokenPipe)?;
        pipe.write_all(format!("{line}\n").as_bytes())
    }
}

/// What the helper process does: reads group ids from stdin until its end, then ends the groups that are left unless it
/// was told goodbye. The `watchdog` command calls this and nothing else.
pub fn watchdog_main() -> io::Result<()> {
    let groups = read_groups(io::stdin().lock())?;
    for group in &groups {
        group.ask_to_end();
    }
    let deadline = Instant::now() + GRACE;
    while groups.iter().any(|group| group.lives()) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    for group in groups.iter().filter(|group| group.lives()) {
        group.end();
    }
    Ok(())
}

/// The groups that are left when `lines` end; none after a goodbye.
fn read_groups(lines: impl BufRead) -> io::Result<HashSet<Group>> {
    let mut groups = HashSet::new();
    for line in lines.lines() {
        let line = line?;
        if line == GOODBYE {
            return Ok(HashSet::new());
        }
        let (sign, id) = line.split_at(line.len().min(1));
        if let Some(group) = id.parse().ok().and_then(Group::of) {
            match sign {
                "+" => drop(groups.insert(group)),
                "-" => drop(groups.remove(&group)),
                _ => {}
            }
        }
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(lines: &str) -> usize {
        read_groups(lines.as_bytes()).unwrap().len()
    }

    #[test]
    fn only_groups_still_guarded_at_a_sudden_end_are_ended() {
        assert_eq!(left("+1001\n+1002\n-1001\n"), 1);
        assert_eq!(left("+1001\nbye\n"), 0);
        assert_eq!(left("+1001\n-1001\n"), 0);
    }

    #[test]
    fn ids_that_mean_more_than_a_child_are_never_ended() {
        assert_eq!(left("+0\n+1\n+-1\n+99999999999\n+x\n\n+\n"), 0);
    }
}
