//! What a config file may draw on besides its own text: the environment and files. Handed in, so that tests own both.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The world around a config file.
#[derive(Clone)]
pub struct Sources<'a> {
    /// The value of an environment variable.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// The bytes of a file, or its first `limit + 1` if it has more than `limit`.
    pub read: &'a dyn Fn(&Path, usize) -> io::Result<Vec<u8>>,
    /// The working folder; relative paths of config files begin here.
    pub cwd: PathBuf,
    /// The user's home folder, for `~/` and `${userHome}`.
    pub home: Option<PathBuf>,
}

// === impl Sources ===

impl Sources<'static> {
    /// Those of this process.
    ///
    /// # Errors
    /// The working folder is gone or may not be read.
    pub fn of_process() -> io::Result<Self> {
        let home = crate::places::home(&process_variable);
        Ok(Sources { env: &process_variable, read: &read_file, cwd: std::env::current_dir()?, home })
    }
}

impl Sources<'_> {
    /// A path as it is meant: `~/` is the home folder, and what is relative begins at `base`.
    pub(crate) fn resolve(&self, base: &Path, path: &str) -> PathBuf {
        let path = match (path.strip_prefix('~'), &self.home) {
            (Some(""), Some(home)) => home.clone(),
            (Some(rest), Some(home)) if rest.starts_with('/') => home.join(&rest[1..]),
            _ => base.join(path),
        };
        // Without the `.` of `./dir`; `..` stays, since it may lead through a link.
        path.components().collect()
    }
}

fn process_variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Bounded, so that a device or a log file that is named by mistake costs nothing.
fn read_file(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
