//! Upstreams, namespaces and overrides as the config says them: looked at, set, taken back.
//!
//! What is set here lies over the config file, item by item, is kept in the store, and is in force when the answer comes.
//! Whoever wants to be sure that nobody else changed it in between sends the tag that they saw (RFC 9110, 13.1).

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::api::Admin;
use crate::config::Differences;
use crate::control::{Difference, Entry, Expectation, Item, Items};
use crate::extract::{At, Body};
use crate::problem::Problem;

/// The longest name of anything.
const MAX_NAME: usize = 256;
/// The most tags that a request names.
const MAX_TAGS: usize = 32;

/// What the config says of several items.
#[derive(Serialize, ToSchema)]
pub(crate) struct Entries {
    /// Those of the file in its order, then those that were set beside it.
    entries: Vec<Entry>,
}

/// An item that was set.
#[derive(Serialize, ToSchema)]
pub(crate) struct WasSet {
    /// What the config says of it now.
    entry: Entry,
    /// What that changed, one by one; nothing where it was so already.
    differences: Vec<Difference>,
}

/// What a request takes an item to be.
pub(crate) struct Expected(Expectation);

/// A tool, by its namespace, its upstream and its own name.
pub(crate) struct Tool(Item);

impl<S: Send + Sync> FromRequestParts<S> for Expected {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        expectation(&parts.headers).map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Tool {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<(String, String, String)>::from_request_parts(parts, state).await;
        let Path((namespace, upstream, tool)) = path.map_err(|error| Problem::bad_request(error.body_text()))?;
        Ok(Self(Item::Override { namespace: named(namespace)?, tool: named(format!("{upstream}/{tool}"))? }))
    }
}

fn expectation(headers: &HeaderMap) -> Result<Expectation, Problem> {
    let of = |name| -> Result<Option<&str>, Problem> {
        let mut all = headers.get_all(&name).iter();
        match (all.next(), all.next()) {
            (None, _) => Ok(None),
            (Some(one), None) => one
                .to_str()
                .map(|text| Some(text.trim()))
                .map_err(|_| Problem::bad_request(format!("{name} is no list of tags"))),
            _ => Err(Problem::bad_request(format!("{name} is given twice"))),
        }
    };
    match (of(header::IF_MATCH)?, of(header::IF_NONE_MATCH)?) {
        (None, None) => Ok(Expectation::Any),
        (Some("*"), None) => Ok(Expectation::Something),
        (None, Some("*")) => Ok(Expectation::Nothing),
        (Some(tags), None) => {
            let tags: Option<Vec<String>> = tags.split(',').take(MAX_TAGS).map(tag).collect();
            let tags =
                tags.ok_or_else(|| Problem::bad_request("If-Match is `*`, or tags in quotes as ETag has them"))?;
            Ok(Expectation::Tags(tags))
        }
        (None, Some(_)) => Err(Problem::bad_request("If-None-Match is `*` here: only if there is none yet")),
        (Some(_), Some(_)) => Err(Problem::bad_request("If-Match and If-None-Match say opposite things")),
    }
}

/// A tag without its quotes. One that is weak is none that we gave, and fits nothing.
fn tag(text: &str) -> Option<String> {
    let text = text.trim();
    let strong = text.strip_prefix("W/").unwrap_or(text);
    let inner = strong.strip_prefix('"')?.strip_suffix('"')?;
    Some(if strong.len() == text.len() { inner.to_owned() } else { text.to_owned() })
}

fn named(name: String) -> Result<String, Problem> {
    if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(Problem::bad_request(format!("a name has 1 to {MAX_NAME} bytes, and no control characters")));
    }
    Ok(name)
}

