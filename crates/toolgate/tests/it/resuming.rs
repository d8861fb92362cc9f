//! Legacy clients that lose a stream and come back to it: what was said meanwhile, and what got lost on the way, is said again.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Notify;
use toolgate_testkit::client::text_of;
use toolgate_testkit::{Call, EVERY_WAY, Era, Exchange, Gate, Script, Upstream};

/// A tool that reports progress, waits for a word of the story, reports more and answers.
async fn slow(era: Era) -> (Script, Arc<Notify>) {
    let word = Arc::new(Notify::new());
    let go_on = word.clone();
    let script = Script::new(era).tool("slow", move |call: Call| {
        let go_on = go_on.clone();
        async move {
            call.progress(1, 3);
            go_on.notified().await;
            call.progress(2, 3);
            call.text("done");
        }
    });
    (script, word)
}

async fn progress(exchange: &mut Exchange) -> u64 {
    exchange.notification("notifications/progress").await["params"]["progress"].as_u64().unwrap()
}

#[tokio::test]
async fn a_client_that_lost_its_stream_gets_the_rest_and_the_answer() {
    for (era, way) in EVERY_WAY {
        let (script, word) = slow(era).await;
        let upstream = script.over(way).await;
        let gate = Gate::of("up", &upstream).start().await;
        let client = gate.legacy().await;
        let call = json!({"name": "up__slow", "arguments": {}, "_meta": {"progressToken": 1}});
        let mut exchange = client.start("tools/call", call).await;
        assert_eq!(progress(&mut exchange).await, 1);
        let (id, last) = (exchange.id.clone(), exchange.last_event_id());
        drop(exchange);
        // The call goes on without its client, and what it says is kept.
        word.notify_one();
        let mut again = client.resume(&id, &last).await;
        assert_eq!(again.status, 200, "{era:?} {way:?}");
        assert_eq!(progress(&mut again).await, 2);
        assert_eq!(text_of(&again.outcome().await.unwrap()), "done");
        // An answer that got lost on the way is said again as well.
        let mut once_more = client.resume(&id, &last).await;
        assert_eq!((progress(&mut once_more).await, text_of(&once_more.outcome().await.unwrap())), (2, "done".into()));
        assert_eq!(upstream.count("tools/call slow"), 1);
    }
}

#[tokio::test]
async fn a_client_that_comes_back_before_anybody_noticed_takes_its_stream_over() {
    let (script, word) = slow(Era::Legacy).await;
    let upstream = script.over_stdio().await;
    let gate = Gate::of("up", &upstream).start().await;
    let client = gate.legacy().await;
    let call = json!({"name": "up__slow", "arguments": {}, "_meta": {"progressToken": 1}});
    let mut first = client.start("tools/call", call).await;
    assert_eq!(progress(&mut first).await, 1);
    let mut second = client.resume(&first.id, &first.last_event_id()).await;
    assert!(first.next().await.is_none(), "there is one reader at a time");
    word.notify_one();
    assert_eq!(text_of(&second.outcome().await.unwrap()), "done");
}

#[tokio::test]
async fn streams_of_2025_11_25_begin_with_a_place_to_come_back_to() {
    for (revision, primed) in [("2025-11-25", true), ("2025-06-18", false)] {
        let (script, word) = slow(Era::Legacy).await;
        let upstream = script.over_stdio().await;
        let gate = Gate::of("up", &upstream).start().await;
        let client = toolgate_testkit::Client::of(gate.url(), Era::Legacy).revision(revision).open().await;
        let call = json!({"name": "up__slow", "arguments": {}, "_meta": {"progressToken": 1}});
        let (_, request, message) = client.request_for("tools/call", call);
        let request = request.body(http_body_util::Full::from(message.to_string())).unwrap();
        word.notify_one();
        let page = client.fetch(request).await;
        assert_eq!(page.text.starts_with("id: 1-0\nretry: 1000\ndata: \n\n"), primed, "{revision}: {}", page.text);
        assert!(page.text.contains("id: 1-1\ndata: {"), "{}", page.text);
    }
}

#[tokio::test]
async fn an_event_that_nobody_gave_out_is_no_place_to_come_back_to() {
    let gate = Gate::of_nothing().start().await;
    let client = gate.legacy().await;
    for made_up in ["7-1", "1", "-", "x-y", "18446744073709551616-1", ""] {
        assert_eq!(client.resume(&Value::Null, made_up).await.status, 404, "{made_up}");
    }
}

async fn watched() -> Upstream {
    let script = Script::legacy().entry("resources", r#"{"uri":"doc://a","name":"a"}"#);
    script.on("resources/subscribe", async |call: Call| call.answer(json!({}))).over_stdio().await
}

#[tokio::test]
async fn what_belongs_to_no_request_is_said_again_on_its_stream_and_on_the_next() {
    let upstream = watched().await;
    let gate = Gate::of("up", &upstream).start().await;
    let client = gate.legacy().await;
    let mut stream = client.listen(&["doc://a"]).await;
    let update = async |stamp: u64| {
        upstream.tell("notifications/resources/updated", json!({"uri": "doc://a", "stamp": stamp})).await;
    };
    let heard = async |exchange: &mut Exchange| {
        exchange.notification("notifications/resources/updated").await["params"]["stamp"].as_u64().unwrap()
    };
    update(1).await;
    assert_eq!(heard(&mut stream).await, 1);
    let before = stream.last_event_id();
    update(2).await;
    assert_eq!(heard(&mut stream).await, 2);
    drop(stream);
    update(3).await;
    // As if the second had got lost.
    let mut again = client.resume(&Value::Null, &before).await;
    assert_eq!([heard(&mut again).await, heard(&mut again).await], [2, 3]);
    drop(again);
    update(4).await;
    // What came while there was no stream waits for the next, whether or not it names one.
    assert_eq!(heard(&mut client.listen(&[]).await).await, 4);
}
