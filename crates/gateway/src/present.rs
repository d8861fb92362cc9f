//! How a caller's view is shown: every tool listed, or the surface of three that find, describe and call them.
//!
//! Decided anew for each request from what the request itself shows, so that any replica decides the same (2026-07-28
//! `server/tools`: a list may vary by endpoint and authorization, and by nothing that went before). Whatever is shown, any
//! tool of the view can be called by its own name.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZero;
use std::sync::Arc;

use tokio::sync::Semaphore;
use toolgate_catalog::{Entry, View};
use toolgate_discovery::arguments::{self, Checker, Slips};
use toolgate_discovery::surface::{self, Surface, SurfaceTool};
use toolgate_discovery::{Tokens, instructions};
use toolgate_identity::Presented;
use toolgate_protocol::{Json, Kind, Presentation};

/// Whether a tool is one of some, by its public name.
pub type Picks = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// How views are shown.
pub struct Config {
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

/// Shows views.
pub(crate) struct Presenter {
    pub(crate) config: Config,
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
    /// All tools, at one version of the catalog.
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
    pub(crate) fn new(config: Config) -> Self {
        let slips = if config.lenient { Slips::ALL } else { Slips::NONE };
        let checker = Checker::new(arguments::Config { slips, ..arguments::Config::default() });
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self { config, tokens: Tokens::new(), checker, searching: Semaphore::new(processors) }
    }

    /// How `view` is shown to whoever sent this.
    pub(crate) fn shown(&self, view: &View, presented: &Presented) -> Shown {
        let (wanted, why) = self.wanted(presented);
        let as_search = |as_search, why| Shown { as_search, why };
        match wanted {
            Presentation::Direct => as_search(false, why),
            Presentation::Search => as_search(true, why),
            Presentation::Auto if view.is_transparent() => as_search(false, Why::Transparent),
            Presentation::Auto => as_search(self.exceeds_budget(view), Why::Budget),
        }
    }

    /// What the endpoint asks for, else what is set for the client, else for all.
    fn wanted(&self, presented: &Presented) -> (Presentation, Why) {
        if let Some(presentation) = presented.presentation {
            return (presentation, Why::Asked);
        }
        let client = presented.introduced_as.as_ref().map(|name| name.to_lowercase());
        if let Some(client) = client {
            let set = self.config.clients.iter().find(|(name, _)| *name == client);
            if let Some((_, presentation)) = set {
                return (*presentation, Why::Client);
            }
            if self.config.presentation == Presentation::Auto && SEARCH_THEMSELVES.contains(&&*client) {
                return (Presentation::Direct, Why::Client);
            }
        }
        (self.config.presentation, Why::Asked)
    }

    /// Whether a client is shown the surface by a word of the config or the endpoint, whatever the view holds.
    pub(crate) fn is_asked(&self, presented: &Presented) -> bool {
        self.wanted(presented).0 == Presentation::Search
    }

    /// Whether some client may be shown the surface without asking for it.
    pub(crate) fn may_search(&self) -> bool {
        self.config.presentation != Presentation::Direct
            || self.config.clients.iter().any(|(_, presentation)| *presentation != Presentation::Direct)
    }

    fn exceeds_budget(&self, view: &View) -> bool {
        // A token has at least a byte: short lists are never counted, and the vocabulary is not loaded for them.
        let bytes: usize = view.tools().map(|entry| entry.definition.text().len()).sum();
        if bytes <= self.config.budget {
            return false;
        }
        let mut left = self.config.budget;
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
        let tool = self.config.surface.find(name)?;
        match self.wanted(presented).0 {
            Presentation::Search => Some(tool),
            Presentation::Direct => None,
            // An upstream's own tool of the name is only found where nothing is renamed.
            Presentation::Auto => view.entry(Kind::Tool, name).is_none().then_some(tool),
        }
    }

    /// What a client is listed through the surface.
    pub(crate) fn definitions(&self, view: &View) -> Vec<Json> {
        let mut definitions = surface::definitions(self.config.surface);
        definitions.extend(self.pinned(view).map(|entry| entry.definition.clone()));
        definitions
    }

    /// The tools that are listed beside the surface.
    pub(crate) fn pinned<'v>(&'v self, view: &'v View) -> impl Iterator<Item = &'v Arc<Entry>> {
        view.tools()
            .filter(|entry| (self.config.pinned)(&entry.public) && self.config.surface.find(&entry.public).is_none())
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
        let servers = view.servers();
        let servers: Vec<instructions::Server<'_>> = servers
            .iter()
            .filter(|server| server.tools > 0)
            .map(|server| (server.name.as_str(), server.tools))
            .collect();
        instructions::instructions(&servers, self.config.surface, instructions::DEFAULT_BUDGET, &self.tokens)
    }
}

// === impl Listing ===

impl Listing {
    /// Whether a client that sees this must be told when the tools of upstreams change and it then sees `now`.
    pub(crate) fn is_stale(self, now: Self) -> bool {
        self == Self::Direct || self != now
    }
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
