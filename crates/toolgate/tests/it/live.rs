//! A config that changes while the gateway serves: what did not change goes on, what did is there at once, and a faulty one
//! changes nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;
use tokio::sync::{Notify, Semaphore};
use toolgate_testkit::{Answer, Call, Client, EVERY_WAY, Era, Gate, Program, Script, Upstream, Way, soon, until};

use crate::commands::TOOLGATE;
use crate::warm::slow as slow_to_start;

/// A script whose tool `slow` answers when it is told to.
fn slow(era: Era, go: &Arc<Notify>) -> Script {
    let go = go.clone();
    Script::echo(era).tool("slow", move |call: Call| {
        let go = go.clone();
        async move {
            go.notified().await;
            call.text("done");
        }
    })
}

#[tokio::test]
async fn a_call_in_flight_is_answered_though_its_upstream_is_taken_out() {
    for (era, way) in EVERY_WAY {
        let go = Arc::new(Notify::new());
        let (leaving, staying) = (slow(era, &go).over(way).await, Script::echo(era).over(way).await);
        let gate = Gate::of("leaving", &leaving).and("staying", &staying).start().await.settled().await;
        let client = gate.client(era).await;
        let change = async {
            leaving.heard("tools/call slow").await;
            let connections = staying.connections();
            assert_eq!(gate.becomes(Gate::of("staying", &staying)).await, ["- upstream leaving"]);
            // At once for all who come from now on.
            assert_eq!(client.tools().await, ["staying__echo"], "{era:?} {way:?}");
            assert!(client.call("leaving__echo", json!({})).await.is_err());
            assert_eq!(client.text("staying__echo", json!({"text": "on"})).await, "on");
            assert_eq!(staying.connections(), connections, "what did not change goes on: {era:?} {way:?}");
            go.notify_one();
        };
        let (said, ()) = tokio::join!(client.text("leaving__slow", json!({})), change);
        assert_eq!(said, "done", "{era:?} {way:?}");
    }
}

#[tokio::test]
async fn a_call_that_waits_for_its_server_to_start_is_answered_though_another_takes_its_place() {
    for way in [Way::Stdio, Way::Http] {
        let starts = Arc::new(Semaphore::new(0));
        let (starting, other) = (slow_to_start(&starts).over(way).await, Script::echo(Era::Modern).over_http().await);
        let known = json!([{"name": "echo", "inputSchema": {"type": "object"}}]);
        let plan = |upstream: &Upstream| Gate::of("up", upstream).with("declare", known.clone());
        let gate = plan(&starting).start().await;
        let client = gate.modern().await;
        let change = async {
            starting.heard("initialize").await;
            gate.becomes(plan(&other)).await;
            // Time enough for what nobody needs to be ended.
            for _ in 0..100 {
                assert_eq!(client.text("up__echo", json!({"text": "new"})).await, "new");
            }
            starts.add_permits(1);
        };
        let (said, ()) = tokio::join!(client.text("up__echo", json!({"text": "old"})), change);
        assert_eq!(said, "old", "{way:?}");
        assert_eq!(
            (starting.count("tools/call"), other.count("tools/call")),
            (1, 100),
            "each by the one that it began with"
        );
    }
}

