//! A server that restarts, forgets its sessions, or is replaced by one of the other era goes on answering the same clients, and no
//! call runs twice.

use serde_json::{Value, json};
use toolgate_testkit::client::text_of;
use toolgate_testkit::{Answer, Call, Client, EVERY_WAY, Era, Gate, Script, Upstream, Way};

const ELICIT: &str = "elicitation/create";
const UPDATED: &str = "notifications/resources/updated";

/// A server whose tool says of which era it is. A modern one does not answer who does not speak its revision.
fn of(era: Era) -> Script {
    let tool = json!({"name": "era", "inputSchema": {"type": "object"}}).to_string();
    Script::new(era).entry("tools", &tool).on("tools/call era", move |call: Call| async move {
        let claimed = &call.params["_meta"]["io.modelcontextprotocol/protocolVersion"];
        if era == Era::Modern && claimed.is_null() {
            let data = json!({"supported": ["2026-07-28"], "requested": "2025-11-25"});
            let error = json!({"code": -32022, "message": "Unsupported protocol version", "data": data});
            let text = json!({"jsonrpc": "2.0", "id": call.id, "error": error}).to_string();
            return call.http(400, "application/json", text);
        }
        call.text(&format!("{era:?}"));
    })
}

/// The calls that were not turned down.
fn run(upstream: &Upstream) -> usize {
    let calls = upstream.asked().into_iter().filter(|asked| asked.is("tools/call era"));
    calls.filter(|asked| asked.params["_meta"]["io.modelcontextprotocol/protocolVersion"] != Value::Null).count()
}

#[tokio::test]
async fn a_server_that_changes_its_era_is_met_anew_within_the_call() {
    for way in [Way::Http, Way::Stdio] {
        for (before, after) in [(Era::Legacy, Era::Modern), (Era::Modern, Era::Legacy)] {
            let upstream = of(before).that_closes().over(way).await;
            let gate = Gate::of("up", &upstream).start().await;
            let clients = [gate.legacy().await, gate.modern().await];
            for client in &clients {
                assert_eq!(client.text("up__era", json!({})).await, format!("{before:?}"));
            }
            let upstream = upstream.replaced_by(of(after)).await;
            if way == Way::Stdio {
                // A call that is already on its way into a pipe whose process ends may have run, and is not sent again.
                upstream.pid(1).await;
            }
            for client in &clients {
                assert_eq!(client.text("up__era", json!({})).await, format!("{after:?}"), "{before:?} {way:?}");
            }
            if after == Era::Modern {
                assert_eq!(run(&upstream), 2, "once each: {way:?}");
            } else {
                assert_eq!(upstream.count("tools/call era"), 2, "once each: {way:?}");
            }
            let era = if after == Era::Modern { "modern" } else { "legacy" };
            gate.status_becomes("up", "the status says so", |status| status["era"] == era).await;
        }
    }
}

#[tokio::test]
async fn a_call_that_runs_when_its_server_is_replaced_is_told_so_and_not_made_again() {
    let with_work = |era| of(era).tool("work", Call::hang);
    for (before, way) in EVERY_WAY {
        for after in Era::BOTH {
            if way == Way::Sse && after == Era::Modern {
                continue; // the modern era does not have that transport
            }
            for client in Era::BOTH {
                let upstream = with_work(before).over(way).await;
                let gate = Gate::of("up", &upstream).start().await;
                let client = gate.client(client).await;
                let what = format!("{before:?} to {after:?}, {way:?}");
                let replacing = async {
                    upstream.heard("tools/call work").await;
                    upstream.replaced_by(with_work(after)).await
                };
                let (outcome, new) = tokio::join!(client.call("up__work", json!({})), replacing);
                let fault = outcome.expect_err(&what);
                assert_eq!((fault.code, &fault.data["reason"]), (-32603, &json!("closed")), "{what}: {fault:?}");
                let era = if after == Era::Modern { "modern" } else { "legacy" };
                if way != Way::Http {
                    // A call into a pipe whose end has not shown yet may have run.
                    gate.status_becomes("up", &what, |status| status["state"] == "ready" && status["era"] == era).await;
                }
                assert_eq!(client.text("up__era", json!({})).await, format!("{after:?}"), "{what}");
                assert_eq!(new.count("tools/call work"), 0, "{what}");
            }
        }
    }
}

