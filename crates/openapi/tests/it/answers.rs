//! From answers to results.

use serde_json::{Value, json};
use toolgate_openapi::Answer;

use crate::one;

fn answer(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
    let body: Vec<u8> = body.into();
    Answer { status, content_type: content_type.to_owned(), body: body.into(), ..Answer::default() }
}

fn result_of(output: bool, answer: &Answer) -> Value {
    let schema = json!({"type": "object", "properties": {"a": {}}});
    let responses =
        if output { json!({"200": {"content": {"application/json": {"schema": schema}}}}) } else { json!({}) };
    let api = one("get", "/a", json!({"responses": responses}));
    api.operations[0].plan.result(answer, 32).read().unwrap()
}

fn result(answer: &Answer) -> Value {
    result_of(false, answer)
}

#[test]
fn json_is_structure_and_text_verbatim() {
    let body = r#"{"b": 1e400, "a": [1.0]}"#;
    let text = {
        let api = one("get", "/a", json!({}));
        api.operations[0].plan.result(&answer(200, "application/vnd.api+json; charset=utf-8", body), 32)
    };
    assert!(text.as_str().ends_with(&format!(r#""structuredContent":{body}}}"#)), "{text:?}");
    assert!(text.as_str().starts_with(r#"{"resultType":"complete","content":[{"type":"text","text":"{\"b\": 1e400"#));
}

#[test]
fn a_declared_object_is_always_there() {
    for (body, structure) in [
        (answer(200, "application/json", r#"{"a": 1}"#), json!({"a": 1})),
        (answer(200, "application/json", "[1]"), json!({"result": [1]})),
        (answer(204, "", ""), json!({})),
        (answer(200, "text/plain", "hello"), json!({})),
        (answer(200, "application/json", "{broken"), json!({})),
    ] {
        assert_eq!(result_of(true, &body)["structuredContent"], structure);
    }
    assert_eq!(result(&answer(200, "application/json", "[1]"))["structuredContent"], json!([1]));
    assert!(result(&answer(200, "text/plain", "[1]")).get("structuredContent").is_none());
}

#[test]
fn each_kind_of_body_is_content_of_its_kind() {
    let content = |answer: &Answer| result(answer)["content"][0].clone();
    assert_eq!(content(&answer(200, "text/plain", "hi"))["text"], "hi");
    assert_eq!(content(&answer(200, "", "hi"))["text"], "hi");
    assert_eq!(content(&answer(200, "text/plain; charset=latin1", [0xfc_u8]))["text"], "\u{fffd}");
    assert_eq!(content(&answer(200, "application/json", "{broken"))["text"], "{broken");
    let image = content(&answer(200, "image/png", [1u8, 2]));
    assert_eq!(image, json!({"type": "image", "data": "AQI=", "mimeType": "image/png"}));
    assert_eq!(content(&answer(200, "Audio/Mpeg", [1u8]))["type"], "audio");
    let pdf = content(&answer(200, "application/pdf", "%PDF"));
    assert_eq!(pdf["resource"], json!({"uri": "answer:body", "mimeType": "application/pdf", "blob": "JVBERg=="}));
    let binary = content(&answer(200, "", [0xff_u8, 0xfe]));
    assert_eq!(binary["resource"]["mimeType"], "application/octet-stream");
    let made = Answer { location: Some("/things/7".into()), ..answer(201, "", "") };
    assert_eq!(content(&made)["text"], "HTTP 201 Created. The answer is empty. What was made is at /things/7.");
}

#[test]
fn errors_are_errors_that_can_be_read() {
    let text = |answer: &Answer| {
        let result = result_of(true, answer);
        assert_eq!((&result["isError"], result.get("structuredContent")), (&json!(true), None));
        result["content"][0]["text"].as_str().unwrap().to_owned()
    };
    assert_eq!(text(&answer(404, "application/json", r#"{"e":1}"#)), "HTTP 404 Not Found.\n\n{\"e\":1}");
    assert_eq!(text(&answer(500, "", "")), "HTTP 500 Internal Server Error.");
    let page = "<!doctype html><html><head><title>x</title><style>a{b}</style></head><body><h1>Oops</h1>\n<script>1<2</script> it broke";
    assert_eq!(text(&answer(502, "text/html", page)), "HTTP 502 Bad Gateway.\n\nOops it broke");
    let long = text(&answer(400, "text/plain", "é".repeat(20_000)));
    assert!(long.ends_with("…\n(cut: the answer has 40000 bytes)") && long.len() < 17_000);
    assert!(text(&answer(401, "", "")).contains("the credentials that the gateway has"));
    let moved = Answer { location: Some("https://other.example.com/".into()), ..answer(302, "", "") };
    assert!(text(&moved).contains("redirects to https://other.example.com/, which is not followed"));
    let busy = Answer { retry_after: Some("30".into()), ..answer(429, "", "") };
    assert!(text(&busy).contains("retry after 30"));
    assert_eq!(text(&answer(418, "image/png", [0xff_u8])), "HTTP 418.");
}