#[tokio::test]
async fn an_answer_that_is_waited_for_reaches_the_upstream_that_asked() {
    let ask = |call: Call| async move {
        let answer = call.ask("elicitation/create", json!({"message": "?", "requestedSchema": {}})).await;
        call.text(answer["result"]["content"]["n"].as_str().unwrap_or_default());
    };
    let before = Script::echo(Era::Legacy).tool("ask", ask).over_http().await;
    let after =
        Script::echo(Era::Legacy).tool("ask", |call: Call| async move { call.text("another") }).over_http().await;
    let gate = Gate::of("up", &before).start().await.settled().await;
    let answer = Answer::Result(json!({"action": "accept", "content": {"n": "Ada"}}));
    let client = Client::of(gate.url(), Era::Modern).can("elicitation", "elicitation/create", answer);
    let first = client.start("tools/call", json!({"name": "up__ask", "arguments": {}})).await.outcome().await.unwrap();
    assert_eq!(first["resultType"], "input_required");
    assert_eq!(gate.becomes(Gate::of("up", &after)).await, ["~ upstream up: how it is reached"]);
    let retry = json!({"name": "up__ask", "arguments": {}, "requestState": first["requestState"],
        "inputResponses": {first["inputRequests"].as_object().unwrap().keys().next().unwrap(): {"action": "accept", "content": {"n": "Ada"}}}});
    let result = client.start("tools/call", retry).await.outcome().await.unwrap();
    assert_eq!(result["content"][0]["text"], "Ada");
    // The new one has the name as soon as it is up.
    until("the new upstream answers", || async {
        let said = client.call("up__ask", json!({})).await.ok()?;
        (said["content"][0]["text"] == "another").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_filter_is_applied_without_a_new_connection_and_those_who_listen_are_told() {
    for era in Era::BOTH {
        let upstream = Script::echo(era).entry("tools", r#"{"name":"other","inputSchema":{"type":"object"}}"#);
        let upstream = upstream.over_http().await;
        let gate = Gate::of("up", &upstream).start().await.settled().await;
        let client = gate.client(era).await;
        let mut listening = client.listen(&[]).await;
        let connections = upstream.connections();
        let narrow = Gate::of("up", &upstream).with("tools", json!({"allow": ["echo"]}));
        assert_eq!(gate.becomes(narrow).await, ["~ upstream up: tools"]);
        assert_eq!(client.tools().await, ["up__echo"]);
        listening.notification("notifications/tools/list_changed").await;
        gate.becomes(Gate::of("up", &upstream)).await;
        until("both are listed again", || async { (client.tools().await.len() == 2).then_some(()) }).await;
        assert_eq!(upstream.connections(), connections, "{era:?}");
    }
}

#[tokio::test]
async fn endpoints_come_and_go() {
    let upstream = Script::echo(Era::Modern).over_http().await;
    let gate = Gate::of("up", &upstream).start().await.settled().await;
    let of_team = || Client::of(gate.url(), Era::Modern).at("/ns/team/mcp");
    assert_eq!(of_team().request("tools/list", json!({})).await.unwrap_err().status, 404);
    let with_team = || Gate::of("up", &upstream).config("namespaces: {team: {names: plain}}");
    assert_eq!(gate.becomes(with_team()).await, ["+ namespace team"]);
    assert_eq!(of_team().tools().await, ["echo"]);
    let session = Client::of(gate.url(), Era::Legacy).at("/ns/team/mcp").open().await;
    let hidden = "namespaces: {team: {names: plain, overrides: {up/echo: {name: say}}}}";
    assert_eq!(gate.becomes(Gate::of("up", &upstream).config(hidden)).await, ["~ namespace team: overrides"]);
    assert_eq!(session.tools().await, ["say"]);
    assert_eq!(session.text("say", json!({"text": "x"})).await, "x");
    assert_eq!(gate.becomes(Gate::of("up", &upstream)).await, ["- namespace team"]);
    assert_eq!(session.start("tools/list", json!({})).await.status, 404);
    let fault = of_team().request("tools/list", json!({})).await.unwrap_err();
    assert!(fault.message.contains("/ns/team/mcp"), "{fault:?}");
}

#[tokio::test]
async fn who_watches_a_resource_goes_on_to_watch_it_at_the_upstream_that_takes_its_place() {
    for era in Era::BOTH {
        let with_a = || Script::echo(era).entry("resources", r#"{"uri":"file:///a","name":"a"}"#);
        let (before, after) = (with_a().over_http().await, with_a().over_http().await);
        let gate = Gate::of("up", &before).start().await.settled().await;
        let client = gate.client(era).await;
        let mut listening = client.listen(&["file:///a"]).await;
        gate.becomes(Gate::of("up", &after)).await;
        // What happened in between nobody knows.
        listening.notification("notifications/resources/updated").await;
        after.tell("notifications/resources/updated", json!({"uri": "file:///a"})).await;
        listening.notification("notifications/resources/updated").await;
        // Taken out of what is shown here, it is not told of any more.
        let other = r#"namespaces: {default: {resources: {deny: ["*"]}}}"#;
        gate.becomes(Gate::of("up", &after).config(other)).await;
        listening.notification("notifications/resources/list_changed").await;
        after.tell("notifications/resources/updated", json!({"uri": "file:///a"})).await;
        gate.becomes(
            Gate::of("up", &after).config("namespaces: {default: {tools: {deny: [echo]}, resources: {deny: [\"*\"]}}}"),
        )
        .await;
        let next = listening.expect_next().await;
        assert_eq!(next["method"], "notifications/tools/list_changed", "{era:?} {next}");
    }
}

#[tokio::test]
async fn a_listen_at_an_endpoint_that_is_no_more_ends() {
    let upstream = Script::echo(Era::Modern).over_http().await;
    let gate = Gate::of("up", &upstream).config("namespaces: {team: {}}").start().await.settled().await;
    let client = Client::of(gate.url(), Era::Modern).at("/ns/team/mcp");
    let mut listening = client.listen(&[]).await;
    gate.becomes(Gate::of("up", &upstream)).await;
    assert!(soon("the end", listening.outcome()).await.is_ok());
}

#[tokio::test]
async fn what_a_running_gateway_cannot_take_over_is_named() {
    let gate = Gate::of_nothing().start().await;
    let plan = Gate::of_nothing().config("limits: {sessions: 7}\nallowed_hosts: [a.example]\nnames: plain");
    assert_eq!(
        gate.becomes(plan).await,
        ["~ names", "~ limits (needs a restart)", "~ allowed_hosts (needs a restart)"]
    );
}

/// The config changes as fast as it can while clients of both eras call; no call fails that the change does not explain.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_fails_while_the_config_changes() {
    const CHANGES: usize = 60;
    let (steady, other) = (Script::echo(Era::Modern).over_http().await, Script::echo(Era::Legacy).over_http().await);
    let both = || Gate::of("steady", &steady).and("other", &other);
    let gate = Arc::new(both().start().await.settled().await);
    let callers = Callers::of(&gate, "steady__echo");
    for change in 0..CHANGES {
        let before = callers.calls();
        match change % 4 {
            0 => gate.becomes(Gate::of("steady", &steady)).await,
            1 => gate.becomes(both().config("namespaces: {default: {overrides: {other/echo: {hidden: true}}}}")).await,
            2 => gate.becomes(both().with("timeout", "5s").config("search: {budget: 1}")).await,
            _ => gate.becomes(both()).await,
        };
        callers.go_on(before).await;
    }
    callers.end().await;
}

/// Clients of both eras that call a tool that says what it is told, again and again.
pub(crate) struct Callers {
    over: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
    callers: tokio::task::JoinSet<()>,
}

impl Callers {
    pub(crate) fn of(gate: &Arc<Gate>, tool: &'static str) -> Self {
        let (over, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut callers = tokio::task::JoinSet::new();
        for era in [Era::Modern, Era::Legacy, Era::Modern, Era::Legacy] {
            let (gate, over, calls) = (gate.clone(), over.clone(), calls.clone());
            callers.spawn(async move {
                let client = gate.client(era).await;
                while !over.load(Ordering::Relaxed) {
                    assert_eq!(client.text(tool, json!({"text": "hi"})).await, "hi");
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        Self { over, calls, callers }
    }

    /// How many calls there were.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// Waits until there were some more than `before`.
    pub(crate) async fn go_on(&self, before: usize) {
        until("calls go on", || async { (self.calls() > before + 4).then_some(()) }).await;
    }

    /// Ends it; no call may have failed.
    pub(crate) async fn end(mut self) {
        self.over.store(true, Ordering::Relaxed);
        while let Some(ended) = self.callers.join_next().await {
            ended.expect("no call failed");
        }
    }
}

#[tokio::test]
async fn a_changed_file_is_applied_and_a_faulty_one_changes_nothing_and_says_why() {
    let (one, other) = (Script::echo(Era::Modern).over_http().await, Script::echo(Era::Legacy).over_http().await);
    let (program, url) = Program::serve(TOOLGATE, &Gate::of("one", &one)).await;
    let client = Client::connect(&url, Era::Modern).await;
    let status = || async { client.get("/status").await.json()["config"].clone() };
    program.rewrite(&Gate::of("one", &one).and("other", &other));
    until("the other's tool is listed", || async {
        client.tools().await.contains(&"other__echo".to_owned()).then_some(())
    })
    .await;
    assert_eq!((&status().await["applied"], &status().await["fault"]), (&json!(1), &json!(null)));
    program.rewrite(&Gate::of("one", &one).config("names: prefixd"));
    let fault = until("the fault is told", || async { status().await["fault"].as_str().map(str::to_owned) }).await;
    assert!(fault.contains("did you mean `prefixed`?"), "{fault}");
    assert_eq!(client.tools().await, ["one__echo", "other__echo"]);
    program.rewrite(&Gate::of("one", &one));
    until("what was taken out is gone", || async { (client.tools().await == ["one__echo"]).then_some(()) }).await;
    assert_eq!(status().await["fault"], json!(null));
}
