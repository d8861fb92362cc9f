//! What changes without being asked for: resources that are watched, log messages, and the streams that tell of them.

use serde_json::{Value, json};
use toolgate_testkit::{Call, EVERY_WAY, Era, Exchange, Gate, Script, Upstream, Way};

const UPDATED: &str = "notifications/resources/updated";

fn watched(era: Era) -> Script {
    Script::new(era)
        .entry("resources", r#"{"uri":"doc://a","name":"a"}"#)
        .entry("resources", r#"{"uri":"doc://b","name":"b"}"#)
}

async fn update(upstream: &Upstream, uri: &str) {
    upstream.tell(UPDATED, json!({"uri": uri})).await;
}

async fn next_update(exchange: &mut Exchange) -> Value {
    exchange.notification(UPDATED).await["params"]["uri"].clone()
}

#[tokio::test]
async fn a_watched_resource_tells_clients_of_both_eras() {
    for (era, way) in EVERY_WAY {
        let upstream = watched(era).over(way).await;
        let gate = Gate::of("up", &upstream).start().await;
        for client in Era::BOTH {
            let client = gate.client(client).await;
            let mut hears = client.listen(&["doc://a"]).await;
            update(&upstream, "doc://a").await;
            assert_eq!(next_update(&mut hears).await, "doc://a", "{era:?} {way:?}");
        }
    }
}

#[tokio::test]
async fn a_client_hears_of_what_it_watches_and_of_nothing_else() {
    for (era, way) in EVERY_WAY {
        let upstream = watched(era).over(way).await;
        let gate = Gate::of("up", &upstream).start().await;
        let (modern, legacy) = (gate.modern().await, gate.legacy().await);
        let (mut a, mut b) = (modern.listen(&["doc://a"]).await, legacy.listen(&["doc://b"]).await);
        for uri in ["doc://a", "doc://b", "doc://b", "doc://a"] {
            update(&upstream, uri).await;
        }
        for (hears, uri) in [(&mut a, "doc://a"), (&mut b, "doc://b")] {
            assert_eq!(
                (next_update(hears).await, next_update(hears).await),
                (uri.into(), uri.into()),
                "{era:?} {way:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_resource_is_watched_once_for_all_and_until_the_last_leaves() {
    for way in [Way::Stdio, Way::Http, Way::Sse] {
        let upstream = watched(Era::Legacy).over(way).await;
        let gate = Gate::of("up", &upstream).start().await;
        let (modern, legacy) = (gate.modern().await, gate.legacy().await);
        let first = modern.listen(&["doc://a"]).await;
        let second = modern.listen(&["doc://a"]).await;
        let _third = legacy.listen(&["doc://a"]).await;
        drop(first);
        legacy.request("resources/unsubscribe", json!({"uri": "doc://a"})).await.unwrap();
        // Whatever the gateway made of these two is behind this one.
        legacy.request("resources/subscribe", json!({"uri": "doc://b"})).await.unwrap();
        assert_eq!(upstream.count("resources/subscribe doc://a"), 1, "{way:?}");
        assert_eq!(upstream.count("resources/unsubscribe doc://a"), 0, "{way:?}: one still listens");
        drop(second);
        upstream.heard("resources/unsubscribe doc://a").await;
    }
}

#[tokio::test]
async fn the_end_of_a_session_ends_its_watches() {
    let upstream = watched(Era::Legacy).over_stdio().await;
    let gate = Gate::of("up", &upstream).start().await;
    let client = gate.legacy().await;
    let _hears = client.listen(&["doc://a"]).await;
    assert_eq!(client.end().await.status, 200);
    upstream.heard("resources/unsubscribe doc://a").await;
}

#[tokio::test]
async fn a_watch_outlives_the_upstreams_connection() {
    for (era, way) in EVERY_WAY {
        let upstream = watched(era).over(way).await;
        let gate = Gate::of("up", &upstream).start().await;
        let client = gate.modern().await;
        let mut hears = client.listen(&["doc://a"]).await;
        let what = if era == Era::Legacy { "resources/subscribe" } else { "subscriptions/listen" };
        let times = upstream.count(what) + 1;
        upstream.go_down().await;
        upstream.forget_sessions();
        upstream.come_up().await;
        upstream.heard_times(what, times).await;
        update(&upstream, "doc://a").await;
        assert_eq!(next_update(&mut hears).await, "doc://a", "{era:?} {way:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_watched_is_refused_in_the_words_of_the_clients_era() {
    let upstream = watched(Era::Legacy).capabilities(json!({"resources": {}})).over_stdio().await;
    let gate = Gate::of("up", &upstream).start().await;
    let fault = gate.legacy().await.request("resources/subscribe", json!({"uri": "doc://a"})).await.unwrap_err();
    assert_eq!((fault.code, fault.message.as_str()), (-32002, "the resource cannot be subscribed to: doc://a"));
    let filter = json!({"notifications": {"resourceSubscriptions": ["doc://a"]}});
    let mut exchange = gate.modern().await.start("subscriptions/listen", filter).await;
    let acknowledged = exchange.expect_next().await;
    assert_eq!(acknowledged["params"]["notifications"], json!({}), "what is not watched is not acknowledged");
}

#[tokio::test]
async fn a_moved_resource_is_told_under_its_public_uri() {
    let (one, two) = (watched(Era::Modern).over_http().await, watched(Era::Legacy).over_stdio().await);
    let gate = Gate::of("one", &one).and("two", &two).start().await;
    let client = gate.modern().await;
    let mut hears = client.listen(&["toolgate+two:doc://a"]).await;
    update(&two, "doc://a").await;
    assert_eq!(next_update(&mut hears).await, "toolgate+two:doc://a");
    assert_eq!(two.count("resources/subscribe doc://a"), 1);
}

#[tokio::test]
async fn every_listen_names_its_own_request() {
    let upstream = watched(Era::Modern).over_http().await;
    let gate = Gate::of("up", &upstream).start().await;
    let client = gate.modern().await;
    let mut listens = [client.listen(&["doc://a"]).await, client.listen(&["doc://a"]).await];
    update(&upstream, "doc://a").await;
    for listen in &mut listens {
        let told = listen.notification(UPDATED).await;
        assert_eq!(told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], listen.id);
    }
}

#[tokio::test]
async fn log_messages_of_a_call_reach_who_wants_them_from_the_level_wanted() {
    let talks = async |call: Call| {
        for level in ["debug", "warning", "error"] {
            call.notify("notifications/message", json!({"level": level, "data": level}));
        }
        call.text("done");
    };
    for (era, way) in EVERY_WAY {
        let upstream = Script::new(era).tool("talk", talks).over(way).await;
        let gate = Gate::of("up", &upstream).start().await;
        let modern = toolgate_testkit::Client::of(gate.url(), Era::Modern).log_level("warning").open().await;
        let legacy = gate.legacy().await;
        legacy.request("logging/setLevel", json!({"level": "warning"})).await.unwrap();
        for client in [&modern, &legacy] {
            let mut exchange = client.start_call("up__talk", json!({})).await;
            let mut levels = Vec::new();
            loop {
                let message = exchange.expect_next().await;
                if message["method"].is_null() {
                    exchange.finish(message).await.unwrap();
                    break;
                }
                levels.push(message["params"]["level"].as_str().unwrap().to_owned());
            }
            // Choosing among the levels is the modern server's own business: it is told the level with each request.
            let expected: &[&str] =
                if era == Era::Modern { &["debug", "warning", "error"] } else { &["warning", "error"] };
            assert_eq!(levels, expected, "{era:?} {way:?}");
        }
        match era {
            Era::Legacy => assert_eq!(upstream.heard("logging/setLevel").await.params["level"], "warning"),
            Era::Modern => {
                let asked = upstream.heard("tools/call talk").await;
                assert_eq!(asked.params["_meta"]["io.modelcontextprotocol/logLevel"], "warning");
            }
        }
    }
}

#[tokio::test]
async fn a_modern_client_that_wants_no_logs_gets_none() {
    for way in [Way::Stdio, Way::Http] {
        let talks = async |call: Call| {
            call.notify("notifications/message", json!({"level": "emergency", "data": "x"}));
            call.text("done");
        };
        let upstream = Script::legacy().tool("talk", talks).over(way).await;
        let gate = Gate::of("up", &upstream).start().await;
        let mut exchange = gate.modern().await.start_call("up__talk", json!({})).await;
        assert_eq!(exchange.expect_next().await["result"]["content"][0]["text"], "done", "{way:?}");
    }
}

#[tokio::test]
async fn log_messages_of_no_call_reach_the_open_streams_of_legacy_clients() {
    for way in [Way::Stdio, Way::Http, Way::Sse] {
        // With one list to be read and that read, nothing is in flight that the messages could be taken to belong to.
        let script = Script::echo(Era::Legacy).capabilities(json!({"tools": {}, "logging": {}}));
        let upstream = script.over(way).await;
        let gate = Gate::of("up", &upstream).start().await.settled().await;
        let client = gate.legacy().await;
        let mut hears = client.listen(&[]).await;
        upstream.tell("notifications/message", json!({"level": "debug", "data": "not wanted"})).await;
        upstream.tell("notifications/message", json!({"level": "error", "logger": "l", "data": {"a": 1}})).await;
        let told = hears.notification("notifications/message").await;
        assert_eq!(told["params"], json!({"level": "error", "logger": "l", "data": {"a": 1}}), "{way:?}");
    }
}

#[tokio::test]
async fn what_comes_while_no_stream_is_open_waits_for_the_next() {
    let upstream = watched(Era::Legacy).over_stdio().await;
    let gate = Gate::of("up", &upstream).start().await;
    let client = gate.legacy().await;
    client.request("resources/subscribe", json!({"uri": "doc://a"})).await.unwrap();
    update(&upstream, "doc://a").await;
    assert_eq!(next_update(&mut client.listen(&[]).await).await, "doc://a");
}

#[tokio::test]
async fn a_second_stream_takes_the_place_of_the_first() {
    let upstream = watched(Era::Modern).over_http().await;
    let gate = Gate::of("up", &upstream).start().await;
    let client = gate.legacy().await;
    let mut first = client.listen(&["doc://a"]).await;
    let mut second = client.listen(&[]).await;
    assert!(first.next().await.is_none(), "the client has come back");
    update(&upstream, "doc://a").await;
    assert_eq!(next_update(&mut second).await, "doc://a");
}

#[tokio::test]
async fn the_end_of_the_gateway_is_the_proper_end_of_every_listen() {
    let upstream = watched(Era::Modern).over_http().await;
    let gate = Gate::of("up", &upstream).start().await;
    let (modern, legacy) = (gate.modern().await, gate.legacy().await);
    let (mut listen, mut stream) = (modern.listen(&["doc://a"]).await, legacy.listen(&["doc://a"]).await);
    gate.stop().await;
    let result = listen.outcome().await.unwrap();
    assert_eq!(result["_meta"]["io.modelcontextprotocol/subscriptionId"], listen.id);
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn what_a_server_logs_while_it_is_listed_is_heard_too() {
    for way in [Way::Stdio, Way::Http, Way::Sse] {
        let script = Script::legacy().on("tools/list", async |call: Call| {
            call.notify("notifications/message", json!({"level": "warning", "data": "listing"}));
            call.answer(json!({"tools": []}));
        });
        let upstream = script.over(way).await;
        let gate = Gate::of("up", &upstream).start().await.settled().await;
        let client = gate.legacy().await;
        let mut heard = client.listen(&[]).await;
        upstream.tell("notifications/tools/list_changed", json!({})).await;
        let message = heard.notification("notifications/message").await;
        assert_eq!(message["params"]["data"], "listing", "{way:?}");
    }
}
