//! Lock files pin versions and contents. Where a package was fetched from is the business of each machine.
//!
//! A lock written behind a mirror or with a package from a local folder works for its writer only.

use super::repository::{File, Repository};
use super::{Fault, Law, file_name};

/// The source of every package that Cargo locks.
const CRATES_IO: &str = r#"source = "registry+https://github.com/rust-lang/crates.io-index""#;
/// Keeps npm from writing down where it fetched from.
const NPM_SETTING: &str = "omit-lockfile-registry-resolved=true";
/// Folders that exist on one machine only.
const MACHINES: [&str; 4] = ["/home/", "/root/", "/Users/", "file:"];

/// All lock files, and the settings that npm writes them by.
pub(super) fn check(repository: &Repository) -> Vec<Fault> {
    let mut faults = Vec::new();
    for file in repository.files() {
        faults.extend(match file_name(&file.path) {
            "package-lock.json" => [lines(file, npm), npm_setting(repository, file)].concat(),
            "Cargo.lock" => lines(file, cargo),
            ".npmrc" => {
                lines(file, |line| line.starts_with("registry").then_some("the registry is each machine's own choice"))
            }
            name if name.ends_with(".lock") => lines(file, pip),
            _ => continue,
        });
    }
    faults
}

fn lines(file: &File, judge: impl Fn(&str) -> Option<&'static str>) -> Vec<Fault> {
    let on_a_machine =
        |line: &str| MACHINES.iter().any(|place| line.contains(place)).then_some("a place on one machine");
    let judge = |(at, line): (usize, &str)| {
        let message = judge(line.trim()).or_else(|| on_a_machine(line))?;
        Some(Fault::new(&file.path, at + 1, Law::Locks, message))
    };
    file.text.lines().enumerate().filter_map(judge).collect()
}

fn npm(line: &str) -> Option<&'static str> {
    if line.starts_with("\"resolved\"") {
        return Some("where a package was fetched from; install with `--omit-lockfile-registry-resolved`");
    }
    line.starts_with("\"link\": true").then_some("a package that lies on one machine")
}

fn npm_setting(repository: &Repository, lock: &File) -> Vec<Fault> {
    let settings = format!("{}.npmrc", lock.path.strip_suffix("package-lock.json").unwrap_or_default());
    if repository.file(&settings).is_some_and(|file| file.text.lines().any(|line| line.trim() == NPM_SETTING)) {
        return Vec::new();
    }
    vec![Fault::new(&lock.path, 1, Law::Locks, format!("{settings} does not say {NPM_SETTING}"))]
}

fn cargo(line: &str) -> Option<&'static str> {
    (line.starts_with("source = ") && line != CRATES_IO).then_some("a package that is not from crates.io")
}

/// A line is a comment or `name==version`, perhaps with a marker or hashes.
fn pip(line: &str) -> Option<&'static str> {
    if line.is_empty() || line.starts_with('#') || line.starts_with("--hash=") {
        return None;
    }
    if line.starts_with('-') || line.contains("://") || line.contains(" @ ") {
        return Some("where a package is fetched from");
    }
    (!line.contains("==")).then_some("a package without its version")
}
