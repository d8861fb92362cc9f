//! What clients keep of a call that has a question: nobody else can use it, it outlives what it can, and it finds the replica
//! that holds the call.

use serde_json::{Value, json};
use toolgate_testkit::client::text_of;
use toolgate_testkit::gate::Plan;
use toolgate_testkit::{Answer, Call, Client, EVERY_WAY, Era, Fault, Gate, Outcome, Script, Upstream};

const ELICIT: &str = "elicitation/create";
const KEYS: &str = "keys: [a key that is shared by all replicas]";
const OTHER_KEYS: &str = "keys: [another key that nobody else has got]";
const STATE: &str = "kept \"by\" the client: \u{e9}\n";

fn question() -> Value {
    json!({"message": "who?", "requestedSchema": {"type": "object", "properties": {"n": {"type": "string"}}}})
}

fn answer() -> Value {
    json!({"action": "accept", "content": {"n": "Ada"}})
}

/// A script whose tools `ask` and `also` put a question and answer with the answer.
fn asking(era: Era) -> Script {
    let act = move |call: Call| async move {
        match (era, &call.params["inputResponses"]["q"]) {
            (Era::Legacy, _) => {
                let answer = call.ask(ELICIT, question()).await;
                call.text(&answer["result"].to_string());
            }
            (Era::Modern, Value::Null) => call.answer(json!({
                "resultType": "input_required",
                "inputRequests": {"q": {"method": ELICIT, "params": question()}},
                "requestState": STATE,
            })),
            (Era::Modern, answer) => {
                assert_eq!(call.params["requestState"], STATE, "byte for byte");
                let answer = answer.to_string();
                call.text(&answer);
            }
        }
    };
    Script::echo(era).tool("ask", act).tool("also", act)
}

async fn client(gate: &Gate) -> Client {
    Client::of(gate.url(), Era::Modern).can("elicitation", ELICIT, Answer::Result(answer())).open().await
}

/// The result of a first call: questions, and a state.
async fn asked(client: &Client, tool: &str, arguments: Value) -> Value {
    let result = client.start_call(tool, arguments).await.outcome().await.unwrap();
    assert_eq!(result["resultType"], "input_required", "{result}");
    result
}

/// Sends the call again, with answers and state.
async fn retry(client: &Client, tool: &str, arguments: Value, asked: &Value, state: &Value) -> Outcome {
    let key = asked["inputRequests"].as_object().unwrap().keys().next().unwrap().clone();
    let params = json!({
        "name": tool, "arguments": arguments, "requestState": state, "inputResponses": {key: answer()},
    });
    client.start("tools/call", params).await.outcome().await
}

fn is_answered(outcome: Outcome) -> bool {
    serde_json::from_str::<Value>(&text_of(&outcome.unwrap())).unwrap() == answer()
}

fn assert_refused(outcome: Outcome, words: &str) {
    let fault = outcome.unwrap_err();
    assert_eq!((fault.status, fault.code), (200, -32602), "{fault:?}");
    assert!(fault.message.starts_with("invalid `requestState`: "), "{fault:?}");
    assert!(fault.message.contains(words), "`{words}` is not in {fault:?}");
}

#[tokio::test]
async fn a_state_opens_its_own_call_and_no_other() {
    for (era, way) in EVERY_WAY {
        let (one, other) = (asking(era).over(way).await, asking(era).over(way).await);
        let gate = Gate::of("one", &one).and("other", &other).start().await;
        let foreign = Gate::of("one", &one).start().await;
        let client = client(&gate).await;
        let first = asked(&client, "one__ask", json!({"a": [1, {"b": 2}]})).await;
        let state = first["requestState"].as_str().unwrap().to_owned();
        assert!(!state.contains("kept"), "it cannot be read: {state}");
        let mine = json!({"a": [1, {"b": 2}]});
        for (tool, arguments, state, words) in [
            ("one__ask", json!({"a": [1, {"b": 3}]}), json!(state), "another request"),
            ("one__also", mine.clone(), json!(state), "another request"),
            ("other__ask", mine.clone(), json!(state), "another request"),
            ("one__ask", mine.clone(), json!(format!("{}A", &state[..state.len() - 1])), "not one that was given out"),
            ("one__ask", mine.clone(), json!(format!("{state}AAAA")), "not one that was given out"),
            ("one__ask", mine.clone(), json!(format!("B{}", &state[1..])), "not one that was given out"),
            ("one__ask", mine.clone(), json!(STATE), "not one that was given out"),
            ("one__ask", mine.clone(), json!(7), "must be a string"),
        ] {
            // One character in 64 ends it as it did before.
            if state != first["requestState"] || tool != "one__ask" || arguments != mine {
                assert_refused(retry(&client, tool, arguments, &first, &state).await, words);
            }
        }
        let elsewhere = self::client(&foreign).await;
        assert_refused(
            retry(&elsewhere, "one__ask", mine.clone(), &first, &json!(state)).await,
            "a key that this gateway does not have",
        );
        let reordered = json!({"a": [1, {"b": 2}]});
        assert!(is_answered(retry(&client, "one__ask", reordered, &first, &json!(state)).await), "{era:?} {way:?}");
    }
}

