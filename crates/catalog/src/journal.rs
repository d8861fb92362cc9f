//! What happens, for operators: the last events, and whoever follows them.

use serde::Serialize;
use toolgate_protocol::{Kind, UpstreamName};
use toolgate_upstream::{Followed, Ring};

/// Events kept.
const MOST: usize = 1_024;
/// The longest text in one, in bytes.
const LONGEST: usize = 4 << 10;

/// Everything that happens.
#[derive(Debug)]
pub struct Journal(Ring<Happening>);

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Happening {
    /// An upstream is in another state.
    Upstream {
        /// Its name.
        upstream: UpstreamName,
        /// `starting`, `ready`, `failed` or `stopped`; `removed` when the config has it no more.
        state: &'static str,
        /// What went wrong, when it failed.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// An upstream offers something else.
    Lists {
        /// Its name.
        upstream: UpstreamName,
        /// The kinds that differ.
        kinds: Vec<Kind>,
    },
    /// Another config is in force.
    ConfigApplied {
        /// What it changed, a line for each.
        changes: Vec<String>,
    },
    /// A config has faults; the one before stays in force.
    ConfigRefused {
        /// Why.
        why: String,
    },
    /// A legacy client began a session.
    SessionBegun {
        /// The beginning of its id.
        session: String,
        /// The client's name, if it gave one.
        client: Option<String>,
        /// The path of the endpoint.
        endpoint: String,
    },
    /// A session is over.
    SessionEnded {
        /// The beginning of its id.
        session: String,
    },
}

impl Default for Journal {
    fn default() -> Self {
        Self(Ring::new(MOST))
    }
}

impl Journal {
    /// Notes that something happened.
    pub fn note(&self, mut what: Happening) {
        match &mut what {
            Happening::ConfigRefused { why: text } | Happening::Upstream { error: Some(text), .. } => {
                text.truncate(text.floor_char_boundary_at(LONGEST));
            }
            Happening::ConfigApplied { changes } => changes.truncate(100),
            _ => {}
        }
        self.0.note(what);
    }

    /// What happened after the event of this number, and what happens from now on.
    pub fn follow(&self, number: u64) -> Followed<Happening> {
        self.0.follow(number)
    }
}

/// Where a text may be cut.
trait Cut {
    fn floor_char_boundary_at(&self, most: usize) -> usize;
}

impl Cut for String {
    fn floor_char_boundary_at(&self, most: usize) -> usize {
        (0..=most.min(self.len())).rev().find(|at| self.is_char_boundary(*at)).unwrap_or_default()
    }
}
