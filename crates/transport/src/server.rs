//! The life of the HTTP server: connections accepted, seen through, and ended without losing what is in flight.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulConnection, GracefulShutdown};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use toolgate_identity::Presented;

use crate::edge::Edge;

/// A bound address, ready to be served by any number of threads.
pub struct Listening {
    listener: TcpListener,
    address: SocketAddr,
}

/// Tells servers to stop.
#[derive(Clone)]
pub struct Shutdown(watch::Sender<Phase>);

/// How far a shutdown has come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serving,
    Draining,
    Cut,
}

/// Sessions are looked through for idle ones so often.
const SWEEP: Duration = Duration::from_secs(60);
/// The most headers of a request.
const MAX_HEADERS: usize = 128;
/// When a connection cannot be accepted, usually for want of file descriptors, what is open must end before one can be.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

// === impl Shutdown ===

impl Shutdown {
    /// Not yet.
    #[allow(clippy::new_without_default, reason = "a shutdown is no value to default to")]
    pub fn new() -> Self {
        Self(watch::Sender::new(Phase::Serving))
    }

    /// Now: nothing new is accepted, what is in flight may finish.
    pub fn begin(&self) {
        self.0.send_if_modified(|phase| std::mem::replace(phase, (*phase).max(Phase::Draining)) == Phase::Serving);
    }

    /// At once: what is in flight is cut off.
    pub fn cut(&self) {
        self.0.send_replace(Phase::Cut);
    }

    /// Waits until nothing new is to be accepted.
    pub async fn begun(&self) {
        self.reached(Phase::Draining).await;
    }

    /// Waits until what is in flight is to be cut off.
    pub async fn is_cut(&self) {
        self.reached(Phase::Cut).await;
    }

    async fn reached(&self, wanted: Phase) {
        // The sender is in `self`, so waiting cannot fail.
        let _ = self.0.subscribe().wait_for(|phase| *phase >= wanted).await;
    }
}

// === impl Listening ===

impl Listening {
    /// Binds `address`; port 0 takes a free one.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// The same address for a server in another runtime; connections go to whichever is free first. Must be called in that
    /// runtime.
    pub fn share(bound: &std::net::TcpListener) -> io::Result<Self> {
        let listener = TcpListener::from_std(bound.try_clone()?)?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// The next connection.
    ///
    /// # Errors
    /// Usually for want of file descriptors.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.listener.accept().await
    }

    /// The address bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

// === impl Edge ===

impl Edge {
    /// Serves connections until `shutdown`, then lets requests in flight finish for at most `grace`.
    pub async fn serve(self: Arc<Self>, listening: Listening, shutdown: Shutdown, grace: Duration) {
        let graceful = GracefulShutdown::new();
        let mut sweep = tokio::time::interval(SWEEP);
        loop {
            tokio::select! {
                accepted = accept(&listening.listener, &self.connections) => {
                    let Some((stream, peer, place)) = accepted else { continue };
                    let watched = graceful.watch(self.connection(stream, peer));
                    tokio::spawn(async move {
                        if let Err(error) = watched.await {
                            tracing::trace!(%peer, %error, "connection ended");
                        }
                        drop(place);
                    });
                }
                _ = sweep.tick() => self.sessions.sweep(),
                () = shutdown.reached(Phase::Draining) => break,
            }
        }
        drop(listening);
        // Streams without an end of their own get one now; calls in flight finish.
        self.end_streams();
        tokio::select! {
            drained = tokio::time::timeout(grace, graceful.shutdown()) => if drained.is_err() {
                tracing::warn!(?grace, "requests still in flight were cut off");
            },
            () = shutdown.reached(Phase::Cut) => {}
        }
    }

    /// One connection, from its first request to its last.
    fn connection(
        self: &Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
    ) -> impl GracefulConnection<Error = hyper::Error> + Send + 'static {
        // Answers are written whole; waiting to fill packets only delays them.
        let _ = stream.set_nodelay(true);
        let presented = Presented { address: Some(peer.ip()), ..Presented::default() };
        let edge = self.clone();
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let (edge, presented) = (edge.clone(), presented.clone());
            async move { Ok::<_, Infallible>(edge.answer(presented, request).await) }
        });
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.config.header_timeout)
            .max_headers(MAX_HEADERS)
            // One buffer, one write. (`pipeline_flush` does that too, but answers to requests that cannot be parsed are lost.)
            .writev(false)
            .serve_connection(TokioIo::new(stream), service)
    }
}

/// The next connection, once there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, place)),
        Err(error) => {
            tracing::warn!(%error, "cannot accept a connection");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}