#[tokio::test]
async fn of_two_answers_at_once_one_counts() {
    let upstream = asking(Era::Legacy).over_http().await;
    let gate = Gate::of("up", &upstream).start().await;
    let client = client(&gate).await;
    let first = asked(&client, "up__ask", json!({})).await;
    let state = first["requestState"].clone();
    let send = || retry(&client, "up__ask", json!({}), &first, &state);
    let outcomes = futures_util::future::join_all((0..8).map(|_| send())).await;
    let (taken, refused): (Vec<Outcome>, Vec<Outcome>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!((taken.len(), refused.len()), (1, 7));
    for outcome in refused {
        assert_eq!(outcome.unwrap_err().code, -32602);
    }
    assert_refused(send().await, "already used");
    assert_eq!(upstream.count("tools/call ask"), 1);
}

fn with_keys(upstream: &Upstream, keys: &str) -> Plan {
    Gate::of("up", upstream).config(keys)
}

#[tokio::test]
async fn an_upstreams_own_state_outlives_a_restart() {
    for way in [toolgate_testkit::Way::Stdio, toolgate_testkit::Way::Http] {
        let upstream = asking(Era::Modern).over(way).await;
        let gate = with_keys(&upstream, KEYS).start().await;
        let first = asked(&client(&gate).await, "up__ask", json!({})).await;
        let state = &first["requestState"];
        gate.stop().await;
        let newer = "keys: [a new key that goes in front of the old one, a key that is shared by all replicas]";
        for (keys, words) in [(KEYS, None), (newer, None), (OTHER_KEYS, Some("a key that this gateway does not have"))]
        {
            let gate = with_keys(&upstream, keys).start().await;
            let outcome = retry(&client(&gate).await, "up__ask", json!({}), &first, state).await;
            match words {
                None => assert!(is_answered(outcome), "{keys}"),
                Some(words) => assert_refused(outcome, words),
            }
            gate.stop().await;
        }
    }
}

#[tokio::test]
async fn a_waiting_call_is_lost_with_its_process_and_that_is_said_at_once() {
    let upstream = asking(Era::Legacy).over_http().await;
    let gate = with_keys(&upstream, KEYS).start().await;
    let first = asked(&client(&gate).await, "up__ask", json!({})).await;
    gate.stop().await;
    let gate = with_keys(&upstream, KEYS).start().await;
    let outcome = retry(&client(&gate).await, "up__ask", json!({}), &first, &first["requestState"]).await;
    assert_refused(outcome, "was lost");
    assert_eq!(upstream.count("tools/call ask"), 1, "it is not run again");
}

/// A port that is free now.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// One of several replicas, which knows where it is itself and nothing of the others.
async fn replica(upstream: &Upstream, port: u16) -> Gate {
    let place = format!("listen: 127.0.0.1:{port}\n{KEYS}\nreplica: {{url: \"http://127.0.0.1:{port}\"}}");
    Gate::of("up", upstream).config(&place).start().await
}

#[tokio::test]
async fn a_retry_finds_the_replica_that_holds_its_call() {
    let chatty = Script::legacy().tool("ask", async |call: Call| {
        let answer = call.ask(ELICIT, question()).await;
        call.progress(1, 2);
        let again = call.ask(ELICIT, question()).await;
        assert_eq!(answer["result"], again["result"]);
        call.text(&again["result"].to_string());
    });
    let upstream = chatty.over_http().await;
    let (one, two) = (replica(&upstream, free_port()).await, replica(&upstream, free_port()).await);
    let (at_one, at_two) = (client(&one).await, client(&two).await);
    let params = json!({"name": "up__ask", "arguments": {}, "_meta": {"progressToken": "p"}});
    let first = at_one.start("tools/call", params.clone()).await.outcome().await.unwrap();

    // The second round comes to the other replica, and so does its progress.
    let mut again = params.clone();
    again["requestState"] = first["requestState"].clone();
    again["inputResponses"] = json!({"q1": answer()});
    let mut exchange = at_two.start("tools/call", again.clone()).await;
    let progress = exchange.notification("notifications/progress").await;
    assert_eq!(progress["params"]["progressToken"], "p");
    let second = exchange.outcome().await.unwrap();
    assert_eq!(second["resultType"], "input_required", "{second}");
    for used in [&at_one, &at_two] {
        assert_refused(used.start("tools/call", again.clone()).await.outcome().await, "already used");
    }

    again["requestState"] = second["requestState"].clone();
    again["inputResponses"] = json!({"q2": answer()});
    assert!(is_answered(at_two.start("tools/call", again).await.outcome().await));
    assert_eq!(upstream.count("tools/call ask"), 1);
}

#[tokio::test]
async fn a_client_that_leaves_one_replica_cancels_at_the_other() {
    let stubborn = Script::legacy().tool("ask", async |call: Call| {
        call.ask(ELICIT, question()).await;
        call.notify("notifications/message", json!({"level": "error", "data": "here"}));
        call.hang().await;
    });
    let upstream = stubborn.over_http().await;
    let (one, two) = (replica(&upstream, free_port()).await, replica(&upstream, free_port()).await);
    let first = asked(&client(&one).await, "up__ask", json!({})).await;
    let at_two =
        Client::of(two.url(), Era::Modern).can("elicitation", ELICIT, Answer::Result(answer())).log_level("debug");
    let params = json!({
        "name": "up__ask", "arguments": {}, "requestState": first["requestState"], "inputResponses": {"q1": answer()},
    });
    let mut exchange = at_two.start("tools/call", params).await;
    exchange.notification("notifications/message").await;
    drop(exchange);
    let call = upstream.heard("tools/call ask").await;
    upstream.gave_up(&call.id).await;
}

#[tokio::test]
async fn a_replica_that_is_gone_or_new_is_no_reason_to_wait() {
    let upstream = asking(Era::Legacy).over_http().await;
    let port = free_port();
    let (one, two) = (replica(&upstream, port).await, replica(&upstream, free_port()).await);
    let at_two = client(&two).await;
    let first = asked(&client(&one).await, "up__ask", json!({})).await;
    let send = || retry(&at_two, "up__ask", json!({}), &first, &first["requestState"]);
    one.stop().await;
    let fault = send().await.unwrap_err();
    assert_eq!((fault.code, &fault.data["reason"]), (-32603, &json!("unavailable")), "{fault:?}");
    assert!(fault.message.contains("replica"), "{fault:?}");

    let again = replica(&upstream, port).await;
    assert_refused(send().await, "lost when the gateway restarted");
    let outcome = retry(&client(&again).await, "up__ask", json!({}), &first, &first["requestState"]).await;
    assert_refused(outcome, "lost when the gateway restarted");
    assert_eq!(upstream.count("tools/call ask"), 1);
}

#[tokio::test]
async fn nobody_but_a_replica_can_vouch_for_a_caller() {
    let upstream = Script::echo(Era::Modern).over_http().await;
    for keys in [KEYS, "keys: []"] {
        let gate = with_keys(&upstream, keys).start().await;
        let client = client(&gate).await;
        for word in ["anonymous", "", "AQ", "\u{e9}"] {
            let params = json!({"name": "up__echo", "arguments": {"text": "x"}});
            let (_, request, message) = client.request_for("tools/call", params);
            let request = request.header("toolgate-vouch", word.as_bytes());
            let page = client.fetch(request.body(message.to_string().into()).unwrap()).await;
            assert!(page.json()["error"]["message"].as_str().unwrap().contains("could not be identified"), "{page:?}");
        }
        assert_eq!(client.text("up__echo", json!({"text": "x"})).await, "x");
    }
}

#[tokio::test]
async fn who_comes_too_late_is_told_so() {
    let upstream = asking(Era::Legacy).over_http().await;
    let gate = Gate::of("up", &upstream).config("timeouts: {answer: 50ms}").start().await;
    let client = client(&gate).await;
    let first = asked(&client, "up__ask", json!({})).await;
    // The upstream is answered for the client, and told that nobody waits.
    let call = upstream.heard("tools/call ask").await;
    let answered = upstream.heard_where("an answer", |asked| asked.method.is_empty()).await;
    assert!(answered.text.contains(r#""action":"cancel""#), "{}", answered.text);
    upstream.gave_up(&call.id).await;
    assert_refused(retry(&client, "up__ask", json!({}), &first, &first["requestState"]).await, "came too late");
}

#[tokio::test]
async fn a_legacy_client_that_cancels_in_mid_question_frees_the_upstream() {
    let upstream = asking(Era::Legacy).over_http().await;
    let gate = Gate::of("up", &upstream).start().await;
    let client = Client::of(gate.url(), Era::Legacy).can("elicitation", ELICIT, Answer::Result(answer())).open().await;
    let mut exchange = client.start_call("up__ask", json!({})).await;
    assert_eq!(exchange.expect_next().await["method"], ELICIT);
    client.cancel(exchange).await;
    let call = upstream.heard("tools/call ask").await;
    upstream.gave_up(&call.id).await;
}

#[tokio::test]
async fn a_legacy_client_that_ends_its_session_in_mid_question_frees_the_upstream() {
    let upstream = asking(Era::Legacy).over_http().await;
    let gate = Gate::of("up", &upstream).start().await;
    let client = Client::of(gate.url(), Era::Legacy).can("elicitation", ELICIT, Answer::Result(answer())).open().await;
    let mut exchange = client.start_call("up__ask", json!({})).await;
    assert_eq!(exchange.expect_next().await["method"], ELICIT);
    assert_eq!(client.end().await.status, 200);
    let call = upstream.heard("tools/call ask").await;
    upstream.gave_up(&call.id).await;
}

#[tokio::test]
async fn an_upstream_that_dies_while_a_call_waits_is_named() {
    let upstream = asking(Era::Legacy).quick_tool("die", Call::break_off).over_stdio().await;
    let gate = Gate::of("up", &upstream).start().await;
    let client = client(&gate).await;
    let first = asked(&client, "up__ask", json!({})).await;
    client.call("up__die", json!({})).await.unwrap_err();
    let fault: Fault = retry(&client, "up__ask", json!({}), &first, &first["requestState"]).await.unwrap_err();
    assert_eq!((fault.code, &fault.data["reason"]), (-32603, &json!("closed")), "{fault:?}");
    assert_eq!(upstream.count("tools/call ask"), 1, "it is not run again");
}

#[tokio::test]
async fn a_server_that_restarts_while_a_call_waits_runs_it_no_second_time() {
    for way in [toolgate_testkit::Way::Http, toolgate_testkit::Way::Sse] {
        let upstream = asking(Era::Legacy).over(way).await;
        let gate = Gate::of("up", &upstream).config("restart: {first_wait: 10ms}").start().await;
        let client = client(&gate).await;
        let first = asked(&client, "up__ask", json!({})).await;
        upstream.go_down().await;
        upstream.forget_sessions();
        upstream.come_up().await;
        let fault: Fault = retry(&client, "up__ask", json!({}), &first, &first["requestState"]).await.unwrap_err();
        assert_eq!(fault.code, -32603, "{way:?} {fault:?}");
        assert_eq!(fault.data["upstream"], "up", "{way:?} {fault:?}");
        assert_eq!(upstream.count("tools/call ask"), 1, "{way:?}");
        assert_refused(
            retry(&client, "up__ask", json!({}), &first, &first["requestState"]).await,
            "already used, came too late, or its call was lost",
        );
        assert!(is_answered(client.call("up__ask", json!({})).await), "{way:?}: and anew it works");
    }
}

#[tokio::test]
async fn a_thousand_calls_wait_and_no_more() {
    let upstream = asking(Era::Legacy).over_http().await;
    let gate = Gate::of("up", &upstream).config("limits: {parked: 1000, parked_per_caller: 1000}").start().await;
    let client = client(&gate).await;
    let begin = async |nth: usize| client.start_call("up__ask", json!({"nth": nth})).await.outcome().await.unwrap();
    let mut waiting = Vec::new();
    for hundred in 0..10 {
        let nths = hundred * 100..(hundred + 1) * 100;
        waiting.extend(futures_util::future::join_all(nths.map(begin)).await);
    }
    let fault = client.start_call("up__ask", json!({})).await.outcome().await.unwrap_err();
    assert_eq!(fault.code, -32603, "{fault:?}");
    assert!(fault.message.contains("`limits.parked`"), "{fault:?}");
    for (nth, first) in waiting.iter().enumerate() {
        assert!(is_answered(retry(&client, "up__ask", json!({"nth": nth}), first, &first["requestState"]).await));
    }
    assert!(is_answered(client.call("up__ask", json!({})).await), "there is room again");
}

#[tokio::test]
async fn one_caller_does_not_take_all_places() {
    let upstream = asking(Era::Legacy).over_http().await;
    let gate = Gate::of("up", &upstream).config("limits: {parked: 9, parked_per_caller: 2}").start().await;
    let client = client(&gate).await;
    let _two = [asked(&client, "up__ask", json!({})).await, asked(&client, "up__ask", json!({})).await];
    let fault = client.start_call("up__ask", json!({})).await.outcome().await.unwrap_err();
    assert!(fault.message.contains("`limits.parked_per_caller`"), "{fault:?}");
}
