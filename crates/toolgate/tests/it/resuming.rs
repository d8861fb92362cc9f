//! Legacy clients that lose a stream and come back to it: what was said meanwhile, and what got lost on the way, is said again.

use std::sync::{Arc, Once};

use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore};
use toolgate_testkit::client::text_of;
use toolgate_testkit::{Call, Client, EVERY_WAY, Era, Exchange, Gate, Script, Upstream};

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
        let client = Client::of(gate.url(), Era::Legacy).revision(revision).open().await;
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

#[tokio::test]
async fn a_connection_that_is_cut_again_and_again_costs_nothing() {
    let (script, word) = slow(Era::Legacy).await;
    let upstream = script.over_http().await;
    let gate = Gate::of("up", &upstream).start().await;
    let client = gate.legacy().await;
    let call = json!({"name": "up__slow", "arguments": {}, "_meta": {"progressToken": 1}});
    let mut exchange = client.start("tools/call", call).await;
    assert_eq!(progress(&mut exchange).await, 1);
    let (id, mut last) = (exchange.id.clone(), exchange.last_event_id());
    drop(exchange);
    // SDKs forget where they were when they hear nothing on the connection they came back on: they are told each time.
    for _ in 0..3 {
        last = client.resume(&id, &last).await.place().await;
    }
    word.notify_one();
    let mut again = client.resume(&id, &last).await;
    assert_eq!((progress(&mut again).await, text_of(&again.outcome().await.unwrap())), (2, "done".into()));
}

#[tokio::test]
async fn a_call_that_says_nothing_has_a_place_to_come_back_to_soon() {
    let word = Arc::new(Notify::new());
    let go_on = word.clone();
    let silent = move |call: Call| {
        let go_on = go_on.clone();
        async move {
            go_on.notified().await;
            call.text("done");
        }
    };
    let upstream = Script::legacy().tool("silent", silent).over_http().await;
    let gate = Gate::of("up", &upstream).start().await;
    let client = gate.legacy().await;
    let mut exchange = client.start_call("up__silent", json!({})).await;
    let (id, last) = (exchange.id.clone(), exchange.place().await);
    drop(exchange);
    word.notify_one();
    assert_eq!(text_of(&client.resume(&id, &last).await.outcome().await.unwrap()), "done");
}

/// All there is to read of a call, by a client that comes back whenever its connection is closed; `go_on` is told once it had to
/// come back with nothing new.
async fn polled(client: &Client, call: Value, go_on: impl Fn()) -> (usize, Vec<Value>) {
    let (_, request, message) = client.request_for("tools/call", call);
    let mut page = client.fetch(request.body(http_body_util::Full::from(message.to_string())).unwrap()).await;
    let (mut connections, mut messages) = (1, Vec::new());
    loop {
        let lines = |field: &'static str| page.text.lines().filter_map(move |line| line.strip_prefix(field));
        let heard: Vec<Value> =
            lines("data: {").map(|rest| serde_json::from_str(&format!("{{{rest}")).unwrap()).collect();
        let is_answered = heard.iter().any(|message| message["method"].is_null());
        messages.extend(heard);
        if is_answered {
            return (connections, messages);
        }
        let last = lines("id: ").next_back().expect("a place to come back to").to_owned();
        let farewell = format!("id: {last}\nretry: 1000\ndata: \n\n");
        assert!(page.text.ends_with(&farewell), "when to come back is told last: {}", page.text);
        if connections == 2 {
            go_on();
        }
        page = client.fetch(client.coming_back(&last)).await;
        connections += 1;
    }
}

#[tokio::test]
async fn a_connection_that_lasted_is_closed_for_its_client_to_come_back() {
    for (era, way) in EVERY_WAY {
        let (script, word) = slow(era).await;
        let (other_script, other_word) = slow(era).await;
        let (upstream, other) = (script.over(way).await, other_script.over(way).await);
        let gate = Gate::of("up", &upstream).and("other", &other).config("timeouts: {stream: 30ms}").start().await;
        let call = |tool: &str| json!({"name": tool, "arguments": {}, "_meta": {"progressToken": 1}});
        // One that would not know what to do is left alone.
        let old = Client::of(gate.url(), Era::Legacy).revision("2025-06-18").open().await;
        let mut untouched = old.start("tools/call", call("other__slow")).await;
        assert_eq!(progress(&mut untouched).await, 1);

        let (connections, messages) = polled(&gate.legacy().await, call("up__slow"), || word.notify_one()).await;
        assert!(connections > 2, "{connections}");
        let steps: Vec<&Value> = messages.iter().map(|message| &message["params"]["progress"]).collect();
        assert_eq!(steps, [&json!(1), &json!(2), &Value::Null], "{era:?} {way:?}: {messages:?}");
        assert_eq!(text_of(&messages[2]["result"]), "done");
        assert_eq!(upstream.count("tools/call slow"), 1);

        other_word.notify_one();
        assert_eq!(text_of(&untouched.outcome().await.unwrap()), "done");
    }
}