fn with_tag(entry: &Entry, response: impl IntoResponse) -> Response {
    let mut response = response.into_response();
    if let Ok(tag) = HeaderValue::try_from(format!("\"{}\"", entry.tag)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

impl Admin {
    fn shown(&self, item: &Item) -> Result<Response, Problem> {
        let entry = self.control.entry(item).ok_or_else(|| self.unknown(item))?;
        Ok(with_tag(&entry.clone(), Json(entry)))
    }

    async fn put(&self, item: Item, value: Value, Expected(expected): Expected) -> Result<Response, Problem> {
        if !value.is_object() {
            return Err(Problem::bad_request("the body is an object, as it would stand in the config file"));
        }
        let was_there = self.control.entry(&item).is_some();
        let differences = self.control.set(item.clone(), value, expected).await?;
        // Gone already where somebody else was quick.
        let entry = self.control.entry(&item).ok_or_else(|| self.unknown(&item))?;
        let status = if was_there { StatusCode::OK } else { StatusCode::CREATED };
        Ok(with_tag(&entry.clone(), (status, Json(WasSet { entry, differences }))))
    }

    async fn take_back(&self, item: Item, Expected(expected): Expected) -> Result<Json<Differences>, Problem> {
        if self.control.entry(&item).is_none() {
            return Err(self.unknown(&item));
        }
        let differences = self.control.unset(item, expected).await?;
        Ok(Json(Differences { differences }))
    }

    async fn switch(&self, name: String, enabled: bool) -> Result<Json<Differences>, Problem> {
        let item = Item::Upstream(name.clone());
        if self.control.entry(&item).is_none() {
            return Err(self.unknown(&item));
        }
        let differences = self.control.switch(name, enabled).await?;
        Ok(Json(Differences { differences }))
    }

    fn unknown(&self, item: &Item) -> Problem {
        let (what, name, among) = match item {
            Item::Upstream(name) => ("upstream", name, Items::Upstreams),
            Item::Namespace(name) => ("namespace", name, Items::Namespaces),
            Item::Override { namespace, tool } => ("override", tool, Items::Overrides(namespace.clone())),
        };
        Problem::unknown(what, name, self.control.entries(&among).into_iter().map(|entry| entry.name))
    }
}

/// What the config says of upstreams
#[utoipa::path(get, operation_id = "listUpstreamConfigs", path = "/config/upstreams", tag = "config", responses((status = 200, body = Entries)))]
pub(crate) async fn upstreams(State(admin): State<Arc<Admin>>) -> Json<Entries> {
    Json(Entries { entries: admin.control.entries(&Items::Upstreams) })
}

/// What the config says of an upstream
#[utoipa::path(get, operation_id = "getUpstreamConfig", path = "/config/upstreams/{upstream}", tag = "config",
    params(("upstream" = String, Path, description = "Its name")),
    responses((status = 200, body = Entry, headers(("ETag" = String, description = "What stands for it as it is now")))))]
pub(crate) async fn upstream(State(admin): State<Arc<Admin>>, At(name): At) -> Result<Response, Problem> {
    admin.shown(&Item::Upstream(named(name)?))
}

/// Add an upstream, or put another one in its place
///
/// The body is what stands below its name in the config file. It lies over what the file says of it, and is in force when the
/// answer comes; whether the upstream comes up is told by its state.
#[utoipa::path(put, operation_id = "putUpstreamConfig", path = "/config/upstreams/{upstream}", tag = "config",
    params(("upstream" = String, Path, description = "Its name: letters, digits, `-` and `_`"),
        ("If-Match" = Option<String>, Header, description = "Only if it is still what has this tag; `*`: only if it is there"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: only if there is none yet")),
    request_body = Object, responses((status = 200, body = WasSet), (status = 201, body = WasSet)))]
pub(crate) async fn put_upstream(
    State(admin): State<Arc<Admin>>,
    At(name): At,
    expected: Expected,
    Body(value): Body<Value>,
) -> Result<Response, Problem> {
    admin.put(Item::Upstream(named(name)?), value, expected).await
}

/// Take back an upstream that was set here
///
/// What the file says of it holds again; where it says nothing, the upstream is gone. One that only the file has is refused
/// (409).
#[utoipa::path(delete, operation_id = "deleteUpstreamConfig", path = "/config/upstreams/{upstream}", tag = "config",
    params(("upstream" = String, Path, description = "Its name"),
        ("If-Match" = Option<String>, Header, description = "Only if it is still what has this tag")),
    responses((status = 200, body = Differences)))]
