//! One upstream, as the rest of the gateway knows it: always there to be asked, whatever becomes of its connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use toolgate_protocol::{Era, Json, Method, Object, Outcome, Reply, Revision, RpcError, UpstreamName, code, meta};
use tracing::Instrument as _;

use crate::change::{Teller, Told};
use crate::config::{Config, Limits, Timeouts};
use crate::connect::{Connector, Link};
use crate::course::Around;
use crate::era::Peer;
use crate::error::Failure;
use crate::host::Host;
use crate::isolation::{Branches, Isolation, Lease};
use crate::lines::LogLine;
use crate::modern::own_meta;
use crate::ring::Ring;
use crate::shared::{Live, Shared, hold_back};
use crate::supervise::{self, Begin};
use crate::warm::{self, Warmth};
use crate::watch::Watch;

/// Between two looks for connections that nobody uses any more.
const SWEEP: Duration = Duration::from_secs(15);
/// Between two looks whether something is under way, once nobody comes any more.
const DRAIN_LOOK: Duration = Duration::from_millis(100);

/// One MCP server behind the gateway. Ends with [`Upstream::stop`], or when dropped.
#[derive(Debug)]
pub struct Upstream {
    shared: Arc<Shared>,
    /// The connections that are not shared, where there may be some.
    branches: Option<Arc<Branches>>,
    /// How many are on their way to it.
    passes: Arc<AtomicUsize>,
    /// Whether nobody is to come any more.
    retired: AtomicBool,
}

/// Whoever holds one is on the way to an upstream, which does not end before they were there.
#[derive(Debug)]
pub struct Pass(Arc<AtomicUsize>);

/// How an upstream is doing.
#[derive(Clone, Debug)]
pub enum State {
    /// An attempt to reach it is under way.
    Starting,
    /// It can be asked.
    Ready(Arc<Peer>),
    /// The last attempt failed; the next is made at `retry_at`, or sooner if a call asks for it.
    Failed {
        /// What went wrong, in a sentence without secrets.
        error: String,
        /// When it is tried again.
        retry_at: Instant,
        /// Attempts that failed in a row.
        attempts: u32,
    },
    /// Nobody needs it now; the next call starts it.
    Asleep,
    /// It was taken out of service.
    Stopped,
}

/// A request to an upstream, in modern form.
#[derive(Clone, Debug)]
pub struct Call {
    /// What is asked for.
    pub method: Method,
    /// With what, including a complete modern `_meta`.
    pub params: Object,
    /// Arguments to repeat in headers: what follows `Mcp-Param-`, and the value as it is in the body.
    pub param_headers: Vec<(String, String)>,
    /// On whose behalf.
    pub origin: Origin,
}

/// On whose behalf a request is made.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The caller's name.
    pub caller: Arc<str>,
    /// What the requests of one client's conversation have in common, where that is known.
    pub conversation: Option<Arc<str>>,
    /// Whether it is nobody in particular, so that all such origins are one.
    pub is_anonymous: bool,
}

// === impl Call ===

impl Call {
    /// A request that the gateway makes on its own behalf.
    pub fn own(method: Method, params: Object) -> Self {
        let meta = own_meta(Revision::LATEST_MODERN).to_json();
        Self { method, params: params.with("_meta", meta), param_headers: Vec::new(), origin: Origin::own() }
    }
}

// === impl Origin ===

impl Origin {
    /// The gateway itself.
    pub fn own() -> Self {
        Self { caller: "".into(), conversation: None, is_anonymous: true }
    }

    /// A caller that is nobody in particular.
    pub fn anonymous(caller: &str) -> Self {
        Self { caller: caller.into(), conversation: None, is_anonymous: true }
    }

    pub(crate) fn is_own(&self) -> bool {
        self.caller.is_empty()
    }
}

// === impl Upstream ===

impl Upstream {
    /// Begins to reach an upstream and returns at once. `remembered` is the era it was last found to be of.
    ///
    /// Must be called within a Tokio runtime.
    pub fn start(config: Config, remembered: Option<Era>, host: Arc<Host>) -> Arc<Self> {
        let around = Around::of(config.name.clone());
        Self::start_for(config, remembered, host, Teller::new(), around, Begin::Now)
    }

    /// The same, but reaches it with the first call only.
    pub fn asleep(config: Config, remembered: Option<Era>, host: Arc<Host>) -> Arc<Self> {
        let around = Around::of(config.name.clone());
        Self::start_for(config, remembered, host, Teller::new(), around, Begin::WithTheFirstCall)
    }

