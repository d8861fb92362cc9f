//! Clients that leave while something of theirs is going on: what becomes of it, by era and transport.

use http::Method;
use serde_json::{Value, json};
use toolgate_testkit::client::text_of;
use toolgate_testkit::{Answer, Asked, Call, Client, Era, Gate, LineClient, Program, Script};

const TOOLGATE: &str = env!("CARGO_BIN_EXE_toolgate");
const ELICIT: &str = "elicitation/create";

/// Tools that wait: `hang` forever, `ask` for an answer; `ask` answers with what it got.
fn waiting(era: Era) -> Script {
    let question = json!({"message": "who?", "requestedSchema": {"type": "object", "properties": {}}});
    let ask = move |call: Call| {
        let question = question.clone();
        async move {
            match (call.is_modern(), &call.params["inputResponses"]["q"]) {
                (false, _) => {
                    let answer = call.ask(ELICIT, question).await;
                    call.text(&format!("heard {answer}"));
                }
                (true, Value::Null) => call.answer(json!({
                    "resultType": "input_required",
                    "inputRequests": {"q": {"method": ELICIT, "params": question}},
                })),
                (true, answer) => {
                    let answer = answer.to_string();
                    call.text(&format!("heard {answer}"));
                }
            }
        }
    };
    Script::echo(era).tool("hang", Call::hang).tool("ask", ask)
}

fn call(tool: &str) -> Value {
    json!({"name": tool, "arguments": {}})
}

/// Shakes hands as a client that can be asked.
async fn shake_hands(mut client: LineClient) -> LineClient {
    let hello = json!({
        "protocolVersion": "2025-06-18", "capabilities": {"elicitation": {}},
        "clientInfo": {"name": "story", "version": "1"},
    });
    client.request("initialize", hello).await.unwrap();
    client.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
    client
}

#[tokio::test]
async fn the_end_of_an_sse_stream_ends_its_calls_upstream() {
    for era in Era::BOTH {
        let upstream = waiting(Era::Legacy).over_http().await;
        let gate = Gate::of("up", &upstream).start().await;
        let mut client = LineClient::over_sse(gate.url(), era).await.open().await;
        client.start("tools/call", call("up__hang")).await;
        let running = upstream.heard("tools/call hang").await;
        drop(client);
        upstream.gave_up(&running.id).await;
    }
}

