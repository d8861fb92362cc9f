//! A server that is replaced by one of the other era goes on answering the same clients, and no call runs twice.

use serde_json::{Value, json};
use toolgate_testkit::{Call, Era, Gate, Script, Upstream, Way};

/// A server whose tool says of which era it is. A modern one does not answer who does not speak its revision.
fn of(era: Era) -> Script {
    let tool = json!({"name": "era", "inputSchema": {"type": "object"}}).to_string();
    Script::new(era).entry("tools", &tool).on("tools/call era", move |call: Call| async move {
        let claimed = &call.params["_meta"]["io.modelcontextprotocol/protocolVersion"];
        if era == Era::Modern && claimed.is_null() {
            let data = json!({"supported": ["2026-07-28"], "requested": "2025-11-25"});
            let error = json!({"code": -32022, "message": "Unsupported protocol version", "data": data});
            let text = json!({"jsonrpc": "2.0", "id": call.id, "error": error}).to_string();
            return call.http(400, "application/json", text);
        }
        call.text(&format!("{era:?}"));
    })
}

/// The calls that were not turned down.
fn run(upstream: &Upstream) -> usize {
    let calls = upstream.asked().into_iter().filter(|asked| asked.is("tools/call era"));
    calls.filter(|asked| asked.params["_meta"]["io.modelcontextprotocol/protocolVersion"] != Value::Null).count()
}

#[tokio::test]
async fn a_server_that_changes_its_era_is_met_anew_within_the_call() {
    for way in [Way::Http, Way::Stdio] {
        for (before, after) in [(Era::Legacy, Era::Modern), (Era::Modern, Era::Legacy)] {
            let upstream = of(before).over(way).await;
            let gate = Gate::of("up", &upstream).start().await;
            let clients = [gate.legacy().await, gate.modern().await];
            for client in &clients {
                assert_eq!(client.text("up__era", json!({})).await, format!("{before:?}"));
            }
            let upstream = upstream.replaced_by(of(after)).await;
            if way == Way::Stdio {
                // A call that is already on its way into a pipe whose process ends may have run, and is not sent again.
                upstream.pid(1).await;
            }
            for client in &clients {
                assert_eq!(client.text("up__era", json!({})).await, format!("{after:?}"), "{before:?} {way:?}");
            }
            if after == Era::Modern {
                assert_eq!(run(&upstream), 2, "once each: {way:?}");
            } else {
                assert_eq!(upstream.count("tools/call era"), 2, "once each: {way:?}");
            }
            let era = if after == Era::Modern { "modern" } else { "legacy" };
            gate.status_becomes("up", "the status says so", |status| status["era"] == era).await;
        }
    }
}