/// A session keeps 32 streams. Those beyond are not closed, since their clients could not come back.
#[tokio::test]
async fn of_more_streams_than_are_kept_none_is_lost() {
    const CALLS: usize = 40;
    let word = Arc::new(Semaphore::new(0));
    let go_on = word.clone();
    let slow = move |call: Call| {
        let go_on = go_on.clone();
        async move {
            call.progress(1, 2);
            go_on.acquire().await.unwrap().forget();
            call.progress(2, 2);
            call.text("done");
        }
    };
    let upstream = Script::legacy().tool("slow", slow).over_http().await;
    let gate = Gate::of("up", &upstream).config("timeouts: {stream: 30ms}").start().await;
    let client = gate.legacy().await;
    let told = Once::new();
    let go_on = || told.call_once(|| word.add_permits(CALLS));
    let calls = (0..CALLS).map(async |nth| {
        let call = json!({"name": "up__slow", "arguments": {}, "_meta": {"progressToken": nth}});
        let (_, messages) = polled(&client, call, go_on).await;
        let steps: Vec<&Value> = messages.iter().map(|message| &message["params"]["progress"]).collect();
        assert_eq!(steps, [&json!(1), &json!(2), &Value::Null], "{messages:?}");
    });
    futures_util::future::join_all(calls).await;
    assert_eq!(upstream.count("tools/call slow"), CALLS);
}

#[tokio::test]
async fn the_stream_for_what_belongs_to_no_request_is_polled_as_well() {
    let upstream = watched().await;
    let gate = Gate::of("up", &upstream).config("timeouts: {stream: 30ms}").start().await;
    let client = gate.legacy().await;
    let mut stream = client.listen(&["doc://a"]).await;
    let mut last = stream.place().await;
    assert!(stream.next().await.is_none(), "it is closed");
    upstream.tell("notifications/resources/updated", json!({"uri": "doc://a", "stamp": 7})).await;
    loop {
        let mut again = client.resume(&Value::Null, &last).await;
        last = again.place().await;
        if let Some(message) = again.next().await {
            assert_eq!(message["params"]["stamp"], 7);
            return;
        }
    }
}

/// The TypeScript SDK comes back after an error, and would otherwise do so forever.
#[tokio::test]
async fn who_has_heard_everything_is_told_not_to_come_back() {
    let fails = async |call: Call| {
        call.progress(1, 1);
        call.fail(-32000, "no");
    };
    let upstream = Script::legacy().tool("fails", fails).over_http().await;
    let gate = Gate::of("up", &upstream).start().await;
    let client = gate.legacy().await;
    let call = json!({"name": "up__fails", "arguments": {}, "_meta": {"progressToken": 1}});
    let mut exchange = client.start("tools/call", call).await;
    assert_eq!(exchange.outcome().await.unwrap_err().code, -32000);
    let page = client.fetch(client.coming_back(&exchange.last_event_id())).await;
    assert_eq!((page.status, page.text.as_str()), (204, ""));
}

#[tokio::test]
async fn a_call_waits_for_its_client_rather_than_forget_what_it_said() {
    const STEPS: u64 = 150;
    let word = Arc::new(Notify::new());
    let go_on = word.clone();
    let chatty = move |call: Call| {
        let go_on = go_on.clone();
        async move {
            call.progress(1, STEPS);
            go_on.notified().await;
            (2..=STEPS).for_each(|step| call.progress(step, STEPS));
            call.text("done");
        }
    };
    let upstream = Script::echo(Era::Legacy).tool("chatty", chatty).over_stdio().await;
    let gate = Gate::of("up", &upstream).start().await;
    let client = gate.legacy().await;
    let call = json!({"name": "up__chatty", "arguments": {}, "_meta": {"progressToken": 1}});
    let mut exchange = client.start("tools/call", call).await;
    assert_eq!(progress(&mut exchange).await, 1);
    let (id, last) = (exchange.id.clone(), exchange.last_event_id());
    drop(exchange);
    word.notify_one();
    // What comes after it on the same pipe has come: so has all that the call said.
    assert_eq!(client.text("up__echo", json!({"text": "after"})).await, "after");
    let mut again = client.resume(&id, &last).await;
    for step in 2..=STEPS {
        assert_eq!(progress(&mut again).await, step);
    }
    assert_eq!(text_of(&again.outcome().await.unwrap()), "done");
}
