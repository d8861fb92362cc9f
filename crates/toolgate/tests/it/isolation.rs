//! Who shares a connection to a server that may remember whom it talks to, and whose a question on it is.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use toolgate_testkit::process::{is_gone, is_running};
use toolgate_testkit::{Answer, Call, Client, Era, Gate, Script, Upstream, Way, until};

const ELICIT: &str = "elicitation/create";
const UPDATED: &str = "notifications/resources/updated";
const LOG: &str = "notifications/message";
/// Of the connections in the order in which they are made: the one that lists are read from, and those of two sessions.
const SHARED: usize = 0;
const ANN: usize = 1;
const BOB: usize = 2;

/// Answers with what its client is called, as the client says when it is asked.
fn curious() -> Script {
    Script::echo(Era::Legacy).tool("who", async |call: Call| {
        let answer = call.ask(ELICIT, json!({"message": "who?", "requestedSchema": {"type": "object"}})).await;
        let name = answer["result"]["content"]["name"].as_str().unwrap_or("nobody").to_owned();
        call.text(&name);
    })
}

async fn named(gate: &Gate, era: Era, name: &str) -> Client {
    let answer = Answer::Result(json!({"action": "accept", "content": {"name": name}}));
    Client::of(gate.url(), era).can("elicitation", ELICIT, answer).open().await
}

/// The sessions in which `echo` was called, in order.
fn sessions(upstream: &Upstream) -> Vec<String> {
    let calls = upstream.asked().into_iter().filter(|asked| asked.is("tools/call echo"));
    calls.map(|asked| asked.headers["mcp-session-id"].to_str().unwrap().to_owned()).collect()
}

async fn echo(client: &Client) {
    assert_eq!(client.text("up__echo", json!({"text": "x"})).await, "x");
}

#[tokio::test]
async fn clients_that_are_not_told_apart_share_one_connection() {
    for isolation in ["shared", "caller"] {
        let upstream = Script::echo(Era::Legacy).over_http().await;
        let gate = Gate::of("up", &upstream).with("isolation", isolation).start().await;
        for era in Era::BOTH {
            echo(&gate.client(era).await).await;
        }
        assert_eq!(upstream.connections(), 1, "{isolation}");
    }
}

#[tokio::test]
async fn a_session_has_a_connection_of_its_own_as_long_as_it_lives() {
    let upstream = Script::echo(Era::Legacy).over_http().await;
    let gate = Gate::of("up", &upstream).with("isolation", "session").start().await;
    let (ann, bob) = (gate.legacy().await, gate.legacy().await);
    for client in [&ann, &bob, &ann, &bob] {
        echo(client).await;
    }
    let used = sessions(&upstream);
    assert_eq!((&used[0], &used[1]), (&used[2], &used[3]), "{used:?}");
    assert_ne!(used[0], used[1]);
    assert_eq!(upstream.connections(), 3, "one is for the lists");

    // A session that the server forgets is begun anew, for the one it belongs to.
    upstream.forget_sessions();
    echo(&ann).await;
    let last = sessions(&upstream).pop().unwrap();
    assert!(!used.contains(&last), "{last} of {used:?}");

    // With the client's session that of the upstream ends.
    assert_eq!(ann.end().await.status, 200);
    upstream
        .heard_where("the end of that session", |asked| {
            asked.method == "(DELETE)" && asked.headers["mcp-session-id"] == *last
        })
        .await;
}

