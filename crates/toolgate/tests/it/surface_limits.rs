//! Too much and too odd for the surface: it answers in bounded time, clearly, and the gateway goes on.

use serde_json::{Value, json};
use toolgate_testkit::client::text_of;
use toolgate_testkit::{Call, Client, Era, Gate, Script, Upstream};

fn tool(name: &str, description: &str, schema: &Value) -> String {
    json!({"name": name, "description": description, "inputSchema": schema}).to_string()
}

async fn searcher(gate: &Gate) -> Client {
    Client::of(gate.url(), Era::Modern).view("search").open().await
}

async fn offering(definitions: impl Iterator<Item = String>) -> Upstream {
    let script = Script::echo(Era::Modern).on("tools/call", async |call: Call| call.text("called"));
    definitions.fold(script, |script, one| script.entry("tools", &one)).over_http().await
}

#[tokio::test]
async fn any_question_is_answered() {
    let upstream = offering([tool("get_weather", "Weather of a city", &json!({"type": "object"}))].into_iter()).await;
    let gate = Gate::of("up", &upstream).start().await.settled().await;
    let client = searcher(&gate).await;
    let odd = [
        String::new(),
        " \u{0}\u{1}\u{7f}\u{ffff}\u{202e} ".into(),
        "(((((a+)+)+)+)+)+$ [[[[ .*.*.*.*.*.* \\".into(),
        "weather ".repeat(100_000),
        "\u{65e5}\u{672c}\u{8a9e}".repeat(10_000),
        "z".repeat(1_000_000),
        "'; DROP TABLE tools; --".into(),
        "{\"queries\": [\"nested\"]}".into(),
    ];
    for query in odd {
        let found = client.call("search_tools", json!({"queries": [query]})).await.unwrap();
        assert!(text_of(&found).len() < 20_000);
    }
    let many: Vec<String> = (0..1000).map(|nth| format!("weather {nth}")).collect();
    let found = client.call("search_tools", json!({"queries": many})).await.unwrap();
    assert!(text_of(&found).contains("more queries were not looked for."), "{found}");
    for wrong in [json!({"queries": {"a": 1}}), json!({"queries": [1]}), json!({"limit": -1}), json!({"server": []})] {
        let refused = client.call("search_tools", wrong.clone()).await.unwrap();
        assert_eq!(refused["isError"], true, "{wrong}: {refused}");
        assert!(text_of(&refused).contains("search_tools(queries?: string[]"), "{refused}");
    }
    assert!(client.text("search_tools", json!({"queries": ["weather"]})).await.starts_with("up__get_weather"));
}

#[tokio::test]
async fn monstrous_tools_are_found_described_and_called() {
    let recursive = json!({
        "type": "object", "required": ["node"],
        "properties": {"node": {"$ref": "#/$defs/node"}},
        "$defs": {"node": {"type": "object", "properties": {"value": {"type": "integer"}, "next": {"$ref": "#/$defs/node"}}}},
    });
    let draft_07 = json!({
        "$schema": "http://json-schema.org/draft-07/schema#", "type": "object",
        "properties": {"pair": {"type": "array", "items": [{"type": "string"}, {"$ref": "#/definitions/count"}]}},
        "definitions": {"count": {"type": "number"}},
    });
    let elsewhere = json!({"type": "object", "properties": {"x": {"$ref": "https://example.com/schema.json"}}});
    let odd_pattern = json!({"type": "object", "properties": {"x": {"type": "string", "pattern": "^(a+)+$"}}});
    let wide: Value =
        (0..3000).map(|nth| (format!("p{nth}"), json!({"type": "string"}))).collect::<serde_json::Map<_, _>>().into();
    let upstream = offering(
        [
            tool("endless", &"Walks an endless novel. ".repeat(45_000), &json!({"type": "object"})),
            tool("recursive", "Takes a linked list", &recursive),
            tool("old", "Takes a pair", &draft_07),
            tool("elsewhere", "Refers elsewhere", &elsewhere),
            tool("patterned", "Takes a pattern", &odd_pattern),
            tool("wide", "Takes thousands of parameters", &json!({"type": "object", "properties": wide})),
        ]
        .into_iter(),
    )
    .await;
    let gate = Gate::of("up", &upstream).start().await.settled().await;
    let client = searcher(&gate).await;
    for (query, name) in [
        ("walk a novel", "up__endless"),
        ("linked list", "up__recursive"),
        ("pair", "up__old"),
        ("refer elsewhere", "up__elsewhere"),
        ("pattern", "up__patterned"),
        ("thousands of parameters", "up__wide"),
    ] {
        let found = client.call("search_tools", json!({"queries": [query]})).await.unwrap();
        assert_eq!(found["structuredContent"]["groups"][0]["tools"][0]["name"], name, "{query}");
        assert!(text_of(&found).len() < 12_000, "{name}: {}", text_of(&found).len());
        let described = client.call("describe_tools", json!({"names": [name]})).await.unwrap();
        assert_eq!(described["structuredContent"]["tools"][0]["name"], name);
    }
    let fails = async |name: &str, arguments: Value| {
        let called = client.call("call_tool", json!({"name": name, "arguments": arguments})).await.unwrap();
        let sent = upstream.count(&format!("tools/call {}", name.trim_start_matches("up__")));
        upstream.count("tools/call") > 0 && (called["isError"] == true && sent == 0)
    };
    client.call("call_tool", json!({"name": "up__echo", "arguments": {"text": "x"}})).await.unwrap();
    assert!(fails("up__recursive", json!({"node": {"next": {"next": {"value": "no number"}}}})).await);
    assert!(fails("up__old", json!({"pair": ["a", "no number"]})).await);
    // An endless search of a pattern ends, whatever it ends with.
    fails("up__patterned", json!({"x": format!("{}!", "a".repeat(50_000))})).await;
    // What cannot be checked without fetching is left to the upstream.
    assert!(!fails("up__elsewhere", json!({"x": 1})).await);
}

#[tokio::test]
async fn tens_of_thousands_of_tools_are_listed_searched_and_called() {
    const TOOLS: usize = 40_000;
    let kinds = ["river", "mountain", "harbour", "island", "forest", "desert", "glacier", "volcano"];
    let definitions = (0..TOOLS).map(|nth| {
        let kind = kinds[nth % kinds.len()];
        tool(&format!("{kind}_{nth}"), &format!("Measures the {kind} of number {nth}"), &json!({"type": "object"}))
    });
    let upstream = offering(definitions).await;
    let gate =
        Gate::of("up", &upstream).config("limits: {entries: 200000, response: 64MiB}").start().await.settled().await;
    let client = gate.modern().await;
    assert_eq!(client.tools().await.len(), 3, "so many are not listed by default");
    let found = client.call("search_tools", json!({"queries": ["volcano 39999", "the glaciers"]})).await.unwrap();
    assert_eq!(found["structuredContent"]["groups"][0]["tools"][0]["name"], "up__volcano_39999");
    assert_eq!(found["structuredContent"]["groups"][1]["matches"], TOOLS / kinds.len());
    assert_eq!(found["structuredContent"]["total"], TOOLS + 1);
    assert_eq!(client.text("call_tool", json!({"name": "up__echo", "arguments": {"text": "hi"}})).await, "hi");
}
