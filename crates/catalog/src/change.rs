//! What the catalog tells those who listen.

use std::sync::Arc;

use toolgate_identity::Caller;
use toolgate_protocol::{Json, Kind, Object, UpstreamName};
use toolgate_upstream::Whose;

/// Something changed that a client may have asked to hear of.
#[derive(Clone, Debug)]
pub enum Change {
    /// The list of this kind is another one. Templates are listed with resources and change as those.
    List(Kind),
    /// Another config is in force.
    Rearranged {
        /// The upstreams in whose place there is another one of the same name, or none.
        replaced: Arc<[UpstreamName]>,
    },
    /// A resource changed.
    Resource {
        /// Whose it is.
        upstream: UpstreamName,
        /// Its native URI.
        uri: Arc<str>,
        /// The notification's parameters, with that URI.
        params: Object,
        /// Whose connection it was told on.
        whose: Whose,
    },
    /// A page to which a client was sent was visited.
    PageVisited {
        /// Whose it is.
        upstream: UpstreamName,
        /// The id under which that client knows it.
        id: Json,
        /// Whose connection it was told on.
        whose: Whose,
    },
    /// An upstream logged something that belongs to no call.
    Log {
        /// Whose it is.
        upstream: UpstreamName,
        /// The notification's parameters.
        params: Object,
        /// Whose connection it was told on.
        whose: Whose,
    },
}

/// A resource that a client watches, until dropped.
#[derive(Debug)]
pub struct Watch(pub(crate) toolgate_upstream::Watch);

// === impl Change ===

impl Change {
    /// Whether it may concern this caller, as far as one connection to an upstream is one's and not another's. Lists are
    /// everybody's.
    pub fn is_for(&self, caller: &Caller) -> bool {
        match self {
            Self::List(_) | Self::Rearranged { .. } => true,
            Self::Resource { whose, .. } | Self::PageVisited { whose, .. } | Self::Log { whose, .. } => {
                whose.is_for(caller.subject(), caller.conversation().map(|conversation| &**conversation))
            }
        }
    }
}

// === impl Watch ===

impl Watch {
    /// Whether it hears what is told on this connection.
    pub fn is_on(&self, whose: &Whose) -> bool {
        self.0.is_on(whose)
    }
}
