//! Asks upstreams what they offer, off the request path: when they come up, when they say that something changed, when what
//! they said has aged, and now and then without a reason.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;
use toolgate_protocol::{Json, Kind, Object, RpcError, code};
use toolgate_upstream::{Call, Change as Told, LogLine, Origin, Peer, State, Upstream, own_meta};

use crate::catalog::Inner;
use crate::change::Change;
use crate::offer::{Admission, Listed, Offer};
use crate::tracked::Tracked;

/// A list has at most so many pages.
const MAX_PAGES: usize = 1_000;
/// However short an upstream's `ttlMs`, its lists are not fetched more often than this.
const SHORTEST_TTL: Duration = Duration::from_secs(5);
/// Lists that came within this time are published together; one that takes longer is waited for apart.
const PATIENCE: Duration = Duration::from_secs(1);
/// A list that could not be fetched is tried again after this.
const RETRY: Duration = Duration::from_secs(5);

/// Keeps the lists of one upstream fresh until it stops.
pub(crate) async fn keep_fresh(inner: Arc<Inner>, member: Arc<Tracked>) {
    let upstream = member.upstream.clone();
    let mut state = upstream.state();
    let mut told = upstream.changes();
    let mut asked = member.asked.subscribe();
    let mut seen_generation = None;
    let mut due_at = None;
    state.mark_changed();
    loop {
        let due: Vec<Kind> = tokio::select! {
            changed = state.changed() => {
                if changed.is_err() {
                    return;
                }
                match &*state.borrow_and_update() {
                    State::Ready(peer) if seen_generation != Some(peer.generation) => Kind::ALL.to_vec(),
                    State::Failed { .. } => {
                        member.tried();
                        continue;
                    }
                    State::Stopped => return,
                    _ => continue,
                }
            }
            change = told.recv() => match change {
                Ok(change) => {
                    let mut due = lists_of(&change.change).to_vec();
                    // A server of many connections may tell on each of them.
                    while let Ok(another) = told.try_recv() {
                        due.extend(lists_of(&another.change).iter().filter(|kind| !due.contains(kind)).copied().collect::<Vec<_>>());
                    }
                    if due.is_empty() {
                        continue;
                    }
                    due
                }
                Err(RecvError::Lagged(_)) => Kind::ALL.to_vec(),
                Err(RecvError::Closed) => return,
            },
            Ok(()) = asked.changed() => Kind::ALL.to_vec(),
            () = sleep_until(due_at) => Kind::ALL.to_vec(),
        };
        due_at = None;
        let number = *asked.borrow_and_update();
        let done = |outcome| drop(member.done.send_replace((number, outcome)));
        let peer = match &*state.borrow() {
            State::Ready(peer) => peer.clone(),
            _ => {
                done(Err(member.why_unknown()));
                continue;
            }
        };
        let all = due.len() == Kind::ALL.len();
        match fetch(&inner, &member, &peer, &due).await {
            Ok(ttl) => {
                done(Ok(()));
                if all {
                    seen_generation = Some(peer.generation);
                }
                let sweep = inner.now().config.sweep;
                let ttl = ttl.map_or(sweep, |ttl| ttl.clamp(SHORTEST_TTL.min(sweep), sweep));
                due_at = Some(Instant::now() + ttl);
            }
            Err(_) if upstream.is_stopping() => return,
            Err(error) => {
                tracing::warn!(upstream = %upstream.name(), %error, "some lists could not be fetched; those known stay, next try in {RETRY:?}");
                done(Err(error.to_string()));
                member.tried();
                due_at = Some(Instant::now() + RETRY);
            }
        }
    }
}

