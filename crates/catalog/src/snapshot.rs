//! All entries at one moment. It never changes; a new one takes its place.
//!
//! The order is the config's order of upstreams and each upstream's own order of entries: the same on every replica and
//! after every restart, so that what clients and models cache stays valid.

use std::collections::HashMap;
use std::sync::Arc;

use toolgate_protocol::{Era, Json, Kind, Subject, UpstreamName};

use crate::entry::Entry;
use crate::namespace::Namespace;
use crate::naming::{self, Naming};
use crate::offer::Offer;
use crate::overlay::Override;
use crate::ui::{self, Pages};

/// All entries of all upstreams at one moment.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    /// Grows with each change of what is offered, or of the config.
    pub(crate) version: u64,
    /// Each upstream in the config's order, with what it offers; `None` until that is known.
    pub(crate) offers: Vec<(UpstreamName, Option<Arc<Offer>>)>,
    tools: Shelved,
    prompts: Shelved,
    resources: Shelved,
    templates: Shelved,
    pages: Pages,
    /// What the upstreams offer and the namespace does not have.
    pub(crate) left_out: Vec<LeftOut>,
}

/// An entry that a namespace does not have, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// Which one.
    pub(crate) subject: Subject,
    /// Why, for the operator.
    pub(crate) reason: String,
}

/// The entries of one kind, in order and by public name.
#[derive(Debug, Default)]
pub(crate) struct Shelved {
    pub(crate) entries: Vec<Arc<Entry>>,
    by_public: HashMap<Arc<str>, usize>,
    by_native: HashMap<(UpstreamName, Arc<str>), usize>,
}

// === impl Snapshot ===

impl Snapshot {
    /// Names every entry that the namespace selects of every offer. Entries that `before` already has are taken over from it:
    /// most lists do not change.
    pub(crate) fn build(
        offers: Vec<(UpstreamName, Option<Arc<Offer>>)>,
        namespace: &Namespace,
        version: u64,
        before: Option<&Self>,
    ) -> Self {
        let mut snapshot = Self { version, offers, ..Self::default() };
        let naming = namespace.naming;
        let (mut pages, mut left_out) = (Pages::default(), Vec::new());
        // Resources before the tools that name some.
        for kind in [Kind::Resource, Kind::Template, Kind::Prompt, Kind::Tool] {
            let mut shelved = Shelved::default();
            for (upstream, offer) in &snapshot.offers {
                let Some(offer) = offer else { continue };
                for (native, definition) in &offer.list(kind).entries {
                    let subject = Subject { upstream: upstream.clone(), kind, native: native.clone() };
                    let overlay = (kind == Kind::Tool)
                        .then(|| namespace.overrides.get(&(upstream.clone(), native.clone())).cloned())
                        .flatten();
                    if let Some(reason) = why_not(namespace, &subject, definition, overlay.as_deref()) {
                        left_out.push(LeftOut { subject, reason });
                        continue;
                    }
                    let called = overlay.as_ref().and_then(|overlay| overlay.name.as_deref()).unwrap_or(native);
                    let public = shelved.public_name(&subject, called, naming);
                    let page = (kind == Kind::Tool && naming != Naming::Transparent)
                        .then(|| page_of(&mut pages, &snapshot.resources, &subject, definition))
                        .flatten();
                    let known = before.and_then(|before| before.of(kind).by_native(upstream, native));
                    let same = known.filter(|entry| {
                        entry.public == public
                            && entry.page == page
                            && entry.overlay == overlay
                            && entry.native_definition == *definition
                    });
                    let entry = same
                        .cloned()
                        .unwrap_or_else(|| Arc::new(Entry::new(subject, public, page, overlay, definition)));
                    if let Err(twin) = shelved.add(entry) {
                        left_out.push(twin);
                    }
                }
            }
            *snapshot.of_mut(kind) = shelved;
        }
        snapshot.pages = pages;
        snapshot.left_out = left_out;
        snapshot
    }

    /// The entries of one kind.
    pub(crate) fn of(&self, kind: Kind) -> &Shelved {
        match kind {
            Kind::Tool => &self.tools,
            Kind::Prompt => &self.prompts,
            Kind::Resource => &self.resources,
            Kind::Template => &self.templates,
        }
    }

    /// Whether it has any entry of this upstream.
    pub(crate) fn has_any(&self, upstream: &UpstreamName) -> bool {
        let mut entries = Kind::ALL.into_iter().flat_map(|kind| &self.of(kind).entries);
        entries.any(|entry| entry.subject.upstream == *upstream)
    }

    fn of_mut(&mut self, kind: Kind) -> &mut Shelved {
        match kind {
            Kind::Tool => &mut self.tools,
            Kind::Prompt => &mut self.prompts,
            Kind::Resource => &mut self.resources,
            Kind::Template => &mut self.templates,
        }
    }

    /// What the upstream offers, if that is known.
    pub(crate) fn offer(&self, upstream: &UpstreamName) -> Option<&Arc<Offer>> {
        self.offers.iter().find(|(name, _)| name == upstream).and_then(|(_, offer)| offer.as_ref())
    }

