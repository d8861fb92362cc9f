//! What an upstream tells without being asked by a client.

use tokio::sync::broadcast;
use toolgate_protocol::{Json, Method, Notification, Object};

use crate::isolation::Whose;

/// Changes that a receiver may be behind.
const QUEUE: usize = 256;

/// Something that an upstream told, and whom it concerns.
#[derive(Clone, Debug)]
pub struct Told {
    /// Whose connection it was told on.
    pub whose: Whose,
    /// What.
    pub change: Change,
}

/// Where one connection tells.
#[derive(Clone, Debug)]
pub(crate) struct Teller {
    whose: Whose,
    told: broadcast::Sender<Told>,
}

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
    /// A page to which a client was sent was visited.
    PageVisited {
        /// The id under which the client knows it (`elicitationId` of 2025-11-25).
        id: Json,
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
            Method::ElicitationComplete => {
                Some(Self::PageVisited { id: notification.params.get("elicitationId")?.clone() })
            }
            Method::LogMessage => Some(Self::Log { params: notification.params.clone() }),
            _ => None,
        }
    }
}

// === impl Teller ===

impl Teller {
    /// For the connection that is shared by all.
    pub(crate) fn new() -> Self {
        Self { whose: Whose::Everybody, told: broadcast::Sender::new(QUEUE) }
    }

    /// The same for another connection: whoever hears this one hears that one too.
    pub(crate) fn of(&self, whose: Whose) -> Self {
        Self { whose, told: self.told.clone() }
    }

    /// Whose connection it is.
    pub(crate) fn whose(&self) -> &Whose {
        &self.whose
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Told> {
        self.told.subscribe()
    }

    pub(crate) fn tell(&self, change: Change) {
        // Nothing is read from another connection that would have to be read anew.
        if self.whose.is_one() && matches!(change, Change::Connected) {
            return;
        }
        // Nobody may be listening.
        let _ = self.told.send(Told { whose: self.whose.clone(), change });
    }

    /// Tells what a notification tells of. `false` when that is nothing.
    pub(crate) fn pass_on(&self, notification: &Notification) -> bool {
        let change = Change::told_by(notification);
        change.map(|change| self.tell(change)).is_some()
    }
}
