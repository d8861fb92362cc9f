//! HTTP APIs that speak no MCP, from settings to what reaches them.

use std::sync::Arc;

use toolgate_config::{DocumentPlace, HttpToolSettings, OperationFilter, Secret, Sent};
use toolgate_openapi::tool::{self, Description};
use toolgate_openapi::{Facts, Node};
use toolgate_upstream as upstream;

use crate::build::http_config;

/// An OpenAPI document.
pub(crate) fn document(
    at: &DocumentPlace,
    base_url: Option<&Secret>,
    headers: &[(String, Secret)],
    operations: &OperationFilter,
) -> Result<upstream::ApiConfig, String> {
    let (at, headers) = match at {
        DocumentPlace::File(path) => (upstream::DocumentPlace::File(path.clone()), own_headers(headers)?),
        DocumentPlace::Url(url) => {
            let place = http_config(url.reveal(), headers)?;
            (upstream::DocumentPlace::Url(place.url), place.headers)
        }
    };
    let (key, operations) = (format!("{operations:?}"), operations.clone());
    let permits = move |facts: &Facts<'_>| {
        let names: Vec<&str> = facts.id.into_iter().chain([facts.name]).collect();
        operations.permits(&names, facts.tags, facts.method, facts.path)
    };
    let base_url = base_url.map(|url| url.reveal().to_owned());
    let document =
        upstream::DocumentConfig { at, base_url, permits: upstream::Permits { key, permits: Arc::new(permits) } };
    Ok(upstream::ApiConfig { source: upstream::ApiSource::Document(document), headers })
}

/// Tools that are described one by one.
pub(crate) fn tools(tools: &[HttpToolSettings], headers: &[(String, Secret)]) -> Result<upstream::ApiConfig, String> {
    let tools = tools.iter().map(|tool| {
        let operation = description(tool).and_then(|description| description.operation());
        let operation = operation.map_err(|what| format!("the tool `{}`: {what}", tool.name))?;
        Ok((operation, tool.timeout))
    });
    let source = upstream::ApiSource::Tools(tools.collect::<Result<_, String>>()?);
    Ok(upstream::ApiConfig { source, headers: own_headers(headers)? })
}

/// Headers, as a place without a URL of its own has them.
fn own_headers(headers: &[(String, Secret)]) -> Result<upstream::Headers, String> {
    http_config("http://localhost/", headers).map(|place| place.headers)
}

fn description(tool: &HttpToolSettings) -> Result<Description, String> {
    let reveal = |pairs: &[(String, Secret)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, text)| (name.clone(), text.reveal().to_owned())).collect()
    };
    let sent = match &tool.sent {
        None => None,
        Some(Sent::Form(pairs)) => Some(tool::Sent::Form(reveal(pairs))),
        Some(Sent::Body(text)) => Some(match Node::read(text.reveal())? {
            Node::Text(text) => tool::Sent::Text(text),
            tree => tool::Sent::Json(tree),
        }),
    };
    Ok(Description {
        name: tool.name.clone(),
        title: tool.title.clone(),
        description: tool.description.clone(),
        method: tool.method.as_str().to_owned(),
        url: tool.url.reveal().to_owned(),
        query: reveal(&tool.query),
        headers: reveal(&tool.headers),
        body: sent,
        input: tool.input.as_deref().map(Node::read).transpose()?,
    })
}
