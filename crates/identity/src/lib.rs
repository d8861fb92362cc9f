//! Who is calling.
//!
//! A request shows something ([`Presented`]); [`Identity`] makes a [`Caller`] of it, or says why not. Today there is one
//! caller, *anonymous*: whoever reaches the port. Keys and OIDC tokens will be tried in [`Identity::identify`] before it,
//! without the request path changing.

use std::sync::Arc;

use toolgate_protocol::Presentation;

/// What a request shows of its sender, and by which way it came.
#[derive(Clone, Debug, Default)]
pub struct Presented {
    /// The address it came from; absent over stdio.
    pub address: Option<std::net::IpAddr>,
    /// The presentation that its endpoint asks for, such as with `?view=search`.
    pub presentation: Option<Presentation>,
    /// The name under which its client introduced itself once for all its requests. Clients whose every request stands
    /// alone never do: for them, what is listed may depend on endpoint and authorization and on nothing else (2026-07-28
    /// `server/tools`).
    pub introduced_as: Option<Arc<str>>,
}

/// The identity behind a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Caller {
    subject: Arc<str>,
}

/// The configured ways to know a caller, tried in order.
#[derive(Debug, Default)]
pub struct Identity(());

/// Nobody we know, or nobody at all.
#[derive(Debug, thiserror::Error)]
#[error("the caller could not be identified")]
pub struct Unidentified(());

// === impl Caller ===

impl Caller {
    /// Whoever reaches the port.
    pub fn anonymous() -> Self {
        Self { subject: "anonymous".into() }
    }

    /// The name under which logs and audit know the caller.
    pub fn subject(&self) -> &str {
        &self.subject
    }
}

// === impl Identity ===

impl Identity {
    /// Everybody is anonymous.
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// Makes a caller of what a request shows.
    pub async fn identify(&self, _presented: &Presented) -> Result<Caller, Unidentified> {
        Ok(Caller::anonymous())
    }
}
