//! Where config files are looked for, and which variables a child process needs: what differs between systems.
//!
//! A port to another system begins and ends in this file.

use std::path::{Path, PathBuf};

/// The variables that a child process gets by default: what programs need to find themselves, and no credentials.
/// Those of Windows are simply not there on Unix, and the other way round.
pub(crate) const ENV_ALLOW: [&str; 24] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "TERM",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "APPDATA",
    "HOMEDRIVE",
    "HOMEPATH",
    "LOCALAPPDATA",
    "PATHEXT",
    "PROCESSOR_ARCHITECTURE",
    "PROGRAMFILES",
    "SYSTEMDRIVE",
    "SYSTEMROOT",
    "TEMP",
    "TMP",
    "USERNAME",
    "USERPROFILE",
];

/// The variable that names the config file.
pub const CONFIG_VARIABLE: &str = "TOOLGATE_CONFIG";

/// The variable that holds the token which the server of a config at a URL wants.
pub const CONFIG_TOKEN_VARIABLE: &str = "TOOLGATE_CONFIG_TOKEN";

/// Whether what was named as a config is a URL and no file of this machine.
pub fn is_url(name: &Path) -> bool {
    let scheme = name.to_str().and_then(|name| Some(name.split_once("://")?.0)).unwrap_or_default();
    let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(is_legal)
}

/// Where a config file was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Every place that was looked at, in order; the last one is where the file is, if there is one.
    pub looked_at: Vec<PathBuf>,
    /// The file that counts.
    pub file: Option<PathBuf>,
}

/// Looks for the config file: `$TOOLGATE_CONFIG` alone if it is set; else the first that exists of the working folder's
/// and the user's.
///
/// A file that `$TOOLGATE_CONFIG` names is returned whether it exists or not: that it is missing is a fault to report,
/// and no reason to run with another one. It may be a URL too.
pub fn find(
    cwd: &Path,
    home: Option<&Path>,
    env: &dyn Fn(&str) -> Option<String>,
    exists: &dyn Fn(&Path) -> bool,
) -> Found {
    if let Some(named) = env(CONFIG_VARIABLE).filter(|name| !name.is_empty()) {
        let named = PathBuf::from(named);
        let file = if is_url(&named) { named } else { cwd.join(named) };
        return Found { looked_at: vec![file.clone()], file: Some(file) };
    }
    let mut looked_at = Vec::new();
    for place in candidates(cwd, home, env) {
        looked_at.push(place.clone());
        if exists(&place) {
            return Found { looked_at, file: Some(place) };
        }
    }
    Found { looked_at, file: None }
}

fn candidates(cwd: &Path, home: Option<&Path>, env: &dyn Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let here = ["toolgate.yaml", "toolgate.yml", "toolgate.json", ".mcp.json", "mcp.json", ".vscode/mcp.json"];
    let mut places: Vec<PathBuf> = here.iter().map(|name| cwd.join(name)).collect();
    if let Some(folder) = user_folder(home, env) {
        places.extend(["toolgate.yaml", "toolgate.yml", "toolgate.json"].iter().map(|name| folder.join(name)));
    }
    places
}

/// The folder of the user's own config files.
#[cfg(windows)]
fn user_folder(home: Option<&Path>, env: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let roaming = env("APPDATA").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    roaming.or_else(|| home.map(|home| home.join("AppData").join("Roaming"))).map(|dir| dir.join("toolgate"))
}

/// The folder of the user's own config files: `$XDG_CONFIG_HOME/toolgate`, on macOS too, as command-line tools do.
#[cfg(not(windows))]
fn user_folder(home: Option<&Path>, env: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let named = env("XDG_CONFIG_HOME").map(PathBuf::from).filter(|dir| dir.is_absolute());
    named.or_else(|| home.map(|home| home.join(".config"))).map(|dir| dir.join("toolgate"))
}

/// The user's home folder, as this system names it.
pub fn home(env: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let name = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
    env(name).filter(|dir| !dir.is_empty()).map(PathBuf::from)
}
