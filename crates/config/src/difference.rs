//! What two configs differ in, in words: what is applied to a running gateway, and what waits for its next start.

use std::fmt;

use crate::namespace::NamespaceSettings;
use crate::settings::{Settings, UpstreamSettings};

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// How.
    pub change: Change,
    /// What: `upstream github`, `namespace team`, or a key.
    pub what: String,
    /// In which respects, where that is worth saying.
    pub respects: Vec<&'static str>,
    /// Whether a running gateway takes it over only when it is started again.
    pub needs_restart: bool,
}

/// How something differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is another.
    Changed,
}

// === impl Settings ===

impl Settings {
    /// What `next` differs in.
    pub fn differences(&self, next: &Self) -> Vec<Difference> {
        let mut all = Vec::new();
        let respects = |one: &UpstreamSettings, other: &UpstreamSettings| upstream_respects(one, other);
        named(&mut all, "upstream", &self.upstreams, &next.upstreams, |one| &one.slug, respects);
        let order = |settings: &Self| settings.upstreams.iter().map(|one| one.slug.clone()).collect::<Vec<_>>();
        let (mut before, mut now) = (order(self), order(next));
        before.retain(|slug| now.contains(slug));
        now.retain(|slug| before.contains(slug));
        if before != now {
            all.push(Difference::key("the order of the upstreams", false));
        }
        let respects =
            |one: &NamespaceSettings, other: &NamespaceSettings| namespace_respects((self, one), (next, other));
        named(&mut all, "namespace", &self.namespaces, &next.namespaces, |one| &one.slug, respects);
        for (key, differs, needs_restart) in self.keys(next) {
            if differs {
                all.push(Difference::key(key, needs_restart));
            }
        }
        all
    }

    /// The keys at the top: whether they differ, and whether a running gateway can take them over.
    fn keys(&self, next: &Self) -> [(&'static str, bool, bool); 14] {
        let (limits, then) = (&self.limits, &next.limits);
        let at_the_edge = |limits: &crate::Limits| {
            let crate::Limits { request, depth, batch, sessions, in_flight, parked, parked_per_caller, .. } = *limits;
            (request, depth, batch, sessions, in_flight, parked, parked_per_caller)
        };
        let waits =
            |settings: &Self| (settings.timeouts.session_idle, settings.timeouts.stream, settings.timeouts.shutdown);
        let edge_differs = at_the_edge(limits) != at_the_edge(then) || waits(self) != waits(next);
        [
            ("names", self.names != next.names, false),
            ("presentation", self.presentation != next.presentation, false),
            ("search", self.search != next.search, false),
            ("refresh", self.refresh != next.refresh, false),
            ("timeouts", self.timeouts != next.timeouts, waits(self) != waits(next)),
            ("limits", limits != then, edge_differs),
            ("listen", self.listen != next.listen, true),
            ("allowed_hosts", self.allowed_hosts != next.allowed_hosts, true),
            ("allowed_origins", self.allowed_origins != next.allowed_origins, true),
            ("state_dir", self.state_dir != next.state_dir, true),
            ("keys or replica", (&self.keys, &self.replica_url) != (&next.keys, &next.replica_url), true),
            ("admin", self.admin != next.admin, true),
            ("store", self.store != next.store, true),
            ("log", self.log != next.log, true),
        ]
    }
}

/// What of two lists of named things differs.
fn named<T: PartialEq>(
    all: &mut Vec<Difference>,
    what: &str,
    before: &[T],
    now: &[T],
    name: impl Fn(&T) -> &String,
    respects: impl Fn(&T, &T) -> Vec<&'static str>,
) {
    let entry = |change, one: &T, respects| Difference {
        change,
        what: format!("{what} {}", name(one)),
        respects,
        needs_restart: false,
    };
    for one in now {
        match before.iter().find(|other| name(other) == name(one)) {
            None => all.push(entry(Change::Added, one, Vec::new())),
            Some(other) => {
                let respects = respects(other, one);
                if !respects.is_empty() {
                    all.push(entry(Change::Changed, one, respects));
                }
            }
        }
    }
    for gone in before.iter().filter(|one| !now.iter().any(|other| name(other) == name(one))) {
        all.push(entry(Change::Removed, gone, Vec::new()));
    }
}

fn upstream_respects(before: &UpstreamSettings, now: &UpstreamSettings) -> Vec<&'static str> {
    let respects = [
        ("enabled", before.enabled != now.enabled),
        ("how it is reached", before.transport != now.transport),
        ("era", before.era != now.era),
        ("isolation", before.isolation != now.isolation),
        ("warm", before.warm != now.warm),
        ("timeout", before.timeout != now.timeout),
        ("restart", before.restart != now.restart),
        ("tools", before.tools != now.tools),
        ("start", before.idle != now.idle),
        ("declare", before.declared != now.declared),
    ];
    respects.into_iter().filter(|(_, differs)| *differs).map(|(respect, _)| respect).collect()
}

/// Each namespace with the settings that it is from: what follows from a key at the top is told once, with that key.
fn namespace_respects(
    (was, before): (&Settings, &NamespaceSettings),
    (is, now): (&Settings, &NamespaceSettings),
) -> Vec<&'static str> {
    let own_names = |settings: &Settings, one: &NamespaceSettings| (one.names != settings.names).then_some(one.names);
    let own_showing = |settings: &Settings, one: &NamespaceSettings| {
        let presentation = (one.presentation != settings.presentation).then_some(one.presentation);
        let pinned = (one.pinned != settings.search.pinned).then(|| one.pinned.clone());
        (presentation, pinned)
    };
    let hints = |one: &NamespaceSettings| (one.read_only, one.destructive);
    let respects = [
        ("upstreams", before.upstreams != now.upstreams),
        ("tools", before.tools != now.tools || hints(before) != hints(now)),
        ("prompts", before.prompts != now.prompts),
        ("resources", before.resources != now.resources),
        ("names", own_names(was, before) != own_names(is, now)),
        ("presentation", own_showing(was, before) != own_showing(is, now)),
        ("instructions", before.instructions != now.instructions),
        ("overrides", before.overrides != now.overrides),
    ];
    respects.into_iter().filter(|(_, differs)| *differs).map(|(respect, _)| respect).collect()
}

// === impl Difference ===

impl Difference {
    fn key(key: &str, needs_restart: bool) -> Self {
        Self { change: Change::Changed, what: key.to_owned(), respects: Vec::new(), needs_restart }
    }
}

/// `+ upstream github`, `~ upstream files: tools`, `~ listen (needs a restart)`.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.change {
            Change::Added => '+',
            Change::Removed => '-',
            Change::Changed => '~',
        };
        write!(f, "{sign} {}", self.what)?;
        if !self.respects.is_empty() {
            write!(f, ": {}", self.respects.join(", "))?;
        }
        if self.needs_restart {
            f.write_str(" (needs a restart)")?;
        }
        Ok(())
    }
}
