//! The catalog as one caller may see it: list, find, resolve. Policy is asked here and nowhere else, so what is not listed
//! cannot be called, and *not permitted* looks like *not there* (law 2).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use toolgate_identity::Caller;
use toolgate_policy::Verdict;
use toolgate_protocol::{Endpoint, Json, Kind, Method, Object, Subject, UpstreamName};

use crate::catalog::Inner;
use crate::cursor::{BadCursor, List};
use crate::entry::Entry;
use crate::extension;
use crate::moment::{Moment, Space};
use crate::namespace::Showing;
use crate::naming::{self, Naming};
use crate::offer::{Dropped, Offer};
use crate::route::Route;
use crate::snapshot::Snapshot;
use crate::tracked::Known;

/// An upstream's instructions are passed on up to this many bytes.
const MAX_INSTRUCTIONS: usize = 4 << 10;
/// All instructions together have at most this many bytes.
const MAX_ALL_INSTRUCTIONS: usize = 16 << 10;

/// What one caller may see.
#[derive(Clone)]
pub struct View {
    pub(crate) inner: Arc<Inner>,
    pub(crate) moment: Arc<Moment>,
    pub(crate) space: Arc<Space>,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) caller: Caller,
}

/// An upstream, as far as a caller may see it.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its name.
    pub name: UpstreamName,
    /// How many of its tools a model may be shown.
    pub tools: usize,
    /// What it says of itself in a few words, or nothing.
    pub about: String,
    /// How it says its tools are to be used.
    pub instructions: Option<String>,
    /// What it lists and is not offered.
    pub dropped: Vec<Dropped>,
}

/// One page of a list.
#[derive(Debug)]
pub struct Page {
    /// A JSON array of definitions.
    pub definitions: Json,
    /// Where the next page begins.
    pub next: Option<String>,
    /// How long it may be kept.
    pub ttl: Duration,
    /// Whether it is the same for everyone.
    pub public: bool,
}

/// What the gateway says of itself.
#[derive(Clone, Debug)]
pub struct About {
    /// Its name and version.
    pub server_info: Json,
    /// What it can do.
    pub capabilities: Object,
    /// How it is to be used.
    pub instructions: Option<String>,
    /// Whether some tools run as a task where their client asks for it.
    pub tasks_on_request: bool,
}

/// No such entry, as far as this caller is told.
#[derive(Debug, thiserror::Error)]
#[error("unknown {kind}: {name}{}", down.as_ref().map(|(upstream, error)| format!(" (upstream `{upstream}` is not up: {error})")).unwrap_or_default())]
pub struct NotFound {
    /// What was looked for.
    pub kind: Kind,
    /// Under which name.
    pub name: String,
    /// The upstream that would have it by its name, if nothing is known of that one because it does not come up.
    pub down: Option<(UpstreamName, String)>,
}

// === impl View ===

impl View {
    /// The same caller's view as it is now; as it was, if its endpoint is no more.
    pub fn now(&self) -> Self {
        self.inner.view(&self.caller, &self.space.namespace.endpoint).unwrap_or_else(|| self.clone())
    }

    /// Whether there is still such an endpoint.
    pub fn is_served(&self) -> bool {
        self.inner.now().space(self.endpoint()).is_some()
    }

    /// Whether the resource of this URI can still be read here.
    pub fn still_has(&self, uri: &str) -> bool {
        let now = self.now();
        self.is_served() && now.find(&now.snapshot, Kind::Resource, uri).is_some()
    }

    /// How its tools are shown.
    pub fn showing(&self) -> &Showing {
        &self.space.namespace.showing
    }

    /// Where it is shown.
    pub fn endpoint(&self) -> &Endpoint {
        &self.space.namespace.endpoint
    }

    /// Whether an upstream has anything here.
    pub fn has_member(&self, upstream: &UpstreamName) -> bool {
        (self.space.namespace.members)(upstream)
    }

    pub(crate) fn may_see(&self, subject: &Subject) -> bool {
        self.moment.policy.judge(&self.caller, subject) == Verdict::Allow
    }

    /// Whether `other`, an earlier view of the same caller and endpoint, lists the same entries of `kind`.
    pub fn lists_the_same(&self, other: &Self, kind: Kind) -> bool {
        let (now, before) = (&self.snapshot.of(kind).entries, &other.snapshot.of(kind).entries);
        Arc::ptr_eq(&self.snapshot, &other.snapshot)
            || (now.len() == before.len()
                && now.iter().zip(before).all(|(now, before)| {
                    Arc::ptr_eq(now, before) || (now.public == before.public && now.definition == before.definition)
                }))
    }

