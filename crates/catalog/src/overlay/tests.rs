//! The schema that clients see and the arguments that go upstream, held against each other.

use toolgate_identity::Caller;
use toolgate_protocol::{Json, Object};

use super::{Argument, Override, Value};

fn object(text: &'static str) -> Object {
    Json::literal(text).object().unwrap()
}

fn fixed(value: &'static str) -> Argument {
    Argument { hidden: true, value: Some(Value::Literal(Json::literal(value))), ..Argument::default() }
}

fn named(name: &str) -> Argument {
    Argument { name: Some(name.into()), ..Argument::default() }
}

fn laid(arguments: Vec<(&str, Argument)>) -> Override {
    let arguments = arguments.into_iter().map(|(name, argument)| (name.to_owned(), argument)).collect();
    Override { arguments, ..Override::default() }
}

fn schema_of(overlay: &Override, schema: &'static str) -> String {
    let mut definition = Object::new().with("inputSchema", Json::literal(schema));
    overlay.lay_over(&mut definition);
    definition.get("inputSchema").unwrap().as_str().to_owned()
}

#[test]
fn words_are_replaced_and_annotations_laid_over() {
    let overlay = Override {
        title: Some("T".into()),
        description: Some("D".into()),
        annotations: vec![("readOnlyHint".into(), Json::literal("true"))],
        ..Override::default()
    };
    let mut definition =
        object(r#"{"name":"x","description":"old","annotations":{"title":"a","openWorldHint":false},"vendor":1.50}"#);
    overlay.lay_over(&mut definition);
    assert_eq!(
        definition.to_json().as_str(),
        r#"{"name":"x","description":"D","annotations":{"title":"T","openWorldHint":false,"readOnlyHint":true},"vendor":1.50,"title":"T"}"#
    );
}

#[test]
fn arguments_are_renamed_fixed_and_given_defaults_in_the_schema_and_in_the_call() {
    let with_default = Argument { value: Some(Value::Literal(Json::literal("7"))), ..Argument::default() };
    let overlay = laid(vec![("owner", fixed("\"acme\"")), ("path", named("file")), ("limit", with_default)]);
    assert_eq!(
        schema_of(
            &overlay,
            r#"{"type":"object","properties":{"owner":{"type":"string"},"path":{"type":"string"},"limit":{"type":"integer"},"q":{}},"required":["owner","path","limit"],"additionalProperties":false}"#
        ),
        r#"{"type":"object","properties":{"file":{"type":"string"},"limit":{"type":"integer","default":7},"q":{}},"required":["file"],"additionalProperties":false}"#
    );
    for (given, sent) in [
        (r#"{"file":"a","q":1}"#, r#"{"q":1,"owner":"acme","path":"a","limit":7}"#),
        // What is hidden cannot be given, under whichever name.
        (r#"{"file":"a","owner":"evil","limit":1}"#, r#"{"owner":"acme","path":"a","limit":1}"#),
        (r#"{"path":"a"}"#, r#"{"owner":"acme","limit":7}"#),
    ] {
        let sent_now = overlay.to_native(object(given), &Caller::anonymous());
        assert_eq!(sent_now.to_json().as_str(), sent, "{given}");
    }
}

#[test]
fn two_arguments_may_swap_their_names() {
    let overlay = laid(vec![("a", named("b")), ("b", named("a"))]);
    let sent = overlay.to_native(object(r#"{"a":1,"b":2}"#), &Caller::anonymous());
    assert_eq!(sent.to_json().as_str(), r#"{"a":2,"b":1}"#);
    assert_eq!(
        schema_of(&overlay, r#"{"properties":{"a":{"const":1},"b":{"const":2}},"required":["a"]}"#),
        r#"{"properties":{"b":{"const":1},"a":{"const":2}},"required":["b"]}"#
    );
}

#[test]
fn what_is_said_of_the_caller_is_sent_and_not_asked_for() {
    let who = Argument { hidden: true, value: Some(Value::Caller), ..Argument::default() };
    let overlay = laid(vec![("user", who)]);
    let sent = overlay.to_native(object(r#"{"user":"somebody else"}"#), &Caller::anonymous());
    assert_eq!(sent.to_json().as_str(), r#"{"user":"anonymous"}"#);
}

#[test]
fn every_part_that_means_the_same_object_is_rewritten_and_no_other() {
    let overlay = laid(vec![("a", fixed("1")), ("b", named("c"))]);
    assert_eq!(
        schema_of(
            &overlay,
            r#"{"properties":{"a":{},"b":{"properties":{"a":{}},"required":["a","b"]}},"anyOf":[{"required":["a"]},{"required":["b"]}],"if":{"properties":{"b":{"const":1}}},"then":{"required":["b","a"]},"dependentRequired":{"b":["a"],"a":["b"]},"dependentSchemas":{"b":{"required":["b"]}}}"#
        ),
        r#"{"properties":{"c":{"properties":{"a":{}},"required":["a","b"]}},"anyOf":[{},{"required":["c"]}],"if":{"properties":{"c":{"const":1}}},"then":{"required":["c"]},"dependentRequired":{"c":[]},"dependentSchemas":{"c":{"required":["c"]}}}"#
    );
}

#[test]
fn references_to_arguments_still_lead_somewhere() {
    let overlay = laid(vec![("a", fixed("1")), ("b", named("c"))]);
    assert_eq!(
        schema_of(
            &overlay,
            r##"{"properties":{"a":{"type":"object"},"b":{"items":{}},"d":{"$ref":"#/properties/a"},"e":{"$ref":"#/properties/b/items"}}}"##
        ),
        r##"{"properties":{"c":{"items":{}},"d":{"$ref":"#/$defs/hidden-a"},"e":{"$ref":"#/properties/c/items"}},"$defs":{"hidden-a":{"type":"object"}}}"##
    );
    // Generators write a recursive model as a reference to its own definition.
    assert_eq!(
        schema_of(
            &overlay,
            r##"{"$ref":"#/$defs/M","$defs":{"M":{"type":"object","properties":{"b":{}},"required":["b"]}}}"##
        ),
        r##"{"$defs":{"M":{"type":"object","properties":{"b":{}},"required":["b"]}},"type":"object","properties":{"c":{}},"required":["c"]}"##
    );
}

#[test]
fn what_an_override_says_of_arguments_that_are_not_there_is_reported() {
    let hidden = Argument { hidden: true, ..Argument::default() };
    let overlay = laid(vec![("gone", fixed("1")), ("a", hidden), ("b", named("c"))]);
    let definition = object(
        r#"{"inputSchema":{"properties":{"a":{},"b":{},"c":{}},"required":["a"],"additionalProperties":false}}"#,
    );
    assert_eq!(
        overlay.faults(&definition),
        [
            "the tool has no argument `gone`",
            "`a` is hidden and has no value, but the tool needs it",
            "`b` cannot be called `c`: the tool has another argument of that name"
        ]
    );
}
