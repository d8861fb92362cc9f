//! Namespaces: each endpoint shows what it selects, as it names it, with what is laid over it; and nothing of another.

use serde_json::{Value, json};
use toolgate_testkit::{Client, Era, Gate, Script, Upstream, until};

fn tool(name: &str, annotations: Value) -> String {
    json!({"name": name, "description": format!("What {name} does"), "inputSchema": {"type": "object"}, "annotations": annotations})
        .to_string()
}

async fn files(era: Era) -> Upstream {
    let say_what_came = |call: toolgate_testkit::Call| async move {
        let text = call.params["arguments"].to_string();
        call.text(&text);
    };
    let schema = json!({"type": "object", "properties": {"path": {"type": "string"}, "owner": {"type": "string"},
        "limit": {"type": "integer"}}, "required": ["path", "owner"]});
    Script::new(era)
        .entry("tools", &tool("read_file", json!({"readOnlyHint": true})))
        .entry("tools", &tool("delete_file", json!({"destructiveHint": true})))
        .entry("tools", &tool("touch", json!({"destructiveHint": false})))
        .entry("tools", &json!({"name": "find", "description": "Finds files", "inputSchema": schema}).to_string())
        .entry("prompts", r#"{"name":"review"}"#)
        .entry("resources", r#"{"uri":"file:///a","name":"a"}"#)
        .entry("resources", r#"{"uri":"file:///secret","name":"s"}"#)
        .on("tools/call", say_what_came)
        .over_http()
        .await
}

async fn at(gate: &Gate, era: Era, path: &str) -> Client {
    Client::of(gate.url(), era).at(path).open().await
}

async fn names(client: &Client, list: &str, member: &str) -> Vec<String> {
    client.list(list).await.iter().map(|entry| entry[member].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn each_endpoint_shows_what_its_namespace_selects_and_calls_nothing_else() {
    let config = r#"
namespaces:
  reading:
    upstreams: ["fi*"]
    tools: {read_only: true}
    prompts: {deny: ["*"]}
    resources: {deny: {"*secret*": not for agents}}
    names: plain
    instructions: Only read.
  safe: {tools: {destructive: false, deny: ["files/touch"]}, upstreams: [files]}
  empty: {upstreams: []}
"#;
    let (one, other) = (files(Era::Modern).await, Script::echo(Era::Legacy).over_http().await);
    let gate = Gate::of("files", &one).and("other", &other).config(config).start().await.settled().await;
    for era in Era::BOTH {
        let whole = gate.client(era).await;
        assert_eq!(whole.tools().await.len(), 5, "{era:?}");
        let reading = at(&gate, era, "/ns/reading/mcp").await;
        assert_eq!(reading.tools().await, ["read_file"], "{era:?}");
        assert_eq!(names(&reading, "prompts", "name").await, [""; 0]);
        assert_eq!(names(&reading, "resources", "uri").await, ["file:///a"]);
        // What is not listed cannot be called, under whichever name, and looks like what there is not.
        for name in ["delete_file", "files__read_file", "other__echo", "files__delete_file"] {
            let fault = reading.call(name, json!({})).await.unwrap_err();
            assert_eq!(fault.message, format!("unknown tool: {name}"), "{era:?}");
        }
        let fault = reading.request("resources/read", json!({"uri": "file:///secret"})).await.unwrap_err();
        assert!(fault.message.contains("file:///secret"), "{fault:?}");
        assert_eq!(reading.text("read_file", json!({"x": 1})).await, r#"{"x":1}"#);
        let safe = at(&gate, era, "/ns/safe/mcp").await;
        assert_eq!(safe.tools().await, ["files__read_file"], "{era:?}");
        assert_eq!(at(&gate, era, "/ns/empty/mcp").await.tools().await, [""; 0]);
        let alone = at(&gate, era, "/upstreams/other/mcp").await;
        assert_eq!(alone.tools().await, ["echo"], "{era:?}");
        assert_eq!(alone.text("echo", json!({"text": "hi"})).await, "hi");
    }
}

#[tokio::test]
async fn the_operator_sees_what_is_left_out_and_why() {
    let config = r#"
namespaces:
  safe:
    tools: {deny: {"delete_*": agents delete nothing}, allow: ["files/*"]}
    overrides:
      files/gone: {hidden: true}
      files/find: {arguments: {owner: {hidden: true}}}
"#;
    let (one, other) = (files(Era::Modern).await, Script::echo(Era::Modern).over_http().await);
    let gate = Gate::of("files", &one).and("other", &other).config(config).start().await.settled().await;
    let status = gate.modern().await.get("/status").await.json();
    let safe = status["namespaces"].as_array().unwrap().iter().find(|one| one["endpoint"] == "/ns/safe/mcp").unwrap();
    let left: Vec<String> = safe["left_out"]
        .as_array()
        .unwrap()
        .iter()
        .map(|left| {
            format!(
                "{}/{}: {}",
                left["upstream"].as_str().unwrap(),
                left["name"].as_str().unwrap(),
                left["reason"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        left,
        ["files/delete_file: denied by `delete_*`: agents delete nothing", "other/echo: not among what `allow` names"]
    );
    assert_eq!(
        safe["faults"],
        json!([
            "files/find: `owner` is hidden and has no value, but the tool needs it",
            "files/gone: the upstream offers no such tool; the override is kept"
        ])
    );
}

#[tokio::test]
async fn what_is_laid_over_a_tool_is_what_clients_see_and_the_upstream_gets_what_it_knows() {
    let config = r#"
presentation: search
namespaces:
  team:
    overrides:
      files/find:
        name: look_up
        title: Look up
        description: Searches the documents of our team
        annotations: {readOnlyHint: true}
        arguments:
          owner: {fixed: acme}
          path: {name: where, description: The place}
          limit: {default: 7}
      files/touch: {hidden: true}
"#;
    for upstream_era in Era::BOTH {
        let one = files(upstream_era).await;
        let gate = Gate::of("files", &one).config(config).start().await.settled().await;
        for era in Era::BOTH {
            let client = at(&gate, era, "/ns/team/mcp?view=direct").await;
            let tools = client.list("tools").await;
            let find = tools.iter().find(|tool| tool["name"] == "files__look_up").expect("renamed");
            assert_eq!(find["description"], "Searches the documents of our team");
            assert_eq!((&find["title"], &find["annotations"]), (&json!("Look up"), &json!({"readOnlyHint": true})));
            assert_eq!(
                find["inputSchema"],
                json!({"type": "object", "properties": {"where": {"type": "string", "description": "The place"},
                    "limit": {"type": "integer", "default": 7}}, "required": ["where"]})
            );
            assert!(!tools.iter().any(|tool| tool["name"] == "files__touch" || tool["name"] == "files__find"));
            let sent = client.text("files__look_up", json!({"where": "/x", "owner": "evil"})).await;
            assert_eq!(
                serde_json::from_str::<Value>(&sent).unwrap(),
                json!({"owner": "acme", "path": "/x", "limit": 7})
            );
            // The other endpoint knows nothing of it.
            assert!(gate.client(era).await.call("files__look_up", json!({})).await.is_err());
            // Found by its new words there, and by its own here; checked against the schema that is shown.
            let searching = at(&gate, era, "/ns/team/mcp").await;
            let found = searching.text("search_tools", json!({"queries": ["documents of our team"]})).await;
            assert!(found.contains("files__look_up") && !found.contains("files__find"), "{found}");
            let refused = searching.text("call_tool", json!({"name": "files__look_up", "arguments": {}})).await;
            assert!(refused.contains("where") && !refused.contains("owner"), "{refused}");
            let plain = gate.client(era).await.text("search_tools", json!({"queries": ["finds files"]})).await;
            assert!(plain.contains("files__find") && !plain.contains("look_up"), "{plain}");
        }
    }
}

#[tokio::test]
async fn an_override_stays_when_the_upstream_changes_its_tool() {
    let one = files(Era::Modern).await;
    let config = "namespaces: {team: {overrides: {files/find: {description: Ours}}}}";
    let gate = Gate::of("files", &one).config(config).start().await.settled().await;
    let client = at(&gate, Era::Modern, "/ns/team/mcp").await;
    let tools = [json!({"name": "find", "description": "Another", "inputSchema": {"type": "object", "title": "new"}})
        .to_string()];
    one.offer("tools", &tools);
    one.tell("notifications/tools/list_changed", json!({})).await;
    until("the new definition is listed with our description", async || {
        let tools = client.list("tools").await;
        let is_new = tools.len() == 1 && tools[0]["inputSchema"]["title"] == "new" && tools[0]["description"] == "Ours";
        is_new.then_some(())
    })
    .await;
}

#[tokio::test]
async fn two_tools_that_are_called_alike_leave_the_first_one_and_a_word_for_the_operator() {
    let one = files(Era::Modern).await;
    let config = "namespaces: {team: {overrides: {files/find: {name: read_file}}}}";
    let gate = Gate::of("files", &one).config(config).start().await.settled().await;
    let client = at(&gate, Era::Modern, "/ns/team/mcp").await;
    assert_eq!(client.tools().await, ["files__read_file", "files__delete_file", "files__touch"]);
    let status = client.get("/status").await.text;
    assert!(status.contains("`files__read_file` is the name of"), "{status}");
}

#[tokio::test]
async fn a_header_selects_where_the_url_cannot() {
    let one = files(Era::Modern).await;
    let config = "namespaces: {safe: {tools: {read_only: true}}}";
    let gate = Gate::of("files", &one).config(config).start().await.settled().await;
    let client = gate.modern().await.header("x-toolgate-namespace", "safe");
    assert_eq!(client.tools().await, ["files__read_file"]);
    let lost = gate.modern().await.header("x-toolgate-namespace", "nowhere");
    let fault = lost.request("tools/list", json!({})).await.unwrap_err();
    assert_eq!(fault.status, 404);
    assert!(fault.message.contains("/ns/nowhere/mcp"), "{fault:?}");
}

#[tokio::test]
async fn a_session_of_one_endpoint_is_unknown_at_another() {
    let one = files(Era::Legacy).await;
    let gate = Gate::of("files", &one).config("namespaces: {safe: {}}").start().await.settled().await;
    let client = at(&gate, Era::Legacy, "/ns/safe/mcp").await;
    assert_eq!(client.tools().await.len(), 4);
    let fault = client.at("/mcp").request("tools/list", json!({})).await.unwrap_err();
    assert_eq!((fault.status, fault.code), (404, -32001));
}

#[tokio::test]
async fn who_does_not_see_a_change_is_not_told_of_it() {
    let (one, other) = (files(Era::Modern).await, Script::echo(Era::Modern).over_http().await);
    let config = "namespaces: {safe: {upstreams: [files], tools: {allow: [read_file]}}}";
    let gate = Gate::of("files", &one).and("other", &other).config(config).start().await.settled().await;
    let client = at(&gate, Era::Modern, "/ns/safe/mcp").await;
    let mut listening = client.listen(&[]).await;
    let mut everyone = gate.modern().await.listen(&[]).await;
    // The other upstream changes, then this one in what is left out, then in what is here.
    other.offer("tools", &[tool("echo", json!({})), tool("more", json!({}))]);
    other.tell("notifications/tools/list_changed", json!({})).await;
    everyone.notification("notifications/tools/list_changed").await;
    one.offer("tools", &[tool("read_file", json!({"readOnlyHint": true}))]);
    one.tell("notifications/tools/list_changed", json!({})).await;
    everyone.notification("notifications/tools/list_changed").await;
    one.offer("prompts", &[r#"{"name":"another"}"#.to_owned()]);
    one.tell("notifications/prompts/list_changed", json!({})).await;
    let first = listening.expect_next().await;
    assert_eq!(first["method"], "notifications/prompts/list_changed", "{first}");
}
