//! How an upstream is met: which questions, in which order, until its era is known and the link stands.
//!
//! `server/discover` comes first and `initialize` where that shows no modern server, as 2026-07-28 `basic/versioning` has it;
//! with an era that is pinned or remembered, what that era begins with.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use toolgate_protocol::{Era, Message, Method, Object, Outcome, Request, Revision};

use crate::api::Api;
use crate::change::Teller;
use crate::config::{Config, EraPin, HttpConfig, StdioConfig, Transport};
use crate::course::Around;
use crate::era::{self, Peer, Verdict};
use crate::error::Failure;
use crate::flight::{Arrival, Flight, Seat, Traits};
use crate::greeted::{Greeted, Unsettled};
use crate::host::{Host, is_http};
use crate::http::{Answer, Body, Endpoint, is_message};
use crate::legacy::{self, Legacy, Session, Surroundings};
use crate::modern::{Modern, ModernHttp, own_meta};
use crate::mux::{Ask, Mux};
use crate::park::Park;
use crate::{sse, stdio};

/// So many inconclusive answers in a row to `server/discover` over HTTP, and `initialize` is tried all the same.
const PATIENCE: u32 = 2;
const HANDSHAKE: Traits = Traits { asks: false, logs: None, alone: true, own: true };

/// Meets one upstream, as often as need be.
#[derive(Debug)]
pub(crate) struct Connector {
    pub(crate) config: Config,
    pub(crate) host: Arc<Host>,
    pub(crate) surroundings: Surroundings,
}

/// A link that stands.
#[derive(Clone, Debug)]
pub(crate) enum Link {
    Modern(Arc<Modern>),
    Legacy(Arc<Legacy>),
    Api(Arc<Api>),
}

/// How far a meeting has come.
#[derive(Debug)]
pub(crate) enum Met {
    /// The link stands.
    Standing(Peer, Link),
    /// It will, as soon as the server is told so.
    Greeted(Greeted),
}

/// What was found on a shared connection.
enum Found {
    /// A modern server.
    Modern(Peer),
    /// A legacy server that was not asked to initialize yet.
    Legacy,
    /// One that was, and did.
    Initialized(Peer),
}

// === impl Connector ===

impl Connector {
    /// What tells does so to `teller`; all tasks are those of `around`.
    pub(crate) fn new(config: Config, host: Arc<Host>, teller: Teller, around: Around) -> Self {
        let Around { stopped, tasks, .. } = around.clone();
        let surroundings = Surroundings {
            teller,
            roots: Arc::default(),
            park: Park::new(host.rooms().clone(), config.limits.parked_for, tasks, stopped),
            around,
            timeouts: config.timeouts,
            limits: config.limits,
        };
        Self { config, host, surroundings }
    }

    /// Meets the upstream, up to the end of the handshake. `failures` in a row came before.
    pub(crate) async fn connect(&self, remembered: Option<Era>, failures: u32) -> Result<(Peer, Link), Failure> {
        match self.meet(remembered, failures).await? {
            Met::Standing(peer, link) => Ok((peer, link)),
            Met::Greeted(greeted) => self.settle(greeted).await,
        }
    }

    /// Ends the handshake with a legacy server.
    pub(crate) async fn settle(&self, greeted: Greeted) -> Result<(Peer, Link), Failure> {
        greeted.settle(self.surroundings.clone()).await
    }

    /// The same as [`Connector::connect`], but a legacy server is not told yet that the handshake is over.
    pub(crate) async fn meet(&self, remembered: Option<Era>, failures: u32) -> Result<Met, Failure> {
        let expected = match self.config.era {
            EraPin::Auto => remembered,
            EraPin::Legacy => Some(Era::Legacy),
            EraPin::Modern => Some(Era::Modern),
        };
        match &self.config.transport {
            Transport::Stdio(child) => self.over_stdio(child, expected).await,
            Transport::Http(place) => self.over_http(place, expected, failures).await,
            Transport::Sse(place) => self.over_sse(place).await,
            Transport::Api(api) => {
                let limits = &self.config.limits;
                let meeting = Api::meet(api, self.host.clone(), limits.message_bytes, limits.depth);
                meeting.await.map(|(peer, link)| Met::Standing(peer, Link::Api(link)))
            }
        }
    }

