//! Follows the config file of a running gateway: a change of it, or of a file that it draws on, is applied; a faulty one changes
//! nothing and is told of.
//!
//! The files are looked at now and then rather than watched by the operating system: that works alike for editors that
//! replace a file, for mounted ConfigMaps, whose files are links that move, and over networks; a look costs a few
//! microseconds.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use toolgate_config::{Faults, Settings, Sources};
use toolgate_gateway::ConfigStatus;

use crate::live::Live;
use crate::signals::ReloadSignal;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(500);

/// A config as it was read.
pub struct Reading {
    /// What it says, or what is wrong with it.
    pub settings: Result<Settings, Faults>,
    /// The files that it was read from.
    pub files: Files,
}

/// The files that a config was read from, itself and those that it draws on, each as it was just before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files(Vec<(PathBuf, Option<Stamp>)>);

/// What tells whether a file is another than before: when it was changed, and its size.
type Stamp = (SystemTime, u64);

// === impl Reading ===

impl Reading {
    /// Reads a config file with the environment of this process.
    ///
    /// # Errors
    /// The working folder is gone or may not be read.
    pub fn of(file: &Path) -> std::io::Result<Self> {
        let process = Sources::of_process()?;
        let files = RefCell::new(Vec::new());
        let read = |path: &Path, limit: usize| {
            // Before it is read: a change in between is then seen as one.
            files.borrow_mut().push((path.to_owned(), stamp(path)));
            (process.read)(path, limit)
        };
        let sources = Sources { env: process.env, read: &read, cwd: process.cwd.clone(), home: process.home.clone() };
        let settings = toolgate_config::load(file, &sources);
        drop(sources);
        Ok(Self { settings, files: Files(files.into_inner()) })
    }
}

// === impl Files ===

impl Files {
    /// Whether any of them is another than when it was read.
    fn have_changed(&self) -> bool {
        self.0.iter().any(|(path, before)| stamp(path) != *before)
    }
}

/// None for a file that is not there.
fn stamp(path: &Path) -> Option<Stamp> {
    let about = std::fs::metadata(path).ok()?;
    Some((about.modified().ok()?, about.len()))
}

/// Follows `file`, which was read as `first`, for as long as it is polled. What is read goes through `adjust`, which puts the
/// command line's word in the place of the file's.
///
/// Never ends by itself.
pub async fn follow(live: Arc<Live>, file: PathBuf, mut files: Files, adjust: impl Fn(&mut Settings) + Send + Sync) {
    let mut asked = ReloadSignal::listen();
    loop {
        let was_asked = tokio::select! {
            () = asked.requested() => true,
            () = tokio::time::sleep(LOOK) => false,
        };
        if !was_asked && !files.have_changed() {
            continue;
        }
        let named = file.clone();
        let reading = match tokio::task::spawn_blocking(move || Reading::of(&named)).await {
            Ok(Ok(reading)) => reading,
            Ok(Err(error)) => {
                tracing::error!(%error, "the config could not be read again");
                continue;
            }
            Err(_) => continue,
        };
        files = reading.files;
        match reading.settings {
            Ok(mut settings) => {
                adjust(&mut settings);
                apply(&live, &file, settings);
            }
            Err(faults) => refuse(&live, &file, faults.to_string()),
        }
    }
}

/// Applies what was read.
fn apply(live: &Live, file: &Path, settings: Settings) {
    match live.apply(settings) {
        Ok(differences) if differences.is_empty() => {
            live.gateway().note_config(|status| status.fault = None);
            tracing::info!(file = %file.display(), "the config was read again and says the same");
        }
        Ok(differences) => {
            let words: Vec<String> = differences.iter().map(ToString::to_string).collect();
            let waiting = differences.iter().filter(|one| one.needs_restart).map(|one| one.what.clone());
            tracing::info!(file = %file.display(), changes = %words.join("; "), "the config was applied");
            live.gateway().note_config(|status: &mut ConfigStatus| {
                status.fault = None;
                status.applied += 1;
                for what in waiting {
                    if !status.needs_restart.contains(&what) {
                        status.needs_restart.push(what);
                    }
                }
            });
            let waiting = differences.iter().filter(|one| one.needs_restart);
            for one in waiting {
                tracing::warn!(change = %one.what, "takes effect when the gateway is started again");
            }
        }
        Err(error) => refuse(live, file, error.to_string()),
    }
}

/// Says why nothing changed.
fn refuse(live: &Live, file: &Path, why: String) {
    tracing::error!(file = %file.display(), %why, "the config has faults; the one before stays in force");
    live.gateway().note_config(|status| status.fault = Some(why));
}
