//! Who shares a connection to an upstream that may remember who it talks to.
//!
//! Servers of the legacy era keep state for a connection: an open browser, a working folder, a login. Whoever shares the
//! connection shares the state. And over a pipe nothing tells which of several calls a question in mid-call belongs to. So
//! callers, their conversations, or single calls may get connections of their own beside the one that lists are read from.
//! Each is an upstream like any other, with its own supervision, and ends when it was not used for a while. What it tells
//! concerns those whose connection it is, and resources are watched where their watcher's calls go.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::DropGuard;
use tokio_util::task::TaskTracker;
use toolgate_protocol::Era;

use crate::change::Teller;
use crate::config::Config;
use crate::connect::Connector;
use crate::course::Around;
use crate::error::Failure;
use crate::host::Host;
use crate::supervise::Begin;
use crate::upstream::{Call, Origin, Upstream};
use crate::warm::{Spare, Warm};

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

/// Whose a connection is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Whose {
    /// That of all who have none of their own. Lists are read from it.
    Everybody,
    /// One caller's.
    Caller(Arc<str>),
    /// One conversation's.
    Conversation {
        /// Its caller.
        caller: Arc<str>,
        /// Which one.
        conversation: Arc<str>,
    },
    /// A single call's, counted from 1.
    Call(u64),
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
    teller: Teller,
    /// Where they live, whichever thread a request comes by.
    runtime: Handle,
    table: Mutex<Table>,
    /// Rung when there may be room for one more, or one is needed.
    pub(crate) rung: Notify,
    /// What is being ended.
    ending: TaskTracker,
}

#[derive(Debug, Default)]
pub(crate) struct Table {
    branches: HashMap<Whose, Branch>,
    pub(crate) warm: Warm,
    next_call: u64,
    stopped: bool,
}

#[derive(Debug)]
struct Branch {
    upstream: Arc<Upstream>,
    /// How many requests hold it, and how many watches; see [`Lease`].
    requests: usize,
    watches: usize,
    last_used: Instant,
}

/// What holds a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Request,
    Watch,
}

/// A connection in use, until dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    branches: Arc<Branches>,
    pub(crate) whose: Whose,
    of: Use,
    pub(crate) upstream: Arc<Upstream>,
}

// === impl Isolation ===

impl Isolation {
    /// Whose connection serves an origin, but for calls that have one for themselves.
    fn whose(self, origin: &Origin) -> Whose {
        let caller = origin.caller.clone();
        match (self, &origin.conversation) {
            (Self::Shared, _) => Whose::Everybody,
            (Self::Session, Some(conversation)) => Whose::Conversation { caller, conversation: conversation.clone() },
            _ if origin.is_anonymous => Whose::Everybody,
            _ => Whose::Caller(caller),
        }
    }

    /// Stands for whoever will have a connection that is kept warm: its handshake tells what kind of connection it is, and no
    /// more than that.
    pub(crate) fn somebody(self) -> Whose {
        match self {
            Self::Call => Whose::Call(0),
            Self::Shared | Self::Caller | Self::Session => Whose::Caller("".into()),
        }
    }
}

// === impl Whose ===

impl Whose {
    /// Whether what happens on such a connection may concern this conversation of this caller.
    pub fn is_for(&self, subject: &str, of: Option<&str>) -> bool {
        match self {
            Self::Everybody => true,
            Self::Caller(caller) => **caller == *subject,
            Self::Conversation { caller, conversation } => **caller == *subject && of == Some(conversation),
            // What it says belongs to the call.
            Self::Call(_) => false,
        }
    }

    /// Whether the roots on it are those of one client, for longer than a call.
    pub(crate) fn has_lasting_roots(&self) -> bool {
        matches!(self, Self::Caller(_) | Self::Conversation { .. })
    }

    /// Whether only one client's conversation can be meant on it, or those of one caller.
    pub(crate) fn is_one(&self) -> bool {
        *self != Self::Everybody
    }
}

