//! What all upstreams share: connections to the same place, and the watchdog of our child processes.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, ResponseFuture};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::watchdog::Watchdog;

/// Idle connections are closed this soon because Node and uvicorn close theirs after 5 s: a call sent in that very moment
/// would be lost without anyone knowing whether it ran.
const IDLE: Duration = Duration::from_secs(4);
/// Idle connections kept to one place.
const IDLE_PER_HOST: usize = 64;
/// For one TCP connection.
const TCP_CONNECT: Duration = Duration::from_secs(10);

/// What all upstreams share.
#[derive(Debug)]
pub struct Host {
    plain: OnceLock<Client<HttpConnector, Full<Bytes>>>,
    /// Apart, because reading the system's certificates takes memory that a gateway without https can do without.
    tls: OnceLock<Client<HttpsConnector<HttpConnector>, Full<Bytes>>>,
    watchdog: Watchdog,
}

// === impl Host ===

impl Host {
    /// `watchdog_exe` is run as `<exe> watchdog` with the first child process, to end all of them should we be killed; it
    /// must call [`watchdog_main`](crate::watchdog_main).
    pub fn new(watchdog_exe: Option<PathBuf>) -> Arc<Self> {
        Arc::new(Self { plain: OnceLock::new(), tls: OnceLock::new(), watchdog: Watchdog::new(watchdog_exe) })
    }

    pub(crate) fn watchdog(&self) -> &Watchdog {
        &self.watchdog
    }

    /// Sends a request over a pooled connection.
    pub(crate) fn request(&self, request: Request<Full<Bytes>>) -> ResponseFuture {
        if request.uri().scheme() == Some(&http::uri::Scheme::HTTPS) {
            self.tls.get_or_init(|| builder().build(https())).request(request)
        } else {
            self.plain.get_or_init(|| builder().build(tcp())).request(request)
        }
    }
}

/// Whether this is a URL that can be reached.
pub(crate) fn is_http(url: &Uri) -> bool {
    matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some()
}

fn builder() -> hyper_util::client::legacy::Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder.pool_idle_timeout(IDLE).pool_max_idle_per_host(IDLE_PER_HOST).pool_timer(TokioTimer::new());
    builder
}

fn tcp() -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(TCP_CONNECT));
    tcp.enforce_http(false);
    tcp
}

fn https() -> HttpsConnector<HttpConnector> {
    let roots = HttpsConnectorBuilder::new().with_native_roots().unwrap_or_else(|error| {
        tracing::debug!(%error, "no certificates of the system; the built-in ones are used");
        HttpsConnectorBuilder::new().with_webpki_roots()
    });
    roots.https_or_http().enable_http1().wrap_connector(tcp())
}
