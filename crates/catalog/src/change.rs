//! What the catalog tells those who listen.

use std::sync::Arc;

use toolgate_protocol::{Kind, Object, UpstreamName};

/// Something changed that a client may have asked to hear of.
#[derive(Clone, Debug)]
pub enum Change {
    /// The list of this kind is another one. Templates are listed with resources and change as those.
    List(Kind),
    /// A resource changed.
    Resource {
        /// Whose it is.
        upstream: UpstreamName,
        /// Its native URI.
        uri: Arc<str>,
        /// The notification's parameters, with that URI.
        params: Object,
    },
    /// An upstream logged something that belongs to no call.
    Log {
        /// Whose it is.
        upstream: UpstreamName,
        /// The notification's parameters.
        params: Object,
    },
}
