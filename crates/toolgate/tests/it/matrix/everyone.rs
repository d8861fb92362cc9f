//! What concerns all clients at once: an upstream's lists change, or it logs what belongs to no call.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::json;
use toolgate_testkit::{Era, Peer};

use super::cell::Behind;
use super::features::{Expected, Loss, Variant};
use super::server;

/// What came of it for each client, or why it is neither the feature nor a loss.
pub(super) type Found = BTreeMap<String, Result<Expected, String>>;

/// Runs `each` for all clients at once.
async fn for_all<F>(clients: &[Arc<Peer>], each: impl Fn(Arc<Peer>) -> F) -> Found
where
    F: Future<Output = Expected> + Send + 'static,
{
    let all = clients.iter().map(|client| {
        let (name, running) = (client.name().to_owned(), tokio::spawn(each(client.clone())));
        async move { (name, running.await.map_err(super::panic_text)) }
    });
    join_all(all).await.into_iter().collect()
}

/// A message that belongs to no call.
pub(super) async fn log_unasked(behind: &Behind, clients: &[Arc<Peer>]) -> Found {
    let mark = format!("{} logs for nobody", behind.name);
    let log = json!({"level": "error", "logger": "it", "data": {"mark": mark}});
    behind.upstream.tell("notifications/message", log.clone()).await;
    for_all(clients, |client| {
        let (log, mark) = (log.clone(), mark.clone());
        async move {
            if client.revision.era() == Era::Modern {
                // Whatever was to come of it is there before the answer to this.
                client.list("prompts").await;
                assert!(client.notes(|note| note.text.contains(&mark)).is_empty(), "nobody asked for it");
                return Expected::Lost(Loss::LogsUnasked);
            }
            let told = client.heard("a log message", |note| note.text.contains(&mark)).await;
            assert_eq!((&*told.method, &told.params), ("notifications/message", &log));
            Expected::Works
        }
    })
    .await
}

/// Every list has one more entry: each client is told, and sees it.
pub(super) async fn change_lists(behind: &Behind, clients: &[Arc<Peer>], watched: &[String]) -> Found {
    let (revision, _): Variant = behind.variant;
    let mut all = Found::new();
    for (list, what, entry) in [
        ("tools", "tools", json!({"name": "late", "inputSchema": {"type": "object"}})),
        ("prompts", "prompts", json!({"name": "late"})),
        ("resources", "resources", json!({"uri": format!("doc://{}/late", behind.name), "name": "late"})),
    ] {
        let earlier: BTreeMap<_, _> = clients.iter().map(|client| (client.name().to_owned(), client.now())).collect();
        let mut definitions = server::definitions(list, revision, &behind.name, watched);
        definitions.push(entry.to_string());
        behind.upstream.offer(list, &definitions);
        behind.upstream.tell(&format!("notifications/{what}/list_changed"), json!({})).await;
        let name = behind.name.clone();
        let found = for_all(clients, |client| {
            let earlier = earlier[client.name()];
            let (late, uri) = (format!("{name}__late"), format!("doc://{name}/late"));
            async move {
                let method = format!("notifications/{what}/list_changed");
                client.heard_after(earlier, &method, |note| note.method == method).await;
                let entries = client.list(list).await;
                let is_late = entries.iter().any(|entry| entry["name"] == *late || entry["uri"] == *uri);
                assert!(is_late, "whoever hears of a change sees it: {list}");
                Expected::Works
            }
        });
        for (client, found) in found.await {
            // A failure stays one.
            if all.get(&client).is_none_or(Result::is_ok) {
                all.insert(client, found);
            }
        }
    }
    all
}
