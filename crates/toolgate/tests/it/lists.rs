//! Lists: what of the upstreams' entries is offered, in which order, under which names, and when that changes.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::Instant;
use toolgate_testkit::{Call, EVERY_WAY, Era, Gate, Script};

fn tool(name: &str) -> String {
    json!({"name": name, "inputSchema": {"type": "object"}}).to_string()
}

/// A script with these tools, each of which answers with the name under which it was called.
fn named(era: Era, names: &[&str]) -> Script {
    names.iter().fold(Script::new(era), |script, name| {
        script.tool(name, async |call: Call| {
            let name = call.params["name"].as_str().unwrap().to_owned();
            call.text(&name);
        })
    })
}

#[tokio::test]
async fn a_malformed_tool_costs_that_tool_and_is_named() {
    for (era, way) in EVERY_WAY {
        let upstream = Script::new(era)
            .entry("tools", &tool("good"))
            .entry("tools", r#"{"name":"no schema"}"#)
            .entry("tools", r#"{"name":7,"inputSchema":{}}"#)
            .entry("tools", r#"["what"]"#)
            .entry("tools", r#"{"name":"twice","name":"twice","inputSchema":{}}"#)
            .entry("tools", &tool("good"))
            .entry("tools", r#"{"name":"odd","inputSchema":{},"outputSchema":[]}"#)
            .entry("tools", &tool("also good"))
            .over(way)
            .await;
        let gate = Gate::of("up", &upstream).start().await;
        let names = gate.modern().await.tools().await;
        assert_eq!((names[0].as_str(), names.len()), ("up__good", 2), "{era:?} {way:?}: {names:?}");
        assert!(names[1].starts_with("up__also_good_"), "a legal form of it: {names:?}");
        let status = gate.status("up").await;
        let dropped = status["dropped"].as_array().unwrap();
        let dropped: Vec<_> =
            dropped.iter().map(|one| (one["name"].as_str().unwrap(), one["reason"].as_str().unwrap())).collect();
        assert_eq!(
            dropped,
            [
                ("no schema", "`inputSchema` is missing"),
                ("#3", "`name` is missing or no string"),
                ("#4", "the definition cannot be read: expected an object"),
                ("#5", "the definition cannot be read: member `name` appears twice in one JSON object"),
                ("good", "`good` is listed twice"),
                ("odd", "`outputSchema` is no object"),
            ]
        );
    }
}

#[tokio::test]
async fn a_modern_tool_with_wrong_header_annotations_is_left_out_and_a_legacy_one_is_not() {
    let odd = r#"{"name":"odd","inputSchema":{"properties":{"a":{"type":"object","x-mcp-header":"A"}}}}"#;
    for (era, offered) in [(Era::Modern, 0), (Era::Legacy, 1)] {
        let upstream = Script::new(era).entry("tools", odd).over_http().await;
        let gate = Gate::of("up", &upstream).start().await;
        assert_eq!(gate.modern().await.tools().await.len(), offered, "{era:?}");
    }
}

#[tokio::test]
async fn definitions_are_the_upstreams_bytes_but_for_the_name() {
    let odd = r#"{ "title":"T\u00e9","name" : "odd","inputSchema":{"type":"object","properties":{"z":{"default":1e2},"a":{"enum":[1.0, "x"]}}} ,"annotations":{"readOnlyHint":true},"icons":[{"src":"data:,x"}],"vendor":[ ]}"#;
    for (era, way) in EVERY_WAY {
        let upstream = Script::new(era).entry("tools", odd).over(way).await;
        let gate = Gate::of("up", &upstream).start().await;
        let text = gate.modern().await.start("tools/list", json!({})).await.next_text().await.unwrap();
        let expected = r#"{"title":"T\u00e9","name":"up__odd","inputSchema":{"type":"object","properties":{"z":{"default":1e2},"a":{"enum":[1.0, "x"]}}},"annotations":{"readOnlyHint":true},"icons":[{"src":"data:,x"}],"vendor":[ ]}"#;
        assert!(text.contains(expected), "{era:?} {way:?}: {text}");
    }
}

#[tokio::test]
async fn the_order_is_the_configs_and_each_upstreams_own() {
    let late = named(Era::Legacy, &["z", "a", "m"]).over_stdio().await;
    let soon = named(Era::Modern, &["b", "a"]).over_http().await;
    let gate = Gate::of("late", &late).and("soon", &soon).start().await;
    let expected = ["late__z", "late__a", "late__m", "soon__b", "soon__a"];
    for era in Era::BOTH {
        assert_eq!(gate.client(era).await.tools().await, expected);
    }
}

#[tokio::test]
async fn every_page_of_an_upstream_is_read_and_offered_in_pages() {
    for (era, way) in EVERY_WAY {
        let names: Vec<String> = (0..2500).map(|nth| format!("t{nth}")).collect();
        let script = names.iter().fold(Script::new(era), |script, name| script.entry("tools", &tool(name)));
        let upstream = script.pages_of(400).over(way).await;
        let gate = Gate::of("up", &upstream).config("presentation: direct").start().await.settled().await;
        let client = gate.modern().await;
        let first = client.request("tools/list", json!({})).await.unwrap();
        assert_eq!(first["tools"].as_array().unwrap().len(), 1000, "{era:?} {way:?}");
        let all = client.tools().await;
        assert!(all.iter().eq(names.iter().map(|name| format!("up__{name}")).collect::<Vec<_>>().iter()));
    }
}

#[tokio::test]
async fn a_list_without_end_stops_at_the_limit() {
    let endless = async |call: Call| {
        let page = call.params["cursor"].as_str().map_or(0, |cursor| cursor.parse::<u32>().unwrap());
        call.answer(json!({
            "tools": [{"name": format!("t{page}"), "inputSchema": {}}], "nextCursor": (page + 1).to_string(),
        }));
    };
    let upstream = Script::legacy().on("tools/list", endless).over_stdio().await;
    let gate = Gate::of("up", &upstream).config("limits: {entries: 10}").start().await;
    assert_eq!(gate.modern().await.tools().await.len(), 10);
    let status = gate.status("up").await;
    assert_eq!(status["dropped"][0]["reason"], "more than 10 entries (`limits.entries`)");
}

#[tokio::test]
async fn a_list_that_leads_in_a_circle_is_left() {
    let circle = async |call: Call| {
        call.answer(json!({"tools": [{"name": "one", "inputSchema": {}}], "nextCursor": "again"}));
    };
    let upstream = Script::modern().on("tools/list", circle).over_http().await;
    let gate = Gate::of("up", &upstream).start().await;
    assert_eq!(gate.modern().await.tools().await, ["up__one"]);
}

#[tokio::test]
async fn a_slow_upstream_delays_the_list_no_longer_than_the_startup_wait_and_is_announced() {
    for (era, way) in EVERY_WAY {
        let (release, released) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let waits = release.clone();
        let slow_list = move |call: Call| {
            let waits = waits.clone();
            async move {
                waits.notified().await;
                call.answer(json!({"tools": [{"name": "slow", "inputSchema": {}}]}));
            }
        };
        drop(released);
        let slow = Script::new(era).on("tools/list", slow_list).over(way).await;
        let quick = named(era, &["quick"]).over(way).await;
        let gate = Gate::of("slow", &slow).and("quick", &quick).config("timeouts: {startup: 200ms}").start().await;
        let started = Instant::now();
        let (modern, legacy) = (gate.modern().await, gate.legacy().await);
        let list = modern.request("tools/list", json!({})).await.unwrap();
        assert_eq!(list["tools"].as_array().unwrap().len(), 1, "{era:?} {way:?}: {list}");
        assert!(list["_meta"]["io.toolgate/missing"]["slow"].is_string(), "what is missing is named: {list}");
        assert!(started.elapsed() < Duration::from_secs(3));
        let mut hears = [modern.listen(&[]).await, legacy.listen(&[]).await];
        release.notify_one();
        for exchange in &mut hears {
            exchange.notification("notifications/tools/list_changed").await;
        }
        for client in [modern, legacy] {
            assert_eq!(client.tools().await, ["slow__slow", "quick__quick"]);
        }
    }
}

#[tokio::test]
async fn a_changed_list_is_read_again_and_announced_to_both_eras() {
    for (era, way) in EVERY_WAY {
        let upstream = named(era, &["old"]).over(way).await;
        let gate = Gate::of("up", &upstream).start().await;
        let (modern, legacy) = (gate.modern().await, gate.legacy().await);
        assert_eq!(modern.tools().await, ["up__old"]);
        let mut hears = [modern.listen(&[]).await, legacy.listen(&[]).await];
        upstream.offer("tools", &[tool("new"), tool("newer")]);
        upstream.tell("notifications/tools/list_changed", json!({})).await;
        for exchange in &mut hears {
            exchange.notification("notifications/tools/list_changed").await;
        }
        for client in [modern, legacy] {
            assert_eq!(client.tools().await, ["up__new", "up__newer"], "{era:?} {way:?}");
        }
    }
}

#[tokio::test]
async fn a_change_that_changes_nothing_is_not_announced() {
    let upstream = named(Era::Modern, &["same"]).over_http().await;
    let gate = Gate::of("up", &upstream).start().await;
    let client = gate.modern().await;
    assert_eq!(client.tools().await.len(), 1);
    let mut hears = client.listen(&[]).await;
    upstream.tell("notifications/tools/list_changed", json!({})).await;
    upstream.heard_times("tools/list", 2).await;
    upstream.offer("prompts", &[r#"{"name":"p"}"#.into()]);
    upstream.tell("notifications/prompts/list_changed", json!({})).await;
    assert_eq!(hears.expect_next().await["method"], "notifications/prompts/list_changed");
}

#[tokio::test]
async fn lists_are_kept_and_served_at_once_while_the_upstream_is_down() {
    for (era, way) in EVERY_WAY {
        let upstream = named(era, &["kept"]).entry("prompts", r#"{"name":"p"}"#).over(way).await;
        let gate = Gate::of("up", &upstream).start().await;
        assert_eq!(gate.modern().await.tools().await, ["up__kept"]);
        let state = gate.stop().await;
        upstream.go_down().await;
        let started = Instant::now();
        let gate = Gate::of("up", &upstream).config("timeouts: {startup: 10s}").after(&state).start().await;
        let client = gate.legacy().await;
        assert_eq!((client.tools().await, client.list("prompts").await.len()), (vec!["up__kept".to_owned()], 1));
        assert!(started.elapsed() < Duration::from_secs(2), "{era:?} {way:?}");
        assert_eq!(gate.status("up").await["from_cache"], true);
        upstream.come_up().await;
        gate.status_becomes("up", "it is up", |status| status["state"] == "ready").await;
        assert_eq!(client.text("up__kept", json!({})).await, "kept");
        gate.status_becomes("up", "its lists are fresh", |status| status["from_cache"] == false).await;
    }
}

#[tokio::test]
async fn another_server_under_the_same_name_has_no_memory() {
    let one = named(Era::Modern, &["one"]).over_http().await;
    let gate = Gate::of("up", &one).start().await;
    assert_eq!(gate.modern().await.tools().await, ["up__one"]);
    let state = gate.stop().await;
    let other = named(Era::Modern, &["other"]).over_http().await;
    other.go_down().await;
    let gate = Gate::of("up", &other).after(&state).start().await.settled().await;
    assert_eq!(gate.modern().await.tools().await, Vec::<String>::new());
}

#[tokio::test]
async fn unreadable_memory_is_no_harm() {
    let upstream = named(Era::Legacy, &["tool"]).over_stdio().await;
    let gate = Gate::of("up", &upstream).start().await;
    assert_eq!(gate.modern().await.tools().await.len(), 1);
    let state = gate.stop().await;
    for file in std::fs::read_dir(state.path().join("catalog")).unwrap() {
        std::fs::write(file.unwrap().path(), "{\"format\":1,").unwrap();
    }
    let gate = Gate::of("up", &upstream).after(&state).start().await;
    assert_eq!(gate.modern().await.tools().await, ["up__tool"]);
}

#[tokio::test]
async fn long_and_illegal_names_have_a_legal_form_that_calls_the_right_tool() {
    let long = "x".repeat(80);
    let longer = "x".repeat(81);
    let upstream =
        named(Era::Modern, &[&long, &longer, "dotted.name", "dotted/name", "plain-name_1"]).over_stdio().await;
    let gate = Gate::of("up", &upstream).start().await;
    let client = gate.modern().await;
    let names = client.tools().await;
    for (public, native) in names.iter().zip([&*long, &*longer, "dotted.name", "dotted/name", "plain-name_1"]) {
        assert!(
            public.len() <= 64 && public.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)),
            "{public}"
        );
        assert_eq!(client.text(public, json!({})).await, native);
    }
    let again = Gate::of("up", &upstream).and("other", &upstream).start().await;
    assert_eq!(again.modern().await.tools().await[..5], names, "a neighbour renames nothing");
}

#[tokio::test]
async fn plain_names_prefix_only_what_collides() {
    let (one, two) =
        (named(Era::Modern, &["a", "b"]).over_http().await, named(Era::Legacy, &["b", "c"]).over_stdio().await);
    let gate = Gate::of("one", &one).and("two", &two).config("names: plain").start().await;
    let client = gate.modern().await;
    assert_eq!(client.tools().await, ["a", "b", "two__b", "c"]);
    client.text("two__b", json!({})).await;
    assert_eq!((one.count("tools/call b"), two.count("tools/call b")), (0, 1));
}

#[tokio::test]
async fn a_transparent_gateway_is_the_upstream() {
    for (era, way) in EVERY_WAY {
        let upstream = named(era, &["a"])
            .capabilities(json!({"tools": {}, "vendor": {"x": 1}}))
            .instructions("be kind")
            .on("vendor/method", async |call: Call| call.answer(json!({"vendor": true})))
            .over(way)
            .await;
        let gate = Gate::of("up", &upstream).config("names: transparent").start().await;
        let client = gate.modern().await;
        assert_eq!(client.tools().await, ["a"], "{era:?} {way:?}");
        let about = client.request("server/discover", json!({})).await.unwrap();
        assert_eq!((&about["instructions"], &about["capabilities"]["vendor"]), (&json!("be kind"), &json!({"x": 1})));
        assert_eq!(about["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "scripted");
        assert_eq!(client.request("vendor/method", json!({})).await.unwrap()["vendor"], true);
    }
}

#[tokio::test]
async fn resources_of_the_same_uri_are_told_apart() {
    let script = |era, text: &'static str| {
        Script::new(era).entry("resources", r#"{"uri":"doc://readme","name":"readme"}"#).on(
            "resources/read",
            move |call: Call| async move {
                call.answer(json!({"contents": [{"uri": "doc://readme", "text": text}]}));
            },
        )
    };
    let (one, two) = (script(Era::Modern, "one").over_http().await, script(Era::Legacy, "two").over_stdio().await);
    let gate = Gate::of("one", &one).and("two", &two).start().await;
    let client = gate.modern().await;
    let uris: Vec<Value> = client.list("resources").await.into_iter().map(|resource| resource["uri"].clone()).collect();
    assert_eq!(uris, ["doc://readme", "toolgate+two:doc://readme"]);
    for (uri, text) in uris.iter().zip(["one", "two"]) {
        let read = client.request("resources/read", json!({"uri": uri})).await.unwrap();
        assert_eq!(read["contents"][0]["text"], text);
    }
}

#[tokio::test]
async fn tools_that_the_config_leaves_out_are_not_there() {
    let upstream = named(Era::Modern, &["get_a", "get_secret", "put_a"]).over_http().await;
    let filter = json!({"allow": ["get_*"], "deny": ["*secret*"]});
    let gate = Gate::of("up", &upstream).with("tools", filter).start().await;
    let client = gate.modern().await;
    assert_eq!(client.tools().await, ["up__get_a"]);
    let fault = client.call("up__put_a", json!({})).await.unwrap_err();
    let missing = client.call("up__nothing", json!({})).await.unwrap_err();
    assert_eq!(fault.message.replace("put_a", "nothing"), missing.message, "as if it were not there");
    assert_eq!(upstream.count("tools/call"), 0);
}

#[tokio::test]
async fn a_disabled_upstream_is_listed_and_not_started() {
    let upstream = named(Era::Modern, &["a"]).over_stdio().await;
    let gate = Gate::of("up", &upstream).with("enabled", false).start().await.settled().await;
    assert_eq!(gate.status("up").await["state"], "disabled");
    assert_eq!((gate.modern().await.tools().await.len(), upstream.connections()), (0, 0));
}

#[tokio::test]
async fn instructions_of_all_upstreams_reach_the_client() {
    let one = Script::legacy().instructions("First read.").over_stdio().await;
    let two = Script::modern().instructions("Then write.").over_http().await;
    let gate = Gate::of("one", &one).and("two", &two).start().await;
    let about = gate.modern().await.request("server/discover", json!({})).await.unwrap();
    let text = about["instructions"].as_str().unwrap();
    assert!(text.contains("## one\nFirst read.\n") && text.contains("## two\nThen write.\n"), "{text}");
}

#[tokio::test]
async fn what_modern_lists_say_of_their_age_reaches_modern_clients() {
    let upstream = named(Era::Modern, &["a"]).over_http().await;
    let gate = Gate::of("up", &upstream).start().await;
    let list = gate.modern().await.request("tools/list", json!({})).await.unwrap();
    assert_eq!((&list["cacheScope"], list["ttlMs"].as_u64().unwrap() <= 60_000), (&json!("public"), true), "{list}");
    let private = named(Era::Legacy, &["a"]).over_stdio().await;
    let gate = Gate::of("up", &private).start().await;
    let list = gate.modern().await.request("tools/list", json!({})).await.unwrap();
    assert_eq!(list["cacheScope"], "private", "a legacy upstream says nothing of it");
}
