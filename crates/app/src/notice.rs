//! Where a running gateway tells the commands on its machine that it has a control API. A port to another system begins and ends
//! here.
//!
//! One file for each gateway, locked for as long as it runs: what a gateway left behind that was killed is not believed, since
//! another program may have its port by now and must not be shown the token.

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The folder in the state folder.
const FOLDER: &str = "gateways";
/// The most that are looked at.
const MOST: usize = 1_000;

/// A running gateway's word of where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    /// Its process.
    pub pid: u32,
    /// The folder for its state, where its token is unless the config has one.
    pub state: Option<PathBuf>,
    /// Where its control API is.
    pub control: SocketAddr,
    /// Where it serves MCP.
    pub mcp: Option<SocketAddr>,
    /// The config that it runs with: an absolute path, or a URL without what lets somebody in.
    pub config: Option<PathBuf>,
}

/// The word itself; taken back when dropped.
#[derive(Debug)]
pub(crate) struct Notice {
    path: PathBuf,
    _locked: File,
}

// === impl Notice ===

impl Notice {
    /// Posts it in a folder for state.
    pub(crate) fn post(folder: &Path, posted: &Posted) -> io::Result<Self> {
        let folder = folder.join(FOLDER);
        fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{}-{}.json", posted.pid, posted.control.port()));
        let mut file = File::create(&path)?;
        lock(&file)?;
        file.write_all(&serde_json::to_vec(posted)?)?;
        Ok(Self { path, _locked: file })
    }
}

impl Drop for Notice {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

// === impl Posted ===

impl Posted {
    /// The gateways that run and keep their state in this folder.
    pub fn all(state: &Path) -> Vec<Self> {
        let Ok(entries) = fs::read_dir(state.join(FOLDER)) else { return Vec::new() };
        let running = |entry: io::Result<fs::DirEntry>| {
            let file = File::open(entry.ok()?.path()).ok()?;
            // Who has the lock runs.
            if is_free(&file) { None } else { serde_json::from_reader(io::Read::take(file, 64 << 10)).ok() }
        };
        let mut all: Vec<Self> = entries.take(MOST).filter_map(running).collect();
        all.sort_by_key(|one| (one.control.port(), one.pid));
        all
    }
}

#[cfg(unix)]
fn lock(file: &File) -> io::Result<()> {
    use rustix::fs::{FlockOperation, flock};
    Ok(flock(file, FlockOperation::LockExclusive)?)
}

#[cfg(unix)]
fn is_free(file: &File) -> bool {
    use rustix::fs::{FlockOperation, flock};
    flock(file, FlockOperation::NonBlockingLockShared).is_ok()
}

#[cfg(not(unix))]
fn lock(_file: &File) -> io::Result<()> {
    Ok(())
}

/// Nothing is known of it here.
#[cfg(not(unix))]
fn is_free(_file: &File) -> bool {
    false
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]
    use super::*;

    #[test]
    fn a_gateway_is_found_while_it_runs_and_not_afterwards() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(Posted::all(state.path()), []);
        let posted = Posted { pid: 1, state: None, control: "127.0.0.1:1".parse().unwrap(), mcp: None, config: None };
        let notice = Notice::post(state.path(), &posted).unwrap();
        assert_eq!(Posted::all(state.path()), [posted]);
        // As if it had been killed: the file stays, its lock does not.
        let stale = notice.path.with_file_name("stale.json");
        fs::copy(&notice.path, &stale).unwrap();
        assert_eq!(Posted::all(state.path()).len(), if cfg!(unix) { 1 } else { 2 });
        fs::remove_file(stale).unwrap();
        drop(notice);
        assert_eq!(Posted::all(state.path()), []);
    }
}
