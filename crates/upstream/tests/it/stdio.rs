//! Child processes: their calls, their crashes, their end.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use toolgate_protocol::Event;
use toolgate_upstream::{Change, Host, Parking, State, Transport, Upstream};

use crate::setup::{all, ask, call, content, lives, read, reason, scripted, start, text, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_calls_over_one_pipe_each_get_their_own_answer() {
    let upstream = start(scripted("legacy"));
    let asking: Vec<_> = (0..300)
        .map(|n| {
            let upstream = upstream.clone();
            tokio::spawn(async move { (n, content(&upstream, "echo", json!({"n": n})).await) })
        })
        .collect();
    for asked in asking {
        let (n, echoed) = asked.await.unwrap();
        assert_eq!(echoed, json!({"n": n}));
    }
    upstream.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_result_keeps_its_members_order_and_spelling() {
    for (mode, expected) in [
        ("modern", r#"{"z":1e2,"content":[ ],"a":1.50}"#),
        ("legacy", r#"{"z":1e2,"content":[ ],"a":1.50,"resultType":"complete"}"#),
    ] {
        let upstream = start(scripted(mode));
        let result = upstream.send(call("verbatim", &json!({}), &json!({}))).await.outcome().await.unwrap();
        assert_eq!(result.as_str(), expected);
        upstream.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crash_in_mid_call_is_told_at_once_and_the_next_call_works() {
    let upstream = start(scripted("legacy"));
    let first = text(&upstream, "pid").await;
    let (other, died) = tokio::join!(ask(&upstream, "hang", json!({})), async {
        let began = Instant::now();
        let died = ask(&upstream, "die", json!({})).await;
        (died, began.elapsed())
    });
    let (error, elapsed) = (died.0.unwrap_err(), died.1);
    assert_eq!(reason(&error), "closed");
    assert_eq!(reason(&other.unwrap_err()), "closed");
    assert!(error.message.contains("exit status: 9"), "{}", error.message);
    assert!(elapsed < Duration::from_millis(250), "{elapsed:?}");
    let second = text(&upstream, "pid").await;
    assert_ne!(first, second);
    assert!(!lives(&first));
    upstream.stop().await;
    assert!(!lives(&second));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_crashes_later_it_still_works_and_nothing_is_left() {
    let upstream = start(scripted("legacy"));
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    text(&upstream, "pid").await;
    let before = descriptors();
    for _ in 0..50 {
        ask(&upstream, "die", json!({})).await.unwrap_err();
        text(&upstream, "pid").await;
    }
    // Other tests open and close things at the same time; fifty leaks would still stand out.
    until(|| async { descriptors() < before + 40 }).await;
    upstream.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_always_crashes_is_tried_less_and_less_and_calls_fail_at_once() {
    let upstream = start(scripted("crash"));
    let mut state = upstream.state();
    let failed = |state: &State| matches!(state, State::Failed { attempts, .. } if *attempts >= 5);
    state.wait_for(failed).await.unwrap();
    let began = Instant::now();
    let error = ask(&upstream, "pid", json!({})).await.unwrap_err();
    assert_eq!(reason(&error), "unavailable");
    assert!(error.message.contains("exit status: 3"), "{}", error.message);
    assert!(began.elapsed() < Duration::from_millis(100));
    upstream.stop().await;
    assert!(matches!(*upstream.state().borrow(), State::Stopped));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_program_that_does_not_exist_says_so() {
    let mut config = scripted("legacy");
    let Transport::Stdio(child) = &mut config.transport else { panic!() };
    child.command = "no-such-program".into();
    let upstream = start(config);
    let error = ask(&upstream, "pid", json!({})).await.unwrap_err();
    assert!(error.message.contains("`no-such-program` could not be started: no such program"), "{}", error.message);
    upstream.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_child_sees_only_what_it_may() {
    let directory = std::env::temp_dir().canonicalize().unwrap();
    let mut config = scripted("legacy");
    let Transport::Stdio(child) = &mut config.transport else { panic!() };
    child.env = vec![("GIVEN".into(), "1".into())];
    child.env_allow = vec!["CARGO_PKG_NAME".into()];
    child.cwd = Some(directory.clone());
    let upstream = start(config);
    let seen = content(&upstream, "env", json!({})).await;
    let names: Vec<&str> = seen["names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(names.contains(&"PATH") && names.contains(&"GIVEN") && names.contains(&"CARGO_PKG_NAME"), "{names:?}");
    // Cargo sets dozens of these for the test itself.
    assert!(!names.iter().any(|name| name.starts_with("CARGO_") && *name != "CARGO_PKG_NAME"), "{names:?}");
    assert_eq!(seen["cwd"], directory.to_str().unwrap());
    upstream.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn stopping_ends_the_child_and_what_it_started() {
    let upstream = start(scripted("legacy"));
    let (child, grandchild) = (text(&upstream, "pid").await, text(&upstream, "grandchild").await);
    assert!(lives(&child) && lives(&grandchild));
    upstream.stop().await;
    assert!(!lives(&child) && !lives(&grandchild));
    assert_eq!(reason(&ask(&upstream, "pid", json!({})).await.unwrap_err()), "stopped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn dropping_an_upstream_ends_its_child() {
    let upstream = start(scripted("legacy"));
    let child = text(&upstream, "pid").await;
    drop(upstream);
    until(|| async { !lives(&child) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn children_do_not_outlive_a_gateway_killed_without_warning() {
    let mut gateway =
        Command::new(env!("CARGO_BIN_EXE_scripted-upstream")).arg("gateway").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(gateway.stdout.take().unwrap()).lines();
    let mut pid = || {
        let result: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        result["content"][0]["text"].as_str().unwrap().to_owned()
    };
    let (child, grandchild) = (pid(), pid());
    assert!(lives(&child) && lives(&grandchild));
    gateway.kill().unwrap();
    gateway.wait().unwrap();
    until(|| async { !lives(&child) && !lives(&grandchild) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_watchdog_ends_with_its_host() {
    let host = Host::new(Some(env!("CARGO_BIN_EXE_scripted-upstream").into()), Parking::default());
    let upstream = Upstream::start(scripted("legacy"), None, host.clone());
    text(&upstream, "pid").await;
    upstream.stop().await;
    drop(upstream);
    // Waits for the helper; a helper that did not end would hang the test.
    drop(host);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_no_message_is_skipped() {
    let mut config = scripted("legacy");
    config.limits.message_bytes = 10_000;
    let upstream = start(config);
    assert_eq!(text(&upstream, "garbage").await, "done");
    assert!(ask(&upstream, "batch", json!({})).await.is_ok());
    let error = ask(&upstream, "long", json!({"bytes": 1_000_000})).await.unwrap_err();
    assert_eq!(reason(&error), "too_large");
    assert_eq!(text(&upstream, "garbage").await, "done");
    upstream.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_without_a_sign_of_life_times_out_and_is_cancelled() {
    for mode in ["legacy", "modern"] {
        let mut config = scripted(mode);
        config.timeouts.call = Duration::from_millis(300);
        let upstream = start(config);
        let error = ask(&upstream, "hang", json!({})).await.unwrap_err();
        assert_eq!(reason(&error), "timeout");
        until(|| async { has_seen(&upstream, "cancelled ").await }).await;
        upstream.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_that_nobody_waits_for_is_cancelled() {
    for mode in ["legacy", "modern"] {
        let upstream = start(scripted(mode));
        text(&upstream, "pid").await;
        let hanging = tokio::spawn({
            let upstream = upstream.clone();
            async move { ask(&upstream, "hang", json!({})).await }
        });
        until(|| async { has_seen(&upstream, "hang").await }).await;
        hanging.abort();
        assert!(hanging.await.unwrap_err().is_cancelled());
        until(|| async { has_seen(&upstream, "cancelled ").await }).await;
        upstream.stop().await;
    }
}

async fn has_seen(upstream: &Upstream, what: &str) -> bool {
    let seen = content(upstream, "seen", json!({})).await;
    seen["seen"].as_array().unwrap().iter().any(|seen| seen.as_str().unwrap().starts_with(what))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn progress_comes_in_order_under_the_clients_own_token_and_never_after_the_answer() {
    for mode in ["legacy", "modern"] {
        let upstream = start(scripted(mode));
        for token in [json!("mine"), json!(7)] {
            let reply = upstream.send(call("progress", &json!({}), &json!({"progressToken": token}))).await;
            let (notifications, result) = all(reply).await;
            result.unwrap();
            let seen: Vec<_> = notifications.iter().map(|n| n.params.to_json().as_str().to_owned()).collect();
            let expected: Vec<_> =
                (1..=3).map(|step| format!(r#"{{"progress":{step},"progressToken":{token}}}"#)).collect();
            assert_eq!(seen, expected);
        }
        let (notifications, _) = all(upstream.send(call("progress", &json!({}), &json!({}))).await).await;
        assert!(notifications.is_empty(), "nobody asked for progress");
        upstream.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn log_messages_reach_the_call_that_wants_them() {
    let upstream = start(scripted("legacy"));
    let logged = async |meta| {
        let (notifications, _) = all(upstream.send(call("log", &json!({}), &meta)).await).await;
        notifications.iter().map(|n| n.params.string("level").unwrap()).collect::<Vec<_>>()
    };
    assert!(logged(json!({})).await.is_empty());
    assert_eq!(logged(json!({"io.modelcontextprotocol/logLevel": "warning"})).await, ["warning", "error"]);
    assert_eq!(logged(json!({"io.modelcontextprotocol/logLevel": "error"})).await, ["error"]);
    assert_eq!(logged(json!({"io.modelcontextprotocol/logLevel": "debug"})).await, ["debug", "warning", "error"]);
    let seen = content(&upstream, "seen", json!({})).await;
    assert_eq!(seen["seen"], json!(["notifications/initialized", "level warning", "level debug"]));
    upstream.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_legacy_upstream_is_not_shown_what_concerns_one_hop_only() {
    let upstream = start(scripted("legacy"));
    let meta =
        json!({"progressToken": "t", "vendor": 1e2, "traceparent": "00-x", "io.modelcontextprotocol/logLevel": "info"});
    let seen = all(upstream.send(call("params", &json!({"a": 1}), &meta)).await).await.1.unwrap();
    let seen = &seen["structuredContent"];
    assert!(seen["_meta"]["progressToken"].is_u64());
    let names: Vec<&str> = seen["_meta"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["progressToken", "traceparent", "vendor"]);
    upstream.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_modern_upstream_is_shown_everything() {
    let upstream = start(scripted("modern"));
    let capabilities = json!({"elicitation": {}, "extensions": {"io.modelcontextprotocol/tasks": {}, "x/y": {}}});
    let meta = json!({"io.modelcontextprotocol/clientCapabilities": capabilities.clone(), "vendor": 1});
    let seen = all(upstream.send(call("params", &json!({}), &meta)).await).await.1.unwrap();
    let seen = &seen["structuredContent"]["_meta"];
    assert_eq!(seen["io.modelcontextprotocol/clientCapabilities"], capabilities);
    assert_eq!(seen["vendor"], 1);
    upstream.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn too_many_calls_at_a_time_are_refused() {
    let mut config = scripted("legacy");
    config.limits.in_flight = 1;
    let upstream = start(config);
    text(&upstream, "pid").await;
    let mut hanging = Box::pin(ask(&upstream, "hang", json!({})));
    tokio::select! {
        biased;
        outcome = &mut hanging => panic!("{outcome:?}"),
        () = std::future::ready(()) => {}
    }
    assert_eq!(reason(&ask(&upstream, "pid", json!({})).await.unwrap_err()), "busy");
    drop(hanging);
    assert!(ask(&upstream, "pid", json!({})).await.is_ok());
    upstream.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_slow_client_keeps_nobody_else_waiting() {
    let upstream = start(scripted("legacy"));
    let mut slow = upstream.send(call("progress", &json!({}), &json!({"progressToken": 1}))).await;
    assert!(matches!(slow.next().await, Some(Event::Notification(_))));
    for _ in 0..20 {
        text(&upstream, "pid").await;
    }
    assert!(read(slow.outcome().await).is_ok());
    upstream.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_connection_is_announced() {
    let upstream = start(scripted("legacy"));
    let mut changes = upstream.changes();
    text(&upstream, "pid").await;
    ask(&upstream, "die", json!({})).await.unwrap_err();
    text(&upstream, "pid").await;
    for _ in 0..2 {
        assert!(matches!(changes.recv().await.map(|told| told.change), Ok(Change::Connected)));
    }
    let state = upstream.state();
    assert!(matches!(&*state.borrow(), State::Ready(peer) if peer.generation == 2));
    upstream.stop().await;
}
