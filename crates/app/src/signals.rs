//! When the process is asked to stop. A port to another system begins and ends here.

use std::io;

/// Hears signals from its making on, so that one that comes while things are still being started is not lost.
#[cfg(unix)]
pub struct StopSignals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

/// Hears Ctrl-C.
#[cfg(not(unix))]
pub struct StopSignals(());

// === impl StopSignals ===

#[cfg(unix)]
impl StopSignals {
    /// From now on signals no longer end the process by themselves.
    pub fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for SIGTERM or SIGINT, and says which.
    pub async fn requested(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

#[cfg(not(unix))]
impl StopSignals {
    /// Nothing needs to be prepared.
    pub fn listen() -> io::Result<Self> {
        Ok(Self(()))
    }

    /// Waits for Ctrl-C.
    pub async fn requested(&mut self) -> &'static str {
        // Where it cannot be heard, nobody asks.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        "Ctrl-C"
    }
}

/// Hears that the config is to be read again (SIGHUP).
pub(crate) struct ReloadSignal {
    #[cfg(unix)]
    hangup: Option<tokio::signal::unix::Signal>,
}

// === impl ReloadSignal ===

impl ReloadSignal {
    /// From now on the signal no longer ends the process.
    #[cfg(unix)]
    pub(crate) fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self { hangup: signal(SignalKind::hangup()).ok() }
    }

    /// There is none; the file is followed all the same.
    #[cfg(not(unix))]
    pub(crate) fn listen() -> Self {
        Self {}
    }

    /// Waits for it.
    #[cfg(unix)]
    pub(crate) async fn requested(&mut self) {
        if let Some(hangup) = &mut self.hangup
            && hangup.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }

    /// Waits for ever.
    #[cfg(not(unix))]
    pub(crate) async fn requested(&mut self) {
        std::future::pending().await
    }
}
