//! `subscriptions/listen`: one long answer that tells of changes. The only request that concerns more than one upstream (law 4).
//!
//! Source: 2026-07-28 `basic/utilities/subscriptions`. The acknowledgement goes out when every watch upstream is live, so
//! that a change made right after it is not missed.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{broadcast, mpsc, watch};
use toolgate_catalog::{Change, View, Watch};
use toolgate_identity::{Caller, Presented};
use toolgate_protocol::{Event, Json, Kind, Method, Notification, Object, OnDrop, Reply, Subject, UpstreamName, meta};

use crate::error::Error;
use crate::exchange::Request;
use crate::follow::{self, Follower};
use crate::present::{Listing, Presenter};

/// The most resources one listen may name.
const MAX_RESOURCES: usize = 1_000;
/// Notifications that wait for a slow client before changes are merged.
const QUEUE: usize = 64;

/// What a listen asked for, as far as it is granted.
#[derive(Default)]
struct Filter {
    lists: Vec<Kind>,
    resources: HashMap<Resource, Watched>,
    tasks: Vec<String>,
}

/// A resource, by its upstream and its URI there.
type Resource = (UpstreamName, Arc<str>);
/// The URI by which a client named it, and where it is watched.
type Watched = (Arc<str>, Watch);

/// What a client was listed, so that nobody is told of changes that they do not see: another namespace's, or those of tools
/// behind the surface.
pub(crate) struct ListsWatch {
    tools: View,
    shown: Listing,
    prompts: View,
    resources: View,
    presenter: Arc<Presenter>,
    presented: Presented,
}

/// The lists that can be listened to, by the member that asks for them and the notification that tells of them.
const LISTS: [(Kind, &str, Method); 3] = [
    (Kind::Tool, "toolsListChanged", Method::ToolsChanged),
    (Kind::Prompt, "promptsListChanged", Method::PromptsChanged),
    (Kind::Resource, "resourcesListChanged", Method::ResourcesChanged),
];

/// What an endpoint's upstreams have to say to one client in the course of no call: log messages, and that a page was visited to
/// which it may have been sent. Clients of the modern era hear none of it.
pub struct Asides {
    changes: broadcast::Receiver<Change>,
    view: View,
    caller: Caller,
}

/// Starts to listen.
pub(crate) async fn listen(
    view: &View,
    changes: broadcast::Receiver<Change>,
    lists: ListsWatch,
    closing: watch::Receiver<bool>,
    request: Request,
) -> Result<Reply, Error> {
    let wanted = request
        .params
        .child("notifications")
        .ok_or_else(|| Error::BadParams("`notifications` must be an object".into()))?;
    let mut filter = Filter::default();
    filter.lists.extend(
        LISTS
            .iter()
            .filter(|(_, member, _)| wanted.get(member).is_some_and(|on| on.as_str() == "true"))
            .map(|(kind, _, _)| *kind),
    );

    for uri in resources(&wanted)? {
        // What cannot be watched is missing from the acknowledgement; that is how the client is told.
        if let Some((at, watched)) = watch(view.clone(), uri.into()).await {
            filter.resources.insert(at, watched);
        }
    }

    let tasks = follow::named(view, &wanted, &request.params).await?;
    filter.tasks.extend(tasks.iter().map(|task| task.id.clone()));

    let (sender, events) = mpsc::channel(QUEUE);
    let subscription = Object::new().with(meta::SUBSCRIPTION_ID, request.id).to_json();
    let acknowledged = Object::new().with("_meta", subscription.clone()).with("notifications", filter.to_json());
    let first = Event::Notification(Notification::new(Method::Acknowledged, acknowledged));
    sender.try_send(first).map_err(|_| Error::Internal("a new queue is full".into()))?;
    tokio::spawn(async move {
        tell(filter, (changes, Follower::new(tasks)), lists, closing, subscription, sender).await;
    });
    Ok(Reply::stream(events, OnDrop::default()))
}

