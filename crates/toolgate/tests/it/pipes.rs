//! Clients on one pipe: `toolgate stdio`, and HTTP with SSE. The same stories hold for both, in both eras.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Notify;
use toolgate_testkit::client::text_of;
use toolgate_testkit::{Call, Era, Gate, LineClient, Program, Script};

const TOOLGATE: &str = env!("CARGO_BIN_EXE_toolgate");

/// Tells the story to a client of each era on each kind of pipe.
async fn on_every_pipe(
    script: impl Fn() -> Script,
    story: impl AsyncFn(&mut LineClient, Era, &toolgate_testkit::Upstream),
) {
    for era in Era::BOTH {
        let upstream = script().over_http().await;
        let mut program = Program::start(TOOLGATE, "stdio", &Gate::of("up", &upstream));
        let mut client = program.client(era).open().await;
        story(&mut client, era, &upstream).await;
        client.close().await;
        assert!(program.ended().await.success());

        let upstream = script().over_http().await;
        let gate = Gate::of("up", &upstream).start().await;
        story(&mut LineClient::over_sse(gate.url(), era).await.open().await, era, &upstream).await;
    }
}

async fn echoes(client: &mut LineClient, text: &str) {
    let result = client.call("up__echo", json!({"text": text})).await.unwrap();
    assert_eq!(text_of(&result), text);
}

#[tokio::test]
async fn tools_are_listed_and_called() {
    on_every_pipe(
        || Script::echo(Era::Modern),
        async |client, era, _| {
            let list = client.request("tools/list", json!({})).await.unwrap();
            assert_eq!(list["tools"][0]["name"], "up__echo");
            assert_eq!(list["resultType"].is_null(), era == Era::Legacy);
            echoes(client, "hello").await;
        },
    )
    .await;
}

#[tokio::test]
async fn a_slow_call_delays_no_other() {
    let release = Arc::new(Notify::new());
    let script = || {
        let released = release.clone();
        Script::echo(Era::Legacy).tool("slow", move |call: Call| {
            let released = released.clone();
            async move {
                released.notified().await;
                call.text("slow");
            }
        })
    };
    on_every_pipe(script, async |client, _, _| {
        let slow = client.start("tools/call", json!({"name": "up__slow", "arguments": {}})).await;
        echoes(client, "fast").await;
        release.notify_one();
        assert_eq!(text_of(&client.outcome(&slow).await.unwrap()), "slow");
    })
    .await;
}

#[tokio::test]
async fn progress_comes_in_order_before_the_answer() {
    let script = || {
        Script::legacy().tool("count", async |call: Call| {
            (1..=5).for_each(|step| call.progress(step, 5));
            call.text("done");
        })
    };
    on_every_pipe(script, async |client, _, _| {
        let params = json!({"name": "up__count", "arguments": {}, "_meta": {"progressToken": "mine"}});
        let id = client.start("tools/call", params).await;
        // That lists have changed since the start may be told at any time.
        let of_the_call =
            |message: &Value| !message["method"].as_str().is_some_and(|method| method.ends_with("list_changed"));
        for step in 1..=5 {
            let told = client.next_where(of_the_call).await;
            assert_eq!(told["params"], json!({"progressToken": "mine", "progress": step, "total": 5}));
        }
        assert_eq!(client.next_where(of_the_call).await["id"], id);
    })
    .await;
}

#[tokio::test]
async fn a_call_is_cancelled_in_words() {
    on_every_pipe(
        || Script::echo(Era::Legacy).tool("hang", Call::hang),
        async |client, _, upstream| {
            let id = client.start("tools/call", json!({"name": "up__hang", "arguments": {}})).await;
            let asked = upstream.heard("tools/call hang").await;
            let params = json!({"requestId": id});
            client.say(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})).await;
            upstream.gave_up(&asked.id).await;
            echoes(client, "next").await;
        },
    )
    .await;
}

