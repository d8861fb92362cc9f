//! Legacy servers over HTTP: sessions, streams that are resumed, and the transport of 2024-11-05.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use toolgate_protocol::Era;
use toolgate_upstream::{Change, Config, EraPin, HttpConfig, Origin, Transport};

use crate::server::{Answer, Asked, Server, event};
use crate::setup::{able, all, ask, at, call, config, json as as_json, read, reason, start, until};

fn legacy(url: &str) -> Config {
    Config { era: EraPin::Legacy, ..at(url) }
}

fn initialized(session: &str) -> Answer {
    let capabilities = json!({"tools": {}, "resources": {"subscribe": true}});
    let result = json!({"protocolVersion": "2025-11-25", "capabilities": capabilities, "serverInfo": {"name": "s"}});
    Answer::json(200, &json!({"result": result})).with_header("mcp-session-id", session)
}

/// A legacy server with one session and no stream of its own; the script answers calls and streams.
async fn sessionful(script: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Server {
    Server::start(move |asked| match asked.method().as_str() {
        "initialize" => initialized("s1"),
        "notifications/initialized" | "notifications/cancelled" | "DELETE" => Answer::text(202, ""),
        _ => script(asked),
    })
    .await
}

fn no_stream() -> Answer {
    Answer::text(405, "")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_session_is_opened_used_and_given_up() {
    let server = sessionful(|asked| match asked.method().as_str() {
        "GET" => no_stream(),
        _ => Answer::json(200, &json!({"result": {"content": []}})),
    })
    .await;
    let upstream = start(legacy(&server.url()));
    assert_eq!(ask(&upstream, "x", json!({})).await.unwrap(), json!({"content": [], "resultType": "complete"}));
    upstream.stop().await;
    let asked = server.asked();
    let methods: Vec<String> = asked.iter().map(Asked::method).collect();
    assert_eq!(methods, ["initialize", "notifications/initialized", "GET", "tools/call", "DELETE"]);
    assert!(asked[0].header("mcp-session-id").is_none() && asked[0].header("mcp-protocol-version").is_none());
    for later in &asked[1..] {
        assert_eq!(later.header("mcp-session-id").unwrap(), "s1");
        assert_eq!(later.header("mcp-protocol-version").unwrap(), "2025-11-25");
        assert!(later.header("mcp-method").is_none());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_forgotten_session_is_replaced_and_only_the_rejected_request_is_sent_again() {
    for rejection in [
        Answer::text(404, ""),
        Answer::json(404, &json!({"id": null, "error": {"code": -32001, "message": "Session not found"}})),
        Answer::json(
            400,
            &json!({"id": "server-error", "error": {"code": -32600, "message": "Bad Request: No valid session ID"}}),
        ),
        Answer::text(400, "Bad Request: Missing session"),
    ] {
        let sessions = AtomicUsize::new(0);
        let server = Server::start(move |asked| match asked.method().as_str() {
            "initialize" => initialized(&format!("s{}", sessions.fetch_add(1, Ordering::Relaxed) + 1)),
            "tools/call"
                if asked.header("mcp-session-id").unwrap() == "s1" && asked.body["params"]["name"] == "again" =>
            {
                rejection.clone()
            }
            "tools/call" => Answer::json(200, &json!({"result": {}})),
            "GET" => no_stream(),
            _ => Answer::text(202, ""),
        })
        .await;
        let upstream = start(legacy(&server.url()));
        ask(&upstream, "x", json!({})).await.unwrap();
        ask(&upstream, "again", json!({})).await.unwrap();
        assert_eq!((server.count("initialize"), server.count("tools/call")), (2, 3));
        upstream.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stream_that_breaks_off_is_resumed_where_it_stopped() {
    let server = sessionful(|asked| match (asked.method().as_str(), asked.header("last-event-id")) {
        ("GET", None) => no_stream(),
        ("GET", Some(id)) if id == "e1" => Answer::events(&["id: e2\nretry: 1\ndata:\n\n".into()]),
        ("GET", Some(_)) => {
            Answer::events(&[format!("id: e3\n{}", event(&json!({"id": 2, "result": {"resumed": true}})))])
        }
        _ => Answer::events(&["id: e1\nretry: 1\ndata:\n\n".into()]),
    })
    .await;
    let upstream = start(legacy(&server.url()));
    assert_eq!(ask(&upstream, "x", json!({})).await.unwrap()["resumed"], true);
    assert_eq!(server.count("tools/call"), 1);
    let resumed: Vec<_> = server.asked().iter().filter_map(|asked| asked.header("last-event-id")).collect();
    assert_eq!(resumed, ["e1", "e2"]);
    upstream.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stream_without_ids_that_breaks_off_is_not_run_again() {
    let server = sessionful(|asked| match asked.method().as_str() {
        "GET" => no_stream(),
        _ => Answer::events(&[]),
    })
    .await;
    let upstream = start(legacy(&server.url()));
    assert_eq!(reason(&ask(&upstream, "x", json!({})).await.unwrap_err()), "closed");
    assert_eq!(server.count("tools/call"), 1);
    upstream.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_dropped_call_is_cancelled_by_name() {
    let server = sessionful(|asked| match asked.method().as_str() {
        "GET" => no_stream(),
        _ => Answer::Hang,
    })
    .await;
    let upstream = start(legacy(&server.url()));
    let hanging = tokio::spawn({
        let upstream = upstream.clone();
        async move { ask(&upstream, "x", json!({})).await }
    });
    until(|| async { server.count("tools/call") == 1 }).await;
    hanging.abort();
    until(|| async { server.count("notifications/cancelled") == 1 }).await;
    let asked = server.asked();
    let id = asked.iter().find(|asked| asked.method() == "tools/call").unwrap().id().clone();
    assert_eq!(asked.last().unwrap().body["params"]["requestId"], id);
    upstream.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_question_on_a_calls_own_stream_is_for_its_client() {
    let (events, stream) = Answer::stream();
    let (answered, mut answers) = mpsc::unbounded_channel::<Value>();
    let answered = Mutex::new(answered);
    let server = sessionful(move |asked| match asked.method().as_str() {
        "GET" => no_stream(),
        "tools/call" if asked.body["params"]["name"] == "ask" => stream.clone(),
        "tools/call" => Answer::Hang,
        _ => {
            answered.lock().unwrap().send(asked.body.clone()).unwrap();
            Answer::text(202, "")
        }
    })
    .await;
    let upstream = start(legacy(&server.url()));
    let other = tokio::spawn({
        let upstream = upstream.clone();
        async move { ask(&upstream, "hang", json!({})).await }
    });
    until(|| async { server.count("tools/call") == 1 }).await;
    let question = json!({"id": "theirs", "method": "elicitation/create", "params": {"mode": "url", "url": "https://x", "elicitationId": "e"}});
    events.send(event(&question).into()).await.unwrap();
    let mut first = call("ask", &json!({}), &able());
    let asked = read(upstream.send(first.clone()).await.outcome().await).unwrap();
    assert_eq!(
        asked["inputRequests"]["q1"]["params"],
        json!({"mode": "url", "url": "https://x", "_meta": {"io.toolgate/elicitationId": "e"}})
    );
    first.params.set("inputResponses", as_json(&json!({"q1": {"action": "accept"}})));
    first.params.set("requestState", as_json(&asked["requestState"]));
    // The call is the second request after `initialize`, and its stream is still open.
    events.send(event(&json!({"id": 3, "result": {"content": []}})).into()).await.unwrap();
    let (_, result) = all(upstream.send(first).await).await;
    assert_eq!(result.unwrap()["resultType"], "complete");
    assert_eq!(
        answers.recv().await.unwrap(),
        json!({"jsonrpc": "2.0", "id": "theirs", "result": {"action": "accept"}})
    );
    assert_eq!(server.count("notifications/cancelled"), 0, "a call put aside is not cancelled");
    other.abort();
    upstream.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_sessions_own_stream_tells_of_changes_and_is_opened_again() {
    let (opened, mut streams) = mpsc::unbounded_channel::<(Asked, mpsc::Sender<Bytes>)>();
    let opened = Mutex::new(opened);
    let server = sessionful(move |asked| match asked.method().as_str() {
        "GET" => {
            let (events, answer) = Answer::stream();
            opened.lock().unwrap().send((asked.clone(), events)).unwrap();
            answer
        }
        "resources/subscribe" => Answer::json(200, &json!({"result": {}})),
        _ => Answer::text(202, ""),
    })
    .await;
    let upstream = start(legacy(&server.url()));
    let mut changes = upstream.changes();
    let (_, events) = streams.recv().await.unwrap();
    assert!(matches!(changes.recv().await.map(|told| told.change), Ok(Change::Connected)));
    let changed = event(&json!({"method": "notifications/tools/list_changed"}));
    events.send(format!("id: 7\nretry: 100\n{changed}").into()).await.unwrap();
    assert!(matches!(changes.recv().await.map(|told| told.change), Ok(Change::ToolsChanged)));
    let _watch = upstream.watch("a:1", &Origin::own()).await.unwrap();
    let updated = json!({"method": "notifications/resources/updated", "params": {"uri": "a:1"}});
    events.send(event(&updated).into()).await.unwrap();
    assert!(
        matches!(changes.recv().await.map(|told| told.change), Ok(Change::ResourceUpdated { uri, .. }) if uri == "a:1")
    );
    // An upstream may see whether we are there, and asks in vain when nobody could be asked.
    for (id, method) in [(1, "ping"), (2, "roots/list"), (3, "sampling/createMessage"), (4, "vendor/thing")] {
        events.send(event(&json!({"id": id, "method": method})).into()).await.unwrap();
    }
    let answers = || {
        server
            .asked()
            .into_iter()
            .filter(|asked| asked.verb == "POST" && asked.body["method"].is_null())
            .map(|asked| asked.body)
    };
    until(|| async { answers().count() == 4 }).await;
    let answer = |id: u64| answers().find(|answer| answer["id"] == id).unwrap();
    assert_eq!(answer(1)["result"], json!({}));
    assert_eq!(answer(2)["result"], json!({"roots": []}));
    assert_eq!((&answer(3)["error"]["code"], &answer(4)["error"]["code"]), (&json!(-32601), &json!(-32601)));
    drop(events);
    let (again, _events) = streams.recv().await.unwrap();
    assert_eq!(again.header("last-event-id").unwrap(), "7");
    upstream.stop().await;
}

/// A server of 2024-11-05: GET opens the stream, POSTs go to the URL it names, answers come on the stream.
async fn ancient() -> Server {
    let open: Mutex<Option<mpsc::Sender<Bytes>>> = Mutex::new(None);
    Server::start(move |asked| {
        let say = |message: &Value| drop(open.lock().unwrap().as_ref().unwrap().try_send(event(message).into()));
        match (asked.verb.as_str(), asked.path.as_str(), asked.method().as_str()) {
            ("GET", ..) => {
                let (events, answer) = Answer::stream();
                events.try_send("event: endpoint\ndata: /messages?sessionId=1\n\n".into()).unwrap();
                *open.lock().unwrap() = Some(events);
                return answer;
            }
            ("POST", "/messages", "initialize") => {
                let result = json!({"protocolVersion": "2024-11-05", "capabilities": {"tools": {}}, "serverInfo": {"name": "old"}});
                say(&json!({"id": asked.id(), "result": result}));
            }
            ("POST", "/messages", "tools/call") if asked.body["params"]["name"] == "refuse" => return Answer::text(500, ""),
            ("POST", "/messages", "tools/call") if asked.body["params"]["name"] == "close" => *open.lock().unwrap() = None,
            ("POST", "/messages", "tools/call") => say(&json!({"id": asked.id(), "result": {"echo": asked.body["params"]["name"]}})),
            ("POST", "/messages", _) => {}
            _ => return Answer::text(404, ""),
        }
        Answer::text(202, "")
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn http_with_sse_is_spoken_when_asked_for_and_found_when_not() {
    for found in [false, true] {
        let server = ancient().await;
        let place = HttpConfig { url: server.url().parse().unwrap(), headers: Vec::new() };
        let upstream = start(if found { at(&server.url()) } else { config(Transport::Sse(place)) });
        for name in ["a", "b"] {
            assert_eq!(ask(&upstream, name, json!({})).await.unwrap()["echo"], name);
        }
        assert!(
            matches!(&*upstream.state().borrow(), toolgate_upstream::State::Ready(peer) if peer.era == Era::Legacy)
        );
        assert_eq!(reason(&ask(&upstream, "refuse", json!({})).await.unwrap_err()), "refused");
        assert_eq!(reason(&ask(&upstream, "close", json!({})).await.unwrap_err()), "closed");
        assert_eq!(ask(&upstream, "c", json!({})).await.unwrap()["echo"], "c");
        upstream.stop().await;
    }
}