pub(crate) async fn delete_upstream(
    State(admin): State<Arc<Admin>>,
    At(name): At,
    expected: Expected,
) -> Result<Json<Differences>, Problem> {
    admin.take_back(Item::Upstream(named(name)?), expected).await
}

/// Enable an upstream, wherever it is said
#[utoipa::path(post, operation_id = "enableUpstream", path = "/upstreams/{upstream}/enable", tag = "upstreams",
    params(("upstream" = String, Path, description = "Its name")), responses((status = 200, body = Differences)))]
pub(crate) async fn enable(State(admin): State<Arc<Admin>>, At(name): At) -> Result<Json<Differences>, Problem> {
    admin.switch(named(name)?, true).await
}

/// Disable an upstream, wherever it is said
///
/// Calls in flight there go on.
#[utoipa::path(post, operation_id = "disableUpstream", path = "/upstreams/{upstream}/disable", tag = "upstreams",
    params(("upstream" = String, Path, description = "Its name")), responses((status = 200, body = Differences)))]
pub(crate) async fn disable(State(admin): State<Arc<Admin>>, At(name): At) -> Result<Json<Differences>, Problem> {
    admin.switch(named(name)?, false).await
}

/// What the config says of namespaces
#[utoipa::path(get, operation_id = "listNamespaceConfigs", path = "/config/namespaces", tag = "config", responses((status = 200, body = Entries)))]
pub(crate) async fn namespaces(State(admin): State<Arc<Admin>>) -> Json<Entries> {
    Json(Entries { entries: admin.control.entries(&Items::Namespaces) })
}

/// What the config says of a namespace
///
/// Without what was laid over single tools over this API.
#[utoipa::path(get, operation_id = "getNamespaceConfig", path = "/config/namespaces/{namespace}", tag = "config",
    params(("namespace" = String, Path, description = "Its name")),
    responses((status = 200, body = Entry, headers(("ETag" = String, description = "What stands for it as it is now")))))]
pub(crate) async fn namespace(State(admin): State<Arc<Admin>>, At(name): At) -> Result<Response, Problem> {
    admin.shown(&Item::Namespace(named(name)?))
}

/// Add a namespace, or put another one in its place
///
/// The body is what stands below its name in the config file. `default` is what `/mcp` shows. What was laid over single tools
/// over this API stays.
#[utoipa::path(put, operation_id = "putNamespaceConfig", path = "/config/namespaces/{namespace}", tag = "config",
    params(("namespace" = String, Path, description = "Its name: lower-case letters, digits, `-` and `_`"),
        ("If-Match" = Option<String>, Header, description = "Only if it is still what has this tag; `*`: only if it is there"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: only if there is none yet")),
    request_body = Object, responses((status = 200, body = WasSet), (status = 201, body = WasSet)))]
pub(crate) async fn put_namespace(
    State(admin): State<Arc<Admin>>,
    At(name): At,
    expected: Expected,
    Body(value): Body<Value>,
) -> Result<Response, Problem> {
    admin.put(Item::Namespace(named(name)?), value, expected).await
}

/// Take back a namespace that was set here
///
/// What the file says of it holds again; where it says nothing, the namespace is gone, with what was laid over its tools.
#[utoipa::path(delete, operation_id = "deleteNamespaceConfig", path = "/config/namespaces/{namespace}", tag = "config",
    params(("namespace" = String, Path, description = "Its name"),
        ("If-Match" = Option<String>, Header, description = "Only if it is still what has this tag")),
    responses((status = 200, body = Differences)))]
pub(crate) async fn delete_namespace(
    State(admin): State<Arc<Admin>>,
    At(name): At,
    expected: Expected,
) -> Result<Json<Differences>, Problem> {
    admin.take_back(Item::Namespace(named(name)?), expected).await
}

/// What the config lays over the tools of a namespace
#[utoipa::path(get, operation_id = "listOverrides", path = "/config/namespaces/{namespace}/overrides", tag = "config",
    params(("namespace" = String, Path, description = "Its name")), responses((status = 200, body = Entries)))]
pub(crate) async fn overrides(State(admin): State<Arc<Admin>>, At(name): At) -> Result<Json<Entries>, Problem> {
    Ok(Json(Entries { entries: admin.control.entries(&Items::Overrides(named(name)?)) }))
}

