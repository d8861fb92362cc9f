//! A server of 2025-11-25 that wants a page to be visited before it runs a call (-32042): the person is asked once, the call
//! waits for the visit, and the client learns of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::sync::Notify;
use toolgate_testkit::client::text_of;
use toolgate_testkit::{Answer, Call, Client, Era, Gate, Script, Upstream, Way};

const ELICIT: &str = "elicitation/create";
const COMPLETE: &str = "notifications/elicitation/complete";
const LEGACY_WAYS: [Way; 3] = [Way::Stdio, Way::Http, Way::Sse];

/// Who has visited the page, and under which ids the server named it.
#[derive(Clone, Default)]
struct Login {
    done: Arc<AtomicBool>,
    named: Arc<AtomicUsize>,
}

/// A server whose tool `guarded` wants its person to log in first. Each call that it refuses has an id and a query of its own.
fn guarded(login: &Login) -> Script {
    let login = login.clone();
    Script::echo(Era::Legacy).quick_tool("guarded", move |call: Call| {
        if login.done.load(Ordering::Relaxed) {
            return call.text("welcome");
        }
        let nth = login.named.fetch_add(1, Ordering::Relaxed) + 1;
        let page = json!({
            "mode": "url", "elicitationId": format!("e{nth}"), "url": format!("https://x/login?n={nth}"),
            "message": "Log in",
        });
        refuse(&call, &[page]);
    })
}

fn refuse(call: &Call, pages: &[Value]) {
    let error = json!({"code": -32042, "message": "log in first", "data": {"elicitations": pages}});
    call.last(json!({"jsonrpc": "2.0", "id": call.id, "error": error}).to_string());
}

impl Login {
    /// The person has logged in, and the server says so.
    async fn happens(&self, upstream: &Upstream) {
        self.done.store(true, Ordering::Relaxed);
        upstream.tell(COMPLETE, json!({"elicitationId": "e1"})).await;
    }
}

/// A client whose person agrees to visit whatever page there is.
async fn willing(gate: &Gate, era: Era) -> Client {
    let client = Client::of(gate.url(), era).can("elicitation", ELICIT, Answer::Result(json!({"action": "accept"})));
    client.capabilities(json!({"elicitation": {"url": {}}})).open().await
}

/// What a call of `guarded` came to: what the client was asked, which pages it was told to be done with, and the result.
struct Visited {
    asked: Vec<Value>,
    told: Vec<Value>,
    result: Value,
}

async fn visit(client: &Client, era: Era) -> Visited {
    visit_telling(client, era, &Notify::new()).await
}

/// The same, ringing when the person has agreed.
async fn visit_telling(client: &Client, era: Era, agreed: &Notify) -> Visited {
    let (mut asked, mut told) = (Vec::new(), Vec::new());
    let mut params = json!({"name": "up__guarded", "arguments": {}});
    if era == Era::Legacy {
        let mut exchange = client.start("tools/call", params).await;
        loop {
            let message = exchange.expect_next().await;
            match message["method"].as_str() {
                None => return Visited { asked, told, result: exchange.finish(message).await.unwrap() },
                Some(ELICIT) => {
                    client.answer(&message).await;
                    agreed.notify_one();
                    asked.push(message["params"].clone());
                }
                Some(COMPLETE) => told.push(message["params"]["elicitationId"].clone()),
                Some(other) => panic!("{other}"),
            }
        }
    }
    loop {
        let result = client.start("tools/call", params.clone()).await.outcome().await.unwrap();
        if result["resultType"] == "complete" {
            return Visited { asked, told, result };
        }
        params["requestState"] = result["requestState"].clone();
        params.as_object_mut().unwrap().remove("inputResponses");
        if let Some(questions) = result["inputRequests"].as_object() {
            asked.extend(questions.values().map(|question| question["params"].clone()));
            let answers = questions.keys().map(|key| (key.clone(), json!({"action": "accept"})));
            params["inputResponses"] = answers.collect();
            agreed.notify_one();
        }
    }
}

/// Tries something with clients of both eras over every way to a legacy server, all at once.
async fn everywhere<F: Future<Output = ()>>(story: impl Fn(Era, Way) -> F) {
    let cells = Era::BOTH.into_iter().flat_map(|era| LEGACY_WAYS.map(|way| (era, way)));
    futures_util::future::join_all(cells.map(|(era, way)| story(era, way))).await;
}