    /// One page of the entries of `kind` that the caller may see.
    pub fn list(&self, kind: Kind, cursor: Option<&Json>) -> Result<Page, BadCursor> {
        let shelved = self.snapshot.of(kind);
        let list = List { kind, endpoint: self.endpoint(), caller: &self.caller };
        let start = match cursor {
            None => 0,
            Some(cursor) => self.inner.handles.open_cursor(list, cursor, shelved)?,
        };
        let mut seen = shelved.entries[start..].iter().filter(|entry| self.may_see(&entry.subject));
        let page_size = self.moment.config.page_size;
        let mut last = None;
        let of_page = seen.by_ref().take(page_size).inspect(|entry| last = Some(*entry));
        let definitions = Json::array_of(of_page.map(|entry| &entry.definition));
        let (more, handles) = (seen.next().is_some(), &self.inner.handles);
        let next = last.filter(|_| more).and_then(|last| handles.seal_cursor(list, last));
        let ttls = self.snapshot.offers.iter().flat_map(|(_, offer)| offer).filter_map(|offer| offer.list(kind).ttl);
        Ok(Page {
            definitions,
            next,
            ttl: ttls.min().unwrap_or(self.moment.config.list_ttl).min(self.moment.config.list_ttl),
            public: !self.moment.policy.distinguishes_callers() && self.snapshot.is_public(kind),
        })
    }

    /// The tools that the caller may see and a model may be shown, in order.
    pub fn tools(&self) -> impl Iterator<Item = &Arc<Entry>> {
        let entries = self.snapshot.of(Kind::Tool).entries.iter();
        entries.filter(|entry| self.may_see(&entry.subject) && entry.for_model)
    }

    /// All entries of `kind` that the caller may see, in order, whoever is to be shown them.
    pub fn entries(&self, kind: Kind) -> impl Iterator<Item = &Arc<Entry>> {
        self.snapshot.of(kind).entries.iter().filter(|entry| self.may_see(&entry.subject))
    }

    /// The entry of this public name, if the caller may see it.
    pub fn entry(&self, kind: Kind, public: &str) -> Option<&Arc<Entry>> {
        self.snapshot.of(kind).get(public).filter(|entry| self.may_see(&entry.subject))
    }

    /// The upstreams that have something for the caller, in order.
    pub fn servers(&self) -> Vec<Server> {
        let mut tools: HashMap<&UpstreamName, usize> = HashMap::new();
        for entry in self.tools() {
            *tools.entry(&entry.subject.upstream).or_default() += 1;
        }
        let hides = self.moment.policy.distinguishes_callers();
        let is_part = !self.snapshot.left_out.is_empty();
        let known = self.snapshot.offers.iter().filter_map(|(name, offer)| Some((name, offer.as_deref()?)));
        let has_some =
            |name: &UpstreamName| tools.contains_key(name) || (!hides && (!is_part || self.snapshot.has_any(name)));
        let seen = known.filter(|(name, _)| has_some(name));
        seen.map(|(name, offer)| Server {
            name: name.clone(),
            tools: tools.get(name).copied().unwrap_or_default(),
            about: about(offer),
            instructions: offer.instructions.clone(),
            dropped: if hides { Vec::new() } else { offer.dropped().cloned().collect() },
        })
        .collect()
    }

    /// Whether the tools that are listed are the same for everyone.
    pub fn is_public(&self) -> bool {
        !self.moment.policy.distinguishes_callers() && self.snapshot.is_public(Kind::Tool)
    }

    /// Whether entries look as if the only upstream were called without a gateway.
    pub fn is_transparent(&self) -> bool {
        self.space.namespace.naming == Naming::Transparent
    }

    /// How long lists may be kept.
    pub fn ttl(&self) -> Duration {
        self.moment.config.list_ttl
    }

    /// The way to what a request asks for. Waits for the lists of an upstream that is still starting when the name may be one of its.
    pub async fn resolve(&self, method: &Method, params: &Object) -> Result<Route, NotFound> {
        let (kind, name) = asked_for(method, params)?;
        if let Some(route) = self.find_in_time(kind, &name) {
            return Ok(route);
        }
        let down = self.await_owner(kind, &name).await;
        let found = self.now().find_in_time(kind, &name);
        found.ok_or_else(|| NotFound { kind, down: down.filter(|(owner, _)| may_own(owner, &name)), name })
    }

