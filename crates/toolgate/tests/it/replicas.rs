//! Several gateways behind a plain load balancer, which share nothing but a key: any of them answers any request.

use serde_json::{Value, json};
use toolgate_testkit::client::text_of;
use toolgate_testkit::{Balancer, Call, Client, Era, Gate, Script};

const QUESTION: &str =
    r#"{"message": "Really?", "requestedSchema": {"type": "object", "properties": {"sure": {"type": "boolean"}}}}"#;

/// A server that sells tickets and asks first whether it should. It keeps in `requestState` all that it must remember.
fn counter() -> Script {
    let ticket = json!({
        "name": "buy_ticket", "description": "Buys a train ticket.",
        "inputSchema": {"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]},
    });
    Script::modern().entry("tools", &ticket.to_string()).on("tools/call buy_ticket", async |call: Call| {
        match &call.params["inputResponses"]["sure"] {
            Value::Null => {
                let question: Value = serde_json::from_str(QUESTION).unwrap();
                let state = format!("to {}", call.argument("to"));
                call.answer(json!({
                    "resultType": "input_required", "requestState": state,
                    "inputRequests": {"sure": {"method": "elicitation/create", "params": question}},
                }));
            }
            answer => {
                let text = format!("{} {}", call.params["requestState"].as_str().unwrap(), answer["content"]["sure"]);
                call.text(&text);
            }
        }
    })
}

#[tokio::test]
async fn a_whole_task_wanders_over_replicas_that_share_nothing_but_a_key() {
    let upstream = counter().over_http().await;
    let config = "presentation: search\nkeys: [the key that all of these replicas have]";
    let replicas = [
        Gate::of("trains", &upstream).config(config).start().await.settled().await,
        Gate::of("trains", &upstream).config(config).start().await.settled().await,
        Gate::of("trains", &upstream).config(config).start().await.settled().await,
    ];
    let balancer = Balancer::over(&replicas.each_ref().map(Gate::url)).await;
    let client =
        Client::of(&balancer.url(), Era::Modern).without_keeping_connections().capabilities(json!({"elicitation": {}}));

    // Each request goes to another replica than the one before.
    let listed = client.tools().await;
    assert_eq!(listed, ["search_tools", "describe_tools", "call_tool"]);
    let found = client.call("search_tools", json!({"queries": ["buy a train ticket"]})).await.unwrap();
    let name = found["structuredContent"]["groups"][0]["tools"][0]["name"].clone();
    let described = client.call("describe_tools", json!({"names": [name]})).await.unwrap();
    assert_eq!(described["structuredContent"]["tools"][0]["inputSchema"]["required"], json!(["to"]));
    let mut call = json!({"name": "call_tool", "arguments": {"name": name, "arguments": {"to": "Oslo"}}});
    let asked = client.start("tools/call", call.clone()).await.outcome().await.unwrap();
    assert_eq!(asked["resultType"], "input_required");
    assert_eq!(asked["inputRequests"]["sure"]["params"]["message"], "Really?");
    call["requestState"] = asked["requestState"].clone();
    call["inputResponses"] = json!({"sure": {"action": "accept", "content": {"sure": true}}});
    let bought = client.start("tools/call", call).await.outcome().await.unwrap();
    assert_eq!(text_of(&bought), "to Oslo true");
    assert_eq!(balancer.served(), [2, 2, 1], "list, search, describe, call, answer");
}

#[tokio::test]
async fn replicas_find_and_say_the_same() {
    let upstream = counter().over_http().await;
    let other = Script::echo(Era::Legacy).over_http().await;
    let mut answers = Vec::new();
    for _ in 0..2 {
        let gate = Gate::of("trains", &upstream).and("old", &other).start().await.settled().await;
        let client = Client::of(gate.url(), Era::Modern).view("search");
        let list = client.request("tools/list", json!({})).await.unwrap();
        let about = client.request("server/discover", json!({})).await.unwrap();
        let found = client.call("search_tools", json!({"queries": ["ticket", "echo", "say"]})).await.unwrap();
        answers.push((list, about, found, client.text("search_tools", json!({})).await));
    }
    assert_eq!(answers[0], answers[1]);
}
