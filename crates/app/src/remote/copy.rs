//! The last good text of a config that is at a URL, kept where its reader alone can read it: a gateway starts with it when the
//! URL cannot be had.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use toolgate_config::{Format, MAX_BYTES};
use toolgate_upstream::Version;

use crate::token::{owner_only, random};

/// The folder in the state folder.
const FOLDER: &str = "config";
/// What stands around the text, and what JSON makes of it.
const MOST_BYTES: u64 = 8 * MAX_BYTES as u64;

/// A config as its server sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) text: String,
    /// What its server says that it is.
    pub(crate) format: Option<Format>,
    pub(crate) version: Option<Version>,
    /// When it was last known to be what is there.
    pub(crate) at: SystemTime,
}

/// The file of a document.
#[derive(Debug)]
pub(crate) struct Copy(PathBuf);

/// What is in it.
#[derive(Serialize, Deserialize)]
struct Written {
    /// For whoever looks into the folder.
    url: String,
    seconds: u64,
    format: Option<String>,
    etag: Option<String>,
    last_modified: Option<String>,
    text: String,
}

// === impl Copy ===

impl Copy {
    pub(crate) fn new(state: &Path, key: &str) -> Self {
        Self(state.join(FOLDER).join(format!("{key}.json")))
    }

    /// The document, if one was kept.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub(crate) fn load(&self) -> io::Result<Option<Document>> {
        let mut bytes = Vec::new();
        match fs::File::open(&self.0) {
            Ok(file) => file.take(MOST_BYTES).read_to_end(&mut bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let written: Written = serde_json::from_slice(&bytes)?;
        Ok(Some(Document {
            text: written.text,
            format: match written.format.as_deref() {
                Some("json") => Some(Format::Json),
                Some("yaml") => Some(Format::Yaml),
                _ => None,
            },
            version: written.etag.map(Version::Tag).or_else(|| written.last_modified.map(Version::Of)),
            at: UNIX_EPOCH + Duration::from_secs(written.seconds.min(u64::from(u32::MAX))),
        }))
    }

    /// Keeps a document in the place of the one before. Nobody ever sees half of one.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub(crate) fn keep(&self, url: &Path, document: &Document) -> io::Result<()> {
        let (etag, last_modified) = match &document.version {
            Some(Version::Tag(tag)) => (Some(tag.clone()), None),
            Some(Version::Of(time)) => (None, Some(time.clone())),
            None => (None, None),
        };
        let written = Written {
            url: url.display().to_string(),
            seconds: document.at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            format: document.format.map(|format| if format == Format::Json { "json" } else { "yaml" }.to_owned()),
            etag,
            last_modified,
            text: document.text.clone(),
        };
        let folder = self.0.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        // Another gateway with the same config may do the same at this moment.
        let beside = self.0.with_extension(random());
        let mut file = owner_only().write(true).create_new(true).open(&beside)?;
        let done = serde_json::to_vec(&written)
            .map_err(io::Error::from)
            .and_then(|bytes| file.write_all(&bytes))
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&beside, &self.0));
        if done.is_err() {
            let _ = fs::remove_file(&beside);
        }
        done
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]
    use super::*;

    #[test]
    fn what_was_kept_is_there_again_and_nobody_elses_to_read() {
        let state = tempfile::tempdir().unwrap();
        let copy = Copy::new(state.path(), "key");
        assert_eq!(copy.load().unwrap(), None);
        let at = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let versions = [Some(Version::Tag("W/\"1\"".into())), Some(Version::Of("yesterday".into())), None];
        for (version, format) in versions.into_iter().zip([Some(Format::Json), Some(Format::Yaml), None]) {
            let document = Document { text: "listen: \"é\"\n".into(), format, version, at };
            copy.keep(Path::new("https://h/?****"), &document).unwrap();
            assert_eq!(copy.load().unwrap(), Some(document));
        }
        let names: Vec<_> =
            fs::read_dir(state.path().join(FOLDER)).unwrap().map(|one| one.unwrap().file_name()).collect();
        assert_eq!(names, ["key.json"]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&copy.0).unwrap().permissions().mode() & 0o777, 0o600);
        }
        fs::write(&copy.0, "{").unwrap();
        assert!(copy.load().is_err());
    }
}
