//! Calls that become tasks: under sealed ids for modern clients, on any replica; seen through by the gateway for legacy ones.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use serde_json::{Value, json};
use toolgate_testkit::client::text_of;
use toolgate_testkit::{Answer, Call, Client, Era, Exchange, Gate, Script, Way};

const TASKS: &str = "io.modelcontextprotocol/tasks";
const RESULT: &str =
    r#"{"resultType":"complete","content":[{"type":"text","text":"baked"}],"structuredContent":{"loaves":2.0}}"#;

fn declared() -> Value {
    json!({"elicitation": {}, "extensions": {TASKS: {}}})
}

/// A baker: each loaf is a task that works once, asks once, and is done once it was answered.
fn baker() -> Script {
    let asked = Arc::new(AtomicU64::new(0));
    let looks = asked.clone();
    let state = |status: &str| {
        json!({
            "taskId": "oven 1", "status": status, "statusMessage": format!("now {status}"),
            "createdAt": "2026-07-28T00:00:00Z", "lastUpdatedAt": "2026-07-28T00:00:00Z", "ttlMs": 60_000, "pollIntervalMs": 20,
        })
    };
    Script::modern()
        .capabilities(json!({"tools": {"listChanged": true}, "extensions": {TASKS: {}}}))
        .entry("tools", r#"{"name":"bake","inputSchema":{"type":"object"}}"#)
        .on("tools/call bake", move |call: Call| {
            let task = state("working");
            async move {
                let capabilities = &call.params["_meta"]["io.modelcontextprotocol/clientCapabilities"];
                assert!(!capabilities["extensions"][TASKS].is_null(), "the client can do tasks: {capabilities}");
                let mut task = task;
                task["resultType"] = "task".into();
                call.answer(task);
            }
        })
        .on("tasks/get", move |call: Call| {
            let looks = looks.clone();
            async move {
                if call.params["taskId"] != "oven 1" {
                    return call.fail(-32602, "unknown task");
                }
                let mut task = match looks.load(Ordering::SeqCst) {
                    0 => state("working"),
                    1 => state("input_required"),
                    _ => state("completed"),
                };
                if task["status"] == "input_required" {
                    let schema = json!({"type": "object", "properties": {"crust": {"type": "string"}}});
                    let question = json!({"message": "Which crust?", "requestedSchema": schema});
                    task["inputRequests"] = json!({"crust": {"method": "elicitation/create", "params": question}});
                }
                if task["status"] == "completed" {
                    task["result"] = serde_json::from_str(RESULT).unwrap();
                }
                looks.fetch_max(1, Ordering::SeqCst);
                call.answer(task);
            }
        })
        .on("tasks/update", move |call: Call| {
            let asked = asked.clone();
            async move {
                assert_eq!(call.params["inputResponses"]["crust"]["content"]["crust"], "thick");
                asked.store(2, Ordering::SeqCst);
                call.answer(json!({}));
            }
        })
        .on("tasks/cancel", async |call: Call| call.answer(json!({})))
}

async fn status(client: &Client, id: &Value) -> Value {
    client.request("tasks/get", json!({"taskId": id})).await.unwrap()
}

#[tokio::test]
async fn a_modern_client_follows_its_task_under_an_id_of_its_own() {
    for way in [Way::Http, Way::Stdio] {
        let upstream = baker().over(way).await;
        let gate = Gate::of("bakery", &upstream).start().await.settled().await;
        let client = Client::of(gate.url(), Era::Modern).capabilities(declared());
        let about = client.request("server/discover", json!({})).await.unwrap();
        assert!(!about["capabilities"]["extensions"][TASKS].is_null(), "{about}");
        let task = client.start("tools/call", json!({"name": "bakery__bake", "arguments": {}})).await.outcome().await;
        let task = task.unwrap();
        assert_eq!((&task["resultType"], &task["status"]), (&json!("task"), &json!("working")));
        let id = task["taskId"].clone();
        assert!(id.as_str().unwrap().starts_with("bakery.") && !id.as_str().unwrap().contains("oven"), "{id}");
        assert_eq!(status(&client, &id).await["status"], "working");
        let asking = status(&client, &id).await;
        assert_eq!((&asking["status"], &asking["taskId"]), (&json!("input_required"), &id));
        assert_eq!(asking["inputRequests"]["crust"]["params"]["message"], "Which crust?");
        let answers = json!({"crust": {"action": "accept", "content": {"crust": "thick"}}});
        client.request("tasks/update", json!({"taskId": id, "inputResponses": answers})).await.unwrap();
        let done = status(&client, &id).await;
        assert_eq!(done["result"], serde_json::from_str::<Value>(RESULT).unwrap());
        client.request("tasks/cancel", json!({"taskId": id})).await.unwrap();
        assert_eq!(upstream.heard("tasks/cancel").await.params["taskId"], "oven 1");
    }
}

#[tokio::test]
async fn a_task_can_be_followed_at_another_replica_and_after_a_restart() {
    let upstream = baker().over_http().await;
    let config = "keys: [the key that all of these replicas have]";
    let begin = Gate::of("bakery", &upstream).config(config).start().await.settled().await;
    let client = Client::of(begin.url(), Era::Modern).capabilities(declared());
    let task = client.call("bakery__bake", json!({})).await.unwrap();
    begin.stop().await;
    let other = Gate::of("bakery", &upstream).config(config).start().await.settled().await;
    let client = Client::of(other.url(), Era::Modern).capabilities(declared());
    assert_eq!(status(&client, &task["taskId"]).await["status"], "working");
}

#[tokio::test]
async fn an_id_that_was_not_given_out_is_no_task() {
    let upstream = baker().over_http().await;
    let gate = Gate::of("bakery", &upstream).and("other", &upstream).start().await.settled().await;
    let client = Client::of(gate.url(), Era::Modern).capabilities(declared());
    let task = client.call("bakery__bake", json!({})).await.unwrap();
    let id = task["taskId"].as_str().unwrap();
    let sealed = id.strip_prefix("bakery.").unwrap();
    let mut changed = id.to_owned();
    changed.replace_range(id.len() - 1.., if id.ends_with('A') { "B" } else { "A" });
    for foreign in
        [json!("oven 1"), json!(format!("other.{sealed}")), json!(changed), json!(sealed), json!(7), Value::Null]
    {
        for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
            let fault = client.request(method, json!({"taskId": foreign})).await.unwrap_err();
            assert_eq!(fault.code, -32602, "{method} {foreign}: {fault:?}");
        }
    }
    let plain = Client::of(gate.url(), Era::Modern);
    let fault = plain.request("tasks/get", json!({"taskId": id})).await.unwrap_err();
    assert_eq!((fault.code, &fault.data["requiredCapabilities"]["extensions"][TASKS]), (-32021, &json!({})));
    assert_eq!(upstream.count("tasks/get") + upstream.count("tasks/cancel"), 0);
}

