//! `toolgate search`, `toolgate tokens` and what `status` says of the presentation.

use serde_json::Value;
use toolgate_testkit::{Era, Gate, Program, Script};

use crate::commands::{fails, folder, succeeds, toolgate};

const TOOLGATE: &str = env!("CARGO_BIN_EXE_toolgate");
const CONFIG: &str = "upstreams:\n  clock: {builtin: time}\n  notes: {builtin: memory}\n";

#[tokio::test]
async fn search_shows_what_a_model_would_find_and_why() {
    let config = folder(CONFIG);
    let plan = Gate::of_nothing().and_config("clock", serde_json::json!({"builtin": "time"}));
    // Also where every tool is listed.
    let (_program, url) = Program::serve(TOOLGATE, &plan.config("presentation: direct")).await;
    let url = format!("{url}/mcp");
    for endpoint in [["--url", &*url], ["--config", "toolgate.yaml"]] {
        let toolgate = async |args: &[&str]| succeeds(config.path(), &[args, &endpoint].concat()).await;
        let found = toolgate(&["search", "convert a time to another zone"]).await;
        assert!(found.starts_with("clock__convert_time(time: string"), "{found}");
        assert!(found.contains("Partial list: "), "{found}");
        let explained = toolgate(&["search", "convert tiem", "--explain", "-n", "1"]).await;
        assert!(explained.contains("\nconvert tiem\nclock__convert_time\n"), "{explained}");
        assert!(explained.contains("(the same) in name"), "{explained}");
        assert!(explained.contains("time (perhaps misspelt) in name"), "{explained}");
        let overview = toolgate(&["search"]).await;
        assert!(overview.contains("clock (5): "), "{overview}");
        let result: Value = serde_json::from_str(&toolgate(&["search", "time", "--json"]).await).unwrap();
        assert!(result["structuredContent"]["groups"][0]["tools"].is_array());
    }
    let lost = toolgate(config.path(), &["search", "x", "--server", "clok", "--config", "toolgate.yaml"]).await;
    assert_eq!((lost.code, lost.out.contains("did you mean clock?")), (1, true), "{}", lost.err);
}

#[tokio::test]
async fn tokens_adds_up_what_the_tools_cost() {
    let config = folder(CONFIG);
    let plan = Gate::of_nothing()
        .and_config("clock", serde_json::json!({"builtin": "time"}))
        .and_config("notes", serde_json::json!({"builtin": "memory"}));
    let (_program, url) = Program::serve(TOOLGATE, &plan).await;
    let mut seen = Vec::new();
    for endpoint in [["--url", &*url], ["--config", "toolgate.yaml"]] {
        let told = succeeds(config.path(), &[&["tokens", "--json"] as &[&str], &endpoint].concat()).await;
        let told: Value = serde_json::from_str(&told).unwrap();
        let upstreams = told["upstreams"].as_array().unwrap();
        let sum: u64 = upstreams.iter().map(|upstream| upstream["tokens"].as_u64().unwrap()).sum();
        assert_eq!((upstreams.len(), told["definitions"].as_u64()), (2, Some(sum)));
        assert!(told["surface"].as_u64().unwrap() <= 250 && told["search"].as_u64().unwrap() > 100, "{told}");
        assert_eq!(told["tasks"].as_array().unwrap().len(), 30);
        seen.push(told);
        let table = succeeds(config.path(), &[&["tokens"] as &[&str], &endpoint].concat()).await;
        assert!(table.contains(&format!("in all    10     {sum}")), "{table}");
        assert!(table.contains("costs more"), "ten small tools are better listed: {table}");
    }
    assert_eq!(seen[0], seen[1]);
    fails(config.path(), &["tokens", "--url", "127.0.0.1:1"], 69, "no gateway answers at 127.0.0.1:1").await;
}

#[tokio::test]
async fn the_command_line_chooses_the_presentation_and_status_tells_it() {
    let upstream = Script::echo(Era::Legacy).over_http().await;
    let folder = folder(&format!("listen: 127.0.0.1:0\nupstreams:\n  up: {}\n", upstream.config()));
    fails(folder.path(), &["serve", "--view", "shiny"], 1, "--view shiny: choose direct, search or auto").await;
    let gate = Gate::of("up", &upstream).config("presentation: search").start().await.settled().await;
    let status = succeeds(folder.path(), &["status", "--url", gate.url()]).await;
    assert!(status.contains("tools are shown as search (set by the config or the endpoint)\n"), "{status}");
    assert!(status.contains("listed directly, 1"), "{status}");
}
