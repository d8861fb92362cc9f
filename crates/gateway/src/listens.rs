//! The listens that are open, so that operators can see and end them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::watch;
use toolgate_identity::Presented;
use toolgate_protocol::{Endpoint, Object, OnDrop, meta};

/// All that are open.
#[derive(Default)]
pub(crate) struct Listens(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    open: BTreeMap<u64, (ListenStatus, watch::Sender<bool>)>,
    next: u64,
    closed: bool,
}

/// A listen that is open.
#[derive(Clone, Debug)]
pub struct ListenStatus {
    /// Counted from 1.
    pub number: u64,
    /// The client's name, if it gave one.
    pub client: Option<String>,
    /// Where it listens.
    pub endpoint: Endpoint,
    /// Which conversation it belongs to, where that is known: that of a legacy session is one of its own.
    pub conversation: Option<Arc<str>>,
    /// Since when.
    pub since: Instant,
}

impl Listens {
    /// One more. What is returned first says when it is to end, and the other that it has ended when dropped.
    pub(crate) fn begin(&self, presented: &Presented, params: &Object) -> (watch::Receiver<bool>, OnDrop) {
        let info = params.child("_meta").and_then(|meta| meta.child(meta::CLIENT_INFO));
        let mut table = lock(&self.0);
        table.next += 1;
        let number = table.next;
        let status = ListenStatus {
            number,
            client: info.and_then(|info| info.string("name")),
            endpoint: presented.endpoint.clone(),
            conversation: presented.conversation.clone(),
            since: Instant::now(),
        };
        let (closing, until) = watch::channel(table.closed);
        table.open.insert(number, (status, closing));
        let all = self.0.clone();
        (until, OnDrop::new(move || drop(lock(&all).open.remove(&number))))
    }

    pub(crate) fn all(&self) -> Vec<ListenStatus> {
        lock(&self.0).open.values().map(|(status, _)| status.clone()).collect()
    }

    /// Ends one; false if there is none.
    pub(crate) fn end(&self, number: u64) -> bool {
        lock(&self.0).open.get(&number).map(|(_, closing)| closing.send_replace(true)).is_some()
    }

    /// Ends all, and those that are yet to come.
    pub(crate) fn close(&self) {
        let mut table = lock(&self.0);
        table.closed = true;
        for (_, closing) in table.open.values() {
            closing.send_replace(true);
        }
    }
}

fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}
