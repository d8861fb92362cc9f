//! A gateway that runs: bound, serving, and stopped without losing what is in flight.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use toolgate_config::Settings;
use toolgate_gateway::Gateway;
use toolgate_transport::{Edge, Listening, Shutdown};

use crate::build::Built;

/// Ending the upstreams is given this long after the clients are served.
const UPSTREAM_GRACE: Duration = Duration::from_secs(10);

/// A gateway that serves.
pub struct Running {
    /// The gateway.
    pub gateway: Arc<Gateway>,
    /// The addresses it is bound to.
    pub addresses: Vec<SocketAddr>,
    servers: JoinSet<()>,
    shutdown: Shutdown,
}

/// Binds every address of the settings, all or none, and serves.
pub async fn start(built: Built, settings: &Settings) -> io::Result<Running> {
    let mut bound = Vec::new();
    for address in &settings.listen {
        let listening = Listening::bind(*address).await.map_err(|error| {
            let hint = match error.kind() {
                io::ErrorKind::AddrInUse => "; another program has this port, perhaps another toolgate: choose one with --listen or `listen:`, port 0 takes a free one",
                io::ErrorKind::PermissionDenied => "; ports below 1024 need a privilege",
                io::ErrorKind::AddrNotAvailable => "; this machine does not have that address",
                _ => "",
            };
            io::Error::new(error.kind(), format!("cannot listen on {address}: {error}{hint}"))
        })?;
        bound.push(listening);
    }
    let addresses = bound.iter().map(Listening::address).collect();
    let edge = Edge::new(built.gateway.clone(), built.edge);
    let shutdown = Shutdown::new();
    let mut servers = JoinSet::new();
    for listening in bound {
        servers.spawn(edge.clone().serve(listening, shutdown.clone(), settings.timeouts.shutdown));
    }
    Ok(Running { gateway: built.gateway, addresses, servers, shutdown })
}

// === impl Running ===

impl Running {
    /// Stops accepting, lets what is in flight finish within the limit of the settings, ends the upstreams.
    pub async fn stop(mut self) {
        self.shutdown.begin();
        while self.servers.join_next().await.is_some() {}
        self.gateway.stop(UPSTREAM_GRACE).await;
    }
}
