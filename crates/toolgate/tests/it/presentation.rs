//! Presentations: who is listed all tools, who sees the surface in their place, and what either is told of changes.

use serde_json::{Value, json};
use toolgate_testkit::{Client, EVERY_WAY, Era, Gate, Script, Upstream, until};

const SURFACE: [&str; 3] = ["search_tools", "describe_tools", "call_tool"];

fn tool(name: &str, description: &str) -> String {
    json!({"name": name, "description": description, "inputSchema": {"type": "object"}}).to_string()
}

/// Tools of about twenty tokens each.
async fn upstream_of(tools: usize) -> Upstream {
    let definitions =
        (0..tools).map(|nth| tool(&format!("tool_{nth}"), "Does one of the many things that there are to do"));
    let script = definitions.fold(Script::echo(Era::Modern), |script, definition| script.entry("tools", &definition));
    script.over_http().await
}

async fn names(client: Client) -> Vec<String> {
    client.open().await.tools().await
}

#[tokio::test]
async fn the_surface_stands_for_all_tools_in_every_way() {
    for (era, way) in EVERY_WAY {
        let upstream = Script::echo(era).entry("tools", &tool("other", "Another")).over(way).await;
        let gate = Gate::of("up", &upstream).config("presentation: search").start().await;
        for client in Era::BOTH {
            let client = gate.client(client).await;
            assert_eq!(client.tools().await, SURFACE, "{era:?} {way:?}");
            // Listed or not, a tool can be called by its name.
            assert_eq!(client.text("up__echo", json!({"text": "hi"})).await, "hi");
        }
    }
}

#[tokio::test]
async fn an_endpoint_asks_for_the_presentation_it_wants() {
    let upstream = upstream_of(3).await;
    for (configured, other) in [("direct", "search"), ("search", "direct"), ("auto", "search")] {
        let gate = Gate::of("up", &upstream).config(&format!("presentation: {configured}")).start().await;
        for era in Era::BOTH {
            let usual = names(Client::of(gate.url(), era)).await;
            let asked = names(Client::of(gate.url(), era).view(other)).await;
            let (direct, search) = if other == "search" { (&usual, &asked) } else { (&asked, &usual) };
            assert_eq!(search, &SURFACE, "{configured} {era:?}");
            assert_eq!(direct.len(), 4, "{configured} {era:?}: {direct:?}");
        }
    }
}

#[tokio::test]
async fn a_view_that_there_is_not_is_refused_with_those_that_there_are() {
    let gate = Gate::of_nothing().start().await;
    let visitor = Client::visitor(gate.url()).view("shiny");
    let fault = visitor.request("tools/list", json!({})).await.unwrap_err();
    assert_eq!((fault.status, fault.message.as_str()), (400, "`view` in the URL must be direct, search or auto"));
}

#[tokio::test]
async fn auto_lists_what_fits_the_budget_and_says_why() {
    for (tools, shown) in [(10, "direct"), (60, "search")] {
        let upstream = upstream_of(tools).await;
        let gate = Gate::of("up", &upstream).config("search: {budget: 1000}").start().await.settled().await;
        let listed = gate.modern().await.tools().await;
        assert_eq!(listed == SURFACE, shown == "search", "{listed:?}");
        let status = Client::visitor(gate.url()).get("/status").await.json();
        let presentation = &status["presentation"];
        assert_eq!(presentation["shown"], shown, "{presentation}");
        let why = presentation["why"].as_str().unwrap();
        assert!(why.contains("budget of 1000") && why.contains(&format!("{} tools", tools + 1)), "{why}");
        assert!(presentation["surface_tokens"].as_u64().unwrap() <= 250, "{presentation}");
    }
}

#[tokio::test]
async fn clients_that_search_themselves_are_listed_all_unless_the_config_knows_better() {
    let upstream = upstream_of(60).await;
    let plain = Gate::of("up", &upstream).config("search: {budget: 1000}").start().await;
    assert_eq!(names(Client::of(plain.url(), Era::Legacy).named("claude-code")).await.len(), 61);
    assert_eq!(names(Client::of(plain.url(), Era::Legacy).named("another")).await, SURFACE);
    // A modern list may depend on no name.
    assert_eq!(names(Client::of(plain.url(), Era::Modern).named("claude-code")).await, SURFACE);
    // What the endpoint asks for counts more than a name.
    let asking = Client::of(plain.url(), Era::Legacy).named("claude-code").view("search");
    assert_eq!(names(asking).await, SURFACE);

    let config = "search: {budget: 1000, clients: {Claude-Code: search, mine: direct}}";
    let told = Gate::of("up", &upstream).config(config).start().await;
    assert_eq!(names(Client::of(told.url(), Era::Legacy).named("claude-code")).await, SURFACE);
    assert_eq!(names(Client::of(told.url(), Era::Legacy).named("Mine")).await.len(), 61);
}