#[tokio::test]
async fn a_legacy_client_gets_the_result_and_is_asked_on_the_way() {
    let upstream = baker().over_http().await;
    let gate = Gate::of("bakery", &upstream).start().await.settled().await;
    let answer = json!({"action": "accept", "content": {"crust": "thick"}});
    let client = Client::of(gate.url(), Era::Legacy)
        .can("elicitation", "elicitation/create", Answer::Result(answer))
        .open()
        .await;
    let call = json!({"name": "bakery__bake", "arguments": {}, "_meta": {"progressToken": "p"}});
    let mut exchange = client.start("tools/call", call).await;
    let mut said = Vec::new();
    let result = loop {
        let message = exchange.expect_next().await;
        match message["method"].as_str() {
            Some("notifications/progress") => said.push(message["params"]["message"].as_str().unwrap().to_owned()),
            Some(_) => client.answer(&message).await,
            None => break exchange.finish(message).await.unwrap(),
        }
    };
    assert_eq!((text_of(&result), &result["structuredContent"]), ("baked".into(), &json!({"loaves": 2.0})));
    assert_eq!(said, ["now working", "now input_required", "now completed"]);
    for method in ["tasks/get", "tasks/list", "tasks/result"] {
        assert_eq!(client.request(method, json!({"taskId": "x"})).await.unwrap_err().code, -32601);
    }
}

