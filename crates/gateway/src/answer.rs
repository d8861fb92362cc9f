//! What the gateway answers itself: what it is, and what there is.
//!
//! Source: 2026-07-28 `server/discover`, `server/utilities/pagination`, `server/utilities/caching`.

use toolgate_catalog::{About, BadCursor, Page, View};
use toolgate_identity::Presented;
use toolgate_protocol::{Json, Kind, Method, Object, Revision, meta};

use crate::error::Error;
use crate::exchange::Request;
use crate::present::Presenter;

/// How long clients may keep what the gateway says of itself; short, since upstreams come and go.
const DISCOVER_TTL_MS: u64 = 60_000;

/// Result `_meta` key: upstreams whose entries a list lacks, by name, each with the reason.
const MISSING: &str = "io.toolgate/missing";

/// Answers discover and the lists.
pub(crate) fn answer(
    view: &View,
    presenter: &Presenter,
    presented: &Presented,
    request: &Request,
) -> Result<Json, Error> {
    match request.method {
        Method::Discover => Ok(discover(about(view, presenter, presented))),
        Method::ToolsList if presenter.shown(view, presented).as_search => surface(view, presenter, presented, request),
        Method::ToolsList => list(view, Kind::Tool, request),
        Method::PromptsList => list(view, Kind::Prompt, request),
        Method::ResourcesList => list(view, Kind::Resource, request),
        Method::TemplatesList => list(view, Kind::Template, request),
        _ => Err(Error::MethodNotFound(request.method.clone())),
    }
}

/// What the gateway says of itself to a client that is shown the view in this way.
pub(crate) fn about(view: &View, presenter: &Presenter, presented: &Presented) -> About {
    let mut about = view.about();
    if presenter.shown(view, presented).as_search {
        about.instructions = Some(presenter.instructions(view));
    }
    about
}

fn discover(about: About) -> Json {
    let revisions: Vec<&str> = Revision::MODERN.iter().map(|revision| revision.as_str()).collect();
    let mut result = Object::new()
        .with("resultType", Json::literal("\"complete\""))
        .with("supportedVersions", Json::of(&revisions).expect("a list of strings is JSON"))
        .with("capabilities", about.capabilities.to_json());
    if let Some(instructions) = &about.instructions {
        result.set("instructions", Json::string(instructions));
    }
    result
        .with("ttlMs", Json::integer(DISCOVER_TTL_MS))
        .with("cacheScope", Json::literal("\"private\""))
        .with("_meta", Object::new().with(meta::SERVER_INFO, about.server_info).to_json())
        .to_json()
}

/// The tools of the surface, and those that are pinned beside them.
fn surface(view: &View, presenter: &Presenter, presented: &Presented, request: &Request) -> Result<Json, Error> {
    if request.params.get("cursor").is_some() {
        return Err(Error::BadCursor(BadCursor::NONE_GIVEN));
    }
    let definitions = presenter.definitions(view);
    // The surface itself is the same for everyone. What is pinned is not, nor is what a budget makes of a caller's view.
    let is_fixed = definitions.len() == view.showing().surface.tools().len() && presenter.is_asked(view, presented);
    let page = Page {
        definitions: Json::array_of(&definitions),
        next: None,
        ttl: view.ttl(),
        public: is_fixed || view.is_public(),
    };
    Ok(written(view, Kind::Tool, page))
}

fn list(view: &View, kind: Kind, request: &Request) -> Result<Json, Error> {
    Ok(written(view, kind, view.list(kind, request.params.get("cursor"))?))
}

fn written(view: &View, kind: Kind, page: Page) -> Json {
    let mut result =
        Object::new().with("resultType", Json::literal("\"complete\"")).with(kind.list_member(), page.definitions);
    if let Some(next) = &page.next {
        result.set("nextCursor", Json::string(next));
    }
    let mut meta = Object::new().with(meta::SERVER_INFO, view.server_info());
    let missing = view.missing();
    if !missing.is_empty() {
        let reasons = missing.iter().fold(Object::new(), |all, (name, why)| all.with(name.as_str(), Json::string(why)));
        meta.set(MISSING, reasons.to_json());
    }
    let ttl = u64::try_from(page.ttl.as_millis()).unwrap_or(u64::MAX);
    result
        .with("ttlMs", Json::integer(ttl))
        .with("cacheScope", Json::literal(if page.public { "\"public\"" } else { "\"private\"" }))
        .with("_meta", meta.to_json())
        .to_json()
}
