//! The servers that a host's file lists, each as it is written there.

use std::path::PathBuf;

use crate::host::Syntax;
use crate::{Fault, Host, json, toml};

/// What a file lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// In the order of the file.
    pub servers: Vec<Server>,
    /// What VS Code asks its user for.
    pub inputs: Vec<Input>,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name.
    pub name: String,
    /// The entry as JSON, with the comments it has.
    pub json: String,
    /// The project that it belongs to, where the user's file has some for single projects (Claude Code).
    pub project: Option<PathBuf>,
}

/// What a host asks its user for when a server starts: `${input:id}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Its id.
    pub id: String,
    /// What it is when nothing is said.
    pub default: Option<String>,
    /// What the user is told.
    pub description: String,
}

// === impl Listed ===

impl Listed {
    /// What the text of a host's file lists; an empty text lists nothing.
    ///
    /// # Errors
    /// It cannot be read, or names a server twice.
    pub fn read(host: Host, text: &str) -> Result<Self, Fault> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match host.syntax() {
            Syntax::Json => json::listed(host, text),
            Syntax::Toml => toml::listed(host, text),
        }
    }
}
