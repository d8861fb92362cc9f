//! The life of the control API's server: bounded in connections, headers and time.

use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::sync::Semaphore;
use toolgate_transport::{Listening, Shutdown};

use crate::api::Admin;

/// The most connections at once; each follower of events or logs has one.
const CONNECTIONS: usize = 256;
/// How long a client may take to send the headers of a request, and how long a kept connection may rest between two.
const HEADER_TIMEOUT: Duration = Duration::from_secs(75);
/// The most headers of a request.
const MAX_HEADERS: usize = 64;
/// When a connection cannot be accepted, what is open must end before one can be.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

impl Admin {
    /// Serves connections until `shutdown`, then lets requests in flight finish for at most `grace`.
    pub async fn serve(self: Arc<Self>, listening: Listening, shutdown: Shutdown, grace: Duration) {
        let graceful = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let router = self.clone().router();
        loop {
            let accepted = async {
                let place = places.clone().acquire_owned().await.ok()?;
                match listening.accept().await {
                    Ok((stream, _)) => Some((stream, place)),
                    Err(error) => {
                        tracing::warn!(%error, "the control API cannot accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        None
                    }
                }
            };
            tokio::select! {
                accepted = accepted => {
                    let Some((stream, place)) = accepted else { continue };
                    let connection = http1::Builder::new()
                        .timer(TokioTimer::new())
                        .header_read_timeout(HEADER_TIMEOUT)
                        .max_headers(MAX_HEADERS)
                        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router.clone()));
                    let watched = graceful.watch(connection);
                    tokio::spawn(async move {
                        if let Err(error) = watched.await {
                            tracing::trace!(%error, "a connection to the control API ended");
                        }
                        drop(place);
                    });
                }
                () = shutdown.begun() => break,
            }
        }
        drop(listening);
        self.close();
        tokio::select! {
            _ = tokio::time::timeout(grace, graceful.shutdown()) => {}
            () = shutdown.is_cut() => {}
        }
    }
}
