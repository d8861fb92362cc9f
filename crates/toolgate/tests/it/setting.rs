//! What is set over the control API: in force when the answer comes, over the file, and checked as a whole.

use std::sync::Arc;

use serde_json::{Value, json};
use toolgate_testkit::{Era, Gate, HttpApi, Operator, Says, Script, until};

use crate::commands::TOOLGATE;
use crate::live::Callers;

async fn texts(operator: &Operator, path: &str) -> Vec<String> {
    let entries = operator.get(&format!("/config{path}")).await["entries"].clone();
    let text =
        |one: &Value| format!("{} {} {}", one["name"].as_str().unwrap(), one["from"].as_str().unwrap(), one["value"]);
    entries.as_array().unwrap().iter().map(text).collect()
}

#[tokio::test]
async fn an_upstream_comes_changes_is_switched_and_goes_with_those_who_listen_told() {
    for era in Era::BOTH {
        let (first, second) = (Script::echo(era).over_http().await, Script::echo(era).over_http().await);
        let second = second.config();
        let gate = Gate::of("steady", &first).controlled().start().await.settled().await;
        let (operator, client) = (gate.operator(), gate.client(era).await);
        let mut listening = client.listen(&[]).await;
        let listed = async |wanted: &[&str]| {
            until(&format!("{wanted:?}"), || async { (client.tools().await == wanted).then_some(()) }).await;
        };
        assert_eq!(operator.set("/upstreams/more", &second, None).await.changes(), ["+ upstream more"]);
        listening.notification("notifications/tools/list_changed").await;
        listed(&["steady__echo", "more__echo"]).await;
        assert_eq!(client.text("more__echo", json!({"text": "hi"})).await, "hi");
        let mut changed = second.clone();
        changed["tools"] = json!({"deny": ["echo"]});
        assert_eq!(operator.set("/upstreams/more", &changed, None).await.changes(), ["~ upstream more: tools"]);
        listed(&["steady__echo"]).await;
        assert_eq!(operator.set("/upstreams/more", &second, None).await.changes(), ["~ upstream more: tools"]);
        assert_eq!(operator.set("/upstreams/more", &second, None).await.changes(), [""; 0], "it is so already");
        for (word, after) in [("disable", "disabled"), ("enable", "ready")] {
            let path = format!("/upstreams/more/{word}");
            assert_eq!(operator.post(&path, json!({})).await["differences"][0]["text"], "~ upstream more: enabled");
            assert_eq!(operator.post(&path, json!({})).await["differences"], json!([]), "it is so already");
            gate.status_becomes("more", after, |status| status["state"] == after).await;
        }
        listed(&["steady__echo", "more__echo"]).await;
        assert_eq!(operator.unset("/upstreams/more").await.changes(), ["- upstream more"]);
        assert_eq!(client.tools().await, ["steady__echo"], "at once");
        assert_eq!(operator.unset("/upstreams/more").await.problem(404).0, "unknown-upstream");
    }
}

#[tokio::test]
async fn what_is_set_lies_over_the_file_and_the_file_holds_again_without_it() {
    let (in_file, set) = (Script::echo(Era::Modern).over_http().await, Script::echo(Era::Legacy).over_http().await);
    let off = json!({"builtin": "time", "enabled": false});
    let plan = || Gate::of("up", &in_file).and_config("off", off.clone()).program(TOOLGATE).controlled();
    let gate = plan().start().await.settled().await;
    let operator = gate.operator();
    let era_becomes = async |era: &str| gate.status_becomes("up", era, |status| status["era"] == era).await;
    // Nothing of the file can be taken away, but all of it can be covered.
    let (kind, detail) = operator.unset("/upstreams/up").await.problem(409);
    assert!(kind == "in-file" && detail.contains("toolgate.yaml:"), "{detail}");
    assert_eq!(
        operator.set("/upstreams/up", &set.config(), None).await.changes(),
        ["~ upstream up: how it is reached"]
    );
    era_becomes("legacy").await;
    let entry = operator.get("/config/upstreams/up").await;
    assert!(entry["from"] == "api" && entry["place"].as_str().unwrap().contains("toolgate.yaml:"), "{entry}");
    let values = operator.get("/config").await["values"].clone();
    let of_api = values.as_array().unwrap().iter().filter(|one| one["from"] == "api").map(|one| &one["key"]);
    assert_eq!(of_api.collect::<Vec<_>>(), ["upstreams.up.url"]);
    // Also when the file changes.
    gate.becomes(plan().with("enabled", true)).await;
    era_becomes("legacy").await;
    assert_eq!(operator.unset("/upstreams/up").await.changes(), ["~ upstream up: how it is reached"]);
    era_becomes("modern").await;
    // One of the file is switched, and the switch goes where it says what the file says.
    gate.becomes(plan()).await;
    operator.post("/upstreams/off/enable", json!({})).await;
    let entry = operator.get("/config/upstreams/off").await;
    assert_eq!(
        (&entry["from"], &entry["switched"], &entry["value"]["enabled"]),
        (&json!("file"), &json!(true), &json!(true))
    );
    gate.status_becomes("off", "up", |status| status["state"] == "ready").await;
    operator.post("/upstreams/off/disable", json!({})).await;
    assert_eq!(operator.get("/config/upstreams/off").await["switched"], false);
    // What is left of an upstream that the file has no more is kept, and told of.
    operator.post("/upstreams/off/enable", json!({})).await;
    gate.becomes(Gate::of("up", &in_file).controlled()).await;
    let left_out = operator.get("/status").await["config"]["left_out"].clone();
    assert!(left_out[0].as_str().unwrap().contains("there is no upstream `off`"), "{left_out}");
    gate.becomes(plan()).await;
    gate.status_becomes("off", "up again", |status| status["state"] == "ready").await;
    assert_eq!(operator.get("/status").await["config"]["left_out"], json!([]));
}

