//! What operators are told of the config that is in force.

use std::path::PathBuf;

/// The config that is in force.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct ConfigStatus {
    /// The file or URL it is from, as it may be shown; none where the compiled-in default runs.
    pub file: Option<PathBuf>,
    /// How often another one was put in its place since the start.
    pub applied: u64,
    /// Why the file as it is now is not in force, if it is not.
    pub fault: Option<String>,
    /// Why its URL cannot be had at the moment, if that is so, and what is in force meanwhile.
    pub unreachable: Option<String>,
    /// What of it takes effect at the next start only.
    pub needs_restart: Vec<String>,
    /// What is set over the control API and is not in force, each with the reason.
    pub left_out: Vec<String>,
    /// Why what is set there cannot be read, if it cannot.
    pub store_fault: Option<String>,
}
