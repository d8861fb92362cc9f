//! What documents say about arguments and answers, as JSON Schema; and what is left out of documents that are faulty.

use serde_json::{Value, json};

use crate::{api, input, one, read, tool};

/// The schema of an argument `a` with this schema in the document.
fn argument(schema: Value) -> Value {
    let api = one("get", "/a", json!({"parameters": [{"name": "a", "in": "query", "schema": schema}]}));
    input(&api)["properties"]["a"].clone()
}

#[test]
fn openapi_3_0_becomes_json_schema() {
    for (written, meant) in [
        (json!({"type": "string", "nullable": true}), json!({"type": ["string", "null"]})),
        (
            json!({"type": "string", "nullable": true, "enum": ["a"]}),
            json!({"type": ["string", "null"], "enum": ["a", null]}),
        ),
        (
            json!({"type": "integer", "minimum": 1, "exclusiveMinimum": true}),
            json!({"type": "integer", "exclusiveMinimum": 1}),
        ),
        (json!({"type": "integer", "minimum": 1, "exclusiveMinimum": false}), json!({"type": "integer", "minimum": 1})),
        (json!({"type": "string", "example": "x"}), json!({"type": "string", "examples": ["x"]})),
        (json!({"type": "array"}), json!({"type": "array", "items": {}})),
        (json!({"type": "file", "xml": {}, "x-odd": 1}), json!({"type": "string"})),
        (json!({"type": "any"}), json!({})),
        (json!({"type": "string", "pattern": "(?i)^x$"}), json!({"type": "string"})),
        (json!({"type": "object", "required": true, "properties": []}), json!({"type": "object", "properties": {}})),
        (
            json!({"nullable": true, "allOf": [{"$ref": "#/components/schemas/Nowhere"}]}),
            json!({"anyOf": [{"allOf": [{"description": "Anything: the document does not say what."}]}, {"type": "null"}]}),
        ),
    ] {
        assert_eq!(argument(written.clone()), meant, "{written}");
    }
}

#[test]
fn an_all_of_of_objects_is_one_object() {
    let schema = json!({
        "description": "both", "required": ["c"],
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false},
            {"allOf": [{"properties": {"b": {}}}]},
        ],
        "properties": {"c": {}}
    });
    let flat = argument(schema.clone());
    assert_eq!(flat["properties"].as_object().unwrap().keys().collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!((&flat["required"], &flat["description"]), (&json!(["a", "c"]), &json!("both")));
    assert!(flat.get("allOf").is_none() && flat.get("additionalProperties").is_none());
    // In a body, its members are arguments.
    let api = one("post", "/a", json!({"requestBody": {"content": {"application/json": {"schema": schema}}}}));
    assert_eq!(input(&api)["required"], json!(["a", "c"]));
}

fn recursive() -> Value {
    json!({
        "openapi": "3.1.0", "servers": [{"url": "https://x.example.com"}],
        "paths": {"/tree": {"post": {"operationId": "grow", "requestBody": {"content": {"application/json": {
            "schema": {"$ref": "#/components/schemas/Tree"}}}}}}},
        "components": {"schemas": {
            "Tree": {"type": "object", "properties": {
                "left": {"$ref": "#/components/schemas/Tree", "description": "the left one"},
                "other": {"$ref": "#/components/schemas/Wood"}, "name": {"$ref": "#/components/schemas/Name"}}},
            "Wood": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}},
            "Name": {"type": "string", "maxLength": 9}
        }}
    })
}

#[test]
fn a_recursive_schema_stays_one_and_can_be_used() {
    let schema = input(&api(&recursive()));
    assert_eq!(schema["properties"]["left"], json!({"$ref": "#/$defs/Tree", "description": "the left one"}));
    assert_eq!(schema["properties"]["name"], json!({"type": "string", "maxLength": 9}), "small ones are written out");
    let validator = jsonschema::validator_for(&schema).unwrap();
    assert!(validator.is_valid(&json!({"left": {"left": {"name": "x"}, "other": [{"name": "y"}]}})));
    assert!(!validator.is_valid(&json!({"left": {"left": {"name": "much too long"}}})));
}

