//! How a caller's view is shown: every tool listed, or the surface of three that find, describe and call them.
//!
//! Decided anew for each request from what the request itself shows, so that any replica decides the same (2026-07-28
//! `server/tools`: a list may vary by endpoint and authorization, and by nothing that went before). Whatever is shown, any
//! tool of the view can be called by its own name.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZero;
use std::sync::Arc;

use tokio::sync::Semaphore;
use toolgate_catalog::{Entry, Showing, View};
use toolgate_discovery::arguments::{self, Checker};
use toolgate_discovery::surface::{self, SurfaceTool};
use toolgate_discovery::{Tokens, instructions};
use toolgate_identity::Presented;
use toolgate_protocol::{Json, Kind, Presentation};

/// Shows views, each as its namespace says; what it remembers serves all of them.
pub(crate) struct Presenter {
    pub(crate) tokens: Tokens,
    pub(crate) checker: Checker,
    /// Places for searches that run at once.
    pub(crate) searching: Semaphore,
}

/// How a view is shown, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// Through the surface.
    pub(crate) as_search: bool,
    pub(crate) why: Why,
}

/// What decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The endpoint or the config says so.
    Asked,
    /// The config's table of clients, or the built-in one, says so.
    Client,
    /// A transparent gateway adds nothing of its own.
    Transparent,
    /// The tokens of all tools against the budget; counted no further than just beyond it.
    Budget,
}

/// What a client sees in its list of tools, to tell whether that has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listing {
    /// All tools.
    Direct,
    /// The surface and pinned tools, by a hash of these.
    Search(u64),
}

/// Legacy clients that search long lists themselves and do better with all definitions. Only where `auto` would decide.
///
/// `claude-code` defers MCP tools behind its own tool search; `cursor-vscode` keeps definitions in files that its agent
/// reads when it needs them.
const SEARCH_THEMSELVES: [&str; 2] = ["claude-code", "cursor-vscode"];

// === impl Presenter ===

impl Presenter {
    pub(crate) fn new() -> Self {
        let checker = Checker::new(arguments::Config::default());
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self { tokens: Tokens::new(), checker, searching: Semaphore::new(processors) }
    }

    /// How `view` is shown to whoever sent this.
    pub(crate) fn shown(&self, view: &View, presented: &Presented) -> Shown {
        let (wanted, why) = wanted(view.showing(), presented);
        let as_search = |as_search, why| Shown { as_search, why };
        match wanted {
            Presentation::Direct => as_search(false, why),
            Presentation::Search => as_search(true, why),
            Presentation::Auto if view.is_transparent() => as_search(false, Why::Transparent),
            Presentation::Auto => as_search(self.exceeds_budget(view), Why::Budget),
        }
    }

    /// Whether a client is shown the surface by a word of the config or the endpoint, whatever the view holds.
    pub(crate) fn is_asked(&self, view: &View, presented: &Presented) -> bool {
        wanted(view.showing(), presented).0 == Presentation::Search
    }

    fn exceeds_budget(&self, view: &View) -> bool {
        // A token has at least a byte: short lists are never counted, and the vocabulary is not loaded for them.
        let bytes: usize = view.tools().map(|entry| entry.definition.text().len()).sum();
        if bytes <= view.showing().budget {
            return false;
        }
        let mut left = view.showing().budget;
        view.tools().any(|entry| match left.checked_sub(self.tokens.of_definition(Kind::Tool, &entry.definition)) {
            Some(rest) => {
                left = rest;
                false
            }
            None => true,
        })
    }

    /// The tool of the surface that `name` means, wherever one may have been shown.
    pub(crate) fn surface_tool(&self, view: &View, presented: &Presented, name: &str) -> Option<SurfaceTool> {
        let tool = view.showing().surface.find(name)?;
        match wanted(view.showing(), presented).0 {
            Presentation::Search => Some(tool),
            Presentation::Direct => None,
            // An upstream's own tool of the name is only found where nothing is renamed.
            Presentation::Auto => view.entry(Kind::Tool, name).is_none().then_some(tool),
        }
    }

    /// What a client is listed through the surface.
    pub(crate) fn definitions(&self, view: &View) -> Vec<Json> {
        let mut definitions = surface::definitions(view.showing().surface);
        definitions.extend(self.pinned(view).map(|entry| entry.definition.clone()));
        definitions
    }

    /// The tools that are listed beside the surface.
    pub(crate) fn pinned<'v>(&'v self, view: &'v View) -> impl Iterator<Item = &'v Arc<Entry>> {
        let showing = view.showing();
        view.tools().filter(|entry| (showing.pinned)(&entry.public) && showing.surface.find(&entry.public).is_none())
    }

    /// What a client sees in its list of tools.
    pub(crate) fn listing(&self, view: &View, presented: &Presented) -> Listing {
        if !self.shown(view, presented).as_search {
            return Listing::Direct;
        }
        let mut hasher = DefaultHasher::new();
        for entry in self.pinned(view) {
            entry.definition.text().hash(&mut hasher);
        }
        Listing::Search(hasher.finish())
    }

    /// What a client reads first where it sees the surface.
    pub(crate) fn instructions(&self, view: &View) -> String {
        if let Some(own) = view.own_instructions() {
            return own;
        }
        let servers = view.servers();
        let servers: Vec<instructions::Server<'_>> = servers
            .iter()
            .filter(|server| server.tools > 0)
            .map(|server| (server.name.as_str(), server.tools))
            .collect();
        instructions::instructions(&servers, view.showing().surface, instructions::DEFAULT_BUDGET, &self.tokens)
    }
}

/// What the endpoint asks for, else what is set for the client, else for all.
fn wanted(showing: &Showing, presented: &Presented) -> (Presentation, Why) {
    if let Some(presentation) = presented.presentation {
        return (presentation, Why::Asked);
    }
    let client = presented.introduced_as.as_ref().map(|name| name.to_lowercase());
    if let Some(client) = client {
        let set = showing.clients.iter().find(|(name, _)| *name == client);
        if let Some((_, presentation)) = set {
            return (*presentation, Why::Client);
        }
        if showing.presentation == Presentation::Auto && SEARCH_THEMSELVES.contains(&&*client) {
            return (Presentation::Direct, Why::Client);
        }
    }
    (showing.presentation, Why::Asked)
}

// === impl Why ===

impl Why {
    /// In words, for people.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Asked => "set by the config or the endpoint",
            Self::Client => "set for this client",
            Self::Transparent => "a transparent gateway shows its only upstream as it is",
            Self::Budget => "by the budget",
        }
    }
}
