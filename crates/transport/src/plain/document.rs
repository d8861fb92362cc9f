//! The OpenAPI 3.1 document of an endpoint: each tool is an operation.
//!
//! Source: OpenAPI Specification 3.1.1. Its schemas are JSON Schema 2020-12, so a tool's own go in as they are; only references
//! within them change, which in a document begin at its root.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use toolgate_protocol::{Endpoint, Json, Object, lead_references};

/// What stays as it is in a part of a path (RFC 3986, unreserved).
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Where a document keeps its schemas.
const SCHEMAS: &str = "#/components/schemas/";
/// What a tool answers that does not describe its results.
const CONTENT: &str = r##"{"type":"object","properties":{"content":{"type":"array","description":"Content blocks of MCP.","items":{"type":"object","properties":{"type":{"type":"string"},"text":{"type":"string"}},"required":["type"]}}},"required":["content"]}"##;
/// What went wrong.
const PROBLEM: &str = r##"{"type":"object","description":"RFC 9457","properties":{"type":{"type":"string"},"title":{"type":"string"},"status":{"type":"integer"},"detail":{"type":"string"}},"required":["title","status"]}"##;

/// The document of tools, given by their definitions.
pub(super) fn of(endpoint: &Endpoint, tools: &[Json]) -> Json {
    let (mut paths, mut schemas) = (Object::new(), Object::new());
    schemas.set("Content", Json::literal(CONTENT));
    schemas.set("Problem", Json::literal(PROBLEM));
    for tool in tools.iter().filter_map(|tool| tool.object().ok()) {
        let Some(name) = tool.string("name") else { continue };
        let place = free(legal(&name), &schemas);
        let takes = |kind: &str| format!("{place}-{kind}");
        let input = tool.get("inputSchema").cloned().unwrap_or(Json::literal(r#"{"type":"object"}"#));
        schemas.set(&takes("arguments"), moved(&input, &takes("arguments")));
        let answers = match tool.get("outputSchema") {
            Some(output) => {
                schemas.set(&takes("result"), moved(output, &takes("result")));
                takes("result")
            }
            None => "Content".to_owned(),
        };
        let path = format!("/tools/{}", utf8_percent_encode(&name, PART));
        paths.set(&path, Object::new().with("post", operation(&tool, &place, &takes("arguments"), &answers)).to_json());
    }
    let info = Object::new()
        .with("title", Json::string(&format!("The tools of {endpoint}")))
        .with("version", Json::string(env!("CARGO_PKG_VERSION")))
        .with("description", Json::string("Served by toolgate. Each tool is a POST with its arguments as JSON."));
    // On the host that gave the document, under whichever name it has there.
    let base = endpoint.to_string();
    let base = base.strip_suffix("/mcp").filter(|base| !base.is_empty()).unwrap_or("/");
    let server = Object::new().with("url", Json::string(base)).to_json();
    Object::new()
        .with("openapi", Json::string("3.1.1"))
        .with("info", info.to_json())
        .with("servers", Json::array_of([&server]))
        .with("paths", paths.to_json())
        .with("components", Object::new().with("schemas", schemas.to_json()).to_json())
        .to_json()
}

fn operation(tool: &Object, id: &str, takes: &str, answers: &str) -> Json {
    let mut operation = Object::new().with("operationId", Json::string(id));
    for (member, from) in [("summary", "title"), ("description", "description")] {
        if let Some(text) = tool.string(from) {
            operation.set(member, Json::string(&text));
        }
    }
    let body = Object::new().with("content", content("application/json", takes));
    let response = |description: &str, kind: &str, schema: &str| {
        Object::new().with("description", Json::string(description)).with("content", content(kind, schema)).to_json()
    };
    let responses = Object::new()
        .with("200", response("What the tool answers", "application/json", answers))
        .with("422", response("The tool failed", "application/problem+json", "Problem"))
        .with("default", response("What went wrong", "application/problem+json", "Problem"));
    operation.with("requestBody", body.to_json()).with("responses", responses.to_json()).to_json()
}

fn content(kind: &str, schema: &str) -> Json {
    let reference = Object::new().with("$ref", Json::string(&format!("{SCHEMAS}{schema}"))).to_json();
    Object::new().with(kind, Object::new().with("schema", reference).to_json()).to_json()
}

/// A name as a document's schemas and operations may have it.
fn legal(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' }).collect()
}

/// The same, or a longer one where another tool has it: only names that no model accepts can come to be alike.
fn free(mut place: String, schemas: &Object) -> String {
    while schemas.get(&format!("{place}-arguments")).is_some() {
        place.push('_');
    }
    place
}

/// A schema whose references within itself lead there also from its place in the document.
fn moved(schema: &Json, place: &str) -> Json {
    if !schema.as_str().contains("\"$ref\"") {
        return schema.clone();
    }
    // One with an id of its own is the root of its references.
    if schema.object().is_ok_and(|schema| schema.get("$id").is_some()) {
        return schema.clone();
    }
    lead_references(schema, &|target| match target.strip_prefix('#') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("{SCHEMAS}{place}{rest}"),
        _ => target.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_lead_to_where_the_schema_stands_now() {
        let schema = Json::literal(
            r##"{"properties":{"a":{"$ref":"#/$defs/A"},"b":{"$ref":"#"},"c":{"$ref":"other.json#/x"},"d":{"$ref":"#anchor"}},"$defs":{"A":{"items":[{"$ref":"#/$defs/A"}]}}}"##,
        );
        assert_eq!(
            moved(&schema, "t-arguments").as_str(),
            r##"{"properties":{"a":{"$ref":"#/components/schemas/t-arguments/$defs/A"},"b":{"$ref":"#/components/schemas/t-arguments"},"c":{"$ref":"other.json#/x"},"d":{"$ref":"#anchor"}},"$defs":{"A":{"items":[{"$ref":"#/components/schemas/t-arguments/$defs/A"}]}}}"##
        );
    }

    #[test]
    fn each_tool_is_an_operation_with_its_own_schemas() {
        let tools = [
            Json::literal(
                r#"{"name":"a__b","title":"B","description":"Does b","inputSchema":{"type":"object"},"outputSchema":{"type":"object","title":"R"}}"#,
            ),
            Json::literal(r#"{"name":"odd name/x","inputSchema":{"type":"object"}}"#),
        ];
        let document: serde_json::Value = of(&Endpoint::Default, &tools).read().unwrap();
        let operation = &document["paths"]["/tools/a__b"]["post"];
        assert_eq!((&operation["operationId"], &operation["summary"]), (&"a__b".into(), &"B".into()));
        let answers = &operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"];
        assert_eq!(answers, "#/components/schemas/a__b-result");
        assert_eq!(document["components"]["schemas"]["a__b-result"]["title"], "R");
        assert!(document["paths"]["/tools/odd%20name%2Fx"]["post"].is_object());
    }
}
