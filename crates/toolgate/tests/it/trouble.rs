//! Upstreams that fail in every way there is: the client is told precisely and soon, and the next call works.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::Instant;
use toolgate_testkit::process::{Signal, signal};
use toolgate_testkit::{Call, Client, EVERY_WAY, Era, Fault, Gate, Script, Way, soon};

/// More than a busy machine needs to notice that a child has ended; far less than any timeout.
const AT_ONCE: Duration = Duration::from_secs(2);

/// The failure that a call must end with, and the word for it.
fn expect_failure(outcome: Result<Value, Fault>, reason: &str, words: &str) {
    let fault = outcome.expect_err("the call must fail");
    assert_eq!((fault.code, fault.status), (-32603, 200), "{fault:?}");
    assert_eq!(fault.data, json!({"upstream": "up", "reason": reason}), "{fault:?}");
    assert!(fault.message.starts_with("upstream `up` ") && fault.message.contains(words), "{fault:?}");
}

async fn works(client: &Client) {
    assert_eq!(client.text("up__echo", json!({"text": "still here"})).await, "still here");
}

#[tokio::test]
async fn a_child_killed_in_mid_call_is_told_at_once_and_the_next_call_works() {
    for era in Era::BOTH {
        let upstream = Script::echo(era).tool("hang", Call::hang).over_stdio().await;
        let gate = Gate::of("up", &upstream).start().await;
        for (nth, client) in Era::BOTH.into_iter().enumerate() {
            let client = gate.client(client).await;
            works(&client).await;
            let kill = async {
                upstream.heard_times("tools/call hang", nth + 1).await;
                signal(upstream.pid(upstream.pids().len()).await, Signal::KILL);
                Instant::now()
            };
            let (outcome, killed) = tokio::join!(client.call("up__hang", json!({})), kill);
            assert!(killed.elapsed() < AT_ONCE, "{:?}", killed.elapsed());
            expect_failure(
                outcome,
                "closed",
                "ended the connection before it answered: its process ended with signal: 9",
            );
            works(&client).await;
        }
        assert_eq!(upstream.count("tools/call hang"), 2, "what may have run is not run again");
    }
}

#[tokio::test]
async fn a_child_that_exits_in_mid_call_is_told_at_once_and_the_next_call_works() {
    for (era, way) in EVERY_WAY {
        let upstream = Script::echo(era).tool("leave", async |call: Call| call.break_off()).over(way).await;
        let gate = Gate::of("up", &upstream).start().await;
        let client = gate.modern().await;
        if way == Way::Sse {
            // Its answers come on the one stream, so a message must come first for there to be something to break off.
            works(&client).await;
        }
        let started = Instant::now();
        expect_failure(client.call("up__leave", json!({})).await, "closed", "ended the connection before it answered");
        assert!(started.elapsed() < AT_ONCE);
        works(&client).await;
        assert_eq!(upstream.count("tools/call leave"), 1, "{era:?} {way:?}");
    }
}

#[tokio::test]
async fn a_forgotten_session_is_begun_anew_and_the_call_runs_once() {
    let upstream = Script::echo(Era::Legacy).over_http().await;
    let gate = Gate::of("up", &upstream).start().await;
    let client = gate.modern().await;
    works(&client).await;
    upstream.forget_sessions();
    works(&client).await;
    assert_eq!((upstream.count("tools/call echo"), upstream.count("initialize")), (2, 2));
}

#[tokio::test]
async fn many_calls_into_a_forgotten_session_run_once_each() {
    let upstream = Script::echo(Era::Legacy).over_http().await;
    let gate = Gate::of("up", &upstream).start().await;
    let client = gate.modern().await;
    works(&client).await;
    upstream.forget_sessions();
    futures_util::future::join_all((0..20).map(|_| works(&client))).await;
    assert_eq!(upstream.count("tools/call echo"), 21);
}

#[tokio::test]
async fn a_hanging_upstream_is_given_up_and_told_so_while_others_work() {
    for (era, way) in EVERY_WAY {
        let hanging = Script::echo(era).tool("hang", Call::hang).over(way).await;
        let other = Script::echo(era).over(way).await;
        let gate = Gate::of("up", &hanging).with("timeout", "300ms").and("other", &other).start().await;
        let client = gate.modern().await;
        let others = async {
            let asked = hanging.heard("tools/call hang").await;
            assert_eq!(client.text("other__echo", json!({"text": "quick"})).await, "quick");
            asked
        };
        let (outcome, asked) = tokio::join!(client.call("up__hang", json!({})), others);
        expect_failure(outcome, "timeout", "gave no sign of life for 0.3 s");
        hanging.gave_up(&asked.id).await;
        works(&client).await;
    }
}

