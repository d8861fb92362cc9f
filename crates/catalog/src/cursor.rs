//! Where the next page of a list begins, as a client keeps it until it asks for that page.
//!
//! A cursor is sealed like everything else that clients keep: it opens for the caller and the list that it was given out for,
//! for an hour. Inside is the entry that the page before ended with, by its native name, and not how many came before: when the
//! list changes meanwhile, what follows that entry is still neither left out nor repeated. Where that entry is no more,
//! nobody can say what follows it, so the client begins again rather than miss something. Entries that arrive before the place
//! are announced as a change of the list like any other.

use std::time::Duration;

use toolgate_identity::Caller;
use toolgate_protocol::{Endpoint, Json, Kind, UpstreamName};
use toolgate_seal::{Context, Unopened};

use crate::entry::Entry;
use crate::handle::Handles;
use crate::snapshot::Shelved;

/// How long a client may take to ask for the next page.
const LIFETIME: Duration = Duration::from_secs(60 * 60);
/// Stands between the upstream's name, which has none, and the entry's.
const END_OF_NAME: u8 = 0;

/// Whose list of what, and where: what a cursor belongs to.
#[derive(Clone, Copy)]
pub(crate) struct List<'a> {
    pub(crate) kind: Kind,
    pub(crate) endpoint: &'a Endpoint,
    pub(crate) caller: &'a Caller,
}

/// The cursor leads nowhere.
#[derive(Debug, thiserror::Error)]
#[error("invalid `cursor`: {0}; ask for the list from its beginning")]
pub struct BadCursor(&'static str);

// === impl BadCursor ===

impl BadCursor {
    /// A list of one page gives out none.
    pub const NONE_GIVEN: Self = Self("this list gives out none");
    const NO_STRING: Self = Self("it must be a string");
    const FOREIGN: Self = Self("it was not given out here, was changed, or belongs to another list or caller");
    const UNKNOWN_KEY: Self =
        Self("it was given out before the gateway restarted, or by a replica that does not share `keys`");
    const EXPIRED: Self = Self("it has expired");
    const OVERTAKEN: Self = Self("the list has changed, and the entry that it stands for is no more");
}

impl From<Unopened> for BadCursor {
    fn from(why: Unopened) -> Self {
        match why {
            Unopened::Foreign => Self::FOREIGN,
            Unopened::UnknownKey => Self::UNKNOWN_KEY,
            Unopened::Expired => Self::EXPIRED,
        }
    }
}

// === impl List ===

impl List<'_> {
    fn context(&self) -> Context {
        let list = Context::new("cursor").with(self.kind.list_method().as_str()).with(self.endpoint.to_string());
        list.with(self.caller.subject())
    }
}

// === impl Handles ===

impl Handles {
    /// The cursor of the page that follows `last`. Without random numbers there is none, and the list ends there.
    pub(crate) fn seal_cursor(&self, list: List<'_>, last: &Entry) -> Option<String> {
        let subject = &last.subject;
        let inner = [subject.upstream.as_str().as_bytes(), &[END_OF_NAME], subject.native.as_bytes()].concat();
        let sealed = self.sealer.seal(&list.context(), LIFETIME, &inner);
        sealed.inspect_err(|error| tracing::error!(%error, "a cursor could not be sealed; the list is cut off")).ok()
    }

    /// The place in `entries` at which the page of this cursor begins.
    pub(crate) fn open_cursor(&self, list: List<'_>, cursor: &Json, entries: &Shelved) -> Result<usize, BadCursor> {
        let sealed = cursor.as_string().ok_or(BadCursor::NO_STRING)?;
        let inner = self.sealer.open(&list.context(), &sealed)?;
        let end = inner.iter().position(|byte| *byte == END_OF_NAME).ok_or(BadCursor::FOREIGN)?;
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|_| BadCursor::FOREIGN);
        let upstream = UpstreamName::new(&text(&inner[..end])?).ok_or(BadCursor::FOREIGN)?;
        let last = entries.place(&upstream, &text(&inner[end + 1..])?).ok_or(BadCursor::OVERTAKEN)?;
        Ok(last + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_over_for_an_old_one() {
        assert_eq!(
            BadCursor::from(Unopened::Expired).to_string(),
            "invalid `cursor`: it has expired; ask for the list from its beginning"
        );
    }
}
