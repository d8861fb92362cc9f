//! Keeps one `subscriptions/listen` open to a modern upstream and tells what it tells.
//!
//! When the watched resources change, a new listen is opened and acknowledged before the old one is closed, so nothing is
//! missed in between; and over HTTP, where nothing orders the two, the old one is read for a moment longer. When a listen breaks off, whatever could have changed meanwhile counts as changed: nothing is replayed
//! in this protocol.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use toolgate_protocol::{Json, Message, Method, Notification, Object, Outcome, RpcError, code};

use crate::change::{Change, Teller};
use crate::config::Backoff;
use crate::era::Peer;
use crate::error::Failure;
use crate::flight::{Arrival, Seat};
use crate::http::EventStream;
use crate::modern::{Modern, cancelled, next_message, own_meta};
use crate::mux::Mux;
use crate::watch::{Status, Wishes};

/// How long a listen may take to be acknowledged.
const ACKNOWLEDGE: Duration = Duration::from_secs(5);

/// How long a listen is read whose place another one has taken.
const LEAVING: Duration = Duration::from_secs(1);

/// One upstream's listen.
pub(crate) struct Listener {
    pub(crate) link: Arc<Modern>,
    pub(crate) peer: Arc<Peer>,
    pub(crate) wishes: Arc<Wishes>,
    pub(crate) teller: Teller,
    pub(crate) restart: Backoff,
}

/// An open listen. Dropping it ends it.
#[derive(Debug)]
pub(crate) enum Listening {
    /// On a shared connection.
    Mux { seat: Seat, mux: Arc<Mux> },
    /// On a connection of its own.
    Http { id: u64, events: Box<EventStream>, depth: usize },
    /// It ended at once.
    Answered(Option<Outcome>),
}

/// What a listen tells.
#[derive(Debug)]
pub(crate) enum Told {
    /// Something happened.
    Notification(Notification),
    /// The upstream ended it, or would not have it.
    Ended(Outcome),
    /// It broke off.
    Lost(Failure),
}

/// Why there is no listen.
enum NoListen {
    /// The upstream will not have one.
    Refused(RpcError),
    /// It may work later.
    Failed(Failure),
}

// === impl Listener ===

impl Listener {
    /// Runs until dropped. `live` is told when the first listen stands, or is known not to be coming.
    pub(crate) async fn run(self, live: oneshot::Sender<()>) {
        let mut live = Some(live);
        let mut wishes = self.wishes.changes();
        let mut current: Option<Listening> = None;
        let mut failures = 0;
        let (mut missed, mut stood) = (false, false);
        // Those whose place was taken; they end with this one.
        let mut leaving = JoinSet::new();
        loop {
            while leaving.try_join_next().is_some() {}
            wishes.mark_unchanged();
            let wanted = self.wishes.wanted();
            let Some(filter) = self.filter(&wanted) else {
                current = None;
                self.settle_all(&wanted, &Status::Refused(self.offers_none()));
                drop(live.take());
                if wishes.changed().await.is_err() {
                    return;
                }
                continue;
            };
            let replaced = self.replace(&mut current, &mut leaving, filter).await;
            if stood && current.is_none() && replaced.is_err() {
                // It had one: a server of the other era may have taken its place.
                self.link.recheck(ACKNOWLEDGE).await;
            }
            match replaced {
                Ok(agreed) => {
                    (failures, stood) = (0, true);
                    if std::mem::take(&mut missed) {
                        self.tell_all(&wanted);
                    }
                    for uri in &wanted {
                        let status = if agreed.iter().any(|other| other == &**uri) {
                            Status::Live
                        } else {
                            Status::Refused(not_watched(uri))
                        };
                        self.wishes.settle(uri, status);
                    }
                }
                Err(NoListen::Refused(error)) => {
                    tracing::debug!(error = %error.code, "the upstream accepts no listen");
                    current = None;
                    self.settle_all(&wanted, &Status::Refused(error));
                }
                Err(NoListen::Failed(failure)) => {
                    tracing::debug!(%failure, "no listen could be opened; trying again");
                    drop(live.take());
                    missed = true;
                    failures += 1;
                    sleep(self.restart.pause(failures)).await;
                    continue;
                }
            }
            drop(live.take());
            let broke_off = tokio::select! {
                changed = wishes.changed() => match changed {
                    Ok(()) => false,
                    Err(_) => return,
                },
                () = self.tell_until_end(&mut current) => true,
            };
            if broke_off {
                current = None;
                missed = true;
                failures += 1;
                sleep(self.restart.pause(failures)).await;
            }
        }
    }

    /// What to ask for; `None` when the upstream offers nothing of the kind.
    fn filter(&self, wanted: &[Arc<str>]) -> Option<Object> {
        let mut filter = Object::new();
        for (capability, member) in
            [("tools", "toolsListChanged"), ("prompts", "promptsListChanged"), ("resources", "resourcesListChanged")]
        {
            if self.peer.can(&[capability, "listChanged"]) {
                filter.set(member, Json::literal("true"));
            }
        }
        if !wanted.is_empty() && self.peer.can(&["resources", "subscribe"]) {
            let uris: Vec<&str> = wanted.iter().map(|uri| &**uri).collect();
            filter.set("resourceSubscriptions", Json::of(&uris).expect("a list of strings is JSON"));
        }
        (!filter.is_empty()).then_some(filter)
    }

