//! Who shares a connection to an upstream that may remember who it talks to.
//!
//! Servers of the legacy era keep state for a connection: an open browser, a working folder, a login. Whoever shares the
//! connection shares the state. And over a pipe nothing tells which of several calls a question in mid-call belongs to. So
//! callers, their conversations, or single calls may get connections of their own beside the one that lists are read from.
//! Each is an upstream like any other, with its own supervision, and ends when it was not used for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;
use toolgate_protocol::Era;

use crate::config::Config;
use crate::error::Failure;
use crate::host::Host;
use crate::upstream::{Call, Origin, Upstream};

/// Who shares a connection to a legacy upstream. Modern ones keep nothing between requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// Everybody.
    Shared,
    /// All that one caller does. Callers that are not told apart share the connection that lists are read from.
    #[default]
    Caller,
    /// One conversation of a caller, where the way it comes by tells: one pipe, one session. Else as `Caller`.
    Session,
    /// Nobody: each call that may ask its client something has a connection for itself, and then it is ended.
    Call,
}

/// Who can be meant on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Company {
    /// Anybody.
    All,
    /// Those who share one of their own, so that even a question that names no call can only be for them.
    One,
}

/// How many connections there may be, and how long they are kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Apart {
    /// Who shares one.
    pub by: Isolation,
    /// The most at once, beside the one that lists are read from.
    pub most: usize,
    /// One that was not used for so long is ended.
    pub idle: Duration,
}

/// The connections of one upstream that are not shared by all.
#[derive(Debug)]
pub(crate) struct Branches {
    config: Config,
    host: Arc<Host>,
    /// Where they live, whichever thread a request comes by.
    runtime: Handle,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    branches: HashMap<Key, Branch>,
    next_call: u64,
    stopped: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Caller(Arc<str>),
    Conversation { caller: Arc<str>, conversation: Arc<str> },
    Call(u64),
}

#[derive(Debug)]
struct Branch {
    upstream: Arc<Upstream>,
    /// How many requests hold it; see [`Lease`].
    leases: usize,
    last_used: Instant,
}

/// A connection in use, until dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    branches: Arc<Branches>,
    key: Key,
    pub(crate) upstream: Arc<Upstream>,
}

// === impl Branches ===

impl Branches {
    pub(crate) fn new(config: &Config, host: &Arc<Host>) -> Arc<Self> {
        let mut config = config.clone();
        config.apart.by = Isolation::Shared;
        let branches = Self { config, host: host.clone(), runtime: Handle::current(), table: Mutex::default() };
        Arc::new(branches)
    }

    /// The connection for a call; `None` for the shared one.
    pub(crate) fn lease(self: &Arc<Self>, by: Isolation, call: &Call) -> Result<Option<Lease>, Failure> {
        let mut table = self.table();
        if let Some(key) = table.holder_of(call) {
            return Ok(Some(self.use_branch(&mut table, key)));
        }
        let Origin { caller, conversation, .. } = &call.origin;
        let key = match (by, conversation) {
            (Isolation::Shared, _) => return Ok(None),
            (Isolation::Call, _) if call.method.may_ask() => {
                table.next_call += 1;
                Key::Call(table.next_call)
            }
            (Isolation::Session, Some(conversation)) => {
                Key::Conversation { caller: caller.clone(), conversation: conversation.clone() }
            }
            _ if call.origin.is_anonymous => return Ok(None),
            _ => Key::Caller(caller.clone()),
        };
        if !table.branches.contains_key(&key) {
            self.make_room(&mut table)?;
            let branch = {
                let _here = self.runtime.enter();
                // Only a legacy upstream has any; should it have become a modern one, this finds out.
                Upstream::start_for_one(self.config.clone(), Some(Era::Legacy), self.host.clone())
            };
            table.branches.insert(key.clone(), Branch { upstream: branch, leases: 0, last_used: Instant::now() });
        }
        Ok(Some(self.use_branch(&mut table, key)))
    }

    fn use_branch(self: &Arc<Self>, table: &mut Table, key: Key) -> Lease {
        let branch = table.branches.get_mut(&key).expect("whoever gives the key has just seen it");
        branch.leases += 1;
        Lease { branches: self.clone(), upstream: branch.upstream.clone(), key }
    }

