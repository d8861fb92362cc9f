//! Extensions: offered where they can be kept, and no further.

use serde_json::{Value, json};
use toolgate_testkit::client::text_of;
use toolgate_testkit::{Call, Client, Era, Gate, Script};

const TASKS: &str = "io.modelcontextprotocol/tasks";
const UI: &str = "io.modelcontextprotocol/ui";
const SKILLS: &str = "io.modelcontextprotocol/skills";

/// A server that has all of them.
fn able() -> Script {
    Script::echo(Era::Modern)
        .capabilities(json!({
            "tools": {}, "resources": {}, "extensions": {TASKS: {}, UI: {}, SKILLS: {}, "com.vendor/x": {"y": 1}},
        }))
        .quick_tool("work", |call: Call| {
            call.answer(json!({
                "resultType": "task", "taskId": "t", "status": "working", "ttlMs": null,
                "createdAt": "2026-07-28T00:00:00Z", "lastUpdatedAt": "2026-07-28T00:00:00Z",
            }));
        })
        .on("skills/list", async |call: Call| call.answer(json!({"skills": []})))
}

async fn offered(client: &Client) -> Value {
    client.request("server/discover", json!({})).await.unwrap()["capabilities"]["extensions"].take()
}

#[tokio::test]
async fn beside_a_server_without_them_they_are_offered_as_far_as_they_reach_the_one_that_has_them() {
    let (able, plain) = (able().over_http().await, Script::echo(Era::Modern).over_http().await);
    let old = Script::echo(Era::Legacy).over_stdio().await;
    let gate = Gate::of("plain", &plain).and("able", &able).and("old", &old).start().await.settled().await;
    let client = Client::of(gate.url(), Era::Modern)
        .capabilities(json!({"extensions": {TASKS: {}, UI: {}, SKILLS: {}, "com.vendor/x": {}}}));
    assert_eq!(offered(&client).await, json!({TASKS: {}, UI: {}}));
    // What is not offered is not there.
    assert_eq!(client.request("skills/list", json!({})).await.unwrap_err().code, -32601);
    for upstream in ["plain", "able", "old"] {
        assert_eq!(client.text(&format!("{upstream}__echo"), json!({"text": upstream})).await, upstream);
    }
    let task = client.call("able__work", json!({})).await.unwrap();
    assert_eq!(task["resultType"], "task");

    let none = Gate::of("plain", &plain).and("old", &old).start().await.settled().await;
    assert_eq!(offered(&Client::of(none.url(), Era::Modern)).await, Value::Null);
}

#[tokio::test]
async fn a_transparent_gateway_offers_what_its_server_does() {
    let able = able().over_http().await;
    let gate = Gate::of("able", &able).config("names: transparent").start().await.settled().await;
    let client = gate.modern().await;
    let all = offered(&client).await;
    assert_eq!(all, json!({TASKS: {}, UI: {}, SKILLS: {}, "com.vendor/x": {"y": 1}}));
    assert_eq!(client.request("skills/list", json!({})).await.unwrap()["skills"], json!([]));
}

#[tokio::test]
async fn who_did_not_declare_tasks_gets_none_whatever_the_server_says() {
    let able = able().over_http().await;
    let gate = Gate::of("able", &able).start().await.settled().await;
    let fault = gate.modern().await.call("able__work", json!({})).await.unwrap_err();
    assert_eq!(fault.code, -32603, "{fault:?}");
    assert!(fault.message.contains("`able` answered with a task"), "{fault:?}");
    let client = Client::of(gate.url(), Era::Modern);
    assert_eq!(text_of(&client.call("able__echo", json!({"text": "on"})).await.unwrap()), "on");
}
