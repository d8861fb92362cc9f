//! Who shares a connection to a server that may remember whom it talks to, and whose a question on it is.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use toolgate_testkit::process::{is_gone, is_running};
use toolgate_testkit::{Answer, Call, Client, Era, Gate, Script, Upstream, until};

const ELICIT: &str = "elicitation/create";

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
