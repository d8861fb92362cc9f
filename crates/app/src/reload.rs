//! The config of a running gateway: read again when it changes, or when somebody asks, and when something is set over the control
//! API. A faulty one changes nothing and is told of.
//!
//! Files are looked at now and then rather than watched by the operating system: that works alike for editors that
//! replace a file, for mounted ConfigMaps, whose files are links that move, and over networks; a look costs a few
//! microseconds.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use toolgate_catalog::Happening;
use toolgate_config::{Amendment, ConfigText, Difference, Faults, Settings};
use toolgate_gateway::ConfigStatus;

use crate::build::BuildError;
use crate::command_line::CommandLine;
use crate::in_force::{self, Value};
use crate::ledger::Ledger;
use crate::live::Live;
use crate::reading::{Files, Reading, Said};
use crate::remote::{Location, Remote, Standing};
use crate::signals::ReloadSignal;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(500);
/// The same for the store, where nothing is wrong with it.
const LOOK_AT_STORE: Duration = Duration::from_secs(1);
/// And where it stays out of reach.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Where a config is from, and what stands above it.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// Its file or URL; none where the compiled-in default runs.
    pub location: Option<Location>,
    /// All files that it was read from.
    pub files: Files,
    /// What it says.
    pub said: Said,
    /// What is set over the control API.
    pub ledger: Arc<Ledger>,
    /// What the command line says in its place.
    pub command_line: CommandLine,
}

/// Reads the config of a running gateway again.
pub struct Reloader {
    live: Arc<Live>,
    location: Option<Location>,
    ledger: Arc<Ledger>,
    command_line: CommandLine,
    files: Mutex<Files>,
    /// What is in force.
    said: Mutex<Said>,
    /// Held by whoever reads and applies: what was read first is applied first.
    one: tokio::sync::Mutex<()>,
}

/// Why a config was not applied.
#[derive(Debug, thiserror::Error)]
pub enum NotApplied {
    /// The compiled-in config runs.
    #[error("there is no config file")]
    NoFile,
    /// It could not be read.
    #[error("the config could not be read again: {0}")]
    Unreadable(String),
    /// Its URL cannot be had.
    #[error("{0}")]
    Unreachable(String),
    /// It was read, and has faults.
    #[error("{0}")]
    Faults(Faults),
    /// It was understood, and cannot be put to use.
    #[error(transparent)]
    Unusable(#[from] BuildError),
}

// === impl Reloader ===

impl Reloader {
    pub(crate) fn new(live: Arc<Live>, source: Source) -> Arc<Self> {
        let Source { location, files, said, ledger, command_line } = source;
        live.gateway().note_config(|status| {
            status.file = location.as_ref().map(|location| location.name().to_owned());
            status.left_out = said.left_out();
        });
        let (files, said) = (Mutex::new(files), Mutex::new(said));
        let one = tokio::sync::Mutex::default();
        let reloader = Self { live, location, ledger, command_line, files, said, one };
        if let Some(Location::Remote(remote)) = &reloader.location {
            reloader.begin(remote);
        }
        Arc::new(reloader)
    }

    /// Follows the file or URL and what is set over the control API for as long as it is polled. Never ends by itself.
    pub async fn follow(&self) {
        tokio::join!(self.follow_file(), self.follow_ledger());
    }

