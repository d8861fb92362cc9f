//! What upstreams ask clients in mid-call (sampling, elicitation, roots), within an era and across.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use toolgate_testkit::client::text_of;
use toolgate_testkit::{Answer, Call, Client, EVERY_WAY, Era, Gate, Script, Way};

const SAMPLE: &str = "sampling/createMessage";
const ELICIT: &str = "elicitation/create";
const ROOTS: &str = "roots/list";

/// What is asked, and what the client answers.
fn talk() -> [(&'static str, &'static str, Value, Value); 3] {
    [
        (
            "sampling",
            SAMPLE,
            json!({"messages": [{"role": "user", "content": {"type": "text", "text": "hi"}}], "maxTokens": 5}),
            json!({"role": "assistant", "content": {"type": "text", "text": "hello"}, "model": "m"}),
        ),
        (
            "elicitation",
            ELICIT,
            json!({"message": "name?", "requestedSchema": {"type": "object", "properties": {"n": {"type": "string"}}}}),
            json!({"action": "accept", "content": {"n": "Ada"}}),
        ),
        ("roots", ROOTS, json!({}), json!({"roots": [{"uri": "file:///a", "name": "a"}]})),
    ]
}

/// A script whose tool `ask` puts a question and answers with the answer. A legacy server asks on the way; a modern one
/// answers with the question first, and keeps what it needs in `requestState`.
fn asking(era: Era, method: &'static str, params: Value) -> Script {
    Script::echo(era).tool("ask", move |call: Call| {
        let params = params.clone();
        async move {
            match era {
                Era::Legacy => {
                    let answer = call.ask(method, params).await;
                    let answer = if answer["error"].is_null() { &answer["result"] } else { &answer["error"] };
                    call.text(&answer.to_string());
                }
                Era::Modern => match &call.params["inputResponses"]["q"] {
                    Value::Null => call.answer(json!({
                        "resultType": "input_required",
                        "inputRequests": {"q": {"method": method, "params": params}},
                        "requestState": "kept",
                    })),
                    answer => {
                        assert_eq!(call.params["requestState"], "kept");
                        let answer = answer.to_string();
                        call.text(&answer);
                    }
                },
            }
        }
    })
}

fn client_that(gate: &Gate, era: Era, capability: &str, method: &str, answer: Answer) -> Client {
    Client::of(gate.url(), era).can(capability, method, answer)
}

#[tokio::test]
async fn a_question_reaches_the_client_and_its_answer_the_upstream() {
    for (era, way) in EVERY_WAY {
        for (capability, method, params, answer) in talk() {
            let upstream = asking(era, method, params).over(way).await;
            let gate = Gate::of("up", &upstream).start().await;
            if era == Era::Legacy && way != Way::Http && method == ROOTS {
                greet(&gate).await;
            }
            for client in Era::BOTH {
                let client =
                    client_that(&gate, client, capability, method, Answer::Result(answer.clone())).open().await;
                let told = client.text("up__ask", json!({})).await;
                let told: Value = serde_json::from_str(&told).unwrap();
                assert_eq!(told, answer, "{method} of {era:?} {way:?}");
            }
        }
    }
}