#[tokio::test]
async fn a_call_with_signs_of_life_outlives_the_timeout() {
    for (era, way) in EVERY_WAY {
        let patient = async |call: Call| {
            for step in 1..=4 {
                tokio::time::sleep(Duration::from_millis(250)).await;
                call.progress(step, 4);
            }
            call.text("done");
        };
        let upstream = Script::new(era).tool("patient", patient).over(way).await;
        let gate = Gate::of("up", &upstream).with("timeout", "700ms").start().await;
        let params = json!({"name": "up__patient", "arguments": {}, "_meta": {"progressToken": 1}});
        gate.modern().await.request("tools/call", params).await.unwrap();
    }
}

/// What is no answer, over HTTP: each kind has its own words.
#[tokio::test]
async fn garbage_over_http_is_named_and_the_next_call_works() {
    let big = || format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"x":"{}"}}}}"#, "x".repeat(200 << 10));
    type Act = fn(Call);
    let acts: [(&str, Act, &str, &str); 12] = [
        ("text", |call| call.http(200, "application/json", "nonsense"), "garbage", "its JSON is no answer"),
        ("other", |call| call.http(200, "application/json", r#"{"a":1}"#), "garbage", "its JSON is no answer"),
        (
            "id",
            |call| call.last(r#"{"jsonrpc":"2.0","id":777,"result":{}}"#.into()),
            "garbage",
            "its JSON is no answer",
        ),
        (
            "twice",
            |call| call.last(format!(r#"{{"jsonrpc":"2.0","id":{0},"id":{0},"result":{{}}}}"#, call.id)),
            "garbage",
            "no answer",
        ),
        (
            "deep",
            |call| call.last(format!(r#"{{"jsonrpc":"2.0","id":{},"result":{}}}"#, call.id, nested(100))),
            "garbage",
            "no answer",
        ),
        ("page", |call| call.http(200, "text/html", "<h1>Welcome</h1>"), "refused", "it answered with text/html"),
        ("broken", |call| call.http(500, "text/plain", "oops"), "refused", "HTTP 500"),
        ("login", |call| call.http(401, "application/json", "{}"), "refused", "it wants other credentials (HTTP 401)"),
        ("moved", |call| call.http(302, "text/plain", ""), "refused", "it redirects (HTTP 302)"),
        ("cut", |call| call.raw("event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"resu"), "closed", "ended"),
        ("odd_event", |call| call.raw("data: nonsense\n\n"), "garbage", "an event is no JSON-RPC message"),
        ("empty", |call| call.raw(":\n\n"), "closed", "its event stream ended without an answer"),
    ];
    for era in Era::BOTH {
        let huge = move |call: Call| call.http(200, "application/json", big());
        let endless = async |call: Call| loop {
            call.raw(vec![b'x'; 64 << 10]);
            tokio::task::yield_now().await;
        };
        let mut script = Script::echo(era).quick_tool("huge", huge).tool("endless", endless);
        for (name, act, ..) in acts {
            script = script.quick_tool(name, act);
        }
        let upstream = script.over_http().await;
        let gate = Gate::of("up", &upstream).config("limits: {response: 128KiB}\nnames: plain").start().await;
        let client = gate.modern().await;
        for (name, reason, words) in acts.iter().map(|(name, _, reason, words)| (*name, *reason, *words)).chain([
            ("huge", "too_large", "sent a message of more than 131072 bytes"),
            ("endless", "too_large", "sent a message of more than 131072 bytes"),
        ]) {
            let outcome = client.call(name, json!({})).await;
            let fault = outcome.expect_err(name);
            assert_eq!((fault.code, &fault.data["reason"]), (-32603, &json!(reason)), "{era:?} {name}: {fault:?}");
            assert!(fault.message.contains(words), "{era:?} {name}: {fault:?}");
            assert_eq!(client.text("echo", json!({"text": "next"})).await, "next", "after {name}");
            assert_eq!(upstream.count(&format!("tools/call {name}")), 1, "{name} is not sent twice");
        }
    }
}

fn nested(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
}

/// On a pipe what is no message is nobody's: it is skipped, and the call it should have answered runs into its timeout.
#[tokio::test]
async fn garbage_on_a_pipe_is_skipped_and_the_next_call_works() {
    for (era, way) in EVERY_WAY.into_iter().filter(|(_, way)| *way != Way::Http) {
        let framed = move |text: String| if way == Way::Stdio { text + "\n" } else { format!("data: {text}\n\n") };
        let garbage = [
            "nonsense".to_owned(),
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"resu".into(),
            r#"{"jsonrpc":"2.0","id":4711,"result":{}}"#.into(),
            r#"{"id":1}"#.into(),
            format!(r#"{{"jsonrpc":"2.0","id":1,"result":{}}}"#, nested(100)),
            "[]".into(),
            "\u{1b}[2J".into(),
        ];
        let mutter = move |call: Call| {
            for text in &garbage {
                call.raw(framed(text.clone()));
            }
            call.hang()
        };
        let chatter = move |call: Call| {
            call.raw(framed("Listening on port 80".into()));
            call.text("done");
        };
        let upstream = Script::echo(era).tool("mutter", mutter).quick_tool("chatter", chatter).over(way).await;
        let gate = Gate::of("up", &upstream).with("timeout", "300ms").start().await;
        let client = gate.modern().await;
        expect_failure(client.call("up__mutter", json!({})).await, "timeout", "gave no sign of life");
        works(&client).await;
        assert_eq!(client.text("up__chatter", json!({})).await, "done");
        assert_eq!(upstream.connections(), 1, "one connection for all of it");
    }
}

#[tokio::test]
async fn a_line_without_end_is_refused_at_the_limit_and_skipped() {
    for era in Era::BOTH {
        let (go_on, went_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (told, done) = (go_on.clone(), went_on.clone());
        let endless = move |call: Call| {
            let (told, done) = (told.clone(), done.clone());
            async move {
                call.raw(vec![b'x'; 2 << 20]);
                told.notified().await;
                // Far more than the limit; the gateway must not keep it.
                for _ in 0..100 {
                    call.raw(vec![b'x'; 1 << 20]);
                }
                call.raw("\n");
                done.notify_one();
            }
        };
        let script = Script::echo(era).tool("endless", endless).capabilities(json!({"tools": {}}));
        let upstream = script.over_stdio().await;
        // Settled, so that the call is the only one in flight: then it is certain what the line should have answered.
        let gate = Gate::of("up", &upstream).config("limits: {response: 1MiB}").start().await.settled().await;
        let client = gate.modern().await;
        expect_failure(
            client.call("up__endless", json!({})).await,
            "too_large",
            "sent a message of more than 1048576 bytes",
        );
        go_on.notify_one();
        soon("the line goes on", went_on.notified()).await;
        works(&client).await;
        assert_eq!(upstream.connections(), 1);
    }
}

#[tokio::test]
async fn an_upstream_that_is_down_is_named_and_works_once_it_is_up() {
    for (era, way) in EVERY_WAY {
        let upstream = Script::echo(era).over(way).await;
        upstream.go_down().await;
        let gate = Gate::of("up", &upstream).start().await.settled().await;
        let client = gate.modern().await;
        assert_eq!(client.tools().await, Vec::<String>::new());
        gate.status_becomes("up", "it says what is wrong", |status| status["error"].is_string()).await;
        let fault = client.call("up__echo", json!({"text": "x"})).await.unwrap_err();
        assert_eq!(fault.code, -32602, "{fault:?}");
        assert!(fault.message.starts_with("unknown tool: up__echo (upstream `up` is not up: "), "{fault:?}");
        upstream.come_up().await;
        gate.status_becomes("up", "it is ready", |status| status["state"] == "ready" && status["counts"]["tools"] == 1)
            .await;
        works(&client).await;
    }
}

#[tokio::test]
async fn an_upstream_that_restarts_is_met_again() {
    for (era, way) in EVERY_WAY {
        let upstream = Script::echo(era).over(way).await;
        let gate = Gate::of("up", &upstream).start().await;
        let client = gate.modern().await;
        works(&client).await;
        upstream.go_down().await;
        if way != Way::Http {
            // A call into a pipe whose end has not shown yet may have run, so it would fail.
            gate.status_becomes("up", "its end is noticed", |status| status["state"] != "ready").await;
        }
        upstream.come_up().await;
        if way != Way::Http {
            gate.status_becomes("up", "it is met again", |status| status["state"] == "ready").await;
        }
        works(&client).await;
        assert_eq!(upstream.count("tools/call echo"), 2, "{era:?} {way:?}");
    }
}

#[tokio::test]
async fn one_that_crashes_again_and_again_breaks_nobody_else() {
    let crashing = json!({"command": "sh", "args": ["-c", "exit 3"]});
    let upstream = Script::echo(Era::Modern).over_stdio().await;
    let gate = Gate::of("up", &upstream).and_config("bad", crashing).start().await.settled().await;
    let client = gate.modern().await;
    works(&client).await;
    let status = gate.status_becomes("bad", "it fails", |status| status["state"] == "failed").await;
    assert!(status["error"].as_str().unwrap().contains("exit status: 3"), "{status}");
    assert!(status["retry_in_seconds"].is_number(), "{status}");
    let started = Instant::now();
    let fault = client.call("bad__tool", json!({})).await.unwrap_err();
    assert!(fault.message.contains("upstream `bad` is not up"), "{fault:?}");
    assert!(started.elapsed() < AT_ONCE, "a call does not wait for one that is down");
}

#[tokio::test]
async fn a_program_that_does_not_exist_is_told_by_name() {
    let missing = json!({"command": "no-such-program-anywhere"});
    let gate = Gate::of_nothing().and_config("bad", missing).start().await.settled().await;
    let status = gate.status_becomes("bad", "it fails", |status| status["state"] == "failed").await;
    let error = status["error"].as_str().unwrap();
    assert!(error.contains("`no-such-program-anywhere` could not be started: no such program"), "{status}");
}