    /// Ends the connection that was not used for longest, if there are too many.
    fn make_room(&self, table: &mut Table) -> Result<(), Failure> {
        if table.stopped {
            return Err(Failure::Stopped);
        }
        let most = self.config.apart.most;
        if table.branches.len() < most {
            return Ok(());
        }
        let idle = table.branches.iter().filter(|(_, branch)| branch.is_idle());
        let oldest = idle.min_by_key(|(_, branch)| branch.last_used).map(|(key, _)| key.clone());
        let oldest = oldest.and_then(|key| table.branches.remove(&key)).ok_or(Failure::Crowded(most))?;
        self.end(oldest);
        Ok(())
    }

    /// Ends what was not used for too long, and what nobody can come back to.
    pub(crate) fn sweep(&self) {
        let idle = self.config.apart.idle;
        let over: Vec<Branch> = self.table().take(|key, branch| {
            branch.is_idle() && (matches!(key, Key::Call(_)) || branch.last_used.elapsed() >= idle)
        });
        over.into_iter().for_each(|branch| self.end(branch));
    }

    /// A conversation is over: its connections are ended.
    pub(crate) fn end_conversation(&self, over: &str) {
        let of_it =
            |key: &Key, _: &Branch| matches!(key, Key::Conversation { conversation, .. } if **conversation == *over);
        let over: Vec<Branch> = self.table().take(of_it);
        over.into_iter().for_each(|branch| self.end(branch));
    }

    fn end(&self, branch: Branch) {
        self.runtime.spawn(async move { branch.upstream.stop_alone().await });
    }

    /// Ends all and waits for their end.
    pub(crate) async fn stop(&self) {
        let all: Vec<Branch> = {
            let mut table = self.table();
            table.stopped = true;
            table.take(|_, _| true)
        };
        let mut stopping = tokio::task::JoinSet::new();
        for branch in all {
            stopping.spawn(async move { branch.upstream.stop_alone().await });
        }
        while stopping.join_next().await.is_some() {}
    }

    /// The one that holds a call which `state` stands for.
    pub(crate) fn holder(&self, state: &str) -> Option<Arc<Upstream>> {
        let table = self.table();
        table.branches.values().map(|branch| &branch.upstream).find(|upstream| upstream.has_parked(state)).cloned()
    }

    /// Whether nobody uses any of them and no call waits in one.
    pub(crate) fn are_quiet(&self) -> bool {
        self.table().branches.values().all(Branch::is_idle)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.table().branches.len()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Table ===

impl Table {
    /// Who holds the call that a retry comes back for.
    fn holder_of(&self, call: &Call) -> Option<Key> {
        let state = call.method.may_ask().then(|| call.params.string("requestState")).flatten()?;
        self.branches.iter().find(|(_, branch)| branch.upstream.has_parked(&state)).map(|(key, _)| key.clone())
    }

    fn take(&mut self, is_over: impl Fn(&Key, &Branch) -> bool) -> Vec<Branch> {
        let keys: Vec<Key> =
            self.branches.iter().filter(|(key, branch)| is_over(key, branch)).map(|(key, _)| key.clone()).collect();
        keys.iter().filter_map(|key| self.branches.remove(key)).collect()
    }
}

// === impl Branch ===

impl Branch {
    /// Nobody uses it and no call waits in it.
    fn is_idle(&self) -> bool {
        self.leases == 0 && self.upstream.parked() == 0
    }
}

// === impl Lease ===

impl Drop for Lease {
    fn drop(&mut self) {
        let mut table = self.branches.table();
        // It may have been ended meanwhile, with its conversation.
        let Some(branch) = table.branches.get_mut(&self.key) else { return };
        branch.leases -= 1;
        branch.last_used = Instant::now();
        if matches!(self.key, Key::Call(_)) && branch.is_idle() {
            let over = table.branches.remove(&self.key);
            drop(table);
            over.into_iter().for_each(|branch| self.branches.end(branch));
        }
    }
}

// === impl Apart ===

impl Default for Apart {
    fn default() -> Self {
        Self { by: Isolation::default(), most: 100, idle: Duration::from_secs(3600) }
    }
}
