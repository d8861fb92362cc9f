//! A legacy session: what `Mcp-Session-Id` names. Opening one costs a few hundred bytes and no upstream work, since some
//! clients open one for every call.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;
use toolgate_gateway::{Gateway, Happening};
use toolgate_identity::Presented;
use toolgate_protocol::meta::{self, Level};
use toolgate_protocol::{Endpoint, Id, Json, Outcome, Revision};

use super::own_task::OwnTasks;
use super::resume::{Kept, Manner, Room};
use super::roots::RootsAsked;

/// Messages that wait for a client without an open stream; the oldest are dropped beyond it.
const BACKLOG: usize = 256;
/// Pages that a session remembers to have been sent to.
const PAGES: usize = 256;
/// Messages that wait for a client that reads slowly.
pub(crate) const QUEUE: usize = 64;

/// One message on its way to the client.
#[derive(Clone, Debug)]
pub(crate) enum Out {
    /// The answer to the request that opened the stream.
    Response(Bytes),
    /// Anything else.
    Message(Bytes),
}

/// Where messages to the client go.
pub(crate) type Outlet = mpsc::Sender<Out>;

/// One client's session.
pub(crate) struct Session {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) presented: Presented,
    pub(crate) id: String,
    pub(crate) revision: Revision,
    /// The client's capabilities, from its handshake.
    pub(crate) capabilities: Json,
    /// The same with what the gateway can do on its behalf.
    pub(crate) as_modern: Json,
    /// Its name and version, likewise.
    pub(crate) client_info: Option<Json>,
    level: Mutex<Level>,
    asked: Mutex<Asked>,
    next_ask: AtomicU64,
    running: Mutex<HashMap<Id, oneshot::Sender<()>>>,
    watches: Mutex<HashMap<String, AbortOnDropHandle<()>>>,
    unasked: Mutex<Unasked>,
    /// The ids of the pages that it was sent to and that were not visited yet, as far as it was told.
    pages: Mutex<VecDeque<Json>>,
    pub(super) roots: RootsAsked,
    /// The tasks that its client asked for.
    pub(super) tasks: OwnTasks,
    /// Its streams, for a client that comes back to one.
    pub(crate) kept: Kept,
    began: Instant,
    last_used: Mutex<Instant>,
    /// Whether operators were told of it.
    is_announced: AtomicBool,
}

/// The questions to a client that it has not answered.
#[derive(Default)]
struct Asked {
    open: HashMap<u64, oneshot::Sender<Outcome>>,
    /// Whether no more answers can come.
    is_over: bool,
}

/// The stream for what belongs to no request, or what waits for one to be opened.
#[derive(Default)]
struct Unasked {
    outlet: Option<Outlet>,
    backlog: VecDeque<Out>,
    announcer: Option<AbortOnDropHandle<()>>,
}

/// How a session is doing, for operators.
#[derive(Clone, Debug)]
pub struct OpenSession {
    /// The beginning of its id; the whole of it is the client's secret.
    pub id: String,
    /// `http` or `sse`.
    pub over: &'static str,
    /// The client's name, if it gave one.
    pub client: Option<String>,
    /// The revision agreed on.
    pub revision: &'static str,
    /// Its endpoint.
    pub endpoint: Endpoint,
    /// What all of its requests have in common.
    pub conversation: Option<Arc<str>>,
    /// Since when it is there.
    pub began: Instant,
    /// When it was last used.
    pub last_used: Instant,
    /// Requests that run.
    pub in_flight: usize,
}

/// So much of an id is shown to operators.
pub(crate) const SHOWN: usize = 8;

/// All sessions by id.
pub(crate) struct Sessions {
    by_id: Mutex<HashMap<String, Arc<Session>>>,
    /// For what their streams keep.
    pub(crate) room: Room,
    most: usize,
    idle: Duration,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while it is held")
}

// === impl Session ===

impl Session {
    /// A new session under a new id.
    pub(super) fn new(
        gateway: Arc<Gateway>,
        presented: Presented,
        revision: Revision,
        capabilities: Json,
        client_info: Option<Json>,
        tasks: OwnTasks,
        room: Room,
    ) -> Arc<Self> {
        let id = random_id();
        // What came over one pipe is one conversation already.
        let conversation = presented.conversation.clone().unwrap_or_else(|| id.as_str().into());
        // Clients before would try to read an event without data as a message.
        let manner = if revision >= Revision::V2025_11_25 { Manner::Primed } else { Manner::Plain };
        Arc::new(Self {
            gateway,
            presented: Presented { conversation: Some(conversation), ..presented },
            id,
            revision,
            as_modern: with_tasks(&capabilities),
            capabilities,
            client_info,
            // Servers of the legacy era choose what to log until told; `info` is what most of them choose.
            level: Mutex::new(Level::Info),
            asked: Mutex::default(),
            next_ask: AtomicU64::new(1),
            running: Mutex::default(),
            watches: Mutex::default(),
            unasked: Mutex::default(),
            pages: Mutex::default(),
            roots: RootsAsked::default(),
            tasks,
            kept: Kept::new(manner, room),
            began: Instant::now(),
            last_used: Mutex::new(Instant::now()),
            is_announced: AtomicBool::new(false),
        })
    }

