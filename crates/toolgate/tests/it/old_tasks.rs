//! Tasks of 2025-11-25: a legacy client asks for one and follows it under an id of its own; for any other client of such a tool
//! the eras are composed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use toolgate_testkit::client::text_of;
use toolgate_testkit::{Answer, Call, Client, Era, Gate, Script, Way};

const TASKS: &str = "io.modelcontextprotocol/tasks";
const RELATED: &str = "io.modelcontextprotocol/related-task";

/// How far the task of [`lab`] is.
const WORKING: u64 = 0;
const ASKING: u64 = 1;
const DONE: u64 = 2;
const CANCELLED: u64 = 3;

fn state(at: u64) -> Value {
    let status = ["working", "input_required", "completed", "cancelled"][usize::try_from(at).unwrap()];
    json!({
        "taskId": "r 1", "status": status, "statusMessage": format!("now {status}"), "createdAt": "2025-11-25T00:00:00Z",
        "lastUpdatedAt": "2025-11-25T00:00:01Z", "ttl": 60_000, "pollInterval": 20,
    })
}

/// A legacy server with a tool that only runs as a task, and asks two things on the way, and one that may.
fn lab() -> Script {
    let at = Arc::new(AtomicU64::new(WORKING));
    let (looked, fetched, cancelled) = (at.clone(), at.clone(), at.clone());
    let begin = move |call: Call| {
        let at = at.clone();
        async move {
            if call.params["task"].is_null() {
                return match call.params["name"] == "research" {
                    true => call.fail(-32601, "this tool runs as a task only"),
                    false => call.text("at once"),
                };
            }
            at.store(WORKING, Ordering::SeqCst);
            call.answer(json!({"task": state(WORKING)}));
        }
    };
    let tool = |name: &str, support: &str| {
        json!({"name": name, "inputSchema": {"type": "object"}, "execution": {"taskSupport": support}}).to_string()
    };
    Script::legacy()
        .capabilities(json!({"tools": {}, "tasks": {"list": {}, "cancel": {}, "requests": {"tools": {"call": {}}}}}))
        .entry("tools", &tool("research", "required"))
        .entry("tools", &tool("either", "optional"))
        .entry("tools", &tool("never", "forbidden"))
        .on("tools/call research", begin.clone())
        .on("tools/call either", begin)
        .on("tasks/get", move |call: Call| {
            // It works when it is looked at first, and asks from then on.
            let now = looked.load(Ordering::SeqCst);
            let _ = looked.compare_exchange(WORKING, ASKING, Ordering::SeqCst, Ordering::SeqCst);
            async move {
                match call.params["taskId"] == "r 1" {
                    true => call.answer(state(now)),
                    false => call.fail(-32602, "no such task"),
                }
            }
        })
        .on("tasks/result", move |call: Call| {
            let at = fetched.clone();
            async move {
                let related = json!({RELATED: {"taskId": "r 1"}});
                if at.load(Ordering::SeqCst) == ASKING {
                    for what in ["topic", "depth"] {
                        let question =
                            json!({"message": what, "requestedSchema": {"type": "object"}, "_meta": related});
                        let answer = call.ask("elicitation/create", question).await;
                        assert_eq!(answer["result"]["content"]["about"], what, "{answer}");
                    }
                    at.store(DONE, Ordering::SeqCst);
                }
                call.answer(json!({"content": [{"type": "text", "text": "all about it"}], "_meta": related}));
            }
        })
        .on("tasks/cancel", move |call: Call| {
            let before = cancelled.swap(CANCELLED, Ordering::SeqCst);
            async move {
                match before {
                    CANCELLED => call.fail(-32602, "it has ended"),
                    _ => call.answer(state(CANCELLED)),
                }
            }
        })
}

async fn client(gate: &Gate, era: Era) -> Client {
    Client::of(gate.url(), era)
        .can("elicitation", "elicitation/create", Answer::Refuse(-1, "asked for nothing"))
        .open()
        .await
}

fn answered(question: &Value) -> Value {
    json!({"action": "accept", "content": {"about": question["params"]["message"]}})
}

