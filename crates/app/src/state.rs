//! Where this system keeps what outlives a restart. A port to another system begins and ends here.

use std::path::PathBuf;

/// The usual folder for this user; `None` where there is none, as for a service without a home.
pub fn state_folder(env: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let folder = |name: &str| env(name).map(PathBuf::from).filter(|folder| folder.is_absolute());
    let base = if cfg!(windows) {
        folder("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        folder("HOME").map(|home| home.join("Library").join("Application Support"))
    } else {
        folder("XDG_STATE_HOME").or_else(|| folder("HOME").map(|home| home.join(".local").join("state")))
    };
    base.map(|base| base.join("toolgate"))
}
