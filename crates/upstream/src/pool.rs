//! HTTP/1.1 connections to one place, used again and again.
//!
//! A connection is driven by whoever waits for its answer, in that task, instead of by a task of its own: two switches
//! between tasks for every request are what a general client costs, and a gateway makes little else but requests. An idle
//! connection is driven by nobody; whether the server has closed it meanwhile is looked up before it is used.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1::{Connection, SendRequest, handshake};
use tokio::runtime::{self, Handle};
use tokio::time::{Instant, sleep};

use crate::error::{Failure, root};
use crate::host::{Host, Stream};

/// Idle connections are closed this soon because Node and uvicorn close theirs after 5 s: a call sent in that very moment
/// would be lost without anyone knowing whether it ran.
const IDLE: Duration = Duration::from_secs(4);
/// Idle connections kept.
const MOST_IDLE: usize = 64;

/// The connections to one place.
#[derive(Debug)]
pub(crate) struct Pool {
    host: Arc<Host>,
    /// Scheme, host and port; the rest does not matter here.
    place: Uri,
    /// The one used last is at the end.
    idle: Mutex<Vec<Idle>>,
    sweeping: AtomicBool,
}

#[derive(Debug)]
struct Idle {
    line: Line,
    since: Instant,
    /// Whose thread hears of its bytes. A request of another runtime would be woken across threads for each of them.
    home: runtime::Id,
}

/// One connection, with no request on it or one.
#[derive(Debug)]
struct Line {
    sender: SendRequest<Full<Bytes>>,
    /// `None` once it has ended.
    connection: Option<Driven>,
}

type Driven = Pin<Box<Connection<Stream, Full<Bytes>>>>;

/// The body of an answer. Read to its end, it gives its connection back; dropped before, it closes it.
#[derive(Debug)]
pub(crate) struct PooledBody {
    body: Incoming,
    line: Option<Line>,
    pool: Arc<Pool>,
}

/// Why a request has no answer.
enum Unanswered {
    /// Nothing of it was sent; here it is again.
    NotSent(Box<Request<Full<Bytes>>>),
    /// It was, or part of it.
    Lost(Failure),
}

// === impl Pool ===

impl Pool {
    pub(crate) fn new(host: Arc<Host>, place: Uri) -> Arc<Self> {
        Arc::new(Self { host, place, idle: Mutex::default(), sweeping: AtomicBool::new(false) })
    }

    /// Sends a request and waits for the head of its answer. Sent over a connection that turns out to be closed, it goes
    /// over another one only if nothing of it went out.
    pub(crate) async fn send(self: &Arc<Self>, request: Request<Full<Bytes>>) -> Result<Response<PooledBody>, Failure> {
        let mut request = Box::new(request);
        while let Some(line) = self.take() {
            match self.exchange(line, *request).await {
                Ok(response) => return Ok(response),
                Err(Unanswered::Lost(failure)) => return Err(failure),
                Err(Unanswered::NotSent(again)) => request = again,
            }
        }
        let stream = self.host.connect(&self.place).await?;
        let (sender, connection) = handshake(stream).await.map_err(|error| Failure::Unavailable(root(&error)))?;
        let line = Line { sender, connection: Some(Box::pin(connection)) };
        self.exchange(line, *request).await.map_err(|unanswered| match unanswered {
            Unanswered::Lost(failure) => failure,
            Unanswered::NotSent(_) => Failure::Unavailable("it closes connections at once".into()),
        })
    }

