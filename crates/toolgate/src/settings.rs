//! Finds and loads the config, and says where it looked.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toolgate_app::{CommandLine, Files, Ledger, Location, NotOpened, Reading, Said, Source, Standing, Surroundings};
use toolgate_config::{ConfigText, Faults, Found, LogFormat, LogLevel, Presentation, Settings, Sources};

use crate::Failure;
use crate::args;
use crate::screen::Paint;

/// A config, and where it is from.
pub(crate) struct Loaded {
    pub(crate) settings: Settings,
    /// Its file or URL; absent when the compiled-in default runs.
    pub(crate) location: Option<Location>,
    /// The same, as it was named. A URL may have credentials in it.
    pub(crate) named: Option<PathBuf>,
    /// Where a file was looked for in vain.
    pub(crate) looked_at: Vec<PathBuf>,
    /// All files that it was read from.
    files: Files,
    /// What it says beside the settings.
    said: Said,
    /// What is set over the control API, where that was asked for.
    ledger: Arc<Ledger>,
}

/// The config that is meant: `named`, or the one that is found. A file or a URL.
pub(crate) fn named(named: Option<&Path>) -> Result<Option<PathBuf>, Failure> {
    Ok(found(named)?.file)
}

fn found(named: Option<&Path>) -> Result<Found, Failure> {
    let sources = Sources::of_process()?;
    Ok(match named {
        Some(file) => Found { looked_at: Vec::new(), file: Some(file.to_owned()) },
        None => toolgate_config::find(&sources.cwd, sources.home.as_deref(), sources.env, &Path::is_file),
    })
}

/// Where a config is that was named so.
pub(crate) fn location(named: &Path) -> Result<Location, Failure> {
    Location::of(named, surroundings().state.as_deref()).map_err(|why| {
        eprintln!("toolgate: {why}");
        Failure::Config
    })
}

/// Loads `named`, or the config that is found, or the compiled-in default, to run a gateway with it. Faults are shown here.
pub(crate) async fn load(named: Option<&Path>) -> Result<Loaded, Failure> {
    load_by(named, async |location| location.open().await).await
}

/// The same for a command that runs no gateway of its own; that a copy stands in for a URL is told here.
pub(crate) async fn load_aloud(named: Option<&Path>) -> Result<Loaded, Failure> {
    let loaded = load(named).await?;
    if let Some(standing) = loaded.standing() {
        eprintln!("{} {standing}", Paint::stderr().yellow("note"));
    }
    Ok(loaded)
}

/// The same as it is there now, even if a gateway would be started with a copy of what was there before.
pub(crate) async fn load_fresh(named: Option<&Path>) -> Result<Loaded, Failure> {
    load_by(named, async |location| location.fresh().await).await
}

async fn load_by(
    named: Option<&Path>,
    read: impl AsyncFnOnce(&Location) -> Result<Reading, NotOpened>,
) -> Result<Loaded, Failure> {
    let Found { looked_at, file } = found(named)?;
    let location = file.as_deref().map(location).transpose()?;
    let reading = match &location {
        Some(location) => read(location).await,
        None => Ok(Reading::of_text(&ConfigText::embedded(), &[])?),
    };
    let (faults, aside) = match reading {
        Ok(Reading { said: Ok((settings, said)), files, .. }) => {
            return Ok(Loaded { settings, location, named: file, looked_at, files, said, ledger: Arc::default() });
        }
        Ok(Reading { said: Err(faults), .. }) => (faults, None),
        Err(NotOpened::Faults { faults, aside }) => (faults, aside),
        Err(NotOpened::Here(error)) => return Err(error.into()),
        Err(NotOpened::Unreachable(why)) => return Err(Failure::Unavailable(anyhow::anyhow!("{why}"))),
    };
    let failure = show(&faults);
    if let Some(aside) = aside {
        eprintln!("{aside}");
    }
    Err(failure)
}

fn show(faults: &Faults) -> Failure {
    eprint!("{}", Paint::stderr().faults(faults));
    Failure::Config
}

