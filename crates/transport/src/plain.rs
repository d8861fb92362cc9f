//! Tools for clients that speak no MCP: `POST /tools/<name>` with the arguments as JSON, described by `/openapi.json`.
//!
//! A call takes the way of every other: it is made a modern request of a client that can be asked nothing. What comes back is
//! the tool's structured result where it has one, else its content; what went wrong is a problem (RFC 9457).

mod document;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use toolgate_gateway::{Gateway, Request};
use toolgate_identity::Presented;
use toolgate_protocol::{Json, Method, Object, Outcome, Presentation, RpcError, code, meta};

use crate::body::Body;
use crate::{modern, rescue};

/// The path of the document.
pub(crate) const DOCUMENT: &str = "/openapi.json";
/// The path of a tool begins so.
pub(crate) const TOOLS: &str = "/tools/";
/// The most pages read of a list.
const MAX_PAGES: usize = 1_000;

/// The OpenAPI document of an endpoint.
pub(crate) async fn describe(gateway: &Gateway, presented: &Presented) -> Response<Body> {
    // All tools, whatever a model would be shown.
    let presented = Presented { presentation: Some(Presentation::Direct), ..presented.clone() };
    let mut tools = Vec::new();
    let mut cursor = None;
    for _ in 0..MAX_PAGES {
        let params = cursor.iter().fold(Object::new(), |params, cursor: &Json| params.with("cursor", cursor.clone()));
        let page = match send(gateway, &presented, Method::ToolsList, params).await.map(|page| page.object()) {
            Ok(Ok(page)) => page,
            Ok(Err(error)) => return problem(&RpcError::new(code::INTERNAL_ERROR, error.to_string())),
            Err(error) => return problem(&error),
        };
        tools.extend(page.get("tools").and_then(|tools| tools.array().ok()).unwrap_or_default());
        cursor = page.get("nextCursor").cloned();
        if cursor.is_none() {
            break;
        }
    }
    let document = document::of(&presented.endpoint, &tools);
    rescue::json(StatusCode::OK, document.text().clone())
}

/// Calls a tool. `path` is its name as it stands in the URL; `body` is a JSON object of arguments, or nothing.
pub(crate) async fn call(
    gateway: &Gateway,
    presented: &Presented,
    path: &str,
    body: Bytes,
    depth: usize,
) -> Response<Body> {
    let Ok(name) = percent_encoding::percent_decode_str(path).decode_utf8() else {
        return refuse(StatusCode::NOT_FOUND, "no tool has such a name", None);
    };
    let body = if body.trim_ascii().is_empty() { Bytes::from_static(b"{}") } else { body };
    let arguments = match Json::parse_within(body, depth) {
        Ok(json) if json.is_object() => json,
        Ok(_) => return refuse(StatusCode::BAD_REQUEST, "the body must be a JSON object: the tool's arguments", None),
        Err(error) => return refuse(StatusCode::BAD_REQUEST, &format!("the body is no JSON: {error}"), None),
    };
    if !gateway.has_tool(presented, &name).await {
        let detail = format!("there is no tool `{name}` here; {DOCUMENT} lists those there are");
        return refuse(StatusCode::NOT_FOUND, &detail, None);
    }
    let params = Object::new().with("name", Json::string(&name)).with("arguments", arguments);
    match send(gateway, presented, Method::ToolsCall, params).await.map(|result| result.object()) {
        Ok(Ok(result)) => answer(&result),
        Ok(Err(error)) => problem(&RpcError::new(code::INTERNAL_ERROR, error.to_string())),
        Err(error) => problem(&error),
    }
}

/// A request of a client that can do nothing but ask.
async fn send(gateway: &Gateway, presented: &Presented, method: Method, mut params: Object) -> Outcome {
    modern::stamp(&mut params, &Json::literal("{}"), None, meta::Level::Emergency);
    let request = Request { id: Json::literal("1"), method, params, param_headers: None };
    gateway.handle(presented, request).await.outcome().await
}

/// What a tool answered.
fn answer(result: &Object) -> Response<Body> {
    if result.get("isError").is_some_and(|is_error| is_error.as_str() == "true") {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, &said(result), result.get("content"));
    }
    if result.string("resultType").is_some_and(|kind| kind != "complete") {
        return refuse(
            StatusCode::NOT_IMPLEMENTED,
            "the tool asks its client something, which needs a client of MCP",
            None,
        );
    }
    let whole =
        || result.get("content").iter().fold(Object::new(), |all, content| all.with("content", (*content).clone()));
    let shown = result.get("structuredContent").cloned().unwrap_or_else(|| whole().to_json());
    rescue::json(StatusCode::OK, shown.text().clone())
}

/// The texts of a result.
fn said(result: &Object) -> String {
    let content = result.get("content").and_then(|content| content.array().ok()).unwrap_or_default();
    let texts = content.iter().filter_map(|block| block.object().ok()?.string("text"));
    texts.collect::<Vec<_>>().join("\n")
}

/// Why a request was not answered by its tool.
fn problem(error: &RpcError) -> Response<Body> {
    let data = error.data.as_ref().and_then(|data| data.object().ok()).unwrap_or_default();
    let status = match (error.code, data.string("reason").as_deref()) {
        (code::INVALID_PARAMS, _) => StatusCode::BAD_REQUEST,
        (code::MISSING_CAPABILITY | code::METHOD_NOT_FOUND, _) => StatusCode::NOT_IMPLEMENTED,
        (_, Some("timeout")) => StatusCode::GATEWAY_TIMEOUT,
        (_, Some("busy")) => StatusCode::SERVICE_UNAVAILABLE,
        _ if data.get("upstream").is_some() => StatusCode::BAD_GATEWAY,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    refuse(status, &error.message, None)
}

/// A problem (RFC 9457).
fn refuse(status: StatusCode, detail: &str, content: Option<&Json>) -> Response<Body> {
    let title = status.canonical_reason().unwrap_or("Problem");
    let mut problem = Object::new()
        .with("type", Json::string("about:blank"))
        .with("title", Json::string(title))
        .with("status", Json::integer(status.as_u16().into()))
        .with("detail", Json::string(detail));
    if let Some(content) = content {
        problem.set("content", content.clone());
    }
    let mut response = rescue::json(status, problem.to_json().text().clone());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}
