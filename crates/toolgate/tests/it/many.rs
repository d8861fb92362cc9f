//! Many at once: sessions and stateless clients of both eras on one URL, and what they hold afterwards.

use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::json;
use toolgate_testkit::{Client, EVERY_WAY, Era, Gate, Script};

/// Sessions, and as many modern clients beside them.
const MANY: usize = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_sessions_and_as_many_modern_clients_get_each_their_own_answers() {
    for (era, way) in EVERY_WAY {
        let upstream = Script::echo(era).over(way).await;
        let gate = Gate::of("up", &upstream).start().await.settled().await;
        let clients = join_all((0..2 * MANY).map(|number| gate.client(Era::BOTH[number % 2]))).await;

        let calls = clients.iter().enumerate().map(|(number, client)| async move {
            // All use the same request ids: nothing but the gateway keeps their answers apart.
            for round in 0..3 {
                let text = format!("canary {number} {round}");
                assert_eq!(client.text("up__echo", json!({"text": text})).await, text, "{era:?} {way:?}");
            }
        });
        join_all(calls).await;
        assert_eq!(upstream.count("tools/call echo"), 2 * MANY * 3);
        assert_eq!(gate.gateway().status()[0].counts.tools, 1);
    }
}

#[tokio::test]
async fn a_session_costs_the_upstream_nothing_until_it_is_used() {
    let upstream = Script::echo(Era::Legacy).over_http().await;
    let gate = Gate::of("up", &upstream).start().await.settled().await;
    let before = upstream.asked().len();
    let sessions = join_all((0..50).map(|_| gate.legacy())).await;
    assert_eq!(upstream.asked().len(), before, "opening sessions is no work upstream");
    assert_eq!(sessions[49].text("up__echo", json!({"text": "now"})).await, "now");
}

#[tokio::test]
async fn sessions_that_end_leave_room_for_others() {
    let upstream = Script::echo(Era::Modern).over_http().await;
    let gate = Gate::of("up", &upstream).config("limits: {sessions: 3}").start().await.settled().await;
    for _ in 0..5 {
        let sessions: Vec<Client> = join_all((0..3).map(|_| gate.legacy())).await;
        let visitor = Client::visitor(gate.url());
        assert_eq!(visitor.get("/status").await.json()["sessions"], 3);
        for session in &sessions {
            assert_eq!(session.end().await.status, 200);
        }
        assert_eq!(visitor.get("/status").await.json()["sessions"], 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_gateways_share_an_upstream_without_noticing() {
    let upstream = Arc::new(Script::echo(Era::Legacy).over_http().await);
    let gates = join_all((0..3).map(|_| async { Gate::of("up", &upstream).start().await })).await;
    let calls = gates.iter().enumerate().map(|(number, gate)| async move {
        let client = gate.modern().await;
        assert_eq!(client.text("up__echo", json!({"text": number.to_string()})).await, number.to_string());
    });
    join_all(calls).await;
}
