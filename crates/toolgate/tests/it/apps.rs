//! MCP Apps (SEP-1865) behind a gateway: a tool's page is read from the server that brought the tool, whoever else has one of
//! that name, and all that is said about it arrives.

use serde_json::{Value, json};
use toolgate_testkit::{Call, Client, Era, Gate, Script, Upstream, Way};

const UI: &str = "io.modelcontextprotocol/ui";
const PAGE: &str = "ui://app/main.html";

/// A server with a tool that brings a page along, listed or not.
fn with_page(era: Era, html: &'static str, is_listed: bool) -> Script {
    let tool = json!({
        "name": "show", "inputSchema": {"type": "object"},
        "_meta": {"ui": {"resourceUri": PAGE, "visibility": ["model", "app"]}, "ui/resourceUri": PAGE, "vendor": 1.0},
    });
    let script = Script::new(era)
        .capabilities(json!({"tools": {}, "resources": {}, "extensions": {UI: {}}}))
        .entry("tools", &tool.to_string())
        .on("tools/call show", async |call: Call| call.text("shown"))
        .on(&format!("resources/read {PAGE}"), move |call: Call| async move {
            let meta = json!({"ui": {"csp": {"connectDomains": ["https://x"]}, "prefersBorder": true}});
            let mime = "text/html;profile=mcp-app";
            call.answer(json!({"contents": [{"uri": PAGE, "mimeType": mime, "text": html, "_meta": meta}]}));
        });
    match is_listed {
        true => script.entry("resources", &json!({"uri": PAGE, "name": "main"}).to_string()),
        false => script,
    }
}

/// The page that a tool names, read as a host does.
async fn page_of(client: &Client, tool: &str) -> Value {
    let tools = client.list("tools").await;
    let found = tools.iter().find(|one| one["name"] == tool).unwrap();
    let meta = &found["_meta"];
    let uri = &meta["ui"]["resourceUri"];
    assert_eq!(meta["ui/resourceUri"], *uri, "both forms say the same");
    assert!(uri.as_str().unwrap().starts_with("ui://"), "hosts refuse any other: {uri}");
    assert_eq!((&meta["vendor"], &meta["ui"]["visibility"]), (&json!(1.0), &json!(["model", "app"])));
    let read = client.request("resources/read", json!({"uri": uri})).await.unwrap();
    assert_eq!(read["contents"][0]["uri"], *uri, "under the URI that it was asked for by");
    read["contents"][0].clone()
}

#[tokio::test]
async fn each_tool_has_the_page_of_its_own_server() {
    for era in Era::BOTH {
        for listed in [[true, true], [true, false], [false, true], [false, false]] {
            let upstreams: [Upstream; 2] = [
                with_page(era, "<p>one", listed[0]).over(Way::Http).await,
                with_page(era, "<p>two", listed[1]).over(Way::Stdio).await,
            ];
            let gate = Gate::of("one", &upstreams[0]).and("two", &upstreams[1]).start().await.settled().await;
            for client in Era::BOTH {
                let client = gate.client(client).await;
                for (tool, html) in [("one__show", "<p>one"), ("two__show", "<p>two")] {
                    let page = page_of(&client, tool).await;
                    assert_eq!(page["text"], html, "{era:?} {listed:?}");
                    assert_eq!(page["mimeType"], "text/html;profile=mcp-app");
                    assert_eq!(page["_meta"]["ui"]["csp"], json!({"connectDomains": ["https://x"]}));
                }
                // The app calls its server's tool by the name that clients have for it.
                assert_eq!(client.text("two__show", json!({})).await, "shown");
            }
        }
    }
}

#[tokio::test]
async fn a_page_keeps_its_uri_where_nobody_else_has_it() {
    let upstream = with_page(Era::Modern, "<p>one", false).over_http().await;
    let other = Script::echo(Era::Legacy).entry("resources", r#"{"uri":"ui://other","name":"o"}"#).over_http().await;
    let gate = Gate::of("old", &other).and("up", &upstream).start().await.settled().await;
    let client = gate.modern().await;
    let show = client.list("tools").await.into_iter().find(|tool| tool["name"] == "up__show").unwrap();
    assert_eq!(show["_meta"]["ui"]["resourceUri"], PAGE);
    assert_eq!(page_of(&client, "up__show").await["text"], "<p>one");
}

#[tokio::test]
async fn the_extension_is_offered_and_declared_from_end_to_end() {
    let upstream = with_page(Era::Modern, "<p>one", true).over_http().await;
    let gate = Gate::of("up", &upstream).start().await.settled().await;
    let settings = json!({"mimeTypes": ["text/html;profile=mcp-app"]});
    let client = Client::of(gate.url(), Era::Modern).capabilities(json!({"extensions": {UI: settings, "x/y": {}}}));
    let about = client.request("server/discover", json!({})).await.unwrap();
    assert_eq!(about["capabilities"]["extensions"], json!({UI: {}}));
    assert_eq!(client.text("up__show", json!({})).await, "shown");
    let declared =
        &upstream.heard("tools/call show").await.params["_meta"]["io.modelcontextprotocol/clientCapabilities"];
    assert_eq!(declared["extensions"][UI], settings);
}
