//! HTTP APIs that speak no MCP, as upstreams: what clients of both eras see of them, and what becomes of those that fail.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tempfile::TempDir;
use toolgate_testkit::client::text_of;
use toolgate_testkit::{Client, Era, Gate, Heard, HttpApi, Says};

use crate::commands::{folder, succeeds, toolgate};

const TREE: &str = "#/components/schemas/Tree";

/// A document (whose members serde_json sorts) with one operation of each kind that the stories need.
fn document() -> Value {
    let id = json!({"name": "id", "in": "path", "required": true, "schema": {"type": "string"}});
    let tree = json!({"schema": {"$ref": TREE}});
    json!({
        "openapi": "3.0.3",
        "info": {"title": "Things", "version": "7.1", "description": "All about things."},
        "paths": {
            "/things/{id}": {
                "get": {"operationId": "read", "tags": ["things"], "summary": "Reads a thing", "parameters": [id]},
                "delete": {"operationId": "remove", "tags": ["things"], "parameters": [id]}
            },
            "/trees": {"post": {"operationId": "plant", "requestBody": {"content": {"application/json": tree}}}}
        },
        "components": {"schemas": {"Tree": {"type": "object", "properties": {
            "name": {"type": "string"}, "below": {"type": "array", "items": {"$ref": TREE}}}}}}
    })
}

/// An API that has its document at `/openapi.json` and says what it was asked.
async fn things() -> HttpApi {
    HttpApi::start(echo).await
}

fn echo(heard: &Heard) -> Says {
    match &*heard.line {
        "GET /openapi.json" => Says::json(200, &document()),
        line => Says::json(200, &json!({"line": line, "body": heard.body})),
    }
}

/// An API whose document never changes and whose answers are these.
async fn answering(answers: impl Fn(&Heard) -> Says + Send + Sync + 'static) -> HttpApi {
    HttpApi::start(move |heard| if heard.line == "GET /openapi.json" { echo(heard) } else { answers(heard) }).await
}

fn by_url(api: &HttpApi) -> Value {
    json!({"openapi": api.url("/openapi.json")})
}

async fn before(api: &HttpApi) -> (Gate, Client) {
    let gate = Gate::of_nothing().and_config("up", by_url(api)).start().await;
    let client = gate.modern().await;
    (gate, client)
}

/// The text of a result that says that it is an error.
async fn error(client: &Client, tool: &str, arguments: Value) -> String {
    let result = client.call(tool, arguments).await.unwrap();
    assert_eq!(result["isError"], true, "{result}");
    text_of(&result)
}

#[tokio::test]
async fn clients_of_both_eras_call_an_api_with_the_gateway_s_credentials() {
    let api = things().await;
    let config = json!({"openapi": api.url("/openapi.json"), "headers": {"Authorization": "Bearer s3cret"}});
    let gate = Gate::of_nothing().and_config("up", config).start().await;
    for era in Era::BOTH {
        let client = gate.client(era).await;
        assert_eq!(client.tools().await, ["up__remove", "up__read", "up__plant"]);
        let result = client.call("up__read", json!({"id": "a/b c"})).await.unwrap();
        assert_eq!(result["structuredContent"]["line"], "GET /things/a%2Fb%20c");
        let tree = json!({"name": "oak", "below": [{"name": "branch", "below": [{"name": "twig"}]}]});
        let result = client.call("up__plant", tree.clone()).await.unwrap();
        let body: Value = serde_json::from_str(result["structuredContent"]["body"].as_str().unwrap()).unwrap();
        assert_eq!(body, tree);
    }
    assert!(api.heard().iter().all(|heard| heard.headers["authorization"] == "Bearer s3cret"));
    let status = gate.status("up").await;
    assert_eq!((&status["state"], &status["counts"]["tools"]), (&json!("ready"), &json!(3)));
}

#[tokio::test]
async fn a_recursive_schema_reaches_the_client_whole() {
    let api = things().await;
    let (_gate, client) = before(&api).await;
    let tools = client.list("tools").await;
    let plant = tools.iter().find(|tool| tool["name"] == "up__plant").unwrap();
    let schema = &plant["inputSchema"];
    assert_eq!(schema["properties"]["below"]["items"]["$ref"], "#/$defs/Tree");
    assert_eq!(schema["$defs"]["Tree"]["properties"]["below"]["items"]["$ref"], "#/$defs/Tree");
}

