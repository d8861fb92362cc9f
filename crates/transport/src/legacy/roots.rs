//! A client's news that its roots are others now.
//!
//! Whoever asks for roots in the course of a call gets those of that moment. An upstream that has a connection for this client
//! alone may also ask out of turn, and does when it is told of the change; so the client is asked first what they are now.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};
use toolgate_protocol::{Json, Outcome, RpcError, code};

use super::session::Session;

/// One question at a time, and another one after it if the roots change meanwhile.
#[derive(Default)]
pub(crate) struct RootsAsked(Mutex<State>);

#[derive(Default)]
struct State {
    /// Gives the question up.
    open: Option<oneshot::Sender<()>>,
    again: bool,
}

// === impl RootsAsked ===

impl RootsAsked {
    /// `None` while a question is open; it is put again then.
    fn begin(&self) -> Option<oneshot::Receiver<()>> {
        let mut state = self.state();
        state.again = state.open.is_some();
        if state.again {
            return None;
        }
        let (open, given_up) = oneshot::channel();
        state.open = Some(open);
        Some(given_up)
    }

    /// Whether the roots have changed since the question was put.
    fn end(&self) -> bool {
        let mut state = self.state();
        state.open = None;
        std::mem::take(&mut state.again)
    }

    /// The client is gone.
    pub(super) fn give_up(&self) {
        if let Some(open) = self.state().open.take() {
            let _ = open.send(());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Session ===

impl Session {
    /// Asks the client for its roots and tells the upstreams that have a connection for it alone.
    pub(super) fn roots_changed(self: &Arc<Self>) {
        let Some(given_up) = self.roots.begin() else { return };
        let session = self.clone();
        tokio::spawn(async move {
            let telling = session.tell_of_roots();
            tokio::select! {
                () = telling => {}
                _ = given_up => return,
            }
            if session.roots.end() {
                session.roots_changed();
            }
        });
    }

    async fn tell_of_roots(&self) {
        if !self.gateway.wants_roots(&self.presented).await {
            return;
        }
        match self.ask_for_roots().await {
            Ok(roots) => self.gateway.roots_changed(&self.presented, &roots).await,
            Err(error) => tracing::debug!(code = error.code, "a client whose roots have changed does not say to what"),
        }
    }

    /// On the stream for what belongs to no request.
    async fn ask_for_roots(&self) -> Outcome {
        let (outlet, mut inlet) = mpsc::channel(1);
        let question = Json::literal(r#"{"method":"roots/list"}"#);
        let mut no_page = None;
        let asking = self.ask(&question, &outlet, &mut no_page);
        let telling = async {
            while let Some(message) = inlet.recv().await {
                self.tell(message);
            }
        };
        tokio::select! {
            answer = asking => answer,
            () = telling => Err(RpcError::new(code::INTERNAL_ERROR, "the client cannot be asked")),
        }
    }
}
