//! What a schema's parameters are, whatever the schema.

use super::*;
use serde_json::json;

fn names(schema: &Value) -> Vec<String> {
    parameters(schema).into_iter().map(|parameter| parameter.name).collect()
}

#[test]
fn names_descriptions_and_values_are_found_outer_ones_first() {
    let found = parameters(&json!({"type": "object", "properties": {
        "address": {"description": "where to", "properties": {"city": {"type": "string"}}},
        "units": {"enum": ["metric", "imperial", 3]},
    }}));
    let names: Vec<_> = found.iter().map(|parameter| parameter.name.as_str()).collect();
    assert_eq!(names, ["address", "units", "city"]);
    assert_eq!(found[0].description, "where to");
    assert_eq!(found[1].values, ["metric", "imperial"]);
}

#[test]
fn lists_unions_and_definitions_are_read() {
    let schema = json!({
        "properties": {"rows": {"items": {"properties": {"cell": {}}}}, "tags": {"items": {"enum": ["a"]}}},
        "anyOf": [{"properties": {"left": {}}}, {"properties": {"right": {}}}],
        "$defs": {"Node": {"properties": {"children": {"items": {"$ref": "#/$defs/Node"}}}}},
    });
    assert_eq!(names(&schema), ["rows", "tags", "left", "right", "children", "cell"]);
    assert_eq!(parameters(&schema)[1].values, ["a"]);
}

#[test]
fn what_is_no_schema_has_no_parameters() {
    for schema in
        [json!(null), json!(true), json!([1]), json!("x"), json!({"properties": [1], "anyOf": 3, "$defs": []})]
    {
        assert_eq!(names(&schema), [""; 0], "{schema}");
    }
}

#[test]
fn deep_and_wide_schemas_are_cut() {
    let mut deep = json!({});
    for _ in 0..100 {
        deep = json!({"properties": {"p": deep}});
    }
    assert_eq!(names(&deep).len(), DEEPEST);
    let wide: Map<String, Value> = (0..5_000).map(|n| (format!("p{n}"), json!({}))).collect();
    assert_eq!(names(&json!({"properties": wide})).len(), MOST);
}
