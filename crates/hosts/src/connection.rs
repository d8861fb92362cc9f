//! A host pointed at toolgate and back again, with the file as it was kept in between.
//!
//! Two files are kept for each file of a host: `before`, the bytes as they were (none if there was no file), and
//! `record.json`, which says what was done and the hash of what was written. As long as the host's file still has that
//! hash, the way back is to put the bytes back. A host that has rewritten its file since keeps what it wrote: only
//! toolgate's entry is taken out then.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::file::{self, Content, Trouble};
use crate::{Entry, Host, edit};

/// The names of the two.
const BEFORE: &str = "before";
const RECORD: &str = "record.json";

/// One file of one host, and where toolgate keeps what belongs to it.
#[derive(Debug, Clone)]
pub struct Connection {
    host: Host,
    file: PathBuf,
    kept: PathBuf,
}

/// What was done to the file.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Record {
    host: String,
    file: PathBuf,
    /// Whether there was a file; if so, `before` has its bytes.
    existed: bool,
    /// SHA-256 of what was written, in hexadecimal digits.
    written: String,
    /// The name of toolgate's entry.
    name: String,
    /// The servers that were taken out.
    removed: Vec<String>,
}

/// What [`Connection::connect`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connected {
    /// The file was written.
    Written,
    /// It said all that already.
    AsItWas,
}

/// What [`Connection::disconnect`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disconnected {
    /// The file is byte for byte what it was; `false`: there was none, and there is none again.
    Restored {
        /// Whether there is a file.
        existed: bool,
    },
    /// The file had been changed since; toolgate's entry was taken out.
    TakenOut {
        /// The servers that were put back.
        restored: Vec<String>,
        /// Whether the entry was there to be taken out.
        was_there: bool,
    },
    /// The file was not connected by toolgate, and nothing was done.
    NotConnected,
}

/// Whether what others wrote since is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// Keep it.
    No,
    /// Put the old bytes back whatever has become of the file.
    Yes,
}

// === impl Connection ===

impl Connection {
    /// That of `file`, with what belongs to it below toolgate's folder for state.
    pub fn new(host: Host, file: PathBuf, state: &Path) -> Self {
        let hash = digest(file.to_string_lossy().as_bytes());
        let kept = state.join("hosts").join(format!("{}-{}", host.word(), &hash[..12]));
        Self { host, file, kept }
    }

    /// The file of the host.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Where the file as it was is kept.
    pub fn backup(&self) -> PathBuf {
        self.kept.join(BEFORE)
    }

    /// The text of the file as it would be if toolgate had never been in it.
    ///
    /// # Errors
    /// The file cannot be read or understood.
    pub fn own_text(&self) -> Result<String, Trouble> {
        let now = file::read(&self.file)?;
        let own = match self.record()? {
            Some(record) => self.without_toolgate(&record, &now)?,
            None => now,
        };
        file::text(&self.file, &own)
    }

    /// Points the host at toolgate: `entry` under `name`, without the servers that are named.
    ///
    /// Doing it again begins from what the file would be without toolgate, so that the last one counts, whole.
    ///
    /// # Errors
    /// The file cannot be read, understood or written; it is as it was then.
    pub fn connect(&self, name: &str, entry: &Entry, without: &[String]) -> Result<Connected, Trouble> {
        let now = file::read(&self.file)?;
        let record = self.record()?;
        let before = match &record {
            Some(record) => self.without_toolgate(record, &now)?,
            None => now.clone(),
        };
        let text = file::text(&self.file, &before)?;
        let changed = edit::connect(self.host, &text, name, entry, without).map_err(|fault| self.wrong(&fault))?;
        if now.as_deref() == Some(changed.as_bytes()) {
            return Ok(Connected::AsItWas);
        }
        file::private_folder(&self.kept)?;
        let was_kept = (file::read(&self.backup())?, file::read(&self.kept.join(RECORD))?);
        let existed = before.is_some();
        let record = Record {
            host: self.host.word().to_owned(),
            file: self.file.clone(),
            existed,
            written: digest(changed.as_bytes()),
            name: name.to_owned(),
            removed: without.to_vec(),
        };
        let record = serde_json::to_vec_pretty(&record).map_err(|error| Trouble::new(&self.kept, error.to_string()))?;
        let written = self
            .keep(BEFORE, &before.unwrap_or_default())
            .and_then(|()| self.keep(RECORD, &record))
            .and_then(|()| file::replace(&self.file, &now, changed.as_bytes()));
        if let Err(trouble) = written {
            // What is kept belongs to what the file is.
            match was_kept {
                (Some(before), Some(record)) => {
                    self.keep(BEFORE, &before)?;
                    self.keep(RECORD, &record)?;
                }
                _ => self.forget()?,
            }
            return Err(trouble);
        }
        Ok(Connected::Written)
    }

