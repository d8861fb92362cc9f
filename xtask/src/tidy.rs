//! `cargo xtask tidy`: the laws of ARCHITECTURE.md that a program can hold, held. Also a test of this crate.
//!
//! A law that only people know is broken by the first one who is new. So every law whose breach can be seen in a file is
//! checked here, and a breach says where it is and which law it breaks. Exceptions stand in the tables of the modules
//! below, each with its reason: whoever needs a new one changes the architecture in the open.

mod eras;
mod floors;
mod locks;
mod manifest;
mod repository;
mod source;
mod style;

use std::fmt;
use std::path::Path;

use anyhow::bail;

use repository::Repository;

/// Nothing to choose: all laws hold, or they do not.
#[derive(clap::Args)]
pub(crate) struct Args {}

/// A breach of a law.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Fault {
    /// Relative to the root of the repository.
    path: String,
    /// Counted from 1.
    line: usize,
    /// As ARCHITECTURE.md names it.
    law: Law,
    message: String,
}

/// What can be broken, in the words of ARCHITECTURE.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Law {
    /// Law 1: an upstream is reached only through a route.
    Route,
    /// Law 3: the core speaks the modern era only.
    Eras,
    /// Law 7: one crate knows each outside thing.
    Wrappers,
    /// Law 10: a crate depends only on lower floors.
    Floors,
    /// One place for versions, licence and lints.
    Manifest,
    /// The style section.
    Style,
    /// Lock files say what is used, not where it came from.
    Locks,
}

/// Prints every breach.
///
/// # Errors
/// When there is one, or a file cannot be read.
pub(crate) fn run(_: Args) -> anyhow::Result<()> {
    let repository = Repository::read(crate::root())?;
    let faults = check(&repository);
    for fault in &faults {
        eprintln!("{fault}");
    }
    if !faults.is_empty() {
        bail!("{} breaches of the laws", faults.len());
    }
    println!("{} files, no breach", repository.files().len());
    Ok(())
}

/// All breaches, in the order of the files.
fn check(repository: &Repository) -> Vec<Fault> {
    let sources = repository.sources();
    let mut faults = Vec::new();
    faults.extend(floors::check(repository));
    faults.extend(eras::check(&sources));
    faults.extend(sources.iter().flat_map(style::check));
    faults.extend(repository.files().iter().flat_map(style::check_text));
    faults.extend(locks::check(repository));
    faults.sort();
    faults.dedup();
    faults
}

// === impl Fault ===

impl Fault {
    fn new(path: &str, line: usize, law: Law, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, law, message: message.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.path, self.line, self.law, self.message)
    }
}

// === impl Law ===

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Route => "law 1 (an upstream is reached only through a route)",
            Self::Eras => "law 3 (the core speaks the modern era only)",
            Self::Wrappers => "law 7 (one crate knows each outside thing)",
            Self::Floors => "law 10 (a crate depends only on lower floors)",
            Self::Manifest => "manifest",
            Self::Style => "style",
            Self::Locks => "lock files",
        })
    }
}

/// The line of the byte at `offset`, counted from 1.
fn line_at(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// Whether a path lies at or below a place; places that are folders end with a slash.
fn lies_in(path: &str, place: &str) -> bool {
    path == place || (place.ends_with('/') && path.starts_with(place))
}

/// The last part of a path.
fn file_name(path: &str) -> &str {
    Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