    /// Whose resource a URI is: one listed, else of the template that fits best, else of the only upstream that has resources
    /// of this scheme. Resources need not be listed to be readable, so the last step is a guess that the upstream confirms.
    pub(crate) fn resource(&self, uri: &str) -> Option<Subject> {
        if let Some(entry) = self.resources.get(uri) {
            return Some(entry.subject.clone());
        }
        let own = |upstream: &UpstreamName, native: &str| Subject {
            upstream: upstream.clone(),
            kind: Kind::Resource,
            native: native.into(),
        };
        for (upstream, _) in &self.offers {
            if let Some(native) = naming::native_uri(upstream, uri) {
                return Some(own(upstream, &native));
            }
        }
        if let Some(owner) = self.pages.owner(uri) {
            return Some(own(owner, uri));
        }
        let fitting = self.templates.entries.iter().filter_map(|entry| {
            let template = entry.template.as_ref()?;
            template.matches(uri).then_some((template.literal_len(), entry))
        });
        // `max_by_key` takes the last of equals; the first upstream in the config shall win.
        if let Some((_, entry)) = fitting.rev().max_by_key(|(len, _)| *len) {
            return Some(own(&entry.subject.upstream, uri));
        }
        let mut having = self
            .offers
            .iter()
            .filter(|(_, offer)| offer.as_ref().is_some_and(|offer| offer.capabilities.get("resources").is_some()));
        match (having.next(), having.next()) {
            (Some((only, _)), None) => Some(own(only, uri)),
            _ => self.only_upstream_with_scheme(uri).map(|upstream| own(upstream, uri)),
        }
    }

    fn only_upstream_with_scheme(&self, uri: &str) -> Option<&UpstreamName> {
        let scheme = uri.split_once(':')?.0;
        let listed = self.resources.entries.iter().chain(&self.templates.entries);
        let mut owners =
            listed.filter(|entry| entry.subject.native.split_once(':').is_some_and(|(other, _)| other == scheme));
        let first = &owners.next()?.subject.upstream;
        owners.all(|entry| entry.subject.upstream == *first).then_some(first)
    }

    /// Whether all that is listed is the same for everyone, as far as the upstreams say.
    pub(crate) fn is_public(&self, kind: Kind) -> bool {
        self.offers
            .iter()
            .flat_map(|(_, offer)| offer)
            .all(|offer| offer.list(kind).entries.is_empty() || (offer.era == Era::Modern && offer.list(kind).public))
    }
}

/// Why a namespace does not have an entry, if it does not.
fn why_not(namespace: &Namespace, subject: &Subject, definition: &Json, overlay: Option<&Override>) -> Option<String> {
    if overlay.is_some_and(|overlay| overlay.hidden) {
        return Some("hidden by an override".into());
    }
    // What the operator says of a tool counts before what it says of itself.
    let laid = overlay.filter(|overlay| !overlay.annotations.is_empty()).and_then(|overlay| {
        let mut object = definition.object().ok()?;
        overlay.lay_over(&mut object);
        Some(object.to_json())
    });
    (namespace.selects)(subject, laid.as_ref().unwrap_or(definition))
}

/// The URI by which clients know the page that a tool names, if it names one.
fn page_of(pages: &mut Pages, resources: &Shelved, tool: &Subject, definition: &Json) -> Option<Arc<str>> {
    let native = ui::page(definition)?;
    Some(match resources.by_native(&tool.upstream, &native) {
        Some(listed) => listed.public.clone(),
        None => pages.add(tool, &native, resources.get(&native).is_some()),
    })
}

// === impl Shelved ===

impl Shelved {
    /// The entry of this public name.
    pub(crate) fn get(&self, public: &str) -> Option<&Arc<Entry>> {
        self.by_public.get(public).map(|&at| &self.entries[at])
    }

    /// The entry of this native name.
    pub(crate) fn by_native(&self, upstream: &UpstreamName, native: &str) -> Option<&Arc<Entry>> {
        self.place(upstream, native).map(|at| &self.entries[at])
    }

    /// Where the entry of this native name stands.
    pub(crate) fn place(&self, upstream: &UpstreamName, native: &str) -> Option<usize> {
        self.by_native.get(&(upstream.clone(), native.into())).copied()
    }

    /// The public name of an entry that would be `called` so if it stood alone.
    fn public_name(&self, subject: &Subject, called: &str, naming: Naming) -> Arc<str> {
        let Subject { upstream, kind, native } = subject;
        let by_uri = matches!(kind, Kind::Resource | Kind::Template);
        match naming {
            Naming::Transparent => called.into(),
            _ if by_uri && !self.by_public.contains_key(native) => native.clone(),
            _ if by_uri => naming::prefixed_uri(upstream, native).into(),
            Naming::Prefixed => naming::prefixed(upstream, called).into(),
            Naming::Plain => {
                let plain = naming::legal(called);
                // The surface's own names mean the surface.
                let is_taken = self.by_public.contains_key(plain.as_str()) || naming::is_reserved(*kind, &plain);
                if is_taken { naming::prefixed(upstream, called).into() } else { plain.into() }
            }
        }
    }

    /// Adds an entry, unless another has its public name: the first stays. Without overrides that needs a six-digit hash
    /// collision.
    fn add(&mut self, entry: Arc<Entry>) -> Result<(), LeftOut> {
        if let Some(other) = self.get(&entry.public) {
            let reason = format!("`{}` is the name of {} as well, which comes first", entry.public, other.subject);
            tracing::warn!(entry = %entry.subject, %reason, "left out");
            return Err(LeftOut { subject: entry.subject.clone(), reason });
        }
        let at = self.entries.len();
        self.by_public.insert(entry.public.clone(), at);
        self.by_native.insert((entry.subject.upstream.clone(), entry.subject.native.clone()), at);
        self.entries.push(entry);
        Ok(())
    }
}