/// The lists that a change says are others now. They are read from the connection that all share, wherever that was told.
fn lists_of(change: &Told) -> &'static [Kind] {
    match change {
        Told::ToolsChanged => &[Kind::Tool],
        Told::PromptsChanged => &[Kind::Prompt],
        Told::ResourcesChanged => &[Kind::Resource, Kind::Template],
        _ => &[],
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Passes on what an upstream tells that has nothing to do with lists. Apart from [`keep_fresh`], so that a slow list delays none of it.
pub(crate) async fn forward(inner: Arc<Inner>, member: Arc<Tracked>) {
    let upstream = member.upstream.clone();
    let name = upstream.name().clone();
    let mut told = upstream.changes();
    let mut state = upstream.state();
    loop {
        let change = tokio::select! {
            change = told.recv() => change,
            stopped = state.wait_for(|state| matches!(state, State::Stopped)) => {
                drop(stopped);
                return;
            }
        };
        let (change, whose) = match change {
            Ok(told) => (told.change, told.whose),
            Err(RecvError::Lagged(_)) => continue,
            Err(RecvError::Closed) => return,
        };
        let change = match change {
            Told::ResourceUpdated { uri, params } => {
                Change::Resource { upstream: name.clone(), uri: uri.as_str().into(), params, whose }
            }
            Told::PageVisited { id } => Change::PageVisited { upstream: name.clone(), id, whose },
            Told::Log { params } => {
                upstream.lines().note(LogLine::of_message(&params));
                Change::Log { upstream: name.clone(), params, whose }
            }
            _ => continue,
        };
        // Nobody listening is fine.
        let _ = inner.changes.send(change);
    }
}

/// Fetches the lists of `kinds` at once and publishes what the upstream offers now; what could not be fetched stays as it was.
///
/// A list that keeps us waiting does not hold up the others: they are published first. Gives the time that the lists may be
/// kept, or the first error.
async fn fetch(inner: &Inner, member: &Tracked, peer: &Peer, kinds: &[Kind]) -> Result<Option<Duration>, RpcError> {
    let admission = Admission { era: peer.era, most: inner.now().config.entries, permits: &*member.permits };
    let before = member.offer();
    let old = |kind| before.as_ref().map(|before| before.list(kind).clone()).unwrap_or_default();
    let mut offer = Offer {
        era: peer.era,
        revision: peer.revision,
        server_info: peer.server_info.clone(),
        capabilities: peer.capabilities.clone(),
        instructions: peer.instructions.clone(),
        tools: old(Kind::Tool),
        prompts: old(Kind::Prompt),
        resources: old(Kind::Resource),
        templates: old(Kind::Template),
    };
    let admission = &admission;
    let mut fetching: FuturesUnordered<_> = kinds
        .iter()
        .map(|&kind| async move {
            let has_some = peer.capabilities.get(kind.capability()).is_some();
            let listed = if has_some {
                fetch_list(&member.upstream, peer, kind, admission).await
            } else {
                Ok(Listed::default())
            };
            (kind, listed)
        })
        .collect();
    let mut late = std::pin::pin!(tokio::time::sleep(PATIENCE));
    let (mut is_late, mut fetched, mut failed) = (false, false, None);
    loop {
        let (kind, listed) = tokio::select! {
            next = fetching.next() => match next {
                Some(next) => next,
                None => break,
            },
            () = &mut late, if !is_late => {
                is_late = true;
                if fetched {
                    inner.publish(member, offer.clone());
                }
                continue;
            }
        };
        match listed {
            Ok(listed) => {
                *offer.list_mut(kind) = listed;
                fetched = true;
                if is_late {
                    inner.publish(member, offer.clone());
                }
            }
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    let ttl = offer.ttl();
    if fetched && !is_late {
        inner.publish(member, offer);
    }
    failed.map_or(Ok(ttl), Err)
}

/// All pages of one list.
async fn fetch_list(
    upstream: &Arc<Upstream>,
    peer: &Peer,
    kind: Kind,
    admission: &Admission<'_>,
) -> Result<Listed, RpcError> {
    let mut definitions = Vec::new();
    let (mut ttl, mut public) = (None, true);
    let mut cursors = HashSet::new();
    let mut cursor: Option<Json> = None;
    for _ in 0..MAX_PAGES {
        let mut params = Object::new();
        if let Some(cursor) = &cursor {
            params.set("cursor", cursor.clone());
        }
        params.set("_meta", own_meta(peer.revision).to_json());
        let call = Call { method: kind.list_method(), params, param_headers: Vec::new(), origin: Origin::own() };
        let page = match upstream.send(call).await.outcome().await {
            Ok(page) => page.object().map_err(|error| bad_list(kind, &error.to_string()))?,
            // A server may have resources without knowing the method for templates.
            Err(error) if error.code == code::METHOD_NOT_FOUND => return Ok(Listed::default()),
            Err(error) => return Err(error),
        };
        let entries = page
            .get(kind.list_member())
            .ok_or_else(|| bad_list(kind, &format!("`{}` is missing", kind.list_member())))?;
        definitions.extend(entries.array().map_err(|error| bad_list(kind, &error.to_string()))?);
        if let Some(page_ttl) = page.get("ttlMs").and_then(Json::as_u64).map(Duration::from_millis) {
            ttl = Some(ttl.map_or(page_ttl, |ttl: Duration| ttl.min(page_ttl)));
        }
        public &= page.string("cacheScope").as_deref() == Some("public");
        cursor = page.get("nextCursor").filter(|cursor| cursor.is_string()).cloned();
        match &cursor {
            None => break,
            Some(next) if !cursors.insert(next.clone()) => {
                tracing::warn!(upstream = %upstream.name(), %kind, "its list leads back to a page already read; stopped there");
                break;
            }
            Some(_) if definitions.len() > admission.most => break,
            Some(_) => {}
        }
    }
    let mut listed = Listed::check(kind, admission, definitions);
    listed.ttl = ttl.filter(|ttl| !ttl.is_zero());
    listed.public = public;
    Ok(listed)
}

fn bad_list(kind: Kind, what: &str) -> RpcError {
    RpcError::new(code::INTERNAL_ERROR, format!("the answer to {} is malformed: {what}", kind.list_method()))
}