#[tokio::test]
async fn pinned_tools_stand_beside_the_surface() {
    let upstream = upstream_of(30).await;
    let config = "presentation: search\nsearch: {pinned: [up__tool_7, \"*_2?\", \"up__tool_1*\"]}";
    let gate = Gate::of("up", &upstream).config(config).start().await;
    let listed = gate.modern().await.tools().await;
    assert_eq!(listed[..3], SURFACE);
    // In the order of the upstream; `?` stands for itself alone.
    let expected = ["1", "7", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19"];
    assert_eq!(listed[3..], expected.map(|nth| format!("up__tool_{nth}")));
}

#[tokio::test]
async fn a_list_is_public_only_where_it_is_the_same_for_everyone() {
    let upstream = upstream_of(60).await;
    let private = Script::echo(Era::Legacy).over_http().await;
    let gate =
        Gate::of("up", &upstream).and("own", &private).config("search: {budget: 1000}").start().await.settled().await;
    let scope = async |view: &str| {
        let client = Client::of(gate.url(), Era::Modern).view(view);
        let list = client.request("tools/list", json!({})).await.unwrap();
        list["cacheScope"].as_str().unwrap().to_owned()
    };
    // A legacy server does not say whether its list is for everyone. The surface is, where nothing else decides.
    assert_eq!([scope("direct").await, scope("auto").await, scope("search").await], ["private", "private", "public"]);
}

#[tokio::test]
async fn who_sees_the_surface_hears_of_changes_of_what_is_pinned_alone() {
    for era in Era::BOTH {
        let upstream = Script::echo(Era::Modern).entry("tools", &tool("kept", "Old")).over_http().await;
        let config = "presentation: search\nsearch: {pinned: [up__kept]}";
        let gate = Gate::of("up", &upstream).config(config).start().await.settled().await;
        let client = gate.client(era).await;
        let mut heard = client.listen(&[]).await;
        let echo =
            json!({"name": "echo", "description": "Says it again", "inputSchema": {"type": "object"}}).to_string();
        // Something else comes, and nobody is told, though it is found at once.
        upstream.offer("tools", &[echo.clone(), tool("kept", "Old"), tool("ferry_times", "Times of the ferry")]);
        upstream.tell("notifications/tools/list_changed", json!({})).await;
        until("it is found", || async {
            let found = client.call("search_tools", json!({"queries": ["ferry"]})).await.unwrap();
            (found["structuredContent"]["groups"][0]["tools"][0]["name"] == "up__ferry_times").then_some(())
        })
        .await;
        // Then what is pinned changes: the first thing that is heard.
        upstream.offer("tools", &[echo, tool("kept", "New"), tool("ferry_times", "Times of the ferry")]);
        upstream.tell("notifications/tools/list_changed", json!({})).await;
        heard.notification("notifications/tools/list_changed").await;
        let listed = client.list("tools").await;
        assert_eq!(listed[3]["description"], "New", "{era:?}");
    }
}

#[tokio::test]
async fn instructions_teach_the_surface_and_the_servers_own_stay_within_reach() {
    let talkative = Script::echo(Era::Legacy).instructions("Begin with `echo`.\nThen end.").over_stdio().await;
    let gate = Gate::of("up", &talkative).and("quiet", &upstream_of(2).await).start().await.settled().await;
    let client = Client::of(gate.url(), Era::Modern).view("search");
    let about = client.request("server/discover", json!({})).await.unwrap();
    let instructions = about["instructions"].as_str().unwrap();
    assert!(instructions.starts_with("4 tools of 2 servers") && instructions.ends_with("Servers: up (1), quiet (3)."));
    assert!(instructions.contains("search_tools") && instructions.contains("call_tool"), "{instructions}");
    let described = client.text("describe_tools", json!({"names": ["up"]})).await;
    assert_eq!(described, "up: Begin with `echo`.\nThen end.");
    // Whoever is listed all tools reads the servers' own, as ever.
    let direct = Client::of(gate.url(), Era::Modern).view("direct");
    let about = direct.request("server/discover", json!({})).await.unwrap();
    assert!(about["instructions"].as_str().unwrap().contains("Begin with `echo`."));
}

#[tokio::test]
async fn a_transparent_gateway_adds_nothing_unless_it_is_asked() {
    let own = json!({"name": "call_tool", "inputSchema": {"type": "object"}}).to_string();
    let upstream = Script::echo(Era::Modern).entry("tools", &own).over_http().await;
    let gate = Gate::of("up", &upstream).config("names: transparent\nsearch: {budget: 0}").start().await;
    assert_eq!(gate.modern().await.tools().await, ["echo", "call_tool"]);
    let client = Client::of(gate.url(), Era::Modern).view("search");
    assert_eq!(client.tools().await, SURFACE);
    assert_eq!(client.text("call_tool", json!({"name": "echo", "arguments": {"text": "hi"}})).await, "hi");
}

#[tokio::test]
async fn an_upstreams_tool_never_takes_a_name_of_the_surface() {
    let own = json!({"name": "search_tools", "inputSchema": {"type": "object"}}).to_string();
    let upstream = Script::echo(Era::Modern).entry("tools", &own).over_http().await;
    let gate = Gate::of("up", &upstream).config("names: plain").start().await;
    let client = gate.modern().await;
    assert_eq!(client.tools().await, ["echo", "up__search_tools"]);
    let Value::Object(found) = client.call("search_tools", json!({"queries": ["echo"]})).await.unwrap() else {
        panic!()
    };
    assert_eq!(found["structuredContent"]["groups"][0]["tools"][0]["name"], "echo");
}
