//! What a caller may see and call. It reads names, never arguments (law 6).
//!
//! Today there is one policy, *allow all*. Rules will be judged in [`Policy::judge`]; lists, lookups and calls all ask
//! there through one `catalog::View`, so what cannot be seen cannot be called.

use toolgate_identity::Caller;
use toolgate_protocol::Subject;

/// The rules in force.
#[derive(Debug, Default)]
pub struct Policy(());

/// A verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// May be seen and called.
    Allow,
    /// Does not exist for this caller.
    Deny,
}

// === impl Policy ===

impl Policy {
    /// Everybody may see and call everything.
    pub fn allow_all() -> Self {
        Self::default()
    }

    /// Whether `caller` may see and call `subject`.
    pub fn judge(&self, _caller: &Caller, _subject: &Subject) -> Verdict {
        Verdict::Allow
    }

    /// Whether two callers can ever see different things. While they cannot, a list is the same for all of them.
    pub fn distinguishes_callers(&self) -> bool {
        false
    }
}
