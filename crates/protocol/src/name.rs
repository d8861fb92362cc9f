//! Who is meant: the name of an upstream.
//!
//! The names of entries are plain strings whose kind their place tells: an entry has a *native* name, the upstream's own,
//! and a *public* one, which clients see (`catalog::naming`).

use std::fmt;
use std::sync::Arc;

/// The name of an upstream as it appears in public names, logs and status: letters, digits, `-` and `_`, at most 40.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UpstreamName(Arc<str>);

impl UpstreamName {
    /// The longest name accepted, in characters; room must be left for a tool's name within a client's limit of 64.
    pub const MAX_LEN: usize = 40;

    /// Accepts a legal name.
    pub fn new(name: &str) -> Option<Self> {
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let fits = (1..=Self::MAX_LEN).contains(&name.len()) && name.chars().all(legal);
        fits.then(|| Self(name.into()))
    }

    /// The characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl serde::Serialize for UpstreamName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl fmt::Display for UpstreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for UpstreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
