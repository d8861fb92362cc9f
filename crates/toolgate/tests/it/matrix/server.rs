//! The upstream of the matrix: one script that does all that its revision has, and nothing that it has not.

use serde_json::{Value, json};
use toolgate_testkit::{Asked, Call, Era, Revision, Script, Way};

use super::features::Variant;

/// Members that no revision has, spelled so that whoever reads and writes them anew spells them otherwise.
pub(super) const STRANGE: &str = r#""vendor":{"z":1e2,"a":[1.0,null,"\u00e9"]}"#;
/// A key of `_meta` that is nobody's but the two ends'.
pub(super) const STRANGE_META: &str = r#""example.com/note":{"z":1e2,"a":1.0}"#;

/// The kinds of content that a revision has, with an example of each.
pub(super) fn kinds(revision: Revision, name: &str) -> Vec<Value> {
    let mut kinds = vec![
        json!({"type": "text", "text": "some text", "annotations": {"priority": 0.5}}),
        json!({"type": "image", "data": "iVBORw0KGgo=", "mimeType": "image/png"}),
        json!({"type": "resource", "resource": {"uri": format!("doc://{name}/text"), "mimeType": "text/plain", "text": "t"}}),
        json!({"type": "resource", "resource": {"uri": format!("doc://{name}/blob"), "blob": "AAEC"}}),
    ];
    if revision >= Revision::V2025_03_26 {
        kinds.push(json!({"type": "audio", "data": "UklGRg==", "mimeType": "audio/wav"}));
    }
    if revision >= Revision::V2025_06_18 {
        kinds.push(json!({"type": "resource_link", "uri": format!("doc://{name}/text"), "name": "text"}));
    }
    kinds
}

