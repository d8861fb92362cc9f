//! Where notes outlive the process: one JSON file, replaced whole. A reader finds the old notes or the new, never half.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use tokio::sync::Mutex;

use super::note::Note;
use super::store::Store;

/// The largest file read, in bytes: all notes at their bounds, every character escaped.
const MAX_FILE: u64 = 32 * 1024 * 1024;
const VERSION: u32 = 1;

/// The file, and who may write it next.
#[derive(Clone)]
pub(super) struct Keeper {
    path: PathBuf,
    turn: Arc<Mutex<()>>,
}

#[derive(Serialize, Deserialize)]
struct Document<N> {
    version: u32,
    notes: N,
}

// === impl Keeper ===

impl Keeper {
    /// Reads the notes in `path`; none where there is no such file yet.
    ///
    /// Errors: what reading fails with; [`io::ErrorKind::InvalidData`] for a file that we did not write, which is left alone.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Store)> {
        // The file a link leads to is replaced, not the link.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {why}", path.display()));
        let store = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Store::default(),
            Err(error) => return Err(io::Error::new(error.kind(), format!("{}: {error}", path.display()))),
            Ok(file) => {
                let mut text = Vec::new();
                file.take(MAX_FILE + 1).read_to_end(&mut text)?;
                if text.len() as u64 > MAX_FILE {
                    return Err(invalid(format!("larger than {MAX_FILE} bytes")));
                }
                let document: Document<Vec<Note>> =
                    serde_json::from_slice(&text).map_err(|error| invalid(error.to_string()))?;
                if document.version != VERSION {
                    return Err(invalid(format!("version {} is not known here", document.version)));
                }
                Store::with(document.notes).map_err(invalid)?
            }
        };
        Ok((Self { path, turn: Arc::default() }, store))
    }

    /// What is to be written for these notes. To be taken at the moment of the change, so that writes follow in its order.
    pub(super) fn snapshot(store: &Store) -> io::Result<Vec<u8>> {
        let notes: Vec<&Note> = store.notes().collect();
        Ok(serde_json::to_vec_pretty(&Document { version: VERSION, notes })?)
    }

    /// Replaces the file. Writers take turns in the order they came, and a caller that goes away does not tear a write.
    pub(super) async fn write(&self, text: Vec<u8>) -> io::Result<()> {
        let turn = self.turn.clone().lock_owned().await;
        let path = self.path.clone();
        let written = tokio::task::spawn_blocking(move || {
            let written = replace(&path, &text);
            drop(turn);
            written
        });
        written.await.map_err(io::Error::other)?
    }
}

fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(text)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