/// What the config lays over a tool
#[utoipa::path(get, operation_id = "getOverride", path = "/config/namespaces/{namespace}/overrides/{upstream}/{tool}", tag = "config",
    params(("namespace" = String, Path, description = "The namespace"),
        ("upstream" = String, Path, description = "The tool's upstream"),
        ("tool" = String, Path, description = "What that calls the tool")),
    responses((status = 200, body = Entry, headers(("ETag" = String, description = "What stands for it as it is now")))))]
pub(crate) async fn overlay(State(admin): State<Arc<Admin>>, Tool(item): Tool) -> Result<Response, Problem> {
    admin.shown(&item)
}

/// Lay something over a tool, in the place of what is laid over it
///
/// The body is what stands below `upstream/tool` in the config file. It is kept also where there is no such tool now.
#[utoipa::path(put, operation_id = "putOverride", path = "/config/namespaces/{namespace}/overrides/{upstream}/{tool}", tag = "config",
    params(("namespace" = String, Path, description = "The namespace"),
        ("upstream" = String, Path, description = "The tool's upstream"),
        ("tool" = String, Path, description = "What that calls the tool"),
        ("If-Match" = Option<String>, Header, description = "Only if it is still what has this tag; `*`: only if it is there"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: only if there is none yet")),
    request_body = Object, responses((status = 200, body = WasSet), (status = 201, body = WasSet)))]
pub(crate) async fn put_overlay(
    State(admin): State<Arc<Admin>>,
    Tool(item): Tool,
    expected: Expected,
    Body(value): Body<Value>,
) -> Result<Response, Problem> {
    admin.put(item, value, expected).await
}

/// Take back what was laid over a tool here
///
/// What the file lays over it holds again.
#[utoipa::path(delete, operation_id = "deleteOverride", path = "/config/namespaces/{namespace}/overrides/{upstream}/{tool}", tag = "config",
    params(("namespace" = String, Path, description = "The namespace"),
        ("upstream" = String, Path, description = "The tool's upstream"),
        ("tool" = String, Path, description = "What that calls the tool"),
        ("If-Match" = Option<String>, Header, description = "Only if it is still what has this tag")),
    responses((status = 200, body = Differences)))]
pub(crate) async fn delete_overlay(
    State(admin): State<Arc<Admin>>,
    Tool(item): Tool,
    expected: Expected,
) -> Result<Json<Differences>, Problem> {
    admin.take_back(item, expected).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(header::HeaderName, &'static str)]) -> Result<Expectation, ()> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, HeaderValue::from_static(value));
        }
        expectation(&headers).map_err(|_| ())
    }

    #[test]
    fn what_a_request_takes_an_item_to_be() {
        use header::{IF_MATCH, IF_NONE_MATCH};
        let tags = |tags: &[&str]| Ok(Expectation::Tags(tags.iter().map(|tag| (*tag).to_owned()).collect()));
        assert_eq!(read(&[]), Ok(Expectation::Any));
        assert_eq!(read(&[(IF_MATCH, "*")]), Ok(Expectation::Something));
        assert_eq!(read(&[(IF_NONE_MATCH, "*")]), Ok(Expectation::Nothing));
        assert_eq!(read(&[(IF_MATCH, "\"a1\"")]), tags(&["a1"]));
        assert_eq!(read(&[(IF_MATCH, "\"a1\" , \"b2\"")]), tags(&["a1", "b2"]));
        assert_eq!(read(&[(IF_MATCH, "W/\"a1\"")]), tags(&["W/\"a1\""]), "weak tags fit nothing");
        assert_eq!(read(&[(IF_MATCH, "a1")]), Err(()));
        assert_eq!(read(&[(IF_MATCH, "")]), Err(()));
        assert_eq!(read(&[(IF_NONE_MATCH, "\"a1\"")]), Err(()));
        assert_eq!(read(&[(IF_MATCH, "*"), (IF_NONE_MATCH, "*")]), Err(()));
        assert_eq!(read(&[(IF_MATCH, "\"a\""), (IF_MATCH, "\"b\"")]), Err(()));
    }
}
