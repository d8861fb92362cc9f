//! CPU time and memory of a process and its children, from `/proc`.

use anyhow::Context;
use std::fs;
use std::ops::{Add, Sub};
use std::time::Duration;

/// `/proc` counts CPU time in these, a hundredth of a second on every Linux but those for Alpha and Itanium.
const TICK: Duration = Duration::from_millis(10);

/// CPU time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cpu {
    /// In the program itself.
    pub(super) user: Duration,
    /// In the kernel on the program's behalf: here mostly the network.
    pub(super) kernel: Duration,
}

/// A process and the children it has now.
///
/// # Errors
/// When the process is gone.
pub(super) fn family(pid: u32) -> anyhow::Result<Vec<u32>> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))
        .with_context(|| format!("process {pid} is gone"))?;
    let children = children.split_whitespace().filter_map(|child| child.parse().ok());
    Ok(std::iter::once(pid).chain(children).collect())
}

/// The CPU time that a process and its children have used so far.
///
/// # Errors
/// When one of them is gone.
pub(super) fn cpu(pid: u32) -> anyhow::Result<Cpu> {
    let mut sum = Cpu::default();
    for member in family(pid)? {
        let stat =
            fs::read_to_string(format!("/proc/{member}/stat")).with_context(|| format!("process {member} is gone"))?;
        sum = sum + parse_cpu(&stat).context("cannot read the CPU time from /proc")?;
    }
    Ok(sum)
}

/// The resident memory of a process and its children, in bytes; pages they share count for each, as `ps` counts them.
///
/// # Errors
/// When one of them is gone.
pub(super) fn resident(pid: u32) -> anyhow::Result<u64> {
    let mut sum = 0;
    for member in family(pid)? {
        let status = fs::read_to_string(format!("/proc/{member}/status"))
            .with_context(|| format!("process {member} is gone"))?;
        sum += parse_resident(&status).context("cannot read VmRSS from /proc")?;
    }
    Ok(sum)
}

/// Fields 14 and 15 of proc(5)'s `stat`, counted from the end of the name, which may itself hold spaces.
fn parse_cpu(stat: &str) -> Option<Cpu> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || Some(TICK * fields.next()?.parse::<u32>().ok()?);
    Some(Cpu { user: ticks()?, kernel: ticks()? })
}

fn parse_resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

// === impl Cpu ===

impl Cpu {
    /// Both kinds together.
    pub(super) fn total(self) -> Duration {
        self.user + self.kernel
    }
}

impl Add for Cpu {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { user: self.user + other.user, kernel: self.kernel + other.kernel }
    }
}

impl Sub for Cpu {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { user: self.user.saturating_sub(other.user), kernel: self.kernel.saturating_sub(other.kernel) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_found_behind_a_name_with_spaces() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 3 0 9 1 1";
        let expected = Cpu { user: Duration::from_millis(2500), kernel: Duration::from_millis(500) };
        assert_eq!(parse_cpu(stat), Some(expected));
        assert_eq!(parse_resident("Name:\tx\nVmRSS:\t    2048 kB\n"), Some(2 * 1024 * 1024));
        assert_eq!(parse_resident("Name:\tx\n"), None);
    }
}