/// The definitions of a list, as they are when the play begins.
pub(super) fn definitions(list: &str, revision: Revision, name: &str, watched: &[String]) -> Vec<String> {
    match list {
        "tools" => tools(revision),
        "prompts" => vec![format!(
            r#"{{"name":"greet","description":"greets","arguments":[{{"name":"who","required":true}}],{STRANGE}}}"#
        )],
        "resources" => ["text", "blob"]
            .into_iter()
            .chain(watched.iter().map(String::as_str))
            .map(|what| format!(r#"{{"uri":"doc://{name}/{what}","name":"{what}",{STRANGE}}}"#))
            .collect(),
        _ => vec![format!(r#"{{"uriTemplate":"doc://{name}/page/{{number}}","name":"page",{STRANGE}}}"#)],
    }
}

fn tools(revision: Revision) -> Vec<String> {
    let plain = [
        "kinds",
        "no",
        "error",
        "count",
        "hang",
        "log",
        "sample",
        "sample_tools",
        "elicit",
        "elicit_url",
        "need_url",
        "roots",
        "ping",
        "strange",
        "batch",
    ];
    let plain = plain.iter().map(|name| json!({"name": name, "inputSchema": {"type": "object"}}).to_string());
    // What each revision added to definitions, beside what none has.
    let mut echo =
        format!(r#"{{"name":"echo","description":"says it again","inputSchema":{{"type":"object"}},{STRANGE}"#);
    if revision >= Revision::V2025_03_26 {
        echo += r#","annotations":{"readOnlyHint":true}"#;
    }
    if revision >= Revision::V2025_06_18 {
        echo += r#","title":"Echo","_meta":{"example.com/tool":1e2}"#;
    }
    if revision >= Revision::V2025_11_25 {
        echo += r#","icons":[{"src":"https://example.com/i.png"}]"#;
    }
    let shaped = |name: &str, schema: Value| {
        json!({"name": name, "inputSchema": {"type": "object"}, "outputSchema": schema}).to_string()
    };
    let mut tools: Vec<String> = plain.chain([echo + "}"]).collect();
    if revision >= Revision::V2025_06_18 {
        tools.push(shaped("structured", json!({"type": "object", "properties": {"n": {"type": "integer"}}})));
    }
    if revision >= Revision::V2026_07_28 {
        tools.push(shaped("listed", json!({"type": "array", "items": {"type": "integer"}})));
    }
    tools
}

fn capabilities(revision: Revision) -> Value {
    let mut capabilities = json!({
        "tools": {"listChanged": true}, "prompts": {"listChanged": true},
        "resources": {"listChanged": true, "subscribe": true}, "logging": {},
    });
    if revision >= Revision::V2025_03_26 {
        capabilities["completions"] = json!({});
    }
    capabilities
}

/// A server of that revision. `name` tells its resources from others', `watched` are resources to be watched.
pub(super) fn script(revision: Revision, name: &str, watched: &[String]) -> Script {
    let mut script = Script::of(revision).capabilities(capabilities(revision));
    for list in ["tools", "prompts", "resources", "resourceTemplates"] {
        for definition in definitions(list, revision, name, watched) {
            script = script.entry(list, &definition);
        }
    }
    let owner = name.to_owned();
    script
        .on("tools/call echo", async |call: Call| {
            let text = call.argument("text");
            call.text(&text);
        })
        .on("tools/call kinds", move |call: Call| {
            let kinds = kinds(revision, &owner);
            async move { call.answer(json!({"content": kinds})) }
        })
        .on("tools/call structured", async |call: Call| {
            call.answer(json!({"content": [{"type": "text", "text": "{\"n\":7}"}], "structuredContent": {"n": 7}}));
        })
        .on("tools/call listed", async |call: Call| {
            call.answer(json!({"content": [{"type": "text", "text": "[7]"}], "structuredContent": [7]}));
        })
        .on("tools/call no", async |call: Call| {
            let text = format!("no: {}", call.argument("mark"));
            call.answer(json!({"content": [{"type": "text", "text": text}], "isError": true}));
        })
        .on("tools/call error", async |call: Call| {
            let error =
                json!({"code": 1234, "message": "not today", "data": {"mark": call.argument("mark"), "n": 1.5}});
            call.last(json!({"jsonrpc": "2.0", "id": call.id, "error": error}).to_string());
        })
        .on("tools/call hang", Call::hang)
        .on("tools/call count", count)
        .on("tools/call batch", batch)
        .on("tools/call log", log)
        .on("tools/call strange", strange)
        .on("tools/call ping", async |call: Call| {
            let answer = call.ask("ping", json!({})).await;
            call.text(&answer["result"].to_string());
        })
        .on("tools/call sample", async |call: Call| {
            let text = call.argument("mark");
            let params = json!({
                "messages": [{"role": "user", "content": {"type": "text", "text": text}}], "maxTokens": 5,
                "temperature": 0.25, "vendor": {"z": [1.5]},
            });
            question(call, "sampling/createMessage", params).await;
        })
        .on("tools/call sample_tools", sample_with_tools)
        .on("tools/call elicit", async |call: Call| {
            let mark = call.argument("mark");
            let schema = json!({"type": "object", "properties": {"told": {"type": "string"}}, "required": ["told"]});
            let params = json!({"message": mark, "requestedSchema": schema, "vendor": {"z": [1.5]}});
            question(call, "elicitation/create", params).await;
        })
        .on("tools/call elicit_url", elicit_url)
        .on("tools/call need_url", need_url)
        .on("tools/call roots", async |call: Call| question(call, "roots/list", json!({})).await)
        .on("prompts/get greet", async |call: Call| {
            let text = format!("Greet {}", call.params["arguments"]["who"].as_str().unwrap());
            let message = json!({"role": "user", "content": {"type": "text", "text": text}});
            call.answer(json!({"description": "a greeting", "messages": [message], "vendor": [1.5]}));
        })
        .on("completion/complete", async |call: Call| {
            let values = json!([call.params["argument"]["value"], call.params["ref"], call.params["context"]]);
            call.answer(json!({"completion": {"values": [values.to_string()], "total": 1, "hasMore": false}}));
        })
        .on("resources/read", read)
}

async fn read(call: Call) {
    let uri = call.params["uri"].as_str().unwrap().to_owned();
    let contents = match uri.rsplit('/').next().unwrap() {
        "missing" => {
            let (code, data) =
                if call.is_modern() { (-32602, json!({"uri": uri})) } else { (-32002, json!({"uri": uri})) };
            let error = json!({"code": code, "message": "no such resource", "data": data});
            return call.last(json!({"jsonrpc": "2.0", "id": call.id, "error": error}).to_string());
        }
        "blob" => json!({"uri": uri, "blob": "AAEC", "mimeType": "application/octet-stream"}),
        other => json!({"uri": uri, "text": format!("this is {other}"), "mimeType": "text/plain"}),
    };
    call.answer(json!({"contents": [contents], "vendor": [1.5]}));
}

/// Reports progress thrice, with a member that no revision has.
async fn count(call: Call) {
    let token = call.params["_meta"]["progressToken"].clone();
    for step in 1..=3 {
        let params = json!({"progressToken": token, "progress": step, "total": 3, "message": "on", "vendor": [1.5]});
        call.notify("notifications/progress", params);
    }
    call.text("counted");
}

/// The same in one batch, which 2025-03-26 has.
async fn batch(call: Call) {
    let progress = |step: u64| {
        let params = json!({"progressToken": call.params["_meta"]["progressToken"], "progress": step, "total": 2});
        json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})
    };
    call.say(&json!([progress(1), progress(2)]));
    call.text("counted");
}

/// Logs at three levels, in its own words. A modern server logs what the request asked for.
async fn log(call: Call) {
    let wanted = &call.params["_meta"]["io.modelcontextprotocol/logLevel"];
    for level in ["debug", "warning", "error"] {
        if !call.is_modern() || *wanted == "notice" && level != "debug" {
            let data = json!({"mark": call.argument("mark"), "level": level});
            call.notify("notifications/message", json!({"level": level, "logger": "it", "data": data}));
        }
    }
    call.text("logged");
}

/// Answers with what no revision has, in places where each may have something.
async fn strange(call: Call) {
    let modern = if call.is_modern() { r#","resultType":"complete""# } else { "" };
    call.answer_with(&format!(
        r#"{{{STRANGE},"content":[{{"type":"text",{STRANGE},"text":"strange"}}],"_meta":{{{STRANGE_META}}}{modern}}}"#
    ));
}

/// Asks the client and answers with its whole answer. A modern server answers with the question first.
async fn question(call: Call, method: &str, params: Value) {
    if let Some(answer) = put(&call, method, params).await {
        call.text(&answer.to_string());
    }
}

/// The client's answer; `None` when the question was the answer, and another call will bring it.
async fn put(call: &Call, method: &str, params: Value) -> Option<Value> {
    if !call.is_modern() {
        let answer = call.ask(method, params).await;
        return Some(if answer["error"].is_null() { answer["result"].clone() } else { answer["error"].clone() });
    }
    match &call.params["inputResponses"]["q"] {
        Value::Null => {
            let result = json!({
                "resultType": "input_required", "inputRequests": {"q": {"method": method, "params": params}},
                "requestState": format!("state of {}", call.argument("mark")),
            });
            call.last(json!({"jsonrpc": "2.0", "id": call.id, "result": result}).to_string());
            None
        }
        answer => {
            assert_eq!(call.params["requestState"], format!("state of {}", call.argument("mark")));
            Some(answer.clone())
        }
    }
}

/// Asks for a sample with tools, if the client was declared to have them.
async fn sample_with_tools(call: Call) {
    let has_tools = |capabilities: &Value| capabilities["sampling"]["tools"].is_object();
    let declared = match call.is_modern() {
        true => has_tools(&call.params["_meta"]["io.modelcontextprotocol/clientCapabilities"]),
        false => call.times(|asked| asked.method == "initialize" && has_tools(&asked.params["capabilities"])) > 0,
    };
    if !declared {
        return call.text("no tools");
    }
    let message = json!({"role": "user", "content": {"type": "text", "text": call.argument("mark")}});
    let tool = json!({"name": "look", "inputSchema": {"type": "object"}});
    let params = json!({"messages": [message], "maxTokens": 5, "tools": [tool], "toolChoice": {"mode": "required"}});
    question(call, "sampling/createMessage", params).await;
}

/// Asks to visit a page; a legacy server says when that was done.
async fn elicit_url(call: Call) {
    let mark = call.argument("mark");
    let mut params = json!({"mode": "url", "message": mark, "url": "https://example.com/consent", "vendor": [1.5]});
    if !call.is_modern() {
        params["elicitationId"] = mark.as_str().into();
    }
    let Some(answer) = put(&call, "elicitation/create", params).await else { return };
    if !call.is_modern() && answer["action"] == "accept" {
        call.notify("notifications/elicitation/complete", json!({"elicitationId": mark}));
    }
    call.text(&answer.to_string());
}

/// Refuses until a page was visited (2025-11-25). It remembers nothing: the second call of a mark succeeds.
async fn need_url(call: Call) {
    let mark = call.argument("mark");
    if call.times(|asked| asked.params["arguments"]["mark"] == *mark) > 1 {
        return call.text("visited");
    }
    let page = json!({"mode": "url", "message": mark, "url": "https://example.com/login", "elicitationId": mark});
    let error = json!({"code": -32042, "message": "a page must be visited", "data": {"elicitations": [page]}});
    call.last(json!({"jsonrpc": "2.0", "id": call.id, "error": error}).to_string());
}

/// Whether a revision is of the legacy era.
pub(super) fn is_legacy(revision: Revision) -> bool {
    revision.era() == Era::Legacy
}

/// What an upstream was asked in words that its revision does not have.
pub(super) fn strange_words(asked: &[Asked], (revision, way): Variant) -> Vec<String> {
    let legacy = is_legacy(revision);
    let fault = |asked: &Asked| {
        let header = |name: &str| asked.headers.get(name).and_then(|value| value.to_str().ok());
        let first = matches!(&*asked.method, "initialize" | "server/discover" | "(unknown session)");
        let named = asked.params["name"].as_str().or(asked.params["uri"].as_str());
        if !first && !knows(revision, &asked.method) {
            return Some("the method");
        }
        if legacy && !first && asked.text.contains("io.modelcontextprotocol/") {
            return Some("a key of the modern era");
        }
        if legacy && ["inputResponses", "requestState"].iter().any(|member| !asked.params[member].is_null()) {
            return Some("an answer of the modern era");
        }
        if !legacy && !asked.method.starts_with(['n', '(']) {
            let meta = &asked.params["_meta"];
            let key = |name: &str| &meta[format!("io.modelcontextprotocol/{name}")];
            if key("protocolVersion") != revision.as_str() || !key("clientCapabilities").is_object() {
                return Some("the envelope");
            }
        }
        if way != Way::Http || first || asked.headers.is_empty() {
            return None;
        }
        let version = (revision >= Revision::V2025_06_18).then_some(revision.as_str());
        if header("mcp-protocol-version") != version {
            return Some("the header MCP-Protocol-Version");
        }
        if legacy != header("mcp-session-id").is_some() {
            return Some("the header Mcp-Session-Id");
        }
        let repeats = matches!(&*asked.method, "tools/call" | "prompts/get" | "resources/read");
        if !legacy
            && !asked.method.starts_with(['n', '('])
            && (header("mcp-method") != Some(&asked.method) || repeats && header("mcp-name") != named)
        {
            return Some("the headers that repeat the body");
        }
        None
    };
    let faults = asked.iter().filter_map(|asked| Some((fault(asked)?, asked)));
    faults.map(|(what, asked)| format!("{} was sent: {what}: {asked:?}", revision.as_str())).collect()
}

/// Whether a server of that revision has such a method; answers and ends of connections have none.
fn knows(revision: Revision, method: &str) -> bool {
    match method {
        ""
        | "ping"
        | "logging/setLevel"
        | "resources/subscribe"
        | "resources/unsubscribe"
        | "(GET)"
        | "(DELETE)"
        | "notifications/initialized"
        | "notifications/roots/list_changed" => is_legacy(revision),
        "subscriptions/listen" => !is_legacy(revision),
        "tools/list"
        | "tools/call"
        | "prompts/list"
        | "prompts/get"
        | "resources/list"
        | "resources/read"
        | "resources/templates/list"
        | "completion/complete"
        | "notifications/cancelled"
        | "(gone)" => true,
        _ => false,
    }
}
