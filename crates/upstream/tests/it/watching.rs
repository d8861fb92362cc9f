//! What upstreams tell by themselves, and watched resources.

use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use toolgate_upstream::{Change, Origin, Told, Upstream};

use crate::setup::{ask, content, scripted, start, text, until};

/// The next change that is no connection.
async fn next(changes: &mut Receiver<Told>) -> Change {
    loop {
        match changes.recv().await.unwrap().change {
            Change::Connected => {}
            change => return change,
        }
    }
}

async fn seen(upstream: &Upstream) -> Vec<String> {
    let seen = content(upstream, "seen", json!({})).await;
    seen["seen"].as_array().unwrap().iter().map(|seen| seen.as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_are_told_whatever_the_era() {
    for mode in ["legacy", "modern"] {
        let upstream = start(scripted(mode));
        let mut changes = upstream.changes();
        let watch = upstream.watch("a:1", &Origin::own()).await.unwrap();
        text(&upstream, "change").await;
        assert!(matches!(next(&mut changes).await, Change::ToolsChanged), "{mode}");
        let Change::ResourceUpdated { uri, params } = next(&mut changes).await else { panic!("{mode}") };
        assert_eq!(uri, "a:1");
        let params: Value = serde_json::from_slice(params.to_json().text()).unwrap();
        assert_eq!(params["vendor"], 1);
        assert!(!params.to_string().contains("subscriptionId"), "that concerns our own hop");
        drop(watch);
        upstream.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_legacy_resource_is_subscribed_to_once_and_again_after_a_crash() {
    let upstream = start(scripted("legacy"));
    let (first, second) =
        (upstream.watch("a:1", &Origin::own()).await.unwrap(), upstream.watch("a:1", &Origin::own()).await.unwrap());
    drop(first);
    assert_eq!(seen(&upstream).await, ["notifications/initialized", "subscribe a:1"]);
    ask(&upstream, "die", json!({})).await.unwrap_err();
    until(|| async { seen(&upstream).await.contains(&"subscribe a:1".to_owned()) }).await;
    drop(second);
    until(|| async { seen(&upstream).await.contains(&"unsubscribe a:1".to_owned()) }).await;
    upstream.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_modern_resource_is_added_to_the_listen_before_the_old_one_is_closed() {
    let upstream = start(scripted("modern"));
    text(&upstream, "pid").await;
    let watch = upstream.watch("a:1", &Origin::own()).await.unwrap();
    until(|| async { seen(&upstream).await.len() >= 3 }).await;
    let log = seen(&upstream).await;
    assert_eq!((&*log[0], &*log[1]), ("listen null", r#"listen ["a:1"]"#));
    assert!(log[2].starts_with("cancelled "));
    drop(watch);
    until(|| async { seen(&upstream).await.iter().filter(|seen| *seen == "listen null").count() == 2 }).await;
    upstream.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_refused_watch_says_so_and_leaves_nothing() {
    let upstream = start(scripted("legacy"));
    let error = upstream.watch("no:1", &Origin::own()).await.unwrap_err();
    assert_eq!(error.message, "not watched");
    assert!(upstream.watch("a:1", &Origin::own()).await.is_ok());
    upstream.stop().await;
}
