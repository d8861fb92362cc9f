//! Legacy upstreams that ask the client in mid-call.

use std::time::Duration;

use serde_json::{Value, json};
use toolgate_protocol::{Json, code};
use toolgate_upstream::{Call, Host, Parking, Upstream};

use crate::setup::{able, ask, call, content, json as as_json, read, scripted, start, text, until};

fn question(method: &str, params: Value) -> Value {
    json!({"method": method, "params": params})
}

async fn send(upstream: &Upstream, call: &Call) -> Result<Value, toolgate_protocol::RpcError> {
    read(upstream.send(call.clone()).await.outcome().await)
}

/// The retry that answers what `asked` asks.
fn retry(call: &Call, asked: &Value, answers: &Value) -> Call {
    let mut retry = call.clone();
    retry.params.set("inputResponses", as_json(answers));
    retry.params.set("requestState", as_json(&asked["requestState"]));
    retry
}

fn elicit() -> Value {
    question("elicitation/create", json!({"message": "who?", "requestedSchema": {"type": "object", "properties": {}}}))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn questions_become_the_result_and_answers_resume_the_call() {
    let upstream = start(scripted("legacy"));
    text(&upstream, "pid").await;
    let questions = json!({"questions": [elicit(), question("sampling/createMessage", json!({"maxTokens": 1})), question("roots/list", Value::Null)]});
    let first = call("ask", &questions, &able());
    // The first question for roots after the handshake is taken for a greeting.
    ask(&upstream, "ask", json!({"questions": [question("roots/list", Value::Null)]})).await.unwrap();
    let asked = send(&upstream, &first).await.unwrap();
    assert_eq!(asked["resultType"], "input_required");
    assert_eq!(asked["inputRequests"]["q1"], elicit());
    assert_eq!(asked["inputRequests"]["q2"]["method"], "sampling/createMessage");
    assert_eq!(asked["inputRequests"]["q3"], json!({"method": "roots/list"}));

    // Other calls go on meanwhile.
    assert_eq!(content(&upstream, "echo", json!({"n": 1})).await, json!({"n": 1}));

    // A missing answer is asked for again, under a new handle.
    let half = json!({"q1": {"action": "decline"}, "unknown": 1});
    let again = send(&upstream, &retry(&first, &asked, &half)).await.unwrap();
    assert_eq!(again["inputRequests"], asked["inputRequests"]);
    assert_ne!(again["requestState"], asked["requestState"]);
    assert_eq!(
        send(&upstream, &retry(&first, &asked, &half)).await.unwrap_err().code,
        code::INVALID_PARAMS,
        "a handle is used once"
    );

    let answers = json!({"q1": {"action": "decline"}, "q2": {"role": "assistant"}, "q3": {"roots": []}});
    let other = call("ask", &json!({"questions": []}), &able());
    assert_eq!(
        send(&upstream, &retry(&other, &again, &answers)).await.unwrap_err().code,
        code::INVALID_PARAMS,
        "of another request"
    );
    let done = send(&upstream, &retry(&first, &again, &answers)).await.unwrap();
    assert_eq!(
        done["structuredContent"]["answers"],
        json!([{"action": "decline"}, {"role": "assistant"}, {"roots": []}])
    );
    assert_eq!(done["resultType"], "complete");
    upstream.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_client_that_cannot_be_asked_is_not_troubled() {
    let upstream = start(scripted("legacy"));
    text(&upstream, "pid").await;
    let result =
        content(&upstream, "ask", json!({"questions": [elicit(), question("sampling/createMessage", json!({}))]}))
            .await;
    assert_eq!(
        result["answers"],
        json!([
            {"code": -32601, "message": "the client does not support elicitation"},
            {"code": -32601, "message": "the client does not support sampling"},
        ])
    );
    upstream.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_question_that_could_be_for_several_clients_reaches_none() {
    let upstream = start(scripted("legacy"));
    text(&upstream, "pid").await;
    let hanging = tokio::spawn({
        let upstream = upstream.clone();
        async move { ask(&upstream, "hang", json!({})).await }
    });
    // Asked again until the other call is in flight.
    until(|| async {
        let asking = call("ask", &json!({"questions": [elicit()]}), &able());
        let result = send(&upstream, &asking).await.unwrap();
        if result["resultType"] == "input_required" {
            send(&upstream, &retry(&asking, &result, &json!({"q1": {"action": "decline"}}))).await.unwrap();
            return false;
        }
        result["structuredContent"]["answers"][0]["message"].as_str().unwrap().contains("several calls are in flight")
    })
    .await;
    hanging.abort();
    upstream.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_does_not_answer_in_time_has_cancelled() {
    let mut config = scripted("legacy");
    config.limits.parked_for = Duration::from_millis(100);
    let upstream = start(config);
    text(&upstream, "pid").await;
    let first = call("ask", &json!({"questions": [elicit()]}), &able());
    let asked = send(&upstream, &first).await.unwrap();
    until(|| async {
        let seen = content(&upstream, "seen", json!({})).await;
        seen["seen"].as_array().unwrap().iter().any(|seen| seen.as_str().unwrap().starts_with("cancelled "))
    })
    .await;
    let late = send(&upstream, &retry(&first, &asked, &json!({"q1": {"action": "accept"}}))).await.unwrap_err();
    assert_eq!(late.code, code::INVALID_PARAMS);
    upstream.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_put_aside_is_not_run_again_when_its_upstream_is_gone() {
    let upstream = start(scripted("legacy"));
    text(&upstream, "pid").await;
    let first = call("ask", &json!({"questions": [elicit()]}), &able());
    let asked = send(&upstream, &first).await.unwrap();
    ask(&upstream, "die", json!({})).await.unwrap_err();
    let error = send(&upstream, &retry(&first, &asked, &json!({"q1": {"action": "accept"}}))).await.unwrap_err();
    assert_eq!(crate::setup::reason(&error), "closed");
    assert_eq!(content(&upstream, "seen", json!({})).await["seen"], json!(["notifications/initialized"]));
    upstream.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn there_is_room_for_so_many_calls_put_aside() {
    let host = Host::new(None, Parking { total: 0, per_caller: 1 });
    let upstream = Upstream::start(scripted("legacy"), None, host);
    text(&upstream, "pid").await;
    let error = send(&upstream, &call("ask", &json!({"questions": [elicit()]}), &able())).await.unwrap_err();
    assert!(error.message.contains("too many calls wait"), "{}", error.message);
    upstream.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_modern_handle_goes_to_a_modern_upstream_as_it_is() {
    let upstream = start(scripted("modern"));
    let mut call = call("params", &json!({}), &able());
    call.params.set("requestState", Json::literal(r#""theirs""#));
    let seen = send(&upstream, &call).await.unwrap();
    assert_eq!(seen["structuredContent"]["requestState"], "theirs");
    upstream.stop().await;
}