    async fn exchange(
        self: &Arc<Self>,
        mut line: Line,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<PooledBody>, Unanswered> {
        let mut sending = pin!(line.sender.try_send_request(request));
        let answered = poll_fn(|cx| {
            if let Poll::Ready(answered) = sending.as_mut().poll(cx) {
                return Poll::Ready(answered);
            }
            line.connection.drive(cx);
            sending.as_mut().poll(cx)
        });
        match answered.await {
            Ok(response) => {
                Ok(response.map(|body| PooledBody { body, line: Some(line), pool: self.clone() }.if_empty_give_back()))
            }
            Err(mut error) => Err(match error.take_message() {
                Some(request) => Unanswered::NotSent(Box::new(request)),
                None => Unanswered::Lost(Failure::Closed(root(error.error()))),
            }),
        }
    }

    /// A connection that is idle and, as far as can be known, open.
    fn take(&self) -> Option<Line> {
        loop {
            let Idle { mut line, since, .. } = self.take_idle()?;
            if since.elapsed() < IDLE && line.is_ready() {
                return Some(line);
            }
        }
    }

    fn take_idle(&self) -> Option<Idle> {
        let here = Handle::try_current().ok()?.id();
        let mut idle = self.idle();
        let at = idle.iter().rposition(|idle| idle.home == here)?;
        Some(idle.remove(at))
    }

    fn give_back(self: &Arc<Self>, mut line: Line) {
        let Ok(home) = Handle::try_current().map(|handle| handle.id()) else { return };
        if !line.is_ready() {
            return;
        }
        let mut idle = self.idle();
        if idle.len() < MOST_IDLE {
            idle.push(Idle { line, since: Instant::now(), home });
        }
        drop(idle);
        if !self.sweeping.swap(true, Ordering::AcqRel) {
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes connections that were idle for too long, until none is left.
async fn sweep(pool: Weak<Pool>) {
    loop {
        sleep(IDLE).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut idle = pool.idle();
        idle.retain(|idle| idle.since.elapsed() < IDLE);
        if idle.is_empty() {
            // Whoever puts the next one in sees this, since that takes the lock.
            return pool.sweeping.store(false, Ordering::Release);
        }
    }
}

// === impl Line ===

/// Drives a connection, and forgets it when it has ended.
trait Drive {
    fn drive(&mut self, cx: &mut Context<'_>);
}

impl Drive for Option<Driven> {
    fn drive(&mut self, cx: &mut Context<'_>) {
        // How it ended, its request or body tells.
        if self.as_mut().is_some_and(|connection| connection.as_mut().poll(cx).is_ready()) {
            *self = None;
        }
    }
}

impl Line {
    /// Whether a request may be sent over it now.
    fn is_ready(&mut self) -> bool {
        self.connection.drive(&mut Context::from_waker(Waker::noop()));
        self.connection.is_some() && self.sender.is_ready()
    }
}

// === impl PooledBody ===

impl PooledBody {
    /// The least number of bytes still to come.
    pub(crate) fn expected(&self) -> u64 {
        self.body.size_hint().lower()
    }

    /// The next bytes; `None` at the end. May be dropped in mid-wait without losing anything.
    pub(crate) async fn data(&mut self) -> Option<Result<Bytes, hyper::Error>> {
        poll_fn(|cx| self.poll_data(cx)).await
    }

    /// The same without waiting: `None` when nothing is there yet.
    pub(crate) fn data_now(&mut self) -> Option<Option<Result<Bytes, hyper::Error>>> {
        match self.poll_data(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(data) => Some(data),
            Poll::Pending => None,
        }
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, hyper::Error>>> {
        if let Poll::Ready(data) = self.poll_body(cx) {
            return Poll::Ready(data);
        }
        if let Some(line) = &mut self.line {
            line.connection.drive(cx);
        }
        self.poll_body(cx)
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, hyper::Error>>> {
        loop {
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers say nothing of interest.
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    self.line = None;
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Ready(None) => {
                    if let Some(line) = self.line.take() {
                        self.pool.give_back(line);
                    }
                    return Poll::Ready(None);
                }
            }
        }
    }

    fn if_empty_give_back(mut self) -> Self {
        if self.body.is_end_stream()
            && let Some(line) = self.line.take()
        {
            self.pool.give_back(line);
        }
        self
    }
}
