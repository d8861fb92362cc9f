//! What must hold for any argument and for any document.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use toolgate_openapi::{Answer, Api, Document, Options};
use toolgate_protocol::Json;

use crate::{ask, one};

/// Words that mean something in a document, so that what is made up is nearly one.
const WORDS: [&str; 40] = [
    "$ref",
    "type",
    "properties",
    "items",
    "allOf",
    "oneOf",
    "anyOf",
    "not",
    "required",
    "nullable",
    "enum",
    "parameters",
    "in",
    "name",
    "path",
    "query",
    "header",
    "schema",
    "content",
    "requestBody",
    "responses",
    "200",
    "get",
    "post",
    "application/json",
    "multipart/form-data",
    "object",
    "array",
    "string",
    "servers",
    "url",
    "#/paths/~1a/get",
    "#/paths/~1a",
    "#",
    "additionalProperties",
    "style",
    "deepObject",
    "operationId",
    "$defs",
    "readOnly",
];

fn word() -> impl Strategy<Value = String> {
    prop_oneof![4 => (0..WORDS.len()).prop_map(|at| WORDS[at].to_owned()), 1 => ".{0,8}"]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        word().prop_map(Value::from),
    ];
    leaf.prop_recursive(7, 90, 7, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((word(), inner), 0..7).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// Arguments of any shape for these names.
fn arguments(names: Vec<String>) -> impl Strategy<Value = Value> {
    let count = names.len();
    prop::collection::vec(value(), count)
        .prop_map(move |values| Value::Object(names.iter().cloned().zip(values).collect::<Map<_, _>>()))
}

/// All `$ref` in a schema.
fn references(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

proptest! {
    #[test]
    fn an_argument_never_leaves_its_segment(text in ".{1,30}", list in prop::collection::vec("[./%2eEfF\\\\a]{0,6}", 0..4)) {
        let api = one("get", "/a/{x}/b", json!({"operationId": "do", "parameters": [
            {"name": "x", "in": "path"}, {"name": "q", "in": "query"}]}));
        for value in [json!(text), json!(list)] {
            let Ok(request) = ask(&api.operations[0], &json!({"x": value, "q": text})) else { continue };
            let rest = request.url.strip_prefix("https://api.example.com/v1/a/").expect("the place is the plan's");
            let (path, query) = rest.split_once('?').expect("there is a query");
            let segment = path.strip_suffix("/b").expect("what follows is the plan's");
            prop_assert!(segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%,".contains(&byte)), "{segment}");
            let decoded = percent_decoded(segment);
            prop_assert!(!decoded.split(['/', '\\']).any(|part| matches!(part, "." | "..")), "{decoded}");
            if value.is_string() {
                prop_assert_eq!(&decoded, &text);
            }
            prop_assert_eq!(percent_decoded(query.strip_prefix("q=").expect("one value")), text.clone());
        }
    }

    #[test]
    fn any_document_is_read_or_refused(operation in value(), components in value(), arguments in arguments(
        ["a", "body", "name", "id"].map(str::to_owned).to_vec(),
    )) {
        let document = json!({
            "openapi": "3.1.0", "servers": [{"url": "https://x.example.com"}],
            "paths": {"/a": {"get": operation, "parameters": [components]}, "/b/{id}": {"post": {
                "requestBody": {"content": {"application/json": {"schema": operation}}},
                "responses": {"200": {"content": {"application/json": {"schema": operation}}}},
                "parameters": [{"name": "a", "in": "query", "schema": operation}]}}},
            "components": components,
        });
        let document = Document::read(document.to_string().as_bytes()).unwrap();
        let options = Options { base_url: Some("https://y.example.com"), document_url: None, headers: &[], permits: &|_| true };
        let api = Api::read(&document, &options).unwrap();
        let arguments = Json::of(&arguments).unwrap().object().unwrap();
        for operation in &api.operations {
            let definition: Value = operation.definition.read().unwrap();
            let schema = &definition["inputSchema"];
            prop_assert_eq!(&schema["type"], "object");
            let mut found = Vec::new();
            references(schema, &mut found);
            for reference in found.iter().filter(|reference| reference.starts_with("#/$defs/")) {
                let name = &reference["#/$defs/".len()..];
                prop_assert!(schema["$defs"].get(name).is_some(), "{reference} leads nowhere in {schema}");
            }
            if let Ok(request) = operation.plan.request(&arguments) {
                prop_assert!(request.url.starts_with("https://y.example.com/"), "{}", request.url);
            }
        }
    }

    #[test]
    fn any_answer_is_a_result(status in 100u16..600, media in "[a-z/+;= ]{0,20}", body in prop::collection::vec(any::<u8>(), 0..60)) {
        let api = one("get", "/a", json!({}));
        let answer = Answer { status, content_type: media, body: body.into(), ..Answer::default() };
        let result: Value = api.operations[0].plan.result(&answer, 16).read().unwrap();
        prop_assert_eq!(&result["resultType"], "complete");
        prop_assert_eq!(result["content"].as_array().map(Vec::len), Some(1));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
        let _ = Document::read(text.as_bytes());
        let _ = Document::read(format!("openapi: 3.0.0\npaths:\n  {text}").as_bytes());
    }
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                let digits = [*high, *low];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}
