//! Finds and loads the config, and says where it looked.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toolgate_app::{CommandLine, Files, Ledger, Reading, Said, Source, Surroundings};
use toolgate_config::{ConfigText, Faults, Found, LogFormat, LogLevel, Presentation, Settings, Sources};

use crate::Failure;
use crate::args;
use crate::screen::Paint;

/// A config, and where it is from.
pub(crate) struct Loaded {
    pub(crate) settings: Settings,
    /// The file; absent when the compiled-in default runs.
    pub(crate) file: Option<PathBuf>,
    /// Where a file was looked for in vain.
    pub(crate) looked_at: Vec<PathBuf>,
    /// All files that it was read from.
    files: Files,
    /// What it says beside the settings.
    said: Said,
    /// What is set over the control API, where that was asked for.
    ledger: Arc<Ledger>,
}

/// The config file that is meant: `named`, or the one that is found.
pub(crate) fn file(named: Option<&Path>) -> Result<Option<PathBuf>, Failure> {
    let sources = Sources::of_process()?;
    let find = || toolgate_config::find(&sources.cwd, sources.home.as_deref(), sources.env, &Path::is_file).file;
    Ok(named.map(Path::to_owned).or_else(find))
}

/// Loads `named`, or the config that is found, or the compiled-in default. Faults are shown here.
pub(crate) fn load(named: Option<&Path>) -> Result<Loaded, Failure> {
    let sources = Sources::of_process()?;
    let found = match named {
        Some(file) => Found { looked_at: Vec::new(), file: Some(file.to_owned()) },
        None => toolgate_config::find(&sources.cwd, sources.home.as_deref(), sources.env, &Path::is_file),
    };
    let reading = match &found.file {
        Some(file) => Reading::of_file(file, &[])?,
        None => Reading::of_text(&ConfigText::embedded(), &[])?,
    };
    let (settings, said) = reading.said.map_err(show)?;
    let Found { file, looked_at } = found;
    Ok(Loaded { settings, file, looked_at, files: reading.files, said, ledger: Arc::default() })
}

/// What a gateway that serves is built of: the config, what is set over the control API above it, and the command line above
/// both. Logs from then on.
pub(crate) async fn prepare(
    named: Option<&Path>,
    command_line: CommandLine,
) -> Result<(Loaded, Surroundings), Failure> {
    let mut loaded = load(named)?;
    command_line.apply(&mut loaded.settings);
    toolgate_app::start_logging(&loaded.settings.log);
    let mut loaded = loaded.with_what_is_set().await?;
    command_line.apply(&mut loaded.settings);
    let source = Source {
        file: loaded.file.clone(),
        files: loaded.files.clone(),
        said: loaded.said.clone(),
        ledger: loaded.ledger.clone(),
        command_line,
    };
    Ok((loaded, Surroundings { source, ..surroundings() }))
}

fn show(faults: Faults) -> Failure {
    let paint = Paint::stderr();
    eprint!("{}", paint.faults(&faults));
    Failure::Config
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
        let ledger = Ledger::open(&self.settings, surroundings().state.as_deref(), self.file.as_deref()).await?;
        let amendments = ledger.amendments();
        if !amendments.is_empty() {
            let reading = Reading::of_text(&self.said.text, &amendments)?;
            (self.settings, self.said) = reading.said.map_err(show)?;
            self.files.add(reading.files);
        }
        self.ledger = Arc::new(ledger);
        Ok(self)
    }

    /// What is set over the control API and is not in force, a line each.
    pub(crate) fn left_out(&self) -> Vec<String> {
        self.said.left_out()
    }
}