#[tokio::test]
async fn changes_are_told() {
    let tool = |name: &str| json!({"name": name, "inputSchema": {}}).to_string();
    on_every_pipe(
        || Script::echo(Era::Modern),
        async |client, era, upstream| {
            if era == Era::Modern {
                let filter = json!({"notifications": {"toolsListChanged": true}});
                client.start("subscriptions/listen", filter).await;
                client.next_where(|told| told["method"] == "notifications/subscriptions/acknowledged").await;
            }
            echoes(client, "it is up").await;
            upstream.offer("tools", &[tool("new")]);
            upstream.tell("notifications/tools/list_changed", json!({})).await;
            // That the upstream came up may be told as well.
            loop {
                client.next_where(|told| told["method"] == "notifications/tools/list_changed").await;
                let list = client.request("tools/list", json!({})).await.unwrap();
                if list["tools"][0]["name"] == "up__new" {
                    return;
                }
            }
        },
    )
    .await;
}

#[tokio::test]
async fn a_legacy_client_is_asked_on_its_pipe() {
    let asks = || {
        Script::legacy().tool("ask", async |call: Call| {
            let answer = call.ask("roots/list", json!({})).await;
            call.text(&answer["result"].to_string());
        })
    };
    let roots = json!({"roots": [{"uri": "file:///x"}]});
    let upstream = asks().over_http().await;
    let gate = Gate::of("up", &upstream).start().await;
    let mut program = Program::start(TOOLGATE, "stdio", &Gate::of("up", &upstream));
    let clients = [program.client(Era::Legacy), LineClient::over_sse(gate.url(), Era::Legacy).await];
    for mut client in clients {
        let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {"roots": {}}, "clientInfo": {"name": "s", "version": "1"}});
        client.request("initialize", hello).await.unwrap();
        client.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        let id = client.start("tools/call", json!({"name": "up__ask", "arguments": {}})).await;
        let question = client.next_where(|message| message["method"] == "roots/list").await;
        client.say(&json!({"jsonrpc": "2.0", "id": question["id"], "result": roots})).await;
        assert_eq!(text_of(&client.outcome(&id).await.unwrap()), roots.to_string());
    }
}

#[tokio::test]
async fn many_streams_are_told_apart() {
    let upstream = Script::echo(Era::Legacy).over_stdio().await;
    let gate = Gate::of("up", &upstream).start().await;
    let talk = async |nth: usize| {
        let mut client = LineClient::over_sse(gate.url(), Era::BOTH[nth % 2]).await.open().await;
        for round in 0..5 {
            echoes(&mut client, &format!("canary {nth} {round}")).await;
        }
    };
    futures_util::future::join_all((0..50).map(talk)).await;
}

/// The compiled-in servers are real child processes; each feature of `everything` reaches a client of either era.
#[tokio::test]
async fn the_compiled_in_servers_serve_both_eras() {
    let plan = ["time", "memory", "everything"]
        .iter()
        .fold(Gate::of_nothing(), |plan, name| plan.and_config(name, json!({"builtin": name})));
    let gate = plan.program(TOOLGATE).start().await.settled().await;
    for era in Era::BOTH {
        let client = gate.client(era).await;
        let tools = client.tools().await;
        for wanted in ["time__current_time", "everything__count_steps", "everything__ask_person"] {
            assert!(tools.iter().any(|tool| tool == wanted), "{wanted} of {era:?}: {tools:?}");
        }
        let time = client.call("time__current_time", json!({"zone": "Europe/Rome"})).await.unwrap();
        assert!(time["structuredContent"].is_object() || time["content"].is_array(), "{time}");
        let params = json!({
            "name": "everything__count_steps", "arguments": {"steps": 3, "delay_ms": 1}, "_meta": {"progressToken": 1},
        });
        let mut exchange = client.start("tools/call", params).await;
        let steps: Vec<Value> =
            [exchange.expect_next().await, exchange.expect_next().await, exchange.expect_next().await].to_vec();
        assert!(steps.iter().all(|step| step["method"] == "notifications/progress"), "{steps:?}");
        exchange.outcome().await.unwrap();
        assert!(!client.list("resources").await.is_empty() && !client.list("prompts").await.is_empty());
    }
    gate.stop().await;
}
