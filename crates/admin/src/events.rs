//! What happens, as server-sent events: what is kept of it, then what comes, without a gap.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::{HeaderMap, header};
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use toolgate_catalog::{Followed, Noted};

use crate::api::Admin;

/// A stream that has nothing to say says so, before proxies in between give it up.
const QUIET: Duration = Duration::from_secs(15);
/// Names the last event that a client received.
const LAST_EVENT_ID: &str = "last-event-id";
/// What a client is told that has missed something.
const MISSED: &str = r#"{"type":"missed"}"#;

/// One event: when, and what.
#[derive(Serialize)]
struct Told<'a, T> {
    at_ms: u64,
    #[serde(flatten)]
    what: &'a T,
}

/// What is yet to be sent.
struct Stream<T> {
    run: Arc<str>,
    before: std::vec::IntoIter<Arc<Noted<T>>>,
    missed: bool,
    next: tokio::sync::broadcast::Receiver<Arc<Noted<T>>>,
    closing: watch::Receiver<bool>,
}

/// What happens
///
/// Server-sent events; each is one JSON object with a `type`: `upstream` (its state is another), `lists`, `config_applied`,
/// `config_refused`, `session_begun`, `session_ended`, or `missed` where something is kept no more. `Last-Event-ID` continues
/// where a stream broke off, within the last 1024 events.
#[utoipa::path(get, operation_id = "followEvents", path = "/events", tag = "gateway",
    params(("Last-Event-ID" = Option<String>, Header, description = "The id of the last event received")),
    responses((status = 200, body = String, content_type = "text/event-stream")))]
pub(crate) async fn follow(State(admin): State<Arc<Admin>>, headers: HeaderMap) -> Response {
    let last = headers.get(LAST_EVENT_ID).map(|id| id.to_str().unwrap_or_default());
    let journal = admin.gateway.catalog().journal();
    match last {
        // Who begins hears what happens from now on.
        None => {
            let mut followed = journal.follow(0);
            followed.before.clear();
            followed.missed = false;
            admin.events(followed)
        }
        Some(id) => {
            let known = id.split_once('-').filter(|(run, _)| *run == &*admin.run);
            let number = known.and_then(|(_, number)| number.parse().ok());
            let mut followed = journal.follow(number.unwrap_or(0));
            followed.missed |= number.is_none();
            admin.events(followed)
        }
    }
}

impl Admin {
    /// An answer that goes on until either side ends it.
    pub(crate) fn events<T: Serialize + Send + Sync + 'static>(&self, followed: Followed<T>) -> Response {
        let Followed { before, missed, next } = followed;
        let closing = self.closing.subscribe();
        let stream = Stream { run: self.run.clone(), before: before.into_iter(), missed, next, closing };
        let events = stream::unfold(stream, |mut stream| async move {
            let text = stream.text().await?;
            Some((Ok::<_, std::convert::Infallible>(Bytes::from(text)), stream))
        });
        ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(events)).into_response()
    }
}

impl<T: Serialize> Stream<T> {
    /// What to send next; `None` at the end.
    async fn text(&mut self) -> Option<String> {
        if std::mem::take(&mut self.missed) {
            return Some(format!("data: {MISSED}\n\n"));
        }
        if let Some(noted) = self.before.next() {
            return Some(event(&self.run, &noted));
        }
        tokio::select! {
            _ = self.closing.wait_for(|closing| *closing) => return None,
            next = tokio::time::timeout(QUIET, self.next.recv()) => match next {
                Ok(Ok(noted)) => return Some(event(&self.run, &noted)),
                Ok(Err(RecvError::Lagged(_))) => {}
                Ok(Err(RecvError::Closed)) => return None,
                Err(_) => return Some(": still here\n\n".into()),
            },
        }
        Some(format!("data: {MISSED}\n\n"))
    }
}

fn event<T: Serialize>(run: &str, noted: &Noted<T>) -> String {
    let told = Told { at_ms: milliseconds(noted.at), what: &noted.what };
    let data = serde_json::to_string(&told).unwrap_or_else(|_| MISSED.into());
    format!("id: {run}-{}\ndata: {data}\n\n", noted.number)
}

/// Since 1970.
pub(crate) fn milliseconds(at: SystemTime) -> u64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
