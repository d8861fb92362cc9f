//! Arguments of models as they come, and what is made of them.

use proptest::prelude::*;
use serde_json::json;
use toolgate_protocol::Json;

use super::*;
use crate::answer::faulty;
use crate::signature::tests::notation;

fn check_with(schema: &str, arguments: &str, slips: Slips) -> Checked {
    let definition = Json::parse(format!(r#"{{"name":"t","inputSchema":{schema}}}"#).into()).unwrap();
    let checker = Checker::new(Config::default());
    checker.check(&Tool::new("t", "s", &definition), &Json::parse(arguments.to_owned().into()).unwrap(), slips)
}

fn check(schema: &str, arguments: &str) -> Checked {
    check_with(schema, arguments, Slips::ALL)
}

/// The answer that a model reads.
fn told(schema: &str, arguments: &str) -> String {
    match check(schema, arguments) {
        Checked::Faulty(faults) => faulty("t", &faults).text,
        other => panic!("{other:?}"),
    }
}

/// The arguments that are sent after slips were understood.
fn mended(schema: &str, arguments: &str) -> String {
    match check(schema, arguments) {
        Checked::Mended { arguments, .. } => arguments.as_str().to_owned(),
        other => panic!("{other:?}"),
    }
}

const ISSUE: &str = r#"{
    "type": "object",
    "properties": {
        "title": {"type": "string", "minLength": 3},
        "state": {"type": "string", "enum": ["open", "closed"]},
        "labels": {"type": "array", "items": {"type": "string"}},
        "limit": {"type": "integer", "minimum": 1, "maximum": 100},
        "deep": {"type": "object", "properties": {"on": {"type": "boolean"}}, "required": ["on"]},
        "when": {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}
    },
    "required": ["title"],
    "additionalProperties": false
}"#;

#[test]
fn right_arguments_pass() {
    assert_eq!(check(ISSUE, r#"{ "title": "abc", "limit": 5.0, "when": "whenever" }"#), Checked::Sound);
}

#[test]
fn a_fault_tells_where_and_what_and_how() {
    assert_eq!(
        told(ISSUE, r#"{"titel":"A bug","state":"opened","limit":500,"labels":["a",{}],"deep":{"on":2}}"#),
        "Wrong arguments for t; nothing was sent.\n\
         - deep.on: wrong, expected boolean, got number 2\n\
         - labels[1]: wrong, expected string, got object\n\
         - limit: wrong, expected integer 1..100, got number 500\n\
         - state: wrong, expected \"open\"|\"closed\", got string \"opened\"; did you mean \"open\"?\n\
         - titel: unknown; did you mean `title`?\n\
         t(title: string >=3 chars, state?: \"open\"|\"closed\", labels?: string[], limit?: integer 1..100, deep?: {on: boolean}, when?: string date-time|null)\n\
         Example: {\"title\":\"A bug\",\"state\":\"open\",\"labels\":[\"a\",\"<labels>\"],\"limit\":100,\"deep\":{\"on\":true}}"
    );
}

#[test]
fn the_object_says_the_same_as_the_text() {
    let Checked::Faulty(faults) = check(ISSUE, r#"{"limit":0}"#) else { panic!() };
    let answer = faulty("t", &faults);
    assert!(answer.is_error);
    assert_eq!(
        answer.structured.get("faults").unwrap().as_str(),
        concat!(
            r#"[{"path":"limit","pointer":"/limit","problem":"wrong","expected":"integer 1..100","got":"number 0"},"#,
            r#"{"path":"title","pointer":"/title","problem":"missing","expected":"string >=3 chars"}]"#
        )
    );
    assert_eq!(answer.structured.get("example").unwrap().as_str(), r#"{"title":"<title>","limit":1}"#);
}

#[test]
fn slips_are_understood_and_all_other_bytes_stay() {
    for (given, sent) in [
        (r#""{\"title\":\"abc\"}""#, r#"{"title":"abc"}"#),
        (r#"{"title":"abc",  "limit":"7", "state":"open"}"#, r#"{"title":"abc","limit":7,"state":"open"}"#),
        (r#"{"title":"abc","labels":"[\"a\", \"b\"]"}"#, r#"{"title":"abc","labels":["a", "b"]}"#),
        (r#"{"title":"abc","labels":"a"}"#, r#"{"title":"abc","labels":["a"]}"#),
        (r#"{"title":"abc","deep":"{\"on\": \"True\"}"}"#, r#"{"title":"abc","deep":{"on":true}}"#),
        (r#"{"title":"abc","deep":{"on":"false"}}"#, r#"{"title":"abc","deep":{"on":false}}"#),
    ] {
        assert_eq!(mended(ISSUE, given), sent, "{given}");
        assert!(matches!(check_with(ISSUE, given, Slips::NONE), Checked::Faulty(_)), "{given}");
    }
    let numbers = r#"{"properties":{"n":{"enum":[1,2]},"o":{"anyOf":[{"type":"integer"},{"type":"null"}]}}}"#;
    assert_eq!(mended(numbers, r#"{"n":"2","o":"5","p":1e2}"#), r#"{"n":2,"o":5,"p":1e2}"#);
}

#[test]
fn where_there_is_doubt_nothing_is_changed() {
    for (schema, arguments) in [
        // A string is wanted, whatever it looks like.
        (r#"{"properties":{"a":{"type":"string"}}}"#, r#"{"a":"{\"x\":1}"}"#),
        (r#"{"properties":{"a":{"type":["string","number"]}}}"#, r#"{"a":"7"}"#),
    ] {
        assert_eq!(check(schema, arguments), Checked::Sound, "{arguments}");
    }
    for arguments in [
        r#"{"title":"abc","labels":"a, b"}"#,
        r#"{"title":"abc","labels":7}"#,
        r#"{"title":"abc","limit":"seven"}"#,
        r#"{"title":"abc","limit":"7.5"}"#,
        r#"{"title":"abc","deep":"on"}"#,
        r#"{"title":5}"#,
    ] {
        assert!(matches!(check(ISSUE, arguments), Checked::Faulty(_)), "{arguments}");
    }
}

#[test]
fn faults_within_what_was_spelled_as_text_are_told() {
    let text = told(ISSUE, r#""{\"limit\":\"500\"}""#);
    assert!(text.contains("- limit: wrong, expected integer 1..100, got number 500\n- title: missing"), "{text}");
}

#[test]
fn of_alternatives_the_one_that_was_meant_is_spoken_of() {
    let shapes = r##"{"$defs":{
        "Circle":{"type":"object","properties":{"kind":{"const":"circle"},"r":{"type":"number"}},"required":["kind","r"]},
        "Square":{"type":"object","properties":{"kind":{"const":"square"},"side":{"type":"number"}},"required":["kind","side"]}},
        "type":"object","properties":{"shape":{"oneOf":[{"$ref":"#/$defs/Circle"},{"$ref":"#/$defs/Square"}]}},"required":["shape"]}"##;
    let text = told(shapes, r#"{"shape":{"kind":"square","side":[]}}"#);
    assert!(text.contains("\n- shape.side: wrong, expected number, got array of 0\n"), "{text}");
    let text = told(shapes, r#"{"shape":5}"#);
    assert!(
        text.contains(
            "\n- shape: wrong, expected {kind: \"circle\", r: number}|{kind: \"square\", side: number}, got number 5\n"
        ),
        "{text}"
    );
    assert!(text.ends_with(r#"Example: {"shape":{"kind":"circle","r":1}}"#), "{text}");
}

#[test]
fn older_drafts_and_what_is_nearly_a_schema_are_understood() {
    for schema in [
        r#"{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"a":{"type":"array","items":[{"type":"number"}]}}}"#,
        r#"{"properties":{"a":{"type":"array","items":[{"type":"number"}]}}}"#,
        r#"{"$schema":"https://example.com/own","properties":{"a":{"type":"array","prefixItems":[{"type":"number"}]}}}"#,
        r#"{"$schema":"http://json-schema.org/draft-04/schema#","properties":{"a":{"items":{"minimum":1,"exclusiveMinimum":true,"type":"integer"}}}}"#,
        r#"{"properties":{"$schema":"x","a":{"items":{"type":"number"}},"b":{"type":"any","required":true},"c":{"pattern":"^(?!x)"}}}"#,
        r#"{"properties":{"a":{"items":{"type":"number"},"contains":{"pattern":"(((a{1000}){1000}){1000})"}}}}"#,
    ] {
        assert_eq!(check(schema, r#"{"a":[2],"b":"x","c":"y"}"#), Checked::Sound, "{schema}");
        assert!(matches!(check(schema, r#"{"a":[{}]}"#), Checked::Faulty(_)), "{schema}");
    }
}

#[test]
fn what_cannot_be_compiled_blocks_nobody() {
    for schema in [
        r#"{"$ref":"https://example.com/schema.json"}"#,
        r#"{"$ref":"file:///etc/passwd"}"#,
        r##"{"$ref":"#/nowhere"}"##,
        r#"{"type":"object","allOf":7}"#,
    ] {
        assert!(matches!(check(schema, "{}"), Checked::Unchecked(Unsuitable::Schema(_))), "{schema}");
    }
    assert_eq!(check("{}", "7"), Checked::Unchecked(Unsuitable::NoSchema));
    let long = json!({"type": "object", "description": "x".repeat(1 << 20)}).to_string();
    assert!(matches!(check(&long, "{}"), Checked::Unchecked(Unsuitable::Schema(_))));
}

#[test]
fn hostile_schemas_and_arguments_take_bounded_work() {
    let levels: Vec<String> = (0..40)
        .map(|at| format!(r##""d{at}":{{"anyOf":[{{"$ref":"#/$defs/d{0}"}},{{"$ref":"#/$defs/d{0}"}}]}}"##, at + 1))
        .collect();
    let doubling = format!(r##"{{"$defs":{{{},"d40":{{"type":"object"}}}},"$ref":"#/$defs/d0"}}"##, levels.join(","));
    assert_eq!(check(&doubling, "{}"), Checked::Unchecked(Unsuitable::TooMuchWork));
    let backtracking = r#"{"properties":{"a":{"type":"string","pattern":"^(a+)+$"}}}"#;
    let text = json!({"a": "a".repeat(60_000) + "b"}).to_string();
    assert!(matches!(check(backtracking, &text), Checked::Faulty(_)));
    // Beyond that, patterns are let be.
    let text = json!({"a": "b".repeat(100_000)}).to_string();
    assert_eq!(check(backtracking, &text), Checked::Sound);
    let many = json!({"labels": vec![json!({}); 100_000], "title": "abc"}).to_string();
    let Checked::Faulty(faults) = check(ISSUE, &many) else { panic!() };
    assert!(faulty("t", &faults).text.len() < 4_000);
    let deep = format!("{}{}", r#"{"deep":"#.repeat(60), "{}".to_owned() + &"}".repeat(60));
    assert!(matches!(check(ISSUE, &deep), Checked::Faulty(_)));
    let tree = r##"{"type":"object","properties":{"deep":{"$ref":"#"}}}"##;
    assert_eq!(check(tree, &deep), Checked::Sound);
}

#[test]
fn a_schema_is_compiled_once_and_the_cache_is_bounded() {
    let checker = Checker::new(Config { cached_schemas: 3, ..Config::default() });
    for at in (0..10).chain(0..10) {
        let schema = Json::parse(format!(r#"{{"title":"{at}","type":"object"}}"#).into()).unwrap();
        let first = checker.compiled(&schema).unwrap();
        assert!(Arc::ptr_eq(&first, &checker.compiled(&schema).unwrap()));
        assert!(checker.cache().len() <= 3);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_example_does(shape in notation::objects(), by_reference in any::<bool>(), given in prop_oneof![Just("{}"), Just(r#"{"a":"x","b":[1]}"#), Just("[]")]) {
        let schema = Json::parse(notation::schema_of(&shape, by_reference).into()).unwrap();
        let compiled = Compiled::new(&schema).unwrap();
        if let Some(example) = example::of(&compiled, &Json::literal(given)) {
            let schema: serde_json::Value = schema.read().unwrap();
            let example: serde_json::Value = example.read().unwrap();
            prop_assert!(jsonschema::is_valid(&schema, &example), "{example} for {schema}");
        }
    }

    #[test]
    fn what_is_sent_is_valid_or_what_came(shape in notation::objects(), number in any::<i32>(), flag in any::<bool>()) {
        let schema = Json::parse(notation::schema_of(&shape, false).into()).unwrap();
        let spelled: toolgate_protocol::Object = shape
            .fields
            .iter()
            .enumerate()
            .map(|(at, field)| {
                let text = if at % 2 == 0 { number.to_string() } else { flag.to_string() };
                toolgate_protocol::Member::new(&field.name, Json::string(&text))
            })
            .collect();
        let definition = toolgate_protocol::Object::new().with("name", Json::string("t")).with("inputSchema", schema.clone()).to_json();
        let checker = Checker::new(Config::default());
        if let Checked::Mended { arguments, mends } = checker.check(&Tool::new("t", "s", &definition), &spelled.to_json(), Slips::ALL) {
            prop_assert!(!mends.is_empty());
            let schema: serde_json::Value = schema.read().unwrap();
            prop_assert!(jsonschema::is_valid(&schema, &arguments.read().unwrap()));
        }
    }
}
