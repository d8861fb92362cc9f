//! Stories of the loop: what comes side by side, what is cancelled, what is wrong, and how it ends.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use toolgate_protocol::Revision;

use crate::argument::Nothing;
use crate::testing::Client;
use crate::tool::{Hints, Tool};
use crate::{everything, memory};

const MODERN: &str =
    r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;

async fn client() -> Client {
    Client::modern(everything::server()).await
}

async fn legacy(revision: Revision) -> Client {
    Client::legacy(everything::server(), revision, json!({"roots": {}})).await
}

async fn wait(client: &mut Client) -> u64 {
    client.begin("tools/call", json!({"name": "wait", "arguments": {"seconds": 3600}})).await
}

/// The error that one line brings about.
async fn refusal(client: &mut Client, line: &str) -> (Value, i64, String) {
    client.send_line(line.as_bytes()).await;
    let answer = client.next().await.unwrap();
    let error = &answer["error"];
    (answer["id"].clone(), error["code"].as_i64().expect("an error"), error["message"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_slow_request_does_not_hold_up_another() {
    for mut client in [client().await, legacy(Revision::V2024_11_05).await] {
        wait(&mut client).await;
        assert_eq!(client.told("echo", json!({"message": "beside"})).await, "beside");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_request_gets_no_answer_and_its_id_is_free_again() {
    for mut client in [client().await, legacy(Revision::V2025_11_25).await] {
        let id = wait(&mut client).await;
        client.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}})).await;
        let request = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params":
            {"name": "echo", "arguments": {"message": "again"}, "_meta": serde_json::from_str::<Value>(MODERN).unwrap()}});
        client.send(&request).await;
        assert_eq!(client.answer_to(id).await.unwrap()["content"][0]["text"], "again");
        let (last, ended) = client.close().await;
        assert_eq!(last, Vec::<Value>::new());
        ended.unwrap();
    }
}

#[tokio::test]
async fn cancelling_a_call_takes_its_question_back() {
    let mut client = legacy(Revision::V2025_06_18).await;
    let id = client.begin("tools/call", json!({"name": "list_roots"})).await;
    let question = client.next().await.unwrap();
    assert_eq!(question["method"], "roots/list");
    client.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}})).await;
    let taken_back = client.hear("notifications/cancelled").await;
    assert_eq!(taken_back["params"]["requestId"], question["id"]);
    client.send(&json!({"jsonrpc": "2.0", "id": question["id"], "result": {"roots": []}})).await;
    assert_eq!(client.told("echo", json!({"message": "late answers are no harm"})).await, "late answers are no harm");
}

#[tokio::test(start_paused = true)]
async fn a_question_without_an_answer_is_given_up() {
    let mut client = legacy(Revision::V2025_06_18).await;
    let id = client.begin("tools/call", json!({"name": "list_roots"})).await;
    client.next().await.unwrap();
    tokio::time::advance(Duration::from_secs(601)).await;
    client.hear("notifications/cancelled").await;
    let result = client.answer_to(id).await.unwrap();
    assert_eq!(result["content"][0]["text"], "The client did not answer `roots/list` within 600 s");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_input_ends_the_server_promptly() {
    for mut client in [client().await, legacy(Revision::V2025_11_25).await] {
        wait(&mut client).await;
        client.begin("tools/call", json!({"name": "list_roots"})).await;
        let begun = tokio::time::Instant::now();
        let (_, ended) = client.close().await;
        ended.unwrap();
        assert!(begun.elapsed() <= super::GRACE);
    }
}

#[tokio::test]
async fn a_question_that_is_open_at_the_end_of_input_has_no_answer() {
    let mut client = legacy(Revision::V2025_11_25).await;
    let id = client.begin("tools/call", json!({"name": "list_roots"})).await;
    client.next().await.unwrap();
    let (last, ended) = client.close().await;
    ended.unwrap();
    assert_eq!((last.len(), &last[0]["id"]), (1, &json!(id)));
    assert_eq!(last[0]["result"]["content"][0]["text"], "The client has gone");
}

#[tokio::test]
async fn what_was_asked_before_the_end_of_input_is_answered() {
    let (mut to, stdin) = tokio::io::duplex(1024);
    let (stdout, mut from) = tokio::io::duplex(1024);
    let lines = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"ping"}}{}{{"jsonrpc":"2.0","id":2,"method":"server/discover","params":{{"_meta":{MODERN}}}}}"#,
        '\n'
    );
    to.write_all(lines.as_bytes()).await.unwrap();
    drop(to);
    let (served, mut said) = (tokio::spawn(crate::serve(everything::server(), stdin, stdout)), String::new());
    from.read_to_string(&mut said).await.unwrap();
    served.await.unwrap().unwrap();
    let answers: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), 2);
    assert_eq!(answers[1]["result"]["supportedVersions"], json!(["2026-07-28"]));
}

