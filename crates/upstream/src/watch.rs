//! Which resources somebody wants to hear about, whatever the upstream's era and however often it reconnects.
//!
//! This is only the wish list. What keeps it fulfilled stands with the era: `listen.rs` opens a new listen, the legacy link
//! subscribes and unsubscribes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use toolgate_protocol::{RpcError, code};

use crate::isolation::{Lease, Whose};

/// A resource that somebody wants to hear about, until dropped.
#[derive(Debug)]
pub struct Watch {
    wishes: Arc<Wishes>,
    uri: Arc<str>,
    status: watch::Receiver<Status>,
    /// Keeps the connection that it is on, where that is not the shared one.
    lease: Option<Lease>,
}

/// All such resources of one connection.
#[derive(Debug)]
pub(crate) struct Wishes {
    table: Mutex<HashMap<Arc<str>, Wish>>,
    /// Counts the changes of the table's keys.
    changed: watch::Sender<u64>,
}

#[derive(Debug)]
struct Wish {
    holders: usize,
    status: watch::Sender<Status>,
}

/// How a wish stands.
#[derive(Clone, Debug)]
pub(crate) enum Status {
    /// Not yet asked for on this connection.
    Pending,
    /// The upstream will tell.
    Live,
    /// It will not.
    Refused(RpcError),
}

// === impl Wishes ===

impl Wishes {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { table: Mutex::default(), changed: watch::Sender::new(0) })
    }

    /// One more holder of the wish for `uri`, and of the connection that fulfils it.
    pub(crate) fn hold(self: &Arc<Self>, uri: &str, lease: Option<Lease>) -> Watch {
        let uri: Arc<str> = uri.into();
        let mut table = self.table();
        let status = match table.get_mut(&uri) {
            Some(wish) => {
                wish.holders += 1;
                wish.status.subscribe()
            }
            None => {
                let (status, receiver) = watch::channel(Status::Pending);
                table.insert(uri.clone(), Wish { holders: 1, status });
                self.changed.send_modify(|count| *count += 1);
                receiver
            }
        };
        drop(table);
        Watch { wishes: self.clone(), uri, status, lease }
    }

    /// What is wished for, in order.
    pub(crate) fn wanted(&self) -> Vec<Arc<str>> {
        let mut wanted: Vec<_> = self.table().keys().cloned().collect();
        wanted.sort();
        wanted
    }

    /// Says how a wish stands.
    pub(crate) fn settle(&self, uri: &str, status: Status) {
        if let Some(wish) = self.table().get(uri) {
            wish.status.send_replace(status);
        }
    }

    /// A connection ended: nothing is live any more.
    pub(crate) fn unsettle(&self) {
        for wish in self.table().values() {
            wish.status.send_replace(Status::Pending);
        }
    }

    /// Wakes whenever [`Wishes::wanted`] has changed.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn table(&self) -> MutexGuard<'_, HashMap<Arc<str>, Wish>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Watch ===

impl Watch {
    /// The resource.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Whether what is told on this connection concerns it.
    pub fn is_on(&self, whose: &Whose) -> bool {
        self.lease.as_ref().map_or(&Whose::Everybody, |lease| &lease.whose) == whose
    }

    /// Waits until the upstream has agreed or refused.
    pub(crate) async fn settled(&self) -> Result<(), RpcError> {
        let mut status = self.status.clone();
        let settled = status.wait_for(|status| !matches!(status, Status::Pending)).await;
        match settled.as_deref() {
            Ok(Status::Refused(error)) => Err(error.clone()),
            Ok(_) => Ok(()),
            Err(_) => Err(RpcError::new(code::INTERNAL_ERROR, "the watch ended before the upstream agreed to it")),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut table = self.wishes.table();
        if let Some(wish) = table.get_mut(&self.uri) {
            wish.holders -= 1;
            if wish.holders == 0 {
                table.remove(&self.uri);
                self.wishes.changed.send_modify(|count| *count += 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wish_lives_as_long_as_its_last_holder() {
        let wishes = Wishes::new();
        let changes = wishes.changes();
        let first = wishes.hold("a:1", None);
        let second = wishes.hold("a:1", None);
        assert_eq!(*changes.borrow(), 1);
        wishes.settle("a:1", Status::Live);
        second.settled().await.unwrap();
        drop(first);
        assert_eq!(wishes.wanted().len(), 1);
        drop(second);
        assert!(wishes.wanted().is_empty());
        assert_eq!(*changes.borrow(), 2);
    }

    #[tokio::test]
    async fn a_refusal_reaches_who_waits() {
        let wishes = Wishes::new();
        let watch = wishes.hold("a:1", None);
        wishes.settle("a:1", Status::Refused(RpcError::new(code::INVALID_PARAMS, "unknown")));
        assert_eq!(watch.settled().await.unwrap_err().message, "unknown");
    }
}
