//! The control API, endpoint by endpoint: who may ask, what is told, and what is refused in which words.

use http::Method;
use http_body_util::Full;
use serde_json::{Value, json};
use tempfile::TempDir;
use toolgate_testkit::{Call, Era, Gate, Operator, Program, Script, Upstream, until};

use crate::commands::{TOOLGATE, toolgate};

/// A gateway in front of two upstreams, with a namespace.
async fn gate() -> (Gate, [Upstream; 2]) {
    let config = "
names: plain
namespaces:
  team:
    tools: {deny: {\"files/delete_*\": agents delete nothing}}
    overrides: {files/find: {name: look_up, description: Searches the wiki}, files/gone: {hidden: true}}";
    let tool =
        |name: &str| json!({"name": name, "description": format!("Does {name}"), "inputSchema": {"type": "object"}});
    let files = Script::new(Era::Modern)
        .entry("tools", &tool("find").to_string())
        .entry("tools", &tool("delete_all").to_string())
        .entry("resources", r#"{"uri":"file:///a","name":"a"}"#)
        .on("tools/call", |call: Call| async move { call.text("done") })
        .over_http()
        .await;
    let echo = Script::echo(Era::Legacy).over_http().await;
    let gate = Gate::of("files", &files).and("echo", &echo).config(config).controlled().start().await.settled().await;
    (gate, [files, echo])
}

#[tokio::test]
async fn only_who_shows_the_token_is_told_anything() {
    let (gate, _upstreams) = gate().await;
    let operator = gate.operator();
    for path in ["/status", "/upstreams", "/nothing"] {
        for token in ["", "x", &"0".repeat(64)] {
            let told = operator.with_token(token).ask(Method::GET, path, Value::Null).await;
            let (kind, detail) = told.problem(401);
            assert!(kind == "unauthorized" && detail.contains("control.token"), "{detail}");
        }
    }
    for (name, value) in [("host", "evil.example.com"), ("origin", "https://evil.example.com")] {
        let request = operator.request(Method::GET, "/api/v1/status").header(name, value).body(Full::default());
        let (kind, detail) = operator.fetch(request.unwrap()).await.problem(403);
        assert!(kind == "forbidden" && detail.contains("evil.example.com"), "{detail}");
    }
    // What is served is no secret.
    let stranger = operator.with_token("");
    let document = stranger.fetch(stranger.request(Method::GET, "/openapi.json").body(Full::default()).unwrap()).await;
    assert_eq!(document.ok()["info"]["title"], "toolgate control API");
}

#[tokio::test]
async fn status_upstreams_and_namespaces_are_told() {
    let (gate, _upstreams) = gate().await;
    let operator = gate.operator();
    let status = operator.get("/status").await;
    assert_eq!((&status["upstreams"]["ready"], &status["settled"]), (&json!(2), &json!(true)));
    assert_eq!(status["namespaces"], json!(["default", "team"]));
    let upstreams = operator.get("/upstreams").await;
    let names: Vec<&Value> = upstreams["upstreams"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["files", "echo"]);
    let files = operator.get("/upstreams/files").await;
    assert_eq!(
        (&files["state"], &files["era"], &files["counts"]["tools"]),
        (&json!("ready"), &json!("modern"), &json!(2))
    );
    let team = operator.get("/namespaces/team").await;
    assert_eq!(team["endpoint"], "/ns/team/mcp");
    assert_eq!(team["left_out"][0]["reason"], "denied by `files/delete_*`: agents delete nothing");
    assert!(team["faults"][0].as_str().unwrap().contains("files/gone"), "{team}");
    for (path, kind) in [
        ("/upstreams/x", "unknown-upstream"),
        ("/namespaces/x", "unknown-namespace"),
        ("/namespaces/A%20b/entries", "unknown-namespace"),
        ("/x", "unknown-path"),
    ] {
        assert_eq!(operator.ask(Method::GET, path, Value::Null).await.problem(404).0, kind);
    }
    let (_, detail) = operator.ask(Method::GET, "/upstreams/fils", Value::Null).await.problem(404);
    assert_eq!(detail, "no upstream is called `fils`; there are: files, echo");
    assert_eq!(operator.ask(Method::DELETE, "/status", Value::Null).await.problem(405).0, "unknown-method");
}

#[tokio::test]
async fn the_catalog_is_told_as_each_endpoint_shows_it() {
    let (gate, _upstreams) = gate().await;
    let operator = gate.operator();
    let page = operator.get("/namespaces/team/entries").await;
    let row = |entry: &Value| {
        json!([
            entry["name"],
            entry["upstream"],
            entry["native"],
            entry["overridden"],
            entry["definition"]["description"]
        ])
    };
    let rows: Vec<Value> = page["entries"].as_array().unwrap().iter().map(row).collect();
    assert_eq!(rows[0], json!(["look_up", "files", "find", true, "Searches the wiki"]));
    assert_eq!(rows[1].as_array().unwrap()[..4], [json!("echo"), json!("echo"), json!("echo"), json!(false)]);
    assert_eq!((&page["total"], &page["next_offset"]), (&json!(2), &Value::Null));
    let page = operator.get("/namespaces/team/entries?limit=1").await;
    assert_eq!((page["entries"].as_array().unwrap().len(), &page["next_offset"]), (1, &json!(1)));
    let page = operator.get("/upstreams/files/entries?kind=resource").await;
    assert_eq!(page["entries"][0]["name"], "file:///a");
    for query in ["limit=0", "limit=1001", "limit=x", "kind=tools", "offset=-1"] {
        let path = format!("/namespaces/team/entries?{query}");
        assert_eq!(operator.ask(Method::GET, &path, Value::Null).await.problem(400).0, "bad-request", "{query}");
    }
}

#[tokio::test]
async fn a_search_says_what_is_found_and_why_and_a_call_is_made() {
    let (gate, _upstreams) = gate().await;
    let operator = gate.operator();
    let found = operator.post("/namespaces/team/search", json!({"needs": ["search the wiki", "delete all"]})).await;
    let hit = &found["needs"][0]["hits"][0];
    assert_eq!((&hit["name"], &hit["native"]), (&json!("look_up"), &json!("find")));
    let word = hit["words"].as_array().unwrap().iter().find(|word| word["word"] == "wiki").unwrap();
    assert!(word["counts"].as_f64().unwrap() > 0.0 && !word["in"].as_array().unwrap().is_empty(), "{word}");
    assert!(!found["needs"][1].to_string().contains("delete_all"), "it is not in this namespace: {found}");
    let called = operator.post("/namespaces/team/call", json!({"tool": "look_up", "arguments": {}})).await;
    assert_eq!(called["content"][0]["text"], "done");
    let call = |body: Value| operator.ask(Method::POST, "/namespaces/team/call", body);
    let (kind, detail) = call(json!({"tool": "find"})).await.problem(404);
    assert!(kind == "unknown-tool" && detail.contains("look_up"), "{detail}");
    for body in [
        json!("text"),
        json!([]),
        json!({}),
        json!({"tool": 7}),
        json!({"tool": "echo", "more": 1}),
        json!({"tool": "echo", "arguments": []}),
    ] {
        assert_eq!(call(body).await.problem(400).0, "bad-request");
    }
    let deep = "[".repeat(10_000);
    let request =
        operator.request(Method::POST, "/api/v1/namespaces/team/call").header("content-type", "application/json");
    assert_eq!(operator.fetch(request.body(Full::from(deep)).unwrap()).await.problem(400).0, "bad-request");
    let long = operator.ask(Method::POST, "/config/diff", json!("x".repeat(5 << 20))).await;
    assert_eq!(long.problem(413).0, "too-large");
    for body in [json!({"needs": []}), json!({"needs": ["x"], "limit": 0}), json!({"needs": ["x".repeat(3000)]})] {
        assert_eq!(operator.ask(Method::POST, "/namespaces/team/search", body).await.problem(400).0, "bad-request");
    }
    // JSON Schema goes by the value of an integer, not by its spelling.
    let search = |limit: &str| {
        let request = operator.request(Method::POST, "/api/v1/namespaces/team/search");
        let body = format!(r#"{{"needs": ["wiki"], "limit": {limit}}}"#);
        operator.fetch(request.header("content-type", "application/json").body(Full::from(body)).unwrap())
    };
    for limit in ["1", "45.0", "4.5e1", "null"] {
        assert_eq!(search(limit).await.ok()["needs"][0]["hits"].as_array().unwrap().len(), 1, "{limit}");
    }
    for limit in ["1.5", "-1", "-1.0", "51.0", "1e300", "\"1\"", "true"] {
        assert_eq!(search(limit).await.problem(400).0, "bad-request", "{limit}");
    }
    let unknown = json!({"needs": ["x"], "upstream": "nobody"});
    assert_eq!(operator.ask(Method::POST, "/namespaces/team/search", unknown).await.problem(404).0, "unknown-upstream");
}

#[tokio::test]
async fn the_status_of_a_gateway_is_to_be_had_though_its_file_has_faults_by_now() {
    let plan = || Gate::of_nothing().controlled();
    let (program, url) = Program::serve(TOOLGATE, &plan()).await;
    toolgate_app_posted(&program).await;
    program.rewrite(&plan().config("names: plan"));
    let (folder, said) = (program.folder(), format!(" at {url}/mcp"));
    let shown = until("it shows the state and the fault", || async {
        let ran = toolgate(folder, &["status"]).await;
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
        ran.out.contains("did you mean `plain`?").then_some(ran.out)
    })
    .await;
    assert!(shown.starts_with("toolgate ") && shown.contains(&said), "{shown}");
    // Where none runs with it, the faults are what there is to say.
    let alone = crate::commands::folder("names: plan");
    let ran = toolgate(alone.path(), &["status"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (64, ""));
    assert!(ran.err.contains("did you mean `plain`?") && ran.err.contains("name that with --url"), "{}", ran.err);
}

/// A program with its control API, and a folder from which its commands are run.
pub(crate) async fn program(config: &str) -> (Program, Operator, TempDir) {
    let plan = Gate::of_nothing().controlled().config(config);
    let (program, _) = Program::serve(TOOLGATE, &plan).await;
    let folder = tempfile::tempdir().unwrap();
    let config = program.folder().join("toolgate.yaml");
    let posted = toolgate_app_posted(&program).await;
    let token = std::fs::read_to_string(program.folder().join("state/control.token")).unwrap();
    std::os::unix::fs::symlink(config, folder.path().join("toolgate.yaml")).unwrap();
    (program, Operator::of(&posted, token.trim()), folder)
}

/// Where the control API of a program is, by what it posts.
async fn toolgate_app_posted(program: &Program) -> String {
    until("the gateway posts where it is", || async {
        let mut files = std::fs::read_dir(program.folder().join("state/gateways")).ok()?;
        let posted: Value = serde_json::from_slice(&std::fs::read(files.next()?.ok()?.path()).ok()?).ok()?;
        Some(format!("http://{}", posted["control"].as_str()?))
    })
    .await
}

#[tokio::test]
async fn a_file_is_held_against_the_running_gateway_and_applied_when_asked() {
    let (program, operator, _folder) = program("names: prefixed").await;
    let plan = || Gate::of_nothing().controlled();
    let text = |lines: &str| plan().config(lines).text(&program.folder().join("state"));
    let same = operator.post("/config/diff?name=new.yaml", json!(text("names: prefixed"))).await;
    assert_eq!(same, json!({"differences": []}));
    let other =
        operator.post("/config/diff", json!(text("names: plain\nnamespaces: {team: {}}\nallowed_hosts: [x]"))).await;
    let lines: Vec<&str> =
        other["differences"].as_array().unwrap().iter().map(|one| one["text"].as_str().unwrap()).collect();
    assert_eq!(lines, ["+ namespace team", "~ names", "~ allowed_hosts (needs a restart)"]);
    assert_eq!(operator.get("/status").await["namespaces"], json!(["default"]), "nothing was applied");
    let faulty = operator.ask(Method::POST, "/config/diff?name=new.yaml", json!("names: plan")).await;
    let faults: Value = serde_json::from_str(&faulty.text).unwrap();
    assert!(faults["faults"][0]["place"].as_str().unwrap().ends_with("new.yaml:1:8"), "{faults}");
    let (kind, detail) = faulty.problem(422);
    assert!(kind == "faulty-config" && detail.contains("did you mean `plain`?"), "{detail}");
    for name in ["..%2Fx", "", ".."] {
        let path = format!("/config/diff?name={name}");
        assert_eq!(operator.ask(Method::POST, &path, json!("{}")).await.problem(400).0, "bad-request");
    }
    assert_eq!(operator.ask(Method::POST, "/config/diff", Value::Null).await.problem(400).0, "bad-request");
    // By hand, or because the gateway has seen the change by itself: what is asked for holds afterwards.
    program.rewrite(&plan().config("namespaces: {team: {}}"));
    operator.post("/config/reload", Value::Null).await;
    assert_eq!(operator.get("/status").await["namespaces"], json!(["default", "team"]));
    program.rewrite(&plan().config("namespaces: {Team: {}}"));
    let (_, detail) = operator.ask(Method::POST, "/config/reload", Value::Null).await.problem(422);
    assert!(detail.contains("is no name for a namespace"), "{detail}");
    assert!(operator.get("/status").await["config"]["fault"].as_str().unwrap().contains("Team"));
}

#[tokio::test]
async fn without_a_file_there_is_nothing_to_reload() {
    let gate = Gate::of_nothing().controlled().start().await;
    let (kind, detail) = gate.operator().ask(Method::POST, "/config/reload", Value::Null).await.problem(409);
    assert!(kind == "no-config-file" && detail.contains("toolgate defaults"), "{detail}");
}

#[tokio::test]
async fn diff_and_reload_are_commands() {
    let (program, _, folder) = program("names: prefixed").await;
    let text = |lines: &str| Gate::of_nothing().controlled().config(lines).text(&program.folder().join("state"));
    let own = program.folder().join("toolgate.yaml");
    let own = own.to_str().unwrap();
    let run = |args: &'static [&'static str]| {
        let args: Vec<&str> = args.iter().map(|arg| if *arg == "OWN" { own } else { arg }).collect();
        let folder = folder.path();
        async move { toolgate(folder, &args).await }
    };
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("same.yaml", &text("names: prefixed"));
    write("new.yaml", &text("names: plain"));
    write("faulty.yaml", "names: plan");
    let ran = run(&["diff", "same.yaml", "--config", "OWN"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
    let ran = run(&["diff", "new.yaml", "--config", "OWN"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (1, "~ names\n"), "{}", ran.err);
    let ran = run(&["diff", "new.yaml", "--config", "OWN", "--json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&ran.out).unwrap()["differences"][0]["change"], "changed");
    let ran = run(&["diff", "faulty.yaml", "--config", "OWN"]).await;
    assert!(ran.code == 64 && ran.err.contains("faulty.yaml:1:8") && ran.out.is_empty(), "{}", ran.err);
    let ran = run(&["diff", "missing.yaml", "--config", "OWN"]).await;
    assert_eq!(ran.code, 2, "{}", ran.err);
    let ran = run(&["reload", "--config", "OWN"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "the config says the same as before\n"), "{}", ran.err);
    let ran = run(&["reload", "--config", "same.yaml"]).await;
    assert!(ran.code == 69 && ran.err.contains("no gateway with a control API runs here"), "{}", ran.err);
}

#[tokio::test]
async fn a_named_address_that_is_taken_is_a_fault_and_the_usual_one_is_not() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let folder =
        crate::commands::folder(&format!("listen: 127.0.0.1:0\nadmin: {{listen: {address}}}\nupstreams: {{}}\n"));
    let ran = toolgate(folder.path(), &["serve"]).await;
    assert!(ran.code == 1 && ran.err.contains("choose another address with `admin: {listen: …}`"), "{}", ran.err);
    // Two with the usual address: both serve, and each has an API of its own.
    let plan = || Gate::of_nothing().config("admin: {}");
    let (one, other) = (Program::serve(TOOLGATE, &plan()).await.0, Program::serve(TOOLGATE, &plan()).await.0);
    assert_ne!(toolgate_app_posted(&one).await, toolgate_app_posted(&other).await);
}