    /// The same for one connection of an upstream: the shared one or another.
    pub(crate) fn start_for(
        config: Config,
        remembered: Option<Era>,
        host: Arc<Host>,
        teller: Teller,
        around: Around,
        begin: Begin,
    ) -> Arc<Self> {
        let has_branches = config.apart.by != Isolation::Shared && !teller.whose().is_one();
        let branches = has_branches.then(|| Branches::new(&config, &host, teller.clone()));
        let connector = Connector::new(config, host, teller.clone(), around.clone());
        let tasks = around.tasks.clone();
        let shared = Arc::new(Shared::new(connector, around, teller));
        let span = tracing::info_span!("upstream", upstream = %shared.name);
        tasks.spawn(supervise::run(shared.clone(), remembered, begin).instrument(span.clone()));
        if let Some(branches) = &branches {
            tasks.spawn(warm::keep(branches.clone(), shared.clone()).instrument(span));
            tasks.spawn(sweep(branches.clone(), shared.around.stopped.clone()));
        }
        Arc::new(Self { shared, branches, passes: Arc::default(), retired: AtomicBool::new(false) })
    }

    /// Its name.
    pub fn name(&self) -> &UpstreamName {
        &self.shared.name
    }

    /// How it is doing, now and from now on.
    pub fn state(&self) -> watch::Receiver<State> {
        self.shared.state.subscribe()
    }

    /// What its operator should know though it works.
    pub fn notes(&self) -> Vec<String> {
        let live = self.shared.live.borrow().clone();
        let mut notes = live.as_ref().map(|live| live.link.notes()).unwrap_or_default();
        if let Some(warmth) = self.warm() {
            if live.is_some_and(|live| live.peer.era != Era::Legacy) {
                notes.push("`warm` does nothing here: a server of the modern era keeps nothing between requests, and nobody needs an instance of their own".into());
            }
            let fault = self.branches.as_ref().and_then(|branches| branches.table().warm.fault().cloned());
            notes.extend(fault.map(|fault| {
                format!("{} of {} instances are warm; the last one failed: {fault}", warmth.ready, warmth.wanted)
            }));
        }
        notes
    }

    /// From now on so many instances are kept ready for those who need one of their own.
    pub fn keep_warm(&self, wanted: usize) {
        if let Some(branches) = &self.branches {
            branches.keep_warm(wanted);
        }
    }

    /// How many instances are ready for those who need one of their own, if there are to be some.
    pub fn warm(&self) -> Option<Warmth> {
        self.branches.as_ref()?.table().warm.warmth()
    }

    /// What it tells from now on, on whichever connection.
    pub fn changes(&self) -> broadcast::Receiver<Told> {
        self.shared.teller.subscribe()
    }

    /// Waits until it can be asked, at most until `deadline`. In a pause between attempts this makes for one right away.
    pub async fn ready(&self, deadline: Instant) -> Result<Arc<Peer>, Failure> {
        self.shared.ready(deadline, 0).await.map(|live| live.peer.clone())
    }

    /// Ends its connections, whatever is in flight there, and waits until the next one stands, at most until `deadline`.
    pub async fn restart(&self, deadline: Instant) -> Result<Arc<Peer>, Failure> {
        let generation = self.shared.live.borrow().as_ref().map_or(0, |live| live.peer.generation);
        self.start_anew();
        if let Some(branches) = &self.branches {
            branches.restart();
        }
        self.shared.ready(deadline, generation).await.map(|live| live.peer.clone())
    }

    /// Has its connection made anew, without waiting for that.
    pub(crate) fn start_anew(&self) {
        hold_back(&self.shared, Instant::now(), Duration::ZERO);
        self.shared.anew.notify_waiters();
        self.shared.wanted.notify_waiters();
    }

    /// Whether a client has said on this connection what its roots are.
    pub(crate) fn has_roots(&self) -> bool {
        self.shared.connector.surroundings.roots.are_known()
    }

    /// Asks whether it answers, and gives how long that took.
    pub async fn probe(&self) -> Result<(Arc<Peer>, Duration), Failure> {
        let Timeouts { connect, probe, .. } = self.shared.timeouts;
        let live = self.shared.ready(Instant::now() + connect, 0).await?;
        let asked = Instant::now();
        match live.link.answers(probe).await {
            true => Ok((live.peer.clone(), asked.elapsed())),
            false => Err(Failure::Timeout(probe)),
        }
    }

