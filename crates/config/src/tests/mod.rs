//! A small world around a config file, and the stories told in it.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::{Faults, Settings, Sources, parse};

mod amendments;
mod api;
mod clients;
mod examples;
mod faults;
mod fill;
mod places;
mod properties;
mod settings;
mod takeover;

/// The environment and the files of a test.
#[derive(Default)]
pub(crate) struct World {
    env: HashMap<String, String>,
    files: HashMap<PathBuf, Vec<u8>>,
}

impl World {
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn file(mut self, path: &str, text: impl AsRef<[u8]>) -> Self {
        self.files.insert(PathBuf::from(path), text.as_ref().to_owned());
        self
    }

    /// Calls with sources whose working folder is `/work` and whose home is `/home/ada`.
    pub(crate) fn with<T>(&self, call: impl FnOnce(&Sources<'_>) -> T) -> T {
        let env = |name: &str| self.env.get(name).cloned();
        let read = |path: &Path, limit: usize| {
            let bytes = self.files.get(path).ok_or(io::Error::from(io::ErrorKind::NotFound))?;
            Ok(bytes[..bytes.len().min(limit + 1)].to_owned())
        };
        let (cwd, home) = (PathBuf::from("/proj"), Some(PathBuf::from("/home/ada")));
        call(&Sources { env: &env, read: &read, cwd, home })
    }

    pub(crate) fn parse(&self, name: &str, text: &str) -> Result<Settings, Faults> {
        self.with(|sources| parse(text, Path::new(name), sources))
    }
}

/// The settings of a text without faults.
pub(crate) fn good(name: &str, text: &str) -> Settings {
    match World::default().parse(name, text) {
        Ok(settings) => settings,
        Err(faults) => panic!("unexpected faults:\n{}", faults.pretty()),
    }
}

/// The faults of a text, one a line.
pub(crate) fn bad(name: &str, text: &str) -> String {
    match World::default().parse(name, text) {
        Ok(settings) => panic!("no fault was found: {settings:#?}"),
        Err(faults) => faults.to_string(),
    }
}