#[tokio::test]
async fn an_sse_session_that_an_operator_ends_is_over_for_its_client_and_upstream() {
    for doing in ["nothing", "hang", "ask", "watch", "listen"] {
        let upstream = waiting(Era::Legacy).entry("resources", r#"{"uri":"doc://a","name":"a"}"#).over_http().await;
        let gate = Gate::of("up", &upstream).with("isolation", "session").controlled().start().await.settled().await;
        let operator = gate.operator();
        let mut events = operator.follow("/events", None).await;
        let mut client = shake_hands(LineClient::over_sse(gate.url(), Era::Legacy).await).await;
        client.call("up__echo", json!({"text": "x"})).await.unwrap();
        let own = upstream.heard("tools/call echo").await.headers["mcp-session-id"].clone();
        let running = match doing {
            "watch" => {
                client.request("resources/subscribe", json!({"uri": "doc://a"})).await.unwrap();
                None
            }
            // What it asks in the words of the modern era ends with it as well.
            "listen" => {
                let meta = json!({
                    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                    "io.modelcontextprotocol/clientCapabilities": {},
                });
                let params = json!({"notifications": {"toolsListChanged": true}, "_meta": meta});
                client.start("subscriptions/listen", params).await;
                let is_it = |message: &Value| message["method"] == "notifications/subscriptions/acknowledged";
                client.next_where(is_it).await;
                None
            }
            "nothing" => None,
            tool => {
                client.start("tools/call", call(&format!("up__{tool}"))).await;
                Some(upstream.heard(&format!("tools/call {tool}")).await)
            }
        };
        if doing == "ask" {
            client.next_where(|message| message["method"] == ELICIT).await;
        }
        let listed = operator.get("/sessions").await["sessions"].clone();
        let (session, others) = (&listed[0], listed.as_array().unwrap().len() - 1);
        assert_eq!((&session["over"], &session["kind"], others), (&json!("sse"), &json!("session"), 0), "{listed}");
        assert_eq!(session["in_flight"], i32::from(running.is_some()), "{doing}");
        let path = format!("/sessions/{}", session["id"].as_str().unwrap());
        assert_eq!(operator.ask(Method::DELETE, &path, Value::Null).await.status, 204, "{doing}");
        client.ended().await;
        if let Some(running) = running {
            upstream.gave_up(&running.id).await;
        }
        let is_its_end = |asked: &Asked| asked.method == "(DELETE)" && asked.headers["mcp-session-id"] == own;
        upstream.heard_where("the end of its own connection", is_its_end).await;
        events.until("its end", |event| event["type"] == "session_ended" && event["session"] == session["id"]).await;
        assert_eq!(operator.get("/sessions").await, json!({"sessions": []}), "{doing}");
        assert_eq!(operator.ask(Method::DELETE, &path, Value::Null).await.problem(404).0, "unknown-session");
    }
}

#[tokio::test]
async fn the_end_of_an_sse_stream_in_mid_question_frees_the_upstream() {
    // It does not end with the answer that is given in the client's place, so that it must be cancelled.
    let insist = async |call: Call| {
        call.ask(ELICIT, json!({"message": "who?", "requestedSchema": {"type": "object", "properties": {}}})).await;
        call.hang().await;
    };
    let upstream = Script::legacy().tool("insist", insist).over_stdio().await;
    let gate = Gate::of("up", &upstream).start().await;
    let mut client = shake_hands(LineClient::over_sse(gate.url(), Era::Legacy).await).await;
    client.start("tools/call", call("up__insist")).await;
    client.next_where(|message| message["method"] == ELICIT).await;
    let running = upstream.heard("tools/call insist").await;
    drop(client);
    upstream.gave_up(&running.id).await;
}

#[tokio::test]
async fn the_end_of_a_session_ends_its_calls_upstream() {
    let upstream = waiting(Era::Legacy).over_http().await;
    let gate = Gate::of("up", &upstream).start().await;
    let client = gate.legacy().await;
    let (_, request, message) = client.request_for("tools/call", call("up__hang"));
    let request = request.body(message.to_string().into()).unwrap();
    let (page, ()) = tokio::join!(client.fetch(request), async {
        let running = upstream.heard("tools/call hang").await;
        assert_eq!(client.end().await.status, 200);
        upstream.gave_up(&running.id).await;
    });
    assert_eq!((page.status, page.text.as_str()), (202, ""), "nothing is said of it any more");
}

#[tokio::test]
async fn a_session_is_not_forgotten_while_its_call_runs() {
    let upstream = waiting(Era::Legacy).over_http().await;
    let gate = Gate::of("up", &upstream).config("limits: {sessions: 1}\ntimeouts: {session_idle: 1ms}").start().await;
    let away = gate.legacy().await;
    let running = tokio::select! {
        running = upstream.heard("tools/call hang") => running,
        _ = away.start_call("up__hang", json!({})) => upstream.heard("tools/call hang").await,
    };
    let visitor = Client::of(gate.url(), Era::Legacy);
    let hello =
        json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "n", "version": "1"}});
    let refused = visitor.start("initialize", hello.clone()).await;
    assert_eq!(refused.status, 503, "its connection is gone, and its call goes on");
    away.notify("notifications/cancelled", json!({"requestId": 2})).await;
    upstream.gave_up(&running.id).await;
    toolgate_testkit::until("room for another", async || {
        let answer = visitor.start("initialize", hello.clone()).await;
        (answer.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn who_has_closed_its_input_is_asked_no_more_and_gets_its_answer() {
    for era in Era::BOTH {
        let upstream = waiting(era).over_http().await;
        // So long that the story would fail if anything waited for it.
        let plan = Gate::of("up", &upstream).config("timeouts: {shutdown: 10m}");
        let mut program = Program::start(TOOLGATE, "stdio", &plan);
        let mut client = shake_hands(program.client(Era::Legacy)).await;
        let id = client.start("tools/call", call("up__ask")).await;
        client.next_where(|message| message["method"] == ELICIT).await;
        let rest = client.close().await;
        let answer = rest.iter().find(|message| message["id"] == id && message["method"].is_null());
        let text = text_of(&answer.unwrap_or_else(|| panic!("{rest:?}"))["result"]);
        assert!(text.contains("the client left before it answered"), "{era:?}: {text}");
        assert!(program.ended().await.success());
    }
}

#[tokio::test]
async fn a_question_that_nobody_waits_for_any_more_is_taken_back() {
    let upstream = waiting(Era::Modern).over_http().await;
    let gate = Gate::of("up", &upstream).config("timeouts: {answer: 50ms}").start().await;
    let client = Client::of(gate.url(), Era::Legacy).can("elicitation", ELICIT, Answer::Refuse(0, "")).open().await;
    let mut exchange = client.start_call("up__ask", json!({})).await;
    let question = exchange.notification(ELICIT).await;
    let void = exchange.notification("notifications/cancelled").await;
    assert_eq!(void["params"]["requestId"], question["id"]);
    assert!(text_of(&exchange.outcome().await.unwrap()).contains("did not answer"));
}
