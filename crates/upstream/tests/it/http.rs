//! Modern servers over streamable HTTP.

use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use toolgate_protocol::{Event, Json, Method, Object};
use toolgate_upstream::{Call, Change, Origin, State, own_meta};

use crate::server::{Answer, Asked, Server, event};
use crate::setup::{all, ask, at, call, reason, start, until};

fn discovered(capabilities: Value) -> Answer {
    Answer::json(
        200,
        &json!({"result": {"resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": capabilities}}),
    )
}

/// A modern server whose tools the script answers.
async fn modern(tools: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Server {
    Server::start(move |asked| match asked.method().as_str() {
        "server/discover" => discovered(json!({"tools": {}})),
        _ => tools(asked),
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn headers_repeat_the_body_and_the_body_is_verbatim() {
    let server = modern(|asked| {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":{},"result":{{"z":1e2,"resultType":"complete","a":[ 1.50 ]}}}}"#,
            asked.id()
        );
        Answer::raw(200, "application/json; charset=utf-8", body)
    })
    .await;
    let upstream = start(at(&server.url()));
    let mut call = call("größe", &json!({"tenant": " x"}), &json!({"progressToken": 7, "vendor": 1}));
    call.param_headers = vec![("tenant".into(), " x".into())];
    let result = upstream.send(call).await.outcome().await.unwrap();
    assert_eq!(result.as_str(), r#"{"z":1e2,"resultType":"complete","a":[ 1.50 ]}"#);
    let asked = server.asked().pop().unwrap();
    assert_eq!(asked.header("mcp-protocol-version").unwrap(), "2026-07-28");
    assert_eq!(asked.header("mcp-method").unwrap(), "tools/call");
    assert_eq!(asked.header("mcp-name").unwrap(), "=?base64?Z3LDtsOfZQ==?=");
    assert_eq!(asked.header("mcp-param-tenant").unwrap(), "=?base64?IHg=?=");
    assert_eq!(asked.header("accept").unwrap(), "application/json, text/event-stream");
    assert_eq!(asked.header("content-type").unwrap(), "application/json");
    assert!(asked.header("accept-encoding").is_none() && asked.header("mcp-session-id").is_none());
    assert_eq!(asked.body["params"]["_meta"]["progressToken"], 7);
    assert_eq!(asked.body["params"]["_meta"]["vendor"], 1);
    upstream.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn configured_headers_go_with_every_request() {
    let server = modern(|_| Answer::json(200, &json!({"result": {}}))).await;
    let mut config = at(&server.url());
    let toolgate_upstream::Transport::Http(place) = &mut config.transport else { panic!() };
    place.headers.push(("authorization".parse().unwrap(), "Bearer s3cret".parse().unwrap()));
    assert!(!format!("{config:?}").contains("s3cret") && !format!("{config:?}").contains("key=secret"));
    let upstream = start(config);
    ask(&upstream, "x", json!({})).await.unwrap();
    assert!(server.asked().iter().all(|asked| asked.header("authorization").unwrap() == "Bearer s3cret"));
    upstream.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn events_come_in_order_and_the_connection_is_used_again() {
    let server = modern(|asked| {
        let progress = |n: u32| {
            event(&json!({"method": "notifications/progress", "params": {"progressToken": "t", "progress": n}}))
        };
        Answer::events(&[
            ": hello\n\n".into(),
            progress(1),
            progress(2),
            event(&json!({"id": asked.id(), "result": {"n": 3}})),
        ])
    })
    .await;
    let upstream = start(at(&server.url()));
    for _ in 0..10 {
        let (notifications, result) =
            all(upstream.send(call("x", &json!({}), &json!({"progressToken": "t"}))).await).await;
        let steps: Vec<_> =
            notifications.iter().map(|n| n.params.get("progress").unwrap().as_str().to_owned()).collect();
        assert_eq!(steps, ["1", "2"]);
        assert_eq!(result.unwrap(), json!({"n": 3}));
    }
    // What follows an answer may still be on its way when the next call is made.
    assert!(server.connections() < 5, "{}", server.connections());
    upstream.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reply_that_is_dropped_closes_its_connection() {
    let (events, answer) = Answer::stream();
    let server = modern(move |_| answer.clone()).await;
    let upstream = start(at(&server.url()));
    events.send(event(&json!({"method": "notifications/message", "params": {}})).into()).await.unwrap();
    let mut reply = upstream.send(call("x", &json!({}), &json!({}))).await;
    assert!(matches!(reply.next().await, Some(Event::Notification(_))));
    drop(reply);
    // The server's own channel closes when its connection does.
    events.closed().await;
    upstream.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn errors_of_the_upstream_pass_whatever_their_status() {
    let error =
        json!({"code": -32021, "message": "no", "data": {"requiredCapabilities": {"sampling": {}}}, "vendor": 1});
    let sent = error.clone();
    let server = modern(move |_| Answer::json(400, &json!({"error": sent}))).await;
    let upstream = start(at(&server.url()));
    let outcome = upstream.send(call("x", &json!({}), &json!({}))).await.outcome().await.unwrap_err();
    assert_eq!(serde_json::from_slice::<Value>(outcome.to_json().text()).unwrap(), error);
    upstream.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn answers_of_no_use_are_told_apart() {
    let (_open, endless) = Answer::stream();
    let cases = [
        (Answer::text(401, ""), "refused", "credentials"),
        (Answer::text(307, "").with_header("location", "http://other/"), "refused", "redirects"),
        (Answer::text(200, "<html>"), "refused", "text/plain"),
        (Answer::text(502, ""), "refused", "HTTP 502"),
        (Answer::raw(200, "application/json", "{"), "garbage", "no answer"),
        (Answer::json(200, &json!({"id": 999, "result": {}})), "garbage", "no answer"),
        (Answer::json(200, &json!([1])), "garbage", "no answer"),
        (Answer::raw(200, "application/json", vec![b' '; 20_000]), "too_large", "10000 bytes"),
        (Answer::events(&[format!("data: {}", "x".repeat(20_000))]), "too_large", "10000 bytes"),
        (Answer::events(&["data: {}\n\n".into()]), "garbage", "no JSON-RPC message"),
        (Answer::events(&[]), "closed", "without an answer"),
        (Answer::Close, "closed", "unknown"),
        (Answer::Hang, "timeout", "no sign of life for 0.2 s"),
        (endless, "timeout", "no sign of life"),
    ];
    for (answer, expected, words) in cases {
        let shown = format!("{answer:?}").chars().take(60).collect::<String>();
        let server = modern(move |_| answer.clone()).await;
        let mut config = at(&server.url());
        config.limits.message_bytes = 10_000;
        config.timeouts.call = Duration::from_millis(200);
        let upstream = start(config);
        let error = ask(&upstream, "x", json!({})).await.unwrap_err();
        assert_eq!(reason(&error), expected, "{shown}: {}", error.message);
        assert!(error.message.contains(words), "{shown}: {}", error.message);
        assert!(!error.message.contains("secret"));
        assert_eq!(server.count("tools/call"), 1, "{shown}: a call is sent once");
        upstream.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_restarts_is_met_again() {
    let script = |asked: &Asked| match asked.method().as_str() {
        "server/discover" => discovered(json!({})),
        _ => Answer::json(200, &json!({"result": {}})),
    };
    let server = Server::start(script).await;
    let upstream = start(at(&server.url()));
    ask(&upstream, "x", json!({})).await.unwrap();
    let origin = server.origin();
    drop(server);
    let mut state = upstream.state();
    // A connection that is still open at the time takes one more call.
    until(|| async {
        let Err(error) = ask(&upstream, "x", json!({})).await else { return false };
        assert!(matches!(&*reason(&error), "unavailable" | "closed"), "{}", error.message);
        reason(&error) == "unavailable"
    })
    .await;
    state.wait_for(|state| matches!(state, State::Failed { .. })).await.unwrap();
    let _again = Server::start_at(&origin, script).await;
    state.wait_for(|state| matches!(state, State::Ready(peer) if peer.generation > 1)).await.unwrap();
    ask(&upstream, "x", json!({})).await.unwrap();
    upstream.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_listen_tells_of_changes_and_watches_are_added_to_it() {
    let (opened, mut listens) = mpsc::unbounded_channel::<(Asked, mpsc::Sender<Bytes>)>();
    let opened = Mutex::new(opened);
    let server = Server::start(move |asked| match asked.method().as_str() {
        "server/discover" => discovered(json!({"tools": {"listChanged": true}, "resources": {"subscribe": true}})),
        _ => {
            let (events, answer) = Answer::stream();
            opened.lock().unwrap().send((asked.clone(), events)).unwrap();
            answer
        }
    })
    .await;
    let meta = |asked: &Asked| json!({"io.modelcontextprotocol/subscriptionId": asked.id()});
    let acknowledged = |asked: &Asked| {
        let params = json!({"_meta": meta(asked), "notifications": asked.body["params"]["notifications"]});
        Bytes::from(event(&json!({"method": "notifications/subscriptions/acknowledged", "params": params})))
    };
    let upstream = start(at(&server.url()));
    let mut changes = upstream.changes();
    let (first, first_events) = listens.recv().await.unwrap();
    assert_eq!(first.body["params"]["notifications"], json!({"toolsListChanged": true}));
    first_events.send(acknowledged(&first)).await.unwrap();
    assert!(matches!(changes.recv().await.map(|told| told.change), Ok(Change::Connected)));

    let watching = tokio::spawn({
        let upstream = upstream.clone();
        async move { upstream.watch("a:1", &Origin::own()).await }
    });
    let (second, second_events) = listens.recv().await.unwrap();
    assert_eq!(second.body["params"]["notifications"]["resourceSubscriptions"], json!(["a:1"]));
    // The old one still counts.
    let changed = event(&json!({"method": "notifications/tools/list_changed", "params": {"_meta": meta(&first)}}));
    first_events.send(changed.into()).await.unwrap();
    assert!(matches!(changes.recv().await.map(|told| told.change), Ok(Change::ToolsChanged)));
    assert!(!watching.is_finished() && !first_events.is_closed());
    second_events.send(acknowledged(&second)).await.unwrap();
    let watch = watching.await.unwrap().unwrap();
    first_events.closed().await;
    let updated =
        event(&json!({"method": "notifications/resources/updated", "params": {"_meta": meta(&second), "uri": "a:1"}}));
    second_events.send(updated.into()).await.unwrap();
    assert!(
        matches!(changes.recv().await.map(|told| told.change), Ok(Change::ResourceUpdated { uri, .. }) if uri == "a:1")
    );

    // A listen that breaks off is opened again, and what may have been missed counts as changed.
    drop(second_events);
    let (third, third_events) = listens.recv().await.unwrap();
    third_events.send(acknowledged(&third)).await.unwrap();
    assert!(matches!(changes.recv().await.map(|told| told.change), Ok(Change::ToolsChanged)));
    drop(watch);
    upstream.stop().await;
    third_events.closed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn lists_have_a_deadline_of_their_own() {
    let server = modern(|_| Answer::Hang).await;
    let mut config = at(&server.url());
    config.timeouts.list = Duration::from_millis(50);
    let upstream = start(config);
    let error = upstream.ask(Method::ToolsList, Object::new()).await.unwrap_err();
    assert_eq!(reason(&error), "timeout");
    upstream.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn stopping_ends_calls_in_flight() {
    let server = modern(|_| Answer::Hang).await;
    let upstream = start(at(&server.url()));
    let hanging = tokio::spawn({
        let upstream = upstream.clone();
        async move { ask(&upstream, "x", json!({})).await }
    });
    until(|| async { server.count("tools/call") == 1 }).await;
    upstream.stop().await;
    assert_eq!(reason(&hanging.await.unwrap().unwrap_err()), "stopped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_concerns_one_hop_is_not_passed_on() {
    let server = modern(|_| Answer::json(200, &json!({"result": {}}))).await;
    let upstream = start(at(&server.url()));
    for method in [Method::Ping, Method::Initialize, Method::Listen, Method::SetLevel] {
        let params = Object::new().with("_meta", own_meta(toolgate_protocol::Revision::LATEST_MODERN).to_json());
        let error = upstream
            .send(Call { method, params, param_headers: Vec::new(), origin: Origin::anonymous("somebody") })
            .await
            .outcome()
            .await
            .unwrap_err();
        assert_eq!(error.code, -32601);
    }
    let vendor = upstream.ask(Method::from("vendor/thing"), Object::new().with("a", Json::literal("1"))).await;
    assert!(vendor.is_ok());
    upstream.stop().await;
}
