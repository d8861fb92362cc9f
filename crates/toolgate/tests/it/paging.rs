//! Long lists in pages: where the next one begins is sealed, and holds while the list changes.

use std::sync::Arc;

use serde_json::{Value, json};
use toolgate_testkit::{Client, Era, Gate, Outcome, Script, Upstream};

const KEYS: &str = "keys: [a key that is shared by all replicas]";
const PAGE: usize = 1000;

fn tools(names: impl IntoIterator<Item = String>) -> Vec<String> {
    names.into_iter().map(|name| json!({"name": name, "inputSchema": {"type": "object"}}).to_string()).collect()
}

fn numbered(from: usize, to: usize) -> impl Iterator<Item = String> {
    (from..to).map(|nth| format!("t{nth}"))
}

async fn long(era: Era) -> Upstream {
    let script = tools(numbered(0, 2500)).iter().fold(Script::new(era), |script, tool| script.entry("tools", tool));
    script.over_http().await
}

async fn start(upstream: &Upstream, config: &str) -> Gate {
    Gate::of("up", upstream).config(&format!("presentation: direct\n{config}")).start().await.settled().await
}

async fn page(client: &Client, cursor: &Value) -> Outcome {
    client.request("tools/list", json!({"cursor": cursor})).await
}

fn names(page: &Value) -> Vec<&str> {
    page["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect()
}

fn assert_refused(outcome: Outcome, words: &str) {
    let fault = outcome.unwrap_err();
    assert_eq!((fault.status, fault.code), (200, -32602), "{fault:?}");
    assert!(fault.message.starts_with("invalid `cursor`: "), "{fault:?}");
    assert!(fault.message.contains(words), "`{words}` is not in {fault:?}");
}

#[tokio::test]
async fn a_cursor_opens_its_own_list_and_says_nothing() {
    let upstream = long(Era::Modern).await;
    let gate = start(&upstream, "").await;
    for era in Era::BOTH {
        let client = gate.client(era).await;
        let first = client.request("tools/list", json!({})).await.unwrap();
        let cursor = first["nextCursor"].as_str().unwrap();
        assert!(cursor.len() < 200, "{cursor}");
        let again = client.request("tools/list", json!({})).await.unwrap();
        assert_ne!(again["nextCursor"], cursor, "nobody can tell from two whether they are for the same place");
        let mut changed = cursor.to_owned();
        changed.replace_range(40..41, if &cursor[40..41] == "A" { "B" } else { "A" });
        for foreign in [json!(changed), json!(cursor[1..]), json!(""), json!("dG9vbHM6MTAwMA"), json!(7), Value::Null] {
            let words = if foreign.is_string() { "it was not given out here" } else { "it must be a string" };
            assert_refused(page(&client, &foreign).await, words);
        }
        for other in ["prompts/list", "resources/list", "resources/templates/list"] {
            assert_refused(client.request(other, json!({"cursor": cursor})).await, "belongs to another list");
        }
        let elsewhere = Client::of(gate.url(), era).at("/upstreams/up/mcp").open().await;
        assert_refused(page(&elsewhere, &json!(cursor)).await, "belongs to another list");
        let second = page(&client, &json!(cursor)).await.unwrap();
        assert_eq!((names(&second)[0], names(&second).len()), ("up__t1000", PAGE));
        let third = page(&client, &second["nextCursor"]).await.unwrap();
        assert_eq!((names(&third)[0], names(&third).len()), ("up__t2000", 500));
        assert!(third["nextCursor"].is_null(), "{}", third["nextCursor"]);
    }
}

#[tokio::test]
async fn a_list_that_changes_between_two_pages_loses_and_repeats_nothing() {
    let upstream = long(Era::Legacy).await;
    let gate = start(&upstream, "").await;
    let client = gate.modern().await;
    let first = client.request("tools/list", json!({})).await.unwrap();
    let mut listening = client.listen(&[]).await;

    // Some in front are gone, one in front is new, and so is one at the end.
    let changed = ["new".to_owned()].into_iter().chain(numbered(5, 2500)).chain(["last".to_owned()]);
    upstream.offer("tools", &tools(changed));
    upstream.tell("notifications/tools/list_changed", json!({})).await;
    listening.notification("notifications/tools/list_changed").await;
    let second = page(&client, &first["nextCursor"]).await.unwrap();
    assert_eq!((names(&second)[0], names(&second).len()), ("up__t1000", PAGE), "right behind the page before");
    let third = page(&client, &second["nextCursor"]).await.unwrap();
    assert_eq!((names(&third)[0], *names(&third).last().unwrap()), ("up__t2000", "up__last"));

    // Where the entry is gone that a page ended with, nobody knows what follows it.
    upstream.offer("tools", &tools(numbered(0, 2500).filter(|name| name != "t999")));
    upstream.tell("notifications/tools/list_changed", json!({})).await;
    listening.notification("notifications/tools/list_changed").await;
    assert_refused(page(&client, &first["nextCursor"]).await, "the list has changed");
    assert_eq!(names(&page(&client, &second["nextCursor"]).await.unwrap())[0], "up__t2000");
}

#[tokio::test]
async fn a_cursor_holds_at_every_replica_and_after_a_restart_where_they_have_a_key() {
    let upstream = Arc::new(long(Era::Modern).await);
    for (config, newer) in
        [(KEYS, "keys: [a new key that goes in front of the old one, a key that is shared by all replicas]"), ("", "")]
    {
        let (one, other) = (start(&upstream, config).await, start(&upstream, newer).await);
        let first = one.modern().await.request("tools/list", json!({})).await.unwrap();
        let there = page(&other.modern().await, &first["nextCursor"]).await;
        one.stop().await;
        let again = start(&upstream, config).await;
        for outcome in [there, page(&again.modern().await, &first["nextCursor"]).await] {
            match config {
                "" => {
                    assert_refused(outcome, "before the gateway restarted, or by a replica that does not share `keys`")
                }
                _ => assert_eq!(names(&outcome.unwrap())[0], "up__t1000"),
            }
        }
    }
}

#[tokio::test]
async fn the_surface_has_one_page() {
    let upstream = long(Era::Modern).await;
    let gate = start(&upstream, "").await;
    let first = gate.modern().await.request("tools/list", json!({})).await.unwrap();
    let client = Client::of(gate.url(), Era::Modern).view("search");
    assert!(client.request("tools/list", json!({})).await.unwrap()["nextCursor"].is_null());
    assert_refused(page(&client, &first["nextCursor"]).await, "this list gives out none");
}