#[tokio::test]
async fn who_agreed_to_visit_a_page_is_not_asked_again_while_at_it() {
    everywhere(|era, way| async move {
        let login = Login::default();
        let upstream = guarded(&login).over(way).await;
        let gate = Gate::of("up", &upstream).start().await;
        let client = willing(&gate, era).await;
        let logging_in = async {
            // The server says nothing for so long that the call is made anew before the person is done.
            upstream.heard_times("tools/call guarded", 2).await;
            login.happens(&upstream).await;
        };
        let (visited, ()) = tokio::join!(visit(&client, era), logging_in);
        assert_eq!(text_of(&visited.result), "welcome", "{era:?} {way:?}");
        assert_eq!(visited.asked.len(), 1, "{era:?} {way:?}: {:?}", visited.asked);
        assert_eq!(visited.asked[0]["url"], "https://x/login?n=1");
        if era == Era::Legacy {
            assert_eq!(visited.asked[0]["elicitationId"], "e1", "the server's own");
            assert_eq!(visited.told, ["e1"], "{way:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_that_never_says_so_is_asked_again_now_and_then() {
    let login = Login::default();
    let upstream = guarded(&login).over_http().await;
    let gate = Gate::of("up", &upstream).start().await;
    let (legacy, modern) = (willing(&gate, Era::Legacy).await, willing(&gate, Era::Modern).await);
    let logging_in = async {
        upstream.heard_times("tools/call guarded", 4).await;
        login.done.store(true, Ordering::Relaxed);
    };
    let (one, other, ()) = tokio::join!(visit(&legacy, Era::Legacy), visit(&modern, Era::Modern), logging_in);
    for visited in [one, other] {
        assert_eq!((text_of(&visited.result), visited.asked.len()), ("welcome".into(), 1), "{:?}", visited.asked);
    }
}

#[tokio::test]
async fn a_page_visited_before_the_person_says_so_counts() {
    for way in LEGACY_WAYS {
        let login = Login::default();
        let upstream = guarded(&login).over(way).await;
        let gate = Gate::of("up", &upstream).start().await;
        let client = willing(&gate, Era::Legacy).await;
        let mut exchange = client.start_call("up__guarded", json!({})).await;
        let question = exchange.expect_next().await;
        login.happens(&upstream).await;
        client.answer(&question).await;
        assert_eq!(exchange.notification(COMPLETE).await["params"]["elicitationId"], "e1", "{way:?}");
        assert_eq!(text_of(&exchange.outcome().await.unwrap()), "welcome", "{way:?}");
        assert_eq!(upstream.count("tools/call guarded"), 2, "{way:?}");
    }
}

#[tokio::test]
async fn who_takes_too_long_is_told_which_page_it_is() {
    for era in Era::BOTH {
        let upstream = guarded(&Login::default()).over_http().await;
        let gate = Gate::of("up", &upstream).config("timeouts: {answer: 1s}").start().await;
        let client = willing(&gate, era).await;
        let visited = visit(&client, era).await;
        assert_eq!((&visited.result["isError"], visited.asked.len()), (&json!(true), 1), "{era:?}");
        let text = text_of(&visited.result);
        assert!(text.contains("https://x/login?n=1"), "{text}");
        assert_eq!(upstream.count("tools/call guarded"), 2, "a last time before it is given up");
    }
}

#[tokio::test]
async fn one_request_waits_only_so_long_and_the_next_goes_on() {
    let login = Login::default();
    let upstream = guarded(&login).over_http().await;
    // A request waits for a tenth of it, and only after two seconds would the call be made anew.
    let gate = Gate::of("up", &upstream).config("timeouts: {answer: 3s}").start().await;
    let client = willing(&gate, Era::Modern).await;
    let asked = client.start_call("up__guarded", json!({})).await.outcome().await.unwrap();
    let retry = async |state: &Value, answers: Value| {
        let mut params = json!({"name": "up__guarded", "arguments": {}, "requestState": state});
        if !answers.is_null() {
            params["inputResponses"] = answers;
        }
        client.start("tools/call", params).await.outcome().await.unwrap()
    };
    let later = retry(&asked["requestState"], json!({"u1": {"action": "accept"}})).await;
    assert_eq!(later["resultType"], "input_required");
    assert!(later["inputRequests"].is_null() && later["requestState"].is_string(), "{later}");
    assert_eq!(upstream.count("tools/call guarded"), 1, "nothing says that the page was visited");
    login.happens(&upstream).await;
    assert_eq!(text_of(&retry(&later["requestState"], Value::Null).await), "welcome");
}

#[tokio::test]
async fn several_pages_are_asked_for_at_once_and_one_after_the_other() {
    for era in Era::BOTH {
        let calls = Arc::new(AtomicUsize::new(0));
        let page = |name: &str| json!({"mode": "url", "elicitationId": name, "url": format!("https://x/{name}"), "message": name});
        let script = Script::echo(Era::Legacy).quick_tool("guarded", move |call: Call| {
            match calls.fetch_add(1, Ordering::Relaxed) {
                0 => refuse(&call, &[page("a"), page("b")]),
                // One is still to be visited, and another is new.
                1 => refuse(&call, &[page("b"), page("c")]),
                _ => call.text("welcome"),
            }
        });
        let upstream = script.over_http().await;
        let gate = Gate::of("up", &upstream).start().await;
        let visited = visit(&willing(&gate, era).await, era).await;
        let asked: Vec<&Value> = visited.asked.iter().map(|params| &params["message"]).collect();
        assert_eq!(asked, ["a", "b", "c"], "{era:?}");
        assert_eq!(text_of(&visited.result), "welcome", "{era:?}");
    }
}

#[tokio::test]
async fn a_connection_that_is_lost_meanwhile_is_none_of_the_persons_business() {
    everywhere(|era, way| async move {
        let login = Login::default();
        let upstream = guarded(&login).over(way).await;
        let gate = Gate::of("up", &upstream).start().await;
        let client = willing(&gate, era).await;
        let agreed = Notify::new();
        let restarting = async {
            agreed.notified().await;
            upstream.go_down().await;
            upstream.forget_sessions();
            login.done.store(true, Ordering::Relaxed);
            upstream.come_up().await;
        };
        let (visited, ()) = tokio::join!(visit_telling(&client, era, &agreed), restarting);
        assert_eq!(text_of(&visited.result), "welcome", "{era:?} {way:?}");
        assert_eq!(visited.asked.len(), 1, "{era:?} {way:?}");
        assert_eq!(upstream.count("tools/call guarded"), 2, "{era:?} {way:?}: what was answered is not sent again");
    })
    .await;
}

#[tokio::test]
async fn a_legacy_client_that_will_not_is_asked_once() {
    let upstream = guarded(&Login::default()).over_http().await;
    let gate = Gate::of("up", &upstream).start().await;
    for (answer, text) in [
        (Answer::Refuse(-1, "user said no"), "user said no"),
        (
            Answer::Result(json!({"action": "decline"})),
            "the server wants a URL to be visited first, and that was declined",
        ),
    ] {
        let client = Client::of(gate.url(), Era::Legacy).can("elicitation", ELICIT, answer);
        let client = client.capabilities(json!({"elicitation": {"url": {}}})).open().await;
        let visited = visit(&client, Era::Legacy).await;
        assert_eq!((&visited.result["isError"], text_of(&visited.result)), (&json!(true), text.into()));
        assert_eq!(visited.asked.len(), 1);
    }
    assert_eq!(upstream.count("tools/call guarded"), 2);
}

#[tokio::test]
async fn a_cancelled_call_is_not_made_anew() {
    let upstream = guarded(&Login::default()).over_http().await;
    let gate = Gate::of("up", &upstream).start().await;
    let client = willing(&gate, Era::Legacy).await;
    let mut exchange = client.start_call("up__guarded", json!({})).await;
    let question = exchange.expect_next().await;
    client.answer(&question).await;
    client.cancel(exchange).await;
    // Whatever the gateway makes of that is over when nothing waits at the upstream: another one's visit is not disturbed.
    let login = Login::default();
    let other = guarded(&login).over_http().await;
    let second = Gate::of("up", &other).start().await;
    let client = willing(&second, Era::Legacy).await;
    let logging_in = async {
        other.heard_times("tools/call guarded", 2).await;
        login.happens(&other).await;
    };
    let (visited, ()) = tokio::join!(visit(&client, Era::Legacy), logging_in);
    assert_eq!(text_of(&visited.result), "welcome");
    assert_eq!(upstream.count("tools/call guarded"), 1, "the other was made anew meanwhile, this was not");
}

#[tokio::test]
async fn a_tool_that_runs_as_a_task_may_want_a_page_to_be_visited() {
    let login = Login::default();
    let page = json!({"mode": "url", "elicitationId": "e1", "url": "https://x/login", "message": "Log in"});
    let done = login.done.clone();
    let tool = r#"{"name":"guarded","inputSchema":{"type":"object"},"execution":{"taskSupport":"required"}}"#;
    let task = || json!({"taskId": "t", "status": "completed", "pollInterval": 20});
    let script = Script::legacy()
        .capabilities(json!({"tools": {}, "tasks": {"requests": {"tools": {"call": {}}}}}))
        .entry("tools", tool)
        .on("tasks/get", move |call: Call| async move { call.answer(task()) })
        .on("tools/call guarded", move |call: Call| {
            match done.load(Ordering::Relaxed) {
                true => call.answer(json!({"task": task()})),
                false => refuse(&call, std::slice::from_ref(&page)),
            }
            std::future::ready(())
        })
        .on("tasks/result", async |call: Call| call.text("welcome"));
    let upstream = script.over_http().await;
    let gate = Gate::of("up", &upstream).start().await;
    for era in Era::BOTH {
        login.done.store(false, Ordering::Relaxed);
        let before = upstream.count("tools/call guarded");
        let client = willing(&gate, era).await;
        let logging_in = async {
            upstream.heard_times("tools/call guarded", before + 2).await;
            login.happens(&upstream).await;
        };
        let (visited, ()) = tokio::join!(visit(&client, era), logging_in);
        assert_eq!((text_of(&visited.result), visited.asked.len()), ("welcome".into(), 1), "{era:?}");
    }
}

#[tokio::test]
async fn a_modern_server_that_wants_to_be_asked_later_is_and_a_legacy_client_waits() {
    // More often than it may ask its client something.
    let later = Script::modern().tool("busy", async |call: Call| {
        let nth: u64 = call.params["requestState"].as_str().map_or(0, |state| state.parse().unwrap());
        match nth {
            12 => call.text("at last"),
            _ => call.answer(json!({"resultType": "input_required", "requestState": (nth + 1).to_string()})),
        }
    });
    let upstream = later.over_http().await;
    let gate = Gate::of("up", &upstream).start().await;
    assert_eq!(gate.legacy().await.text("up__busy", json!({})).await, "at last");
    let asked = upstream.asked();
    assert!(asked.iter().all(|asked| asked.params["inputResponses"].is_null()), "nothing was asked");
    let gate = Gate::of("up", &upstream).config("timeouts: {answer: 200ms}").start().await;
    let result = gate.legacy().await.call("up__busy", json!({})).await.unwrap();
    assert_eq!(
        (&result["isError"], text_of(&result)),
        (&json!(true), "the server was not ready to answer within 200ms".into())
    );
}

#[tokio::test]
async fn a_legacy_client_learns_that_a_modern_servers_page_is_done_with() {
    let asking = Script::modern().tool("visit", async |call: Call| match &call.params["inputResponses"]["q"] {
        Value::Null => call.answer(json!({
            "resultType": "input_required",
            "inputRequests": {"q": {
                "method": ELICIT, "params": {"mode": "url", "url": "https://x", "message": "m"},
            }},
        })),
        _ => call.text("visited"),
    });
    let upstream = asking.over_http().await;
    let gate = Gate::of("up", &upstream).start().await;
    let client = willing(&gate, Era::Legacy).await;
    let mut exchange = client.start_call("up__visit", json!({})).await;
    let question = exchange.expect_next().await;
    client.answer(&question).await;
    let told = exchange.notification(COMPLETE).await;
    assert_eq!(told["params"]["elicitationId"], question["params"]["elicitationId"]);
    assert_eq!(text_of(&exchange.outcome().await.unwrap()), "visited");
}

#[tokio::test]
async fn a_client_learns_of_a_visit_after_its_call_and_no_other_client_does() {
    for way in LEGACY_WAYS {
        let asking = Script::legacy().tool("visit", async |call: Call| {
            let id = call.argument("id");
            let page = json!({"mode": "url", "url": "https://x", "message": "m", "elicitationId": id});
            let answer = call.ask(ELICIT, page).await;
            call.text(&answer["result"].to_string());
        });
        let upstream = asking.over(way).await;
        let gate = Gate::of("up", &upstream).start().await;
        let (ann, bob) = (willing(&gate, Era::Legacy).await, willing(&gate, Era::Legacy).await);
        let (mut anns, mut bobs) = (ann.listen(&[]).await, bob.listen(&[]).await);
        for (client, id) in [(&ann, "anns"), (&bob, "bobs")] {
            assert_eq!(client.text("up__visit", json!({"id": id})).await, r#"{"action":"accept"}"#);
        }
        for id in ["anns", "anns", "bobs"] {
            upstream.tell(COMPLETE, json!({"elicitationId": id})).await;
        }
        upstream.tell("notifications/message", json!({"level": "error", "data": "over"})).await;
        for (hears, id) in [(&mut anns, "anns"), (&mut bobs, "bobs")] {
            assert_eq!(hears.expect_next().await["params"], json!({"elicitationId": id}), "{way:?}");
            assert_eq!(hears.expect_next().await["params"]["data"], "over", "{way:?}: once, and of no other");
        }
    }
}
