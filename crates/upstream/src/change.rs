//! What an upstream tells without being asked by a client.

use toolgate_protocol::{Method, Notification, Object};

/// Something that whoever keeps what an upstream offers should know.
///
/// A receiver that lags behind should behave as if everything had changed.
#[derive(Clone, Debug)]
pub enum Change {
    /// A connection stands, the first or a new one: everything may be different.
    Connected,
    /// The list of tools.
    ToolsChanged,
    /// The list of prompts.
    PromptsChanged,
    /// The list of resources, or of their templates.
    ResourcesChanged,
    /// A watched resource.
    ResourceUpdated {
        /// Which.
        uri: String,
        /// The notification's parameters, verbatim but for what concerns one hop only.
        params: Object,
    },
    /// A log message that belongs to no call.
    Log {
        /// The notification's parameters, verbatim.
        params: Object,
    },
}

impl Change {
    /// The change that a notification tells of, if it tells of one.
    pub(crate) fn told_by(notification: &Notification) -> Option<Self> {
        match notification.method {
            Method::ToolsChanged => Some(Self::ToolsChanged),
            Method::PromptsChanged => Some(Self::PromptsChanged),
            Method::ResourcesChanged => Some(Self::ResourcesChanged),
            Method::ResourceUpdated => {
                let mut params = notification.params.clone();
                toolgate_protocol::meta::edit(&mut params, |meta| {
                    meta.retain(|member| !toolgate_protocol::meta::is_per_hop(member.name()))
                });
                Some(Self::ResourceUpdated { uri: params.string("uri")?, params })
            }
            Method::LogMessage => Some(Self::Log { params: notification.params.clone() }),
            _ => None,
        }
    }
}
