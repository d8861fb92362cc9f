//! Finds and loads the config, and says where it looked.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use toolgate_app::{CommandLine, Files, Reading, Source, Surroundings};
use toolgate_config::{Found, InForce, LogFormat, LogLevel, Presentation, Settings, Sources};

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
    pub(crate) files: Files,
    /// Every value that it gives or leaves at its default.
    pub(crate) values: Vec<InForce>,
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
    let Some(file) = found.file else {
        let (settings, values) = toolgate_config::embedded_in_full();
        return Ok(Loaded { settings, file: None, looked_at: found.looked_at, files: Files::default(), values });
    };
    let reading = Reading::of(&file)?;
    match reading.settings {
        Ok(settings) => {
            let (files, values) = (reading.files, reading.values);
            Ok(Loaded { settings, file: Some(file), looked_at: Vec::new(), files, values })
        }
        Err(faults) => {
            let paint = Paint::stderr();
            eprint!("{}", paint.faults(&faults));
            Err(Failure::Config)
        }
    }
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
        let source =
            Source { file: self.file.clone(), files: self.files.clone(), values: self.values.clone(), command_line };
        Surroundings { source, ..surroundings() }
    }
}
