//! Other replicas of this gateway, where they hold calls that wait for their clients' answers.
//!
//! Such a retry may reach any replica. The one that it reaches passes it on to the one that its state names, as a modern
//! request to a modern server, with its word for who the caller is. Nothing else is ever passed on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use toolgate_protocol::{Reply, Revision, UpstreamName, header};

use crate::config::{HttpConfig, Limits};
use crate::course::Around;
use crate::error::Failure;
use crate::host::{Host, is_http};
use crate::http::Endpoint;
use crate::modern::ModernHttp;
use crate::upstream::Call;

const VOUCH: HeaderName = HeaderName::from_static(header::VOUCH);
/// Requests passed on at a time.
const IN_FLIGHT: usize = 1024;
/// Replicas that connections are kept to. Their URLs come out of sealed texts only, so there are no more than are run.
const KNOWN: usize = 256;

/// The way to other replicas.
#[derive(Debug)]
pub struct Replicas {
    host: Arc<Host>,
    limits: Limits,
    known: Mutex<HashMap<String, Arc<ModernHttp>>>,
    in_flight: Arc<Semaphore>,
    around: Around,
}

// === impl Replicas ===

impl Replicas {
    /// Replicas are reached as upstreams are.
    pub fn new(host: Arc<Host>, limits: Limits) -> Self {
        let name = UpstreamName::new("replica").expect("a literal of small letters is a name");
        Self {
            host,
            limits,
            known: Mutex::default(),
            in_flight: Arc::new(Semaphore::new(IN_FLIGHT)),
            around: Around {
                upstream: name,
                stopped: CancellationToken::new(),
                tasks: TaskTracker::new(),
                suspect: Arc::default(),
            },
        }
    }

    /// Passes a request on. `vouch` gives the word for who its caller is, for the request as it is sent.
    ///
    /// Errors: as of an upstream.
    pub async fn forward(
        &self,
        url: &str,
        call: Call,
        vouch: impl FnOnce(&[u8]) -> Option<String>,
        within: Duration,
    ) -> Result<Reply, Failure> {
        let permit = self.in_flight.clone().try_acquire_owned().map_err(|_| Failure::Busy(IN_FLIGHT))?;
        let link = self.link(url)?;
        let (id, text, mut headers) = link.prepare(&call.method, call.params, &call.param_headers)?;
        let word = vouch(&text).and_then(|word| HeaderValue::try_from(word).ok());
        let mut word = word.ok_or_else(|| Failure::Refused("this replica cannot vouch for the caller".into()))?;
        word.set_sensitive(true);
        headers.insert(VOUCH, word);
        link.carry((id, text, headers), within, &self.around, permit).await
    }

    fn link(&self, url: &str) -> Result<Arc<ModernHttp>, Failure> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(link) = known.get(url) {
            return Ok(link.clone());
        }
        let uri = url.parse::<Uri>().ok().filter(is_http);
        let uri = uri.ok_or_else(|| Failure::Refused("its URL is not an absolute http or https URL".into()))?;
        let place = HttpConfig { url: uri, headers: Vec::new() };
        let link = Arc::new(ModernHttp::new(Endpoint::new(&place, &self.limits, &self.host), Revision::LATEST_MODERN));
        if known.len() >= KNOWN {
            known.clear();
        }
        known.insert(url.to_owned(), link.clone());
        Ok(link)
    }
}

impl Drop for Replicas {
    fn drop(&mut self) {
        self.around.stopped.cancel();
    }
}
