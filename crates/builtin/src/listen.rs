//! Telling of changes: one modern `subscriptions/listen`, and the same for a legacy session.

use std::collections::HashSet;

use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::watch;
use toolgate_protocol::meta::{self, RequestMeta, SUBSCRIPTION_ID};
use toolgate_protocol::{Id, Json, Method, Notification, Object, RpcError, code};

use crate::outbox::Outbox;
use crate::server::{Change, Server};

/// Resources one client may watch.
pub(crate) const MAX_WATCHED: usize = 1000;

/// What a client wants to hear of.
#[derive(Clone, Default)]
pub(crate) struct Wanted {
    pub(crate) tools: bool,
    pub(crate) prompts: bool,
    pub(crate) resources: bool,
    pub(crate) uris: HashSet<String>,
}

/// Answers one `subscriptions/listen`: acknowledges, tells of changes, and ends with a result once `closing` is true.
pub(crate) async fn listen(
    server: &Server,
    id: &Id,
    params: &Object,
    outbox: &Outbox,
    mut closing: watch::Receiver<bool>,
) -> Result<Object, RpcError> {
    RequestMeta::read(params)?;
    let wanted = Wanted::read(params, server)?;
    let mut changes = server.changes.listen();
    outbox.notify(&marked(Notification::new(Method::Acknowledged, wanted.acknowledged()), id)).await;
    loop {
        let heard = tokio::select! {
            heard = next(&mut changes, || wanted.clone()) => heard,
            _ = closing.wait_for(|closing| *closing) => break,
        };
        for change in heard.iter().filter(|change| wanted.wants(change)) {
            outbox.notify(&marked(notification(change), id)).await;
        }
    }
    let mut result = Object::new().with("resultType", Json::literal(r#""complete""#));
    meta::edit(&mut result, |meta| meta.set(SUBSCRIPTION_ID, id.json().clone()));
    Ok(result)
}

/// The next change. Whoever was too slow to hear all of them hears that everything wanted may have changed.
pub(crate) async fn next(changes: &mut broadcast::Receiver<Change>, wanted: impl Fn() -> Wanted) -> Vec<Change> {
    match changes.recv().await {
        Ok(change) => vec![change],
        Err(RecvError::Lagged(_)) => wanted().everything(),
        // The server itself holds the sender, so this is its end.
        Err(RecvError::Closed) => std::future::pending().await,
    }
}

/// How a change is told.
pub(crate) fn notification(change: &Change) -> Notification {
    match change {
        Change::Tools => Notification::new(Method::ToolsChanged, Object::new()),
        Change::Prompts => Notification::new(Method::PromptsChanged, Object::new()),
        Change::Resources => Notification::new(Method::ResourcesChanged, Object::new()),
        Change::Resource(uri) => {
            Notification::new(Method::ResourceUpdated, Object::new().with("uri", Json::string(uri)))
        }
    }
}

fn marked(mut notification: Notification, id: &Id) -> Notification {
    meta::edit(&mut notification.params, |meta| meta.set(SUBSCRIPTION_ID, id.json().clone()));
    notification
}

// === impl Wanted ===

impl Wanted {
    /// What was asked for, as far as the server can tell of it.
    fn read(params: &Object, server: &Server) -> Result<Self, RpcError> {
        let wrong = |what: &str| RpcError::new(code::INVALID_PARAMS, what);
        let asked = params.child("notifications").ok_or_else(|| wrong("`params.notifications` must be an object"))?;
        let flag = |name: &str| asked.get(name).is_some_and(|value| value.as_str() == "true");
        let uris: HashSet<String> = match asked.get("resourceSubscriptions") {
            None => HashSet::new(),
            Some(uris) => {
                uris.read().map_err(|_| wrong("`params.notifications.resourceSubscriptions` must be a list of URIs"))?
            }
        };
        if uris.len() > MAX_WATCHED {
            return Err(wrong(&format!("at most {MAX_WATCHED} resources can be watched at once")));
        }
        let has_resources = server.resources.is_some();
        Ok(Self {
            tools: flag("toolsListChanged") && server.about.varies,
            prompts: flag("promptsListChanged") && server.about.varies,
            resources: flag("resourcesListChanged") && has_resources,
            uris: if has_resources { uris } else { HashSet::new() },
        })
    }

    fn acknowledged(&self) -> Object {
        let mut agreed = Object::new();
        for (name, wanted) in [
            ("toolsListChanged", self.tools),
            ("promptsListChanged", self.prompts),
            ("resourcesListChanged", self.resources),
        ] {
            if wanted {
                agreed.set(name, Json::literal("true"));
            }
        }
        if !self.uris.is_empty() {
            agreed.set("resourceSubscriptions", Json::of(&self.uris).expect("a set of strings is JSON"));
        }
        Object::new().with("notifications", agreed.to_json())
    }

    pub(crate) fn wants(&self, change: &Change) -> bool {
        match change {
            Change::Tools => self.tools,
            Change::Prompts => self.prompts,
            Change::Resources => self.resources,
            Change::Resource(uri) => self.uris.contains(uri),
        }
    }

    fn everything(&self) -> Vec<Change> {
        let lists = [Change::Tools, Change::Prompts, Change::Resources].into_iter();
        lists.chain(self.uris.iter().cloned().map(Change::Resource)).collect()
    }
}