#[tokio::test]
async fn calls_on_one_pipe_have_their_own_processes_and_each_asks_its_own_client() {
    let upstream = curious().over_stdio().await;
    let gate = Gate::of("up", &upstream).with("isolation", "call").start().await;
    let ask = async |nth: usize| {
        let name = format!("client {nth}");
        let client = named(&gate, Era::BOTH[nth % 2], &name).await;
        assert_eq!(client.text("up__who", json!({})).await, name);
    };
    // All are in flight at once: with one pipe for all, nobody could be asked.
    futures_util::future::join_all((0..6).map(ask)).await;
    let processes: BTreeSet<u32> = upstream.pids().into_iter().collect();
    assert_eq!(processes.len(), 7, "one is for the lists");
    until("only the first process is left", || async {
        let alive: Vec<u32> = upstream.pids().into_iter().filter(|pid| is_running(*pid)).collect();
        (alive == upstream.pids()[..1]).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_call_that_waits_keeps_its_process_until_it_is_over() {
    let upstream = curious().over_stdio().await;
    let gate = Gate::of("up", &upstream).with("isolation", "call").start().await;
    let client = named(&gate, Era::Modern, "Ada").await;
    let asked = client.start_call("up__who", json!({})).await.outcome().await.unwrap();
    let waiting = upstream.pid(2).await;
    assert_eq!(client.text("up__echo", json!({"text": "x"})).await, "x");
    assert!(is_running(waiting));
    let key = asked["inputRequests"].as_object().unwrap().keys().next().unwrap().clone();
    let answer: Value = json!({"action": "accept", "content": {"name": "Ada"}});
    let retry = json!({
        "name": "up__who", "arguments": {}, "requestState": asked["requestState"], "inputResponses": {key: answer},
    });
    let result = client.start("tools/call", retry).await.outcome().await.unwrap();
    assert_eq!(result["content"][0]["text"], "Ada");
    until("the process ends", || async { (!is_running(waiting)).then_some(()) }).await;
    assert_eq!(upstream.count("tools/call who"), 1);
}

#[tokio::test]
async fn there_are_no_more_connections_than_the_limit_says() {
    let upstream = curious().over_http().await;
    let gate = Gate::of("up", &upstream).with("isolation", "session").config("limits: {isolated: 1}").start().await;
    let (ann, bob) = (named(&gate, Era::Legacy, "Ann").await, gate.legacy().await);
    let mut asked = ann.start_call("up__who", json!({})).await;
    let question = asked.expect_next().await;
    let fault = bob.call("up__echo", json!({"text": "x"})).await.unwrap_err();
    assert_eq!((fault.code, &fault.data["reason"]), (-32603, &json!("busy")), "{fault:?}");
    assert!(fault.message.contains("`limits.isolated`"), "{fault:?}");
    ann.answer(&question).await;
    asked.outcome().await.unwrap();
    // What rests makes room.
    echo(&bob).await;
    upstream.heard("(DELETE)").await;
    echo(&ann).await;
}

#[tokio::test]
async fn a_gateway_that_stops_ends_all_processes() {
    let upstream = Script::echo(Era::Legacy).that_stays().over_stdio().await;
    let gate = Gate::of("up", &upstream).with("isolation", "session").start().await;
    let clients = [gate.legacy().await, gate.legacy().await];
    for client in &clients {
        echo(client).await;
    }
    assert_eq!(upstream.pids().len(), 3);
    gate.stop().await;
    for pid in upstream.pids() {
        is_gone(pid).await;
    }
}

/// A server that has something to watch and to say, and two sessions that each have a connection of their own to it. Both have
/// called it once.
async fn two_sessions(way: Way) -> (Upstream, Gate, Client, Client) {
    let script = Script::echo(Era::Legacy).entry("resources", r#"{"uri":"doc://a","name":"a"}"#);
    let upstream = script.tool("work", Call::hang).over(way).await;
    let gate = Gate::of("up", &upstream).with("isolation", "session").controlled().start().await.settled().await;
    let roots = Answer::Result(json!({"roots": [{"uri": "file:///ann"}]}));
    let ann = Client::of(gate.url(), Era::Legacy).can("roots", "roots/list", roots).open().await;
    echo(&ann).await;
    let bob = gate.legacy().await;
    echo(&bob).await;
    assert_eq!(upstream.connections(), 3, "one is for the lists");
    (upstream, gate, ann, bob)
}

#[tokio::test]
async fn a_resource_is_watched_where_its_clients_calls_go() {
    for way in [Way::Stdio, Way::Http] {
        let (upstream, gate, ann, bob) = two_sessions(way).await;
        let (mut anns, mut bobs) = (ann.listen(&["doc://a"]).await, bob.listen(&["doc://a"]).await);
        let mut everybodys = gate.modern().await.listen(&["doc://a"]).await;
        assert_eq!(upstream.count("resources/subscribe doc://a"), 3, "{way:?}: once on each connection");
        // One after the other, so that what reached another's stream would be the first thing on it.
        for connection in [ANN, BOB, SHARED, ANN, BOB, SHARED] {
            let hears = [&mut everybodys, &mut anns, &mut bobs].into_iter().nth(connection).unwrap();
            upstream.tell_on(connection, UPDATED, json!({"uri": "doc://a", "on": connection})).await;
            assert_eq!(hears.notification(UPDATED).await["params"]["on"], connection, "{way:?}");
        }
    }
}

#[tokio::test]
async fn who_only_watches_has_a_connection_of_its_own_until_the_session_ends() {
    let script = Script::echo(Era::Legacy).entry("resources", r#"{"uri":"doc://a","name":"a"}"#);
    let upstream = script.over_http().await;
    let gate = Gate::of("up", &upstream).with("isolation", "session").config("limits: {isolated: 1}").start().await;
    let (ann, bob) = (gate.legacy().await, gate.legacy().await);
    let mut hears = ann.listen(&["doc://a"]).await;
    let watched = upstream.heard("resources/subscribe").await.headers["mcp-session-id"].clone();
    echo(&ann).await;
    assert_eq!(*sessions(&upstream)[0], watched, "her calls go where she watches");
    // Nothing runs there, and yet nobody else gets its place.
    assert_eq!(bob.call("up__echo", json!({"text": "x"})).await.unwrap_err().data["reason"], "busy");
    upstream.tell_on(ANN, UPDATED, json!({"uri": "doc://a"})).await;
    hears.notification(UPDATED).await;
    assert_eq!(ann.end().await.status, 200);
    upstream
        .heard_where("the end of her session", |asked| {
            asked.method == "(DELETE)" && asked.headers["mcp-session-id"] == watched
        })
        .await;
    echo(&bob).await;
}

#[tokio::test]
async fn a_watch_outlives_the_sessions_own_connection() {
    for way in [Way::Stdio, Way::Http] {
        let (upstream, _gate, ann, bob) = two_sessions(way).await;
        let (mut anns, mut bobs) = (ann.listen(&["doc://a"]).await, bob.listen(&[]).await);
        upstream.go_down().await;
        upstream.forget_sessions();
        upstream.come_up().await;
        // What happened in between nobody can know: it counts as changed.
        assert_eq!(anns.notification(UPDATED).await["params"]["uri"], "doc://a", "{way:?}");
        assert_eq!(upstream.count("resources/subscribe doc://a"), 2, "{way:?}: hers alone, on each of her connections");
        // All are back, in whichever order.
        upstream.ask_on(5, "ping", json!({})).await;
        upstream.tell(LOG, json!({"level": "error", "data": "everybody"})).await;
        assert_eq!(bobs.expect_next().await["params"]["data"], "everybody", "{way:?}: he hears of no resource");
    }
}

#[tokio::test]
async fn what_a_server_says_on_one_sessions_connection_that_session_hears() {
    for way in [Way::Stdio, Way::Http] {
        let (upstream, _gate, ann, bob) = two_sessions(way).await;
        let (mut anns, mut bobs) = (ann.listen(&[]).await, bob.listen(&[]).await);
        for connection in [ANN, BOB, ANN, BOB] {
            upstream.tell_on(connection, LOG, json!({"level": "error", "data": connection})).await;
            let hears = if connection == ANN { &mut anns } else { &mut bobs };
            assert_eq!(hears.notification(LOG).await["params"]["data"], connection, "{way:?}");
        }
        upstream.tell_on(SHARED, LOG, json!({"level": "error", "data": "to all"})).await;
        for hears in [&mut anns, &mut bobs] {
            assert_eq!(hears.notification(LOG).await["params"]["data"], "to all", "{way:?}");
        }
    }
}

#[tokio::test]
async fn a_list_that_changes_on_one_connection_is_read_anew_for_all() {
    for way in [Way::Stdio, Way::Http] {
        let (upstream, gate, ann, bob) = two_sessions(way).await;
        let mut listening = [ann.listen(&[]).await, bob.listen(&[]).await, gate.modern().await.listen(&[]).await];
        upstream.offer("tools", &[json!({"name": "grown", "inputSchema": {"type": "object"}}).to_string()]);
        upstream.tell_on(ANN, "notifications/tools/list_changed", json!({})).await;
        for hears in &mut listening {
            hears.notification("notifications/tools/list_changed").await;
        }
        assert_eq!(bob.tools().await, ["up__grown"], "{way:?}");
    }
}

#[tokio::test]
async fn changed_roots_are_told_where_they_are_one_clients_and_answered_there() {
    for way in [Way::Stdio, Way::Http] {
        let (upstream, _gate, ann, _bob) = two_sessions(way).await;
        let mut hears = ann.listen(&[]).await;
        let declared = |asked: &toolgate_testkit::Asked| asked.params["capabilities"]["roots"]["listChanged"] == true;
        let greetings: Vec<bool> =
            upstream.asked().iter().filter(|asked| asked.is("initialize")).map(declared).collect();
        assert_eq!(greetings, [false, true, true], "{way:?}: of roots that many have there is nothing true to tell");
        ann.notify("notifications/roots/list_changed", json!({})).await;
        let question = hears.notification("roots/list").await;
        ann.answer(&question).await;
        upstream.heard("notifications/roots/list_changed").await;
        let roots = async |connection| upstream.ask_on(connection, "roots/list", json!({})).await["result"].clone();
        assert_eq!(roots(ANN).await, json!({"roots": [{"uri": "file:///ann"}]}), "{way:?}");
        for connection in [SHARED, BOB] {
            assert_eq!(roots(connection).await, json!({"roots": []}), "{way:?}: another's");
        }
        assert_eq!(upstream.count("notifications/roots/list_changed"), 1, "{way:?}");
    }
}

#[tokio::test]
async fn a_server_that_restarts_is_told_the_roots_again() {
    for way in [Way::Stdio, Way::Http] {
        let (upstream, _gate, ann, _bob) = two_sessions(way).await;
        let mut hears = ann.listen(&[]).await;
        ann.notify("notifications/roots/list_changed", json!({})).await;
        let question = hears.notification("roots/list").await;
        ann.answer(&question).await;
        upstream.heard("notifications/roots/list_changed").await;
        upstream.go_down().await;
        upstream.forget_sessions();
        upstream.come_up().await;
        // Each connection, whichever comes first, is asked as a server does that has just been met.
        let mut answers = BTreeSet::new();
        for connection in [3, 4, 5] {
            answers.insert(upstream.ask_on(connection, "roots/list", json!({})).await["result"].to_string());
        }
        let expected = [r#"{"roots":[]}"#, r#"{"roots":[{"uri":"file:///ann"}]}"#];
        assert_eq!(answers, expected.map(str::to_owned).into(), "{way:?}");
    }
}

#[tokio::test]
async fn who_restarts_an_upstream_restarts_what_each_session_has_of_it() {
    for way in [Way::Stdio, Way::Http] {
        let (upstream, gate, ann, bob) = two_sessions(way).await;
        let (mut anns, mut bobs) = (ann.listen(&["doc://a"]).await, bob.listen(&[]).await);
        ann.notify("notifications/roots/list_changed", json!({})).await;
        let question = anns.notification("roots/list").await;
        ann.answer(&question).await;
        upstream.heard("notifications/roots/list_changed").await;
        let restarting = async {
            upstream.heard("tools/call work").await;
            gate.operator().post("/upstreams/up/restart", Value::Null).await
        };
        let (outcome, status) = tokio::join!(bob.call("up__work", json!({})), restarting);
        assert_eq!(status["state"], "ready", "{way:?}");
        // What was under way there has failed, and is not made again.
        let fault = outcome.unwrap_err();
        assert!(matches!(fault.data["reason"].as_str(), Some("closed" | "stopped")), "{way:?}: {fault:?}");
        assert_eq!(upstream.count("tools/call work"), 1, "{way:?}");
        // A watch goes on, and what happened in between nobody can know.
        assert_eq!(anns.notification(UPDATED).await["params"]["uri"], "doc://a", "{way:?}");
        assert_eq!(upstream.count("resources/subscribe doc://a"), 2, "{way:?}: once on each of her connections");
        echo(&ann).await;
        assert_eq!(upstream.connections(), 5, "{way:?}: that of all and hers; his comes with his next call");
        echo(&bob).await;
        let mut answers = Vec::new();
        for connection in [3, 4, 5] {
            answers.push(upstream.ask_on(connection, "roots/list", json!({})).await["result"].to_string());
        }
        answers.sort();
        let none = r#"{"roots":[]}"#;
        assert_eq!(answers, [none, none, r#"{"roots":[{"uri":"file:///ann"}]}"#], "{way:?}: hers are known");
        upstream.tell(LOG, json!({"level": "error", "data": "on"})).await;
        assert_eq!(bobs.notification(LOG).await["params"]["data"], "on", "{way:?}");
        if way == Way::Stdio {
            for pid in &upstream.pids()[..3] {
                is_gone(*pid).await;
            }
        }
    }
}

#[tokio::test]
async fn changed_roots_of_a_client_that_shares_its_connection_are_nobodys_business() {
    let upstream = Script::echo(Era::Legacy).over_stdio().await;
    let gate = Gate::of("up", &upstream).start().await;
    let ann = Client::of(gate.url(), Era::Legacy).capabilities(json!({"roots": {"listChanged": true}})).open().await;
    echo(&ann).await;
    let mut hears = ann.listen(&[]).await;
    ann.notify("notifications/roots/list_changed", json!({})).await;
    echo(&ann).await;
    upstream.tell(LOG, json!({"level": "error", "data": "x"})).await;
    assert_eq!(hears.expect_next().await["method"], LOG, "the client is not asked");
    assert_eq!(upstream.count("notifications/roots/list_changed"), 0);
}
