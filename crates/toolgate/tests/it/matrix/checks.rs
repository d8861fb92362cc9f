//! How each feature is tried. A check says what came of it; what must come of it says the specification ([`Expected`]).

use serde_json::{Value, json};
use toolgate_testkit::peer::Note;
use toolgate_testkit::{Era, Revision, Way};

use super::cell::{Cell, text_of};
use super::features::{Expected, Feature, Loss};
use super::server::{self, STRANGE, STRANGE_META};

const PROGRESS: &str = "notifications/progress";
const LOG: &str = "notifications/message";
const UPDATED: &str = "notifications/resources/updated";

/// Tries the feature of a cell. Panics where what comes is neither the feature nor a loss.
pub(super) async fn check(cell: &Cell) -> Expected {
    match cell.feature {
        Feature::Tools => tools(cell).await,
        Feature::Errors => errors(cell).await,
        Feature::Content => return content(cell).await,
        Feature::Structured => return structured(cell).await,
        Feature::StructuredOfAnyKind => return structured_of_any_kind(cell).await,
        Feature::Prompts => prompts(cell).await,
        Feature::Resources => resources(cell).await,
        Feature::Completion => completion(cell).await,
        Feature::Progress => progress(cell).await,
        Feature::Cancellation => cancellation(cell).await,
        Feature::Logging => logging(cell).await,
        Feature::Subscription => subscription(cell).await,
        Feature::Sampling => sampling(cell).await,
        Feature::SamplingTools => return sampling_tools(cell).await,
        Feature::Elicitation => return elicitation(cell).await,
        Feature::UrlElicitation => return url_elicitation(cell).await,
        Feature::UrlCompleted => return url_completed(cell).await,
        Feature::UrlRequired => return url_required(cell).await,
        Feature::Refusal => return refusal(cell).await,
        Feature::Roots => roots(cell).await,
        Feature::RootsChanged => return roots_changed(cell).await,
        Feature::Ping => ping(cell).await,
        Feature::Strange => strange(cell).await,
        Feature::Meta => meta(cell).await,
        Feature::Batches => batches(cell).await,
        Feature::LoggingUnasked | Feature::ListChanged => unreachable!("these concern all clients at once"),
    }
    Expected::Works
}

async fn tools(cell: &Cell) {
    let tools = cell.client.list("tools").await;
    let echo = tools.iter().find(|tool| tool["name"] == cell.public("echo")).expect("it is listed");
    assert_eq!(echo["description"], "says it again");
    let text = cell.mark();
    let answered = cell.client.call(&cell.public("echo"), json!({"text": text})).await;
    assert_eq!(text_of(&answered.outcome.unwrap()), text);
    assert_eq!(cell.asked("tools/call").await.params["name"], "echo", "upstream it has its own name");
}

async fn errors(cell: &Cell) {
    let failed = cell.result("no").await;
    assert_eq!((&failed["isError"], text_of(&failed)), (&json!(true), format!("no: {}", cell.mark())));
    let fault = cell.fault("error").await;
    assert_eq!((fault.code, fault.message.as_str()), (1234, "not today"));
    assert_eq!(fault.data, json!({"mark": cell.mark(), "n": 1.5}));
}

async fn content(cell: &Cell) -> Expected {
    let sent = server::kinds(cell.behind.variant.0, &cell.behind.name);
    assert_eq!(cell.result("kinds").await["content"], Value::from(sent.clone()));
    let known = server::kinds(cell.client.revision, "").len();
    if known < sent.len() { Expected::Lost(Loss::ContentKinds) } else { Expected::Works }
}