    /// The least severe log message that the client wants.
    pub(crate) fn level(&self) -> Level {
        *lock(&self.level)
    }

    /// From now on.
    pub(crate) fn set_level(&self, level: Level) {
        *lock(&self.level) = level;
    }

    /// Tells operators that it has begun, and will when it is over.
    pub(crate) fn announce(&self) {
        let OpenSession { id: session, client, endpoint, .. } = self.status("");
        self.is_announced.store(true, Ordering::Relaxed);
        let happening = Happening::SessionBegun { session, client, endpoint: endpoint.to_string() };
        self.gateway.catalog().journal().note(happening);
    }

    /// How it is doing; `over` is how it came.
    pub(crate) fn status(&self, over: &'static str) -> OpenSession {
        OpenSession {
            id: self.id.chars().take(SHOWN).collect(),
            over,
            client: self.presented.introduced_as.as_deref().map(str::to_owned),
            revision: self.revision.as_str(),
            endpoint: self.presented.endpoint.clone(),
            conversation: self.presented.conversation.clone(),
            began: self.began,
            last_used: *lock(&self.last_used),
            in_flight: lock(&self.running).len(),
        }
    }

    /// Notes that the client is still there.
    pub(crate) fn touch(&self) {
        *lock(&self.last_used) = Instant::now();
    }

    fn is_idle(&self, limit: Duration) -> bool {
        lock(&self.last_used).elapsed() > limit
            && lock(&self.running).is_empty()
            && lock(&self.unasked).outlet.as_ref().is_none_or(mpsc::Sender::is_closed)
    }

    /// Notes that a request runs; `None` when its id is already in use.
    pub(crate) fn begin(&self, id: &Id) -> Option<oneshot::Receiver<()>> {
        let mut running = lock(&self.running);
        if running.contains_key(id) {
            return None;
        }
        let (cancel, cancelled) = oneshot::channel();
        running.insert(id.clone(), cancel);
        Some(cancelled)
    }

    /// Notes that it has ended.
    pub(crate) fn end(&self, id: &Id) {
        lock(&self.running).remove(id);
    }

    /// The client no longer wants it. Unknown ids are ignored: the answer may already be on its way.
    pub(crate) fn cancel(&self, id: &Id) {
        if let Some(cancel) = lock(&self.running).remove(id) {
            let _ = cancel.send(());
        }
    }

    /// The client is gone for good: nothing that runs is wanted any more.
    pub(crate) fn cancel_all(&self) {
        let running = std::mem::take(&mut *lock(&self.running));
        for cancel in running.into_values() {
            let _ = cancel.send(());
        }
        self.roots.give_up();
    }

    /// A new question to the client: its id, and where its answer will come. `None` when none can come any more.
    pub(crate) fn expect_answer(&self) -> Option<(u64, oneshot::Receiver<Outcome>)> {
        let id = self.next_ask.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        let mut asked = lock(&self.asked);
        (!asked.is_over).then(|| {
            asked.open.insert(id, answer);
            (id, answered)
        })
    }

    /// The question is no longer waited for.
    pub(crate) fn forget_answer(&self, id: u64) {
        lock(&self.asked).open.remove(&id);
    }

    /// The client will answer nothing more, though it may still listen.
    pub(crate) fn answers_no_more(&self) {
        *lock(&self.asked) = Asked { open: HashMap::new(), is_over: true };
    }

    /// The client answers a question. Answers to nothing are dropped.
    pub(crate) fn answered(&self, id: &Id, outcome: Outcome) {
        match id.as_u64().and_then(|id| lock(&self.asked).open.remove(&id)) {
            Some(answer) => drop(answer.send(outcome)),
            None => tracing::debug!(%id, "an answer to no question"),
        }
    }

    /// The client is sent to a page.
    pub(crate) fn remember_page(&self, id: &Json) {
        let mut pages = lock(&self.pages);
        if pages.len() >= PAGES {
            pages.pop_front();
        }
        pages.push_back(id.clone());
    }

    /// Whether it was, and was not told yet that it is done.
    pub(crate) fn forget_page(&self, id: &Json) -> bool {
        let mut pages = lock(&self.pages);
        let at = pages.iter().position(|known| known == id);
        at.and_then(|at| pages.remove(at)).is_some()
    }

    /// Keeps a resource watched until [`Session::unwatch`] or the session's end.
    pub(crate) fn watch(&self, uri: String, watch: AbortOnDropHandle<()>) {
        lock(&self.watches).insert(uri, watch);
    }

    /// Whether it is watched already.
    pub(crate) fn is_watched(&self, uri: &str) -> bool {
        lock(&self.watches).contains_key(uri)
    }

