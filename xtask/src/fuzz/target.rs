//! One target: how it is run, and what its run came to.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

/// A program of `fuzz/targets`.
pub(super) struct Target {
    pub(super) name: &'static str,
    /// The longest input, in bytes: long enough for everything that the code tells apart.
    max_len: u32,
}

pub(super) const TARGETS: [Target; 5] = [
    Target { name: "envelope", max_len: 4096 },
    Target { name: "sse", max_len: 1024 },
    Target { name: "line", max_len: 1024 },
    Target { name: "config", max_len: 4096 },
    Target { name: "openapi", max_len: 4096 },
];

/// Seconds that one input may take: far beyond what the slowest takes on a busy machine.
const SLOWEST: u32 = 20;
/// Bytes that a target may hold at once, in MiB; ten times what they need.
const MEMORY: u32 = 512;
/// Lines of a failed run's log that are shown: the panic and where it came from.
const LOG_SHOWN: usize = 60;
/// The most of an input that is shown.
const INPUT_SHOWN: usize = 4096;

/// What a run came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Figures {
    /// How many inputs were tried.
    runs: u64,
    /// How many edges of the code they reached.
    coverage: u64,
    /// How many of them reached something that no other did.
    corpus: u64,
}

/// The target of a name, for the command line.
pub(super) fn named(name: &str) -> Result<&'static Target, String> {
    let names = || TARGETS.iter().map(|target| target.name).collect::<Vec<_>>().join(", ");
    TARGETS.iter().find(|target| target.name == name).ok_or_else(|| format!("one of {}", names()))
}

// === impl Target ===

impl Target {
    /// Runs the target from its seeds, and from what earlier runs found, for some seconds.
    pub(super) fn fuzz(&self, programs: &Path, logs: &Path, seconds: u32) -> anyhow::Result<Figures> {
        let fuzz = crate::root().join("fuzz");
        let (corpus, findings) = (fuzz.join("corpus").join(self.name), fuzz.join("artifacts").join(self.name));
        std::fs::create_dir_all(&corpus)?;
        std::fs::create_dir_all(&findings)?;
        let log = logs.join(format!("{}.log", self.name));

        let mut command = Command::new(programs.join(self.name));
        // New inputs go into the first folder; the seeds stay as they are.
        command.arg(&corpus).arg(fuzz.join("seeds").join(self.name));
        command.arg(format!("-max_total_time={seconds}")).arg(format!("-max_len={}", self.max_len));
        command.arg(format!("-timeout={}", SLOWEST)).arg(format!("-rss_limit_mb={MEMORY}"));
        command.arg(format!("-artifact_prefix={}/", findings.display())).arg("-print_final_stats=1");
        let words = fuzz.join("words").join(format!("{}.dict", self.name));
        if words.exists() {
            command.arg(format!("-dict={}", words.display()));
        }
        // Two names for one file: what the panic says stands between what libFuzzer says.
        let file = File::create(&log).with_context(|| format!("{} cannot be written", log.display()))?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let status = command.status().with_context(|| format!("cannot start the target {}", self.name))?;

        // What a fuzzer prints need not be UTF-8.
        let text = String::from_utf8_lossy(&std::fs::read(&log)?).into_owned();
        if !status.success() {
            bail!("{}", self.failure(&text, &log));
        }
        let figures =
            Figures::read(&text).with_context(|| format!("{} tells no figures; see {}", self.name, log.display()))?;
        if figures.coverage == 0 || figures.runs == 0 {
            bail!("{} ran without coverage, so blindly; see {}", self.name, log.display());
        }
        Ok(figures)
    }

    /// What a person needs who is to mend it: the panic, the input, and how to see it again.
    fn failure(&self, text: &str, log: &Path) -> String {
        let lines: Vec<&str> = text.lines().filter(|line| !is_progress(line)).collect();
        let shown = lines[lines.len().saturating_sub(LOG_SHOWN)..].join("\n");
        let mut message = format!("{} failed; all it said is in {}\n{shown}\n", self.name, log.display());
        if let Some(input) = finding(text) {
            let bytes = std::fs::read(&input).unwrap_or_default();
            let start = &bytes[..bytes.len().min(INPUT_SHOWN)];
            message.push_str(&format!("\nthe input, {} bytes:\n{}\n", bytes.len(), start.escape_ascii()));
            let command = format!("cargo xtask fuzz --target {} --input {}", self.name, input.display());
            message.push_str(&format!(
                "once it is mended, it belongs into fuzz/seeds/{}; to see it again:\n{command}",
                self.name
            ));
        }
        message
    }
}

/// The lines by which libFuzzer shows that it is alive, such as `#1024 NEW cov: 7`.
fn is_progress(line: &str) -> bool {
    line.strip_prefix('#').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// The file that libFuzzer wrote the input to.
fn finding(text: &str) -> Option<PathBuf> {
    text.lines().find_map(|line| line.split_once("Test unit written to ")).map(|(_, path)| PathBuf::from(path.trim()))
}

// === impl Figures ===

impl Figures {
    /// Reads libFuzzer's last line: `#1720526 DONE   cov: 1356 ft: 4398 corp: 1284/256Kb …`.
    fn read(text: &str) -> Option<Self> {
        let last = text.lines().rfind(|line| is_progress(line) && line.contains("DONE"))?;
        let mut words = last.split_whitespace();
        let runs = words.next()?.trim_start_matches('#').parse().ok()?;
        let mut after = |name| words.by_ref().skip_while(|word| *word != name).nth(1);
        let coverage = after("cov:")?.parse().ok()?;
        let corpus = after("corp:")?.split('/').next()?.parse().ok()?;
        Some(Self { runs, coverage, corpus })
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} inputs, {} edges reached, {} inputs worth keeping", self.runs, self.coverage, self.corpus)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_tells_the_figures() {
        let text = "#2\tINITED cov: 5 ft: 6 corp: 1/1b\n#1720526\tDONE   cov: 1356 ft: 4398 corp: 1284/256Kb lim: 3634\nDone 1720526 runs";
        assert_eq!(Figures::read(text), Some(Figures { runs: 1_720_526, coverage: 1356, corpus: 1284 }));
        assert_eq!(Figures::read("INFO: seed corpus: files: 9"), None);
    }

    #[test]
    fn a_failure_shows_the_panic_and_the_input() {
        let folder = tempfile::tempdir().unwrap();
        let input = folder.path().join("crash-1");
        std::fs::write(&input, b"a\n\xff").unwrap();
        let text = format!(
            "#7 NEW cov: 3\npanicked at sse.rs\nartifact_prefix='x'; Test unit written to {}\n",
            input.display()
        );
        let message = TARGETS[1].failure(&text, Path::new("sse.log"));
        assert!(message.contains("panicked at sse.rs") && message.contains(r"a\n\xff"), "{message}");
        assert!(message.contains("--target sse --input") && !message.contains("#7 NEW"), "{message}");
    }

    #[test]
    fn every_target_has_a_program_and_seeds() {
        let fuzz = crate::root().join("fuzz");
        let names = |folder: &str| {
            let entries = std::fs::read_dir(fuzz.join(folder)).unwrap();
            let mut names: Vec<String> = entries
                .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
                .collect();
            names.sort();
            names
        };
        let mut targets: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        targets.sort_unstable();
        assert_eq!(names("targets"), targets);
        assert_eq!(names("seeds"), targets);
    }
}
