//! What one caller was given to keep, no other can use.
//!
//! Everybody at the port is one caller today. Another one is whom a replica vouches for, which a story can do that has the key.

use serde_json::{Value, json};
use toolgate_identity::vouch;
use toolgate_seal::Sealer;
use toolgate_testkit::{Call, Client, Era, Gate, Outcome, Script};

const KEY: &str = "a key that this story and its gateway have";
const TASKS: &str = "io.modelcontextprotocol/tasks";

/// What the gateway answers to the same request when it comes from this caller.
async fn from(caller: &str, client: &Client, method: &str, params: &Value) -> Outcome {
    let (_, request, message) = client.request_for(method, params.clone());
    let text = message.to_string();
    let word = vouch(&Sealer::new([KEY]).unwrap(), caller, text.as_bytes()).unwrap();
    let page = client.fetch(request.header("toolgate-vouch", word).body(text.into()).unwrap()).await;
    let answer = page.json();
    match answer["error"].is_null() {
        true => Ok(answer["result"].clone()),
        false => Err(toolgate_testkit::Fault {
            status: page.status,
            code: answer["error"]["code"].as_i64().unwrap(),
            message: answer["error"]["message"].as_str().unwrap().to_owned(),
            data: answer["error"]["data"].clone(),
        }),
    }
}

/// A server that asks once, and has as many tools as need two pages, one of which becomes a task.
fn server(era: Era) -> Script {
    let ask = move |call: Call| async move {
        let question = json!({"message": "?", "requestedSchema": {"type": "object"}});
        match era {
            Era::Legacy => {
                call.ask("elicitation/create", question).await;
                call.text("thanks");
            }
            Era::Modern if call.params["requestState"].is_null() => call.answer(json!({
                "resultType": "input_required", "requestState": "s",
                "inputRequests": {"q1": {"method": "elicitation/create", "params": question}},
            })),
            Era::Modern => call.text("thanks"),
        }
    };
    let script = (0..1500).fold(Script::new(era), |script, nth| {
        script.entry("tools", &json!({"name": format!("t{nth}"), "inputSchema": {}}).to_string())
    });
    let task = || {
        json!({
            "taskId": "t", "status": "working", "ttlMs": null, "pollIntervalMs": 20,
            "createdAt": "2026-07-28T00:00:00Z", "lastUpdatedAt": "2026-07-28T00:00:00Z",
        })
    };
    script
        .capabilities(json!({"tools": {"listChanged": true}, "extensions": {TASKS: {}}}))
        .tool("ask", ask)
        .quick_tool("work", move |call: Call| {
            let mut created = task();
            created["resultType"] = "task".into();
            call.answer(created);
        })
        .on("tasks/get", move |call: Call| async move { call.answer(task()) })
        .on("tasks/cancel", async |call: Call| call.answer(json!({})))
}

#[tokio::test]
async fn a_question_a_task_and_a_place_in_a_list_are_their_callers_own() {
    for era in Era::BOTH {
        let upstream = server(era).over_http().await;
        let config = format!("presentation: direct\nkeys: [{KEY}]\nreplica: {{url: \"http://127.0.0.1:9\"}}");
        let gate = Gate::of("up", &upstream).config(&config).start().await.settled().await;
        let client =
            Client::of(gate.url(), Era::Modern).capabilities(json!({"elicitation": {}, "extensions": {TASKS: {}}}));

        let first = client.start("tools/list", json!({})).await.outcome().await.unwrap();
        let rest = json!({"cursor": first["nextCursor"]});
        let fault = from("bob", &client, "tools/list", &rest).await.unwrap_err();
        assert_eq!((fault.status, fault.code), (200, -32602), "{fault:?}");
        assert!(fault.message.contains("belongs to another list or caller"), "{fault:?}");
        assert!(from("anonymous", &client, "tools/list", &rest).await.is_ok());

        let asked = client.start_call("up__ask", json!({})).await.outcome().await.unwrap();
        let answered = json!({
            "name": "up__ask", "arguments": {}, "requestState": asked["requestState"],
            "inputResponses": {"q1": {"action": "decline"}},
        });
        let fault = from("bob", &client, "tools/call", &answered).await.unwrap_err();
        assert_eq!((fault.status, fault.code), (200, -32602), "{fault:?}");
        assert!(fault.message.starts_with("invalid `requestState`"), "{fault:?}");
        let thanks = from("anonymous", &client, "tools/call", &answered).await.unwrap();
        assert_eq!(thanks["content"][0]["text"], "thanks", "the attempt took nothing away");
        if era == Era::Legacy {
            continue;
        }

        let task = client.start_call("up__work", json!({})).await.outcome().await.unwrap();
        let named = json!({"taskId": task["taskId"]});
        for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
            let fault = from("bob", &client, method, &named).await.unwrap_err();
            assert_eq!((fault.status, fault.code), (200, -32602), "{method}: {fault:?}");
            assert!(fault.message.starts_with("unknown task"), "{method}: {fault:?}");
        }
        assert_eq!(from("anonymous", &client, "tasks/get", &named).await.unwrap()["status"], "working");
        assert_eq!(upstream.count("tasks/get") + upstream.count("tasks/cancel"), 1);
    }
}
