//! What clients keep between two requests that belong together: a `requestState`, sealed with the upstream, the caller, the
//! method and the parameters that it belongs to. No store is needed, and nobody can use what is another's.
//!
//! An upstream's own state is carried inside, byte for byte. A call that waits in this process is named together with the
//! process and, where replicas are configured, the URL under which the others reach it.

use std::sync::Arc;
use std::time::Duration;

use toolgate_identity::Caller;
use toolgate_protocol::{Json, Method, Object, Reply, RpcError, UpstreamName, code};
use toolgate_seal::{Context, Sealer};
use toolgate_upstream::{Call, Digest, Replicas};

/// How long a client may keep what an upstream gave it to keep; the upstream may want it back sooner.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// Added to the time that a call waits, so that one that just ended is told from a forgery.
const SLACK: Duration = Duration::from_secs(300);
/// Added to what a call may take when a replica answers it: that one knows better when to give up.
const REPLICA_SLACK: Duration = Duration::from_secs(10);

const OWN: u8 = 0;
const PARKED: u8 = 1;
const INSTANCE: usize = 16;

/// Seals and opens what clients keep, and knows the way to where it was given out.
pub struct Handles {
    pub(crate) sealer: Arc<Sealer>,
    /// This process; another one after a restart.
    instance: [u8; INSTANCE],
    url: Option<String>,
    replicas: Option<Replicas>,
}

/// What a state that came back stands for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// The upstream's own state.
    Own(Json),
    /// A call that waits here, or did.
    Here(String),
    /// A call that waits at the replica of this URL.
    Elsewhere(String),
}

/// What a state belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Owner(Context);

// === impl Owner ===

impl Owner {
    /// Of a request as it goes to the upstream.
    pub(crate) fn of(upstream: &UpstreamName, caller: &Caller, method: &Method, params: &Object) -> Self {
        let digest = Digest::of(method, params);
        Self(Context::new("requestState").with(upstream.as_str()).with(caller.subject()).with(digest.as_bytes()))
    }
}

// === impl Handles ===

impl Handles {
    /// Handles of this process. With a `url`, under which other replicas reach this one, they forward to it; with
    /// `replicas`, this one forwards to them.
    ///
    /// Errors: when the operating system gives no random numbers.
    pub fn new(sealer: Arc<Sealer>, url: Option<String>, replicas: Option<Replicas>) -> std::io::Result<Self> {
        let mut instance = [0; INSTANCE];
        getrandom::fill(&mut instance).map_err(std::io::Error::other)?;
        Ok(Self { sealer, instance, url, replicas })
    }

    /// The result as the client gets it: its state sealed, if it has one. `is_parked` says whether a state stands for a
    /// call that waits here, and how long it does.
    pub(crate) fn seal(
        &self,
        owner: impl FnOnce() -> Owner,
        result: Json,
        is_parked: impl Fn(&str) -> Option<Duration>,
    ) -> Json {
        // Hardly any result is one, and a look at the text is enough to know.
        if memchr::memmem::find(result.text(), b"\"input_required\"").is_none() {
            return result;
        }
        let Ok(mut object) = result.object() else { return result };
        let asks = object.get("resultType").is_some_and(|kind| kind.as_str() == "\"input_required\"");
        let (true, Some(state)) = (asks, object.get("requestState")) else { return result };
        let parked = state.as_string().and_then(|handle| is_parked(&handle).map(|longest| (handle, longest)));
        let (lifetime, inner) = match parked {
            Some((handle, longest)) => (longest + SLACK, self.parked(&handle)),
            None => (LIFETIME, [&[OWN], &state.text()[..]].concat()),
        };
        match self.sealer.seal(&owner().0, lifetime, &inner) {
            Ok(sealed) => {
                object.set("requestState", Json::string(&sealed));
                object.to_json()
            }
            // Without random numbers nothing can be sealed, and nothing unsealed goes out.
            Err(error) => {
                tracing::error!(%error, "a state could not be sealed");
                object.remove("requestState");
                object.to_json()
            }
        }
    }

    fn parked(&self, handle: &str) -> Vec<u8> {
        let url = self.url.as_deref().unwrap_or_default();
        let length = u16::try_from(url.len()).unwrap_or(0);
        let url = &url.as_bytes()[..usize::from(length)];
        [&[PARKED], &self.instance[..], &length.to_be_bytes(), url, handle.as_bytes()].concat()
    }

    /// What `state` stands for, if it was given out for this request.
    pub(crate) fn open(&self, owner: &Owner, state: &Json, caller: &Caller) -> Result<Held, RpcError> {
        let sealed = state.as_string().ok_or_else(|| refused("it must be a string"))?;
        let inner = self.sealer.open(&owner.0, &sealed).map_err(|why| refused(&why.to_string()))?;
        let damaged = || refused("it cannot be read");
        let (kind, rest) = inner.split_first().ok_or_else(damaged)?;
        match *kind {
            OWN => Json::parse(rest.to_vec().into()).map(Held::Own).map_err(|_| damaged()),
            PARKED => {
                let (instance, rest) = rest.split_at_checked(INSTANCE).ok_or_else(damaged)?;
                let (length, rest) = rest.split_first_chunk::<2>().ok_or_else(damaged)?;
                let (url, handle) = rest.split_at_checked(u16::from_be_bytes(*length).into()).ok_or_else(damaged)?;
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|_| damaged());
                if instance == self.instance {
                    Ok(Held::Here(text(handle)?))
                } else {
                    self.elsewhere(text(url)?, caller)
                }
            }
            _ => Err(damaged()),
        }
    }

    /// A call of another process: of one that can be asked, or of one that is no more.
    fn elsewhere(&self, url: String, caller: &Caller) -> Result<Held, RpcError> {
        // Under this very address, or where another replica believed it to be: it was restarted.
        if caller.is_forwarded() || self.url.as_deref() == Some(&*url) {
            return Err(refused("its call was lost when the gateway restarted"));
        }
        if url.is_empty() || self.replicas.is_none() {
            return Err(refused("its call waits at a replica that cannot be reached from here, or was lost with it"));
        }
        Ok(Held::Elsewhere(url))
    }

    /// Passes a request on to the replica that holds its call.
    pub(crate) async fn forward(&self, url: &str, call: Call, caller: &Caller, within: Duration) -> Reply {
        let Some(replicas) = &self.replicas else {
            return Reply::done(Err(refused("its call waits at a replica that cannot be reached from here")));
        };
        tracing::debug!(caller = caller.subject(), "a retry is passed on to the replica that holds its call");
        let vouch = |body: &[u8]| toolgate_identity::vouch(&self.sealer, caller.subject(), body).ok();
        match replicas.forward(url, call, vouch, within + REPLICA_SLACK).await {
            Ok(reply) => reply,
            Err(failure) => {
                tracing::warn!(error = %failure, "a replica did not answer");
                let data = Object::new().with("reason", Json::string(failure.reason()));
                let text = format!("the replica of this gateway that holds the call {failure}");
                Reply::done(Err(RpcError::new(code::INTERNAL_ERROR, text).with_data(data.to_json())))
            }
        }
    }
}

impl std::fmt::Debug for Handles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handles").field("url", &self.url).finish_non_exhaustive()
    }
}

/// The specification's answer to a state that is of no use: invalid parameters.
pub(crate) fn refused(why: &str) -> RpcError {
    let text = format!("invalid `requestState`: {why}; send the request anew without it");
    RpcError::new(code::INVALID_PARAMS, text)
}
