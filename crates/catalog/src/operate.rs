//! What operators do with upstreams: start them anew, ask whether they answer, have their lists fetched, read what they say.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use toolgate_protocol::{Json, UpstreamName};
use toolgate_upstream::{LogLine, Ring};

use crate::catalog::Catalog;
use crate::catalog::Inner;
use crate::journal::{Happening, Journal};
use crate::tracked::Tracked;

/// For an upstream's lists to be fetched beyond what each page may take.
const REFRESH_WAIT: Duration = Duration::from_secs(60);

/// What an upstream that was asked says of itself.
#[derive(Clone, Debug)]
pub struct Probed {
    /// `legacy` or `modern`.
    pub era: String,
    /// The revision agreed on.
    pub revision: &'static str,
    /// Its name and version, in its own words.
    pub server_info: Json,
    /// How long its answer took.
    pub took: Duration,
}

impl Catalog {
    /// What happens.
    pub fn journal(&self) -> &Arc<Journal> {
        &self.inner.journal
    }

    /// Ends an upstream's connections and starts it anew, whatever is in flight there. `None` if there is no such upstream, or
    /// it is disabled.
    pub async fn restart(&self, name: &UpstreamName) -> Option<Result<(), String>> {
        let member = self.member(name)?;
        let deadline = Instant::now() + member.upstream.timeouts().connect;
        Some(member.upstream.restart(deadline).await.map(drop).map_err(|failure| failure.to_string()))
    }

    /// Asks an upstream whether it answers.
    pub async fn probe(&self, name: &UpstreamName) -> Option<Result<Probed, String>> {
        let member = self.member(name)?;
        let probed = member.upstream.probe().await.map_err(|failure| failure.to_string());
        Some(probed.map(|(peer, took)| Probed {
            era: peer.era.to_string(),
            revision: peer.revision.as_str(),
            server_info: peer.server_info.clone(),
            took,
        }))
    }

    /// Has the lists of an upstream fetched now, and waits until they are.
    pub async fn refresh(&self, name: &UpstreamName) -> Option<Result<(), String>> {
        let member = self.member(name)?;
        let refreshed = tokio::time::timeout(REFRESH_WAIT, member.refresh());
        Some(
            refreshed
                .await
                .unwrap_or_else(|_| Err(format!("its lists did not come within {} s", REFRESH_WAIT.as_secs()))),
        )
    }

    /// The last lines that an upstream said beside its answers.
    pub fn lines(&self, name: &UpstreamName) -> Option<Arc<Ring<LogLine>>> {
        Some(self.member(name)?.upstream.lines())
    }

    /// The upstream of this name that is not disabled.
    fn member(&self, name: &UpstreamName) -> Option<Arc<Tracked>> {
        self.inner.now().member(name).cloned()
    }
}

/// Notes each state of an upstream that is another than the one before.
pub(crate) async fn note_states(inner: Arc<Inner>, member: Arc<Tracked>) {
    let mut states = member.upstream.state();
    let mut before = None;
    states.mark_changed();
    while states.changed().await.is_ok() {
        drop(states.borrow_and_update());
        let status = member.status();
        // The next try that fails for the same reason is no news.
        let now = Some((status.state, status.error.clone()));
        if status.state == "starting" && matches!(before, Some(("failed", _))) || now == before {
            continue;
        }
        before = now;
        let upstream = status.name.clone();
        inner.journal.note(Happening::Upstream { upstream, state: status.state, error: status.error });
        if status.state == "stopped" {
            return;
        }
    }
}
