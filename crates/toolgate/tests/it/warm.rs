//! Instances that are started before anybody needs them: for servers that are slow to start.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use tokio::sync::Semaphore;
use toolgate_testkit::gate::Plan;
use toolgate_testkit::process::{Signal, is_gone, is_running, signal};
use toolgate_testkit::{Answer, Call, Client, Era, Gate, Script, Upstream, Way, until};

const LEGACY_WAYS: [Way; 3] = [Way::Stdio, Way::Http, Way::Sse];

fn plan(upstream: &Upstream, isolation: &str, warm: usize) -> Plan {
    Gate::of("up", upstream).with("isolation", isolation).with("warm", warm)
}

/// A server with one tool, `echo`. Each start takes as long as it takes to get a permit.
pub(crate) fn slow(starts: &Arc<Semaphore>) -> Script {
    let starts = starts.clone();
    Script::echo(Era::Legacy).on("initialize", move |call: Call| {
        let starts = starts.clone();
        async move {
            starts.acquire().await.expect("it is not closed").forget();
            greet(call);
        }
    })
}

fn greet(call: Call) {
    let capabilities = json!({"tools": {"listChanged": true}});
    let server = json!({"name": "slow", "version": "1"});
    call.answer(json!({"protocolVersion": "2025-11-25", "capabilities": capabilities, "serverInfo": server}));
}

async fn echo(client: &Client) {
    assert_eq!(client.text("up__echo", json!({"text": "x"})).await, "x");
}

/// Waits until so many are warm.
async fn warm(gate: &Gate, count: usize) -> Value {
    gate.status_becomes("up", &format!("{count} are warm"), |status| status["warm"] == count).await
}

/// The child processes that run.
fn running(upstream: &Upstream) -> Vec<u32> {
    upstream.pids().into_iter().filter(|pid| is_running(*pid)).collect()
}

#[tokio::test]
async fn the_first_call_does_not_wait_for_a_start() {
    for isolation in ["session", "call"] {
        for way in LEGACY_WAYS {
            let starts = Arc::new(Semaphore::new(2));
            let upstream = slow(&starts).over(way).await;
            let gate = plan(&upstream, isolation, 1).start().await;
            warm(&gate, 1).await;
            assert_eq!(upstream.count("notifications/initialized"), 1, "{way:?}: of the one that is for the lists");
            // From here on a start never ends.
            let client = gate.legacy().await;
            echo(&client).await;
            upstream.heard_times("initialize", 3).await;
            assert_eq!(gate.status("up").await["warm"], 0, "{isolation} {way:?}: another is on its way");
            starts.add_permits(1);
            warm(&gate, 1).await;
            assert_eq!(upstream.count("initialize"), 3, "{isolation} {way:?}");
        }
    }
}

