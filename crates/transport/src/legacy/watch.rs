//! Changes for a legacy client: its subscriptions, and the lists it is told of unasked. Both are listens of the modern core.

use std::sync::{Arc, Weak};

use tokio_util::task::AbortOnDropHandle;
use toolgate_gateway::{Logs, Request};
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
    logs: Option<Logs>,
}

impl Session {
    /// Begins to listen for it. From here on no change is missed, though nobody is told yet.
    pub(super) async fn announcements(&self) -> Announcements {
        let logs = self.gateway.logs(&self.presented).await.ok();
        let all = Object::new()
            .with("toolsListChanged", Json::literal("true"))
            .with("promptsListChanged", Json::literal("true"))
            .with("resourcesListChanged", Json::literal("true"));
        Announcements { lists: self.listen(all).await, logs }
    }
}

/// Tells a client with an open stream of changed lists and of log messages that belong to no call, until it leaves.
pub(super) async fn announce(session: Weak<Session>, announcements: Announcements, outlet: Outlet) {
    let Announcements { mut lists, mut logs } = announcements;
    loop {
        let notification = tokio::select! {
            () = outlet.closed() => return,
            event = lists.next() => match event {
                Some(Event::Notification(notification)) if notification.method == Method::Acknowledged => continue,
                Some(Event::Notification(notification)) => notification,
                _ => return,
            },
            log = next_log(&mut logs) => {
                let (Some(params), Some(session)) = (log, session.upgrade()) else { return };
                let level = params.string("level").and_then(|level| Level::parse(&level));
                if level.is_none_or(|level| level < session.level()) {
                    continue;
                }
                Notification::new(Method::LogMessage, params)
            }
        };
        if outlet.send(Out::Message(as_legacy(notification))).await.is_err() {
            return;
        }
    }
}

async fn next_log(logs: &mut Option<Logs>) -> Option<Object> {
    logs.as_mut()?.next().await
}

/// Without the subscription's id, which this era does not know.
fn as_legacy(mut notification: Notification) -> bytes::Bytes {
    meta::edit(&mut notification.params, |meta| {
        meta.remove(meta::SUBSCRIPTION_ID);
    });
    notification.encode()
}
