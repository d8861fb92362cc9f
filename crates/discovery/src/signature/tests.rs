//! What the signature says, the schema says.

pub(crate) mod notation;

use proptest::prelude::*;
use toolgate_protocol::Json;

use self::notation::{parse, schema_of};
use super::*;

fn signature(schema: &'static str) -> String {
    let signature = Signature::of_schema(&Json::literal(schema));
    format!("{}{}", if signature.faithful { "" } else { "~" }, signature.text)
}

#[test]
fn signatures_read_like_typescript() {
    for (schema, text) in [
        (r#"{"type":"object"}"#, "()"),
        (r#"{"type":"object","additionalProperties":{"type":"string"}}"#, "(Record<string, string>)"),
        (
            r#"{"properties":{"b":{"type":"string"},"a":{"type":"integer"}},"required":["a"]}"#,
            "(a: integer, b?: string)",
        ),
        (
            r#"{"properties":{"n":{"type":"integer","minimum":1,"maximum":100,"default":10}}}"#,
            "(n?: integer 1..100 = 10)",
        ),
        (
            r#"{"properties":{"n":{"type":"number","exclusiveMinimum":0,"maximum":1.5,"multipleOf":0.5}}}"#,
            "(n?: number >0 <=1.5 %0.5)",
        ),
        (
            r#"{"properties":{"s":{"enum":["open","closed"],"type":"string"}},"required":["s"]}"#,
            r#"(s: "open"|"closed")"#,
        ),
        (
            r#"{"properties":{"s":{"const":7},"x":{"type":["string","null"],"default":null}}}"#,
            "(s?: 7, x?: string|null)",
        ),
        (
            r#"{"properties":{"d":{"type":"string","format":"date-time"},"x-y":true}}"#,
            r#"(d?: string date-time, "x-y"?: any)"#,
        ),
        (
            r#"{"properties":{"l":{"type":"array","items":{"type":"string","maxLength":5},"minItems":1}}}"#,
            "(l?: (string <=5 chars)[] >=1 items)",
        ),
        (
            r#"{"properties":{"t":{"type":"array","prefixItems":[{"type":"number"},{"type":"string"}],"items":false,"minItems":1}}}"#,
            "(t?: [number, string?])",
        ),
        (
            r#"{"properties":{"t":{"type":"array","items":[{"type":"number"}],"additionalItems":{"type":"string"}}}}"#,
            "(t?: [number?, ...string[]])",
        ),
        (
            r#"{"properties":{"o":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}}}"#,
            "(o?: {a: string})",
        ),
        (r#"{"properties":{"p":{"type":"string","pattern":"^a/b$"}}}"#, r"(p?: string /^a\/b$/)"),
        (
            r#"{"properties":{"z":{"anyOf":[{"anyOf":[{"not":{}},{"type":"number"}]},{"type":"null"}]}}}"#,
            "(z?: number|null)",
        ),
    ] {
        assert_eq!(signature(schema), text);
    }
}

#[test]
fn references_are_followed_and_what_contains_itself_is_named() {
    assert_eq!(
        signature(
            r##"{"$defs":{"P":{"type":"object","properties":{"x":{"type":"number"}},"required":["x"]}},"properties":{"p":{"$ref":"#/$defs/P"},"q":{"allOf":[{"$ref":"#/$defs/P"}],"default":null}}}"##
        ),
        "(p?: {x: number}, q?: {x: number})"
    );
    assert_eq!(
        signature(
            r##"{"definitions":{"N":{"type":"object","properties":{"kids":{"type":"array","items":{"$ref":"#/definitions/N"}}}}},"properties":{"n":{"$ref":"#/definitions/N"}},"required":["n"]}"##
        ),
        "(n: N) where N = {kids?: N[]}"
    );
    assert_eq!(
        signature(r##"{"type":"object","properties":{"and":{"type":"array","items":{"$ref":"#"}}}}"##),
        "(Arguments) where Arguments = {and?: Arguments[]}"
    );
    assert_eq!(
        signature(r##"{"properties":{"a":{"$ref":"#/nowhere"},"b":{"$ref":"https://example.com/s"}}}"##),
        "~(a?: …, b?: any)"
    );
    assert_eq!(signature(r##"{"$ref":"#"}"##), "~(…)");
}

#[test]
fn combinations_are_merged_or_said_side_by_side() {
    assert_eq!(
        signature(
            r#"{"allOf":[{"properties":{"a":{"type":"string"}},"required":["a"]},{"properties":{"b":{"type":"number"}}}]}"#
        ),
        "(a: string, b?: number)"
    );
    assert_eq!(
        signature(
            r#"{"properties":{"a":{"type":"string"},"b":{"type":"string"}},"anyOf":[{"required":["a"]},{"required":["b"]}]}"#
        ),
        "({a?: string, b?: string} & ({a: any}|{b: any}))"
    );
    assert_eq!(
        signature(r#"{"oneOf":[{"properties":{"a":{"const":1}}},{"properties":{"b":{"const":2}}}]}"#),
        "({a?: 1}|{b?: 2})"
    );
}

#[test]
fn what_cannot_be_said_is_admitted() {
    for schema in [
        r#"{"properties":{"a":{"type":"string"}},"if":{"properties":{"a":{"const":"x"}}},"then":{"required":["b"]}}"#,
        r#"{"properties":{"a":{"type":"string"}},"dependentRequired":{"a":["b"]}}"#,
        r#"{"type":"object","patternProperties":{"^x":{"type":"string"}}}"#,
        r#"{"properties":{"a":{"not":{"const":"x"}}}}"#,
        r#"{"properties":{"a":{"type":"array","contains":{"const":1}}}}"#,
    ] {
        assert!(signature(schema).starts_with('~'), "{schema}");
    }
}

#[test]
fn prompts_are_called_with_strings() {
    let definition = Json::literal(r#"{"name":"p","arguments":[{"name":"a"},{"name":"b","required":true}]}"#);
    let prompt = Tool { kind: Kind::Prompt, name: "p", server: "s", definition: &definition };
    assert_eq!(Signature::of(&prompt).text, "(b: string, a?: string)");
}

/// A schema whose references double at each of many levels: unrolled it would have 2^40 members.
fn doubling() -> String {
    let levels: Vec<String> = (0..40)
        .map(|at| {
            format!(
                r##""d{at}":{{"properties":{{"a":{{"$ref":"#/$defs/d{0}"}},"b":{{"$ref":"#/$defs/d{0}"}}}}}}"##,
                at + 1
            )
        })
        .collect();
    format!(r##"{{"$defs":{{{},"d40":{{"type":"string"}}}},"$ref":"#/$defs/d0"}}"##, levels.join(","))
}

#[test]
fn hostile_schemas_are_bounded() {
    let nested = format!(r#"{}{{"type":"string"}}{}"#, r#"{"properties":{"a":"#.repeat(30), "}}".repeat(30));
    let wide: Vec<String> = (0..20_000).map(|at| format!(r#""p{at}":{{"type":"string"}}"#)).collect();
    let wide = format!(r#"{{"properties":{{{}}}}}"#, wide[..10_000].join(","));
    let values: Vec<String> = (0..20_000).map(|at| format!("\"v{at}\"")).collect();
    let values = format!(r#"{{"properties":{{"e":{{"enum":[{}]}}}}}}"#, values.join(","));
    let long = format!(r#"{{"properties":{{"s":{{"description":"{}"}}}}}}"#, "x".repeat(1 << 20));
    for schema in [doubling(), nested, wide, values, long] {
        let signature = Signature::of_schema(&Json::parse(schema.into()).unwrap());
        assert!(signature.text.len() <= MAX_LEN + 8, "{} bytes", signature.text.len());
        assert!(!signature.faithful);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_the_signature_says_the_schema_says(shape in notation::objects(), by_reference in any::<bool>()) {
        let schema = Json::parse(schema_of(&shape, by_reference).into()).unwrap();
        let Reading { shape: read, named, faithful } = crate::schema::read(&schema);
        prop_assert_eq!(&read, &Shape::Object(shape.clone()), "{:?}", schema);
        prop_assert!(faithful && named.is_empty());
        let signature = Signature::of_schema(&schema);
        if signature.faithful {
            prop_assert_eq!(parse(&signature.text), shape, "{}\n{:?}", signature.text, schema);
        } else {
            prop_assert!(signature.text.contains('…'));
        }
    }

    #[test]
    fn no_schema_makes_a_signature_without_end(text in "\\PC{0,40}", keyword in "type|properties|items|enum|\\$ref|anyOf|allOf|required|minimum|pattern|additionalProperties") {
        for value in [Json::string(&text), Json::array_of([&Json::string(&text)]), Json::literal("{}"), Json::literal("[[]]"), Json::literal("7")] {
            let schema = toolgate_protocol::Object::new().with(&keyword, value).to_json();
            prop_assert!(Signature::of_schema(&schema).text.len() <= MAX_LEN + 8);
        }
    }
}
