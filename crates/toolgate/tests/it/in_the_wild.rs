//! What clients and servers in use do, whether or not the specification foresees it. docs/clients.md says who does.

use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::Barrier;
use toolgate_testkit::client::text_of;
use toolgate_testkit::{Call, Client, EVERY_WAY, Era, Exchange, Gate, LineClient, Program, Script, Way};

const TOOLGATE: &str = env!("CARGO_BIN_EXE_toolgate");
const LEGACY: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];

/// VS Code says how much it wants logged before it says that the handshake is over.
#[tokio::test]
async fn a_level_that_is_set_before_the_handshake_is_over_counts() {
    let talks = async |call: Call| {
        for level in ["debug", "warning", "error"] {
            call.notify("notifications/message", json!({"level": level, "data": level}));
        }
        call.text("done");
    };
    let upstream = Script::legacy().tool("talk", talks).over_http().await;
    let gate = Gate::of("up", &upstream).start().await;
    let mut program = Program::start(TOOLGATE, "stdio", &Gate::of("up", &upstream));
    for mut client in [program.client(Era::Legacy), LineClient::over_sse(gate.url(), Era::Legacy).await] {
        let hello = json!({
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "early", "version": "1"},
        });
        client.request("initialize", hello).await.unwrap();
        assert_eq!(client.request("logging/setLevel", json!({"level": "error"})).await, Ok(json!({})));
        client.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        let id = client.start("tools/call", json!({"name": "up__talk", "arguments": {}})).await;
        let logged = client.next_where(|message| message["method"] == "notifications/message").await;
        assert_eq!(logged["params"]["level"], "error", "the first that is told");
        client.outcome(&id).await.unwrap();
    }
}

/// Some servers echo ids as floats, and add members wherever they like.
#[tokio::test]
async fn a_server_that_answers_oddly_is_understood() {
    for way in [Way::Stdio, Way::Http, Way::Sse] {
        let odd = async |call: Call| {
            let params = json!({"progressToken": call.params["_meta"]["progressToken"], "progress": 1, "extra": "x"});
            call.say(&json!({
                "jsonrpc": "2.0", "method": "notifications/progress", "params": params, "vendor": [1],
            }));
            let result = r#"{"content":[{"type":"text","text":"done"}],"more":{}}"#;
            call.last(format!(r#"{{"jsonrpc":"2.0","trace":"z","id":{}.0,"result":{result}}}"#, call.id));
        };
        let upstream = Script::legacy().tool("odd", odd).over(way).await;
        let gate = Gate::of("up", &upstream).start().await;
        for era in Era::BOTH {
            let client = gate.client(era).await;
            let params = json!({"name": "up__odd", "arguments": {}, "_meta": {"progressToken": "p"}});
            let mut exchange = client.start("tools/call", params).await;
            let told = exchange.notification("notifications/progress").await;
            assert_eq!(told["params"], json!({"progressToken": "p", "progress": 1, "extra": "x"}), "{era:?} {way:?}");
            assert_eq!(text_of(&exchange.outcome().await.unwrap()), "done");
        }
    }
}

/// Servers of 2025-11-25 begin a stream with an event without data.
#[tokio::test]
async fn an_event_without_data_is_no_message() {
    let primed = async |call: Call| {
        call.raw("id: 1\nretry: 500\ndata: \n\n");
        call.progress(1, 1);
        call.raw("id: 2\ndata:\n\n: a comment\n\n");
        call.text("done");
    };
    let upstream = Script::legacy().tool("primed", primed).over_http().await;
    let gate = Gate::of("up", &upstream).start().await;
    for era in Era::BOTH {
        let params = json!({"name": "up__primed", "arguments": {}, "_meta": {"progressToken": 1}});
        let mut exchange = gate.client(era).await.start("tools/call", params).await;
        assert_eq!(exchange.notification("notifications/progress").await["params"]["progress"], 1);
        assert_eq!(text_of(&exchange.outcome().await.unwrap()), "done");
    }
}

/// rmcp, FastMCP and PydanticAI send a token with every request; some count, some make up words.
#[tokio::test]
async fn tokens_come_back_as_they_were_also_where_they_look_alike() {
    let tokens =
        [json!(1), json!("1"), json!(0), json!(-7), json!(""), json!("\u{e9} \"q\""), json!(9007199254740991_u64)];
    for (era, way) in EVERY_WAY {
        let met = Arc::new(Barrier::new(tokens.len()));
        let count = move |call: Call| {
            let met = met.clone();
            async move {
                // All are in flight before the first is told anything.
                met.wait().await;
                call.progress(1, 2);
                call.progress(2, 2);
                call.text("done");
            }
        };
        let upstream = Script::new(era).tool("count", count).over(way).await;
        let gate = Gate::of("up", &upstream).start().await;
        for client in [gate.legacy().await, gate.modern().await] {
            let told = join_all(tokens.iter().map(async |token| {
                let params = json!({"name": "up__count", "arguments": {}, "_meta": {"progressToken": token}});
                let mut exchange: Exchange = client.start("tools/call", params).await;
                let mut told = Vec::new();
                for _ in 0..2 {
                    told.push(exchange.notification("notifications/progress").await["params"].clone());
                }
                assert_eq!(text_of(&exchange.outcome().await.unwrap()), "done");
                told
            }));
            for (token, told) in tokens.iter().zip(told.await) {
                let step = |step: u64| json!({"progressToken": token, "progress": step, "total": 2});
                assert_eq!(told, [step(1), step(2)], "{era:?} {way:?}");
            }
        }
    }
}

/// Clients before 2025-06-18 do not say their revision with each request, and some later ones say another than was agreed.
#[tokio::test]
async fn a_session_is_of_the_revision_that_was_agreed_whatever_its_header_says() {
    let upstream = Script::echo(Era::Modern).over_http().await;
    let gate = Gate::of("up", &upstream).start().await;
    for agreed in LEGACY {
        let client = Client::of(gate.url(), Era::Legacy).revision(agreed).open().await;
        for said in [None].into_iter().chain(LEGACY.map(Some)) {
            let mut request = http::Request::post(format!("{}/mcp", gate.url()))
                .header("content-type", "application/json")
                .header("accept", "application/json, text/event-stream")
                .header("mcp-session-id", client.session());
            if let Some(said) = said {
                request = request.header("mcp-protocol-version", said);
            }
            let ping = json!([{"jsonrpc": "2.0", "id": 1.0, "method": "ping", "params": {"vendor": 1}, "vendor": 2}]);
            let post = |body: &Value| request.body(body.to_string().into()).unwrap();
            let has_batches = agreed <= "2025-03-26";
            let page = client.fetch(post(if has_batches { &ping } else { &ping[0] })).await;
            assert_eq!(page.status, 200, "{agreed} {said:?}: {}", page.text);
            assert!(page.text.contains(r#"{"jsonrpc":"2.0","id":1.0,"result":{}}"#), "{}", page.text);
        }
    }
}