#[tokio::test]
async fn a_session_forgotten_while_its_client_is_asked_ends_the_call_and_nothing_else() {
    let curious = Script::legacy().tool("ask", async |call: Call| {
        let answer = call.ask(ELICIT, json!({"message": "?", "requestedSchema": {"type": "object"}})).await;
        call.text(&answer["result"]["action"].to_string());
    });
    let upstream = curious.over_http().await;
    let gate = Gate::of("up", &upstream).start().await;
    let decline = json!({"action": "decline"});
    let client = async |era| {
        let answer = Answer::Result(json!({"action": "decline"}));
        Client::of(gate.url(), era).can("elicitation", ELICIT, answer).open().await
    };
    let modern = client(Era::Modern).await;
    let asked = modern.start_call("up__ask", json!({})).await.outcome().await.unwrap();
    upstream.forget_sessions();
    let key = asked["inputRequests"].as_object().unwrap().keys().next().unwrap().clone();
    let retry = json!({
        "name": "up__ask", "arguments": {}, "requestState": asked["requestState"], "inputResponses": {key: decline},
    });
    let fault = modern.start("tools/call", retry).await.outcome().await.unwrap_err();
    assert_eq!((fault.code, &fault.data["reason"]), (-32603, &json!("closed")), "{fault:?}");
    assert_eq!(modern.text("up__ask", json!({})).await, r#""decline""#);

    let legacy = client(Era::Legacy).await;
    let mut exchange = legacy.start_call("up__ask", json!({})).await;
    let question = exchange.expect_next().await;
    upstream.forget_sessions();
    legacy.answer(&question).await;
    let fault = exchange.outcome().await.unwrap_err();
    assert_eq!((fault.code, &fault.data["reason"]), (-32603, &json!("closed")), "{fault:?}");
    assert_eq!(legacy.text("up__ask", json!({})).await, r#""decline""#);
    assert_eq!(upstream.count("tools/call ask"), 4, "each that was sent, once");
}

#[tokio::test]
async fn a_watch_outlives_a_change_of_era() {
    let watched = |era| of(era).entry("resources", r#"{"uri":"doc://a","name":"a"}"#);
    for way in [Way::Http, Way::Stdio] {
        for (before, after) in [(Era::Legacy, Era::Modern), (Era::Modern, Era::Legacy)] {
            let upstream = watched(before).over(way).await;
            let gate = Gate::of("up", &upstream).start().await;
            let clients = [gate.legacy().await, gate.modern().await];
            let mut listening = [clients[0].listen(&["doc://a"]).await, clients[1].listen(&["doc://a"]).await];
            let new = upstream.replaced_by(watched(after)).await;
            new.heard_where("that the resource is watched", |asked| {
                asked.is("resources/subscribe doc://a")
                    || asked.params["notifications"]["resourceSubscriptions"] == json!(["doc://a"])
            })
            .await;
            // It may have changed in between, and is said to have; this comes after.
            new.tell(UPDATED, json!({"uri": "doc://a", "new": true})).await;
            for hears in &mut listening {
                while hears.notification(UPDATED).await["params"]["new"] != true {}
            }
        }
    }
}

#[tokio::test]
async fn a_session_with_a_connection_of_its_own_outlives_a_change_of_era() {
    for way in [Way::Http, Way::Stdio] {
        for (before, after) in [(Era::Legacy, Era::Modern), (Era::Modern, Era::Legacy)] {
            let upstream = of(before).over(way).await;
            let gate = Gate::of("up", &upstream).with("isolation", "session").start().await;
            let client = gate.legacy().await;
            assert_eq!(text_of(&client.call("up__era", json!({})).await.unwrap()), format!("{before:?}"));
            let new = upstream.replaced_by(of(after)).await;
            let era = if after == Era::Modern { "modern" } else { "legacy" };
            gate.status_becomes("up", "it is met again", |status| status["state"] == "ready" && status["era"] == era)
                .await;
            assert_eq!(client.text("up__era", json!({})).await, format!("{after:?}"), "{way:?}");
            assert_eq!(if after == Era::Modern { run(&new) } else { new.count("tools/call era") }, 1, "{way:?}");
        }
    }
}