#[test]
fn chains_and_circles_of_references_end() {
    let mut schemas = serde_json::Map::new();
    for nth in 0..5_000 {
        let next = format!("#/components/schemas/S{}", nth + 1);
        schemas.insert(
            format!("S{nth}"),
            json!({"type": "object", "properties": {"a": {"$ref": next}, "b": {"$ref": next}}}),
        );
    }
    schemas.insert("S5000".into(), json!({"type": "string"}));
    schemas.insert("Self".into(), json!({"$ref": "#/components/schemas/Self"}));
    schemas
        .insert("Mixed".into(), json!({"allOf": [{"$ref": "#/components/schemas/Mixed"}, {"properties": {"a": {}}}]}));
    let mut document = recursive();
    document["components"]["schemas"] = schemas.into();
    for name in ["S0", "Self", "Mixed"] {
        let at = format!("#/components/schemas/{name}");
        document["paths"]["/tree"]["post"]["requestBody"]["content"]["application/json"]["schema"] =
            json!({"$ref": at});
        let api = api(&document);
        let length = api.operations[0].definition.as_str().len();
        assert!(length < 80 << 10, "{name}: {length}");
        jsonschema::validator_for(&input(&api)).unwrap();
    }
}

#[test]
fn what_is_too_large_is_described_less_deeply() {
    let mut properties = serde_json::Map::new();
    for nth in 0..200 {
        let deep = json!({"type": "object", "properties": {"b": {"type": "object", "properties": {
            "c": {"oneOf": [{"type": "string", "description": "x".repeat(300)}, {"type": "integer"}]}}}}});
        properties.insert(format!("p{nth}"), deep);
    }
    let schema = json!({"type": "object", "properties": properties});
    let api = one("post", "/a", json!({"requestBody": {"content": {"application/json": {"schema": schema}}}}));
    assert!(api.operations[0].definition.as_str().len() < 70 << 10);
    assert!(api.faults[0].contains("less deeply"), "{:?}", api.faults);
    let schema = input(&api);
    assert_eq!(schema["properties"]["p0"]["type"], "object");
    let validator = jsonschema::validator_for(&schema).unwrap();
    assert!(validator.is_valid(&json!({"p0": {"b": {"c": "a text"}}})));
}

#[test]
fn a_large_circle_is_not_written_out_for_each_tool_and_many_alike_names_take_no_time() {
    let at = |nth: usize| format!("#/components/schemas/S{}", nth % 400);
    let mut schemas = serde_json::Map::new();
    for nth in 0..400 {
        let text = json!({"type": "string", "description": "x".repeat(3_000)});
        let refs = json!({"next": {"$ref": at(nth + 1)}, "far": {"$ref": at(nth * 7)}, "text": text});
        schemas.insert(format!("S{nth}"), json!({"type": "object", "properties": refs}));
    }
    let mut paths = serde_json::Map::new();
    for nth in 0..5_000 {
        let body = json!({"content": {"application/json": {"schema": {"$ref": at(nth)}}}});
        let operation = if nth % 50 == 0 {
            json!({"operationId": "same", "requestBody": body})
        } else {
            json!({"operationId": "same"})
        };
        paths.insert(format!("/p{nth}"), json!({"post": operation}));
    }
    let mut document = recursive();
    document["components"]["schemas"] = schemas.into();
    document["paths"] = paths.into();
    let api = api(&document);
    assert_eq!(api.operations.len(), 5_000);
    assert!(api.operations.iter().all(|operation| operation.definition.as_str().len() < 80 << 10));
    let whole = api.operations.iter().find(|operation| operation.definition.as_str().contains("next")).unwrap();
    assert!(!whole.definition.as_str().contains("$ref"), "{:?}", whole.definition);
}

#[test]
fn what_comes_back_is_described_and_binds_nobody() {
    let mut document = recursive();
    document["paths"]["/tree"]["post"]["responses"] = json!({"200": {"content": {"application/json": {"schema":
        {"$ref": "#/components/schemas/Tree"}}}}});
    let output = tool(&api(&document), "grow")["outputSchema"].clone();
    assert_eq!(output["type"], "object");
    assert_eq!(output["properties"]["name"], json!({"description": "(string)"}));
    let validator = jsonschema::validator_for(&output).unwrap();
    for odd in
        [json!({}), json!({"name": null, "left": [], "other": {"a": 1}, "more": 1}), json!({"left": {"left": 7}})]
    {
        assert!(validator.is_valid(&odd), "{odd}");
    }
}

