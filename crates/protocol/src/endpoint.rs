//! Which of the gateway's endpoints a request came by: each shows a set of entries of its own.

use std::fmt;
use std::sync::Arc;

use crate::name::UpstreamName;

/// An MCP endpoint of the gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Endpoint {
    /// `/mcp`.
    #[default]
    Default,
    /// `/ns/<slug>/mcp`: what one namespace selects, as it names it.
    Namespace(Slug),
    /// `/upstreams/<name>/mcp`: one upstream under its own names.
    Upstream(UpstreamName),
}

/// The name of a namespace, as it stands in URLs: lower-case letters, digits, `-` and `_`, beginning with a letter or digit, at
/// most 64.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slug(Arc<str>);

/// What is no slug.
#[derive(Debug, thiserror::Error)]
#[error("a namespace has a name of lower-case letters, digits, - and _, at most 64, beginning with a letter or digit")]
pub struct NoSlug;

/// The longest slug.
const MAX_SLUG: usize = 64;

/// As the log names it, and as the path of its URL begins.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("/mcp"),
            Self::Namespace(slug) => write!(f, "/ns/{}/mcp", slug.as_str()),
            Self::Upstream(name) => write!(f, "/upstreams/{name}/mcp"),
        }
    }
}

// === impl Endpoint ===

impl Endpoint {
    /// That of a namespace; the one that has the default's name is the default.
    pub fn of_namespace(slug: Slug) -> Self {
        if slug.as_str() == Slug::DEFAULT { Self::Default } else { Self::Namespace(slug) }
    }
}

// === impl Slug ===

impl std::str::FromStr for Slug {
    type Err = NoSlug;

    fn from_str(text: &str) -> Result<Self, NoSlug> {
        Self::new(text).ok_or(NoSlug)
    }
}

impl Slug {
    /// The name that the default endpoint's namespace has in the config; no other can have it.
    pub const DEFAULT: &str = "default";

    /// `None` if the text is none.
    pub fn new(text: &str) -> Option<Self> {
        let is_legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let begins_well = text.chars().next().is_some_and(is_legal);
        (begins_well && text.len() <= MAX_SLUG && text.chars().all(|c| is_legal(c) || c == '-' || c == '_'))
            .then(|| Self(text.into()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_what_stands_in_a_url_unchanged() {
        for legal in ["a", "research", "team-1", "7_x"] {
            assert_eq!(Slug::new(legal).unwrap().as_str(), legal);
        }
        for illegal in ["", "Research", "a b", "-a", "a/b", "ä", "..", &"x".repeat(65)] {
            assert_eq!(Slug::new(illegal), None, "{illegal}");
        }
    }
}
