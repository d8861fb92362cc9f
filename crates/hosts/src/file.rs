//! Files of others, read with bounds and written whole or not at all.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// The largest file of a host; Claude Code's has been seen with some megabytes.
pub const MAX_BYTES: u64 = 32 << 20;

/// Why a file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {message}", path.display())]
pub struct Trouble {
    /// The file.
    pub path: PathBuf,
    /// What happened, and what to do.
    pub message: String,
}

/// What the file held when it was read; `None` if there was none.
pub type Content = Option<Vec<u8>>;

// === impl Trouble ===

impl Trouble {
    /// About a file.
    pub fn new(path: &Path, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), message: message.into() }
    }
}

/// The bytes of a file; `None` if there is none.
///
/// # Errors
/// It is no file, too large, or may not be read.
pub fn read(path: &Path) -> Result<Content, Trouble> {
    let trouble = |error: std::io::Error| Trouble::new(path, format!("cannot be read: {error}"));
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        // Where a link leads nowhere, writing would put a file in a place nobody thinks of.
        Err(error) if error.kind() == ErrorKind::NotFound && fs::symlink_metadata(path).is_ok() => {
            return Err(Trouble::new(path, "is a link that leads nowhere; remove it or make its target"));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(trouble(error)),
    };
    if !metadata.is_file() {
        return Err(Trouble::new(path, "is not a file"));
    }
    let mut bytes = Vec::new();
    fs::File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)).map_err(trouble)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Trouble::new(path, format!("is larger than {} MiB; is this the file?", MAX_BYTES >> 20)));
    }
    Ok(Some(bytes))
}

/// The text of a file; empty if there is none.
///
/// # Errors
/// As [`read`], or it is not UTF-8.
pub fn text(path: &Path, content: &Content) -> Result<String, Trouble> {
    let bytes = content.clone().unwrap_or_default();
    String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        Trouble::new(path, format!("is not UTF-8 text (line {})", line + 1))
    })
}

/// Puts `bytes` in the place of what the file held when it was read; whoever looks sees the old file or the new one.
///
/// Permissions and owner stay; a new file is its owner's alone, since what stands in such files is often secret. A link
/// stays, and what it leads to is written.
///
/// # Errors
/// Somebody else has changed the file meanwhile, or it may not be written.
pub fn replace(path: &Path, read: &Content, bytes: &[u8]) -> Result<(), Trouble> {
    let target = match read {
        Some(_) => fs::canonicalize(path).map_err(|error| Trouble::new(path, format!("cannot be written: {error}")))?,
        None => path.to_owned(),
    };
    let folder = target.parent().ok_or_else(|| Trouble::new(path, "has no folder"))?;
    if read.is_none() {
        fs::create_dir_all(folder)
            .map_err(|error| Trouble::new(path, format!("its folder cannot be made: {error}")))?;
    }
    let mut new = tempfile::Builder::new()
        .prefix(".toolgate-")
        .tempfile_in(folder)
        .map_err(|error| Trouble::new(path, format!("nothing can be written beside it: {error}")))?;
    let written = new.write_all(bytes).and_then(|()| new.as_file().sync_all());
    written.map_err(|error| Trouble::new(path, format!("cannot be written: {error}")))?;
    if read.is_some() {
        adopt(&target, new.path()).map_err(|message| Trouble::new(path, message))?;
    }
    if self::read(path)? != *read {
        return Err(Trouble::new(path, "was changed by somebody else at this moment; try again"));
    }
    new.persist(&target).map_err(|error| Trouble::new(path, format!("cannot be written: {}", error.error)))?;
    Ok(())
}

/// Gives the new file the permissions and the owner of the one it replaces.
fn adopt(old: &Path, new: &Path) -> Result<(), String> {
    let metadata = fs::metadata(old).map_err(|error| format!("cannot be read: {error}"))?;
    if metadata.permissions().readonly() {
        return Err("is read-only; make it writable first".to_owned());
    }
    fs::set_permissions(new, metadata.permissions())
        .map_err(|error| format!("its permissions cannot be kept: {error}"))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, chown};
        let made = fs::metadata(new).map_err(|error| format!("cannot be written: {error}"))?;
        if (made.uid(), made.gid()) != (metadata.uid(), metadata.gid()) {
            chown(new, Some(metadata.uid()), Some(metadata.gid()))
                .map_err(|_| "belongs to another user, which could not be kept".to_owned())?;
        }
    }
    Ok(())
}

/// Takes away a file that was made; one that is gone already is fine.
///
/// # Errors
/// It may not be removed.
pub fn remove(path: &Path) -> Result<(), Trouble> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Trouble::new(path, format!("cannot be removed: {error}")))
        }
        _ => Ok(()),
    }
}

/// Makes a folder that only its owner may look into.
///
/// # Errors
/// It cannot be made.
pub fn private_folder(path: &Path) -> Result<(), Trouble> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path).map_err(|error| Trouble::new(path, format!("cannot be made: {error}")))
}
