//! The config of a running gateway: read again when it changes, or when somebody asks. A faulty one changes nothing and is
//! told of.
//!
//! Files are looked at now and then rather than watched by the operating system: that works alike for editors that
//! replace a file, for mounted ConfigMaps, whose files are links that move, and over networks; a look costs a few
//! microseconds.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use toolgate_catalog::Happening;
use toolgate_config::{Difference, Faults, InForce, Settings, Sources};
use toolgate_gateway::ConfigStatus;

use crate::build::BuildError;
use crate::command_line::CommandLine;
use crate::in_force::{self, Value};
use crate::live::Live;
use crate::remote::{Document, Location, Remote, Standing};
use crate::signals::ReloadSignal;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(500);

/// A config as it was read.
pub struct Reading {
    /// What it says, or what is wrong with it.
    pub settings: Result<Settings, Faults>,
    /// Every value that it gives or leaves at its default.
    pub values: Vec<InForce>,
    /// The files that it was read from.
    pub files: Files,
    /// What was fetched, where it is from a URL.
    pub(crate) document: Option<Arc<Document>>,
}

/// The files that a config was read from, itself and those that it draws on, each as it was just before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files(Vec<(PathBuf, Option<Stamp>)>);

/// What tells whether a file is another than before: when it was changed, and its size.
type Stamp = (SystemTime, u64);

/// Where a config is from, and what stands above it.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// Its file or URL; none where the compiled-in default runs.
    pub location: Option<Location>,
    /// All files that it was read from.
    pub files: Files,
    /// Every value that it gives or leaves at its default.
    pub values: Vec<InForce>,
    /// What the command line says in its place.
    pub command_line: CommandLine,
}

/// Reads the config of a running gateway again.
pub struct Reloader {
    live: Arc<Live>,
    location: Option<Location>,
    command_line: CommandLine,
    files: Mutex<Files>,
    values: Mutex<Vec<InForce>>,
    /// Held by whoever reads and applies: what was read first is applied first.
    one: tokio::sync::Mutex<()>,
}

/// Why a config was not applied.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotApplied {
    #[error("there is no config file")]
    NoFile,
    #[error("the config could not be read again: {0}")]
    Unreadable(String),
    #[error("{0}")]
    Unreachable(String),
    #[error("{0}")]
    Faults(Faults),
    #[error(transparent)]
    Unusable(#[from] BuildError),
}

// === impl Reading ===

impl Reading {
    /// Reads a config file with the environment of this process.
    ///
    /// # Errors
    /// The working folder is gone or may not be read.
    pub fn of(file: &Path) -> std::io::Result<Self> {
        Self::by(|sources| toolgate_config::load_in_full(file, sources))
    }

    /// Reads a config by other means, likewise.
    pub(crate) fn by(
        read_in_full: impl FnOnce(&Sources<'_>) -> Result<(Settings, Vec<InForce>), Faults>,
    ) -> std::io::Result<Self> {
        let process = Sources::of_process()?;
        let files = RefCell::new(Vec::new());
        let read = |path: &Path, limit: usize| {
            // Before it is read: a change in between is then seen as one.
            files.borrow_mut().push((path.to_owned(), stamp(path)));
            (process.read)(path, limit)
        };
        let sources = Sources { env: process.env, read: &read, cwd: process.cwd.clone(), home: process.home.clone() };
        let (settings, values) = match read_in_full(&sources) {
            Ok((settings, values)) => (Ok(settings), values),
            Err(faults) => (Err(faults), Vec::new()),
        };
        drop(sources);
        Ok(Self { settings, values, files: Files(files.into_inner()), document: None })
    }
}

// === impl Files ===

impl Files {
    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

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

// === impl Reloader ===

impl Reloader {
    pub(crate) fn new(live: Arc<Live>, source: Source) -> Arc<Self> {
        let Source { location, files, values, command_line } = source;
        let reloader = Self {
            live,
            location,
            command_line,
            files: Mutex::new(files),
            values: Mutex::new(values),
            one: tokio::sync::Mutex::default(),
        };
        reloader.live.gateway().note_config(|status| status.file = reloader.name().map(Path::to_owned));
        if let Some(Location::Remote(remote)) = &reloader.location {
            reloader.begin(remote);
        }
        Arc::new(reloader)
    }

    /// Whether there is a file or URL to be followed.
    pub fn has_file(&self) -> bool {
        self.location.is_some()
    }

    /// Follows the file or URL for as long as it is polled. Never ends by itself.
    pub async fn follow(&self) {
        let mut asked = ReloadSignal::listen();
        loop {
            let was_asked = tokio::select! {
                () = asked.requested() => true,
                () = tokio::time::sleep(LOOK) => false,
            };
            // What comes of it is in the log and the status.
            if was_asked {
                let _ = self.reload().await;
            } else if self.files().have_changed() || self.is_another().await {
                let _ = self.take_over().await;
            }
        }
    }

    /// Reads the file, or asks the URL, and applies it.
    pub(crate) async fn reload(&self) -> Result<Vec<Difference>, NotApplied> {
        if let Some(Location::Remote(remote)) = &self.location {
            self.ask(remote).await.map_err(NotApplied::Unreachable)?;
        }
        self.take_over().await
    }

