//! Stories of the memory server.

use std::path::Path;

use serde_json::{Value, json};
use toolgate_protocol::Revision;

use super::server;
use crate::testing::Client;

async fn client() -> Client {
    Client::modern(server(None).unwrap()).await
}

async fn set(client: &mut Client, key: &str, text: &str, tags: &[&str]) -> Value {
    client.call("set_note", json!({"key": key, "text": text, "tags": tags})).await["structuredContent"].clone()
}

fn keys(result: &Value) -> Vec<&str> {
    result["structuredContent"]["notes"].as_array().unwrap().iter().map(|note| note["key"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_note_is_written_read_changed_and_deleted() {
    let mut client = client().await;
    assert_eq!(set(&mut client, " plan ", "first", &["work", "work"]).await["outcome"], "created");
    let changed = client.call("set_note", json!({"key": "plan", "text": "second", "mode": "append"})).await;
    assert_eq!(changed["structuredContent"]["outcome"], "updated");
    let note = client.call("get_note", json!({"key": "plan"})).await["structuredContent"].clone();
    assert_eq!((&note["text"], &note["tags"]), (&json!("first\nsecond"), &json!(["work"])));
    assert_eq!(client.call("delete_note", json!({"key": "plan"})).await["structuredContent"]["existed"], true);
    assert_eq!(client.call("delete_note", json!({"key": "plan"})).await["structuredContent"]["existed"], false);
    assert_eq!(
        client.told("get_note", json!({"key": "plan"})).await,
        "There is no note `plan`: list_notes shows which there are"
    );
}

#[tokio::test]
async fn notes_are_listed_by_tag_and_prefix_and_found_by_words() {
    let mut client = client().await;
    let long = format!("{} the Deadline is on Friday", "and so on ".repeat(30));
    set(&mut client, "project/dates", &long, &["work"]).await;
    set(&mut client, "project/deadline", "moved", &["work"]).await;
    set(&mut client, "cake", "flour, eggs", &["home", "deadline"]).await;
    assert_eq!(keys(&client.call("list_notes", json!({})).await), ["cake", "project/dates", "project/deadline"]);
    assert_eq!(keys(&client.call("list_notes", json!({"tag": "home"})).await), ["cake"]);
    assert_eq!(keys(&client.call("list_notes", json!({"prefix": "project/", "limit": 1})).await), ["project/dates"]);
    let found = client.call("search_notes", json!({"query": "DEADLINE"})).await;
    assert_eq!(keys(&found), ["project/deadline", "cake", "project/dates"]);
    assert!(found["structuredContent"]["notes"][2]["excerpt"].as_str().unwrap().contains("the Deadline is"));
    assert_eq!(keys(&client.call("search_notes", json!({"query": "eggs deadline"})).await), ["cake"]);
    assert_eq!(
        client.told("get_note", json!({"key": "Deadline"})).await,
        "There is no note `Deadline`: did you mean project/deadline?"
    );
}

#[tokio::test]
async fn a_note_is_a_resource() {
    let mut client = client().await;
    let uri = set(&mut client, "groß & klein", "hello", &["x"]).await["uri"].clone();
    assert_eq!(uri, "memory://notes/gro%C3%9F%20%26%20klein");
    let listed = client.request("resources/list", json!({})).await.unwrap();
    assert_eq!((&listed["resources"][0]["uri"], &listed["resources"][0]["name"]), (&uri, &json!("groß & klein")));
    let read = client.request("resources/read", json!({"uri": uri})).await.unwrap();
    assert_eq!(read["contents"], json!([{"uri": uri, "mimeType": "text/plain", "text": "hello"}]));
    let reference = json!({"type": "ref/resource", "uri": "memory://notes/{key}"});
    let completed = client
        .request("completion/complete", json!({"ref": reference, "argument": {"name": "key", "value": "GRO"}}))
        .await;
    assert_eq!(completed.unwrap()["completion"], json!({"values": ["groß & klein"], "total": 1, "hasMore": false}));
}

#[tokio::test]
async fn a_missing_resource_has_the_code_of_its_era() {
    let missing = json!({"uri": "memory://notes/none"});
    let modern = client().await.request("resources/read", missing.clone()).await.unwrap_err();
    assert_eq!((&modern["code"], &modern["data"]), (&json!(-32602), &missing));
    let mut legacy = Client::legacy(server(None).unwrap(), Revision::V2025_06_18, json!({})).await;
    let legacy = legacy.request("resources/read", missing.clone()).await.unwrap_err();
    assert_eq!((&legacy["code"], &legacy["data"]), (&json!(-32002), &missing));
}

#[tokio::test]
async fn whoever_listens_hears_of_changes_and_nothing_else() {
    let mut client = client().await;
    let wanted =
        json!({"toolsListChanged": true, "resourcesListChanged": true, "resourceSubscriptions": ["memory://notes/a"]});
    let id = client.begin("subscriptions/listen", json!({"notifications": wanted})).await;
    let agreed = client.hear("notifications/subscriptions/acknowledged").await;
    assert_eq!(
        agreed["params"]["notifications"],
        json!({"resourcesListChanged": true, "resourceSubscriptions": ["memory://notes/a"]})
    );
    set(&mut client, "b", "not watched", &[]).await;
    client.hear("notifications/resources/list_changed").await;
    set(&mut client, "b", "again", &[]).await;
    set(&mut client, "a", "watched", &[]).await;
    let updated = client.hear("notifications/resources/updated").await;
    assert_eq!(updated["params"]["uri"], "memory://notes/a");
    assert_eq!(updated["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], id);
    let (last, ended) = client.close().await;
    assert_eq!(last.last().unwrap()["result"]["resultType"], "complete");
    ended.unwrap();
}

#[tokio::test]
async fn a_legacy_subscriber_hears_until_it_unsubscribes() {
    let mut client = Client::legacy(server(None).unwrap(), Revision::V2024_11_05, json!({})).await;
    let uri = json!({"uri": "memory://notes/a"});
    client.request("resources/subscribe", uri.clone()).await.unwrap();
    set(&mut client, "a", "1", &[]).await;
    assert_eq!(client.hear("notifications/resources/updated").await["params"], uri);
    client.hear("notifications/resources/list_changed").await;
    client.request("resources/unsubscribe", uri).await.unwrap();
    set(&mut client, "a", "2", &[]).await;
    set(&mut client, "z", "3", &[]).await;
    client.hear("notifications/resources/list_changed").await;
    assert_eq!(client.heard, Vec::<Value>::new());
}

async fn kept(path: &Path, key: &str) -> Value {
    let mut client = Client::modern(server(Some(path)).unwrap()).await;
    client.call("get_note", json!({"key": key})).await["structuredContent"]["text"].clone()
}

#[tokio::test]
async fn notes_outlive_the_server_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep").join("notes.json");
    let mut client = Client::modern(server(Some(&path)).unwrap()).await;
    for number in 0..20 {
        client
            .begin("tools/call", json!({"name": "set_note", "arguments": {"key": "k", "text": number.to_string()}}))
            .await;
    }
    set(&mut client, "other", "x", &[]).await;
    assert_eq!(kept(&path, "k").await, "19");
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn a_file_that_is_not_ours_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.json");
    for text in ["{}", "not json", r#"{"version":9,"notes":[]}"#, r#"{"version":1,"notes":[{"key":1}]}"#] {
        std::fs::write(&path, text).unwrap();
        let error = server(Some(&path)).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidData, "{text}");
        assert!(error.to_string().contains("notes.json"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
}

#[tokio::test]
async fn what_cannot_be_kept_is_refused_with_its_bound() {
    let mut client = client().await;
    let bulk = "x".repeat(64 * 1024);
    for (key, text, words) in [
        ("", "x", "A key has 1 to 100 characters"),
        ("a\nb", "x", "A key has 1 to 100 characters"),
        ("a", &*format!("{bulk}x"), "65537 characters are more than the 65536 allowed"),
    ] {
        let told = client.told("set_note", json!({"key": key, "text": text})).await;
        assert!(told.contains(words), "{told}");
    }
    for number in 0..64 {
        assert_eq!(set(&mut client, &number.to_string(), &bulk, &[]).await["outcome"], "created");
    }
    assert!(
        client
            .told("set_note", json!({"key": "last", "text": "x"}))
            .await
            .contains("at most 4194304 bytes; delete some first")
    );
    assert!(
        client
            .told("set_note", json!({"key": "0", "text": "x", "mode": "append"}))
            .await
            .contains("at most 65536 characters")
    );
}
