//! Tools for clients that speak no MCP: described by an OpenAPI document, called by a POST.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};
use toolgate_testkit::client::Page;
use toolgate_testkit::{Call, Client, EVERY_WAY, Era, Gate, Script};

async fn post(client: &Client, url: &str, path: &str, body: &str) -> Page {
    let request = Request::post(format!("{url}{path}")).header("content-type", "application/json");
    client.fetch(request.body(Full::new(Bytes::from(body.to_owned()))).unwrap()).await
}

fn script(era: Era) -> Script {
    let add = json!({"name": "add", "title": "Add", "description": "Adds numbers",
        "inputSchema": {"type": "object", "properties": {"of": {"type": "array", "items": {"$ref": "#/$defs/N"}}}, "$defs": {"N": {"type": "number"}}},
        "outputSchema": {"type": "object", "properties": {"sum": {"type": "number"}}, "required": ["sum"]}});
    Script::echo(era)
        .entry("tools", &add.to_string())
        .on("tools/call add", |call: Call| async move {
            let sum: f64 = call.params["arguments"]["of"].as_array().unwrap().iter().filter_map(Value::as_f64).sum();
            let sum = json!({"sum": sum});
            call.answer(json!({"content": [{"type": "text", "text": sum.to_string()}], "structuredContent": sum}));
        })
        .tool("fail", |call: Call| async move {
            call.answer(json!({"content": [{"type": "text", "text": "the disk is full"}], "isError": true}));
        })
        .tool("ask", |call: Call| async move {
            let answer = call.ask("elicitation/create", json!({"message": "?", "requestedSchema": {}})).await;
            call.text(&answer.to_string());
        })
        .tool("refuse", |call: Call| async move { call.fail(-32602, "`x` is missing") })
}

#[tokio::test]
async fn a_tool_is_called_with_its_arguments_and_answers_what_it_answers() {
    for (era, way) in EVERY_WAY {
        let upstream = script(era).over(way).await;
        let config = "presentation: search\nnamespaces: {sums: {tools: {allow: [add]}, names: plain}}";
        let gate = Gate::of("up", &upstream).config(config).start().await.settled().await;
        let visitor = Client::visitor(gate.url());
        let ask = |path: &'static str, body: &'static str| post(&visitor, gate.url(), path, body);
        let sum = ask("/tools/up__add", r#"{"of": [1, 2.5]}"#).await;
        assert_eq!((sum.status, sum.json()), (200, json!({"sum": 3.5})), "{era:?} {way:?}");
        assert_eq!(ask("/ns/sums/tools/add", r#"{"of": [1]}"#).await.json(), json!({"sum": 1.0}));
        assert_eq!(ask("/upstreams/up/tools/add", r#"{"of": []}"#).await.json(), json!({"sum": 0.0}));
        let said = ask("/tools/up__echo", r#"{"text": "hi"}"#).await;
        assert_eq!(said.json(), json!({"content": [{"type": "text", "text": "hi"}]}));
        for (path, body, status, detail) in [
            ("/tools/up__fail", "", 422, "the disk is full"),
            ("/tools/up__refuse", "{}", 400, "`x` is missing"),
            ("/tools/up__nothing", "{}", 404, "there is no tool `up__nothing` here"),
            ("/ns/sums/tools/up__echo", "{}", 404, "there is no tool"),
            ("/tools/up__echo", "[]", 400, "must be a JSON object"),
            ("/tools/up__echo", "{", 400, "is no JSON"),
            ("/tools/%FF", "{}", 404, "no tool has such a name"),
        ] {
            let page = ask(path, body).await;
            let problem = page.json();
            assert_eq!(page.headers["content-type"], "application/problem+json", "{path} {body}");
            assert_eq!((page.status, &problem["status"]), (status, &json!(status)), "{path} {body}: {problem}");
            assert!(problem["detail"].as_str().unwrap().contains(detail), "{path} {body}: {problem}");
        }
        assert_eq!(visitor.get("/tools/up__echo").await.status, 405);
        assert_eq!(ask("/ns/nowhere/tools/add", "{}").await.status, 404);
    }
}

#[tokio::test]
async fn a_tool_that_asks_its_client_something_says_that_this_is_none_that_can_be_asked() {
    let upstream = script(Era::Legacy).over_http().await;
    let gate = Gate::of("up", &upstream).start().await.settled().await;
    let page = post(&Client::visitor(gate.url()), gate.url(), "/tools/up__ask", "{}").await;
    // The server is told that nobody can be asked, and makes of it what it will.
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.text.contains("error"), "{}", page.text);
}

#[tokio::test]
async fn an_upstream_that_is_down_is_a_bad_gateway() {
    let upstream = script(Era::Modern).over_http().await;
    let gate = Gate::of("up", &upstream).config("timeouts: {connect: 300ms}").start().await.settled().await;
    upstream.go_down().await;
    gate.status_becomes("up", "it is known to be down", |status| status["state"] == "failed").await;
    let page = post(&Client::visitor(gate.url()), gate.url(), "/tools/up__echo", "{}").await;
    assert_eq!(page.status, 502, "{}", page.text);
}

/// What one gateway describes, another reads: the document means what the calls do.
#[tokio::test]
async fn the_document_is_one_that_an_openapi_client_can_use() {
    let upstream = script(Era::Modern).over_http().await;
    let config = "namespaces: {sums: {tools: {allow: [add, echo]}, names: plain}}";
    let one = Gate::of("up", &upstream).config(config).start().await.settled().await;
    let document = Client::visitor(one.url()).get("/ns/sums/openapi.json").await.json();
    let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    assert_eq!(paths, ["/tools/add", "/tools/echo"]);
    let url = format!("{}/ns/sums/openapi.json", one.url());
    let other = Gate::of_nothing().and_config("sums", json!({"openapi": url})).start().await.settled().await;
    let client = other.modern().await;
    assert_eq!(client.tools().await, ["sums__echo", "sums__add"]);
    let sum = client.call("sums__add", json!({"of": [4, 5]})).await.unwrap();
    assert_eq!(sum["structuredContent"], json!({"sum": 9.0}), "{sum}");
}
