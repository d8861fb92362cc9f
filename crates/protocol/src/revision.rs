//! Protocol revisions, and the two eras they fall into.
//!
//! The specification's own words (2026-07-28 `basic/versioning`): *legacy* begins with `initialize`; *modern* says all it
//! has to say in each request.

use std::fmt;

/// A protocol revision that toolgate speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Revision {
    /// HTTP+SSE, the first.
    V2024_11_05,
    /// Streamable HTTP, batches.
    V2025_03_26,
    /// Structured content, elicitation.
    V2025_06_18,
    /// URL elicitation, experimental tasks.
    V2025_11_25,
    /// Stateless; multi round-trip requests.
    V2026_07_28,
}

/// Before or from 2026-07-28 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Era {
    /// `initialize`, sessions, server-initiated requests.
    Legacy,
    /// Self-contained requests.
    Modern,
}

// === impl Revision ===

impl Revision {
    /// All of them, oldest first.
    pub const ALL: [Self; 5] =
        [Self::V2024_11_05, Self::V2025_03_26, Self::V2025_06_18, Self::V2025_11_25, Self::V2026_07_28];
    /// The newest of the legacy era.
    pub const LATEST_LEGACY: Self = Self::V2025_11_25;
    /// The newest of the modern era.
    pub const LATEST_MODERN: Self = Self::V2026_07_28;
    /// Those that a request may claim in its `_meta`.
    pub const MODERN: [Self; 1] = [Self::V2026_07_28];

    /// The date on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V2024_11_05 => "2024-11-05",
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// The revision with this date.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|revision| revision.as_str() == text)
    }

    /// Its era.
    pub fn era(self) -> Era {
        if self >= Self::V2026_07_28 { Era::Modern } else { Era::Legacy }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl Era ===

impl fmt::Display for Era {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Legacy => "legacy",
            Self::Modern => "modern",
        })
    }
}