    // --- stdio ---

    async fn over_stdio(&self, child: &StdioConfig, expected: Option<Era>) -> Result<Met, Failure> {
        let mut mux = self.start(child)?;
        if expected == Some(Era::Legacy) {
            match self.initialize(mux.get()).await {
                Ok(peer) => return Ok(Met::greeted(peer, mux)),
                Err(failure) if self.config.era == EraPin::Legacy => return Err(declined(failure)),
                // What was remembered does not hold any more.
                Err(Ask::Error(_)) => {}
                Err(Ask::Failed(failure @ Failure::Timeout(_))) => return Err(failure),
                Err(Ask::Failed(_)) => mux = self.start(child)?,
            }
        }
        match self.discover(mux.get()).await {
            Ok(Found::Modern(peer)) => {
                let link = Modern::over_mux(mux.keep(), self.surroundings.teller.clone());
                Ok(Met::Standing(peer, Link::Modern(link)))
            }
            Ok(Found::Initialized(peer)) => Ok(Met::greeted(peer, mux)),
            Ok(Found::Legacy) => match self.initialize(mux.get()).await {
                Ok(peer) => Ok(Met::greeted(peer, mux)),
                // Some answer the question and end all the same.
                Err(Ask::Failed(Failure::Closed(_) | Failure::NotTaken(_))) => self.initialize_anew(child).await,
                Err(other) => Err(declined(other)),
            },
            // Servers exist that end on any request before `initialize`.
            Err(Failure::Closed(_) | Failure::NotTaken(_)) if self.config.era == EraPin::Auto => {
                self.initialize_anew(child).await
            }
            Err(failure) => Err(failure),
        }
    }

    fn start(&self, child: &StdioConfig) -> Result<Unsettled, Failure> {
        let tasks = &self.surroundings.around.tasks;
        stdio::connect(child, &self.config.limits, &self.config.name, &self.host, tasks).map(Unsettled::new)
    }

    async fn initialize_anew(&self, child: &StdioConfig) -> Result<Met, Failure> {
        let mux = self.start(child)?;
        let peer = self.initialize(mux.get()).await.map_err(declined)?;
        Ok(Met::greeted(peer, mux))
    }

    /// Asks `server/discover`. When that is met with silence, `initialize` is asked as well, and what answers first decides:
    /// a server that takes long to start answers in the order it was asked.
    async fn discover(&self, mux: &Arc<Mux>) -> Result<Found, Failure> {
        let within = self.config.timeouts.connect;
        let mut discover = mux.call(Method::Discover, discover_params(), HANDSHAKE, within, |_, _| {}).await?;
        if let Ok(outcome) = timeout(self.config.timeouts.probe, outcome_of(&mut discover)).await {
            let outcome = outcome?;
            if !era::contradicts_itself(&outcome) {
                return self.judge(&outcome);
            }
            let mut again = mux.call(Method::Discover, discover_params(), HANDSHAKE, within, |_, _| {}).await?;
            return self.judge(&outcome_of(&mut again).await?);
        }
        if self.config.era == EraPin::Modern {
            return self.judge(&outcome_of(&mut discover).await?);
        }
        let mut initialize = mux.call(Method::Initialize, self.hello(), HANDSHAKE, within, |_, _| {}).await?;
        let (mut no_modern, mut no_legacy) = (false, None);
        loop {
            tokio::select! {
                outcome = outcome_of(&mut discover), if !no_modern => match self.judge(&outcome?)? {
                    Found::Legacy => no_modern = true,
                    found => return Ok(found),
                },
                outcome = outcome_of(&mut initialize), if no_legacy.is_none() => match outcome? {
                    Ok(result) => return era::initialized(&result).map(Found::Initialized).map_err(Failure::Refused),
                    Err(error) => no_legacy = Some(declined(Ask::Error(error))),
                },
            }
            if let (true, Some(failure)) = (no_modern, &no_legacy) {
                return Err(failure.clone());
            }
        }
    }

    /// What an answer to `server/discover` means, given what may be found.
    fn judge(&self, outcome: &Outcome) -> Result<Found, Failure> {
        match era::judge(outcome) {
            Verdict::Modern(peer) => Ok(Found::Modern(peer)),
            Verdict::Unwilling(why) => Err(Failure::Refused(why)),
            Verdict::Legacy if self.config.era == EraPin::Modern => {
                Err(Failure::Refused("it is no server of the modern era, which `era: modern` asks for".into()))
            }
            Verdict::Legacy => Ok(Found::Legacy),
        }
    }