    /// How many resources are watched.
    pub(crate) fn watch_count(&self) -> usize {
        lock(&self.watches).len()
    }

    /// No longer.
    pub(crate) fn unwatch(&self, uri: &str) {
        lock(&self.watches).remove(uri);
    }

    /// Opens the stream for what belongs to no request. A stream that was open before is closed: its client has come back.
    /// On return the session listens, so that no change after it is missed.
    pub(crate) async fn attach(self: &Arc<Self>, outlet: Outlet) {
        let announcements = self.announcements().await;
        let announce = super::watch::announce(Arc::downgrade(self), announcements, outlet.clone());
        let announcer = AbortOnDropHandle::new(tokio::spawn(announce));
        let mut unasked = lock(&self.unasked);
        for message in std::mem::take(&mut unasked.backlog) {
            // The queue is at least as long as a client that was away may expect; more is lost, as before the backlog.
            let _ = outlet.try_send(message);
        }
        unasked.outlet = Some(outlet);
        unasked.announcer = Some(announcer);
    }

    /// Sends what belongs to no request, or keeps it until a stream is opened.
    pub(crate) fn tell(&self, message: Out) {
        let mut unasked = lock(&self.unasked);
        let unsent = match &unasked.outlet {
            Some(outlet) => outlet.try_send(message).err().map(|error| match error {
                mpsc::error::TrySendError::Full(message) | mpsc::error::TrySendError::Closed(message) => message,
            }),
            None => Some(message),
        };
        if let Some(message) = unsent {
            if unasked.backlog.len() == BACKLOG {
                unasked.backlog.pop_front();
            }
            unasked.backlog.push_back(message);
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.is_announced.load(Ordering::Relaxed) {
            let session = self.id.chars().take(SHOWN).collect();
            self.gateway.catalog().journal().note(Happening::SessionEnded { session });
        }
        if let Some(conversation) = &self.presented.conversation {
            self.gateway.end_conversation(conversation);
        }
    }
}

/// Capabilities with the tasks extension, since the gateway sees tasks through for clients that know nothing of them.
fn with_tasks(capabilities: &Json) -> Json {
    let mut capabilities = capabilities.object().unwrap_or_default();
    let extensions = capabilities.child("extensions").unwrap_or_default();
    capabilities.set("extensions", extensions.with(meta::TASKS, Json::literal("{}")).to_json());
    capabilities.to_json()
}

/// 128 random bits in hexadecimal: an id that cannot be guessed.
pub(crate) fn random_id() -> String {
    let mut bits = [0_u8; 16];
    getrandom::fill(&mut bits).expect("the operating system gives random numbers");
    bits.iter().map(|byte| format!("{byte:02x}")).collect()
}

// === impl Sessions ===

impl Sessions {
    /// At most `most` sessions; one unused for longer than `idle` may be ended.
    pub(crate) fn new(most: usize, idle: Duration, room: Room) -> Self {
        Self { by_id: Mutex::default(), room, most, idle }
    }

    /// Keeps a session. When there are too many, the idle ones go; false when that does not help.
    pub(crate) fn keep(&self, session: Arc<Session>) -> bool {
        let mut by_id = lock(&self.by_id);
        if by_id.len() >= self.most {
            by_id.retain(|_, session| !session.is_idle(self.idle));
        }
        if by_id.len() >= self.most {
            return false;
        }
        session.announce();
        by_id.insert(session.id.clone(), session);
        true
    }

    /// The session of this id.
    pub(crate) fn get(&self, id: &str) -> Option<Arc<Session>> {
        let session = lock(&self.by_id).get(id).cloned()?;
        session.touch();
        Some(session)
    }

    /// Ends it; false when there is none.
    pub(crate) fn end(&self, id: &str) -> bool {
        let ended = lock(&self.by_id).remove(id);
        ended.inspect(|session| session.cancel_all()).is_some()
    }

    /// How each is doing.
    pub(crate) fn all(&self) -> Vec<OpenSession> {
        lock(&self.by_id).values().map(|session| session.status("http")).collect()
    }

    /// Ends the one whose id begins so; false when there is none, or several.
    pub(crate) fn end_shown(&self, shown: &str) -> bool {
        let id = {
            let by_id = lock(&self.by_id);
            let mut meant = by_id.keys().filter(|id| shown.len() >= SHOWN && id.starts_with(shown));
            meant.next().filter(|_| meant.next().is_none()).cloned()
        };
        id.is_some_and(|id| self.end(&id))
    }

    /// Ends those unused for too long.
    pub(crate) fn sweep(&self) {
        lock(&self.by_id).retain(|_, session| {
            session.kept.sweep();
            !session.is_idle(self.idle)
        });
    }

    /// Closes the streams for what belongs to no request; what is asked and running goes on.
    pub(crate) fn close_streams(&self) {
        for session in lock(&self.by_id).values() {
            *lock(&session.unasked) = Unasked::default();
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        lock(&self.by_id).len()
    }
}
