//! The revisions of MCP as a test sees them: which there are, and over what each is spoken.

use crate::Era;
use crate::upstream::Way;

/// A protocol revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Revision {
    V2024_11_05,
    V2025_03_26,
    V2025_06_18,
    V2025_11_25,
    V2026_07_28,
}

// === impl Revision ===

impl Revision {
    /// All, oldest first.
    pub const ALL: [Self; 5] =
        [Self::V2024_11_05, Self::V2025_03_26, Self::V2025_06_18, Self::V2025_11_25, Self::V2026_07_28];

    /// The date on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2024_11_05 => "2024-11-05",
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// Its era.
    pub fn era(self) -> Era {
        if self >= Self::V2026_07_28 { Era::Modern } else { Era::Legacy }
    }

    /// The transports that it has. Streamable HTTP came with 2025-03-26 and took the place of HTTP with SSE; servers and
    /// clients of the legacy era went on to speak the latter, those of the modern era do not.
    pub fn ways(self) -> &'static [Way] {
        match self {
            Self::V2024_11_05 => &[Way::Stdio, Way::Sse],
            Self::V2026_07_28 => &[Way::Stdio, Way::Http],
            _ => &[Way::Stdio, Way::Http, Way::Sse],
        }
    }

    /// Every revision over each transport that it has.
    pub fn over_every_way() -> impl Iterator<Item = (Self, Way)> {
        Self::ALL.into_iter().flat_map(|revision| revision.ways().iter().map(move |way| (revision, *way)))
    }
}