    /// The way to an entry of this name as long as its upstream is there; where the config has changed since this view was made,
    /// as it is now.
    fn find_in_time(&self, kind: Kind, name: &str) -> Option<Route> {
        let route = self.find(&self.snapshot, kind, name)?;
        // An endpoint that is no more has nothing newer to show.
        if !route.is_late() || !self.is_served() {
            return Some(route);
        }
        self.now().find_in_time(kind, name)
    }

    fn find(&self, snapshot: &Snapshot, kind: Kind, name: &str) -> Option<Route> {
        let (subject, entry) = match kind {
            Kind::Tool | Kind::Prompt => {
                let entry = snapshot.of(kind).get(name)?;
                (entry.subject.clone(), Some(entry.clone()))
            }
            Kind::Resource | Kind::Template => match snapshot.of(kind).get(name) {
                Some(entry) => (entry.subject.clone(), Some(entry.clone())),
                None => (snapshot.resource(name)?, None),
            },
        };
        // What an upstream has beside what it lists is judged by its URI.
        let is_here = entry.is_some() || (self.space.namespace.selects)(&subject, &Json::literal("{}")).is_none();
        (is_here && self.may_see(&subject)).then(|| self.route(subject, entry)).flatten()
    }

    /// The way to the task that `params` name, for whoever it was given to and may still call the tool that began it.
    pub fn task(&self, params: &Object) -> Option<Route> {
        let task = self.inner.handles.open_task(&self.caller, params).filter(|task| self.may_see(&task.subject))?;
        let is_left_out = self.snapshot.left_out.iter().any(|left| left.subject == task.subject);
        (!is_left_out).then(|| self.route(task.subject.clone(), None)).flatten().map(|route| route.into_task(task))
    }

    fn route(&self, subject: Subject, entry: Option<Arc<Entry>>) -> Option<Route> {
        let member = self.moment.member(&subject.upstream).filter(|_| self.has_member(&subject.upstream))?;
        Some(Route::new(self, member.upstream.clone(), subject, entry))
    }

    /// Waits for the upstreams that are not known yet and could have an entry of this name. Gives the one that does not come
    /// up, and why.
    async fn await_owner(&self, kind: Kind, name: &str) -> Option<(UpstreamName, String)> {
        let by_name = matches!(kind, Kind::Tool | Kind::Prompt) && self.space.namespace.naming == Naming::Prefixed;
        let deadline = Instant::now() + self.moment.config.call_wait;
        let mut down = None;
        for member in self.space.members(&self.moment) {
            let could_have = !by_name || may_own(member.upstream.name(), name);
            if !could_have || *member.known.borrow() >= Known::Remembered {
                continue;
            }
            // A failed one is tried at once rather than when its pause is over.
            match member.upstream.ready(deadline).await {
                Ok(_) => {
                    let lists_by = deadline.min(Instant::now() + self.moment.config.list_wait);
                    member.wait_for(Known::Fetched, lists_by).await;
                }
                Err(failure) => down = Some((member.upstream.name().clone(), failure.to_string())),
            }
        }
        down
    }

    /// The way to the only upstream, for methods that toolgate does not know. There is none unless the gateway is transparent.
    pub fn transparent(&self, method: &Method) -> Option<Route> {
        let mut members = self.space.members(&self.moment);
        let (Some(member), None) = (members.next(), members.next()) else { return None };
        let subject =
            Subject { upstream: member.upstream.name().clone(), kind: Kind::Tool, native: method.as_str().into() };
        (self.space.namespace.naming == Naming::Transparent && self.may_see(&subject))
            .then(|| self.route(subject, None))
            .flatten()
    }

    /// The upstreams of which nothing can be listed now, each with the reason; a list without their entries says so.
    pub fn missing(&self) -> Vec<(UpstreamName, String)> {
        let members = self.space.members(&self.moment);
        let unknown = members.filter(|member| self.snapshot.offer(member.upstream.name()).is_none());
        unknown.map(|member| (member.upstream.name().clone(), member.why_unknown())).collect()
    }

    /// What the gateway says of itself to this caller.
    pub fn about(&self) -> About {
        match self.posed_as() {
            Some(offer) => About {
                server_info: offer.server_info.clone(),
                capabilities: kept_capabilities(offer),
                instructions: self.own_instructions().or_else(|| offer.instructions.clone()),
                tasks_on_request: extension::runs_tasks_on_request(offer),
            },
            None => About {
                server_info: own_info(),
                capabilities: self.joint_capabilities(),
                instructions: self.own_instructions().or_else(|| self.joint_instructions()),
                tasks_on_request: self.offers().any(extension::runs_tasks_on_request),
            },
        }
    }

    /// Its name and version alone, which every result repeats.
    pub fn server_info(&self) -> Json {
        self.posed_as().map_or_else(own_info, |offer| offer.server_info.clone())
    }

