//! What is set over the control API outlives a restart, is shared by replicas, and a store in trouble stops nothing else.

use std::sync::Arc;

use serde_json::json;
use tempfile::TempDir;
use toolgate_testkit::postgres::Postgres;
use toolgate_testkit::{Era, Gate, Plan, Script, Upstream, until};

use crate::commands::TOOLGATE;
use crate::commands::{fails, folder, succeeds};

/// A gateway whose store is at this address.
fn kept_in(store: &str) -> Plan {
    Gate::of_nothing().controlled().config(&format!("store: {}", json!(store)))
}

async fn echoing() -> Upstream {
    Script::echo(Era::Modern).over_http().await
}

async fn lists(gate: &Gate, wanted: &[&str]) {
    let client = gate.modern().await;
    until(&format!("{wanted:?} are listed"), || async { (client.tools().await == wanted).then_some(()) }).await;
}

#[tokio::test]
async fn what_is_set_is_there_after_a_restart_in_either_store() {
    let postgres = Postgres::start().await;
    let upstream = echoing().await;
    for store in [None, Some("sqlite:./kept/here.db".to_owned()), Some(postgres.database("restart"))] {
        let plan = || match &store {
            None => Gate::of_nothing().controlled(),
            Some(store) => kept_in(store),
        };
        let gate = plan().start().await;
        let operator = gate.operator();
        operator.set("/upstreams/up", &upstream.config(), None).await.done(201);
        operator.set("/namespaces/team", &json!({"names": "plain"}), None).await.done(201);
        operator.set("/namespaces/team/overrides/up/echo", &json!({"name": "say"}), None).await.done(201);
        operator.post("/upstreams/up/disable", json!({})).await;
        operator.post("/upstreams/up/enable", json!({})).await;
        let said = operator.get("/config/upstreams").await;
        let state = gate.stop().await;
        let gate = plan().after(&state).start().await.settled().await;
        assert_eq!(gate.operator().get("/config/upstreams").await, said, "{store:?}");
        assert_eq!(gate.modern().await.at("/ns/team/mcp").tools().await, ["say"], "{store:?}");
        let state = gate.stop().await;
        // Where nothing may be kept, nothing of it is there, and nothing can be set.
        let gate = kept_in("off").after(&state).start().await;
        assert_eq!(gate.operator().get("/config/upstreams").await, json!({"entries": []}));
        let (kind, detail) = gate.operator().set("/upstreams/up", &upstream.config(), None).await.problem(409);
        assert!(kind == "no-store" && detail.contains("`store`"), "{detail}");
    }
}

#[tokio::test]
async fn replicas_on_one_database_say_the_same_and_do_not_overwrite_each_other() {
    let postgres = Postgres::start().await;
    let url = postgres.database("replicas");
    let (one, other) = tokio::join!(kept_in(&url).start(), kept_in(&url).start());
    let upstream = echoing().await;
    one.operator().set("/upstreams/up", &upstream.config(), None).await.done(201);
    lists(&other, &["up__echo"]).await;
    other.operator().set("/namespaces/team", &json!({}), None).await.done(201);
    let is_there = || async {
        (one.operator().ask(http::Method::GET, "/namespaces/team", json!(null)).await.status == 200).then_some(())
    };
    until("the first has it too", is_there).await;
    // Each changes the same thing, again and again; nobody's change is lost without being told.
    let mut taken = 0;
    for round in 0..10 {
        let value = |who: &str| json!({"instructions": format!("{who} {round}")});
        let tag = async |gate: &Gate| {
            let tag = gate.operator().get("/config/namespaces/team").await["tag"].as_str().unwrap().to_owned();
            format!("\"{tag}\"")
        };
        let (first, second) = (tag(&one).await, tag(&other).await);
        let (operator, another) = (one.operator(), other.operator());
        let (mine, its) = (value("one"), value("other"));
        let (a, b) = tokio::join!(
            operator.set("/namespaces/team", &mine, Some(("if-match", &first))),
            another.set("/namespaces/team", &its, Some(("if-match", &second))),
        );
        assert!([a.status, b.status].iter().all(|status| matches!(status, 200 | 412)), "{} {}", a.text, b.text);
        if first == second {
            assert_eq!([a.status, b.status].iter().filter(|status| **status == 200).count(), 1, "round {round}");
        }
        taken += [a.status, b.status].iter().filter(|status| **status == 200).count();
        until("both say the same", || async { (tag(&one).await == tag(&other).await).then_some(()) }).await;
    }
    assert!(taken >= 10, "{taken}");
}

