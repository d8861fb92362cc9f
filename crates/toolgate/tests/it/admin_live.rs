//! The control API while things happen: sessions, events, logs, upstreams acted upon, and the config value by value.

use http::Method;
use serde_json::{Value, json};
use toolgate_testkit::{Era, Gate, Script, until};

use crate::admin::program;
use crate::commands::toolgate;

#[tokio::test]
async fn sessions_and_listens_are_listed_and_ended() {
    let upstream = Script::echo(Era::Modern).over_http().await;
    let gate = Gate::of("up", &upstream).controlled().start().await.settled().await;
    let operator = gate.operator();
    let mut events = operator.follow("/events", None).await;
    assert_eq!(operator.get("/sessions").await, json!({"sessions": []}));
    let legacy = gate.legacy().await;
    let (_, begun) = events.until("the session", |event| event["type"] == "session_begun").await;
    let sessions = operator.get("/sessions").await["sessions"].clone();
    let session = &sessions[0];
    assert_eq!(
        (&session["kind"], &session["endpoint"], &session["id"]),
        (&json!("session"), &json!("/mcp"), &begun["session"])
    );
    let id = session["id"].as_str().unwrap();
    assert!(id.len() == 8 && legacy.session().starts_with(id), "not the whole of it: {session}");
    let modern = gate.modern().await;
    let mut listening = modern.listen(&[]).await;
    let sessions = operator.get("/sessions").await["sessions"].clone();
    assert_eq!((&sessions[1]["kind"], sessions.as_array().unwrap().len()), (&json!("listen"), 2), "{sessions}");
    let listen = sessions[1]["id"].as_str().unwrap();
    assert_eq!(operator.ask(Method::DELETE, &format!("/sessions/{listen}"), Value::Null).await.status, 204);
    assert_eq!(listening.outcome().await.unwrap()["resultType"], "complete");
    assert_eq!(operator.ask(Method::DELETE, &format!("/sessions/{id}"), Value::Null).await.status, 204);
    assert_eq!(legacy.start("tools/list", json!({})).await.status, 404);
    events.until("its end", |event| event["type"] == "session_ended" && event["session"] == id).await;
    for unknown in [id, listen, "listen-x", "0", ""] {
        let told = operator.ask(Method::DELETE, &format!("/sessions/{unknown}"), Value::Null).await;
        assert!(matches!(told.problem(404).0.as_str(), "unknown-session" | "unknown-path"), "{unknown}");
    }
    until("nobody is left", || async { (operator.get("/sessions").await == json!({"sessions": []})).then_some(()) })
        .await;
}

#[tokio::test]
async fn what_happens_is_told_in_order_and_can_be_taken_up_again() {
    let upstream = Script::echo(Era::Modern).over_http().await;
    let gate = Gate::of("up", &upstream).controlled().start().await.settled().await;
    let operator = gate.operator();
    // From the very beginning: an id that is none of this run's.
    let mut events = operator.follow("/events", Some("0-0")).await;
    assert_eq!(events.next().await.unwrap().1["type"], "missed");
    events.until("it starts", |event| event["type"] == "upstream" && event["state"] == "starting").await;
    let (ready, _) = events.until("it is ready", |event| event["state"] == "ready").await;
    let (_, lists) = events.until("its lists", |event| event["type"] == "lists").await;
    assert_eq!((&lists["upstream"], &lists["kinds"][0]), (&json!("up"), &json!("tool")), "{lists}");
    drop(events);
    gate.becomes(Gate::of_nothing().controlled()).await;
    let mut again = operator.follow("/events", Some(&ready)).await;
    assert_eq!(again.next().await.unwrap().1["type"], "lists", "nothing is told twice, and nothing left out");
    again.until("it is gone", |event| event["state"] == "removed").await;
    // It ends with the gateway.
    gate.stop().await;
    while again.next().await.is_some() {}
}

#[tokio::test]
async fn a_config_that_is_applied_or_refused_is_an_event() {
    let (program, operator, _folder) = program("names: prefixed").await;
    let mut events = operator.follow("/events", None).await;
    let plan = || Gate::of_nothing().controlled();
    program.rewrite(&plan().config("names: plain"));
    let (_, applied) = events.until("it is applied", |event| event["type"] == "config_applied").await;
    assert_eq!(applied["changes"], json!(["~ names"]));
    program.rewrite(&plan().config("names: plan"));
    let (_, refused) = events.until("it is refused", |event| event["type"] == "config_refused").await;
    assert!(refused["why"].as_str().unwrap().contains("did you mean `plain`?"), "{refused}");
}