    /// The upstream that a transparent gateway looks like, once it is known.
    fn posed_as(&self) -> Option<&Offer> {
        match &self.snapshot.offers[..] {
            [(_, Some(offer))] if self.space.namespace.naming == Naming::Transparent => Some(offer),
            _ => None,
        }
    }

    /// Always the same, whoever is up: a client that hears "no prompts" while a server starts would never ask again.
    fn joint_capabilities(&self) -> Object {
        let mut capabilities = Object::new()
            .with("tools", Json::literal(r#"{"listChanged":true}"#))
            .with("prompts", Json::literal(r#"{"listChanged":true}"#))
            .with("resources", Json::literal(r#"{"subscribe":true,"listChanged":true}"#))
            .with("completions", Json::literal("{}"))
            .with("logging", Json::literal("{}"));
        let extensions = extension::of_all(self.offers());
        if !extensions.is_empty() {
            capabilities.set("extensions", extensions.to_json());
        }
        capabilities
    }

    /// What the operator says instead of the upstreams.
    pub fn own_instructions(&self) -> Option<String> {
        self.space.namespace.instructions.clone()
    }

    fn offers(&self) -> impl Iterator<Item = &Offer> {
        self.snapshot.offers.iter().filter_map(|(_, offer)| offer.as_deref())
    }

    fn joint_instructions(&self) -> Option<String> {
        let mut text = String::new();
        for (upstream, offer) in &self.snapshot.offers {
            let Some(instructions) = offer.as_ref().and_then(|offer| offer.instructions.as_deref()) else { continue };
            let section = section(upstream, instructions);
            if text.len() + section.len() > MAX_ALL_INSTRUCTIONS {
                break;
            }
            text.push_str(&section);
        }
        (!text.is_empty()).then(|| format!("Tools are named <server>{}<tool>.\n{text}", naming::SEPARATOR))
    }
}

/// What an upstream says of itself in a few words: its description, else its title, else how its instructions begin.
fn about(offer: &Offer) -> String {
    let info = offer.server_info.object().unwrap_or_default();
    let name = info.string("name").unwrap_or_default();
    let own = |member: &str| info.string(member).filter(|text| !text.trim().is_empty() && *text != name);
    own("description").or_else(|| offer.instructions.clone()).or_else(|| own("title")).unwrap_or_default()
}

fn section(upstream: &UpstreamName, instructions: &str) -> String {
    let mut end = instructions.len().min(MAX_INSTRUCTIONS);
    while !instructions.is_char_boundary(end) {
        end -= 1;
    }
    let cut = if end < instructions.len() { " […]" } else { "" };
    format!("\n## {upstream}\n{}{cut}\n", &instructions[..end])
}

/// toolgate's own name and version.
fn own_info() -> Json {
    Object::new()
        .with("name", Json::string("toolgate"))
        .with("title", Json::string("toolgate"))
        .with("version", Json::string(env!("CARGO_PKG_VERSION")))
        .to_json()
}

/// What an upstream can do, in the words of the modern era.
fn kept_capabilities(offer: &Offer) -> Object {
    let mut capabilities = offer.capabilities.clone();
    capabilities.remove("tasks");
    let extensions = extension::of_one(offer);
    if !extensions.is_empty() {
        capabilities.set("extensions", extensions.to_json());
    }
    capabilities
}

/// Whether an entry of this public name can be the upstream's.
fn may_own(upstream: &UpstreamName, name: &str) -> bool {
    name.strip_prefix(upstream.as_str()).is_some_and(|rest| rest.starts_with(naming::SEPARATOR))
}

/// What kind of entry a request asks for, and its public name.
fn asked_for(method: &Method, params: &Object) -> Result<(Kind, String), NotFound> {
    let (kind, name) = match method {
        Method::ToolsCall => (Kind::Tool, params.string("name")),
        Method::PromptsGet => (Kind::Prompt, params.string("name")),
        Method::ResourcesRead | Method::Subscribe | Method::Unsubscribe => (Kind::Resource, params.string("uri")),
        Method::Complete => {
            let reference = params.child("ref").unwrap_or_default();
            match reference.string("type").as_deref() {
                Some("ref/resource") => (Kind::Template, reference.string("uri")),
                _ => (Kind::Prompt, reference.string("name")),
            }
        }
        other => return Err(NotFound { kind: Kind::Tool, name: other.to_string(), down: None }),
    };
    name.map(|name| (kind, name)).ok_or(NotFound { kind, name: "(no name was given)".into(), down: None })
}