#[test]
fn names_are_unique_and_legal_and_annotations_say_what_verbs_promise() {
    let document = json!({
        "openapi": "3.0.0", "servers": [{"url": "https://x.example.com"}],
        "paths": {"/a/{id}": {
            "get": {"operationId": "do it"}, "delete": {"operationId": "do.it"},
            "put": {"deprecated": true, "summary": "Puts"}, "options": {}, "x-y": {}
        }}
    });
    let api = api(&document);
    let names: Vec<&str> = api.operations.iter().map(|operation| operation.name.as_str()).collect();
    // serde_json sorts the members of what the test writes.
    assert_eq!(names, ["do_it", "do_it_2", "PUT_a_id"]);
    let delete = tool(&api, "do_it");
    assert_eq!(delete["annotations"]["destructiveHint"], true);
    assert_eq!(tool(&api, "do_it_2")["annotations"]["readOnlyHint"], true);
    assert_eq!(tool(&api, "PUT_a_id")["description"], "Deprecated. Puts");
}

#[test]
fn faulty_operations_cost_themselves_only() {
    let document = json!({
        "openapi": "3.0.0", "servers": [{"url": "https://x.example.com"}],
        "paths": {
            "/good": {"get": {"operationId": "good", "parameters": [
                {"$ref": "#/components/parameters/None"}, {"in": "query"}, 7, {"name": "q", "in": "query", "schema": 9}]}},
            "/elsewhere": {"$ref": "https://other.example.com/paths.json#/x"},
            "/other-host": {"get": {"servers": [{"url": "https://evil.example.com"}]}},
            "/up/../x": {"get": {}},
            "/body": {"post": {"operationId": "body", "requestBody": {"$ref": "other.yaml#/b"}}},
            "/null": null, "/list": [], "/odd": {"get": null, "post": 7}
        }
    });
    let api = api(&document);
    let names: Vec<&str> = api.operations.iter().map(|operation| operation.name.as_str()).collect();
    assert_eq!(names, ["body", "good", "GET_odd", "POST_odd"]);
    assert_eq!(input(&api)["properties"], json!({}));
    let skipped: Vec<String> =
        api.skipped.iter().map(|skipped| format!("{}: {}", skipped.operation, skipped.reason)).collect();
    assert_eq!(skipped.len(), 3, "{skipped:#?}");
    assert!(skipped[0].contains("/elsewhere: `https://other.example.com/paths.json#/x` is in another document"));
    assert!(skipped[1].contains("it is served by another host, https://evil.example.com"));
    assert!(skipped[2].contains("its path holds `.` or `..`"));
    assert!(
        api.faults.iter().any(|fault| fault.contains("`other.yaml#/b` is in another document")),
        "{:?}",
        api.faults
    );
}

#[test]
fn what_is_no_document_is_told_so() {
    for (text, why) in [
        ("{}", "no member `openapi`"),
        (r#"{"swagger": "2.0"}"#, "Swagger 2.0"),
        (r#"{"openapi": "4.0", "paths": {}}"#, "3.0 and 3.1 are read"),
        (r#"{"openapi": "3.0.0"}"#, "no `paths`"),
        ("<html></html>", "no member `openapi`"),
        ("{\"openapi\": ", "not JSON"),
        ("a: [", "not YAML"),
        ("", "no member `openapi`"),
    ] {
        let error = toolgate_openapi::Document::read(text.as_bytes()).unwrap_err();
        assert!(error.contains(why), "{text}: {error}");
    }
    assert!(toolgate_openapi::Document::read(&[0xff, 0xfe]).is_err());
}

#[test]
fn a_fetched_document_does_not_choose_another_host() {
    let document = |servers: Value| json!({"openapi": "3.0.0", "servers": servers, "paths": {"/a": {"get": {}}}});
    let at = Some("https://api.example.com:8443/docs/openapi.json");
    for (servers, base) in [
        (json!([]), "https://api.example.com:8443"),
        (json!([{"url": "/v2/"}]), "https://api.example.com:8443/v2"),
        (json!([{"url": "v2"}]), "https://api.example.com:8443/docs/v2"),
        (json!([{"url": "https://api.example.com:8443/v3"}]), "https://api.example.com:8443/v3"),
        (
            json!([{"url": "/{stage}", "variables": {"stage": {"default": "prod"}}}]),
            "https://api.example.com:8443/prod",
        ),
    ] {
        let api = read(&document(servers), at).unwrap();
        assert_eq!(api.operations[0].plan.base(), base);
    }
    for evil in
        ["https://evil.example.com", "//evil.example.com/x", "http://api.example.com:8443", "http://169.254.169.254"]
    {
        let error = read(&document(json!([{"url": evil}])), at).unwrap_err();
        assert!(error.contains("another host; if so, set `base_url`"), "{error}");
    }
    assert!(read(&document(json!([{"url": "/v1"}])), None).unwrap_err().contains("set `base_url`"));
    assert!(read(&document(json!([{"url": "https://a@b/"}])), None).is_err());
}
