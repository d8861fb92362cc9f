//! Finds and loads the config, and says where it looked.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use toolgate_app::{CommandLine, Files, Location, NotOpened, Reading, Source, Standing, Surroundings};
use toolgate_config::{Found, InForce, LogFormat, LogLevel, Presentation, Settings, Sources};

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
    pub(crate) files: Files,
    /// Every value that it gives or leaves at its default.
    pub(crate) values: Vec<InForce>,
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

/// The same as a gateway that runs here most likely has it.
pub(crate) async fn load_in_force(named: Option<&Path>) -> Result<Loaded, Failure> {
    load_by(named, async |location| location.in_force().await).await
}

async fn load_by(
    named: Option<&Path>,
    read: impl AsyncFnOnce(&Location) -> Result<Reading, NotOpened>,
) -> Result<Loaded, Failure> {
    let Found { looked_at, file } = found(named)?;
    let Some(file) = file else {
        let (settings, values) = toolgate_config::embedded_in_full();
        return Ok(Loaded { settings, location: None, named: None, looked_at, files: Files::default(), values });
    };
    let location = location(&file)?;
    let (faults, aside) = match read(&location).await {
        Ok(Reading { settings: Ok(settings), files, values, .. }) => {
            let (location, named, looked_at) = (Some(location), Some(file), Vec::new());
            return Ok(Loaded { settings, location, named, looked_at, files, values });
        }
        Ok(Reading { settings: Err(faults), .. }) => (faults, None),
        Err(NotOpened::Faults { faults, aside }) => (faults, aside),
        Err(NotOpened::Here(error)) => return Err(error.into()),
        Err(NotOpened::Unreachable(why)) => return Err(Failure::Unavailable(anyhow::anyhow!("{why}"))),
    };
    eprint!("{}", Paint::stderr().faults(&faults));
    if let Some(aside) = aside {
        eprintln!("{aside}");
    }
    Err(Failure::Config)
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
    /// Puts the command line in the place of the config, and says where both are from.
    pub(crate) fn under(&mut self, command_line: CommandLine) -> Surroundings {
        command_line.apply(&mut self.settings);
        let (location, files, values) = (self.location.clone(), self.files.clone(), self.values.clone());
        let source = Source { location, files, values, command_line };
        Surroundings { source, ..surroundings() }
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
