//! What the command line says in the place of the config, now and whenever the config changes.

use std::net::SocketAddr;

use toolgate_config::{LogFormat, LogLevel, Presentation, Settings};

/// What the command line says in the place of the config.
#[derive(Clone, Debug, Default)]
pub struct CommandLine {
    /// The addresses to listen on, if there are any.
    pub listen: Vec<SocketAddr>,
    /// The least level that is logged.
    pub log_level: Option<LogLevel>,
    /// How log lines are written.
    pub log_format: Option<LogFormat>,
    /// How tools are shown, everywhere.
    pub presentation: Option<Presentation>,
}

impl CommandLine {
    /// What it says, by the keys of the config.
    pub(crate) fn says(&self) -> Vec<(&'static str, serde_json::Value)> {
        let mut all = Vec::new();
        if !self.listen.is_empty() {
            let addresses: Vec<String> = self.listen.iter().map(ToString::to_string).collect();
            all.push(("listen", addresses.into()));
        }
        all.extend(self.log_level.map(|level| ("log.level", level.as_str().into())));
        let format = self.log_format.and_then(|format| serde_json::to_value(format).ok());
        all.extend(format.map(|format| ("log.format", format)));
        let presentation = self.presentation.and_then(|shown| serde_json::to_value(shown).ok());
        all.extend(presentation.map(|shown| ("presentation", shown)));
        all
    }

    /// Puts it in the place of what the settings say.
    pub fn apply(&self, settings: &mut Settings) {
        if !self.listen.is_empty() {
            settings.listen.clone_from(&self.listen);
        }
        if let Some(level) = self.log_level {
            settings.log.level = level;
        }
        if let Some(format) = self.log_format {
            settings.log.format = format;
        }
        if let Some(presentation) = self.presentation {
            settings.presentation = presentation;
            for namespace in &mut settings.namespaces {
                namespace.presentation = presentation;
            }
        }
    }
}
