//! Everything that the config decides, at one moment: who is behind us and what each endpoint shows of them. It is swapped
//! whole, so that a request sees one config from its beginning to its end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use toolgate_policy::Policy;
use toolgate_protocol::{Endpoint, UpstreamName};
use toolgate_search::Scope;

use crate::catalog::Config;
use crate::namespace::Namespace;
use crate::offer::Offer;
use crate::snapshot::Snapshot;
use crate::tracked::{Member, Tracked};

/// What the config says.
pub struct Arrangement {
    /// How the catalog behaves.
    pub config: Config,
    /// What callers may do.
    pub policy: Policy,
    /// The upstreams, in the config's order.
    pub members: Vec<Member>,
    /// Those that are listed and not started.
    pub disabled: Vec<UpstreamName>,
    /// What the endpoints show, `/mcp` among them.
    pub namespaces: Vec<Namespace>,
}

/// What the config says at one moment, put to use.
pub(crate) struct Moment {
    pub(crate) config: Config,
    pub(crate) policy: Policy,
    pub(crate) members: Vec<Arc<Tracked>>,
    pub(crate) disabled: Vec<UpstreamName>,
    spaces: HashMap<Endpoint, Arc<Space>>,
}

/// A namespace and its entries.
pub(crate) struct Space {
    pub(crate) namespace: Namespace,
    /// Made when somebody looks for the first time, and kept up to date from then on.
    snapshot: ArcSwapOption<Snapshot>,
    /// What of the search index is its, as it was last asked for.
    sight: Mutex<Option<Sight>>,
}

/// What of the search index a namespace has, with what it was found by.
struct Sight {
    corpus: u64,
    snapshot: Arc<Snapshot>,
    scope: Scope,
}

// === impl Moment ===

impl Moment {
    /// Puts an arrangement to use. Upstreams of which nothing changed are taken over from `before` with all that is known.
    pub(crate) fn new(arrangement: Arrangement, before: Option<&Self>) -> Self {
        let members: Vec<Arc<Tracked>> = arrangement
            .members
            .into_iter()
            .map(|member| {
                let known = before.and_then(|before| before.member(member.upstream.name()));
                match known {
                    Some(known) if known.is(&member) => known.clone(),
                    other => {
                        let same = other.filter(|other| Arc::ptr_eq(&other.upstream, &member.upstream));
                        Arc::new(Tracked::new(member, same.map(|same| &**same)))
                    }
                }
            })
            .collect();
        let alone = members.iter().map(|member| Namespace::of_upstream(member.upstream.name()));
        // What the config says of an endpoint comes after what holds without it.
        let namespaces = alone.chain(arrangement.namespaces);
        let spaces =
            namespaces.map(|namespace| (namespace.endpoint.clone(), Arc::new(Space::new(namespace)))).collect();
        Self { config: arrangement.config, policy: arrangement.policy, members, disabled: arrangement.disabled, spaces }
    }

    pub(crate) fn member(&self, name: &UpstreamName) -> Option<&Arc<Tracked>> {
        self.members.iter().find(|member| member.upstream.name() == name)
    }

    /// What an endpoint shows; `None` if there is no such endpoint.
    pub(crate) fn space(&self, endpoint: &Endpoint) -> Option<&Arc<Space>> {
        self.spaces.get(endpoint)
    }

    /// What all endpoints show.
    pub(crate) fn spaces(&self) -> impl Iterator<Item = &Arc<Space>> {
        self.spaces.values()
    }

    /// What each upstream offers, in the config's order; `None` until that is known.
    pub(crate) fn offers(&self) -> Vec<(UpstreamName, Option<Arc<Offer>>)> {
        self.members.iter().map(|member| (member.upstream.name().clone(), member.offer())).collect()
    }
}

// === impl Space ===

impl Space {
    fn new(namespace: Namespace) -> Self {
        Self { namespace, snapshot: ArcSwapOption::empty(), sight: Mutex::default() }
    }

    /// The upstreams that may have something here.
    pub(crate) fn members<'m>(&'m self, moment: &'m Moment) -> impl Iterator<Item = &'m Arc<Tracked>> {
        moment.members.iter().filter(|member| (self.namespace.members)(member.upstream.name()))
    }

    /// Its entries, if somebody has looked before.
    pub(crate) fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.load_full()
    }

    /// Makes its entries anew of what the upstreams offer now. `before` is what it had under the config before this one.
    pub(crate) fn rebuild(&self, moment: &Moment, version: u64, before: Option<Arc<Snapshot>>) -> Arc<Snapshot> {
        let offers = self.members(moment).map(|member| (member.upstream.name().clone(), member.offer())).collect();
        let before = self.snapshot().or(before);
        let snapshot = Arc::new(Snapshot::build(offers, &self.namespace, version, before.as_deref()));
        self.snapshot.store(Some(snapshot.clone()));
        snapshot
    }

    /// Its part of the index that was made of `corpus`, judged by `part` unless that was done before.
    pub(crate) fn scope(&self, corpus: u64, snapshot: &Arc<Snapshot>, part: impl FnOnce() -> Scope) -> Scope {
        let sight = || self.sight.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*sight()
            && known.corpus == corpus
            && Arc::ptr_eq(&known.snapshot, snapshot)
        {
            return known.scope.clone();
        }
        let scope = part();
        *sight() = Some(Sight { corpus, snapshot: snapshot.clone(), scope: scope.clone() });
        scope
    }
}
