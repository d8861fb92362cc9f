//! Who is calling.
//!
//! A request shows something ([`Presented`]); [`Identity`] makes a [`Caller`] of it, or says why not. Today there is one
//! caller, *anonymous*: whoever reaches the port. Keys and OIDC tokens will be tried in [`Identity::identify`] before it,
//! without the request path changing.

mod vouch;

use std::sync::Arc;

use toolgate_protocol::{Endpoint, Presentation};
use toolgate_seal::Sealer;

pub use vouch::{Vouch, vouch};

/// What a request shows of its sender, and by which way it came.
#[derive(Clone, Debug, Default)]
pub struct Presented {
    /// The address it came from; absent over stdio.
    pub address: Option<std::net::IpAddr>,
    /// The endpoint that it came to.
    pub endpoint: Endpoint,
    /// The presentation that its endpoint asks for, such as with `?view=search`.
    pub presentation: Option<Presentation>,
    /// The name under which its client introduced itself once for all its requests. Clients whose every request stands
    /// alone never do: for them, what is listed may depend on endpoint and authorization and on nothing else (2026-07-28
    /// `server/tools`).
    pub introduced_as: Option<Arc<str>>,
    /// What the requests of one client's conversation have in common, where the way they come by tells: one pipe, one
    /// session.
    pub conversation: Option<Arc<str>>,
    /// Another replica's word for who the caller is.
    pub vouch: Option<Vouch>,
}

/// The name of whoever reaches the port.
const ANONYMOUS: &str = "anonymous";

/// The identity behind a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Caller {
    subject: Arc<str>,
    conversation: Option<Arc<str>>,
    is_forwarded: bool,
}

/// The configured ways to know a caller, tried in order.
#[derive(Debug, Default)]
pub struct Identity {
    /// Opens what replicas vouch for; without it none is believed.
    sealer: Option<Arc<Sealer>>,
}

/// Nobody we know, or nobody at all.
#[derive(Debug, thiserror::Error)]
#[error("the caller could not be identified: {0}")]
pub struct Unidentified(String);

// === impl Caller ===

impl Caller {
    /// Whoever reaches the port.
    pub fn anonymous() -> Self {
        Self { subject: ANONYMOUS.into(), conversation: None, is_forwarded: false }
    }

    /// The name under which logs and audit know the caller.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Whether this is whoever reaches the port: all such are one caller.
    pub fn is_anonymous(&self) -> bool {
        *self.subject == *ANONYMOUS
    }

    /// The same, to be kept.
    pub fn shared_subject(&self) -> &Arc<str> {
        &self.subject
    }

    /// Which of the caller's conversations a request belongs to, where that is known.
    pub fn conversation(&self) -> Option<&Arc<str>> {
        self.conversation.as_ref()
    }

    /// Whether another replica forwarded the request, so that it must not go on to a third.
    pub fn is_forwarded(&self) -> bool {
        self.is_forwarded
    }
}

// === impl Identity ===

impl Identity {
    /// Everybody is anonymous.
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// Believes what replicas vouch for that have the same keys.
    #[must_use]
    pub fn with_replicas(self, sealer: Arc<Sealer>) -> Self {
        Self { sealer: Some(sealer) }
    }

    /// Makes a caller of what a request shows.
    pub async fn identify(&self, presented: &Presented) -> Result<Caller, Unidentified> {
        let caller = Caller { conversation: presented.conversation.clone(), ..Caller::anonymous() };
        let Some(vouch) = &presented.vouch else { return Ok(caller) };
        let Some(sealer) = &self.sealer else {
            return Err(Unidentified("a replica vouches for it, but this gateway has no `keys`".into()));
        };
        let subject = vouch.open(sealer).map_err(|why| Unidentified(format!("of a replica's word for it: {why}")))?;
        Ok(Caller { subject, is_forwarded: true, ..caller })
    }
}