#[tokio::test]
async fn a_legacy_client_asks_for_a_task_and_follows_it() {
    for way in [Way::Stdio, Way::Http] {
        let upstream = lab().over(way).await;
        let gate = Gate::of("lab", &upstream).start().await.settled().await;
        let client = client(&gate, Era::Legacy).await;
        let listed = client.list("tools").await;
        let support: Vec<&Value> = listed.iter().map(|tool| &tool["execution"]["taskSupport"]).collect();
        assert_eq!(support, ["optional", "optional", "forbidden"], "the gateway calls it either way");

        for tool in ["lab__research", "lab__either"] {
            let call = json!({"name": tool, "arguments": {"a": 1}, "task": {"ttl": 5000}});
            let created = client.request("tools/call", call).await.unwrap();
            let task = &created["task"];
            assert_eq!(upstream.asked().last().unwrap().params["task"], json!({"ttl": 5000}));
            assert_eq!((created.as_object().unwrap().len(), &task["status"]), (1, &json!("working")), "{created}");
            assert_eq!((&task["ttl"], &task["pollInterval"]), (&json!(60_000), &json!(20)));
            let id = &task["taskId"];
            assert!(id.as_str().unwrap().starts_with("lab.") && !id.as_str().unwrap().contains("r 1"), "{id}");

            let named = json!({"taskId": id});
            let looked = client.request("tasks/get", named.clone()).await.unwrap();
            assert_eq!((&looked["taskId"], &looked["status"], &looked["_meta"]), (id, &json!("working"), &Value::Null));
            let asking = client.request("tasks/get", named.clone()).await.unwrap();
            assert_eq!((&asking["status"], &asking["inputRequests"]), (&json!("input_required"), &Value::Null));
            let all = client.request("tasks/list", json!({})).await.unwrap();
            assert!(all["tasks"].as_array().unwrap().iter().any(|one| one["taskId"] == *id), "{all}");

            // It is asked on the stream of whoever waits for the result, in two rounds, and each thing once.
            let mut exchange = client.start("tasks/result", named.clone()).await;
            for what in ["topic", "depth"] {
                let question = exchange.expect_next().await;
                assert_eq!(
                    (&question["method"], &question["params"]["message"]),
                    (&json!("elicitation/create"), &json!(what))
                );
                assert_eq!(question["params"]["_meta"], json!({RELATED: {"taskId": id}}));
                let answer = json!({"jsonrpc": "2.0", "id": question["id"], "result": answered(&question)});
                client.post_only(&answer).await;
            }
            let result = exchange.outcome().await.unwrap();
            let expected = json!({
                "content": [{"type": "text", "text": "all about it"}], "_meta": {RELATED: {"taskId": id}},
            });
            assert_eq!(result, expected);
            assert_eq!(client.request("tasks/get", named.clone()).await.unwrap()["status"], "completed");
            assert_eq!(client.request("tasks/result", named).await.unwrap(), expected, "and again");
        }
        assert_eq!(upstream.count("tools/call"), 2);
    }
}

#[tokio::test]
async fn a_task_that_is_cancelled_or_unknown_says_so() {
    let upstream = lab().over_http().await;
    let gate = Gate::of("lab", &upstream).start().await.settled().await;
    let client = client(&gate, Era::Legacy).await;
    let call = json!({"name": "lab__either", "arguments": {}, "task": {}});
    let id = client.request("tools/call", call).await.unwrap()["task"]["taskId"].clone();
    let cancelled = client.request("tasks/cancel", json!({"taskId": id})).await.unwrap();
    assert_eq!((&cancelled["status"], &cancelled["taskId"]), (&json!("cancelled"), &id));
    let fault = client.request("tasks/cancel", json!({"taskId": id})).await.unwrap_err();
    assert_eq!((fault.code, fault.message.as_str()), (-32602, "it has ended"));
    for method in ["tasks/get", "tasks/result", "tasks/cancel"] {
        for id in [json!("r 1"), json!("lab.r 1"), Value::Null] {
            assert_eq!(client.request(method, json!({"taskId": id})).await.unwrap_err().code, -32602, "{method} {id}");
        }
    }
    // Nobody else's are listed, and they are of no use elsewhere.
    let other = gate.legacy().await;
    assert_eq!(other.request("tasks/list", json!({})).await.unwrap(), json!({"tasks": []}));
}