// === impl Branches ===

impl Branches {
    /// `teller` hears of what they tell.
    pub(crate) fn new(config: &Config, host: &Arc<Host>, teller: Teller) -> Arc<Self> {
        // They end in a way of their own.
        let config = Config { idle: None, ..config.clone() };
        Arc::new(Self {
            config,
            host: host.clone(),
            teller,
            runtime: Handle::current(),
            table: Mutex::default(),
            rung: Notify::new(),
            ending: TaskTracker::new(),
        })
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// What meets the upstream for somebody.
    pub(crate) fn connector(&self, whose: &Whose, around: Around) -> Connector {
        Connector::new(self.config.clone(), self.host.clone(), self.teller.of(whose.clone()), around)
    }

    /// The connection for a call; `None` for the shared one.
    pub(crate) fn lease(self: &Arc<Self>, call: &Call) -> Result<Option<Lease>, Failure> {
        let mut table = self.table();
        if let Some(holder) = table.holder_of(call) {
            return Ok(Some(self.use_branch(&mut table, holder, Use::Request)));
        }
        let whose = match self.config.apart.by {
            Isolation::Call if call.method.may_ask() => {
                table.next_call += 1;
                Whose::Call(table.next_call)
            }
            by => by.whose(&call.origin),
        };
        self.lease_that(&mut table, whose, Use::Request)
    }

    /// The connection on which an origin watches; `None` for the shared one.
    pub(crate) fn lease_to_watch(self: &Arc<Self>, origin: &Origin) -> Result<Option<Lease>, Failure> {
        self.lease_that(&mut self.table(), self.config.apart.by.whose(origin), Use::Watch)
    }

    fn lease_that(self: &Arc<Self>, table: &mut Table, whose: Whose, of: Use) -> Result<Option<Lease>, Failure> {
        if whose == Whose::Everybody {
            return Ok(None);
        }
        if !table.branches.contains_key(&whose) {
            let spare = table.warm.take(&whose, self.config.apart.by);
            if spare.is_none() {
                self.make_room(table)?;
            }
            let branch =
                Branch { upstream: self.start(&whose, spare), requests: 0, watches: 0, last_used: Instant::now() };
            table.branches.insert(whose.clone(), branch);
            self.rung.notify_one();
        }
        Ok(Some(self.use_branch(table, whose, of)))
    }

    /// A connection for somebody: one that was kept warm, or one that is met now.
    fn start(&self, whose: &Whose, spare: Option<Spare>) -> Arc<Upstream> {
        let _here = self.runtime.enter();
        let (config, host, teller) = (self.config.clone(), self.host.clone(), self.teller.of(whose.clone()));
        let (begin, around) = match spare.map(Spare::into_parts) {
            Some((greeted, around)) => (Begin::With(greeted), around),
            None => (Begin::Now, Around::of(config.name.clone())),
        };
        // Only a legacy upstream has any; should it have become a modern one, this finds out.
        Upstream::start_for(config, Some(Era::Legacy), host, teller, around, begin)
    }

    fn use_branch(self: &Arc<Self>, table: &mut Table, whose: Whose, of: Use) -> Lease {
        let branch = table.branches.get_mut(&whose).expect("whoever names it has just seen it");
        *branch.uses(of) += 1;
        Lease { branches: self.clone(), upstream: branch.upstream.clone(), whose, of }
    }

    /// If there are too many, ends one that is warm for nobody yet, or the one that was not used for longest.
    fn make_room(&self, table: &mut Table) -> Result<(), Failure> {
        if table.stopped {
            return Err(Failure::Stopped);
        }
        let most = self.config.apart.most;
        if table.len() < most {
            return Ok(());
        }
        if let Some(spares) = table.warm.make_room() {
            self.end_spares(spares);
            return Ok(());
        }
        let idle = table.branches.iter().filter(|(_, branch)| !branch.is_needed());
        let oldest = idle.min_by_key(|(_, branch)| branch.last_used).map(|(whose, _)| whose.clone());
        let oldest = oldest.and_then(|whose| table.branches.remove(&whose)).ok_or(Failure::Crowded(most))?;
        self.end(oldest);
        Ok(())
    }

    /// Ends what was not used for too long, and what nobody can come back to.
    pub(crate) fn sweep(&self) {
        let idle = self.config.apart.idle;
        let over: Vec<Branch> = self.table().take(|whose, branch| {
            !branch.is_needed() && (matches!(whose, Whose::Call(_)) || branch.last_used.elapsed() >= idle)
        });
        over.into_iter().for_each(|branch| self.end(branch));
    }

    /// A conversation is over: its connections are ended.
    pub(crate) fn end_conversation(&self, over: &str) {
        let of_it = |whose: &Whose, _: &Branch| matches!(whose, Whose::Conversation { conversation, .. } if **conversation == *over);
        let over: Vec<Branch> = self.table().take(of_it);
        over.into_iter().for_each(|branch| self.end(branch));
    }

    /// Ends all connections. Where something is kept for whoever has one, it is made anew at once, else for the next call.
    pub(crate) fn restart(&self) {
        self.cool();
        let over: Vec<Branch> = {
            let mut table = self.table();
            table
                .branches
                .values()
                .filter(|branch| branch.is_lasting())
                .for_each(|branch| branch.upstream.start_anew());
            table.take(|_, branch| !branch.is_lasting())
        };
        over.into_iter().for_each(|branch| self.end(branch));
        self.rung.notify_one();
    }

    fn end(&self, branch: Branch) {
        self.ending.spawn_on(async move { branch.upstream.stop_alone().await }, &self.runtime);
        self.rung.notify_one();
    }

    pub(crate) fn end_spares(&self, spares: Vec<Spare>) {
        for spare in spares {
            self.ending.spawn_on(spare.close(), &self.runtime);
        }
    }

    /// What ends the tasks of an instance when it is dropped. [`Branches::ended`] waits for them.
    pub(crate) fn see_off(&self, around: &Around) -> DropGuard {
        let Around { stopped, tasks, .. } = around.clone();
        let guard = stopped.clone().drop_guard();
        let ended = async move {
            stopped.cancelled().await;
            tasks.close();
            tasks.wait().await;
        };
        self.ending.spawn_on(ended, &self.runtime);
        guard
    }

    /// Ends all, and makes no more.
    pub(crate) fn stop(&self) {
        self.table().stopped = true;
        self.cool();
        let all: Vec<Branch> = self.table().take(|_, _| true);
        all.into_iter().for_each(|branch| self.end(branch));
    }

    /// Waits until all that was to end has ended.
    pub(crate) async fn ended(&self) {
        self.ending.close();
        self.ending.wait().await;
    }

    /// The one that holds a call which `state` stands for.
    pub(crate) fn holder(&self, state: &str) -> Option<Arc<Upstream>> {
        let table = self.table();
        table.branches.values().map(|branch| &branch.upstream).find(|upstream| upstream.has_parked(state)).cloned()
    }

    /// Whether no request uses any of them and no call waits in one.
    pub(crate) fn are_quiet(&self) -> bool {
        self.table().branches.values().all(Branch::is_idle)
    }

    /// The connection that an origin has for itself, if there is one now.
    pub(crate) fn find(&self, origin: &Origin) -> Option<Arc<Upstream>> {
        let whose = self.config.apart.by.whose(origin);
        self.table().branches.get(&whose).map(|branch| branch.upstream.clone())
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.table().branches.len()
    }

    pub(crate) fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Table ===

impl Table {
    /// How many connections there are, with those that are warm for nobody yet.
    pub(crate) fn len(&self) -> usize {
        self.branches.len() + self.warm.len()
    }

    /// How many more there may be.
    pub(crate) fn room(&self, most: usize) -> usize {
        if self.stopped { 0 } else { most.saturating_sub(self.len()) }
    }

    /// Who holds the call that a retry comes back for.
    fn holder_of(&self, call: &Call) -> Option<Whose> {
        let state = call.method.may_ask().then(|| call.params.string("requestState")).flatten()?;
        self.branches.iter().find(|(_, branch)| branch.upstream.has_parked(&state)).map(|(whose, _)| whose.clone())
    }

    fn take(&mut self, is_over: impl Fn(&Whose, &Branch) -> bool) -> Vec<Branch> {
        let over: Vec<Whose> = self
            .branches
            .iter()
            .filter(|(whose, branch)| is_over(whose, branch))
            .map(|(whose, _)| whose.clone())
            .collect();
        over.iter().filter_map(|whose| self.branches.remove(whose)).collect()
    }
}

// === impl Branch ===

impl Branch {
    /// No request uses it and no call waits in it.
    fn is_idle(&self) -> bool {
        self.requests == 0 && self.upstream.parked() == 0
    }

    /// Whether it would be missed: it is in use, or somebody watches what is there.
    fn is_needed(&self) -> bool {
        !self.is_idle() || self.watches > 0
    }

    /// Whether there is more to it than a connection: somebody watches what is there, or its roots are known.
    fn is_lasting(&self) -> bool {
        self.watches > 0 || self.upstream.has_roots()
    }

    fn uses(&mut self, of: Use) -> &mut usize {
        match of {
            Use::Request => &mut self.requests,
            Use::Watch => &mut self.watches,
        }
    }
}

// === impl Lease ===

impl Drop for Lease {
    fn drop(&mut self) {
        let mut table = self.branches.table();
        // It may have been ended meanwhile, with its conversation, and another be in its place.
        let branch = table.branches.get_mut(&self.whose);
        let Some(branch) = branch.filter(|branch| Arc::ptr_eq(&branch.upstream, &self.upstream)) else { return };
        *branch.uses(self.of) -= 1;
        branch.last_used = Instant::now();
        if matches!(self.whose, Whose::Call(_)) && branch.is_idle() {
            let over = table.branches.remove(&self.whose);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(caller: &str, conversation: Option<&str>) -> Origin {
        let is_anonymous = caller == "anonymous";
        Origin { caller: caller.into(), conversation: conversation.map(Arc::from), is_anonymous }
    }

    #[test]
    fn whose_a_connection_is_and_whom_it_concerns() {
        use Isolation::{Call, Caller, Session, Shared};
        let ann = Whose::Caller("ann".into());
        let anns = |conversation: &str| Whose::Conversation { caller: "ann".into(), conversation: conversation.into() };
        for (by, caller, conversation, expected) in [
            (Shared, "ann", Some("1"), Whose::Everybody),
            (Caller, "ann", Some("1"), ann.clone()),
            (Caller, "anonymous", Some("1"), Whose::Everybody),
            (Session, "ann", Some("1"), anns("1")),
            (Session, "ann", None, ann.clone()),
            (Session, "anonymous", None, Whose::Everybody),
            // But for a call that may ask something, which has one for itself.
            (Call, "ann", Some("1"), ann.clone()),
        ] {
            assert_eq!(by.whose(&origin(caller, conversation)), expected, "{by:?} {caller} {conversation:?}");
        }
        for (whose, caller, conversation, expected) in [
            (Whose::Everybody, "bob", None, true),
            (ann.clone(), "ann", Some("2"), true),
            (ann, "bob", Some("2"), false),
            (anns("1"), "ann", Some("1"), true),
            (anns("1"), "ann", Some("2"), false),
            (anns("1"), "ann", None, false),
            (anns("1"), "bob", Some("1"), false),
            (Whose::Call(1), "ann", Some("1"), false),
        ] {
            assert_eq!(whose.is_for(caller, conversation), expected, "{whose:?} {caller} {conversation:?}");
        }
    }
}
