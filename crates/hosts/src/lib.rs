//! The applications that run MCP clients ("hosts" in the words of MCP): where their files are, what is in them, and how
//! toolgate gets into and out of them.
//!
//! What a file means and how it is changed are functions of its text ([`Listed`], [`edit`]); only [`file`] and
//! [`connection`] touch the disk. A host's file belongs to its user: what toolgate does not mean is kept byte for byte, a
//! file that cannot be read is left alone, and before the first change the whole is kept beside toolgate's own state.
//!
//! This crate knows nothing of toolgate's config; it hands the servers it finds on as they are written.

pub mod connection;
pub mod edit;
pub mod file;

mod entry;
mod host;
mod json;
mod listed;
mod places;
mod system;
mod toml;

pub use entry::Entry;
pub use host::{Expansion, Host};
pub use listed::{Input, Listed, Server};
pub use system::{System, World};

/// What is wrong with the text of a host's file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// What is wrong, with the line where there is one.
    pub message: String,
}

// === impl Fault ===

impl Fault {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }

    /// A fault at a byte of the text.
    pub(crate) fn at(text: &str, byte: usize, message: impl std::fmt::Display) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self { message: format!("line {line}, column {column}: {message}") }
    }
}