/// Watches a resource, if that can be done.
async fn watch(view: View, uri: Arc<str>) -> Option<(Resource, Watched)> {
    let named = Object::new().with("uri", Json::string(&uri));
    let route = view.resolve(&Method::ResourcesRead, &named).await.ok()?;
    let watch = route.watch().await.ok()?;
    let Subject { upstream, native, .. } = route.subject().clone();
    Some(((upstream, native), (uri, watch)))
}

fn resources(wanted: &Object) -> Result<Vec<String>, Error> {
    let Some(uris) = wanted.get("resourceSubscriptions") else { return Ok(Vec::new()) };
    let uris: Vec<String> =
        uris.read().map_err(|_| Error::BadParams("`resourceSubscriptions` must be a list of URIs".into()))?;
    if uris.len() > MAX_RESOURCES {
        return Err(Error::BadParams(format!("at most {MAX_RESOURCES} resources can be listened to at once")));
    }
    Ok(uris)
}

/// Tells of changes until the client leaves or the gateway closes.
async fn tell(
    mut filter: Filter,
    (mut changes, mut tasks): (broadcast::Receiver<Change>, Follower),
    mut lists: ListsWatch,
    mut closing: watch::Receiver<bool>,
    subscription: Json,
    sender: mpsc::Sender<Event>,
) {
    // What was watched at an upstream in whose place there is another one now.
    let mut watching_anew = FuturesUnordered::new();
    loop {
        let notifications = tokio::select! {
            () = sender.closed() => return,
            _ = closing.wait_for(|closing| *closing) => break,
            Some(of_task) = tasks.next() => vec![of_task],
            Some(watched) = watching_anew.next() => {
                let Some((at, watched)): Option<(Resource, Watched)> = watched else { continue };
                // Nobody knows what happened in between.
                let changed = updated(&watched.0);
                filter.resources.insert(at, watched);
                vec![changed]
            }
            change = changes.recv() => match change {
                Ok(Change::Rearranged { .. }) if !lists.resources.is_served() => break,
                Ok(Change::Rearranged { replaced }) => {
                    for uri in filter.forget(&replaced) {
                        watching_anew.push(watch(lists.resources.now(), uri));
                    }
                    continue;
                }
                Ok(Change::List(kind)) if !lists.has_changed(kind) => continue,
                // It may be a namespace's no more, for all that is still watched.
                Ok(Change::Resource { upstream, uri, .. }) if !filter.may_hear(&lists, upstream.clone(), uri.clone()) => continue,
                Ok(change) => filter.notification(change).into_iter().collect(),
                Err(broadcast::error::RecvError::Lagged(_)) => filter.everything(),
                Err(broadcast::error::RecvError::Closed) => break,
            },
        };
        for mut notification in notifications {
            meta::edit(&mut notification.params, |meta| meta.set(meta::SUBSCRIPTION_ID, read_id(&subscription)));
            if sender.send(Event::Notification(notification)).await.is_err() {
                return;
            }
        }
    }
    let result = Object::new().with("resultType", Json::literal("\"complete\"")).with("_meta", subscription);
    // A client that has left needs no goodbye.
    let _ = sender.send(Event::Done(Ok(result.to_json()))).await;
}

fn read_id(subscription: &Json) -> Json {
    subscription
        .object()
        .ok()
        .and_then(|meta| meta.get(meta::SUBSCRIPTION_ID).cloned())
        .unwrap_or(Json::literal("null"))
}

// === impl Filter ===

impl Filter {
    /// As the acknowledgement repeats it.
    fn to_json(&self) -> Json {
        let mut granted = Object::new();
        for (kind, member, _) in &LISTS {
            if self.lists.contains(kind) {
                granted.set(member, Json::literal("true"));
            }
        }
        if !self.resources.is_empty() {
            let mut uris: Vec<&str> = self.resources.values().map(|(uri, _)| &**uri).collect();
            uris.sort_unstable();
            granted.set("resourceSubscriptions", Json::of(&uris).expect("a list of strings is JSON"));
        }
        if !self.tasks.is_empty() {
            granted.set(follow::TASK_IDS, Json::of(&self.tasks).expect("a list of strings is JSON"));
        }
        granted.to_json()
    }

