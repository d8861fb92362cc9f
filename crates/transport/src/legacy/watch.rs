//! Changes for a legacy client: its subscriptions, and the lists it is told of unasked. Both are listens of the modern core.

use std::sync::{Arc, Weak};

use tokio_util::task::AbortOnDropHandle;
use toolgate_gateway::{Asides, Request};
use toolgate_protocol::meta::{self, Level};
use toolgate_protocol::{Event, Json, Method, Notification, Object, Outcome, Reply, RpcError, code};

use super::relay::uri;
use super::session::{Out, Outlet, Session};

/// The most resources that one session may subscribe to.
const MAX_WATCHES: usize = 1_000;

impl Session {
    /// `resources/subscribe`: answered once the upstream is being watched.
    pub(super) async fn subscribe(self: &Arc<Self>, params: &Object) -> Outcome {
        let uri = uri(params)?;
        if self.is_watched(&uri) {
            return Ok(Json::literal("{}"));
        }
        if self.watch_count() >= MAX_WATCHES {
            return Err(RpcError::new(
                code::INVALID_PARAMS,
                format!("a session may subscribe to at most {MAX_WATCHES} resources"),
            ));
        }
        let wanted = Object::new().with("resourceSubscriptions", Json::array_of([&Json::string(&uri)]));
        let mut reply = self.listen(wanted).await;
        let granted = match reply.next().await {
            Some(Event::Notification(acknowledged)) => acknowledged.params.child("notifications").unwrap_or_default(),
            Some(Event::Done(Err(error))) => return Err(error),
            _ => Object::new(),
        };
        if granted.get("resourceSubscriptions").is_none() {
            let data = Object::new().with("uri", Json::string(&uri));
            return Err(RpcError::new(
                code::LEGACY_RESOURCE_NOT_FOUND,
                format!("the resource cannot be subscribed to: {uri}"),
            )
            .with_data(data.to_json()));
        }
        let session = Arc::downgrade(self);
        let watch = tokio::spawn(async move {
            while let Some(Event::Notification(notification)) = reply.next().await {
                let Some(session) = session.upgrade() else { return };
                session.tell(Out::Message(as_legacy(notification)));
            }
        });
        self.watch(uri, AbortOnDropHandle::new(watch));
        Ok(Json::literal("{}"))
    }

    async fn listen(&self, wanted: Object) -> Reply {
        let mut params = Object::new().with("notifications", wanted.to_json());
        self.stamp(&mut params);
        let request = Request { id: Json::literal("0"), method: Method::Listen, params, param_headers: None };
        self.gateway.handle(&self.presented, request).await
    }
}

/// What a client with an open stream is told unasked.
pub(super) struct Announcements {
    lists: Reply,
    /// None where the endpoint is no more.
    asides: Option<Asides>,
}

impl Session {
    /// Begins to listen for it. From here on no change is missed, though nobody is told yet.
    pub(super) async fn announcements(&self) -> Announcements {
        let asides = self.gateway.asides(&self.presented).await.ok();
        let all = Object::new()
            .with("toolsListChanged", Json::literal("true"))
            .with("promptsListChanged", Json::literal("true"))
            .with("resourcesListChanged", Json::literal("true"));
        Announcements { lists: self.listen(all).await, asides }
    }
}

/// Tells a client with an open stream of changed lists, and what upstreams say in the course of no call, until it leaves.
pub(super) async fn announce(session: Weak<Session>, announcements: Announcements, outlet: Outlet) {
    let Announcements { mut lists, mut asides } = announcements;
    loop {
        let notification = tokio::select! {
            () = outlet.closed() => return,
            event = lists.next() => match event {
                Some(Event::Notification(notification)) if notification.method == Method::Acknowledged => continue,
                Some(Event::Notification(notification)) => notification,
                _ => return,
            },
            aside = next(&mut asides) => {
                let (Some(aside), Some(session)) = (aside, session.upgrade()) else { return };
                if !session.wants(&aside) {
                    continue;
                }
                aside
            }
        };
        if outlet.send(Out::Message(as_legacy(notification))).await.is_err() {
            return;
        }
    }
}

async fn next(asides: &mut Option<Asides>) -> Option<Notification> {
    asides.as_mut()?.next().await
}

impl Session {
    /// Whether an upstream's aside is for this client: severe enough, or of a page that it was sent to and not told of yet.
    fn wants(&self, aside: &Notification) -> bool {
        if aside.method == Method::ElicitationComplete {
            return self.is_done_with(aside);
        }
        let level = aside.params.string("level").and_then(|level| Level::parse(&level));
        level.is_some_and(|level| level >= self.level())
    }

    /// Whether the client knows the page that was visited and is to be told so: once.
    pub(super) fn is_done_with(&self, complete: &Notification) -> bool {
        complete.params.get("elicitationId").is_some_and(|id| self.forget_page(id))
    }
}

/// Without the subscription's id, which this era does not know.
fn as_legacy(mut notification: Notification) -> bytes::Bytes {
    meta::edit(&mut notification.params, |meta| {
        meta.remove(meta::SUBSCRIPTION_ID);
    });
    notification.encode()
}
