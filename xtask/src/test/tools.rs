//! The programs that steps need and that are not ours to pin: found, new enough, or else installed where that is possible.
//!
//! Found out before the first step, so that nobody waits ten minutes for "no such program". As root on Debian and its kin
//! they are installed; elsewhere the error says what to install.

use std::fmt;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use super::step::Step;

/// A program that some steps need.
#[derive(Debug)]
struct Tool {
    /// Its command line; the first number that it prints is its version.
    probe: &'static [&'static str],
    /// The oldest that will do: major and minor.
    at_least: Option<(u32, u32)>,
    needed_for: &'static [Step],
    /// The Debian packages that have it; none where it comes with Rust.
    debian: &'static [&'static str],
    /// What to do where there is no Debian.
    advice: &'static str,
}

const TOOLS: [Tool; 8] = [
    Tool {
        probe: &["cargo", "fmt", "--version"],
        at_least: None,
        needed_for: &[Step::Fmt],
        debian: &[],
        advice: "rustup component add rustfmt",
    },
    Tool {
        probe: &["cargo", "clippy", "--version"],
        at_least: None,
        needed_for: &[Step::Clippy],
        debian: &[],
        advice: "rustup component add clippy",
    },
    Tool {
        probe: &["c++", "--version"],
        at_least: None,
        needed_for: &[Step::Fuzz],
        debian: &["g++"],
        advice: "a C++ compiler called c++, for libFuzzer",
    },
    Tool {
        probe: &["node", "--version"],
        at_least: Some((20, 0)),
        needed_for: &[Step::Conformance, Step::Clients],
        debian: &["nodejs"],
        advice: "Node 20 or later, from https://nodejs.org or your system",
    },
    Tool {
        probe: &["npm", "--version"],
        at_least: None,
        needed_for: &[Step::Conformance, Step::Clients],
        debian: &["npm"],
        advice: "npm, which comes with Node",
    },
    Tool {
        probe: &["python3", "--version"],
        at_least: Some((3, 11)),
        needed_for: &[Step::Admin, Step::Clients, Step::Frameworks],
        debian: &["python3"],
        advice: "Python 3.11 or later",
    },
    Tool {
        probe: &["python3", "-c", "import ensurepip, venv"],
        at_least: None,
        needed_for: &[Step::Admin, Step::Clients, Step::Frameworks],
        debian: &["python3-venv"],
        advice: "Python's modules venv and ensurepip",
    },
    Tool {
        // Debian keeps the server out of PATH, where several versions may be.
        probe: &[
            "sh",
            "-c",
            "PATH=\"$PATH:$(echo /usr/lib/postgresql/*/bin | tr ' ' ':')\" && initdb --version && postgres --version",
        ],
        at_least: Some((12, 0)),
        needed_for: &[Step::Test],
        debian: &["postgresql"],
        advice: "the server of PostgreSQL 12 or later, with `initdb` and `postgres` in PATH",
    },
];

/// What is wrong with a tool.
#[derive(Debug, PartialEq, Eq)]
enum Lack {
    Missing,
    TooOld { found: (u32, u32) },
}

/// Sees to it that the tools for `steps` are there.
///
/// # Errors
/// When one is not and cannot be installed: each with what it is needed for and where to get it.
pub(super) fn provide(steps: &[Step]) -> anyhow::Result<()> {
    let needed: Vec<&Tool> =
        TOOLS.iter().filter(|tool| tool.needed_for.iter().any(|step| steps.contains(step))).collect();
    let lacking = |tool: &&&Tool| tool.lack().is_some();
    let packages: Vec<&str> = needed.iter().filter(lacking).flat_map(|tool| tool.debian).copied().collect();
    if !packages.is_empty() && can_install() {
        install(&packages)?;
    }
    let faults: Vec<String> = needed.iter().filter_map(|tool| Some(format!("  {} {}", tool, tool.lack()?))).collect();
    if !faults.is_empty() {
        bail!("some programs are missing:\n{}", faults.join("\n"));
    }
    Ok(())
}

/// Whether this is root on a system that has apt-get.
fn can_install() -> bool {
    let is_root = output(&["id", "-u"]).is_some_and(|id| id.trim() == "0");
    is_root && output(&["apt-get", "--version"]).is_some()
}

fn install(packages: &[&str]) -> anyhow::Result<()> {
    println!("installing {}", packages.join(", "));
    let install = [&["install", "--yes", "--no-install-recommends"], packages].concat();
    for words in [&["update"][..], &install] {
        let mut command = Command::new("apt-get");
        command.args(["--quiet", "--quiet"]).args(words).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
        if !command.status().context("cannot run apt-get")?.success() {
            bail!("apt-get {} failed", words.join(" "));
        }
    }
    Ok(())
}

/// What a command prints; `None` when it cannot be run or fails.
fn output(words: &[&str]) -> Option<String> {
    let output = Command::new(words[0]).args(&words[1..]).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

// === impl Tool ===

impl Tool {
    /// What is wrong with it on this machine, if anything.
    fn lack(&self) -> Option<Lack> {
        self.judge(output(self.probe).as_deref())
    }

    fn judge(&self, printed: Option<&str>) -> Option<Lack> {
        let Some(printed) = printed else { return Some(Lack::Missing) };
        let found = version(printed).unwrap_or_default();
        self.at_least.is_some_and(|least| found < least).then_some(Lack::TooOld { found })
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps: Vec<String> = self.needed_for.iter().map(Step::to_string).collect();
        write!(f, "`{}`, for {}: {}", self.probe.join(" "), steps.join(" and "), self.advice)?;
        if !self.debian.is_empty() {
            write!(f, " (Debian: apt-get install {})", self.debian.join(" "))?;
        }
        Ok(())
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("- not found"),
            Self::TooOld { found: (major, minor) } => write!(f, "- {major}.{minor} is too old"),
        }
    }
}

/// The first `major.minor` in a text.
fn version(text: &str) -> Option<(u32, u32)> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let mut numbers = text[start..].split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next().and_then(Result::ok).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_programs_print_them() {
        assert_eq!(version("v20.20.2\n"), Some((20, 20)));
        assert_eq!(version("Python 3.11.7\n"), Some((3, 11)));
        assert_eq!(version("g++ (Debian 12.2.0-14) 12.2.0"), Some((12, 2)));
        assert_eq!(version("no digits"), None);
    }

    #[test]
    fn a_tool_is_there_and_new_enough_or_not() {
        let node = TOOLS.iter().find(|tool| tool.probe[0] == "node").unwrap();
        assert_eq!(node.judge(None), Some(Lack::Missing));
        assert_eq!(node.judge(Some("v18.19.0\n")), Some(Lack::TooOld { found: (18, 19) }));
        assert_eq!(node.judge(Some("v22.1.0\n")), None);
        let told = format!("{node} {}", Lack::TooOld { found: (18, 19) });
        assert!(told.contains("for conformance and clients") && told.contains("apt-get install nodejs"), "{told}");
    }

    #[test]
    fn a_program_that_fails_or_is_not_there_prints_nothing() {
        assert_eq!(output(&["rustc", "--no-such-option"]), None);
        assert_eq!(output(&["no-such-program-of-toolgate"]), None);
    }
}