    /// Opens a listen, waits for its acknowledgement while still telling what the current one tells, and puts it in its
    /// place. Returns the resources that the upstream agreed to watch.
    async fn replace(
        &self,
        current: &mut Option<Listening>,
        leaving: &mut JoinSet<()>,
        filter: Object,
    ) -> Result<Vec<String>, NoListen> {
        let opening = timeout(ACKNOWLEDGE, self.open(filter));
        tokio::pin!(opening);
        let (listening, agreed) = loop {
            tokio::select! {
                opened = &mut opening => break opened.unwrap_or(Err(NoListen::Failed(Failure::Timeout(ACKNOWLEDGE))))?,
                () = self.tell_until_end(current), if current.is_some() => *current = None,
            }
        };
        // What the old one has told in the meantime is not lost.
        tokio::select! {
            biased;
            () = self.tell_until_end(current), if current.is_some() => {}
            () = std::future::ready(()) => {}
        }
        if let Some(old @ Listening::Http { .. }) = current.replace(listening) {
            leaving.spawn(tell_the_rest(old, self.teller.clone()));
        }
        Ok(agreed)
    }

    async fn open(&self, filter: Object) -> Result<(Listening, Vec<String>), NoListen> {
        let params =
            Object::new().with("notifications", filter.to_json()).with("_meta", own_meta(self.peer.revision).to_json());
        let mut listening = self.link.listen(params, ACKNOWLEDGE).await.map_err(NoListen::Failed)?;
        loop {
            match listening.next().await {
                Told::Notification(notification) if notification.method == Method::Acknowledged => {
                    let agreed = notification.params.child("notifications").unwrap_or_default();
                    let uris =
                        agreed.get("resourceSubscriptions").and_then(|uris| uris.array().ok()).unwrap_or_default();
                    return Ok((listening, uris.iter().filter_map(Json::as_string).collect()));
                }
                Told::Notification(notification) => drop(self.teller.pass_on(&notification)),
                Told::Ended(Err(error)) => return Err(NoListen::Refused(error)),
                Told::Ended(Ok(_)) => return Err(NoListen::Failed(Failure::Closed("the listen ended at once".into()))),
                Told::Lost(failure) => return Err(NoListen::Failed(failure)),
            }
        }
    }

    /// Tells what the listen tells. For ever, if there is none.
    async fn tell_until_end(&self, listening: &mut Option<Listening>) {
        let Some(listening) = listening else { return std::future::pending().await };
        while let Told::Notification(notification) = listening.next().await {
            self.teller.pass_on(&notification);
        }
    }

    /// Tells that everything may have changed, the watched resources too.
    fn tell_all(&self, watched: &[Arc<str>]) {
        self.teller.tell(Change::ToolsChanged);
        self.teller.tell(Change::PromptsChanged);
        self.teller.tell(Change::ResourcesChanged);
        for uri in watched {
            let params = Object::new().with("uri", Json::string(uri));
            self.teller.tell(Change::ResourceUpdated { uri: uri.to_string(), params });
        }
    }

    fn settle_all(&self, uris: &[Arc<str>], status: &Status) {
        for uri in uris {
            self.wishes.settle(uri, status.clone());
        }
    }

    fn offers_none(&self) -> RpcError {
        RpcError::new(code::METHOD_NOT_FOUND, "the upstream offers no resource subscriptions")
    }
}

/// What a listen still tells after another one has taken its place: what was on its way then. Told twice is allowed.
async fn tell_the_rest(mut old: Listening, teller: Teller) {
    let telling = async {
        while let Told::Notification(notification) = old.next().await {
            teller.pass_on(&notification);
        }
    };
    // It has nothing more to say after that.
    let _ = timeout(LEAVING, telling).await;
}

fn not_watched(uri: &str) -> RpcError {
    RpcError::new(code::INVALID_PARAMS, "the upstream does not watch this resource")
        .with_data(Object::new().with("uri", Json::string(uri)).to_json())
}

// === impl Listening ===

impl Listening {
    /// What it tells next. May be dropped in mid-wait without losing anything.
    pub(crate) async fn next(&mut self) -> Told {
        match self {
            Self::Answered(outcome) => {
                outcome.take().map_or_else(|| Told::Lost(Failure::Closed("the listen ended".into())), Told::Ended)
            }
            Self::Mux { seat, .. } => loop {
                match seat.next().await {
                    Arrival::Notification(notification) if notification.method == Method::Cancelled => {
                        return Told::Ended(Ok(Object::new().to_json()));
                    }
                    Arrival::Notification(notification) => return Told::Notification(notification),
                    Arrival::Outcome(outcome) => return Told::Ended(outcome),
                    Arrival::Lost(failure) => return Told::Lost(failure),
                    Arrival::Question(_) => {}
                }
            },
            Self::Http { id, events, depth } => loop {
                match next_message(events, *depth).await {
                    Err(failure) => return Told::Lost(failure),
                    Ok(Message::Notification(notification)) => return Told::Notification(notification),
                    Ok(Message::Response(response))
                        if response.id.as_ref().is_none_or(|answered| answered.as_u64() == Some(*id)) =>
                    {
                        return Told::Ended(response.outcome);
                    }
                    Ok(Message::Response(_) | Message::Request(_)) => {}
                }
            },
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if let Self::Mux { seat, mux } = self
            && seat.leave()
        {
            mux.push(cancelled(seat));
        }
    }
}