#[tokio::test]
async fn tasks_are_promised_where_some_tool_runs_as_one() {
    let (lab, plain) = (lab().over_http().await, Script::echo(Era::Legacy).over_http().await);
    let gate = Gate::of("plain", &plain).and("lab", &lab).start().await.settled().await;
    let none = Gate::of("plain", &plain).start().await.settled().await;
    let greet = async |gate: &Gate, revision: &str| {
        let hello =
            json!({"protocolVersion": revision, "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}});
        let visitor = Client::of(gate.url(), Era::Legacy);
        visitor.request("initialize", hello).await.unwrap()["capabilities"]["tasks"].clone()
    };
    let all = json!({"list": {}, "cancel": {}, "requests": {"tools": {"call": {}}}});
    assert_eq!(greet(&gate, "2025-11-25").await, all);
    assert_eq!(greet(&gate, "2025-06-18").await, Value::Null, "that revision has none");
    assert_eq!(greet(&none, "2025-11-25").await, Value::Null);

    let client = gate.legacy().await;
    for (tool, name) in [("plain__echo", "echo"), ("lab__never", "never")] {
        let call = json!({"name": tool, "arguments": {}, "task": {}});
        let fault = client.request("tools/call", call).await.unwrap_err();
        assert_eq!((fault.code, fault.message), (-32601, format!("this tool does not run as a task: {name}")));
    }
    assert_eq!(client.text("lab__either", json!({})).await, "at once");
    let old = none.legacy().await;
    assert_eq!(old.request("tasks/list", json!({})).await.unwrap_err().code, -32601);
    // Where none are promised, the wish for one counts for nothing.
    let call = json!({"name": "plain__echo", "arguments": {"text": "x"}, "task": {}});
    assert_eq!(text_of(&old.request("tools/call", call).await.unwrap()), "x");
}

#[tokio::test]
async fn a_modern_client_that_declares_tasks_gets_those_of_a_legacy_server() {
    for way in [Way::Stdio, Way::Http] {
        let upstream = lab().over(way).await;
        let gate = Gate::of("lab", &upstream).start().await.settled().await;
        let client =
            Client::of(gate.url(), Era::Modern).capabilities(json!({"elicitation": {}, "extensions": {TASKS: {}}}));
        let about = client.request("server/discover", json!({})).await.unwrap();
        assert_eq!(
            (&about["capabilities"]["extensions"], &about["capabilities"]["tasks"]),
            (&json!({TASKS: {}}), &Value::Null)
        );
        let task = client.call("lab__research", json!({})).await.unwrap();
        assert_eq!(
            (&task["resultType"], &task["status"], &task["ttlMs"]),
            (&json!("task"), &json!("working"), &json!(60_000))
        );
        let named = json!({"taskId": task["taskId"]});
        let look = async || client.request("tasks/get", named.clone()).await.unwrap();
        assert_eq!(look().await["status"], "working");
        let mut keys = Vec::new();
        for what in ["topic", "depth"] {
            let asking = loop {
                let state = look().await;
                if state["status"] != "working" {
                    break state;
                }
            };
            assert_eq!((&asking["status"], &asking["taskId"]), (&json!("input_required"), &named["taskId"]));
            let (key, question) = asking["inputRequests"].as_object().unwrap().iter().next().unwrap();
            assert_eq!((&question["params"]["message"], &question["params"]["_meta"]), (&json!(what), &Value::Null));
            assert_eq!(look().await["inputRequests"], asking["inputRequests"], "until it is answered");
            for answers in [
                json!({}),
                json!({"q1": answered(question)}),
                json!({(key.as_str()): 7}),
                json!({(key.as_str()): answered(question)}),
            ] {
                let update = json!({"taskId": named["taskId"], "inputResponses": answers});
                client.request("tasks/update", update).await.unwrap();
            }
            keys.push(key.clone());
        }
        assert_ne!(keys[0], keys[1]);
        let done = loop {
            let state = look().await;
            if state["status"] != "working" {
                break state;
            }
        };
        assert_eq!((&done["status"], &done["result"]["_meta"]), (&json!("completed"), &Value::Null), "{done}");
        assert_eq!(text_of(&done["result"]), "all about it");

        // It runs at once where it can, and for a client that knows no tasks it is seen through.
        assert_eq!(client.text("lab__either", json!({})).await, "at once");
        let plain = Client::of(gate.url(), Era::Modern);
        assert!(plain.start_call("lab__either", json!({"task": {}})).await.outcome().await.is_ok());
    }
}

#[tokio::test]
async fn where_each_call_has_its_own_process_a_task_is_waited_for_and_its_end_is_kept() {
    let quick = json!({"taskId": "q", "status": "completed", "createdAt": "2025-11-25T00:00:00Z", "ttl": null, "pollInterval": 20});
    let script = Script::legacy()
        .capabilities(json!({"tools": {}, "tasks": {"requests": {"tools": {"call": {}}}}}))
        .entry("tools", r#"{"name":"run","inputSchema":{"type":"object"},"execution":{"taskSupport":"optional"}}"#)
        .on("tools/call run", move |call: Call| {
            let quick = quick.clone();
            async move { call.answer(json!({"task": quick})) }
        })
        .on("tasks/result", async |call: Call| call.text("run"));
    let upstream = script.over_stdio().await;
    let gate = Gate::of("up", &upstream).with("isolation", "call").start().await.settled().await;
    let client = client(&gate, Era::Legacy).await;
    for _ in 0..20 {
        let call = json!({"name": "up__run", "arguments": {}, "task": {}});
        let task = client.request("tools/call", call).await.unwrap()["task"].clone();
        assert_eq!(task["status"], "completed", "{task}");
        let named = json!({"taskId": task["taskId"]});
        assert_eq!(client.request("tasks/get", named.clone()).await.unwrap(), task);
        assert_eq!(text_of(&client.request("tasks/result", named.clone()).await.unwrap()), "run");
        assert_eq!(client.request("tasks/cancel", named).await.unwrap_err().code, -32602);
    }
    let all = client.request("tasks/list", json!({})).await.unwrap();
    assert_eq!(all["tasks"].as_array().unwrap().len(), 16, "the last of them");
}
