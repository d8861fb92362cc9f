//! Calls: what reaches the upstream, what comes back, in which order, and to whom.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Notify;
use toolgate_testkit::client::text_of;
use toolgate_testkit::{Call, EVERY_WAY, Era, Gate, Script, soon};

#[tokio::test]
async fn a_call_reaches_every_upstream_from_every_client() {
    for (era, way) in EVERY_WAY {
        let upstream = Script::echo(era).over(way).await;
        let gate = Gate::of("up", &upstream).start().await;
        for client in Era::BOTH {
            let client = gate.client(client).await;
            assert_eq!(client.text("up__echo", json!({"text": "hello"})).await, "hello", "{era:?} {way:?}");
        }
        assert_eq!(upstream.count("tools/call echo"), 2);
    }
}

#[tokio::test]
async fn what_the_gateway_does_not_understand_passes_in_order_and_spelling() {
    let result = r#"{"zeta":1e2,"content":[{"type":"hologram","x":0.10,"a":{"b":[1.0,-0]}}],"vendor":{"Ä":"\u00e9"},"isError":false,"resultType":"complete"}"#;
    for (era, way) in EVERY_WAY {
        let upstream = Script::new(era).tool("odd", async |call: Call| call.answer_with(result)).over(way).await;
        let gate = Gate::of("up", &upstream).start().await;
        let answer = gate.modern().await.start_call("up__odd", json!({})).await.next_text().await.unwrap();
        assert_eq!(answer, format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#), "{era:?} {way:?}");
    }
}

#[tokio::test]
async fn arguments_and_meta_arrive_as_they_were_sent() {
    for (era, way) in EVERY_WAY {
        let upstream = Script::echo(era).over(way).await;
        let gate = Gate::of("up", &upstream).start().await;
        let client = gate.modern().await;
        let meta = json!({"traceparent": "00-a-b-01", "com.example/x": {"y": 1}});
        let params = json!({"name": "up__echo", "arguments": {"text": "x", "n": null}, "vendor": [1], "_meta": meta});
        client.request("tools/call", params).await.unwrap();
        let asked = upstream.heard("tools/call echo").await.params;
        assert_eq!(asked["arguments"], json!({"text": "x", "n": null}), "{era:?} {way:?}");
        assert_eq!((&asked["vendor"], &asked["_meta"]["traceparent"]), (&json!([1]), &meta["traceparent"]));
        assert_eq!(asked["_meta"]["com.example/x"], meta["com.example/x"]);
        let is_told = !asked["_meta"]["io.modelcontextprotocol/clientCapabilities"].is_null();
        assert_eq!(is_told, era == Era::Modern, "what a modern hop says of itself");
    }
}

#[tokio::test]
async fn an_error_of_the_upstream_is_the_clients() {
    for (era, way) in EVERY_WAY {
        let upstream = Script::new(era).tool("no", async |call: Call| call.fail(-12345, "not today")).over(way).await;
        let gate = Gate::of("up", &upstream).start().await;
        for client in Era::BOTH {
            let fault = gate.client(client).await.call("up__no", json!({})).await.unwrap_err();
            assert_eq!(
                (fault.code, fault.message.as_str(), fault.status),
                (-12345, "not today", 200),
                "{era:?} {way:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_slow_call_delays_no_other_on_the_same_connection() {
    for (era, way) in EVERY_WAY {
        let released = Arc::new(Notify::new());
        let release = released.clone();
        let slow = move |call: Call| {
            let released = released.clone();
            async move {
                released.notified().await;
                call.text("slow");
            }
        };
        let upstream = Script::echo(era).tool("slow", slow).over(way).await;
        let gate = Gate::of("up", &upstream).start().await;
        let client = gate.modern().await;
        let fast = async {
            upstream.heard("tools/call slow").await;
            let text = client.text("up__echo", json!({"text": "fast"})).await;
            release.notify_one();
            text
        };
        let both = tokio::join!(client.text("up__slow", json!({})), fast);
        assert_eq!(both, ("slow".into(), "fast".into()), "{era:?} {way:?}");
    }
}

#[tokio::test]
async fn progress_comes_in_order_and_never_after_the_answer() {
    for (era, way) in EVERY_WAY {
        let counting = async |call: Call| {
            for step in 1..=5 {
                call.progress(step, 5);
            }
            let late = json!({"progressToken": call.params["_meta"]["progressToken"], "progress": 6});
            let late = json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": late});
            call.last(
                json!({"jsonrpc": "2.0", "id": call.id, "result": {"content": [], "resultType": "complete"}})
                    .to_string(),
            );
            call.say(&late);
        };
        let upstream = Script::echo(era).tool("count", counting).over(way).await;
        let gate = Gate::of("up", &upstream).start().await;
        for client in Era::BOTH {
            let client = gate.client(client).await;
            let params = json!({"name": "up__count", "arguments": {}, "_meta": {"progressToken": "mine"}});
            let mut exchange = client.start("tools/call", params).await;
            for step in 1..=5 {
                let params = exchange.expect_next().await["params"].clone();
                assert_eq!(params, json!({"progressToken": "mine", "progress": step, "total": 5}), "{era:?} {way:?}");
            }
            // That nothing follows is the client's own concern.
            exchange.outcome().await.unwrap();
            assert_eq!(client.text("up__echo", json!({"text": "after"})).await, "after");
        }
    }
}

#[tokio::test]
async fn a_cancelled_call_is_cancelled_upstream() {
    for (era, way) in EVERY_WAY {
        let hanging = async |call: Call| {
            call.progress(1, 2);
            call.hang().await;
        };
        let upstream = Script::new(era).tool("hang", hanging).over(way).await;
        let gate = Gate::of("up", &upstream).start().await;
        for (nth, client) in Era::BOTH.into_iter().enumerate() {
            let client = gate.client(client).await;
            let params = json!({"name": "up__hang", "arguments": {}, "_meta": {"progressToken": nth}});
            let mut exchange = client.start("tools/call", params).await;
            exchange.expect_next().await;
            let asked = upstream.asked().into_iter().rfind(|asked| asked.is("tools/call hang")).unwrap();
            client.cancel(exchange).await;
            upstream.gave_up(&asked.id).await;
        }
    }
}

#[tokio::test]
async fn a_modern_client_that_leaves_before_anything_came_cancels_too() {
    for (era, way) in EVERY_WAY {
        let upstream = Script::new(era).tool("hang", Call::hang).over(way).await;
        let gate = Gate::of("up", &upstream).start().await;
        let client = gate.modern().await;
        let asked = tokio::select! {
            asked = upstream.heard("tools/call hang") => asked,
            _ = client.start_call("up__hang", json!({})) => panic!("it hangs"),
        };
        upstream.gave_up(&asked.id).await;
    }
}

#[tokio::test]
async fn a_legacy_client_that_leaves_cancels_nothing() {
    let (go_on, goes_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (waits, done) = (go_on.clone(), goes_on.clone());
    let slow = move |call: Call| {
        let (waits, done) = (waits.clone(), done.clone());
        async move {
            waits.notified().await;
            call.text("done");
            done.notify_one();
        }
    };
    let upstream = Script::legacy().tool("slow", slow).over_stdio().await;
    let gate = Gate::of("up", &upstream).start().await;
    let client = gate.legacy().await;
    tokio::select! {
        asked = upstream.heard("tools/call slow") => asked,
        _ = client.start_call("up__slow", json!({})) => panic!("it waits"),
    };
    drop(client);
    go_on.notify_one();
    soon("the call goes on", goes_on.notified()).await;
    assert_eq!(upstream.count("notifications/cancelled"), 0);
}

/// Two clients use the same ids, the upstream answers in any order, twice, and to ids that nobody gave: each client gets its
/// own answers and nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_never_cross_clients() {
    const CALLS: usize = 150;
    for (era, way) in EVERY_WAY {
        let tangled = async |call: Call| {
            let canary = call.argument("canary");
            if canary.ends_with('3') {
                tokio::task::yield_now().await;
            }
            let id = call.id.as_u64().unwrap();
            let result = json!({"content": [{"type": "text", "text": canary}], "resultType": "complete"});
            let answer = |id: Value, result: &Value| json!({"jsonrpc": "2.0", "id": id, "result": result});
            if way_is_shared(&call) {
                call.say(&answer((id + 1_000_000).into(), &json!({"content": [{"type": "text", "text": "nobody's"}]})));
                call.say(&answer("text".into(), &json!({})));
            }
            call.last(answer(call.id.clone(), &result).to_string());
            if way_is_shared(&call) {
                call.say(&answer(call.id.clone(), &json!({"content": [{"type": "text", "text": "twice"}]})));
            }
        };
        let upstream = Script::new(era).tool("tangled", tangled).over(way).await;
        let gate = Gate::of("up", &upstream).start().await;
        let talk = async |era: Era, name: &str| {
            let client = gate.client(era).await;
            let calls = (0..CALLS).map(async |nth| {
                let canary = format!("{name}-{nth}");
                assert_eq!(
                    client
                        .text("up__tangled", json!({"canary": canary, "shared": way != toolgate_testkit::Way::Http}))
                        .await,
                    canary
                );
            });
            futures_util::future::join_all(calls).await;
        };
        tokio::join!(talk(Era::Modern, "a"), talk(Era::Modern, "b"), talk(Era::Legacy, "c"), talk(Era::Legacy, "d"));
    }
}

/// Whether the upstream answers all calls in one place, so that it can answer the wrong ones.
fn way_is_shared(call: &Call) -> bool {
    call.params["arguments"]["shared"] == true
}

#[tokio::test]
async fn prompts_resources_and_completions_go_the_same_way() {
    let script = |era| {
        Script::new(era)
            .entry("prompts", r#"{"name":"greet"}"#)
            .entry("resources", r#"{"uri":"doc://one","name":"one"}"#)
            .entry("resourceTemplates", r#"{"uriTemplate":"doc://page/{n}","name":"page"}"#)
            .on("prompts/get", async |call: Call| call.answer(json!({"messages": [], "description": "hi"})))
            .on("resources/read", async |call: Call| {
                let uri = call.params["uri"].clone();
                call.answer(json!({"contents": [{"uri": uri, "text": "words"}]}));
            })
            .on("completion/complete", async |call: Call| {
                let what = call.params["ref"].clone();
                call.answer(json!({"completion": {"values": [what.to_string()]}}));
            })
    };
    for (era, way) in EVERY_WAY {
        let upstream = script(era).over(way).await;
        let gate = Gate::of("up", &upstream).start().await;
        for client in Era::BOTH {
            let client = gate.client(client).await;
            let prompt = client.request("prompts/get", json!({"name": "up__greet"})).await.unwrap();
            assert_eq!(prompt["description"], "hi");
            assert!(upstream.count("prompts/get greet") > 0, "under its own name");
            for uri in ["doc://one", "doc://page/7"] {
                let read = client.request("resources/read", json!({"uri": uri})).await.unwrap();
                assert_eq!(read["contents"][0], json!({"uri": uri, "text": "words"}));
            }
            for (public, native) in [
                (json!({"type": "ref/prompt", "name": "up__greet"}), json!({"type": "ref/prompt", "name": "greet"})),
                (
                    json!({"type": "ref/resource", "uri": "doc://page/{n}"}),
                    json!({"type": "ref/resource", "uri": "doc://page/{n}"}),
                ),
            ] {
                let params = json!({"ref": public, "argument": {"name": "n", "value": "1"}});
                let completed = client.request("completion/complete", params).await.unwrap();
                assert_eq!(completed["completion"]["values"][0], native.to_string());
            }
        }
    }
}

#[tokio::test]
async fn structured_content_and_failed_tools_arrive_whole() {
    let result =
        json!({"content": [{"type": "text", "text": "21"}], "structuredContent": {"degrees": 21}, "isError": true});
    for (era, way) in EVERY_WAY {
        let sent = result.clone();
        let tool = move |call: Call| call.answer(sent.clone());
        let upstream = Script::new(era).quick_tool("weather", tool).over(way).await;
        let gate = Gate::of("up", &upstream).start().await;
        for client in Era::BOTH {
            let got = gate.client(client).await.call("up__weather", json!({})).await.unwrap();
            assert_eq!(
                (text_of(&got), &got["structuredContent"], &got["isError"]),
                ("21".into(), &json!({"degrees": 21}), &json!(true))
            );
        }
    }
}
