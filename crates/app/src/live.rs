//! A config that changes while the gateway serves: what did not change goes on as it is, the rest is swapped at once.
//!
//! First everything is made that the new config needs; only when nothing of it failed is it put in the place of the old one.
//! Upstreams are told apart by what they are made of: one whose command, URL, limits and times are the same is the same one,
//! with its connections and all that is known of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use toolgate_catalog::offer::{Admission, Offer};
use toolgate_catalog::{Arrangement, Member, Permits, Shelf};
use toolgate_config::{Difference, Settings, ToolFilter, UpstreamSettings};
use toolgate_gateway::Gateway;
use toolgate_policy::Policy;
use toolgate_protocol::Json;
use toolgate_upstream::{self as upstream, Host, Upstream};

use crate::build::{BuildError, Surroundings, catalog_config, upstream_config};
use crate::fingerprint::fingerprint;
use crate::namespace::namespace;

/// Changes the config of a gateway that serves.
pub struct Live {
    gateway: Arc<Gateway>,
    maker: Maker,
    now: Mutex<Now>,
}

/// Makes upstreams of settings.
pub(crate) struct Maker {
    pub(crate) host: Arc<Host>,
    pub(crate) shelf: Option<Shelf>,
    pub(crate) surroundings: Surroundings,
}

/// What serves now.
pub(crate) struct Now {
    settings: Settings,
    upstreams: HashMap<String, Kept>,
}

/// An upstream, and what it was made of.
struct Kept {
    config: upstream::Config,
    tools: ToolFilter,
    permits: Permits,
    upstream: Arc<Upstream>,
}

// === impl Live ===

impl Live {
    pub(crate) fn new(gateway: Arc<Gateway>, maker: Maker, now: Now) -> Arc<Self> {
        Arc::new(Self { gateway, maker, now: Mutex::new(now) })
    }

    /// The gateway.
    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// What another config would change.
    pub fn differences(&self, settings: &Settings) -> Vec<Difference> {
        self.now().settings.differences(settings)
    }

    /// Whether another config could be put to use, for all that can be known before it is tried.
    ///
    /// # Errors
    /// What cannot.
    pub(crate) fn check(&self, settings: &Settings) -> Result<(), BuildError> {
        self.maker.configs(settings).map(drop)
    }

    /// Puts another config in the place of the present one, and says what changed. What a running gateway cannot take over
    /// stays as it was, and is named with the rest.
    ///
    /// Must be called within the runtime that the gateway was built in.
    ///
    /// # Errors
    /// When something of it cannot be put to use; then nothing changed.
    pub fn apply(&self, settings: Settings) -> Result<Vec<Difference>, BuildError> {
        let mut now = self.now();
        let differences = now.settings.differences(&settings);
        let (next, arrangement) = self.maker.arrange(settings, Some(&*now))?;
        self.gateway.rearrange(arrangement);
        *now = next;
        Ok(differences)
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Maker ===

impl Maker {
    /// What settings come to, with the upstreams of `before` that they leave as they are. New upstreams start at once.
    pub(crate) fn arrange(&self, settings: Settings, before: Option<&Now>) -> Result<(Now, Arrangement), BuildError> {
        // First all configs, so that nothing is started when one is wrong.
        let mut configs = Vec::new();
        let mut disabled = Vec::new();
        for (config, one) in self.configs(&settings)? {
            if one.enabled {
                configs.push((config, one));
            } else {
                disabled.push(config.name);
            }
        }
        let mut upstreams = HashMap::new();
        let mut members = Vec::new();
        for (config, one) in configs {
            let known = before.and_then(|before| before.upstreams.get(&one.slug));
            let permits = match known.filter(|known| known.tools == one.tools) {
                Some(known) => known.permits.clone(),
                None => permits(one.tools.clone()),
            };
            let fingerprint = fingerprint(&one.transport);
            let (upstream, remembered) = match known.filter(|known| known.config == config) {
                Some(known) => (known.upstream.clone(), None),
                None => {
                    let name = &config.name;
                    let remembered =
                        self.shelf.as_ref().and_then(|shelf| shelf.load(name, &fingerprint, &|tool| permits(tool)));
                    let shelf = self.shelf.as_ref().zip(remembered.as_ref());
                    let era = shelf.and_then(|(shelf, offer)| shelf.era(name, &fingerprint, offer));
                    let remembered = remembered.or_else(|| declared(one, &config, &permits, settings.limits.entries));
                    // As long as nothing is known of it, it must be asked.
                    let start = match config.idle.is_some() && remembered.is_some() {
                        true => Upstream::asleep,
                        false => Upstream::start,
                    };
                    (start(config.clone(), era, self.host.clone()), remembered)
                }
            };
            // Not of its config, so that another number starts nothing anew.
            upstream.keep_warm(one.warm);
            let kept = Kept { config, tools: one.tools.clone(), permits: permits.clone(), upstream: upstream.clone() };
            upstreams.insert(one.slug.clone(), kept);
            members.push(Member { upstream, fingerprint, remembered, permits });
        }
        let arrangement = Arrangement {
            config: catalog_config(&settings),
            policy: Policy::allow_all(),
            members,
            disabled,
            namespaces: settings.namespaces.iter().map(|one| namespace(one, &settings)).collect(),
        };
        Ok((Now { settings, upstreams }, arrangement))
    }

    /// What each upstream would be made of.
    fn configs<'a>(&self, settings: &'a Settings) -> Result<Vec<(upstream::Config, &'a UpstreamSettings)>, BuildError> {
        let config = |one: &'a UpstreamSettings| match upstream_config(one, settings, &self.surroundings) {
            Ok(config) => Ok((config, one)),
            Err(what) => Err(BuildError::Upstream { origin: one.origin.to_string(), name: one.name.clone(), what }),
        };
        settings.upstreams.iter().map(config).collect()
    }
}

/// What the config says that an upstream offers, if it says so.
fn declared(one: &UpstreamSettings, config: &upstream::Config, permits: &Permits, most: usize) -> Option<Offer> {
    if one.declared.is_empty() {
        return None;
    }
    let definitions = one.declared.iter().filter_map(|text| Json::parse(text.clone().into()).ok()).collect();
    Some(Offer::declared(&Admission { era: config.era.assumed(), most, permits: &**permits }, definitions))
}

fn permits(tools: ToolFilter) -> Permits {
    Arc::new(move |tool: &str| tools.permits(tool))
}