    /// The parameters of `initialize`.
    fn hello(&self) -> Object {
        legacy::initialize_params(self.surroundings.teller.whose())
    }

    async fn initialize(&self, mux: &Arc<Mux>) -> Result<Peer, Ask> {
        let result = mux.ask(Method::Initialize, self.hello(), HANDSHAKE, self.config.timeouts.connect).await?;
        era::initialized(&result).map_err(|why| Ask::Failed(Failure::Refused(why)))
    }

    // --- HTTP ---

    fn endpoint(&self, place: &HttpConfig) -> Result<Endpoint, Failure> {
        if is_http(&place.url) {
            Ok(Endpoint::new(place, &self.config.limits, &self.host))
        } else {
            Err(Failure::Refused("its URL is not an absolute http or https URL".into()))
        }
    }

    async fn over_sse(&self, place: &HttpConfig) -> Result<Met, Failure> {
        let connecting =
            sse::connect(self.endpoint(place)?, &self.surroundings.around.tasks, self.config.timeouts.connect);
        let mux = Unsettled::new(connecting.await?);
        let peer = self.initialize(mux.get()).await.map_err(declined)?;
        Ok(Met::greeted(peer, mux))
    }

    async fn over_http(&self, place: &HttpConfig, expected: Option<Era>, failures: u32) -> Result<Met, Failure> {
        if expected == Some(Era::Legacy) {
            match self.initialize_over_http(place).await {
                // What was remembered does not hold any more.
                Err(NoSession::Declined(_)) if self.config.era == EraPin::Auto => {}
                other => return other.map_err(NoSession::into_failure),
            }
        }
        let http = ModernHttp::new(self.endpoint(place)?, Revision::LATEST_MODERN);
        match self.discover_over_http(&http, failures).await? {
            Found::Modern(peer) => {
                let link = Modern::over_http(http, self.surroundings.teller.clone());
                Ok(Met::Standing(peer, Link::Modern(link)))
            }
            Found::Legacy | Found::Initialized(_) => {
                self.initialize_over_http(place).await.map_err(NoSession::into_failure)
            }
        }
    }

    async fn discover_over_http(&self, http: &ModernHttp, failures: u32) -> Result<Found, Failure> {
        let probe = self.config.timeouts.probe;
        let asking = async {
            let mut asked_again = false;
            loop {
                let (id, answer) = http.send(&Method::Discover, discover_params(), &[]).await?;
                let met = read_outcome(id, answer, http.depth()).await?;
                if asked_again || !met.1.as_ref().is_some_and(era::contradicts_itself) {
                    return Ok(met);
                }
                asked_again = true;
            }
        };
        // Failing and being silent are no evidence, but a server that does so for ever must be met some way.
        let inconclusive = |failure| {
            if failures >= PATIENCE && self.config.era == EraPin::Auto { Ok(Found::Legacy) } else { Err(failure) }
        };
        match timeout(probe, asking).await {
            Err(_) => inconclusive(Failure::Timeout(probe)),
            Ok(Err(failure)) => Err(failure),
            Ok(Ok((status, outcome, refusal))) => match (status, outcome) {
                (300..=399 | 401 | 403 | 429, _) => Err(refusal),
                (500.., _) => inconclusive(refusal),
                (_, Some(outcome)) => self.judge(&outcome),
                (_, None) if self.config.era == EraPin::Modern => Err(refusal),
                (_, None) => Ok(Found::Legacy),
            },
        }
    }