#[tokio::test]
async fn a_client_that_no_longer_reads_ends_the_server() {
    let (mut to, stdin) = tokio::io::duplex(1024);
    let (stdout, from) = tokio::io::duplex(1024);
    drop(from);
    to.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n").await.unwrap();
    let error = crate::serve(everything::server(), stdin, stdout).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn a_batch_is_answered_by_a_batch_in_the_one_revision_that_has_them() {
    let batch = r#"[{"jsonrpc":"2.0","id":"a","method":"ping"},{"jsonrpc":"2.0","method":"notifications/x"},7,{"jsonrpc":"2.0","id":"b","method":"nope"}]"#;
    let mut client = legacy(Revision::V2025_03_26).await;
    client.send_line(batch.as_bytes()).await;
    let answers = client.next().await.unwrap();
    assert_eq!(answers.as_array().unwrap().len(), 3);
    assert_eq!((&answers[0]["id"], &answers[0]["result"]), (&json!("a"), &json!({})));
    assert_eq!((&answers[1]["id"], &answers[1]["error"]["code"]), (&json!(null), &json!(-32600)));
    assert_eq!((&answers[2]["id"], &answers[2]["error"]["code"]), (&json!("b"), &json!(-32601)));
    assert_eq!(refusal(&mut client, "[]").await.1, -32600);
    assert_eq!(refusal(&mut legacy(Revision::V2025_06_18).await, batch).await.1, -32600);
    assert_eq!(refusal(&mut Client::raw(everything::server()), batch).await.1, -32600);
}

#[tokio::test]
async fn each_bad_line_gets_its_code_and_the_next_works() {
    let mut client = client().await;
    let deep = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{}1{}}}",
        "{\"a\":".repeat(100),
        "}".repeat(100)
    );
    for (line, id, code) in [
        ("garbage", json!(null), -32700),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,", json!(null), -32700),
        ("\u{1}", json!(null), -32700),
        ("7", json!(null), -32600),
        ("{}", json!(null), -32600),
        (&deep, json!(null), -32700),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, json!(1), -32600),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, json!(null), -32600),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, json!(null), -32600),
        (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#, json!(null), -32600),
        (r#"{"jsonrpc":"2.0","id":"x","method":7}"#, json!("x"), -32600),
        (r#"{"jsonrpc":"2.0","id":1.50,"method":"ping","params":[]}"#, json!(1.5), -32602),
        (r#"{"jsonrpc":"2.0","id":3}"#, json!(3), -32600),
    ] {
        let (answered, told, _) = refusal(&mut client, line).await;
        assert_eq!((answered, told), (id, code), "{line}");
    }
    client.send_line(br#"{"jsonrpc":"2.0","id":9,"result":1,"error":{}}"#).await;
    client.send_line(br#"{"jsonrpc":"2.0","id":9,"result":{}}"#).await;
    assert_eq!(client.told("echo", json!({"message": "still here"})).await, "still here");
}

#[tokio::test]
async fn an_endless_line_is_skipped() {
    let mut client = client().await;
    let (_, code, message) = refusal(&mut client, &"x".repeat(super::MAX_LINE + 1)).await;
    assert_eq!((code, message.as_str()), (-32600, "a message may have at most 4194304 bytes"));
    let message = "y".repeat(100_000);
    assert_eq!(client.told("echo", json!({"message": message})).await, message);
}

#[tokio::test]
async fn a_modern_request_must_say_what_it_is() {
    let request = |method: &str, meta: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{"_meta":{meta}}}}}"#)
    };
    let mut client = client().await;
    for (line, code) in [
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#.to_owned(), -32602),
        (request("tools/list", "{}"), -32602),
        (request("tools/list", r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#), -32602),
        (request("tools/list", &MODERN.replace("2026-07-28", "1999-01-01")), -32022),
        (request("tools/list", &MODERN.replace("2026-07-28", "2025-11-25")), -32022),
        (request("initialize", MODERN), -32601),
        (request("ping", MODERN), -32601),
        (request("logging/setLevel", MODERN), -32601),
        (request("resources/subscribe", MODERN), -32601),
        (request("resources/unsubscribe", MODERN), -32601),
        (request("subscriptions/listen", MODERN), -32602),
        (request("no/such", MODERN), -32601),
    ] {
        assert_eq!(refusal(&mut client, &line).await.1, code, "{line}");
    }
}

#[tokio::test]
async fn a_client_that_probes_may_go_on_with_either_era() {
    let mut client = client().await;
    client.request("server/discover", json!({})).await.unwrap();
    client.send_line(br#"{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2099-01-01","capabilities":{}}}"#).await;
    let result = client.next().await.unwrap();
    assert_eq!((&result["id"], &result["result"]["protocolVersion"]), (&json!("i"), &json!("2025-11-25")));
    client.send_line(br#"{"jsonrpc":"2.0","id":"l","method":"tools/list"}"#).await;
    assert!(client.next().await.unwrap()["result"]["tools"].is_array());
    assert_eq!(refusal(&mut client, r#"{"jsonrpc":"2.0","id":"d","method":"server/discover"}"#).await.1, -32601);
    let twice = r#"{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-06-18"}}"#;
    assert_eq!(refusal(&mut client, twice).await.1, -32600);
}

#[tokio::test]
async fn an_id_in_flight_is_not_taken_twice() {
    let mut client = client().await;
    let id = wait(&mut client).await;
    let (nameless, code, message) =
        refusal(&mut client, &format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#)).await;
    assert_eq!((nameless, code), (Value::Null, -32600));
    assert!(message.contains("still in flight"));
}

#[tokio::test]
async fn requests_beyond_the_bound_are_refused_and_those_before_go_on() {
    let mut client = client().await;
    let mut ids = Vec::new();
    for _ in 0..super::MAX_IN_FLIGHT {
        ids.push(wait(&mut client).await);
    }
    let refused = client.request("tools/list", json!({})).await.unwrap_err();
    assert!(refused["message"].as_str().unwrap().starts_with("256 requests are in flight"));
    client.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": ids[0]}})).await;
    assert_eq!(client.told("echo", json!({"message": "room again"})).await, "room again");
}

#[tokio::test]
async fn a_handler_that_panics_costs_its_request_only() {
    let server = everything::server();
    let panics = Tool::plain("panic", "Panic", "Panics.", Hints::READS, |_: Nothing, _| async { panic!("as asked") });
    assert!(server.tools.toggle(panics));
    let mut client = Client::modern(server).await;
    let error = client.request("tools/call", json!({"name": "panic"})).await.unwrap_err();
    assert_eq!(error["code"], -32603);
    assert_eq!(client.told("echo", json!({"message": "alive"})).await, "alive");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-z/_]{1,12}", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Messages that are nearly right: known methods and names, anything elsewhere.
fn any_message() -> impl Strategy<Value = Value> {
    let method = prop::sample::select(vec![
        "initialize",
        "ping",
        "server/discover",
        "subscriptions/listen",
        "tools/list",
        "tools/call",
        "prompts/list",
        "prompts/get",
        "resources/list",
        "resources/templates/list",
        "resources/read",
        "resources/subscribe",
        "resources/unsubscribe",
        "completion/complete",
        "logging/setLevel",
        "notifications/cancelled",
        "notifications/initialized",
        "x/y",
    ]);
    let name = prop::sample::select(vec![
        "echo",
        "wait",
        "interview",
        "set_note",
        "search_notes",
        "list_notes",
        "make_text",
        "simple",
        "none",
    ]);
    let member = prop::sample::select(vec![
        "arguments",
        "uri",
        "cursor",
        "ref",
        "argument",
        "notifications",
        "requestState",
        "inputResponses",
        "level",
        "requestId",
        "key",
        "query",
    ]);
    (method, name, prop::collection::vec((member, any_json()), 0..4), any::<bool>(), 0_u8..6).prop_map(
        |(method, name, members, modern, id)| {
            let mut params = json!({"name": name, "protocolVersion": "2025-03-26"});
            for (member, value) in members {
                params[member] = value;
            }
            if modern {
                params["_meta"] = serde_json::from_str(MODERN).unwrap();
            }
            let mut message = json!({"jsonrpc": "2.0", "method": method, "params": params});
            if id > 0 {
                message["id"] = json!(id);
            }
            message
        },
    )
}

fn any_line() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => any_message().prop_map(|message| message.to_string().into_bytes()),
        1 => prop::collection::vec(any_message(), 0..3).prop_map(|batch| Value::from(batch).to_string().into_bytes()),
        1 => any_json().prop_map(|json| json.to_string().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..60),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_comes_in_the_next_request_is_answered_and_the_end_is_an_end(lines in prop::collection::vec(any_line(), 0..24), notes in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let server = if notes { memory::server(None).unwrap() } else { everything::server() };
            let mut client = Client::raw(server);
            for line in lines {
                client.send_line(&line).await;
            }
            let last = json!({"jsonrpc": "2.0", "id": "last", "method": "server/discover", "params": {"_meta": serde_json::from_str::<Value>(MODERN).unwrap()}});
            client.send(&last).await;
            while client.next().await.expect("an answer")["id"] != "last" {}
            client.close().await.1.unwrap();
        });
    }
}
