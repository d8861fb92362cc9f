//! A result of the modern era in the words of the legacy one.
//!
//! What only the modern era has is taken out. Structured content may be any JSON value since 2026-07-28 and had to be an object
//! before; SDKs of that time refuse a whole list because of one tool whose `outputSchema` is not for an object.

use toolgate_protocol::{Json, Method, Object, meta};

const OUTPUT_SCHEMA: &str = "outputSchema";
const STRUCTURED: &str = "structuredContent";

/// The result as a legacy client may have it.
pub(super) fn as_legacy_result(method: &Method, mut result: Object) -> Json {
    result.remove("resultType");
    if method.is_cacheable() {
        result.remove("ttlMs");
        result.remove("cacheScope");
    }
    match method {
        Method::ToolsCall => keep_structured_objects(&mut result),
        Method::ToolsList => keep_schemas_of_objects(&mut result),
        _ => {}
    }
    meta::edit(&mut result, |meta| {
        meta.remove(meta::SERVER_INFO);
    });
    result.to_json()
}

/// Leaves out structured content that is no object; where there is nothing else, it becomes text.
fn keep_structured_objects(result: &mut Object) {
    let Some(value) = result.get(STRUCTURED).filter(|value| !value.is_object()).cloned() else { return };
    result.remove(STRUCTURED);
    let is_empty = result.get("content").is_none_or(|content| content.array().is_ok_and(|blocks| blocks.is_empty()));
    if is_empty {
        let block = Object::new().with("type", Json::literal("\"text\"")).with("text", Json::string(value.as_str()));
        result.set("content", Json::array_of([&block.to_json()]));
    }
}

/// Leaves out schemas of results that are no objects. Definitions without one keep their bytes.
fn keep_schemas_of_objects(result: &mut Object) {
    let Some(tools) = result.get("tools").filter(|tools| tools.as_str().contains(OUTPUT_SCHEMA)) else { return };
    let Ok(tools) = tools.array() else { return };
    let mut is_changed = false;
    let kept: Vec<Json> = tools
        .iter()
        .map(|tool| match tool.object() {
            Ok(mut members) if members.get(OUTPUT_SCHEMA).is_some_and(|schema| !is_of_object(schema)) => {
                is_changed = true;
                members.remove(OUTPUT_SCHEMA);
                members.to_json()
            }
            _ => tool.clone(),
        })
        .collect();
    if is_changed {
        result.set("tools", Json::array_of(&kept));
    }
}

fn is_of_object(schema: &Json) -> bool {
    schema.object().is_ok_and(|schema| schema.string("type").as_deref() == Some("object"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn legacy(method: Method, result: &'static str) -> String {
        as_legacy_result(&method, Json::literal(result).object().unwrap()).as_str().to_owned()
    }

    #[test]
    fn what_only_the_modern_era_has_is_left_out() {
        assert_eq!(
            legacy(Method::ToolsList, r#"{"resultType":"complete","tools":[],"ttlMs":1,"cacheScope":"public"}"#),
            r#"{"tools":[]}"#
        );
        assert_eq!(
            legacy(Method::ToolsCall, r#"{"content":[],"structuredContent":{"n":1.0}}"#),
            r#"{"content":[],"structuredContent":{"n":1.0}}"#
        );
    }

    #[test]
    fn what_is_no_object_stays_as_text() {
        assert_eq!(
            legacy(Method::ToolsCall, r#"{"content":[{"type":"text","text":"[7]"}],"structuredContent":[7]}"#),
            r#"{"content":[{"type":"text","text":"[7]"}]}"#
        );
        assert_eq!(
            legacy(Method::ToolsCall, r#"{"content":[],"structuredContent":[7]}"#),
            r#"{"content":[{"type":"text","text":"[7]"}]}"#
        );
    }

    #[test]
    fn one_schema_costs_no_list() {
        let list = r#"{"tools":[{"name":"a","outputSchema":{"type":"array"}},{"name":"b", "outputSchema":{"type":"object"}},{"name":"c" }]}"#;
        assert_eq!(
            legacy(Method::ToolsList, list),
            r#"{"tools":[{"name":"a"},{"name":"b", "outputSchema":{"type":"object"}},{"name":"c" }]}"#
        );
    }
}
