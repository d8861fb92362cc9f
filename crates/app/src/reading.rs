//! A config as it was read: what it comes to, with what is set over the control API, and which files it was read from.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use toolgate_config::{Amendment, Composed, ConfigText, Faults, InForce, Item, Settings, Sources, Written};

use crate::remote::Document;

/// A config as it was read, with what is set over the control API laid over it.
pub struct Reading {
    /// What it says, or what is wrong with it.
    pub said: Result<(Settings, Said), Faults>,
    /// The files that it was read from.
    pub files: Files,
    /// What was fetched, where it is from a URL.
    pub(crate) document: Option<Arc<Document>>,
}

/// What a config says, beside the settings that it comes to.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// Its text.
    pub text: ConfigText,
    /// Every value that it gives or leaves at its default.
    pub values: Vec<InForce>,
    /// What it says of upstreams, namespaces and tools, without what is laid over it.
    pub written: Vec<Written>,
    /// What is set over the control API and cannot be held together with it, each with the reason.
    pub left_out: Vec<(Item, Faults)>,
}

/// The files that a config was read from, itself and those that it draws on, each as it was just before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files(Vec<(PathBuf, Option<Stamp>)>);

/// What tells whether a file is another than before: when it was changed, and its size.
type Stamp = (SystemTime, u64);

// === impl Reading ===

impl Reading {
    /// Reads a config file with the environment of this process, and lays amendments over it.
    ///
    /// # Errors
    /// The working folder is gone or may not be read.
    pub fn of_file(file: &Path, amendments: &[Amendment]) -> std::io::Result<Self> {
        Self::of(|sources| ConfigText::of_file(file, sources), amendments)
    }

    /// The same with a text that was read before.
    ///
    /// # Errors
    /// The working folder is gone or may not be read.
    pub fn of_text(text: &ConfigText, amendments: &[Amendment]) -> std::io::Result<Self> {
        Self::of(|_| Ok(text.clone()), amendments)
    }

    fn of(
        text: impl FnOnce(&Sources<'_>) -> Result<ConfigText, Faults>,
        amendments: &[Amendment],
    ) -> std::io::Result<Self> {
        let process = Sources::of_process()?;
        let files = RefCell::new(Vec::new());
        let read = |path: &Path, limit: usize| {
            // Before it is read: a change in between is then seen as one.
            files.borrow_mut().push((path.to_owned(), stamp(path)));
            (process.read)(path, limit)
        };
        let sources = Sources { env: process.env, read: &read, cwd: process.cwd.clone(), home: process.home.clone() };
        let said = text(&sources).and_then(|text| {
            let Composed { settings, values, written, left_out } = text.compose(amendments, &sources)?;
            Ok((settings, Said { text, values, written, left_out }))
        });
        drop(sources);
        Ok(Self { said, files: Files(files.into_inner()), document: None })
    }
}

// === impl Said ===

impl Said {
    /// What is left out, a line each.
    pub fn left_out(&self) -> Vec<String> {
        self.left_out.iter().map(|(item, faults)| format!("{item}: {faults}")).collect()
    }
}

// === impl Files ===

impl Files {
    /// Whether any of them is another than when it was read.
    pub(crate) fn have_changed(&self) -> bool {
        self.0.iter().any(|(path, before)| stamp(path) != *before)
    }

    /// More files; those that are known already stay as they were.
    pub fn add(&mut self, more: Self) {
        for (path, stamp) in more.0 {
            if !self.0.iter().any(|(known, _)| *known == path) {
                self.0.push((path, stamp));
            }
        }
    }
}

/// None for a file that is not there.
fn stamp(path: &Path) -> Option<Stamp> {
    let about = std::fs::metadata(path).ok()?;
    Some((about.modified().ok()?, about.len()))
}