    /// Takes toolgate out of the host's file again.
    ///
    /// # Errors
    /// The file cannot be read, understood or written; it is as it was then.
    pub fn disconnect(&self, force: Force) -> Result<Disconnected, Trouble> {
        let Some(record) = self.record()? else { return Ok(Disconnected::NotConnected) };
        let now = file::read(&self.file)?;
        if force == Force::Yes || self.is_untouched(&record, &now) {
            match self.before(&record)? {
                Some(bytes) if now.as_deref() != Some(&bytes[..]) => file::replace(&self.file, &now, &bytes)?,
                Some(_) => {}
                None => file::remove(&self.file)?,
            }
            self.forget()?;
            return Ok(Disconnected::Restored { existed: record.existed });
        }
        if now.is_none() {
            // Somebody removed the file; there is nothing to take out of it.
            self.forget()?;
            return Ok(Disconnected::TakenOut { restored: Vec::new(), was_there: false });
        }
        let out = self.taken_out(&record, &now)?;
        if now.as_deref() != Some(out.text.as_bytes()) {
            file::replace(&self.file, &now, out.text.as_bytes())?;
        }
        self.forget()?;
        Ok(Disconnected::TakenOut { restored: out.restored, was_there: out.was_there })
    }

    /// The name of the entry by which the host was connected, if it is.
    ///
    /// # Errors
    /// What is kept of it cannot be read.
    pub fn connected_as(&self) -> Result<Option<String>, Trouble> {
        Ok(self.record()?.map(|record| record.name))
    }

    fn is_untouched(&self, record: &Record, now: &Content) -> bool {
        now.as_ref().is_some_and(|now| digest(now) == record.written)
    }

    /// The file as it would be if it had never been connected.
    fn without_toolgate(&self, record: &Record, now: &Content) -> Result<Content, Trouble> {
        if self.is_untouched(record, now) {
            return self.before(record);
        }
        match now {
            None => Ok(None),
            Some(_) => Ok(Some(self.taken_out(record, now)?.text.into_bytes())),
        }
    }

    fn taken_out(&self, record: &Record, now: &Content) -> Result<edit::Disconnected, Trouble> {
        let before = file::text(&self.backup(), &self.before(record)?)?;
        let text = file::text(&self.file, now)?;
        edit::disconnect(self.host, &text, &record.name, &before, &record.removed).map_err(|fault| self.wrong(&fault))
    }

    fn before(&self, record: &Record) -> Result<Content, Trouble> {
        if !record.existed {
            return Ok(None);
        }
        match file::read(&self.backup())? {
            Some(bytes) => Ok(Some(bytes)),
            None => Err(Trouble::new(&self.backup(), "is gone; take the entry out of the host's file by hand")),
        }
    }

    fn record(&self) -> Result<Option<Record>, Trouble> {
        let path = self.kept.join(RECORD);
        let Some(bytes) = file::read(&path)? else { return Ok(None) };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| Trouble::new(&path, format!("is not what toolgate wrote: {error}; remove it")))
    }

    fn keep(&self, name: &str, bytes: &[u8]) -> Result<(), Trouble> {
        let path = self.kept.join(name);
        file::replace(&path, &file::read(&path)?, bytes)
    }

    fn forget(&self) -> Result<(), Trouble> {
        file::remove(&self.kept.join(RECORD))?;
        file::remove(&self.backup())?;
        // Something else in it is not ours.
        let _ = std::fs::remove_dir(&self.kept);
        Ok(())
    }

    fn wrong(&self, fault: &crate::Fault) -> Trouble {
        Trouble::new(&self.file, format!("{fault}; nothing was changed"))
    }
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
