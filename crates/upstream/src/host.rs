//! What all upstreams share: the way to open connections, and the watchdog of our child processes.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use toolgate_protocol::UpstreamName;
use tower_service::Service as _;

use crate::error::{Failure, root};
use crate::lines::{Lines, LogLine};
use crate::ring::Ring;
use crate::rooms::{Parking, Rooms};
use crate::watchdog::Watchdog;

/// For one TCP connection.
const TCP_CONNECT: Duration = Duration::from_secs(10);

/// A connection, encrypted or not.
pub(crate) type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// What all upstreams share.
#[derive(Debug)]
pub struct Host {
    tcp: HttpConnector,
    /// Made when first needed: reading the system's certificates takes memory that a gateway without https can do without.
    tls: OnceLock<HttpsConnector<HttpConnector>>,
    watchdog: Watchdog,
    rooms: Arc<Rooms>,
    lines: Lines,
}

// === impl Host ===

impl Host {
    /// `watchdog_exe` is run as `<exe> watchdog` with the first child process, to end all of them should we be killed; it
    /// must call [`watchdog_main`](crate::watchdog_main).
    pub fn new(watchdog_exe: Option<PathBuf>, parking: Parking) -> Arc<Self> {
        let (tls, watchdog) = (OnceLock::new(), Watchdog::new(watchdog_exe));
        Arc::new(Self { tcp: tcp(), tls, watchdog, rooms: Rooms::new(parking), lines: Lines::default() })
    }

    pub(crate) fn rooms(&self) -> &Arc<Rooms> {
        &self.rooms
    }

    /// What an upstream says beside its answers.
    pub(crate) fn lines(&self, upstream: &UpstreamName) -> Arc<Ring<LogLine>> {
        self.lines.of(upstream)
    }

    pub(crate) fn watchdog(&self) -> &Watchdog {
        &self.watchdog
    }

    /// Opens a connection to where the URL points.
    pub(crate) async fn connect(&self, url: &Uri) -> Result<Stream, Failure> {
        if url.scheme() == Some(&http::uri::Scheme::HTTPS) {
            let mut tls = self.tls.get_or_init(https).clone();
            tls.call(url.clone()).await.map_err(|error| Failure::Unavailable(root(&*error)))
        } else {
            let stream = self.tcp.clone().call(url.clone()).await;
            stream.map(MaybeHttpsStream::Http).map_err(|error| Failure::Unavailable(root(&error)))
        }
    }
}

/// Whether this is a URL that can be reached.
pub(crate) fn is_http(url: &Uri) -> bool {
    matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some()
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
    roots.https_only().enable_http1().wrap_connector(tcp())
}