    /// What it says beside its answers, on whichever connection.
    pub fn lines(&self) -> Arc<Ring<LogLine>> {
        self.shared.connector.host.lines(&self.shared.name)
    }

    /// Sends a request. Whatever keeps it from being answered becomes an error that names the upstream.
    ///
    /// A request that certainly was not run is sent again on the next connection, once; any other is sent at most once.
    pub async fn send(&self, call: Call) -> Reply {
        if let Some(error) = not_carried(&call.method) {
            return Reply::done(Err(error));
        }
        match self.send_apart(call).await {
            Ok(reply) => reply,
            Err(failure) => {
                // That a stopped upstream answers no more is as it should be.
                if !matches!(failure, Failure::Stopped) {
                    tracing::warn!(upstream = %self.shared.name, error = %failure, "a call failed");
                }
                Reply::done(Err(failure.to_rpc(&self.shared.name)))
            }
        }
    }

    /// Sends a request over the connection that its origin shares with whoever the config says.
    async fn send_apart(&self, mut call: Call) -> Result<Reply, Failure> {
        // A connection of its own ends with the call, and with that a task would: it is waited for.
        if self.shared.connector.config.apart.by == Isolation::Call && meta::asks_for_task(&call.params) {
            meta::undeclare(&mut call.params, meta::TASKS);
        }
        let lease = self.lease(&call.origin, |branches| branches.lease(&call)).await?;
        let Some(lease) = lease else { return self.shared.send(call).await };
        let reply = lease.upstream.shared.send(call).await?;
        // It is in use until the outcome is there, or nobody wants it any more.
        Ok(reply.map_outcome(move |outcome| {
            drop(lease);
            outcome
        }))
    }

    /// The connection of an origin, if it has one of its own; `None` for the shared one.
    async fn lease(
        &self,
        origin: &Origin,
        of: impl FnOnce(&Arc<Branches>) -> Result<Option<Lease>, Failure>,
    ) -> Result<Option<Lease>, Failure> {
        let Some(branches) = self.branches.as_ref().filter(|_| !origin.is_own()) else { return Ok(None) };
        self.shared.touch(origin);
        let deadline = Instant::now() + self.shared.timeouts.connect;
        // A modern upstream keeps nothing that could be shared.
        if self.shared.ready(deadline, 0).await?.peer.era != Era::Legacy {
            return Ok(None);
        }
        of(branches)
    }

    /// Whether an origin has a connection of its own here, which may want to know of its roots.
    pub fn is_apart(&self, origin: &Origin) -> bool {
        self.branches.as_ref().is_some_and(|branches| branches.find(origin).is_some())
    }

    /// A client's roots are others now: the upstream is told if that client has a connection of its own. `answer` is what the
    /// client answers who asks for them.
    pub fn roots_changed(&self, origin: &Origin, answer: Json) {
        let branch = self.branches.as_ref().and_then(|branches| branches.find(origin));
        let Some(Shared { connector, live, .. }) = branch.as_ref().map(|branch| &*branch.shared) else { return };
        connector.surroundings.roots.set(answer);
        if let Some(Live { link: Link::Legacy(link), .. }) = live.borrow().as_deref() {
            link.roots_changed();
        }
    }

    /// A conversation is over: what was kept for it alone is ended.
    pub fn end_conversation(&self, conversation: &str) {
        if let Some(branches) = &self.branches {
            branches.end_conversation(conversation);
        }
    }

    /// How many connections there are beside the one that lists are read from.
    pub fn isolated(&self) -> usize {
        self.branches.as_ref().map_or(0, |branches| branches.len())
    }

    /// How many calls wait for their clients' answers.
    pub(crate) fn parked(&self) -> usize {
        self.shared.connector.surroundings.park.len()
    }

    /// The same for a request of the gateway's own, with the outcome alone.
    pub async fn ask(&self, method: Method, params: Object) -> Outcome {
        self.send(Call::own(method, params)).await.outcome().await
    }