#[tokio::test]
async fn an_upstream_is_started_anew_asked_and_its_lists_fetched() {
    for era in Era::BOTH {
        let upstream = Script::echo(era).over_http().await;
        let gate = Gate::of("up", &upstream).and_config("off", json!({"command": "true", "enabled": false}));
        let gate = gate.controlled().start().await.settled().await;
        let operator = gate.operator();
        let probe = operator.post("/upstreams/up/probe", Value::Null).await;
        assert_eq!((&probe["answers"], &probe["error"]), (&json!(true), &Value::Null), "{era:?}: {probe}");
        assert!(probe["took_ms"].as_f64().unwrap() > 0.0);
        let mut events = operator.follow("/events", None).await;
        let restarted = operator.post("/upstreams/up/restart", Value::Null).await;
        assert_eq!(restarted["state"], "ready", "{era:?}");
        events.until("it starts", |event| event["state"] == "starting").await;
        events.until("it is ready", |event| event["state"] == "ready").await;
        assert_eq!(gate.modern().await.text("up__echo", json!({"text": "on"})).await, "on");
        // The list changes, and nobody says so.
        upstream.offer("tools", &[json!({"name": "new", "inputSchema": {"type": "object"}}).to_string()]);
        let refreshed = operator.post("/upstreams/up/refresh", Value::Null).await;
        assert_eq!(refreshed["counts"]["tools"], 1);
        assert_eq!(gate.modern().await.tools().await, ["up__new"], "{era:?}");
        for action in ["restart", "probe", "refresh"] {
            let path = format!("/upstreams/off/{action}");
            assert_eq!(operator.ask(Method::POST, &path, Value::Null).await.problem(409).0, "disabled");
            let path = format!("/upstreams/nobody/{action}");
            assert_eq!(operator.ask(Method::POST, &path, Value::Null).await.problem(404).0, "unknown-upstream");
        }
    }
}

#[tokio::test]
async fn an_upstream_that_does_not_come_up_is_told_so() {
    let gate = Gate::of_nothing().and_config("up", json!({"command": "/nowhere/there"}));
    let gate = gate.controlled().start().await.settled().await;
    let operator = gate.operator();
    let probe = operator.post("/upstreams/up/probe", Value::Null).await;
    assert_eq!(probe["answers"], false);
    assert!(probe["error"].as_str().unwrap().contains("no such program"), "{probe}");
    for action in ["restart", "refresh"] {
        let told = operator.ask(Method::POST, &format!("/upstreams/up/{action}"), Value::Null).await;
        let (kind, detail) = told.problem(502);
        assert!(kind == "upstream-failed" && detail.contains("no such program"), "{detail}");
    }
}

#[tokio::test]
async fn what_an_upstream_says_beside_its_answers_is_kept() {
    let upstream = Script::echo(Era::Legacy).over_http().await;
    let script = "echo 'a line' >&2; printf 'another \\033[31m one\\n' >&2; cat >/dev/null";
    let gate = Gate::of("up", &upstream).and_config("talks", json!({"command": "sh", "args": ["-c", script]}));
    let gate = gate.controlled().start().await;
    let operator = gate.operator();
    let mut following = operator.follow("/upstreams/talks/logs/follow", None).await;
    assert_eq!(following.next().await.unwrap().1["text"], "a line");
    assert_eq!(following.next().await.unwrap().1["text"], "another \u{fffd}[31m one");
    let lines = operator.get("/upstreams/talks/logs").await;
    assert_eq!((&lines["lines"][0]["text"], &lines["lines"][0]["level"]), (&json!("a line"), &Value::Null));
    let after = operator.get("/upstreams/talks/logs?after=1").await;
    assert!(after["lines"][0]["text"].as_str().unwrap().starts_with("another"));
    upstream.heard("notifications/initialized").await;
    until("a log message is kept", || async {
        upstream.tell("notifications/message", json!({"level": "warning", "logger": "db", "data": "slow"})).await;
        let lines = operator.get("/upstreams/up/logs").await;
        let line = lines["lines"].as_array()?.first()?;
        (line["level"] == "warning" && line["text"] == "db: slow").then_some(())
    })
    .await;
    assert_eq!(
        operator.ask(Method::GET, "/upstreams/nobody/logs", Value::Null).await.problem(404).0,
        "unknown-upstream"
    );
}