async fn structured(cell: &Cell) -> Expected {
    let result = cell.result("structured").await;
    assert_eq!(text_of(&result), r#"{"n":7}"#);
    assert_eq!(result["structuredContent"], json!({"n": 7}));
    let tool = definition(cell, "structured").await;
    assert_eq!(tool["outputSchema"], json!({"type": "object", "properties": {"n": {"type": "integer"}}}));
    match cell.client.revision < Revision::V2025_06_18 {
        true => Expected::Lost(Loss::StructuredContent),
        false => Expected::Works,
    }
}

async fn structured_of_any_kind(cell: &Cell) -> Expected {
    let (tool, result) = (definition(cell, "listed").await, cell.result("listed").await);
    assert_eq!(text_of(&result), "[7]");
    let schema = json!({"type": "array", "items": {"type": "integer"}});
    match (&tool["outputSchema"], &result["structuredContent"]) {
        (Value::Null, Value::Null) => Expected::Lost(Loss::StructuredOfAnyKind),
        (found, content) => {
            assert!(cell.client_is(Era::Modern), "no legacy client can read {found} and {content}");
            assert_eq!((found, content), (&schema, &json!([7])));
            Expected::Works
        }
    }
}

async fn definition(cell: &Cell, tool: &str) -> Value {
    let tools = cell.client.list("tools").await;
    tools.into_iter().find(|found| found["name"] == cell.public(tool)).expect("it is listed")
}

async fn prompts(cell: &Cell) {
    let prompts = cell.client.list("prompts").await;
    let greet = prompts.iter().find(|prompt| prompt["name"] == cell.public("greet")).expect("it is listed");
    assert_eq!(greet["arguments"], json!([{"name": "who", "required": true}]));
    let params = json!({"name": cell.public("greet"), "arguments": {"who": cell.mark()}});
    let result = cell.client.request("prompts/get", params).await.outcome.unwrap();
    assert_eq!(result["messages"][0]["content"]["text"], format!("Greet {}", cell.mark()));
    assert_eq!(cell.asked("prompts/get").await.params["name"], "greet");
}

async fn resources(cell: &Cell) {
    let resources = cell.client.list("resources").await;
    for what in ["text", "blob"] {
        assert!(resources.iter().any(|resource| resource["uri"] == cell.uri(what)), "{what} is listed");
    }
    let templates = cell.client.list("resourceTemplates").await;
    assert!(templates.iter().any(|template| template["uriTemplate"] == cell.uri("page/{number}")));
    let read = async |what: &str| cell.client.request("resources/read", json!({"uri": cell.uri(what)})).await.outcome;
    for (what, member, value) in
        [("text", "text", "this is text"), ("page/7", "text", "this is 7"), ("blob", "blob", "AAEC")]
    {
        let result = read(what).await.unwrap();
        assert_eq!(result["contents"][0][member], value, "{what}");
        assert_eq!(result["contents"][0]["uri"], cell.uri(what));
    }
    let fault = read("page/missing").await.unwrap_err();
    let code = if cell.client_is(Era::Legacy) { -32002 } else { -32602 };
    assert_eq!((fault.code, fault.data), (code, json!({"uri": cell.uri("page/missing")})));
}

async fn completion(cell: &Cell) {
    let refs = [
        (json!({"type": "ref/prompt", "name": cell.public("greet")}), json!({"type": "ref/prompt", "name": "greet"})),
        (
            json!({"type": "ref/resource", "uri": cell.uri("page/{number}")}),
            json!({"type": "ref/resource", "uri": cell.uri("page/{number}")}),
        ),
    ];
    for (public, native) in refs {
        let mut params = json!({"ref": public, "argument": {"name": "who", "value": cell.mark()}});
        let mut context = Value::Null;
        if cell.client.revision >= Revision::V2025_06_18 {
            context = json!({"arguments": {"other": "x"}});
            params["context"] = context.clone();
        }
        let result = cell.client.request("completion/complete", params).await.outcome.unwrap();
        let told: Value = serde_json::from_str(result["completion"]["values"][0].as_str().unwrap()).unwrap();
        assert_eq!(told, json!([cell.mark(), native, context]));
        assert_eq!(result["completion"]["total"], 1);
    }
}

async fn progress(cell: &Cell) {
    // Tokens are strings or integers, and keep their type.
    for token in [json!(cell.mark()), json!(cell.number())] {
        let answered = cell.start("count", &token).await.answer().await;
        assert_eq!(text_of(&answered.outcome.unwrap()), "counted");
        let told = cell.client.notes(|note| note.method == PROGRESS && note.params["progressToken"] == token);
        assert_eq!(told.len(), 3, "{told:?}");
        for (step, note) in (1..).zip(&told) {
            let params = json!({
                "progressToken": token, "progress": step, "total": 3, "message": "on", "vendor": [1.5],
            });
            assert_eq!(note.params, params);
            assert!(note.at < answered.at, "it came after the answer");
        }
    }
}

async fn cancellation(cell: &Cell) {
    let pending = cell.start("hang", &json!("unused")).await;
    let asked = cell.asked("tools/call").await;
    cell.client.cancel(pending).await;
    let (revision, way) = cell.behind.variant;
    if revision.era() == Era::Modern && way == Way::Http {
        let what = "that the stream of the call is closed";
        cell.behind.upstream.heard_where(what, |heard| heard.method == "(gone)" && heard.id == asked.id).await;
    } else {
        let is_it = |heard: &toolgate_testkit::Asked| {
            heard.method == "notifications/cancelled" && heard.params["requestId"] == asked.id
        };
        cell.behind.upstream.heard_where("that the call is cancelled in words", is_it).await;
    }
    let text = cell.mark() + " afterwards";
    let answered = cell.client.call(&cell.public("echo"), json!({"text": text})).await;
    assert_eq!(text_of(&answered.outcome.unwrap()), text);
}

async fn logging(cell: &Cell) {
    let pending = cell.start("log", &json!("unused")).await;
    let id = pending.id;
    let answered = pending.answer().await;
    assert_eq!(text_of(&answered.outcome.unwrap()), "logged");
    let told = cell.notes(LOG);
    let levels: Vec<_> = told.iter().map(|note| note.params["level"].as_str().unwrap()).collect();
    assert_eq!(levels, ["warning", "error"], "from the level `notice` on");
    for note in told {
        let level = &note.params["level"];
        let params = json!({"level": level, "logger": "it", "data": {"mark": cell.mark(), "level": level}});
        assert_eq!(note.params, params);
        assert!(note.at < answered.at, "it came after the answer");
        assert!(note.on.is_none_or(|on| on == id), "it came on the stream of another call");
    }
}

async fn subscription(cell: &Cell) {
    let uri = cell.uri(&format!("watched/{}", cell.client.name()));
    let is_it = |note: &Note| note.method == UPDATED && note.params["uri"] == uri;
    let upstream = &cell.behind.upstream;
    let watching = cell.client.watch(&uri).await;
    if cell.upstream_is(Era::Legacy) {
        assert_eq!(upstream.count(&format!("resources/subscribe {uri}")), 1);
    }
    upstream.tell(UPDATED, json!({"uri": uri, "vendor": [1.5]})).await;
    let told = cell.client.heard("that the resource changed", is_it).await;
    assert_eq!(told.params["vendor"], json!([1.5]));
    cell.client.unwatch(watching).await;
    if cell.upstream_is(Era::Legacy) {
        // A modern upstream is listened to twice while one listen takes the place of another.
        assert_eq!(cell.client.notes(is_it).len(), 1, "once");
        upstream.heard(&format!("resources/unsubscribe {uri}")).await;
    }
}

async fn sampling(cell: &Cell) {
    let answer = cell.told("sample").await;
    assert_eq!(answer["content"]["text"], format!("sampled {}", cell.mark()));
    let asked = cell.notes("sampling/createMessage");
    assert_eq!(asked.len(), 1, "{asked:?}");
    let messages = json!([{"role": "user", "content": {"type": "text", "text": cell.mark()}}]);
    let params = json!({"messages": messages, "maxTokens": 5, "temperature": 0.25, "vendor": {"z": [1.5]}});
    assert_eq!(asked[0].params, params);
}

async fn sampling_tools(cell: &Cell) -> Expected {
    let result = cell.result("sample_tools").await;
    let asked = cell.notes("sampling/createMessage");
    let Some(asked) = asked.first() else {
        // The upstream asks for what was declared to it only.
        assert!(text_of(&result) == "no tools" || is_refusal(&result), "{result}");
        return Expected::Lost(Loss::SamplingTools);
    };
    assert_eq!(asked.params["tools"][0]["name"], "look");
    let told: Value = serde_json::from_str(&text_of(&result)).unwrap();
    assert_eq!(told["content"], json!([{"type": "tool_use", "id": "1", "name": "look", "input": {}}]));
    assert_eq!(told["stopReason"], "toolUse");
    Expected::Works
}

async fn elicitation(cell: &Cell) -> Expected {
    let result = cell.result("elicit").await;
    let asked = cell.notes("elicitation/create");
    if asked.is_empty() {
        assert!(is_refusal(&result), "{result}");
        return Expected::Lost(Loss::Elicitation);
    }
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0].params["vendor"], json!({"z": [1.5]}));
    assert_eq!(asked[0].params["requestedSchema"]["required"], json!(["told"]));
    let told: Value = serde_json::from_str(&text_of(&result)).unwrap();
    assert_eq!(told, json!({"action": "accept", "content": {"told": cell.mark()}}));
    Expected::Works
}

