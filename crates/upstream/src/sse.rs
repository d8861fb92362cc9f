//! HTTP with SSE, the transport of 2024-11-05: one event stream for all answers, a POST for each message.
//!
//! The stream begins with the URL to post to, which must be of the same origin: credentials go there.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Uri};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::error::Failure;
use crate::http::{Answer, Body, Endpoint, EventStream, is_message};
use crate::mux::{Mux, Outgoing};

/// Requests being posted at a time.
const POSTING: usize = 32;
/// For the server to take one message; the answer comes on the stream.
const POST: Duration = Duration::from_secs(30);

/// Opens the stream and learns where to post.
pub(crate) async fn connect(endpoint: Endpoint, tasks: &TaskTracker, within: Duration) -> Result<Arc<Mux>, Failure> {
    let opening = async {
        let answer = endpoint.get(endpoint.get_headers(), None).await?;
        let Body::Events(mut events) = answer.body else { return Err(answer.refusal()) };
        while let Some(event) = events.next().await? {
            if event.event.as_deref() == Some("endpoint") {
                let reference = String::from_utf8_lossy(&event.data).into_owned();
                let url = resolve(endpoint.url(), reference.trim())
                    .ok_or_else(|| Failure::Refused("it names an endpoint that is not of its own origin".into()))?;
                return Ok((events, url));
            }
        }
        Err(Failure::Garbage("its event stream ended before it named an endpoint".into()))
    };
    let (events, url) = timeout(within, opening).await.unwrap_or(Err(Failure::Timeout(within)))?;
    let (mux, outgoing) = Mux::new(endpoint.depth());
    let span = tracing::Span::current();
    tasks.spawn(read(events, mux.clone()).instrument(span.clone()));
    tasks.spawn(post_all(Arc::new(endpoint.at(url)), outgoing, mux.clone(), tasks.clone()).instrument(span));
    Ok(mux)
}

/// The URL that `reference` means at `base`, if it is of the same origin.
fn resolve(base: &Uri, reference: &str) -> Option<Uri> {
    let (scheme, authority) = (base.scheme_str()?, base.authority()?);
    if reference.starts_with("//") || reference.contains("..") {
        return None;
    }
    if reference.contains("://") {
        let url: Uri = reference.parse().ok()?;
        let port = |url: &Uri| {
            url.port_u16().or(match url.scheme_str() {
                Some("https") => Some(443),
                _ => Some(80),
            })
        };
        let same = url.scheme_str() == Some(scheme)
            && url.host().is_some_and(|host| base.host().is_some_and(|own| own.eq_ignore_ascii_case(host)));
        return (same && port(&url) == port(base)).then_some(url);
    }
    let path = match reference.chars().next()? {
        '/' => reference.to_owned(),
        '?' => format!("{}{reference}", base.path()),
        _ => format!("{}/{reference}", base.path().rsplit_once('/')?.0),
    };
    format!("{scheme}://{authority}{path}").parse().ok()
}

async fn read(mut events: Box<EventStream>, mux: Arc<Mux>) {
    let reading = async {
        loop {
            match events.next().await {
                Ok(Some(event)) if !is_message(&event) => {}
                Ok(Some(event)) => mux.receive(event.data),
                Ok(None) => return "its event stream ended".to_owned(),
                Err(failure) => return failure.to_string(),
            }
        }
    };
    if let Some(reason) = mux.closing().run_until_cancelled(reading).await {
        mux.close(&reason);
    }
}

/// Posts messages in order; a request does not wait for the one before it to be taken.
async fn post_all(endpoint: Arc<Endpoint>, mut outgoing: mpsc::Receiver<Outgoing>, mux: Arc<Mux>, tasks: TaskTracker) {
    let headers = endpoint.post_headers();
    let room = Arc::new(Semaphore::new(POSTING));
    let posting = async {
        while let Some(message) = outgoing.recv().await {
            let Some(id) = message.call else {
                if let Err(failure) = post(&endpoint, message, headers.clone()).await {
                    tracing::debug!(%failure, "a message did not reach the upstream");
                }
                continue;
            };
            let Ok(permit) = room.clone().acquire_owned().await else { return };
            if !mux.flight().begin(id) {
                continue;
            }
            let (endpoint, headers, mux) = (endpoint.clone(), headers.clone(), mux.clone());
            tasks.spawn(async move {
                let posted = mux.closing().run_until_cancelled(post(&endpoint, message, headers)).await;
                if let Some(Err(failure)) = posted {
                    if failure.did_not_run() {
                        mux.close("it cannot be reached any more");
                    }
                    mux.flight().fail(id, failure);
                }
                drop(permit);
            });
        }
    };
    mux.closing().run_until_cancelled(posting).await;
}

async fn post(endpoint: &Endpoint, message: Outgoing, headers: HeaderMap) -> Result<(), Failure> {
    let posted = timeout(POST, endpoint.post(message.text, headers)).await;
    let answer: Answer = posted.unwrap_or(Err(Failure::Timeout(POST)))?;
    if answer.status.is_success() { Ok(()) } else { Err(answer.refusal()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_go_to_the_same_origin_only() {
        let base: Uri = "http://host:80/a/sse?key=1".parse().unwrap();
        let resolved = |reference| resolve(&base, reference).map(|url| url.to_string());
        for (reference, expected) in [
            ("/messages?sessionId=1", Some("http://host:80/messages?sessionId=1")),
            ("messages", Some("http://host:80/a/messages")),
            ("?x=1", Some("http://host:80/a/sse?x=1")),
            ("http://HOST/m", Some("http://HOST/m")),
            ("http://host:81/m", None),
            ("https://host/m", None),
            ("http://other/m", None),
            ("//other/m", None),
            ("", None),
        ] {
            assert_eq!(
                resolved(reference).map(|url| url.to_lowercase()),
                expected.map(str::to_lowercase),
                "{reference}"
            );
        }
    }
}
