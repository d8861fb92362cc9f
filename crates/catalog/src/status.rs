//! How the upstreams are doing, for operators.

use std::time::Duration;

use toolgate_protocol::{Kind, UpstreamName};

use crate::moment::{Moment, Space};
use crate::offer::{Dropped, Offer};
use crate::snapshot::Snapshot;

/// One upstream, for `status` and the start-up table.
#[derive(Clone, Debug, serde::Serialize)]
pub struct UpstreamStatus {
    /// Its name.
    pub name: UpstreamName,
    /// `starting`, `ready`, `asleep`, `failed`, `stopped` or `disabled`.
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
    /// How many instances are ready for those who need one of their own, where some are kept.
    pub warm: Option<usize>,
    /// What the operator should know though it works.
    pub notes: Vec<String>,
    /// What it lists but is not offered, and why.
    pub dropped: Vec<Dropped>,
}

/// What one endpoint shows, for `status`.
#[derive(Clone, Debug, serde::Serialize)]
pub struct NamespaceStatus {
    /// The path of its URL.
    pub endpoint: String,
    /// The upstreams that have something here, in the config's order.
    pub upstreams: Vec<UpstreamName>,
    /// What it has.
    pub counts: Counts,
    /// What its upstreams offer and it does not have, and why; so many at most.
    pub left_out: Vec<LeftOutStatus>,
    /// How many there are in all.
    pub left_out_count: usize,
    /// What its overrides say that is not so: they are kept, in case it comes to be.
    pub faults: Vec<String>,
}

/// An entry that a namespace does not have, and why.
#[derive(Clone, Debug, serde::Serialize)]
pub struct LeftOutStatus {
    /// What kind of entry.
    pub kind: Kind,
    /// Whose it is.
    pub upstream: UpstreamName,
    /// Its native name.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// The most entries that a namespace names as left out.
const MOST_LEFT_OUT: usize = 200;

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

// === impl UpstreamStatus ===

impl UpstreamStatus {
    /// One that the config lists and does not want to be started.
    pub(crate) fn disabled(name: &UpstreamName) -> Self {
        Self {
            name: name.clone(),
            state: "disabled",
            era: None,
            revision: None,
            error: None,
            retry_in_seconds: None,
            from_cache: false,
            counts: Counts::default(),
            warm: None,
            notes: Vec::new(),
            dropped: Vec::new(),
        }
    }
}

// === impl NamespaceStatus ===

impl NamespaceStatus {
    pub(crate) fn of(space: &Space, moment: &Moment, snapshot: &Snapshot) -> Self {
        let count = |kind| snapshot.of(kind).entries.len();
        let left_out = snapshot.left_out.iter().take(MOST_LEFT_OUT).map(|left| LeftOutStatus {
            kind: left.subject.kind,
            upstream: left.subject.upstream.clone(),
            name: left.subject.native.to_string(),
            reason: left.reason.clone(),
        });
        Self {
            endpoint: space.namespace.endpoint.to_string(),
            upstreams: space.members(moment).map(|member| member.upstream.name().clone()).collect(),
            counts: Counts {
                tools: count(Kind::Tool),
                prompts: count(Kind::Prompt),
                resources: count(Kind::Resource),
                templates: count(Kind::Template),
            },
            left_out: left_out.collect(),
            left_out_count: snapshot.left_out.len(),
            faults: faults(space, snapshot),
        }
    }
}

/// What overrides say that is not so, as far as the upstreams are known.
fn faults(space: &Space, snapshot: &Snapshot) -> Vec<String> {
    let mut faults: Vec<String> = Vec::new();
    for ((upstream, native), overlay) in &space.namespace.overrides {
        // Of an upstream that is not here, or not known yet, nothing can be said.
        let Some(offer) = snapshot.offer(upstream) else { continue };
        let definition = offer.tools.entries.iter().find(|(name, _)| name == native);
        match definition.map(|(_, definition)| definition.object()) {
            None => faults.push(format!("{upstream}/{native}: the upstream offers no such tool; the override is kept")),
            Some(Ok(definition)) => {
                let own = overlay.faults(&definition);
                faults.extend(own.into_iter().map(|fault| format!("{upstream}/{native}: {fault}")));
            }
            Some(Err(_)) => {}
        }
    }
    faults.sort();
    faults
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
