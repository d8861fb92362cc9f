//! A legacy server in the middle of its handshake: it has answered `initialize`, and was not told that this was heard.
//!
//! A server that is met for somebody is told at once. One that is kept warm stays here until somebody needs it; see `warm.rs`.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::connect::Link;
use crate::era::Peer;
use crate::error::Failure;
use crate::legacy::{Legacy, Session, Surroundings, Wire};
use crate::mux::Mux;

/// A legacy server that has answered `initialize`.
#[derive(Debug)]
pub(crate) struct Greeted {
    peer: Peer,
    wire: Pending,
}

/// What will carry the link.
#[derive(Debug)]
enum Pending {
    Mux(Unsettled),
    Http(Arc<Session>),
}

/// Ends a connection whose handshake comes to nothing.
#[derive(Debug)]
pub(crate) struct Unsettled(Option<Arc<Mux>>);

// === impl Greeted ===

impl Greeted {
    pub(crate) fn over_mux(peer: Peer, mux: Unsettled) -> Self {
        Self { peer, wire: Pending::Mux(mux) }
    }

    pub(crate) fn over_http(peer: Peer, session: Arc<Session>) -> Self {
        Self { peer, wire: Pending::Http(session) }
    }

    /// Tells the server that it was heard: from here on the link stands, and takes messages.
    pub(crate) async fn settle(self, surroundings: Surroundings) -> Result<(Peer, Link), Failure> {
        let Self { peer, wire } = self;
        let link = match wire {
            Pending::Mux(mux) => {
                let link = Legacy::settle(Wire::Mux(mux.get().clone()), peer.clone(), surroundings).await?;
                mux.keep();
                link
            }
            Pending::Http(session) => Legacy::settle(Wire::Http(session), peer.clone(), surroundings).await?,
        };
        Ok((peer, Link::Legacy(link)))
    }

    /// Ends when the connection is known to have.
    pub(crate) fn lost(&self) -> &CancellationToken {
        match &self.wire {
            Pending::Mux(mux) => mux.get().closing(),
            Pending::Http(session) => session.lost(),
        }
    }

    /// Why it did, where that is known.
    pub(crate) fn why(&self) -> Option<String> {
        match &self.wire {
            Pending::Mux(mux) => mux.get().flight().over(),
            Pending::Http(session) => session.flight().over(),
        }
    }

    /// Ends the connection, and the session at the server.
    pub(crate) async fn close(self) {
        match self.wire {
            Pending::Mux(mux) => mux.get().close("it was stopped"),
            Pending::Http(session) => session.close().await,
        }
    }
}

// === impl Unsettled ===

impl Unsettled {
    pub(crate) fn new(mux: Arc<Mux>) -> Self {
        Self(Some(mux))
    }

    pub(crate) fn get(&self) -> &Arc<Mux> {
        self.0.as_ref().expect("taken only by `keep`, which consumes it")
    }

    /// The handshake is over.
    pub(crate) fn keep(mut self) -> Arc<Mux> {
        self.0.take().expect("taken only here")
    }
}

impl Drop for Unsettled {
    fn drop(&mut self) {
        if let Some(mux) = self.0.take() {
            mux.close("the handshake came to nothing");
        }
    }
}