#[tokio::test]
async fn a_database_that_is_down_at_start_and_later_stops_nothing_else() {
    let mut postgres = Postgres::start().await;
    let url = postgres.database("trouble");
    let (filed, set) = (echoing().await, echoing().await);
    let plan = || kept_in(&url).and("filed", &filed);
    let gate = plan().start().await.settled().await;
    gate.operator().set("/upstreams/set", &set.config(), None).await.done(201);
    lists(&gate, &["filed__echo", "set__echo"]).await;
    postgres.stop().await;
    let (kind, detail) = gate.operator().set("/upstreams/more", &set.config(), None).await.problem(503);
    assert!(kind == "store-unavailable" && !detail.contains(postgres.password()), "{detail}");
    assert_eq!(gate.modern().await.text("set__echo", json!({"text": "hi"})).await, "hi");
    gate.becomes(plan().config("names: plain")).await;
    lists(&gate, &["echo", "set__echo"]).await;
    let told = || async { gate.operator().get("/status").await["config"]["store_fault"].as_str().map(str::to_owned) };
    let fault = until("the fault is told", told).await;
    assert!(fault.contains("postgres://127.0.0.1:") && !fault.contains(postgres.password()), "{fault}");
    // One that starts meanwhile has the file alone, and the rest as soon as it can be had.
    let late = plan().start().await.settled().await;
    assert_eq!(late.modern().await.tools().await, ["filed__echo"]);
    postgres.start_again().await;
    lists(&late, &["filed__echo", "set__echo"]).await;
    let healed = || async { gate.operator().get("/status").await["config"]["store_fault"].is_null().then_some(()) };
    until("the fault is over", healed).await;
    gate.operator().set("/upstreams/more", &set.config(), None).await.done(201);
    lists(&late, &["filed__echo", "more__echo", "set__echo"]).await;
}