    fn notification(&self, change: Change) -> Option<Notification> {
        match change {
            Change::List(kind) if self.lists.contains(&kind) => list_changed(kind),
            Change::Resource { upstream, uri, mut params, whose } => {
                let (public, watch) = self.resources.get(&(upstream, uri.clone()))?;
                if !watch.is_on(&whose) {
                    return None;
                }
                if *public != uri {
                    params.set("uri", Json::string(public));
                }
                Some(Notification::new(Method::ResourceUpdated, params))
            }
            _ => None,
        }
    }

    /// What may have changed while the client was too slow to be told.
    fn everything(&self) -> Vec<Notification> {
        let lists = self.lists.iter().filter_map(|kind| list_changed(*kind));
        lists.chain(self.resources.values().map(|(uri, _)| updated(uri))).collect()
    }

    /// Whether the client may still read a resource that changed.
    fn may_hear(&self, lists: &ListsWatch, upstream: UpstreamName, uri: Arc<str>) -> bool {
        self.resources.get(&(upstream, uri)).is_some_and(|(public, _)| lists.resources.still_has(public))
    }

    /// Gives up the watches at these upstreams. Gives the URIs that the client named.
    fn forget(&mut self, upstreams: &[UpstreamName]) -> Vec<Arc<str>> {
        let gone = self.resources.extract_if(|(upstream, _), _| upstreams.contains(upstream));
        gone.map(|(_, (uri, _))| uri).collect()
    }
}

fn updated(uri: &str) -> Notification {
    Notification::new(Method::ResourceUpdated, Object::new().with("uri", Json::string(uri)))
}

fn list_changed(kind: Kind) -> Option<Notification> {
    let (_, _, method) = LISTS.iter().find(|(listed, _, _)| *listed == kind)?;
    Some(Notification::new(method.clone(), Object::new()))
}

// === impl ListsWatch ===

impl ListsWatch {
    pub(crate) fn new(view: View, presenter: Arc<Presenter>, presented: Presented) -> Self {
        let shown = presenter.listing(&view, &presented);
        Self { tools: view.clone(), shown, prompts: view.clone(), resources: view, presenter, presented }
    }

    /// Whether the client's list of this kind is another one than when this was last asked.
    fn has_changed(&mut self, kind: Kind) -> bool {
        let seen = match kind {
            Kind::Tool => &mut self.tools,
            Kind::Prompt => &mut self.prompts,
            Kind::Resource | Kind::Template => &mut self.resources,
        };
        let now = seen.now();
        let before = std::mem::replace(seen, now);
        match kind {
            Kind::Tool => {
                let now = self.presenter.listing(&self.tools, &self.presented);
                let same = std::mem::replace(&mut self.shown, now) == now;
                !same || (now == Listing::Direct && !self.tools.lists_the_same(&before, kind))
            }
            Kind::Prompt => !self.prompts.lists_the_same(&before, kind),
            Kind::Resource | Kind::Template => {
                let same = |kind| self.resources.lists_the_same(&before, kind);
                !(same(Kind::Resource) && same(Kind::Template))
            }
        }
    }
}

// === impl Asides ===

impl Asides {
    pub(crate) fn new(changes: broadcast::Receiver<Change>, view: View, caller: Caller) -> Self {
        Self { changes, view, caller }
    }

    /// The next one; `None` when the gateway has ended.
    pub async fn next(&mut self) -> Option<Notification> {
        loop {
            match self.changes.recv().await {
                Ok(change) if !change.is_for(&self.caller) => {}
                Ok(Change::Log { upstream, params, .. }) if self.view.has_member(&upstream) => {
                    return Some(Notification::new(Method::LogMessage, params));
                }
                Ok(Change::PageVisited { upstream, id, .. }) if self.view.has_member(&upstream) => {
                    let params = Object::new().with("elicitationId", id);
                    return Some(Notification::new(Method::ElicitationComplete, params));
                }
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}
