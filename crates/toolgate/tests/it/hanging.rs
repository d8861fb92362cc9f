//! Upstreams that are alive but answer nothing: calls to them fail at once, they are met anew when nothing can be lost by
//! it, and one that only was busy is left alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use toolgate_testkit::process::is_gone;
use toolgate_testkit::{Call, Era, Gate, Script, Way, until};

const QUICK: &str = "timeouts: {call: 100ms, probe: 100ms}";
const IMPATIENT: &str = "timeouts: {call: 100ms, probe: 100ms, connect: 400ms}";

/// A server that answers nothing but lists while it is frozen.
fn freezing(era: Era, frozen: &Arc<AtomicBool>) -> Script {
    let answering = |result: serde_json::Value| {
        let frozen = frozen.clone();
        move |call: Call| {
            let (frozen, result) = (frozen.clone(), result.clone());
            async move {
                match frozen.load(Ordering::Relaxed) {
                    true => call.hang().await,
                    false => call.answer(result),
                }
            }
        }
    };
    let capabilities = json!({"tools": {}, "logging": {}});
    let discovered = json!({"supportedVersions": ["2026-07-28"], "capabilities": capabilities});
    let script = Script::new(era)
        .capabilities(capabilities)
        .tool("work", answering(json!({"content": [{"type": "text", "text": "done"}]})));
    match era {
        Era::Legacy => script.on("ping", answering(json!({}))),
        Era::Modern => script.on("server/discover", answering(discovered)),
    }
}

fn hangs(status: &serde_json::Value) -> bool {
    status["error"].as_str().is_some_and(|error| error.contains("alive but answers nothing"))
}

#[tokio::test]
async fn calls_fail_at_once_until_it_answers_again() {
    for (era, way) in
        [(Era::Legacy, Way::Stdio), (Era::Legacy, Way::Http), (Era::Modern, Way::Stdio), (Era::Modern, Way::Http)]
    {
        let frozen = Arc::new(AtomicBool::new(false));
        let upstream = freezing(era, &frozen).over(way).await;
        let other = Script::echo(Era::Modern).over_http().await;
        let gate = Gate::of("up", &upstream).and("other", &other).config(QUICK).start().await;
        let client = gate.modern().await;
        assert_eq!(client.text("up__work", json!({})).await, "done");

        frozen.store(true, Ordering::Relaxed);
        let fault = client.call("up__work", json!({})).await.unwrap_err();
        assert_eq!(fault.data["reason"], "timeout", "{fault:?}");
        gate.status_becomes("up", "the upstream is known to hang", hangs).await;
        let fault = client.call("up__work", json!({})).await.unwrap_err();
        assert_eq!(fault.data["reason"], "unavailable", "{era:?} {way:?} {fault:?}");
        assert!(fault.message.contains("alive but answers nothing"), "{fault:?}");
        assert_eq!(client.text("other__echo", json!({"text": "x"})).await, "x");

        frozen.store(false, Ordering::Relaxed);
        gate.status_becomes("up", "it is ready again", |status| status["state"] == "ready").await;
        assert_eq!(client.text("up__work", json!({})).await, "done");
        if way == Way::Stdio {
            assert_eq!(upstream.pids().len(), 1, "it was busy and nothing else: it is not started anew");
        }
    }
}

#[tokio::test]
async fn one_that_hangs_for_good_is_started_anew() {
    let frozen = Arc::new(AtomicBool::new(true));
    let upstream = freezing(Era::Legacy, &frozen).that_stays().over_stdio().await;
    let gate = Gate::of("up", &upstream).config(IMPATIENT).start().await;
    let client = gate.modern().await;
    client.call("up__work", json!({})).await.unwrap_err();
    let (first, _second) = (upstream.pid(1).await, upstream.pid(2).await);
    is_gone(first).await;
    frozen.store(false, Ordering::Relaxed);
    let works = async || (client.call("up__work", json!({})).await.ok()).map(drop);
    until("a call is answered", works).await;
}

#[tokio::test]
async fn one_that_still_works_on_a_call_is_left_alone() {
    let frozen = Arc::new(AtomicBool::new(true));
    let (finish, finished) = tokio::sync::watch::channel(false);
    let script = freezing(Era::Legacy, &frozen).tool("long", move |call: Call| {
        let mut finished = finished.clone();
        async move {
            while !*finished.borrow_and_update() {
                call.progress(1, 2);
                // A sign of life every now and then, until the story says so.
                let _ = tokio::time::timeout(std::time::Duration::from_millis(20), finished.changed()).await;
            }
            call.text("finished");
        }
    });
    let upstream = script.over_stdio().await;
    let gate = Gate::of("up", &upstream).config(IMPATIENT).start().await;
    let client = gate.modern().await;
    let params = json!({"name": "up__long", "arguments": {}, "_meta": {"progressToken": 1}});
    let mut long = client.start("tools/call", params).await;
    long.notification("notifications/progress").await;
    client.call("up__work", json!({})).await.unwrap_err();
    gate.status_becomes("up", "the upstream is known to hang", hangs).await;
    // More looks than it would have had if nothing were in flight.
    upstream.heard_times("ping", 8).await;
    finish.send_replace(true);
    let result = long.outcome().await.unwrap();
    assert_eq!(result["content"][0]["text"], "finished");
    assert_eq!(upstream.count("tools/call long"), 1);
}