    /// Reads what is there and applies it.
    async fn take_over(&self) -> Result<Vec<Difference>, NotApplied> {
        let location = self.location.clone().ok_or(NotApplied::NoFile)?;
        let _one = self.one.lock().await;
        let (read, name) = (location.clone(), location.name().to_owned());
        let file = &*name;
        let unreadable = |error: &dyn std::fmt::Display| {
            tracing::error!(%error, "the config could not be read again");
            NotApplied::Unreadable(error.to_string())
        };
        let reading = match tokio::task::spawn_blocking(move || read.read()).await {
            Ok(Ok(reading)) => reading,
            Ok(Err(error)) => return Err(unreadable(&error)),
            Err(error) => return Err(unreadable(&error)),
        };
        *self.files() = reading.files;
        if let (Location::Remote(remote), Some(document)) = (&location, &reading.document) {
            remote.take(document);
        }
        let applied = match reading.settings {
            Ok(mut settings) => {
                self.command_line.apply(&mut settings);
                let applied = self.live.apply(settings).map_err(NotApplied::from);
                if applied.is_ok() {
                    *self.values() = reading.values;
                }
                applied
            }
            Err(faults) => Err(NotApplied::Faults(faults)),
        };
        match &applied {
            Ok(differences) => self.note(file, differences),
            Err(why) => self.refuse(file, why.to_string()),
        }
        if let (Ok(_), Location::Remote(remote), Some(document)) = (&applied, location, reading.document) {
            // Whether it could be kept is told in there.
            let _ = tokio::task::spawn_blocking(move || remote.keep(&document)).await;
        }
        applied
    }

    /// What a text would change if it stood in the place of the file, under this name.
    pub(crate) async fn differences(&self, text: String, name: Option<String>) -> Result<Vec<Difference>, NotApplied> {
        let unreadable = |error: &dyn std::fmt::Display| NotApplied::Unreadable(error.to_string());
        let location = self.location.clone().unwrap_or_else(|| Location::File(PathBuf::from("toolgate.yaml")));
        let origin = name.map_or_else(|| location.name().to_owned(), |name| location.beside(&name));
        let reading = tokio::task::spawn_blocking(move || {
            Ok::<_, std::io::Error>(toolgate_config::parse(&text, &origin, &Sources::of_process()?))
        });
        let read = reading.await.map_err(|error| unreadable(&error))?.map_err(|error| unreadable(&error))?;
        let mut settings = read.map_err(NotApplied::Faults)?;
        self.command_line.apply(&mut settings);
        Ok(self.live.differences(&settings))
    }

    /// Keeps what the gateway is started with, and tells if that is not what is at the URL.
    fn begin(&self, remote: &Remote) {
        if let Some(document) = remote.opened() {
            remote.keep(&document);
        }
        match remote.standing() {
            None => {}
            Some(Standing::Unreachable(why)) => self.cannot_be_had(why),
            Some(Standing::Faulty(why)) => {
                tracing::warn!(%why, "the config has faults; the last good copy is used");
                self.happens(Happening::ConfigRefused { why: why.clone() });
                self.live.gateway().note_config(|status| status.fault = Some(why));
            }
        }
    }

    /// Whether the URL, if there is one, has another text; asks it when it is time to.
    async fn is_another(&self) -> bool {
        let Some(Location::Remote(remote)) = &self.location else { return false };
        if remote.is_due() {
            // What is to be told of it is told in there.
            let _ = self.ask(remote).await;
        }
        remote.has_another()
    }

    /// Asks the URL, and tells what is new about whether it can be had.
    async fn ask(&self, remote: &Remote) -> Result<(), String> {
        let asked = remote.ask().await;
        match &asked.had {
            Ok(_) if asked.is_news => {
                self.live.gateway().note_config(|status| status.unreachable = None);
                tracing::info!(url = %remote.name().display(), "the config can be had again");
            }
            Err(why) if asked.is_news => self.cannot_be_had(format!("{why}; the config before stays in force")),
            _ => {}
        }
        asked.had
    }

    fn cannot_be_had(&self, why: String) {
        tracing::warn!(%why, "the config cannot be had");
        self.happens(Happening::ConfigRefused { why: why.clone() });
        self.live.gateway().note_config(|status| status.unreachable = Some(why));
    }

    /// Tells what was applied.
    fn note(&self, file: &Path, differences: &[Difference]) {
        if differences.is_empty() {
            self.live.gateway().note_config(|status| status.fault = None);
            tracing::info!(file = %file.display(), "the config was read again and says the same");
            return;
        }
        let words: Vec<String> = differences.iter().map(ToString::to_string).collect();
        self.happens(Happening::ConfigApplied { changes: words.clone() });
        tracing::info!(file = %file.display(), changes = %words.join("; "), "the config was applied");
        let waiting = || differences.iter().filter(|one| one.needs_restart).map(|one| one.what.clone());
        self.live.gateway().note_config(|status: &mut ConfigStatus| {
            status.fault = None;
            status.applied += 1;
            for what in waiting() {
                if !status.needs_restart.contains(&what) {
                    status.needs_restart.push(what);
                }
            }
        });
        for change in waiting() {
            tracing::warn!(%change, "takes effect when the gateway is started again");
        }
    }

    /// Tells why nothing changed.
    fn refuse(&self, file: &Path, why: String) {
        tracing::error!(file = %file.display(), %why, "the config has faults; the one before stays in force");
        self.happens(Happening::ConfigRefused { why: why.clone() });
        self.live.gateway().note_config(|status| status.fault = Some(why));
    }

    fn happens(&self, what: Happening) {
        self.live.gateway().catalog().journal().note(what);
    }

    /// Every value that is in force, and who says so.
    pub(crate) fn in_force(&self) -> Vec<Value> {
        in_force::values(self.name(), &self.values(), &self.command_line)
    }

    fn name(&self) -> Option<&Path> {
        self.location.as_ref().map(Location::name)
    }

    fn values(&self) -> MutexGuard<'_, Vec<InForce>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
