//! How the tools of a view are shown to a client: gateway vocabulary, not the wire's, but every floor speaks of it.

use std::fmt;

/// How tools are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Presentation {
    /// Every tool is listed.
    Direct,
    /// Three tools are listed, which find, describe and call all others.
    Search,
    /// `Direct` as long as the list is short, else `Search`.
    #[default]
    Auto,
}

// === impl Presentation ===

impl Presentation {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Direct, Self::Search, Self::Auto];

    /// Its word in configs and URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Search => "search",
            Self::Auto => "auto",
        }
    }

    /// The one of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|presentation| presentation.as_str() == word)
    }
}

impl fmt::Display for Presentation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
