//! Upstreams that are started by the first call and ended when nobody calls them: listed and found all the while.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::Notify;
use toolgate_testkit::gate::Plan;
use toolgate_testkit::{Call, EVERY_WAY, Era, Gate, Script, Upstream, Way, soon};

fn plan(upstream: &Upstream, idle: &str) -> Plan {
    Gate::of("up", upstream).with("start", "demand").with("idle", idle)
}

#[tokio::test]
async fn one_that_is_known_starts_with_its_first_call_and_ends_when_nobody_calls() {
    for (era, way) in EVERY_WAY {
        let upstream = Script::echo(era).over(way).await;
        // Nothing is known of it, so it is asked; then nobody calls it.
        let gate = plan(&upstream, "50ms").start().await.settled().await;
        gate.status_becomes("up", "it is ended", |status| status["state"] == "asleep").await;
        let (state, connections) = (gate.stop().await, upstream.connections());
        let gate = plan(&upstream, "50ms").after(&state).start().await.settled().await;
        let client = gate.client(Era::Modern).await;
        assert_eq!(client.tools().await, ["up__echo"], "{era:?} {way:?}");
        let found = client.text("search_tools", json!({"queries": ["echo"]})).await;
        assert!(found.contains("up__echo"), "{found}");
        assert_eq!(upstream.connections(), connections, "listing and searching start nothing: {era:?} {way:?}");
        for text in ["first", "second"] {
            assert_eq!(client.text("up__echo", json!({"text": text})).await, text);
            gate.status_becomes("up", "it is ended again", |status| status["state"] == "asleep").await;
            assert_eq!(client.tools().await, ["up__echo"]);
        }
        if way == Way::Stdio {
            assert!(upstream.pids().len() >= 3, "a process for each call, and one before: {era:?}");
        }
    }
}

#[tokio::test]
async fn what_is_declared_need_not_be_asked_for() {
    let upstream = Script::echo(Era::Legacy).over_stdio().await;
    let declared = json!([{"name": "echo", "description": "Says it again", "inputSchema": {"type": "object"}},
        {"name": "hidden", "inputSchema": {"type": "object"}}]);
    let plan = plan(&upstream, "1h").with("declare", declared).with("tools", json!({"deny": ["hidden"]}));
    let gate = plan.start().await.settled().await;
    let client = gate.client(Era::Legacy).await;
    assert_eq!(client.tools().await, ["up__echo"]);
    assert!(upstream.pids().is_empty());
    assert_eq!(client.text("up__echo", json!({"text": "hi"})).await, "hi");
    assert_eq!(upstream.pids().len(), 1);
}

#[tokio::test]
async fn many_first_calls_start_it_once() {
    let upstream = Script::echo(Era::Modern).over_stdio().await;
    let declared = json!([{"name": "echo", "inputSchema": {"type": "object"}}]);
    let gate = plan(&upstream, "1h").with("declare", declared).start().await.settled().await;
    let client = gate.client(Era::Modern).await;
    let calls = (0..20).map(|nth| client.call("up__echo", json!({"text": nth.to_string()})));
    let answers = soon("all answers", futures_util::future::join_all(calls)).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(upstream.pids().len(), 1);
}

/// Waits until an upstream with a longer pause than those of the stories has been ended: time has passed.
async fn time_passes() {
    let other = Script::echo(Era::Modern).over_http().await;
    let clock = plan(&other, "60ms").start().await;
    clock.status_becomes("up", "time has passed", |status| status["state"] == "asleep").await;
}

#[tokio::test]
async fn a_call_that_takes_longer_than_the_pause_is_not_cut() {
    for (era, way) in EVERY_WAY {
        let go = Arc::new(Notify::new());
        let gone = go.clone();
        let long = move |call: Call| {
            let go = gone.clone();
            async move {
                go.notified().await;
                call.text("done");
            }
        };
        let upstream = Script::echo(era).tool("long", long).over(way).await;
        let gate = plan(&upstream, "20ms").start().await.settled().await;
        let client = gate.client(Era::Modern).await;
        let later = async {
            upstream.heard("tools/call long").await;
            time_passes().await;
            go.notify_one();
        };
        let (said, ()) = tokio::join!(client.text("up__long", json!({})), later);
        assert_eq!(said, "done", "{era:?} {way:?}");
    }
}

#[tokio::test]
async fn a_resource_that_is_watched_keeps_it_up() {
    for (era, way) in EVERY_WAY {
        let upstream = Script::echo(era).entry("resources", r#"{"uri":"file:///a","name":"a"}"#).over(way).await;
        let gate = plan(&upstream, "30ms").start().await.settled().await;
        let client = gate.client(era).await;
        let mut listening = client.listen(&["file:///a"]).await;
        let connections = upstream.connections();
        time_passes().await;
        upstream.tell("notifications/resources/updated", json!({"uri": "file:///a"})).await;
        listening.notification("notifications/resources/updated").await;
        assert_eq!(upstream.connections(), connections, "{era:?} {way:?}");
        drop(listening);
        drop(client);
        if era == Era::Modern {
            gate.status_becomes("up", "it is ended", |status| status["state"] == "asleep").await;
        }
    }
}

#[tokio::test]
async fn what_is_declared_must_be_tools() {
    let text = "upstreams: {up: {command: x, declare: [{name: a}, {name: b, inputSchema: {}}]}}";
    let folder = crate::commands::folder(text);
    let ran = crate::commands::toolgate(folder.path(), &["check"]).await;
    assert!(ran.err.contains("number 1 of `declare` is no tool"), "{}", ran.err);
    assert_eq!(ran.err.matches("declare").count(), 1, "{}", ran.err);
}