#[tokio::test]
async fn only_the_wanted_operations_are_tools() {
    let api = things().await;
    let operations = json!({"allow": ["tag:things", "plant"], "deny": ["DELETE /*"]});
    let gate = Gate::of_nothing().and_config("up", by_url(&api)).with("operations", operations).start().await;
    assert_eq!(gate.modern().await.tools().await, ["up__read", "up__plant"]);
}

#[tokio::test]
async fn arguments_that_lead_elsewhere_or_fit_nothing_are_not_sent() {
    let api = things().await;
    let (_gate, client) = before(&api).await;
    for (arguments, words) in [
        (json!({"id": "../admin"}), "holds `.` or `..` as a part of a path"),
        (json!({"id": ""}), "is empty, which would make it another path"),
        (json!({}), "the argument `id` is missing; call again with it"),
        (json!({"id": "1", "ids": "2"}), "there is no argument `ids`; known: `id`"),
    ] {
        let text = error(&client, "up__read", arguments).await;
        assert!(text.starts_with("The call was not made: ") && text.contains(words), "{text}");
    }
    assert_eq!(api.asked("GET /things").len(), 0);
}

#[tokio::test]
async fn error_statuses_are_errors_that_can_be_read() {
    let api = answering(|heard| match &*heard.line {
        "GET /things/gone" => Says::json(404, &json!({"why": "no such thing"})),
        "GET /things/page" => Says::text(500, "text/html", "<h1>Oops</h1><script>x</script> it broke"),
        "GET /things/long" => Says::text(400, "text/plain", "x".repeat(300_000)),
        "GET /things/busy" => Says::text(429, "text/plain", "").with("Retry-After: 7"),
        _ => Says::This(204, Vec::new(), Vec::new()),
    })
    .await;
    let (_gate, client) = before(&api).await;
    let ask = async |id: &str| error(&client, "up__read", json!({"id": id})).await;
    assert_eq!(ask("gone").await, "HTTP 404 Not Found.\n\n{\"why\":\"no such thing\"}");
    assert_eq!(ask("page").await, "HTTP 500 Internal Server Error.\n\nOops it broke");
    assert!(ask("busy").await.contains("retry after 7"));
    let long = ask("long").await;
    assert!(long.len() < 9_000 && long.contains("(cut: "), "{}", long.len());
    assert_eq!(client.text("up__remove", json!({"id": "x"})).await, "HTTP 204 No Content. The answer is empty.");
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_said_to_be_and_the_next_one_works() {
    let api = answering(|heard| match &*heard.line {
        "GET /things/big" => Says::text(200, "text/plain", "x".repeat(100_000)),
        _ => Says::text(200, "text/plain", "small"),
    })
    .await;
    let gate = Gate::of_nothing().and_config("up", by_url(&api)).config("limits: {response: 64KiB}").start().await;
    let client = gate.modern().await;
    let text = error(&client, "up__read", json!({"id": "big"})).await;
    assert_eq!(text, "The answer has more than 65536 bytes, which is the limit. Ask for less.");
    assert_eq!(client.text("up__read", json!({"id": "x"})).await, "small");
}

#[tokio::test]
async fn media_are_content_of_their_kind() {
    let api = answering(|_| Says::text(200, "image/png", [1u8, 2])).await;
    let (_gate, client) = before(&api).await;
    let result = client.call("up__read", json!({"id": "x"})).await.unwrap();
    assert_eq!(result["content"], json!([{"type": "image", "data": "AQI=", "mimeType": "image/png"}]));
}

#[tokio::test]
async fn a_slow_api_is_given_up_and_so_is_one_whose_client_went_away() {
    let mut api = answering(|_| Says::Nothing).await;
    let gate = Gate::of_nothing().and_config("up", by_url(&api)).with("timeout", "300ms").start().await;
    let client = gate.modern().await;
    let fault = client.call("up__read", json!({"id": "x"})).await.unwrap_err();
    assert_eq!(fault.data, json!({"upstream": "up", "reason": "timeout"}));
    assert!(fault.message.contains("gave no sign of life for 0.3 s"), "{}", fault.message);
    api.was_given_up().await;
    assert_eq!(gate.status("up").await["state"], "ready");

    let mut patient = answering(|_| Says::Nothing).await;
    let (_gate, client) = before(&patient).await;
    let waiting = client.call("up__read", json!({"id": "x"}));
    tokio::select! {
        outcome = waiting => panic!("{outcome:?}"),
        () = until_asked(&patient) => {}
    }
    patient.was_given_up().await;
}

async fn until_asked(api: &HttpApi) {
    toolgate_testkit::until("the API is asked", || async { (!api.asked("GET /things").is_empty()).then_some(()) })
        .await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_told_so_and_not_asked_for_again() {
    let api = answering(|_| Says::Half).await;
    let (_gate, client) = before(&api).await;
    let fault = client.call("up__remove", json!({"id": "x"})).await.unwrap_err();
    assert_eq!(fault.data["reason"], "closed", "{fault:?}");
    assert_eq!(api.asked("DELETE /things/x").len(), 1);
}

#[tokio::test]
async fn an_api_that_is_down_is_told_at_once_and_works_when_it_is_up_again() {
    let api = things().await;
    let (gate, client) = before(&api).await;
    assert_eq!(client.tools().await.len(), 3);
    let address = api.address();
    api.stop().await;
    let fault = client.call("up__read", json!({"id": "x"})).await.unwrap_err();
    assert_eq!(fault.data, json!({"upstream": "up", "reason": "unavailable"}));
    assert_eq!(gate.status("up").await["state"], "ready", "its tools are known");
    let api = HttpApi::at(address, echo).await;
    assert!(client.text("up__read", json!({"id": "x"})).await.contains("GET /things/x"));
    assert_eq!(api.asked("GET /things/x").len(), 1);
}

#[tokio::test]
async fn redirects_are_followed_at_home_and_never_abroad() {
    let abroad = HttpApi::start(|_| Says::text(200, "text/plain", "stolen")).await;
    let elsewhere = abroad.url("/x");
    let api = answering(move |heard| match &*heard.line {
        "GET /things/here" => Says::text(307, "text/plain", "").with("Location: /things/there"),
        "GET /things/away" => Says::text(302, "text/plain", "").with(&format!("Location: {elsewhere}")),
        "GET /things/round" => Says::text(302, "text/plain", "").with("Location: /things/round"),
        other => Says::text(200, "text/plain", other),
    })
    .await;
    let (_gate, client) = before(&api).await;
    assert_eq!(client.text("up__read", json!({"id": "here"})).await, "GET /things/there");
    let away = error(&client, "up__read", json!({"id": "away"})).await;
    assert!(away.contains("which is not followed"), "{away}");
    assert!(error(&client, "up__read", json!({"id": "round"})).await.contains("HTTP 302"));
    assert_eq!((abroad.heard().len(), api.asked("GET /things/round").len()), (0, 4));
}

/// An API whose document is what is in the cell, with a tag, or is gone.
async fn changing(now: &Arc<Mutex<Option<Vec<u8>>>>) -> HttpApi {
    let now = now.clone();
    HttpApi::start(move |heard| match (&*heard.line, now.lock().unwrap().clone()) {
        ("GET /openapi.json", None) => Says::text(503, "text/plain", "resting"),
        ("GET /openapi.json", Some(text)) => {
            let tag = format!("\"{}\"", text.len());
            match heard.headers.get("if-none-match") == Some(&tag) {
                true => Says::This(304, Vec::new(), Vec::new()),
                false => Says::text(200, "application/json", text).with(&format!("ETag: {tag}")),
            }
        }
        _ => echo(heard),
    })
    .await
}

#[tokio::test]
async fn a_document_that_changes_changes_the_tools_and_one_that_turns_faulty_does_not() {
    let text = |document: &Value| Some(document.to_string().into_bytes());
    let now = Arc::new(Mutex::new(text(&document())));
    let api = changing(&now).await;
    let gate = Gate::of_nothing().and_config("up", by_url(&api)).config("refresh: 50ms").start().await.settled().await;
    let client = gate.modern().await;
    for (broken, words) in [
        (Some(b"{\"openapi\": ".to_vec()), "its document cannot be used: not JSON"),
        (None, "its document cannot be had: HTTP 503"),
        (text(&json!({"swagger": "2.0"})), "Swagger 2.0"),
    ] {
        *now.lock().unwrap() = broken;
        let status = gate.status_becomes("up", words, |status| status["notes"].to_string().contains(words)).await;
        assert_eq!((&status["state"], &status["counts"]["tools"]), (&json!("ready"), &json!(3)), "{status}");
        assert!(status["notes"][0].as_str().unwrap().starts_with("the tools are those read last; now "), "{status}");
        assert!(client.text("up__read", json!({"id": "x"})).await.contains("GET /things/x"));
    }
    let mut changed = document();
    changed["paths"]["/news"] = json!({"get": {"operationId": "news"}});
    *now.lock().unwrap() = text(&changed);
    gate.status_becomes("up", "the new tool", |status| status["counts"]["tools"] == 4).await;
    assert_eq!(gate.status("up").await["notes"], json!([]));
    assert!(client.text("up__news", json!({})).await.contains("GET /news"));
    let unchanged = || async {
        api.asked("GET /openapi").iter().any(|heard| heard.headers.contains_key("if-none-match")).then_some(())
    };
    toolgate_testkit::until("the document is asked for with its tag", unchanged).await;
}

#[tokio::test]
async fn a_document_that_is_faulty_at_first_is_tried_again_and_its_faults_are_told() {
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = tries.clone();
    let api = HttpApi::start(move |heard| match &*heard.line {
        "GET /openapi.json" if counted.fetch_add(1, Ordering::SeqCst) < 2 => Says::text(200, "text/html", "<html>"),
        _ => echo(heard),
    })
    .await;
    let gate = Gate::of_nothing().and_config("up", by_url(&api)).start().await;
    gate.status_becomes("up", "it is ready", |status| status["state"] == "ready").await;
    assert!(gate.modern().await.text("up__read", json!({"id": "x"})).await.contains("GET /things/x"));
    assert_eq!(tries.load(Ordering::SeqCst), 3);

    let mut odd = document();
    odd["paths"]["/elsewhere"] = json!({"$ref": "other.yaml#/x"});
    odd["paths"]["/things/{id}"]["get"]["parameters"][0]["schema"] = json!({"$ref": "#/nowhere"});
    let now = Arc::new(Mutex::new(Some(odd.to_string().into_bytes())));
    let api = changing(&now).await;
    let gate = Gate::of_nothing().and_config("up", by_url(&api)).start().await.settled().await;
    assert_eq!(gate.modern().await.tools().await.len(), 3);
    let notes = gate.status("up").await["notes"].to_string();
    assert!(notes.contains("/elsewhere is no tool: `other.yaml#/x` is in another document"), "{notes}");
    assert!(notes.contains("`#/nowhere` leads to nothing"), "{notes}");
    let shown = succeeds(folder("").path(), &["status", "--url", gate.url()]).await;
    assert!(shown.contains("note up: /elsewhere is no tool: "), "{shown}");
}

#[tokio::test]
async fn a_document_that_cannot_be_used_is_told_with_the_reason() {
    let mut evil = document();
    evil["servers"] = json!([{"url": "https://evil.example.com"}]);
    for (document, words) in [
        (evil, "it says that its API is at https://evil.example.com, another host; if so, set `base_url`"),
        (json!({"swagger": "2.0", "paths": {}}), "it is of Swagger 2.0"),
        (json!([]), "it has no member `openapi`"),
    ] {
        let now = Arc::new(Mutex::new(Some(document.to_string().into_bytes())));
        let api = changing(&now).await;
        let gate = Gate::of_nothing().and_config("up", by_url(&api)).start().await;
        let told = |status: &Value| status["error"].as_str().is_some_and(|error| error.contains(words));
        gate.status_becomes("up", words, told).await;
    }
}

#[tokio::test]
async fn a_file_beside_the_config_is_read_and_its_credentials_stay_at_home() {
    let (api, docs) = (things().await, things().await);
    let state = Arc::new(TempDir::new().unwrap());
    std::fs::write(state.path().join("things.json"), document().to_string()).unwrap();
    let headers = json!({"X-Key": "s3cret"});
    let gate = Gate::of_nothing()
        .and_config(
            "file",
            json!({"openapi": "./things.json", "base_url": api.url("/v1?key=k&x=1"), "headers": headers}),
        )
        .and_config(
            "url",
            json!({"openapi": docs.url("/openapi.json"), "base_url": api.url("/v2"), "headers": headers}),
        )
        .after(&state)
        .start()
        .await
        .settled()
        .await;
    let client = gate.modern().await;
    assert!(client.text("file__read", json!({"id": "x"})).await.contains("GET /v1/things/x?key=k&x=1"));
    assert!(client.text("url__read", json!({"id": "x"})).await.contains("GET /v2/things/x"));
    assert!(api.heard().iter().all(|heard| heard.headers["x-key"] == "s3cret"));
    assert!(docs.heard().iter().all(|heard| !heard.headers.contains_key("x-key")), "the documents are elsewhere");
}

#[tokio::test]
async fn single_requests_of_the_config_are_tools() {
    let api = answering(|heard| match &*heard.line {
        line if line.contains("/slow") => Says::Nothing,
        _ => echo(heard),
    })
    .await;
    let forecast = json!({"name": "forecast", "description": "The weather", "url": api.url("/w/{city}?units=C"),
        "query": {"days": "{days}"}, "headers": {"X-Key": "k", "X-For": "{city}!"},
        "input": {"properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]}});
    let post =
        json!({"name": "post", "description": "Posts", "url": api.url("/post"), "body": {"text": "{text}", "n": 1}});
    let slow = json!({"name": "slow", "description": "Waits", "url": api.url("/slow"), "timeout": "200ms"});
    let config = json!({"http": [forecast, post, slow]});
    let gate = Gate::of_nothing().and_config("direct", config).start().await;
    for era in Era::BOTH {
        let client = gate.client(era).await;
        assert_eq!(client.tools().await, ["direct__forecast", "direct__post", "direct__slow"]);
        let text = client.text("direct__forecast", json!({"city": "a/b", "days": 3})).await;
        assert!(text.contains("GET /w/a%2Fb?units=C&days=3"), "{text}");
        let text = client.text("direct__forecast", json!({"city": "x"})).await;
        assert!(text.contains("\"GET /w/x?units=C\""), "{text}");
        let result = client.call("direct__post", json!({"text": "say \"hi\""})).await.unwrap();
        assert_eq!(result["structuredContent"]["body"], r#"{"n":1,"text":"say \"hi\""}"#);
    }
    let heard = &api.asked("GET /w/a%2Fb")[0];
    assert_eq!((&*heard.headers["x-key"], &*heard.headers["x-for"]), ("k", "a/b!"));
    let fault = gate.modern().await.call("direct__slow", json!({})).await.unwrap_err();
    assert!(fault.message.contains("0.2 s"), "{}", fault.message);
}

#[tokio::test]
async fn the_command_line_lists_and_calls_them() {
    let api = things().await;
    let folder = folder(&format!("listen: 127.0.0.1:0\nupstreams:\n  up: {}\n", by_url(&api)));
    let run = async |args: &[&str]| toolgate(folder.path(), args).await.out;
    assert!(run(&["tools", "--config", "toolgate.yaml"]).await.contains("up__read    Reads a thing"));
    let said = run(&["call", "up__read", "id=7", "--config", "toolgate.yaml"]).await;
    assert!(said.contains("GET /things/7"), "{said}");
}

/// The example of `docs/openapi.md`, with its API in the test's process.
#[tokio::test]
async fn the_example_of_the_documentation_works() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = std::fs::read_to_string(root.join("docs/openapi.md")).unwrap();
    let blocks: Vec<&str> = page.split("```").skip(1).step_by(2).collect();
    let block = |kind: &str, nth: usize| {
        let of_kind = blocks.iter().filter_map(|block| block.strip_prefix(kind)).nth(nth);
        of_kind.unwrap_or_else(|| panic!("no {kind} {nth} in docs/openapi.md")).to_owned()
    };
    let orders = Arc::new(Mutex::new(Vec::new()));
    let log = orders.clone();
    let api = HttpApi::start(move |heard| {
        log.lock().unwrap().push(format!("{} {}", heard.line, heard.body).trim().to_owned());
        Says::json(200, &json!({"ok": true}))
    })
    .await;
    let folder = folder(&block("yaml\n# toolgate.yaml", 0).replace("https://coffee.example.com", &api.url("")));
    std::fs::write(folder.path().join("coffee.yaml"), block("yaml\n# coffee.yaml", 0)).unwrap();
    std::fs::write(folder.path().join("coffee.key"), "k3y\n").unwrap();
    let mut expected = Vec::new();
    for line in block("console", 0).lines().filter_map(|line| line.strip_prefix("$ toolgate ")) {
        let mut args = words(line);
        args.extend(["--config".to_owned(), "toolgate.yaml".to_owned()]);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        succeeds(folder.path(), &args).await;
        expected.push(line.to_owned());
    }
    assert_eq!(expected.len(), 4);
    let sent: Vec<String> = block("http\n", 0).lines().map(str::to_owned).filter(|line| !line.is_empty()).collect();
    assert_eq!(*orders.lock().unwrap(), sent);
    assert!(api.heard().iter().all(|heard| heard.headers["x-api-key"] == "k3y"));
}

/// The words of a command line; quotes keep what is between them together.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in line.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    words
}
