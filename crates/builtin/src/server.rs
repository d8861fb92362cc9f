//! What a builtin server is: who it is, and the tables of what it offers. Nothing here knows the wire.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::broadcast;

use crate::prompt::Prompt;
use crate::resource::Resources;
use crate::tool::Tool;

/// How many changes may wait for a slow listener before it is told that everything may have changed.
const CHANGES_KEPT: usize = 256;

/// A server, ready to be served.
pub struct Server {
    pub(crate) about: About,
    pub(crate) tools: Shelf<Tool>,
    pub(crate) prompts: Shelf<Prompt>,
    pub(crate) resources: Option<Box<dyn Resources>>,
    pub(crate) changes: Changes,
}

/// How a server introduces itself.
#[derive(Clone, Copy)]
pub(crate) struct About {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) description: &'static str,
    /// Told to the model before it sees the tools.
    pub(crate) instructions: &'static str,
    /// Whether tools write log messages for the client.
    pub(crate) logs: bool,
    /// Whether tools and prompts may come and go while the server runs.
    pub(crate) varies: bool,
}

/// Something a client may want to hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The list of tools.
    Tools,
    /// The list of prompts.
    Prompts,
    /// The list of resources.
    Resources,
    /// The resource with this URI.
    Resource(String),
}

/// Where changes are announced, and heard.
#[derive(Clone)]
pub(crate) struct Changes(broadcast::Sender<Change>);

/// Entries of one kind, in order, by name; cheap to share and to change while it is read.
pub(crate) struct Shelf<T>(Arc<RwLock<Vec<Arc<T>>>>);

/// What stands on a shelf.
pub(crate) trait Named {
    fn name(&self) -> &str;
}

// === impl Server ===

impl Server {
    /// The name it tells its clients.
    pub fn name(&self) -> &'static str {
        self.about.name
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server({})", self.about.name)
    }
}

// === impl Changes ===

impl Changes {
    pub(crate) fn new() -> Self {
        Self(broadcast::Sender::new(CHANGES_KEPT))
    }

    /// Tells whoever listens. Nobody listening is no fault.
    pub(crate) fn announce(&self, change: Change) {
        let _ = self.0.send(change);
    }

    pub(crate) fn listen(&self) -> broadcast::Receiver<Change> {
        self.0.subscribe()
    }
}

// === impl Shelf ===

impl<T: Named> Shelf<T> {
    pub(crate) fn new(entries: Vec<T>) -> Self {
        Self(Arc::new(RwLock::new(entries.into_iter().map(Arc::new).collect())))
    }

    pub(crate) fn all(&self) -> Vec<Arc<T>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn find(&self, name: &str) -> Option<Arc<T>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).iter().find(|entry| entry.name() == name).cloned()
    }

    /// Puts `entry` at the end, or takes the entry of its name away; tells which by whether it is there now.
    pub(crate) fn toggle(&self, entry: T) -> bool {
        let mut entries = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let before = entries.len();
        entries.retain(|other| other.name() != entry.name());
        let added = entries.len() == before;
        if added {
            entries.push(Arc::new(entry));
        }
        added
    }
}

impl<T> Clone for Shelf<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}