#[tokio::test]
async fn a_legacy_client_that_cancels_cancels_the_task() {
    let forever = json!({
        "resultType": "task", "taskId": "t", "status": "working", "createdAt": "2026-07-28T00:00:00Z",
        "lastUpdatedAt": "2026-07-28T00:00:00Z", "ttlMs": null, "pollIntervalMs": 20,
    });
    let state = forever.clone();
    let upstream = Script::modern()
        .capabilities(json!({"tools": {}, "extensions": {TASKS: {}}}))
        .entry("tools", r#"{"name":"wait","inputSchema":{"type":"object"}}"#)
        .on("tools/call wait", move |call: Call| {
            let task = forever.clone();
            async move { call.answer(task) }
        })
        .on("tasks/get", move |call: Call| {
            let mut state = state.clone();
            state["resultType"] = "complete".into();
            async move { call.answer(state) }
        })
        .on("tasks/cancel", async |call: Call| call.answer(json!({})))
        .over_http()
        .await;
    let gate = Gate::of("up", &upstream).start().await.settled().await;
    let client = gate.legacy().await;
    let (id, request, message) = client.request_for("tools/call", json!({"name": "up__wait", "arguments": {}}));
    let request = request.body(http_body_util::Full::from(message.to_string())).unwrap();
    let cancelled = async {
        upstream.heard("tasks/get").await;
        client.notify("notifications/cancelled", json!({"requestId": id})).await;
    };
    let (page, ()) = tokio::join!(client.fetch(request), cancelled);
    assert_eq!(page.status, 202, "nothing is said of it any more");
    assert_eq!(upstream.heard("tasks/cancel").await.params["taskId"], "t");
}

/// A legacy server whose tool runs as a task only, and asks on the way.
fn researcher() -> Script {
    let state = |status: &str| json!({"taskId": "r1", "status": status, "createdAt": "2025-11-25T00:00:00Z", "ttl": 60_000, "pollInterval": 20});
    let looks = Arc::new(AtomicU64::new(0));
    let topic = Arc::new(OnceLock::new());
    let known = topic.clone();
    Script::legacy()
        .capabilities(json!({"tools": {}, "tasks": {"requests": {"tools": {"call": {}}}}}))
        .entry("tools", r#"{"name":"research","inputSchema":{"type":"object"},"execution":{"taskSupport":"required"}}"#)
        .on("tools/call research", move |call: Call| async move {
            if call.params["task"].is_null() {
                return call.fail(-32601, "this tool runs as a task only");
            }
            call.answer(json!({"task": state("working")}));
        })
        .on("tasks/get", move |call: Call| {
            let status = match looks.fetch_add(1, Ordering::SeqCst) {
                0 => "working",
                _ if known.get().is_some() => "completed",
                _ => "input_required",
            };
            async move {
                assert_eq!(call.params["taskId"], "r1");
                let state = state(status);
                call.answer(state);
            }
        })
        .on("tasks/result", move |call: Call| {
            let topic = topic.clone();
            async move {
                if topic.get().is_none() {
                    let schema = json!({"type": "object", "properties": {"topic": {"type": "string"}}});
                    let question = json!({"message": "Which topic?", "requestedSchema": schema});
                    let answer = call.ask("elicitation/create", question).await;
                    let _ = topic.set(answer["result"]["content"]["topic"].as_str().unwrap_or("nothing").to_owned());
                }
                call.text(&format!("all about {}", topic.get().unwrap()));
            }
        })
        .on("tasks/cancel", async |call: Call| call.answer(json!({})))
}

#[tokio::test]
async fn a_legacy_tool_that_runs_as_a_task_only_is_a_tool_like_any_other() {
    for way in [Way::Stdio, Way::Http] {
        for era in Era::BOTH {
            let upstream = researcher().over(way).await;
            let gate = Gate::of("lab", &upstream).start().await.settled().await;
            let answer = json!({"action": "accept", "content": {"topic": "moss"}});
            let client = Client::of(gate.url(), era)
                .can("elicitation", "elicitation/create", Answer::Result(answer))
                .open()
                .await;
            let listed = client.list("tools").await;
            assert_eq!(
                (&listed[0]["name"], &listed[0]["execution"]),
                (&json!("lab__research"), &json!({"taskSupport": "optional"}))
            );
            assert_eq!(client.text("lab__research", json!({})).await, "all about moss", "{way:?} {era:?}");
            assert_eq!(upstream.count("tools/call research"), 1);
            assert_eq!(upstream.count("tasks/cancel"), 0);
        }
    }
}

/// Listens to tasks; gives the stream and what was agreed on.
async fn listen(client: &Client, ids: Value) -> (Exchange, Value) {
    let wanted = json!({"notifications": {"taskIds": ids}});
    let mut exchange = client.start("subscriptions/listen", wanted).await;
    let mut acknowledged = exchange.expect_next().await;
    assert_eq!(acknowledged["method"], "notifications/subscriptions/acknowledged");
    (exchange, acknowledged["params"]["notifications"].take())
}

#[tokio::test]
async fn who_listens_to_a_task_is_told_what_becomes_of_it() {
    for way in [Way::Http, Way::Stdio] {
        let upstream = baker().over(way).await;
        let gate = Gate::of("bakery", &upstream).start().await.settled().await;
        let client = Client::of(gate.url(), Era::Modern).capabilities(declared());
        let id = client.call("bakery__bake", json!({})).await.unwrap()["taskId"].clone();
        let (mut exchange, agreed) = listen(&client, json!([id, "made up", id])).await;
        assert_eq!(agreed, json!({"taskIds": [id]}), "what is no task is left out");
        let mut told = async || exchange.notification("notifications/tasks").await["params"].take();
        let working = told().await;
        assert_eq!((&working["status"], &working["taskId"]), (&json!("working"), &id));
        assert!(working["_meta"]["io.modelcontextprotocol/subscriptionId"].is_number(), "{working}");
        let asking = told().await;
        assert_eq!((&asking["status"], &asking["taskId"]), (&json!("input_required"), &id));
        // Looked at more often, it is told once.
        upstream.heard_times("tasks/get", 6).await;
        assert_eq!(asking["inputRequests"]["crust"]["params"]["message"], "Which crust?");
        let answers = json!({"crust": {"action": "accept", "content": {"crust": "thick"}}});
        client.request("tasks/update", json!({"taskId": id, "inputResponses": answers})).await.unwrap();
        let done = told().await;
        assert_eq!((&done["status"], &done["resultType"]), (&json!("completed"), &Value::Null));
        assert_eq!(done["result"], serde_json::from_str::<Value>(RESULT).unwrap());

        // One that has ended is told once.
        let (mut late, _) = listen(&client, json!([id])).await;
        assert_eq!(late.notification("notifications/tasks").await["params"]["status"], "completed");
        gate.gateway().close_listens();
        assert_eq!(late.outcome().await.unwrap()["resultType"], "complete");
    }
}

#[tokio::test]
async fn what_is_no_task_of_the_client_cannot_be_listened_to() {
    let upstream = baker().over_http().await;
    let gate = Gate::of("bakery", &upstream).start().await.settled().await;
    let client = Client::of(gate.url(), Era::Modern).capabilities(declared());
    for (ids, words) in [
        (json!("one"), "must be a list of ids of tasks"),
        (json!([7]), "must be a list of ids of tasks"),
        (
            json!((0..101).map(|nth| nth.to_string()).collect::<Vec<_>>()),
            "at most 100 tasks can be listened to at once",
        ),
    ] {
        let wanted = json!({"notifications": {"taskIds": ids}});
        let fault = client.request("subscriptions/listen", wanted).await.unwrap_err();
        assert_eq!((fault.status, fault.code), (200, -32602), "{fault:?}");
        assert!(fault.message.contains(words), "{fault:?}");
    }
    let (_, agreed) = listen(&client, json!(["bakery.oven 1", "oven 1", ""])).await;
    assert_eq!(agreed, json!({}));
    let wanted = json!({"notifications": {"taskIds": ["x"]}});
    let fault = Client::of(gate.url(), Era::Modern).request("subscriptions/listen", wanted).await.unwrap_err();
    assert_eq!((fault.status, fault.code), (400, -32021), "{fault:?}");
    assert_eq!(fault.data["requiredCapabilities"]["extensions"][TASKS], json!({}));
    assert_eq!(upstream.count("tasks/get"), 0);
}

/// A server whose task is always at work; from the third look on it takes its time.
fn thinker() -> Script {
    let task = || {
        json!({
            "taskId": "t", "status": "working", "createdAt": "2026-07-28T00:00:00Z",
            "lastUpdatedAt": "2026-07-28T00:00:00Z", "ttlMs": null, "pollIntervalMs": 20,
        })
    };
    let looks = Arc::new(AtomicU64::new(0));
    Script::modern()
        .capabilities(json!({"tools": {}, "extensions": {TASKS: {}}}))
        .tool("think", move |call: Call| async move {
            let mut created = task();
            created["resultType"] = "task".into();
            call.answer(created);
        })
        .on("tasks/get", move |call: Call| {
            let look = looks.fetch_add(1, Ordering::SeqCst);
            async move {
                let mut task = task();
                task["statusMessage"] = look.to_string().into();
                match look {
                    2 => call.hang().await,
                    _ => call.answer(task),
                }
            }
        })
}

#[tokio::test]
async fn nobody_looks_at_a_task_once_its_listener_has_left() {
    let upstream = thinker().over_http().await;
    let gate = Gate::of("up", &upstream).start().await.settled().await;
    let client = Client::of(gate.url(), Era::Modern).capabilities(declared());
    let id = client.call("up__think", json!({})).await.unwrap()["taskId"].clone();
    let (exchange, _) = listen(&client, json!([id])).await;
    let third = upstream.heard_times("tasks/get", 3).await;
    drop(exchange);
    upstream.gave_up(&third.id).await;
    assert_eq!(upstream.count("tasks/get"), 3);
}

#[tokio::test]
async fn a_task_is_told_of_again_when_its_server_is_back() {
    let upstream = thinker().over_http().await;
    let gate = Gate::of("up", &upstream).config("restart: {first_wait: 10ms}").start().await.settled().await;
    let client = Client::of(gate.url(), Era::Modern).capabilities(declared());
    let id = client.call("up__think", json!({})).await.unwrap()["taskId"].clone();
    let (mut exchange, _) = listen(&client, json!([id])).await;
    let mut told = async || exchange.notification("notifications/tasks").await["params"]["statusMessage"].take();
    assert_eq!((told().await, told().await), (json!("0"), json!("1")));
    // The third look never gets an answer: the server ends in the middle of it.
    upstream.heard_times("tasks/get", 3).await;
    upstream.go_down().await;
    upstream.come_up().await;
    assert_ne!(told().await, json!("2"));
}
