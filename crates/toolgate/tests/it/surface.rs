//! The surface at work: search, describe and call, and that nothing is lost on the way through it.

use serde_json::{Value, json};
use toolgate_testkit::client::text_of;
use toolgate_testkit::{Answer, Call, Client, EVERY_WAY, Era, Gate, Script, Upstream};

const ISSUE: &str = r#"{"name":"create_issue","description":"Opens a new issue in a repository. More words.","inputSchema":{"type":"object","properties":{"repo":{"type":"string"},"title":{"type":"string"},"labels":{"type":"array","items":{"type":"string"}},"state":{"enum":["open","closed"],"default":"open"}},"required":["repo","title"]}}"#;
const WEATHER: &str = r#"{"name":"get_forecast","description":"Weather of the next days at a place.","inputSchema":{"type":"object","properties":{"latitude":{"type":"number","minimum":-90,"maximum":90},"longitude":{"type":"number"}},"required":["latitude","longitude"]},"annotations":{"readOnlyHint":true}}"#;
/// A signature cannot say this.
const RULED: &str = r#"{"name":"book_table","description":"Books a table in a restaurant.","inputSchema":{"type":"object","properties":{"guests":{"type":"integer"},"hall":{"type":"string"}},"if":{"properties":{"guests":{"minimum":10}}},"then":{"required":["hall"]}}}"#;
const APPS_OWN: &str = r#"{"name":"repaint_issue","description":"Paints the issue page again.","inputSchema":{"type":"object"},"_meta":{"ui":{"visibility":["app"]}}}"#;