/// Whether a call whose question could not be asked says so, as a failed tool or with what the upstream made of it.
fn is_refusal(result: &Value) -> bool {
    let text = text_of(result);
    text.contains("does not support") || text.contains("did not declare")
}

async fn url_elicitation(cell: &Cell) -> Expected {
    let result = cell.result("elicit_url").await;
    let asked = cell.notes("elicitation/create");
    if asked.is_empty() {
        assert!(is_refusal(&result), "{result}");
        return Expected::Lost(Loss::UrlElicitation);
    }
    assert_eq!(asked.len(), 1, "{asked:?}");
    let params = &asked[0].params;
    assert_eq!((&params["mode"], &params["url"]), (&json!("url"), &json!("https://example.com/consent")));
    assert_eq!((&params["message"], &params["vendor"]), (&json!(cell.mark()), &json!([1.5])));
    assert_eq!(params["elicitationId"].is_string(), cell.client_is(Era::Legacy), "{params}");
    assert_eq!(text_of(&result), r#"{"action":"accept"}"#);
    Expected::Works
}

async fn url_completed(cell: &Cell) -> Expected {
    let result = cell.result("elicit_url").await;
    let (asked, completed) = (cell.notes("elicitation/create"), "notifications/elicitation/complete");
    let Some(asked) = asked.first() else {
        assert!(is_refusal(&result), "{result}");
        assert!(cell.notes(completed).is_empty(), "of a page to which nobody was sent");
        return Expected::Lost(Loss::UrlElicitation);
    };
    if cell.client_is(Era::Modern) && cell.notes(completed).is_empty() {
        return Expected::Lost(Loss::UrlCompleted);
    }
    // It may come on the session's own stream, and then after the answer, which has another.
    let completed = cell.heard(completed).await;
    assert_eq!(completed.params["elicitationId"], asked.params["elicitationId"]);
    Expected::Works
}

async fn url_required(cell: &Cell) -> Expected {
    let outcome = cell.call("need_url").await.outcome;
    let asked = cell.notes("elicitation/create");
    assert!(asked.len() < 2, "{asked:?}");
    let Some(asked) = asked.first() else {
        let fault = outcome.expect_err("the call fails");
        assert_eq!((fault.code, fault.message.as_str()), (-32042, "a page must be visited"));
        assert_eq!(fault.data["elicitations"][0]["url"], "https://example.com/login");
        return Expected::Lost(Loss::UrlElicitation);
    };
    assert_eq!(asked.params["url"], "https://example.com/login");
    // The call was made anew once the page was visited.
    assert_eq!(text_of(&outcome.unwrap_or_else(|fault| panic!("{fault:?}"))), "visited");
    Expected::Works
}

async fn refusal(cell: &Cell) -> Expected {
    // The client refuses what has the name of this feature in it.
    let result = cell.result("sample").await;
    assert_eq!(cell.notes("sampling/createMessage").len(), 1);
    if result["isError"] == true {
        assert_eq!(text_of(&result), "user said no");
        assert!(cell.upstream_is(Era::Modern), "the upstream was not told");
        return Expected::Lost(Loss::Refusal);
    }
    let told: Value = serde_json::from_str(&text_of(&result)).unwrap();
    assert_eq!((&told["code"], &told["message"]), (&json!(-1), &json!("user said no")));
    Expected::Works
}

async fn roots(cell: &Cell) {
    let roots = json!({"roots": [{"uri": format!("file:///{}", cell.client.name()), "name": "mine"}]});
    assert_eq!(cell.told("roots").await, roots);
}

async fn roots_changed(cell: &Cell) -> Expected {
    cell.client.notify("notifications/roots/list_changed", json!({"mark": cell.mark()})).await;
    // Whatever became of it is there before this.
    tools(cell).await;
    let mark = cell.mark();
    let is_it = |asked: &toolgate_testkit::Asked| {
        asked.method == "notifications/roots/list_changed" && asked.text.contains(&mark)
    };
    match cell.behind.upstream.asked().iter().any(is_it) {
        true => Expected::Works,
        false => Expected::Lost(Loss::RootsChanged),
    }
}

async fn ping(cell: &Cell) {
    let pinged = cell.client.request("ping", json!({})).await.outcome;
    match cell.client.revision.era() {
        Era::Legacy => assert_eq!(pinged, Ok(json!({}))),
        Era::Modern => assert_eq!(pinged.expect_err("this era has no ping").code, -32601),
    }
    if cell.upstream_is(Era::Legacy) {
        assert_eq!(cell.told("ping").await, json!({}));
    }
}

async fn strange(cell: &Cell) {
    let members =
        format!(r#""name":"{}",{STRANGE},"arguments":{{"mark":"{}",{STRANGE}}}"#, cell.public("strange"), cell.mark());
    let answered = cell.written("tools/call", &members, "").await;
    let asked = cell.asked("tools/call").await.text;
    assert_eq!(asked.matches(STRANGE).count(), 2, "{asked}");
    assert_eq!(answered.text.matches(STRANGE).count(), 2, "{}", answered.text);
    for (list, method, native) in [
        ("tools", "tools/list", cell.public("echo")),
        ("prompts", "prompts/list", cell.public("greet")),
        ("resources", "resources/list", cell.uri("text")),
        ("resourceTemplates", "resources/templates/list", cell.uri("page/{number}")),
    ] {
        let text = cell.client.request(method, json!({})).await.text;
        let (revision, name) = (cell.behind.variant.0, &cell.behind.name);
        let written = server::definitions(list, revision, name, &[]).into_iter().find(|text| text.contains(STRANGE));
        // Its name alone is another one.
        let written =
            written.unwrap().replace("\"echo\"", &format!("{native:?}")).replace("\"greet\"", &format!("{native:?}"));
        assert!(text.contains(&written), "{method} lacks {written}");
    }
}

async fn meta(cell: &Cell) {
    let trace = r#""traceparent":"00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01""#;
    let members = format!(r#""name":"{}","arguments":{{"mark":"{}"}}"#, cell.public("strange"), cell.mark());
    let answered = cell.written("tools/call", &members, &format!("{STRANGE_META},{trace}")).await;
    let asked = cell.asked("tools/call").await;
    assert!(asked.text.contains(STRANGE_META), "{}", asked.text);
    assert!(asked.text.contains("0af7651916cd43dd8448eb211c80319c"), "the trace goes on: {}", asked.text);
    assert!(answered.text.contains(STRANGE_META), "{}", answered.text);
    let of_the_hop = |meta: &Value| {
        let members = meta.as_object().into_iter().flatten();
        members.filter(|(key, _)| key.starts_with("io.modelcontextprotocol/")).count()
    };
    let upstream_is_legacy = server::is_legacy(cell.behind.variant.0);
    assert_eq!(of_the_hop(&asked.params["_meta"]) == 0, upstream_is_legacy, "{}", asked.text);
    let result = answered.outcome.unwrap();
    if cell.client_is(Era::Legacy) {
        assert_eq!(of_the_hop(&result["_meta"]), 0, "{result}");
    }
}

async fn batches(cell: &Cell) {
    if cell.client.revision == Revision::V2025_03_26 {
        let call = |nth: usize| {
            json!({"name": cell.public("echo"), "arguments": {"text": format!("{} {nth}", cell.mark())}}).into()
        };
        let pending = cell.client.start_batch("tools/call", (0..3).map(call).collect()).await;
        for (nth, pending) in pending.into_iter().enumerate() {
            let answered = pending.answer().await;
            assert_eq!(text_of(&answered.outcome.unwrap()), format!("{} {nth}", cell.mark()));
        }
    }
    if cell.behind.variant.0 == Revision::V2025_03_26 {
        let token = json!(format!("{} batch", cell.mark()));
        let answered = cell.start("batch", &token).await.answer().await;
        assert_eq!(text_of(&answered.outcome.unwrap_or_else(|fault| panic!("{fault:?}"))), "counted");
        let told = cell.client.notes(|note| note.method == PROGRESS && note.params["progressToken"] == token);
        let steps: Vec<_> = told.iter().map(|note| note.params["progress"].clone()).collect();
        assert_eq!(steps, [json!(1), json!(2)]);
    }
}
