//! Finds and loads the config, and says where it looked.

use std::path::{Path, PathBuf};

use toolgate_app::{Files, Reading, Surroundings};
use toolgate_config::{Found, LogFormat, LogLevel, Presentation, Settings, Sources};

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
}

/// Loads `named`, or the config that is found, or the compiled-in default. Faults are shown here.
pub(crate) fn load(named: Option<&Path>) -> Result<Loaded, Failure> {
    let sources = Sources::of_process()?;
    let found = match named {
        Some(file) => Found { looked_at: Vec::new(), file: Some(file.to_owned()) },
        None => toolgate_config::find(&sources.cwd, sources.home.as_deref(), sources.env, &Path::is_file),
    };
    let Some(file) = found.file else {
        return Ok(Loaded {
            settings: Settings::embedded(),
            file: None,
            looked_at: found.looked_at,
            files: Files::default(),
        });
    };
    let reading = Reading::of(&file)?;
    match reading.settings {
        Ok(settings) => Ok(Loaded { settings, file: Some(file), looked_at: Vec::new(), files: reading.files }),
        Err(faults) => {
            let paint = Paint::stderr();
            eprint!("{}", paint.faults(&faults));
            Err(Failure::Config)
        }
    }
}

/// Puts what the command line says about logs in the place of what the config says.
pub(crate) fn override_log(settings: &mut Settings, log: &args::Log) -> Result<(), Failure> {
    if let Some(level) = &log.log_level {
        settings.log.level = match level.as_str() {
            "error" => LogLevel::Error,
            "warn" => LogLevel::Warn,
            "info" => LogLevel::Info,
            "debug" => LogLevel::Debug,
            "trace" => LogLevel::Trace,
            other => {
                return Err(anyhow::anyhow!("--log-level {other}: choose error, warn, info, debug or trace").into());
            }
        };
    }
    if let Some(format) = &log.log_format {
        settings.log.format = match format.as_str() {
            "auto" => LogFormat::Auto,
            "human" => LogFormat::Human,
            "json" => LogFormat::Json,
            other => return Err(anyhow::anyhow!("--log-format {other}: choose auto, human or json").into()),
        };
    }
    Ok(())
}

/// Puts what the command line says of the presentation in the place of what the config says.
pub(crate) fn override_view(settings: &mut Settings, view: &args::View) -> Result<(), Failure> {
    if let Some(word) = &view.view {
        settings.presentation = match word.as_str() {
            "direct" => Presentation::Direct,
            "search" => Presentation::Search,
            "auto" => Presentation::Auto,
            other => return Err(anyhow::anyhow!("--view {other}: choose direct, search or auto").into()),
        };
        for namespace in &mut settings.namespaces {
            namespace.presentation = settings.presentation;
        }
    }
    Ok(())
}

/// A namespace was asked for that the config does not have.
pub(crate) fn unknown_namespace(settings: &Settings) -> Failure {
    let known: Vec<&str> = settings.namespaces.iter().map(|namespace| namespace.slug.as_str()).collect();
    anyhow::anyhow!("--namespace: the config has no such namespace; there are: {}", known.join(", ")).into()
}

/// What this process is surrounded by.
pub(crate) fn surroundings() -> Surroundings {
    let env = |name: &str| std::env::var(name).ok();
    Surroundings { executable: std::env::current_exe().ok(), state: toolgate_app::state_folder(&env) }
}