#[tokio::test]
async fn a_file_that_is_no_store_is_told_of_and_left_alone() {
    let upstream = echoing().await;
    let state = Arc::new(TempDir::new().unwrap());
    let file = state.path().join("notes.txt");
    std::fs::write(&file, "not a database, but somebody's notes").unwrap();
    let gate = kept_in("sqlite:./notes.txt").and("up", &upstream).after(&state).start().await.settled().await;
    assert_eq!(gate.modern().await.tools().await, ["up__echo"]);
    let (kind, detail) = gate.operator().set("/upstreams/more", &upstream.config(), None).await.problem(503);
    assert!(kind == "store-unavailable" && detail.contains("notes.txt"), "{detail}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "not a database, but somebody's notes");
    // A folder that cannot be: its name is that of a file.
    let gate = kept_in("sqlite:./notes.txt/store.db").after(&state).start().await;
    let (kind, detail) = gate.operator().set("/upstreams/more", &upstream.config(), None).await.problem(503);
    assert!(kind == "store-unavailable" && detail.contains("notes.txt"), "{detail}");
}

#[tokio::test]
async fn a_store_that_cannot_be_one_is_a_fault_of_the_config() {
    for (store, words) in [
        ("mysql://root:secret@db/x", "not a place to keep anything"),
        ("postgres://u:secret@host:port/db", "postgres://user:password@host"),
        ("sqlite:", "not a place to keep anything"),
    ] {
        let folder = folder(&format!("listen: 127.0.0.1:0\nstore: {}\nupstreams: {{}}\n", json!(store)));
        let ran = crate::commands::toolgate(folder.path(), &["serve"]).await;
        assert!(ran.code != 0 && ran.err.contains(words) && !ran.err.contains("secret"), "{store}: {}", ran.err);
    }
}

/// What a person types, on a gateway that runs.
#[tokio::test]
async fn the_commands_that_set_something() {
    let folder = folder(
        "listen: 127.0.0.1:0\nadmin: {listen: 127.0.0.1:0}\nstate_dir: ./state\nupstreams: {clock: {builtin: time}}\n",
    );
    let at = folder.path();
    let mut serve = tokio::process::Command::new(TOOLGATE);
    serve
        .arg("serve")
        .current_dir(at)
        .env_clear()
        .env("HOME", at)
        .stdout(std::process::Stdio::null())
        .kill_on_drop(true);
    let _serving = serve.spawn().unwrap();
    until("the gateway runs", || async { (crate::commands::toolgate(at, &["ns"]).await.code == 0).then_some(()) })
        .await;
    let said = succeeds(at, &["add", "mem", "--builtin", "memory"]).await;
    assert!(said.starts_with("+ upstream mem\n") && said.contains("ready"), "{said}");
    fails(at, &["add", "mem", "--builtin", "memory"], 1, "set over the control API); `--replace`").await;
    fails(at, &["add", "clock", "--builtin", "memory"], 1, "toolgate.yaml:4:").await;
    fails(at, &["add", "x"], 1, "say what `x` is").await;
    fails(at, &["add", "x", "--url", "ftp://x"], 64, "upstreams.x.url").await;
    assert_eq!(succeeds(at, &["disable", "mem"]).await, "~ upstream mem: enabled\n");
    assert_eq!(succeeds(at, &["disable", "mem"]).await, "it was so already\n");
    fails(at, &["restart", "mem"], 1, "toolgate enable mem").await;
    succeeds(at, &["enable", "mem", "--json"]).await;
    fails(at, &["remove", "clock"], 1, "take it out there").await;
    fails(at, &["remove", "nobody"], 1, "there are: clock, mem").await;
    let said = succeeds(at, &["ns", "add", "team", "--upstream", "clock", "--deny", "add_*=nothing is booked"]).await;
    assert_eq!(said, "+ namespace team\n  its endpoint is /ns/team/mcp\n");
    fails(at, &["ns", "add", "team"], 1, "`toolgate ns change` changes it").await;
    fails(at, &["ns", "change", "nobody", "--read-only"], 1, "`toolgate ns add` adds one").await;
    assert_eq!(
        succeeds(at, &["ns", "change", "team", "--pin", "clock__now"]).await,
        "~ namespace team: presentation\n"
    );
    succeeds(at, &["override", "set", "team", "clock/current_time", "--name", "now", "--fixed", "zone=Europe/Rome"])
        .await;
    succeeds(at, &["override", "set", "team", "clock/current_time", "--title", "Now"]).await;
    let shown = succeeds(at, &["ns", "show", "team"]).await;
    assert!(shown.contains("clock__now ") && shown.contains("add_*`: nothing is booked"), "{shown}");
    let listed = succeeds(at, &["override", "list", "team"]).await;
    assert!(listed.contains(r#""name":"now","title":"Now""#) && listed.contains("Europe/Rome"), "{listed}");
    fails(at, &["override", "set", "team", "clock"], 1, "upstream/tool").await;
    succeeds(at, &["override", "remove", "team", "clock/current_time"]).await;
    assert_eq!(succeeds(at, &["ns", "remove", "team"]).await, "- namespace team\n");
    assert_eq!(succeeds(at, &["remove", "mem"]).await, "- upstream mem\n");
    let said = succeeds(at, &["config", "--json"]).await;
    assert!(!said.contains("\"api\""), "nothing is left of it: {said}");
}
