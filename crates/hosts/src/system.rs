//! The system and the user whose files are looked for. Handed in, so that every system's places are tested on any.

use std::path::{Path, PathBuf};

/// Which kind of system; their places for settings differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// Linux and other Unixes but macOS.
    Linux,
    /// macOS.
    MacOs,
    /// Windows.
    Windows,
}

/// Whose files, and where.
#[derive(Clone)]
pub struct World<'a> {
    /// The system.
    pub system: System,
    /// The user's home folder.
    pub home: PathBuf,
    /// The folder of the project.
    pub project: PathBuf,
    /// The value of an environment variable.
    pub env: &'a dyn Fn(&str) -> Option<String>,
}

// === impl System ===

impl System {
    /// The one that this program was made for.
    pub fn here() -> Self {
        if cfg!(windows) {
            Self::Windows
        } else if cfg!(target_os = "macos") {
            Self::MacOs
        } else {
            Self::Linux
        }
    }
}

// === impl World ===

impl World<'_> {
    /// A folder that a variable names, if it is an absolute one.
    pub(crate) fn folder(&self, variable: &str) -> Option<PathBuf> {
        (self.env)(variable).map(PathBuf::from).filter(|folder| folder.is_absolute() || is_drive(folder))
    }

    /// Where applications with a window keep their settings.
    pub(crate) fn application_data(&self) -> PathBuf {
        match self.system {
            System::Linux => self.config(),
            System::MacOs => self.home.join("Library").join("Application Support"),
            System::Windows => self.folder("APPDATA").unwrap_or_else(|| self.home.join("AppData").join("Roaming")),
        }
    }

    /// `$XDG_CONFIG_HOME`, or `~/.config`.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder("XDG_CONFIG_HOME").unwrap_or_else(|| self.home.join(".config"))
    }
}

/// `C:\…`, which only Windows itself takes for absolute.
fn is_drive(path: &Path) -> bool {
    path.to_str().is_some_and(|path| path.get(1..3) == Some(":\\"))
}