/// Two servers: one of the legacy era on a pipe, one modern over HTTP.
async fn servers() -> [Upstream; 2] {
    let echo = async |call: Call| {
        let arguments = call.params["arguments"].to_string();
        call.text(&arguments);
    };
    let hub = Script::legacy()
        .entry("tools", ISSUE)
        .entry("tools", APPS_OWN)
        .entry("tools", r#"{"name":"no schema"}"#)
        .on("tools/call", echo)
        .instructions("Work with issues.");
    let town = Script::modern().entry("tools", WEATHER).entry("tools", RULED).on("tools/call", echo);
    [hub.over_stdio().await, town.over_http().await]
}

async fn gate(config: &str) -> (Gate, [Upstream; 2]) {
    let servers = servers().await;
    let plan = Gate::of("hub", &servers[0]).and("town", &servers[1]).config(config);
    (plan.start().await.settled().await, servers)
}

async fn searcher(gate: &Gate, era: Era) -> Client {
    Client::of(gate.url(), era).view("search").open().await
}

#[tokio::test]
async fn a_search_answers_what_can_be_called_at_once() {
    let (gate, _servers) = gate("").await;
    for era in Era::BOTH {
        let found = searcher(&gate, era).await.call("search_tools", json!({"queries": ["open a bug report"]})).await;
        let found = found.unwrap();
        let text = text_of(&found);
        assert_eq!(
            text.lines().next().unwrap(),
            r#"hub__create_issue(repo: string, title: string, labels?: string[], state?: "open"|"closed" = "open") // Opens a new issue in a repository"#
        );
        assert!(text.contains("Partial list: 1 matches among 3 tools."), "{text}");
        let tool = &found["structuredContent"]["groups"][0]["tools"][0];
        assert_eq!(tool["name"], "hub__create_issue");
        assert!(tool["signature"].as_str().unwrap().starts_with("(repo: string, title: string"));
        assert_eq!(found["isError"], Value::Null);
    }
}

#[tokio::test]
async fn several_needs_are_answered_at_once_and_apart() {
    let (gate, _servers) = gate("").await;
    let client = searcher(&gate, Era::Modern).await;
    let queries = json!({"queries": ["weather forecast", "create issue", "fly to the moon"]});
    let found = client.call("search_tools", queries).await.unwrap();
    let first = |group: usize| found["structuredContent"]["groups"][group]["tools"][0]["name"].clone();
    assert_eq!([first(0), first(1), first(2)], [json!("town__get_forecast"), json!("hub__create_issue"), Value::Null]);
    let text = text_of(&found);
    let headings: Vec<&str> = text.lines().filter(|line| line.starts_with("## ")).collect();
    assert_eq!(headings, ["## weather forecast", "## create issue", "## fly to the moon"]);
    assert!(text.contains("Nothing matches."), "{text}");
}

#[tokio::test]
async fn a_search_can_keep_to_one_server_and_to_a_number() {
    let (gate, _servers) = gate("").await;
    let client = searcher(&gate, Era::Modern).await;
    let names = async |arguments: Value| {
        let found = client.call("search_tools", arguments).await.unwrap();
        let tools = found["structuredContent"]["groups"][0]["tools"].as_array().unwrap().clone();
        tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(json!({"queries": ["issue table weather"], "limit": 1})).await.len(), 1);
    assert_eq!(names(json!({"queries": ["issue weather"], "server": "town"})).await, ["town__get_forecast"]);
    assert_eq!(names(json!({"server": "TOWN"})).await, ["town__get_forecast", "town__book_table"]);
    let lost = client.call("search_tools", json!({"queries": ["x"], "server": "twon"})).await.unwrap();
    assert_eq!((lost["isError"].clone(), text_of(&lost).contains("did you mean town?")), (json!(true), true));
}

#[tokio::test]
async fn the_overview_names_servers_and_counts_what_is_not_offered() {
    let faulty = Script::echo(Era::Modern).entry("tools", r#"{"name":"a","inputSchema":[]}"#).over_http().await;
    let servers = servers().await;
    let plan = Gate::of("hub", &servers[0]).and("town", &servers[1]).with("tools", json!({"deny": ["book_*"]}));
    let down = json!({"command": "/there/is/no/such/program"});
    let gate = plan.and("faulty", &faulty).and_config("down", down).start().await.settled().await;
    let overview = searcher(&gate, Era::Modern).await.call("search_tools", json!({})).await.unwrap();
    let text = text_of(&overview);
    assert!(text.starts_with("3 tools on 3 servers."), "{text}");
    assert!(text.contains("\nhub (1): Work with issues\ntown (1)\nfaulty (1)\n"), "{text}");
    assert!(text.contains("describe_tools with a server's name:"), "the hub gives instructions: {text}");
    assert!(text.contains("Not offered: 1 left out by the config, 2 malformed.\n"), "{text}");
    assert!(text.contains("Not searched, because down: down ("), "{text}");
    let structured = &overview["structuredContent"];
    assert_eq!(structured["hidden"], json!({"left out by the config": 1, "malformed": 2}));
    assert_eq!(structured["missing"][0]["server"], "down");
}

#[tokio::test]
async fn tools_for_pages_alone_are_not_found_and_can_be_called() {
    let (gate, servers) = gate("").await;
    let client = searcher(&gate, Era::Modern).await;
    let found = client.call("search_tools", json!({"queries": ["repaint issue page"]})).await.unwrap();
    assert!(!found.to_string().contains("repaint_issue"), "{found}");
    client.call("hub__repaint_issue", json!({})).await.unwrap();
    servers[0].heard("tools/call repaint_issue").await;
}

#[tokio::test]
async fn a_signature_that_would_mislead_comes_with_its_schema() {
    let (gate, _servers) = gate("").await;
    let found = searcher(&gate, Era::Modern).await.call("search_tools", json!({"queries": ["book a table"]})).await;
    let found = found.unwrap();
    assert!(text_of(&found).contains(r#"  schema: {"type":"object""#), "{found}");
    assert_eq!(found["structuredContent"]["groups"][0]["tools"][0]["inputSchema"]["then"]["required"][0], "hall");
}

#[tokio::test]
async fn a_description_is_the_definition_as_it_would_be_listed() {
    let (gate, _servers) = gate("").await;
    let client = searcher(&gate, Era::Modern).await;
    let names = json!({"names": ["hub__create_issue", "town__get_forcast", "town"]});
    let described = client.call("describe_tools", names).await.unwrap();
    let listed = Client::of(gate.url(), Era::Modern).view("direct").list("tools").await;
    assert_eq!(described["structuredContent"]["tools"], json!([listed[0]]));
    let text = text_of(&described);
    assert!(text.contains(ISSUE.trim_start_matches(r#"{"name":"create_issue""#)), "{text}");
    assert!(text.contains("Unknown tool: town__get_forcast. Did you mean town__get_forecast?"), "{text}");
    assert!(text.contains("town: (it gives no instructions)"), "{text}");
}

/// What a tool can answer, as text that no rewriting leaves unchanged.
const RICH: &str = r#"{"_meta":{"x/y": 1.0},"content":[{"type":"image","data":"aGk=","mimeType":"image/png"},{"type":"audio","data":"aGk=","mimeType":"audio/wav"},{"type":"resource_link","uri":"x://a","name":"a"},{"type":"resource","resource":{"uri":"x://b","blob":"aGk="}},{"type":"text","text":"t","annotations":{"priority":1e0}}],"structuredContent":{"n":1.50,"deep":{"list":[{},[]]}},"isError":true,"vendor":{"kept":null}}"#;

#[tokio::test]
async fn what_a_call_gives_is_what_the_upstream_gave() {
    for (era, way) in EVERY_WAY {
        let script = Script::new(era).tool("rich", async |call: Call| {
            let complete = r#"{"resultType":"complete","#;
            let text = if call.params["_meta"]["io.modelcontextprotocol/protocolVersion"].is_null() {
                RICH.to_owned()
            } else {
                RICH.replacen('{', complete, 1)
            };
            call.answer_with(&text);
        });
        let upstream = script.over(way).await;
        let gate = Gate::of("up", &upstream).start().await.settled().await;
        for client in Era::BOTH {
            let client = searcher(&gate, client).await;
            let by_name = client.call("up__rich", json!({})).await.unwrap();
            let through = client.call("call_tool", json!({"name": "up__rich", "arguments": {}})).await.unwrap();
            assert_eq!(through, by_name, "{era:?} {way:?}");
            let expected: Value = serde_json::from_str(RICH).unwrap();
            for member in ["content", "structuredContent", "isError", "vendor"] {
                assert_eq!(through[member], expected[member], "{era:?} {way:?} {member}");
            }
            assert_eq!(through["_meta"]["x/y"], expected["_meta"]["x/y"]);
        }
    }
}

#[tokio::test]
async fn progress_comes_through_and_a_cancelled_call_is_given_up() {
    for (era, way) in EVERY_WAY {
        let script = Script::new(era)
            .tool("slow", async |call: Call| {
                call.progress(1, 2);
                call.text("done");
            })
            .tool("stuck", async |call: Call| call.hang().await);
        let upstream = script.over(way).await;
        let gate = Gate::of("up", &upstream).start().await.settled().await;
        for client in Era::BOTH {
            let client = searcher(&gate, client).await;
            let call = json!({"name": "call_tool", "arguments": {"name": "up__slow"}, "_meta": {"progressToken": "p"}});
            let mut exchange = client.start("tools/call", call).await;
            let progress = exchange.notification("notifications/progress").await;
            assert_eq!(
                (&progress["params"]["progressToken"], &progress["params"]["progress"]),
                (&json!("p"), &json!(1))
            );
            assert_eq!(text_of(&exchange.outcome().await.unwrap()), "done", "{era:?} {way:?}");

            let already = upstream.count("tools/call stuck");
            let call = json!({"name": "call_tool", "arguments": {"name": "up__stuck"}, "_meta": {"progressToken": 1}});
            let stuck = {
                let asking = client.start("tools/call", call);
                tokio::pin!(asking);
                // Over a pipe or HTTP, what is cancelled must first have arrived.
                tokio::select! {
                    exchange = &mut asking => Some(exchange),
                    _ = upstream.heard_times("tools/call stuck", already + 1) => None,
                }
            };
            if let Some(exchange) = stuck {
                upstream.heard_times("tools/call stuck", already + 1).await;
                client.cancel(exchange).await;
                let asked = upstream.asked().into_iter().rfind(|asked| asked.is("tools/call stuck")).unwrap();
                upstream.gave_up(&asked.id).await;
            }
        }
    }
}

#[tokio::test]
async fn a_question_in_mid_call_reaches_whoever_called_through_the_surface() {
    let answer = json!({"action": "accept", "content": {"n": "Ada"}});
    let params =
        json!({"message": "name?", "requestedSchema": {"type": "object", "properties": {"n": {"type": "string"}}}});
    for (era, way) in EVERY_WAY {
        let params = params.clone();
        let script = Script::new(era).tool("ask", move |call: Call| {
            let params = params.clone();
            async move {
                match (era, &call.params["inputResponses"]["q"]) {
                    (Era::Legacy, _) => {
                        let answer = call.ask("elicitation/create", params).await["result"].to_string();
                        call.text(&answer);
                    }
                    (Era::Modern, Value::Null) => call.answer(json!({
                        "resultType": "input_required", "requestState": "kept",
                        "inputRequests": {"q": {"method": "elicitation/create", "params": params}},
                    })),
                    (Era::Modern, answer) => {
                        assert_eq!(
                            (&call.params["requestState"], &call.params["name"]),
                            (&json!("kept"), &json!("ask"))
                        );
                        let answer = answer.to_string();
                        call.text(&answer);
                    }
                }
            }
        });
        let upstream = script.over(way).await;
        let gate = Gate::of("up", &upstream).start().await.settled().await;
        for client in Era::BOTH {
            let client = Client::of(gate.url(), client).view("search");
            let client = client.can("elicitation", "elicitation/create", Answer::Result(answer.clone())).open().await;
            let told = client.text("call_tool", json!({"name": "up__ask", "arguments": {}})).await;
            assert_eq!(serde_json::from_str::<Value>(&told).unwrap(), answer, "{era:?} {way:?}");
        }
    }
}

#[tokio::test]
async fn wrong_arguments_are_explained_and_nothing_is_sent() {
    let (gate, servers) = gate("").await;
    for era in Era::BOTH {
        let client = searcher(&gate, era).await;
        let arguments = json!({"name": "hub__create_issue", "arguments": {"repo": 7, "titel": "x", "state": "opn"}});
        let refused = client.call("call_tool", arguments).await.unwrap();
        assert_eq!(refused["isError"], true);
        let text = text_of(&refused);
        for part in [
            "Wrong arguments for hub__create_issue; nothing was sent.",
            "titel",
            "title",
            "state",
            "hub__create_issue(repo: string",
            "Example: {",
        ] {
            assert!(text.contains(part), "`{part}` is missing: {text}");
        }
        // The next try, as the answer says, succeeds.
        let example: Value = serde_json::from_str(text.rsplit_once("Example: ").unwrap().1).unwrap();
        let again = client.text("call_tool", json!({"name": "hub__create_issue", "arguments": example})).await;
        assert_eq!(serde_json::from_str::<Value>(&again).unwrap(), example);
    }
    assert_eq!(servers[0].count("tools/call create_issue"), Era::BOTH.len());
}

#[tokio::test]
async fn slips_that_can_mean_one_thing_are_understood_unless_that_is_switched_off() {
    let slips = [
        json!({"name": "town__get_forecast", "arguments": "{\"latitude\": 1, \"longitude\": 2}"}),
        json!({"name": "town__get_forecast", "arguments": {"latitude": "1", "longitude": "2"}}),
        json!({"name": "get_forecast", "arguments": {"latitude": 1, "longitude": 2}}),
        json!({"tool": "town__get_forecast", "args": {"latitude": 1, "longitude": 2}}),
        json!({"name": "town__get_forecast", "latitude": 1, "longitude": 2}),
    ];
    let (lenient, _servers) = gate("").await;
    let (strict, servers) = gate("search: {lenient: false}").await;
    for slip in &slips {
        let told = searcher(&lenient, Era::Modern).await.text("call_tool", slip.clone()).await;
        assert_eq!(serde_json::from_str::<Value>(&told).unwrap(), json!({"latitude": 1, "longitude": 2}), "{slip}");
        let refused = searcher(&strict, Era::Modern).await.call("call_tool", slip.clone()).await.unwrap();
        assert_eq!(refused["isError"], true, "{slip}: {refused}");
    }
    assert_eq!(servers[1].count("tools/call"), 0);
}

#[tokio::test]
async fn a_tool_that_there_is_not_is_answered_with_the_nearest() {
    let (gate, _servers) = gate("").await;
    for era in Era::BOTH {
        let client = searcher(&gate, era).await;
        let unknown = client.call("call_tool", json!({"name": "hub__create_isue", "arguments": {}})).await.unwrap();
        assert_eq!(unknown["isError"], true);
        assert_eq!(text_of(&unknown), "Unknown tool: hub__create_isue. Did you mean hub__create_issue?");
        let nothing = client.call("call_tool", json!({"arguments": {}})).await.unwrap();
        assert_eq!(text_of(&nothing), "name: missing\ncall_tool(name: string, arguments: object)");
    }
}

#[tokio::test]
async fn reads_can_be_called_apart_so_that_they_can_be_allowed_once() {
    let (gate, servers) = gate("presentation: search\nsearch: {split_calls: true}").await;
    let client = gate.modern().await;
    let listed = client.list("tools").await;
    let hints: Vec<_> = listed.iter().map(|tool| (&tool["name"], &tool["annotations"]["readOnlyHint"])).collect();
    assert_eq!(
        json!(hints),
        json!([["search_tools", true], ["describe_tools", true], ["call_tool", false], ["call_read_tool", true]])
    );
    let found = client.text("search_tools", json!({"queries": ["weather", "issue"]})).await;
    assert!(found.contains("longitude: number) [read] //") && !found.contains("\"open\") [read]"), "{found}");
    let arguments = json!({"latitude": 1, "longitude": 2});
    client.text("call_read_tool", json!({"name": "town__get_forecast", "arguments": arguments})).await;
    let write = json!({"name": "hub__create_issue", "arguments": {"repo": "r", "title": "t"}});
    let refused = client.call("call_read_tool", write.clone()).await.unwrap();
    assert_eq!(refused["isError"], true);
    assert!(text_of(&refused).contains("not marked as one that only reads; use call_tool"), "{refused}");
    assert_eq!(servers[0].count("tools/call"), 0);
    client.text("call_tool", write).await;
}

#[tokio::test]
async fn prompts_and_resources_are_found_where_the_config_says_so_and_listed_in_any_case() {
    let script = Script::modern()
        .entry("tools", WEATHER)
        .entry("prompts", r#"{"name":"code_review","description":"Reviews code thoroughly.","arguments":[{"name":"language","required":true}]}"#)
        .entry("resources", r#"{"uri":"guide://style","name":"style guide","description":"How code is written here."}"#);
    let upstream = script.over_http().await;
    for (config, found) in [("", false), ("search: {include: [tools, prompts, resources]}", true)] {
        let gate = Gate::of("up", &upstream).config(config).start().await.settled().await;
        let client = searcher(&gate, Era::Modern).await;
        let text = client.text("search_tools", json!({"queries": ["review of code"]})).await;
        assert_eq!(text.contains("prompt up__code_review(language: string)"), found, "{text}");
        assert_eq!(text.contains("resource guide://style"), found, "{text}");
        assert_eq!(text.contains("2 matches among 3 tools"), found, "{text}");
        assert_eq!((client.list("prompts").await.len(), client.list("resources").await.len()), (1, 1));
    }
}
