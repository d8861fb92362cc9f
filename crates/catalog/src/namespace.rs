//! What one endpoint shows: which entries, under which names, changed in which ways, and how.
//!
//! A namespace selects among the upstreams' entries and lays its own words over theirs. Many may have the same upstream; none
//! knows of another. The endpoint `/mcp` is a namespace as well, and so is each upstream under its own names.

use std::collections::HashMap;
use std::sync::Arc;

use toolgate_discovery::surface::Surface;
use toolgate_protocol::{Endpoint, Json, Presentation, Subject, UpstreamName};

use crate::naming::Naming;
use crate::overlay::Override;

/// What one endpoint shows.
pub struct Namespace {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// How public names are made.
    pub naming: Naming,
    /// Whether an upstream has anything here at all.
    pub members: Box<dyn Fn(&UpstreamName) -> bool + Send + Sync>,
    /// Which entries of these are here.
    pub selects: Selects,
    /// What is laid over tools.
    pub overrides: Overrides,
    /// What clients read first, in the place of what upstreams say.
    pub instructions: Option<String>,
    /// How its tools are shown.
    pub showing: Showing,
}

/// Why an entry, by its native definition, is not in a namespace; `None` if it is.
pub type Selects = Box<dyn Fn(&Subject, &Json) -> Option<String> + Send + Sync>;

/// What is laid over tools, by upstream and native name.
pub type Overrides = HashMap<(UpstreamName, Arc<str>), Arc<Override>>;

/// Whether a tool is one of some, by its public name.
pub type Picks = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// How the tools of a namespace are shown.
pub struct Showing {
    /// Where neither the endpoint nor the client says otherwise.
    pub presentation: Presentation,
    /// By the name that a legacy client gives itself, in lower case; the first that fits counts.
    pub clients: Vec<(String, Presentation)>,
    /// `auto` lists tools directly up to so many tokens.
    pub budget: usize,
    /// Tools that are listed beside the surface.
    pub pinned: Picks,
    /// Which tools the surface has.
    pub surface: Surface,
    /// Whether slips that can mean only one thing are understood.
    pub lenient: bool,
    /// How many tokens an answer of the surface may have, about.
    pub answer_tokens: usize,
}

// === impl Namespace ===

impl Namespace {
    /// One upstream as it is, shown whole.
    pub(crate) fn of_upstream(name: &UpstreamName) -> Self {
        let only = name.clone();
        Self {
            endpoint: Endpoint::Upstream(name.clone()),
            naming: Naming::Transparent,
            members: Box::new(move |upstream| *upstream == only),
            selects: Box::new(|_, _| None),
            overrides: Overrides::default(),
            instructions: None,
            showing: Showing::default(),
        }
    }
}

// === impl Showing ===

impl Showing {
    /// Whether some client may be shown the surface without asking for it.
    pub(crate) fn may_search(&self) -> bool {
        self.presentation != Presentation::Direct
            || self.clients.iter().any(|(_, presentation)| *presentation != Presentation::Direct)
    }
}

/// Everything is listed.
impl Default for Showing {
    fn default() -> Self {
        Self {
            presentation: Presentation::Direct,
            clients: Vec::new(),
            budget: usize::MAX,
            pinned: Box::new(|_| false),
            surface: Surface { split: false },
            lenient: true,
            answer_tokens: 1_200,
        }
    }
}