/// What a gateway that serves is built of: the config, what is set over the control API above it, and the command line above
/// both. Logs from then on.
pub(crate) async fn prepare(
    named: Option<&Path>,
    command_line: CommandLine,
) -> Result<(Loaded, Surroundings), Failure> {
    let mut loaded = load(named).await?;
    command_line.apply(&mut loaded.settings);
    toolgate_app::start_logging(&loaded.settings.log);
    let mut loaded = loaded.with_what_is_set().await?;
    command_line.apply(&mut loaded.settings);
    let source = Source {
        location: loaded.location.clone(),
        files: loaded.files.clone(),
        said: loaded.said.clone(),
        ledger: loaded.ledger.clone(),
        command_line,
    };
    Ok((loaded, Surroundings { source, ..surroundings() }))
}

/// What the command line says in the place of the config.
pub(crate) fn command_line(log: &args::Log, view: &args::View, listen: &[SocketAddr]) -> Result<CommandLine, Failure> {
    let log_level = match log.log_level.as_deref() {
        None => None,
        Some("error") => Some(LogLevel::Error),
        Some("warn") => Some(LogLevel::Warn),
        Some("info") => Some(LogLevel::Info),
        Some("debug") => Some(LogLevel::Debug),
        Some("trace") => Some(LogLevel::Trace),
        Some(other) => {
            return Err(anyhow::anyhow!("--log-level {other}: choose error, warn, info, debug or trace").into());
        }
    };
    let log_format = match log.log_format.as_deref() {
        None => None,
        Some("auto") => Some(LogFormat::Auto),
        Some("human") => Some(LogFormat::Human),
        Some("json") => Some(LogFormat::Json),
        Some(other) => return Err(anyhow::anyhow!("--log-format {other}: choose auto, human or json").into()),
    };
    let presentation = match view.view.as_deref() {
        None => None,
        Some("direct") => Some(Presentation::Direct),
        Some("search") => Some(Presentation::Search),
        Some("auto") => Some(Presentation::Auto),
        Some(other) => return Err(anyhow::anyhow!("--view {other}: choose direct, search or auto").into()),
    };
    Ok(CommandLine { listen: listen.to_vec(), log_level, log_format, presentation })
}

/// A namespace was asked for that the config does not have.
pub(crate) fn unknown_namespace(settings: &Settings) -> Failure {
    let known: Vec<&str> = settings.namespaces.iter().map(|namespace| namespace.slug.as_str()).collect();
    anyhow::anyhow!("--namespace: the config has no such namespace; there are: {}", known.join(", ")).into()
}

/// What this process is surrounded by.
pub(crate) fn surroundings() -> Surroundings {
    let env = |name: &str| std::env::var(name).ok();
    Surroundings {
        executable: std::env::current_exe().ok(),
        state: toolgate_app::state_folder(&env),
        ..Surroundings::default()
    }
}

// === impl Loaded ===

impl Loaded {
    /// Lays what is set over the control API over the config.
    pub(crate) async fn with_what_is_set(mut self) -> Result<Self, Failure> {
        let ledger = Ledger::open(&self.settings, surroundings().state.as_deref(), self.place()).await?;
        let amendments = ledger.amendments();
        if !amendments.is_empty() {
            let reading = Reading::of_text(&self.said.text, &amendments)?;
            (self.settings, self.said) = reading.said.map_err(|faults| show(&faults))?;
            self.files.add(reading.files);
        }
        self.ledger = Arc::new(ledger);
        Ok(self)
    }

    /// What is set over the control API and is not in force, a line each.
    pub(crate) fn left_out(&self) -> Vec<String> {
        self.said.left_out()
    }

    /// Why it is the copy of an earlier start, if it is.
    pub(crate) fn standing(&self) -> Option<String> {
        let Some(Location::Remote(remote)) = &self.location else { return None };
        Some(match remote.standing()? {
            Standing::Unreachable(why) | Standing::Faulty(why) => why,
        })
    }

    /// Where it is, as it may be shown.
    pub(crate) fn place(&self) -> Option<&Path> {
        self.location.as_ref().map(Location::name)
    }
}