#[tokio::test]
async fn no_two_have_the_same_one() {
    let upstream = Script::echo(Era::Legacy).over_http().await;
    let sessions = |from: usize| {
        let calls = upstream.asked().into_iter().filter(|asked| asked.is("tools/call echo")).skip(from);
        calls.map(|asked| asked.headers["mcp-session-id"].to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let gate = plan(&upstream, "call", 2).start().await;
    warm(&gate, 2).await;
    let clients = [gate.legacy().await, gate.modern().await];
    futures_util::future::join_all((0..12).map(|nth| echo(&clients[nth % 2]))).await;
    assert_eq!(sessions(0).iter().collect::<BTreeSet<_>>().len(), 12, "one for each call: {:?}", sessions(0));
    gate.stop().await;

    let gate = plan(&upstream, "session", 2).start().await;
    warm(&gate, 2).await;
    let clients = [gate.legacy().await, gate.legacy().await, gate.legacy().await];
    for nth in 0..6 {
        echo(&clients[nth % 3]).await;
    }
    let used = sessions(12);
    assert_eq!(used[..3], used[3..], "each keeps its own");
    assert_eq!(used.iter().collect::<BTreeSet<_>>().len(), 3, "{used:?}");
    gate.stop().await;
}

#[tokio::test]
async fn a_process_that_served_a_call_serves_no_other() {
    let upstream = Script::echo(Era::Legacy).over_stdio().await;
    let gate = plan(&upstream, "call", 1).start().await;
    let client = gate.legacy().await;
    for nth in 2..6 {
        warm(&gate, 1).await;
        let spare = upstream.pid(nth).await;
        echo(&client).await;
        is_gone(spare).await;
    }
    assert_eq!(
        upstream.count("notifications/initialized"),
        5,
        "nobody has heard the end of a handshake but those in use"
    );
}

/// A server may ask for the roots as soon as it hears that the handshake is over: that is when there is somebody to ask.
#[tokio::test]
async fn it_cannot_tell_that_it_has_waited_for_its_client() {
    for way in LEGACY_WAYS {
        let script = Script::legacy().tool("where", async |call: Call| {
            let answer = call.ask("roots/list", json!({})).await;
            call.text(answer["result"]["roots"][0]["uri"].as_str().unwrap_or("nowhere"));
        });
        let upstream = script.over(way).await;
        let gate = plan(&upstream, "session", 1).start().await;
        warm(&gate, 1).await;
        for name in ["file:///ann", "file:///bob"] {
            let roots = Answer::Result(json!({"roots": [{"uri": name}]}));
            let client = Client::of(gate.url(), Era::Legacy).can("roots", "roots/list", roots).open().await;
            assert_eq!(client.text("up__where", json!({})).await, name, "{way:?}");
            warm(&gate, 1).await;
        }
        let greetings = upstream.asked().into_iter().filter(|asked| asked.is("initialize"));
        let lasting: Vec<bool> =
            greetings.map(|asked| asked.params["capabilities"]["roots"]["listChanged"] == true).collect();
        assert_eq!(lasting, [false, true, true, true], "{way:?}: as any connection of one's own");
    }
}

#[tokio::test]
async fn one_that_died_is_replaced_and_never_handed_out() {
    let upstream = Script::echo(Era::Legacy).over_stdio().await;
    let gate = plan(&upstream, "session", 1).start().await;
    warm(&gate, 1).await;
    let dead = upstream.pid(2).await;
    signal(dead, Signal::KILL);
    is_gone(dead).await;
    echo(&gate.legacy().await).await;
    warm(&gate, 1).await;
    let spare = running(&upstream).pop().unwrap();
    signal(spare, Signal::KILL);
    until("another is warm in its place", || async {
        running(&upstream).last().filter(|last| **last != spare).copied()
    })
    .await;
    echo(&gate.legacy().await).await;
}

#[tokio::test]
async fn one_whose_session_the_server_forgot_is_met_anew_within_the_call() {
    let upstream = Script::echo(Era::Legacy).over_http().await;
    let gate = plan(&upstream, "session", 1).start().await;
    warm(&gate, 1).await;
    // It hears of it with the next request only.
    upstream.forget_sessions();
    echo(&gate.legacy().await).await;
    assert_eq!(upstream.count("tools/call echo"), 1, "the call was made once");
}

#[tokio::test]
async fn they_count_among_those_that_are_kept_apart() {
    let upstream = Script::echo(Era::Legacy).over_stdio().await;
    let gate = plan(&upstream, "session", 2).config("limits: {isolated: 2}").start().await;
    warm(&gate, 2).await;
    let (ann, bob, eve) = (gate.legacy().await, gate.legacy().await, gate.legacy().await);
    echo(&ann).await;
    assert_eq!((warm(&gate, 1).await, running(&upstream).len()).1, 3, "with the one for the lists");
    echo(&bob).await;
    warm(&gate, 0).await;
    assert_eq!((running(&upstream).len(), upstream.pids().len()), (3, 3), "none was started for one more");
    // Who rests makes room, as without any that are warm.
    echo(&eve).await;
    is_gone(upstream.pids()[1]).await;
    assert_eq!((upstream.pids().len(), gate.status("up").await["warm"].clone()), (4, json!(0)));
    // And there is room again when somebody leaves.
    assert_eq!(bob.end().await.status, 200);
    warm(&gate, 1).await;
}

#[tokio::test]
async fn who_needs_the_place_gets_it_from_one_that_is_on_its_way() {
    let starts = Arc::new(Semaphore::new(2));
    let upstream = slow(&starts).over_stdio().await;
    let gate = plan(&upstream, "session", 1).config("limits: {isolated: 2}").start().await;
    warm(&gate, 1).await;
    echo(&gate.legacy().await).await;
    let on_its_way = upstream.pid(3).await;
    let bob = gate.legacy().await;
    let later = async {
        is_gone(on_its_way).await;
        starts.add_permits(2);
    };
    tokio::join!(echo(&bob), later);
    assert_eq!((upstream.pids().len(), gate.status("up").await["warm"].clone()), (4, json!(0)));
}

#[tokio::test]
async fn all_end_with_the_gateway_and_with_their_upstream() {
    for removed in [false, true] {
        // The third start never ends.
        let starts = Arc::new(Semaphore::new(2));
        let upstream = slow(&starts).that_stays().over_stdio().await;
        let gate = plan(&upstream, "session", 2).start().await;
        warm(&gate, 1).await;
        upstream.pid(3).await;
        let gate = if removed {
            gate.becomes(Gate::of_nothing()).await;
            Some(gate)
        } else {
            gate.stop().await;
            assert_eq!(running(&upstream), [0_u32; 0], "they are gone before it has stopped");
            None
        };
        for pid in upstream.pids() {
            is_gone(pid).await;
        }
        assert_eq!(upstream.pids().len(), 3, "and none came after: {}", gate.is_some());
    }
}

#[tokio::test]
async fn another_number_of_them_starts_nothing_anew() {
    let upstream = Script::echo(Era::Legacy).over_stdio().await;
    let gate = plan(&upstream, "session", 0).start().await.settled().await;
    let main = upstream.pid(1).await;
    assert_eq!(gate.status("up").await["warm"], Value::Null);
    let client = gate.legacy().await;
    echo(&client).await;
    assert_eq!(gate.becomes(plan(&upstream, "session", 2)).await, ["~ upstream up: warm"]);
    warm(&gate, 2).await;
    gate.becomes(plan(&upstream, "session", 1)).await;
    warm(&gate, 1).await;
    is_gone(upstream.pids()[3]).await;
    gate.becomes(plan(&upstream, "session", 0)).await;
    is_gone(upstream.pids()[2]).await;
    echo(&client).await;
    assert_eq!((upstream.pids().len(), is_running(main)), (4, true));
}

#[tokio::test]
async fn a_restart_replaces_them() {
    for way in LEGACY_WAYS {
        let upstream = Script::echo(Era::Legacy).over(way).await;
        let gate = plan(&upstream, "session", 1).controlled().start().await;
        warm(&gate, 1).await;
        gate.operator().post("/upstreams/up/restart", Value::Null).await;
        upstream.heard_times("initialize", 4).await;
        warm(&gate, 1).await;
        if way == Way::Stdio {
            for pid in &upstream.pids()[..2] {
                is_gone(*pid).await;
            }
        }
        echo(&gate.legacy().await).await;
    }
}

#[tokio::test]
async fn one_that_fails_is_tried_again_after_a_pause_and_calls_go_on() {
    let fails = Arc::new(AtomicBool::new(false));
    let is_failing = fails.clone();
    let upstream = Script::echo(Era::Legacy).on("initialize", move |call: Call| {
        match is_failing.load(Ordering::Relaxed) {
            true => call.fail(-32603, "no more today"),
            false => greet(call),
        }
        std::future::ready(())
    });
    let upstream = upstream.over_stdio().await;
    let gate = plan(&upstream, "session", 0).start().await.settled().await;
    fails.store(true, Ordering::Relaxed);
    gate.becomes(plan(&upstream, "session", 1)).await;
    let failed =
        |status: &Value| status["notes"].to_string().contains("0 of 1 instances are warm; the last one failed: ");
    let status = gate.status_becomes("up", "its status says so", failed).await;
    assert_eq!((&status["state"], &status["warm"]), (&json!("ready"), &json!(0)));
    fails.store(false, Ordering::Relaxed);
    // Not the pause of the next is waited for by those who call now.
    echo(&gate.legacy().await).await;
    assert_eq!(warm(&gate, 1).await["notes"], json!([]));
}

#[tokio::test]
async fn none_is_started_while_the_upstream_is_away() {
    let upstream = Script::echo(Era::Legacy).over_stdio().await;
    let gate = plan(&upstream, "session", 1).start().await;
    warm(&gate, 1).await;
    upstream.go_down().await;
    let gone = |status: &Value| status["state"] == "failed" && status["warm"] == 0;
    let status = gate.status_becomes("up", "all are gone", gone).await;
    assert!(!status["notes"].to_string().contains("cannot be started"), "{status}");
    upstream.come_up().await;
    warm(&gate, 1).await;
    echo(&gate.legacy().await).await;
}

#[tokio::test]
async fn with_an_upstream_on_demand_there_are_some_while_it_is_awake() {
    let upstream = Script::echo(Era::Legacy).over_stdio().await;
    let plan = plan(&upstream, "session", 1).with("start", "demand").with("idle", "50ms");
    let gate = plan.start().await.settled().await;
    for _ in 0..2 {
        gate.status_becomes("up", "it sleeps", |status| status["state"] == "asleep" && status["warm"] == 0).await;
        let all = upstream.pids();
        let client = gate.legacy().await;
        echo(&client).await;
        // The one for the lists and the client's own; a third if it was awake for long enough.
        let woken = upstream.pids().into_iter().filter(|pid| !all.contains(pid));
        assert!(woken.count() >= 2);
        assert_eq!(client.end().await.status, 200);
        gate.status_becomes("up", "it sleeps again", |status| status["state"] == "asleep").await;
        until("all are gone", || async { running(&upstream).is_empty().then_some(()) }).await;
    }
    assert!(upstream.count("initialize") > upstream.count("notifications/initialized"), "some were warm for nobody");
}

#[tokio::test]
async fn a_modern_server_needs_none() {
    let upstream = Script::echo(Era::Modern).over_stdio().await;
    let gate = plan(&upstream, "session", 1).start().await.settled().await;
    let status = gate.status("up").await;
    assert!(status["notes"][0].as_str().unwrap().starts_with("`warm` does nothing here"), "{status}");
    echo(&gate.legacy().await).await;
    assert_eq!((upstream.pids().len(), &status["warm"]), (1, &json!(0)));
}

#[tokio::test]
async fn a_config_in_which_it_means_nothing_is_refused() {
    for (upstream, fault) in [
        ("command: x, warm: 1", "`warm` means nothing without `isolation: session` or `isolation: call`"),
        ("command: x, start: demand, warm: 1", "otherwise all share one instance"),
        ("command: x, isolation: caller, warm: 1", "`warm` means nothing without"),
        ("command: x, isolation: call, era: modern, warm: 1", "`warm` means nothing with `era: modern`"),
        ("openapi: x.yaml, isolation: call, warm: 1", "an HTTP API has no instances"),
        ("command: x, isolation: call, warm: 101", "`warm: 101` is more than `limits.isolated`, which is 100"),
        ("command: x, isolation: call, warm: -1", "warm"),
    ] {
        let folder = crate::commands::folder(&format!("upstreams: {{up: {{{upstream}}}}}"));
        let ran = crate::commands::toolgate(folder.path(), &["check"]).await;
        assert!(ran.err.contains(fault), "{upstream}: {}", ran.err);
    }
}
