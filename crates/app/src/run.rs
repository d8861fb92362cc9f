//! A gateway that runs: bound, serving, and stopped without losing what is in flight.
//!
//! Each core has a thread with a runtime of its own that accepts connections and sees them through, with its own pooled
//! connections to upstreams: a request stays on its thread, and no other is woken for it. (With one runtime over all
//! cores a call cost two wake-ups of sleeping threads, a fifth of its CPU time.) What is not a request, such as child
//! processes and the keeping of lists, runs in the runtime that the gateway was built in.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZero;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::task::JoinSet;
use toolgate_config::Settings;
use toolgate_gateway::Gateway;
use toolgate_transport::{Edge, Listening, Shutdown};

use crate::build::Built;
use crate::control::bind_control;
use crate::notice::Notice;

/// Ending the upstreams is given this long after the clients are served.
const UPSTREAM_GRACE: Duration = Duration::from_secs(10);

/// A gateway that serves.
pub struct Running {
    /// The gateway.
    pub gateway: Arc<Gateway>,
    /// The addresses it is bound to.
    pub addresses: Vec<SocketAddr>,
    /// Where the control API is, if there is one.
    pub control: Option<SocketAddr>,
    _notices: Vec<Notice>,
    servers: JoinSet<()>,
    shutdown: Shutdown,
}

/// Binds every address of the settings, all or none, and serves. Must be called within the runtime that the gateway was built in.
pub async fn start(built: Built, settings: &Settings) -> io::Result<Running> {
    let bound: Vec<TcpListener> = settings.listen.iter().map(bind).collect::<io::Result<_>>()?;
    let addresses: Vec<SocketAddr> = bound.iter().map(TcpListener::local_addr).collect::<io::Result<_>>()?;
    let edge = Edge::new(built.gateway.clone(), built.edge.clone());
    let control = bind_control(&built, &edge, settings, &addresses)?;
    let shutdown = Shutdown::new();
    let bound = Arc::new(bound);
    let mut running = Running {
        gateway: built.gateway,
        addresses,
        control: None,
        _notices: Vec::new(),
        servers: JoinSet::new(),
        shutdown,
    };
    if let Some(control) = control {
        (running.control, running._notices) = (Some(control.address), control.notices);
        let listening = Listening::share(&control.listener)?;
        running.servers.spawn(control.admin.serve(listening, running.shutdown.clone(), settings.timeouts.shutdown));
    }
    for number in 0..thread::available_parallelism().map_or(1, NonZero::get) {
        let (bound, edge, grace) = (bound.clone(), edge.clone(), settings.timeouts.shutdown);
        let shutdown = running.shutdown.clone();
        let serve = move || {
            if let Err(error) = serve_here(bound, &edge, &shutdown, grace) {
                tracing::error!(%error, "a serving thread could not start");
            }
        };
        let thread = thread::Builder::new().name(format!("serve-{number}")).spawn(serve)?;
        running.servers.spawn_blocking(move || drop(thread.join()));
    }
    Ok(running)
}

/// Serves every address in this thread until the shutdown is over.
fn serve_here(bound: Arc<Vec<TcpListener>>, edge: &Arc<Edge>, shutdown: &Shutdown, grace: Duration) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut servers = JoinSet::new();
        for listener in bound.iter() {
            servers.spawn(edge.clone().serve(Listening::share(listener)?, shutdown.clone(), grace));
        }
        // The last to hold an address must be those who serve it, so that it closes when they accept no more.
        drop(bound);
        while servers.join_next().await.is_some() {}
        Ok(())
    })
}

pub(crate) fn bind(address: &SocketAddr) -> io::Result<TcpListener> {
    let bind = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    bind().map_err(|error: io::Error| {
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => "; another program has this port, perhaps another toolgate: choose one with --listen or `listen:`, port 0 takes a free one",
            io::ErrorKind::PermissionDenied => "; ports below 1024 need a privilege",
            io::ErrorKind::AddrNotAvailable => "; this machine does not have that address",
            _ => "",
        };
        io::Error::new(error.kind(), format!("cannot listen on {address}: {error}{hint}"))
    })
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

/// Whoever drops it without stopping it wants it gone: threads end at once, and with them what they hold.
impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.cut();
    }
}