#[tokio::test]
async fn namespaces_and_overrides_are_set_and_taken_back_each_by_itself() {
    let upstream = Script::echo(Era::Modern).entry("tools", r#"{"name":"other","inputSchema":{"type":"object"}}"#);
    let upstream = upstream.over_http().await;
    let in_file = "namespaces: {team: {overrides: {up/echo: {description: from the file}}}}";
    let gate = Gate::of("up", &upstream).config(in_file).controlled().start().await.settled().await;
    let operator = gate.operator();
    let tools = async |namespace: &str| gate.modern().await.at(&format!("/ns/{namespace}/mcp")).tools().await;
    assert_eq!(
        operator.set("/namespaces/own", &json!({"names": "plain"}), None).await.done(201)["entry"]["from"],
        "api"
    );
    assert_eq!(tools("own").await, ["echo", "other"]);
    let changed = operator.set("/namespaces/own/overrides/up/echo", &json!({"name": "say"}), None).await.changes();
    assert_eq!(changed, ["~ namespace own: overrides"]);
    assert_eq!(tools("own").await, ["say", "other"]);
    // Over what the file says of the same tool, and back.
    operator.set("/namespaces/team/overrides/up/echo", &json!({"hidden": true}), None).await.ok();
    assert_eq!(tools("team").await, ["up__other"]);
    assert_eq!(texts(&operator, "/namespaces/team/overrides").await, [r#"up/echo api {"hidden":true}"#]);
    operator.unset("/namespaces/team/overrides/up/echo").await.ok();
    assert_eq!(tools("team").await, ["up__echo", "up__other"]);
    // What /mcp shows need not be said for something to be laid over it.
    operator.set("/namespaces/default/overrides/up/other", &json!({"name": "another"}), None).await.done(201);
    assert_eq!(gate.modern().await.tools().await, ["up__echo", "up__another"]);
    // A tool that is not there: kept, and told of.
    operator.set("/namespaces/own/overrides/up/ghost", &json!({"name": "g"}), None).await.done(201);
    let faults = operator.get("/namespaces/own").await["faults"].clone();
    assert!(faults[0].as_str().unwrap().contains("ghost"), "{faults}");
    // A tool's own name may have a slash in it.
    operator.set("/namespaces/own/overrides/up/a%2Fb", &json!({"name": "ab"}), None).await.done(201);
    assert_eq!(operator.get("/config/namespaces/own/overrides/up/a%2Fb").await["name"], "up/a/b");
    // A namespace that was set goes with what was laid over its tools; one of the file keeps that for when it comes back.
    operator.set("/namespaces/team/overrides/up/echo", &json!({"hidden": true}), None).await.ok();
    assert_eq!(operator.unset("/namespaces/own").await.changes(), ["- namespace own"]);
    assert_eq!(texts(&operator, "/namespaces/own/overrides").await, [""; 0]);
    gate.becomes(Gate::of("up", &upstream).controlled()).await;
    let left_out = operator.get("/status").await["config"]["left_out"].clone();
    assert!(left_out[0].as_str().unwrap().contains("no namespace `team`"), "{left_out}");
    gate.becomes(Gate::of("up", &upstream).config(in_file).controlled()).await;
    assert_eq!(tools("team").await, ["up__other"]);
}

#[tokio::test]
async fn what_has_faults_changes_nothing_and_each_is_named() {
    let upstream = Script::echo(Era::Modern).over_http().await;
    let gate = Gate::of("up", &upstream).controlled().start().await.settled().await;
    let operator = gate.operator();
    let url = upstream.config();
    for (path, value, words) in [
        ("/upstreams/x", json!({"comand": "npx"}), "upstreams.x.comand: unknown key; did you mean `command`?"),
        ("/upstreams/x", json!({}), "upstreams.x: "),
        ("/upstreams/x", json!({"url": "ftp://x"}), "is not the URL of a server"),
        ("/upstreams/x", json!({"command": "a", "env": {"K": "${NO_SUCH_VARIABLE}"}}), "`NO_SUCH_VARIABLE` is not set"),
        ("/upstreams/x", json!({"url": "http://127.0.0.1:9/mcp", "headers": {"K": "a\nb"}}), "header"),
        ("/upstreams/x", json!({"command": "a", "env": {"K": "****"}}), "`env.K` is masked"),
        ("/upstreams/UP", url.clone(), "as those of `up` are"),
        ("/upstreams/a__b", url.clone(), "letters, digits"),
        ("/upstreams/%C3%BC", url, "letters, digits"),
        ("/namespaces/Team", json!({}), "is no name for a namespace"),
        ("/namespaces/x", json!({"names": "transparant"}), "did you mean `transparent`?"),
        ("/namespaces/x/overrides/up/echo", json!({"name": "y"}), "there is no namespace `x`"),
        ("/namespaces/default/overrides/up/echo", json!({"nam": "y"}), "overrides.\"up/echo\".nam"),
    ] {
        let (kind, detail) = operator.set(path, &value, None).await.problem(422);
        let detail = detail.replace("overrides.up/echo", "overrides.\"up/echo\"");
        assert!(kind == "faulty-config" && detail.contains(words), "{path} {value}: {detail}");
    }
    for (path, body) in [("/upstreams/x", "[]"), ("/upstreams/x", "1"), ("/upstreams/x", "{"), ("/upstreams/%0A", "{}")]
    {
        let request = operator.request(http::Method::PUT, &format!("/api/v1/config{path}"));
        let request = request.header("content-type", "application/json").body(body.into()).unwrap();
        assert_eq!(operator.fetch(request).await.problem(400).0, "bad-request", "{path} {body}");
    }
    let big = json!({"command": "a", "args": ["x".repeat(300 << 10)]});
    assert_eq!(operator.set("/upstreams/x", &big, None).await.problem(413).0, "too-large");
    assert_eq!(texts(&operator, "/namespaces").await, [""; 0]);
    assert_eq!(operator.get("/upstreams").await["upstreams"].as_array().unwrap().len(), 1);
    assert_eq!(gate.modern().await.tools().await, ["up__echo"]);
}

#[tokio::test]
async fn a_file_that_stands_by_itself_goes_before_what_was_set() {
    let (up, more) = (Script::echo(Era::Modern).over_http().await, Script::echo(Era::Modern).over_http().await);
    let gate = Gate::of("up", &up).controlled().start().await.settled().await;
    let operator = gate.operator();
    operator.set("/upstreams/more", &more.config(), None).await.done(201);
    operator.set("/namespaces/team", &json!({}), None).await.done(201);
    // Transparent is for one upstream alone: the file cannot be held together with the other.
    gate.becomes(Gate::of("up", &up).config("names: transparent").controlled()).await;
    let left_out = operator.get("/status").await["config"]["left_out"].clone();
    assert!(
        left_out.as_array().unwrap().len() == 1 && left_out[0].as_str().unwrap().starts_with("upstream more: "),
        "{left_out}"
    );
    assert_eq!(gate.modern().await.tools().await, ["echo"]);
    assert!(operator.get("/namespaces/team").await["name"] == "team", "the rest of what was set stays");
    // And nothing that would put more out of force is taken.
    let (kind, _) = operator.set("/upstreams/third", &more.config(), None).await.problem(422);
    assert_eq!(kind, "faulty-config");
    gate.becomes(Gate::of("up", &up).controlled()).await;
    let back = || async { (gate.modern().await.tools().await == ["up__echo", "more__echo"]).then_some(()) };
    until("it is back", back).await;
}

#[tokio::test]
async fn who_changes_what_somebody_else_has_changed_is_told_so() {
    let gate = Gate::of_nothing().controlled().start().await;
    let operator = gate.operator();
    let (one, other) = (json!({"url": "http://127.0.0.1:9/one"}), json!({"url": "http://127.0.0.1:9/other"}));
    let new = Some(("if-none-match", "*"));
    let first = operator.set("/upstreams/up", &one, new).await.done(201)["entry"]["tag"].as_str().unwrap().to_owned();
    assert_eq!(operator.set("/upstreams/up", &other, new).await.problem(412).0, "changed");
    let tag = format!("\"{first}\"");
    let matching = Some(("if-match", tag.as_str()));
    // Two who have seen the same: one of them is told.
    let third = json!({"url": "http://127.0.0.1:9/third"});
    let (a, b) =
        tokio::join!(operator.set("/upstreams/up", &other, matching), operator.set("/upstreams/up", &third, matching),);
    let mut statuses = [a.status, b.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
    assert_eq!(operator.set("/upstreams/up", &one, matching).await.problem(412).0, "changed");
    // The same again is the same again.
    operator.set("/upstreams/up", &one, Some(("if-match", "*"))).await.ok();
    assert_eq!(operator.get("/config/upstreams/up").await["tag"], first.as_str());
    let several = format!("\"x\", {tag}");
    operator.set("/upstreams/up", &other, Some(("if-match", &several))).await.ok();
    assert_eq!(operator.set("/upstreams/none", &one, Some(("if-match", "*"))).await.problem(412).0, "changed");
    assert_eq!(operator.set("/upstreams/up", &one, Some(("if-match", "x"))).await.problem(400).0, "bad-request");
}

#[tokio::test]
async fn secrets_are_shown_to_nobody_and_stay_what_they_are_when_given_back() {
    let api = HttpApi::start(|heard| Says::text(200, "text/plain", heard.headers["x-key"].clone())).await;
    let gate = Gate::of_nothing().controlled().start().await;
    let operator = gate.operator();
    let tool = json!({"name": "key", "description": "Says its key", "url": api.url("/key"), "headers": {"X-Key": "literal-secret"}});
    let told = operator.set("/upstreams/up", &json!({"http": [tool]}), None).await.done(201);
    assert!(!told.to_string().contains("literal-secret"), "{told}");
    let mut entry = operator.get("/config/upstreams/up").await["value"].clone();
    assert_eq!(entry["http"][0]["headers"]["X-Key"], "****");
    assert!(!operator.get("/config").await.to_string().contains("literal-secret"));
    entry["timeout"] = json!("7s");
    operator.set("/upstreams/up", &entry, None).await.ok();
    let client = gate.modern().await;
    let said = || async { client.call("up__key", json!({})).await.ok() };
    assert_eq!(until("it is up", said).await["content"][0]["text"], "literal-secret");
}

/// File and API change as fast as they can, and clients of both eras call; no call fails that no change explains.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_fails_while_the_file_and_the_api_change() {
    const CHANGES: usize = 60;
    let (steady, other) = (Script::echo(Era::Modern).over_http().await, Script::echo(Era::Legacy).over_http().await);
    let plan = || Gate::of("steady", &steady).controlled();
    let gate = Arc::new(plan().start().await.settled().await);
    let callers = Callers::of(&gate, "steady__echo");
    let over_api = async {
        let operator = gate.operator();
        let config = other.config();
        for change in 0..CHANGES {
            let before = callers.calls();
            let told = match change % 6 {
                0 => operator.set("/upstreams/other", &config, None).await,
                1 => operator.set("/namespaces/team", &json!({"upstreams": ["steady"]}), None).await,
                2 => operator.set("/namespaces/team/overrides/steady/echo", &json!({"hidden": true}), None).await,
                3 => operator.ask(http::Method::POST, "/upstreams/other/disable", json!({})).await,
                4 => operator.unset("/namespaces/team").await,
                _ => operator.unset("/upstreams/other").await,
            };
            assert!(matches!(told.status, 200 | 201), "{change}: {}", told.text);
            callers.go_on(before).await;
        }
    };
    let in_file = async {
        for change in 0..CHANGES {
            let before = callers.calls();
            match change % 3 {
                0 => gate.becomes(plan().and("filed", &other)).await,
                1 => gate.becomes(plan().config("search: {budget: 1}")).await,
                _ => gate.becomes(plan()).await,
            };
            callers.go_on(before).await;
        }
    };
    tokio::join!(over_api, in_file);
    callers.end().await;
    assert_eq!(gate.operator().get("/status").await["config"]["left_out"], json!([]));
}