const WITH_SECRETS: &str = "
keys: [0123456789abcdef0123456789abcdef]
presentation: direct
timeouts: {call: 5s}
upstreams:
  far: {url: 'https://ada:pass@example.com/mcp?key=hidden1', headers: {X-Key: hidden2}, enabled: false}
  near: {command: \"true\", args: ['--token=${PATH}'], env: {SECRET: hidden3}, enabled: false}
";

#[tokio::test]
async fn the_config_is_told_value_by_value_without_its_secrets() {
    let folder = crate::commands::folder(&format!("listen: 127.0.0.1:0\nadmin: {{listen: 127.0.0.1:0}}{WITH_SECRETS}"));
    let serve = ["serve", "--listen", "127.0.0.1:0", "--view", "search", "--log-level", "error"];
    let mut command = tokio::process::Command::new(crate::commands::TOOLGATE);
    command.args(serve).current_dir(folder.path()).env_clear().env("HOME", folder.path()).env("PATH", "/hidden4");
    let _serving = command.stdout(std::process::Stdio::null()).kill_on_drop(true).spawn().unwrap();
    let told = until("it runs", || async {
        let ran = toolgate(folder.path(), &["config", "--json"]).await;
        (ran.code == 0).then_some(ran.out)
    })
    .await;
    assert!(!told.contains("hidden") && !told.contains("0123456789abcdef") && !told.contains("pass@"), "{told}");
    let told: Value = serde_json::from_str(&told).unwrap();
    let of = |key: &str| {
        let values = told["values"].as_array().unwrap();
        let found: Vec<&Value> = values.iter().filter(|one| one["key"] == key).collect();
        assert_eq!(found.len(), 1, "{key}: {found:?}");
        (found[0]["value"].clone(), found[0]["from"].as_str().unwrap().to_owned(), found[0]["place"].clone())
    };
    let file = folder.path().join("toolgate.yaml");
    let at = |place: &str| json!(format!("{}:{place}", file.display()));
    assert_eq!(of("timeouts.call"), (json!("5s"), "file".into(), at("5:18")));
    assert_eq!(of("timeouts.list"), (json!("30s"), "default".into(), Value::Null));
    assert_eq!(of("presentation"), (json!("search"), "command line".into(), Value::Null));
    assert_eq!(of("upstreams.far.url").0, "https://****@example.com/mcp?****");
    assert_eq!(of("upstreams.far.headers.X-Key").0, "****");
    assert_eq!(of("upstreams.near.args").0, json!(["--token=${PATH}"]));
    assert_eq!(of("upstreams.near.env.SECRET").0, "****");
    let table = toolgate(folder.path(), &["config"]).await;
    assert!(table.out.contains("presentation") && table.out.contains("command line"), "{}", table.out);
}

#[tokio::test]
async fn the_commands_of_an_operator() {
    let config = "namespaces: {team: {tools: {deny: {add_*: not ours}}}}";
    let (program, operator, _) = program(config).await;
    let text = Gate::of_nothing().controlled().config(config).and_config("time", json!({"builtin": "time"}));
    program.rewrite(&text);
    operator.post("/config/reload", Value::Null).await;
    until("it is ready", || async { (operator.get("/upstreams/time").await["counts"]["tools"] != 0).then_some(()) })
        .await;
    let run = async |args: &[&str]| toolgate(program.folder(), args).await;
    let ran = run(&["ns"]).await;
    assert!(
        ran.code == 0 && ran.out.lines().count() == 3 && ran.out.contains("/ns/team/mcp"),
        "{}{}",
        ran.out,
        ran.err
    );
    let ran = run(&["ns", "show", "team"]).await;
    assert!(ran.out.contains("time/add_duration: denied by `add_*`: not ours"), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("time__current_time"), "{}", ran.out);
    let ran = run(&["ns", "show", "nobody", "--json"]).await;
    assert!(ran.code == 1 && ran.err.contains("there are: default, team"), "{}", ran.err);
    let ran = run(&["restart", "time"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "time is ready\n"), "{}", ran.err);
    let ran = run(&["logs", "time"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
    let status = operator.get("/status").await;
    assert_eq!(status["upstreams"]["ready"], 1);
    let ran = run(&["sessions"]).await;
    assert!(ran.code == 0 && ran.out.starts_with("id"), "{}", ran.err);
    let ran = run(&["sessions", "--end", "12345678"]).await;
    assert!(ran.code == 1 && ran.err.contains("no session is called `12345678`"), "{}", ran.err);
}
