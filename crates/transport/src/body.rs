//! Bodies: a request's, read within bounds; an answer's, streamed as server-sent events.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Frame, Incoming, SizeHint};
use toolgate_protocol::sse;

use crate::rescue;

/// The body of an answer.
pub(crate) enum Body {
    /// There at once.
    Whole(Bytes),
    /// Comes in parts.
    Stream(Pin<Box<dyn Stream<Item = Bytes> + Send>>),
}

/// A client that stops sending in the middle of a body is given up after this.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// The most of a refused body that is read and dropped, and for how long.
const DISCARD_BYTES: usize = 64 << 20;
const DISCARD_TIME: Duration = Duration::from_secs(5);
/// A stream that has nothing to say says so, before proxies in between give it up.
pub(crate) const QUIET: Duration = Duration::from_secs(15);

/// Reads a JSON body of at most `limit` bytes; else gives the answer that says what is wrong with it.
pub(crate) async fn read(headers: &HeaderMap, mut body: Incoming, limit: usize) -> Result<Bytes, Box<Response<Body>>> {
    let read = read_within(headers, &mut body, limit).await;
    if read.is_err() {
        discard(body);
    }
    read.map_err(Box::new)
}

async fn read_within(headers: &HeaderMap, body: &mut Incoming, limit: usize) -> Result<Bytes, Response<Body>> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(rescue::invalid(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the Content-Type must be application/json"));
    }
    if headers.contains_key(header::CONTENT_ENCODING) {
        return Err(rescue::invalid(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "bodies with a Content-Encoding are not accepted",
        ));
    }
    let too_large = || {
        rescue::invalid(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is larger than {limit} bytes (`limits.request`)"),
        )
    };
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, limit).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.downcast_ref::<LengthLimitError>().is_some() => Err(too_large()),
        Ok(Err(_)) => Err(rescue::invalid(StatusCode::BAD_REQUEST, "the body broke off")),
        Err(_) => Err(rescue::invalid(
            StatusCode::REQUEST_TIMEOUT,
            format!("the body did not arrive within {BODY_TIMEOUT:?}"),
        )),
    }
}

/// Lets a client finish sending what nobody wants, so that it gets as far as to read why: most clients write all before they
/// read, and a connection closed under them looks like a crash.
pub(crate) fn discard(mut body: Incoming) {
    if hyper::body::Body::is_end_stream(&body) {
        return;
    }
    tokio::spawn(tokio::time::timeout(DISCARD_TIME, async move {
        let mut left = DISCARD_BYTES;
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                return;
            }
        }
    }));
}

/// An answer that goes on: each item is one server-sent event, or a comment.
pub(crate) fn event_stream(events: impl Stream<Item = Bytes> + Send + 'static) -> Response<Body> {
    let mut response = Response::new(Body::Stream(Box::pin(events)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    // nginx buffers answers unless told not to.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// What keeps a quiet stream open.
pub(crate) fn keep_alive() -> Bytes {
    Bytes::from_static(sse::KEEP_ALIVE)
}

// === impl Body ===

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(text) if text.is_empty() => Poll::Ready(None),
            Self::Whole(text) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(text))))),
            Self::Stream(parts) => parts.as_mut().poll_next(context).map(|part| part.map(|text| Ok(Frame::data(text)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(text) if text.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(text) => SizeHint::with_exact(text.len() as u64),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}