    /// Watches a resource for changes, told as [`Change::ResourceUpdated`](crate::Change::ResourceUpdated) of the connection
    /// that calls of this origin use. Returns once the upstream has agreed; ends when the last watch of the resource there is
    /// dropped. Connections that come later are asked again.
    pub async fn watch(&self, uri: &str, origin: &Origin) -> Result<Watch, RpcError> {
        let (name, timeouts) = (&self.shared.name, self.shared.timeouts);
        let lease = self.lease(origin, |branches| branches.lease_to_watch(origin)).await;
        let lease = lease.map_err(|failure| failure.to_rpc(name))?;
        let shared = lease.as_ref().map_or(&self.shared, |lease| &lease.upstream.shared).clone();
        let deadline = Instant::now() + timeouts.connect;
        shared.ready(deadline, 0).await.map_err(|failure| failure.to_rpc(name))?;
        let watch = shared.wishes.hold(uri, lease);
        match timeout_at(deadline, watch.settled()).await {
            Ok(settled) => settled.map(|()| watch),
            Err(_) => Err(Failure::Timeout(timeouts.connect).to_rpc(name)),
        }
    }

    /// Whether a call waits here that a `requestState` of this upstream stands for. What the upstream itself keeps in a
    /// `requestState` is none.
    pub fn has_parked(&self, state: &str) -> bool {
        self.shared.connector.surroundings.park.holds(state)
            || self.branches.as_ref().is_some_and(|branches| branches.holder(state).is_some())
    }

    /// Gives up the call that a `requestState` stands for, as if nobody had come back for it in time.
    pub fn abandon(&self, state: &str) {
        self.shared.connector.surroundings.park.abandon(state);
        if let Some(holder) = self.branches.as_ref().and_then(|branches| branches.holder(state)) {
            holder.abandon(state);
        }
    }

    /// How long to wait for what.
    pub fn timeouts(&self) -> Timeouts {
        self.shared.timeouts
    }

    /// How much to accept of what.
    pub fn limits(&self) -> Limits {
        self.shared.limits
    }

    /// Lets somebody come who will send something; `None` once it was retired.
    pub fn enter(&self) -> Option<Pass> {
        // First counted, then looked: who is let in is waited for.
        self.passes.fetch_add(1, Ordering::SeqCst);
        let pass = Pass(self.passes.clone());
        (!self.retired.load(Ordering::SeqCst)).then_some(pass)
    }

    /// Lets nobody come any more.
    pub fn retire(&self) {
        self.retired.store(true, Ordering::SeqCst);
    }

    /// Waits until nothing is under way here: nobody is on the way, no call runs, and none waits for its client's answer.
    pub async fn drained(&self) {
        let is_over = || self.shared.around.stopped.is_cancelled();
        let is_quiet = || {
            let branches = self.branches.as_ref();
            let nobody = self.passes.load(Ordering::SeqCst) == 0;
            nobody
                && self.shared.is_quiet()
                && self.parked() == 0
                && branches.is_none_or(|branches| branches.are_quiet())
        };
        while !is_over() && !is_quiet() {
            tokio::time::sleep(DRAIN_LOOK).await;
        }
    }

    /// Whether it was ended, or is about to be.
    pub fn is_stopping(&self) -> bool {
        self.shared.around.stopped.is_cancelled()
    }

    /// Ends it for good: streams are closed, a session is given up, a child process and all it started are gone on return.
    pub async fn stop(&self) {
        let Some(branches) = &self.branches else { return self.stop_alone().await };
        branches.stop();
        self.stop_alone().await;
        // What was begun by those who have just stopped, too.
        branches.ended().await;
    }

    /// The same, leaving the connections that are not shared.
    pub(crate) async fn stop_alone(&self) {
        self.shared.around.stopped.cancel();
        self.shared.around.tasks.close();
        self.shared.around.tasks.wait().await;
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.shared.around.stopped.cancel();
    }
}

/// Ends connections that nobody uses any more.
async fn sweep(branches: Arc<Branches>, stopped: CancellationToken) {
    while stopped.run_until_cancelled(tokio::time::sleep(SWEEP)).await.is_some() {
        branches.sweep();
    }
}

/// Requests of one hop go no further, and the gateway has means of its own for what some of them do.
fn not_carried(method: &Method) -> Option<RpcError> {
    let refused = matches!(
        method,
        Method::Discover
            | Method::Listen
            | Method::Initialize
            | Method::Ping
            | Method::SetLevel
            | Method::Subscribe
            | Method::Unsubscribe
            | Method::TasksList
            | Method::TasksResult
    );
    refused.then(|| {
        let data = Object::new().with("method", Json::string(method.as_str()));
        RpcError::new(code::METHOD_NOT_FOUND, format!("`{method}` is not passed on to upstreams"))
            .with_data(data.to_json())
    })
}