    async fn follow_file(&self) {
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

    /// What other replicas set, and what could not be read before.
    async fn follow_ledger(&self) {
        let mut wait = LOOK_AT_STORE;
        let mut told = false;
        loop {
            tokio::time::sleep(wait).await;
            match self.ledger.look().await {
                Ok(is_new) => {
                    if told {
                        tracing::info!("what is set over the control API can be read again");
                        self.live.gateway().note_config(|status| status.store_fault = None);
                    }
                    (wait, told) = (LOOK_AT_STORE, false);
                    if is_new {
                        let _ = self.amended().await;
                    }
                }
                Err(error) => {
                    if !told {
                        tracing::warn!(%error, "what is set over the control API cannot be read; what is known of it stays in force");
                        self.live.gateway().note_config(|status| status.store_fault = Some(error.to_string()));
                    }
                    (wait, told) = ((wait * 2).min(LONGEST_WAIT), true);
                }
            }
        }
    }

    /// Reads the file, or asks the URL, and applies it.
    pub(crate) async fn reload(&self) -> Result<Vec<Difference>, NotApplied> {
        match &self.location {
            None => return Err(NotApplied::NoFile),
            Some(Location::Remote(remote)) => self.ask(remote).await.map_err(NotApplied::Unreachable)?,
            Some(Location::File(_)) => {}
        }
        self.take_over().await
    }

    /// Reads what is there and applies it.
    async fn take_over(&self) -> Result<Vec<Difference>, NotApplied> {
        // A file that something set over the control API draws on may change without there being a config file.
        let Some(location) = self.location.clone() else { return self.amended().await };
        let _one = self.one.lock().await;
        let (there, amendments) = (location.clone(), self.ledger.amendments());
        let reading = read(move || there.read(&amendments)).await.inspect_err(|error| {
            tracing::error!(%error, "the config could not be read again");
        })?;
        *self.files() = reading.files;
        let fetched = match (location, reading.document) {
            (Location::Remote(remote), Some(document)) => Some((remote, document)),
            _ => None,
        };
        if let Some((remote, document)) = &fetched {
            remote.take(document);
        }
        let applied = self.take(reading.said);
        if let (Ok(_), Some((remote, document))) = (&applied, fetched) {
            // Whether it could be kept is told in there.
            let _ = tokio::task::spawn_blocking(move || remote.keep(&document)).await;
        }
        applied
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

    /// Puts a text in the place of the one in force, as if the file had become it.
    ///
    /// # Errors
    /// As for a file: nothing changed.
    pub async fn apply_text(&self, text: ConfigText) -> Result<Vec<Difference>, NotApplied> {
        let _one = self.one.lock().await;
        let amendments = self.ledger.amendments();
        let reading = read(move || Reading::of_text(&text, &amendments)).await?;
        self.files().add(reading.files);
        self.take(reading.said)
    }

    /// Applies what was read, and tells what came of it.
    fn take(&self, said: Result<(Settings, Said), Faults>) -> Result<Vec<Difference>, NotApplied> {
        let applied = match said {
            Ok((settings, said)) => self.apply(settings, said),
            Err(faults) => Err(NotApplied::Faults(faults)),
        };
        match &applied {
            Ok(differences) => self.note(differences),
            Err(why) => self.refuse(why.to_string()),
        }
        applied
    }

    /// Applies what is set over the control API, to the text that is in force.
    async fn amended(&self) -> Result<Vec<Difference>, NotApplied> {
        let _one = self.one.lock().await;
        self.apply_amendments().await
    }

    /// The same for whoever has the lock.
    pub(crate) async fn apply_amendments(&self) -> Result<Vec<Difference>, NotApplied> {
        let (settings, said) = self.composed(self.ledger.amendments(), true).await?;
        let applied = self.apply(settings, said);
        match &applied {
            Ok(differences) => self.note_changes(differences),
            Err(why) => tracing::error!(%why, "what is set over the control API cannot be put to use"),
        }
        applied
    }

    /// What the text in force comes to with other amendments.
    pub(crate) async fn composed(
        &self,
        amendments: Vec<Amendment>,
        is_to_stay: bool,
    ) -> Result<(Settings, Said), NotApplied> {
        let text = self.said().text.clone();
        let reading = read(move || Reading::of_text(&text, &amendments)).await?;
        if is_to_stay {
            self.files().add(reading.files);
        }
        reading.said.map_err(NotApplied::Faults)
    }

    fn apply(&self, mut settings: Settings, said: Said) -> Result<Vec<Difference>, NotApplied> {
        self.command_line.apply(&mut settings);
        let differences = self.live.apply(settings)?;
        let left_out = said.left_out();
        for what in &left_out {
            tracing::warn!(%what, "set over the control API, and left out");
        }
        self.live.gateway().note_config(|status| status.left_out = left_out);
        *self.said() = said;
        Ok(differences)
    }

    /// What a text would change if it stood in the place of the file, under this name.
    pub(crate) async fn differences(&self, text: String, name: Option<String>) -> Result<Vec<Difference>, NotApplied> {
        let location = self.location.clone().unwrap_or_else(|| Location::File(PathBuf::from("toolgate.yaml")));
        let origin = name.map_or_else(|| location.name().to_owned(), |name| location.beside(&name));
        let amendments = self.ledger.amendments();
        let text = ConfigText { origin, text, format: None };
        let reading = read(move || Reading::of_text(&text, &amendments)).await?;
        let (mut settings, _) = reading.said.map_err(NotApplied::Faults)?;
        self.command_line.apply(&mut settings);
        Ok(self.live.differences(&settings))
    }

    /// Tells what was applied of the file.
    fn note(&self, differences: &[Difference]) {
        self.live.gateway().note_config(|status| status.fault = None);
        if differences.is_empty() {
            tracing::info!(file = %self.name(), "the config was read again and says the same");
            return;
        }
        self.note_changes(differences);
    }

    /// Tells what is another than before.
    fn note_changes(&self, differences: &[Difference]) {
        if differences.is_empty() {
            return;
        }
        let words: Vec<String> = differences.iter().map(ToString::to_string).collect();
        self.happens(Happening::ConfigApplied { changes: words.clone() });
        tracing::info!(file = %self.name(), changes = %words.join("; "), "the config was applied");
        let waiting = || differences.iter().filter(|one| one.needs_restart).map(|one| one.what.clone());
        self.live.gateway().note_config(|status: &mut ConfigStatus| {
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
    fn refuse(&self, why: String) {
        tracing::error!(file = %self.name(), %why, "the config has faults; the one before stays in force");
        self.happens(Happening::ConfigRefused { why: why.clone() });
        self.live.gateway().note_config(|status| status.fault = Some(why));
    }

    fn happens(&self, what: Happening) {
        self.live.gateway().catalog().journal().note(what);
    }

    /// Every value that is in force, and who says so.
    pub(crate) fn in_force(&self) -> Vec<Value> {
        in_force::values(self.location.as_ref().map(Location::name), &self.said().values, &self.command_line)
    }

    /// The file or URL that is followed, as it may be shown.
    fn name(&self) -> String {
        match &self.location {
            Some(location) => location.name().display().to_string(),
            None => "the compiled-in config".to_owned(),
        }
    }

    pub(crate) fn live(&self) -> &Live {
        &self.live
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Held by whoever reads, decides and applies.
    pub(crate) async fn alone(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.one.lock().await
    }

    /// What is in force.
    pub(crate) fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads files off the threads that serve.
async fn read(reading: impl FnOnce() -> std::io::Result<Reading> + Send + 'static) -> Result<Reading, NotApplied> {
    let unreadable = |error: &dyn std::fmt::Display| NotApplied::Unreadable(error.to_string());
    let read = tokio::task::spawn_blocking(reading).await.map_err(|error| unreadable(&error))?;
    read.map_err(|error| unreadable(&error))
}