    async fn initialize_over_http(&self, place: &HttpConfig) -> Result<Met, NoSession> {
        let endpoint = self.endpoint(place).map_err(NoSession::Failed)?;
        let flight = Flight::new();
        let seat = flight.board(HANDSHAKE).map_err(NoSession::Failed)?;
        let text = Request::new(seat.request_id(), Method::Initialize, self.hello()).encode();
        let answer = endpoint.post(text, endpoint.post_headers()).await.map_err(NoSession::Failed)?;
        let session = answer.session.clone();
        let (status, outcome, refusal) =
            read_outcome(seat.id(), answer, endpoint.depth()).await.map_err(NoSession::Failed)?;
        let failure = match (status, outcome) {
            (200..300, Some(Ok(result))) => {
                let peer = era::initialized(&result).map_err(|why| NoSession::Declined(Failure::Refused(why)))?;
                let session = Session::new(endpoint, session, peer.revision, flight);
                return Ok(Met::Greeted(Greeted::over_http(peer, session)));
            }
            (300..=399 | 401 | 403 | 429 | 500.., _) => return Err(NoSession::Failed(refusal)),
            (_, Some(Err(error))) => declined(Ask::Error(error)),
            (_, _) => refusal,
        };
        // The way that 2024-11-05 servers are told apart.
        if matches!(status, 400 | 404 | 405) {
            match self.over_sse(place).await {
                Ok(met) => return Ok(met),
                Err(error) => tracing::debug!(%error, "no server of HTTP with SSE either"),
            }
        }
        Err(NoSession::Declined(failure))
    }
}

/// Why `initialize` over HTTP began no session.
enum NoSession {
    /// The server does not do that.
    Declined(Failure),
    /// Nothing can be said about it.
    Failed(Failure),
}

// === impl NoSession ===

impl NoSession {
    fn into_failure(self) -> Failure {
        match self {
            Self::Declined(failure) | Self::Failed(failure) => failure,
        }
    }
}

fn discover_params() -> Object {
    Object::new().with("_meta", own_meta(Revision::LATEST_MODERN).to_json())
}

fn declined(ask: Ask) -> Failure {
    match ask {
        Ask::Error(error) => Failure::Refused(format!("it answered initialize with error {}", error.code)),
        Ask::Failed(failure) => failure,
    }
}

async fn outcome_of(seat: &mut Seat) -> Result<Outcome, Failure> {
    loop {
        match seat.next().await {
            Arrival::Outcome(outcome) => return Ok(outcome),
            Arrival::Lost(failure) => return Err(failure),
            Arrival::Notification(_) | Arrival::Question(_) => {}
        }
    }
}

/// The status, the outcome if there is one in the body or on its stream, and what to say if it is of no use.
async fn read_outcome(id: u64, mut answer: Answer, depth: usize) -> Result<(u16, Option<Outcome>, Failure), Failure> {
    let refusal = answer.refusal();
    let status = answer.status.as_u16();
    let outcome = match &mut answer.body {
        Body::Events(events) => loop {
            match events.next().await? {
                None => break None,
                Some(event) if !is_message(&event) => {}
                Some(event) => {
                    if let Ok(Message::Response(response)) = Message::parse_within(event.data, depth) {
                        break Some(response.outcome);
                    }
                }
            }
        },
        Body::Json(_) | Body::Other(..) => answer.outcome(id, depth),
    };
    if let Body::Events(events) = answer.body {
        events.finish();
    }
    Ok((status, outcome, refusal))
}

// === impl Met ===

impl Met {
    fn greeted(peer: Peer, mux: Unsettled) -> Self {
        Self::Greeted(Greeted::over_mux(peer, mux))
    }
}

// === impl Link ===

impl Link {
    /// Whether the upstream answers at all, be it with an error, within this time.
    pub(crate) async fn answers(&self, within: Duration) -> bool {
        match self {
            Self::Modern(link) => link.answers(within).await,
            Self::Legacy(link) => link.answers(within).await,
            Self::Api(_) => true,
        }
    }

    pub(crate) fn lost(&self) -> &tokio_util::sync::CancellationToken {
        match self {
            Self::Modern(link) => link.lost(),
            Self::Legacy(link) => link.lost(),
            Self::Api(link) => link.lost(),
        }
    }

    /// What the operator should know though it works.
    pub(crate) fn notes(&self) -> Vec<String> {
        match self {
            Self::Api(link) => link.notes(),
            Self::Modern(_) | Self::Legacy(_) => Vec::new(),
        }
    }

    pub(crate) fn why(&self) -> Option<String> {
        match self {
            Self::Modern(link) => link.why(),
            Self::Legacy(link) => link.why(),
            Self::Api(_) => None,
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Modern(link) => link.close(),
            Self::Legacy(link) => link.close().await,
            Self::Api(link) => link.close(),
        }
    }
}
