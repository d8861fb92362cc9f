//! How the upstreams are doing, for operators.

use std::time::Duration;

use toolgate_protocol::{Kind, UpstreamName};

use crate::offer::{Dropped, Offer};

/// One upstream, for `status` and the start-up table.
#[derive(Clone, Debug, serde::Serialize)]
pub struct UpstreamStatus {
    /// Its name.
    pub name: UpstreamName,
    /// `starting`, `ready`, `failed`, `stopped` or `disabled`.
    pub state: &'static str,
    /// `legacy` or `modern`, once known.
    pub era: Option<String>,
    /// The revision agreed on, once known.
    pub revision: Option<&'static str>,
    /// What went wrong, when it failed.
    pub error: Option<String>,
    /// Seconds until it is tried again, when it failed.
    pub retry_in_seconds: Option<f64>,
    /// Whether its lists come from an earlier run, until it is asked again.
    pub from_cache: bool,
    /// What it offers.
    pub counts: Counts,
    /// What it lists but is not offered, and why.
    pub dropped: Vec<Dropped>,
}

/// How many entries of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Tools.
    pub tools: usize,
    /// Prompts.
    pub prompts: usize,
    /// Resources.
    pub resources: usize,
    /// Resource templates.
    pub templates: usize,
}

// === impl Counts ===

impl Counts {
    pub(crate) fn of(offer: &Offer) -> Self {
        let count = |kind| offer.list(kind).entries.len();
        Self {
            tools: count(Kind::Tool),
            prompts: count(Kind::Prompt),
            resources: count(Kind::Resource),
            templates: count(Kind::Template),
        }
    }
}

/// Seconds with one decimal, for people.
pub(crate) fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10.0).round() / 10.0
}