/// On one pipe nothing tells what a question belongs to, and many servers ask for roots as soon as they are met. The gateway
/// answers the first such question itself.
async fn greet(gate: &Gate) {
    assert_eq!(gate.modern().await.text("up__ask", json!({})).await, r#"{"roots":[]}"#);
}

#[tokio::test]
async fn a_question_is_asked_in_the_upstreams_own_words() {
    let params = json!({"message": "name?", "requestedSchema": {"type": "object"}, "vendor": {"x": [1]}});
    for (era, way) in EVERY_WAY {
        let upstream = asking(era, ELICIT, params.clone()).over(way).await;
        let gate = Gate::of("up", &upstream).start().await;
        let answer = Answer::Result(json!({"action": "decline"}));
        let legacy = client_that(&gate, Era::Legacy, "elicitation", ELICIT, answer.clone()).open().await;
        let mut exchange = legacy.start_call("up__ask", json!({})).await;
        let question = exchange.expect_next().await;
        assert_eq!((&question["method"], &question["params"]), (&json!(ELICIT), &params), "{era:?} {way:?}");
        legacy.answer(&question).await;
        assert_eq!(text_of(&exchange.outcome().await.unwrap()), r#"{"action":"decline"}"#);
        let modern = client_that(&gate, Era::Modern, "elicitation", ELICIT, answer).open().await;
        let result = modern.start_call("up__ask", json!({})).await.outcome().await.unwrap();
        let questions: BTreeMap<String, Value> = serde_json::from_value(result["inputRequests"].clone()).unwrap();
        let question = questions.values().next().unwrap();
        assert_eq!((&question["method"], &question["params"]), (&json!(ELICIT), &params), "{era:?} {way:?}");
    }
}

#[tokio::test]
async fn a_legacy_clients_refusal_reaches_a_legacy_upstream_as_it_was() {
    for way in [Way::Stdio, Way::Http, Way::Sse] {
        let upstream = asking(Era::Legacy, SAMPLE, json!({"messages": []})).over(way).await;
        let gate = Gate::of("up", &upstream).start().await;
        let client =
            client_that(&gate, Era::Legacy, "sampling", SAMPLE, Answer::Refuse(-1, "user said no")).open().await;
        let told: Value = serde_json::from_str(&client.text("up__ask", json!({})).await).unwrap();
        assert_eq!((&told["code"], &told["message"]), (&json!(-1), &json!("user said no")), "{way:?}");
    }
}

#[tokio::test]
async fn a_legacy_clients_refusal_ends_a_modern_upstreams_call_as_a_failed_tool() {
    for way in [Way::Stdio, Way::Http] {
        let upstream = asking(Era::Modern, SAMPLE, json!({"messages": []})).over(way).await;
        let gate = Gate::of("up", &upstream).start().await;
        let client =
            client_that(&gate, Era::Legacy, "sampling", SAMPLE, Answer::Refuse(-1, "user said no")).open().await;
        let result = client.call("up__ask", json!({})).await.unwrap();
        assert_eq!((&result["isError"], text_of(&result)), (&json!(true), "user said no".into()), "{way:?}");
    }
}

#[tokio::test]
async fn a_client_is_never_asked_for_what_it_did_not_declare() {
    for (era, way) in EVERY_WAY {
        let upstream = asking(era, SAMPLE, json!({"messages": []})).over(way).await;
        let gate = Gate::of("up", &upstream).start().await;
        // A client that is asked fails the story.
        let result = gate.legacy().await.call("up__ask", json!({})).await.unwrap();
        let text = text_of(&result);
        match era {
            Era::Legacy => assert!(text.contains("the client does not support sampling"), "{way:?}: {text}"),
            Era::Modern => {
                assert_eq!(result["isError"], true, "{way:?}: {result}");
                assert!(text.contains("capability `sampling`"), "{way:?}: {text}");
            }
        }
        if era == Era::Legacy {
            let text = gate.modern().await.text("up__ask", json!({})).await;
            assert!(text.contains("the client does not support sampling"), "{way:?}: {text}");
        }
    }
}

#[tokio::test]
async fn several_questions_in_a_row_are_one_call() {
    let interview = async |call: Call| {
        let mut told = Vec::new();
        for round in 0..3 {
            let answer = call.ask(ELICIT, json!({"message": format!("{round}?"), "requestedSchema": {}})).await;
            told.push(answer["result"]["content"]["n"].to_string());
        }
        call.text(&told.join(","));
    };
    for way in [Way::Stdio, Way::Http, Way::Sse] {
        let upstream = Script::legacy().tool("interview", interview).over(way).await;
        let gate = Gate::of("up", &upstream).start().await;
        let answer = Answer::Result(json!({"action": "accept", "content": {"n": 7}}));
        for era in Era::BOTH {
            let client = client_that(&gate, era, "elicitation", ELICIT, answer.clone()).open().await;
            assert_eq!(client.text("up__interview", json!({})).await, "7,7,7", "{way:?}");
        }
        assert_eq!(upstream.count("tools/call interview"), 2, "no question runs a call twice");
    }
}

#[tokio::test]
async fn questions_of_calls_at_the_same_time_reach_their_own_clients() {
    // On one pipe nothing tells whose a question is; over HTTP each call has its own stream.
    let upstream = asking(Era::Legacy, ROOTS, json!({})).over_http().await;
    let gate = Gate::of("up", &upstream).start().await;
    let talk = async |nth: usize| {
        let era = Era::BOTH[nth % 2];
        let answer = json!({"roots": [{"uri": format!("file:///{nth}")}]});
        let client = client_that(&gate, era, "roots", ROOTS, Answer::Result(answer.clone())).open().await;
        let told: Value = serde_json::from_str(&client.text("up__ask", json!({})).await).unwrap();
        assert_eq!(told, answer);
    };
    futures_util::future::join_all((0..20).map(talk)).await;
}

#[tokio::test]
async fn a_handle_opens_its_own_call_once() {
    let upstream = asking(Era::Legacy, ELICIT, json!({"message": "?", "requestedSchema": {}})).over_stdio().await;
    let gate = Gate::of("up", &upstream).start().await;
    let answer = json!({"action": "decline"});
    let client = client_that(&gate, Era::Modern, "elicitation", ELICIT, Answer::Result(answer.clone())).open().await;
    let asked = client.start_call("up__ask", json!({"a": 1})).await.outcome().await.unwrap();
    let key = asked["inputRequests"].as_object().unwrap().keys().next().unwrap().clone();
    let retry = |arguments: Value, state: &Value| {
        let params = json!({
            "name": "up__ask", "arguments": arguments, "requestState": state, "inputResponses": {(key.as_str()): answer},
        });
        let request = client.start("tools/call", params);
        async move { request.await.outcome().await }
    };
    for (arguments, state) in [(json!({"a": 2}), &asked["requestState"]), (json!({"a": 1}), &json!("made up"))] {
        let fault = retry(arguments, state).await.unwrap_err();
        assert_eq!(fault.code, -32602);
        assert!(fault.message.starts_with("invalid `requestState`: it is not one"), "{fault:?}");
    }
    retry(json!({"a": 1}), &asked["requestState"]).await.unwrap();
    assert_eq!(retry(json!({"a": 1}), &asked["requestState"]).await.unwrap_err().code, -32602, "only once");
    assert_eq!(upstream.count("tools/call ask"), 1);
}

/// A tool that fails until somebody has visited a URL, with the error that 2025-11-25 has for that.
fn guarded() -> Script {
    let visits = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    Script::legacy().quick_tool("guarded", move |call: Call| {
        if visits.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 2 == 1 {
            return call.text("welcome");
        }
        let elicitation = json!({"mode": "url", "elicitationId": "e1", "url": "https://x/login", "message": "Log in"});
        let error = json!({"code": -32042, "message": "log in first", "data": {"elicitations": [elicitation]}});
        call.last(json!({"jsonrpc": "2.0", "id": call.id, "error": error}).to_string());
    })
}

#[tokio::test]
async fn a_url_to_visit_first_is_a_question() {
    let url = json!({"elicitation": {"url": {}}});
    for way in [Way::Stdio, Way::Http, Way::Sse] {
        let upstream = guarded().over(way).await;
        let gate = Gate::of("up", &upstream).start().await;
        for era in Era::BOTH {
            let accepts = client_that(&gate, era, "elicitation", ELICIT, Answer::Result(json!({"action": "accept"})));
            let client = accepts.capabilities(url.clone()).open().await;
            assert_eq!(client.text("up__guarded", json!({})).await, "welcome", "{era:?} {way:?}");
        }
        assert_eq!(upstream.count("tools/call guarded"), 4);

        let modern = Client::of(gate.url(), Era::Modern).capabilities(url.clone());
        let asked = modern.start_call("up__guarded", json!({})).await.outcome().await.unwrap();
        let question = asked["inputRequests"].as_object().unwrap().values().next().unwrap();
        let meta = json!({"io.toolgate/elicitationId": "e1"});
        let params = json!({"mode": "url", "url": "https://x/login", "message": "Log in", "_meta": meta});
        assert_eq!(*question, json!({"method": ELICIT, "params": params}));
        let retry = async |answers: Value| {
            let params = json!({
                "name": "up__guarded", "arguments": {}, "requestState": asked["requestState"], "inputResponses": answers,
            });
            modern.start("tools/call", params).await.outcome().await.unwrap()
        };
        assert_eq!(retry(json!({})).await["inputRequests"], asked["inputRequests"], "no answer: asked again");
        assert_eq!(retry(json!({"u1": {"action": "decline"}})).await["isError"], true);
        assert_eq!(upstream.count("tools/call guarded"), 5, "nobody has agreed: it is not made again");
        assert_eq!(text_of(&retry(json!({"u1": {"action": "accept"}})).await), "welcome");

        // Who cannot visit a URL is told what it would take.
        let fault = gate.modern().await.call("up__guarded", json!({})).await.unwrap_err();
        assert_eq!((fault.status, fault.code), (400, -32021), "{fault:?}");
        assert_eq!(fault.data["requiredCapabilities"], url);
    }
}

/// A legacy tool that asks two things at once, and answers with both answers.
async fn asks_two(call: Call) {
    let form = |message: &str| json!({"message": message, "requestedSchema": {"type": "object"}});
    let (one, other) = futures_util::future::join(
        call.ask(ELICIT, form("name?")),
        call.ask(SAMPLE, json!({"messages": [], "maxTokens": 1})),
    )
    .await;
    let (name, model) = (&one["result"]["content"]["n"], &other["result"]["model"]);
    call.text(&format!("{} {}", name.as_str().unwrap(), model.as_str().unwrap()));
}

#[tokio::test]
async fn questions_asked_together_come_together_and_again_until_all_are_answered() {
    for way in [Way::Stdio, Way::Http, Way::Sse] {
        let upstream = Script::legacy().tool("two", asks_two).over(way).await;
        let gate = Gate::of("up", &upstream).start().await;
        let both = json!({"elicitation": {}, "sampling": {}});
        let modern = Client::of(gate.url(), Era::Modern).capabilities(both);
        let first = modern.start_call("up__two", json!({})).await.outcome().await.unwrap();
        let questions: BTreeMap<String, Value> = serde_json::from_value(first["inputRequests"].clone()).unwrap();
        assert_eq!(questions.len(), 2, "{way:?}: {first}");
        let key = |method: &str| questions.iter().find(|(_, asked)| asked["method"] == method).unwrap().0.as_str();
        let (name, model) = (
            json!({"action": "accept", "content": {"n": "Ada"}}),
            json!({"role": "assistant", "content": {"type": "text", "text": "x"}, "model": "m"}),
        );
        let retry = async |state: &Value, answers: Value| {
            let params = json!({"name": "up__two", "arguments": {}, "requestState": state, "inputResponses": answers});
            modern.start("tools/call", params).await.outcome().await.unwrap()
        };
        // Of these, none is enough; the questions keep their names, and nothing has gone upstream yet.
        let mut state = first["requestState"].clone();
        for partial in [json!({}), json!({(key(ELICIT)): name}), json!({(key(SAMPLE)): model, "other": name}), json!(7)]
        {
            let again = retry(&state, partial).await;
            assert_eq!(again["inputRequests"], first["inputRequests"], "{way:?}: {again}");
            state = again["requestState"].clone();
        }
        let done = retry(&state, json!({(key(ELICIT)): name, (key(SAMPLE)): model})).await;
        assert_eq!(text_of(&done), "Ada m", "{way:?}");

        let legacy = Client::of(gate.url(), Era::Legacy)
            .can("elicitation", ELICIT, Answer::Result(name.clone()))
            .can("sampling", SAMPLE, Answer::Result(model.clone()))
            .open()
            .await;
        let mut exchange = legacy.start_call("up__two", json!({})).await;
        let asked = [exchange.expect_next().await, exchange.expect_next().await];
        legacy.answer(&asked[1]).await;
        legacy.answer(&asked[0]).await;
        assert_eq!(text_of(&exchange.outcome().await.unwrap()), "Ada m", "{way:?}");
        assert_eq!(upstream.count("tools/call two"), 2, "{way:?}");
    }
}

#[tokio::test]
async fn a_legacy_client_is_asked_all_that_a_modern_server_asks_round_by_round() {
    let ask = |key: &str| json!({(key): {"method": ELICIT, "params": {"message": key, "requestedSchema": {}}}});
    let rounds = move |call: Call| async move {
        let answers = &call.params["inputResponses"];
        match call.params["requestState"].as_str() {
            None => {
                let mut two = ask("a");
                two["b"] = ask("b")["b"].clone();
                call.answer(json!({"resultType": "input_required", "inputRequests": two, "requestState": "1"}));
            }
            Some("1") => {
                assert_eq!(answers.as_object().unwrap().len(), 2, "{answers}");
                call.answer(json!({"resultType": "input_required", "inputRequests": ask("c"), "requestState": "2"}));
            }
            Some(_) => {
                assert_eq!(answers.as_object().unwrap().keys().collect::<Vec<_>>(), ["c"]);
                call.text("enough");
            }
        }
    };
    for way in [Way::Stdio, Way::Http] {
        let upstream = Script::modern().tool("rounds", rounds).over(way).await;
        let gate = Gate::of("up", &upstream).start().await;
        let answer = Answer::Result(json!({"action": "accept", "content": {}}));
        for era in Era::BOTH {
            let client = client_that(&gate, era, "elicitation", ELICIT, answer.clone()).open().await;
            assert_eq!(client.text("up__rounds", json!({})).await, "enough", "{way:?} {era:?}");
        }
        assert_eq!(upstream.count("tools/call rounds"), 6);
    }
}

#[tokio::test]
async fn a_server_that_asks_without_end_is_stopped() {
    let endless = async |call: Call| {
        let question = json!({"q": {"method": ELICIT, "params": {"message": "?", "requestedSchema": {}}}});
        call.answer(json!({"resultType": "input_required", "inputRequests": question, "requestState": "on"}));
    };
    let many = async |call: Call| {
        let question = json!({"method": ELICIT, "params": {"message": "?", "requestedSchema": {}}});
        let questions: BTreeMap<String, Value> = (0..65).map(|nth| (nth.to_string(), question.clone())).collect();
        call.answer(json!({"resultType": "input_required", "inputRequests": questions}));
    };
    let upstream = Script::echo(Era::Modern).tool("endless", endless).tool("many", many).over_http().await;
    let gate = Gate::of("up", &upstream).start().await;
    let answer = Answer::Result(json!({"action": "accept", "content": {}}));
    let client = client_that(&gate, Era::Legacy, "elicitation", ELICIT, answer).open().await;
    for (tool, words) in [
        ("up__endless", "the server asked more than 10 times"),
        ("up__many", "the server asked more than 64 questions at once"),
    ] {
        let result = client.call(tool, json!({})).await.unwrap();
        assert_eq!((&result["isError"], text_of(&result)), (&json!(true), words.into()));
    }
    assert_eq!(upstream.count("tools/call endless"), 10);
    assert_eq!(client.text("up__echo", json!({"text": "on"})).await, "on");
}
