//! What clients send that is wrong: each case has its HTTP status, its code and its words, and the next good request works.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Builder;
use http::{HeaderName, Request};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use toolgate_testkit::{Call, Client, Era, Gate, LineClient, Program, Script, Upstream, soon};

const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

/// HTTP status, JSON-RPC code and words.
type Refusal<'a> = (u16, i64, &'a str);

/// A good request, to be spoiled.
struct Draft {
    head: Builder,
    message: Value,
    body: Option<Vec<u8>>,
}

impl Draft {
    fn of(client: &Client, method: &str, params: Value) -> Self {
        let (_, head, message) = client.request_for(method, params);
        Self { head, message, body: None }
    }

    fn echo(client: &Client) -> Self {
        Self::of(client, "tools/call", json!({"name": "up__echo", "arguments": {"text": "x"}}))
    }

    fn set(mut self, name: &'static str, value: &str) -> Self {
        let headers = self.head.headers_mut().unwrap();
        headers.insert(HeaderName::from_static(name), value.parse().unwrap());
        self
    }

    fn twice(mut self, name: &'static str, value: &str) -> Self {
        let headers = self.head.headers_mut().unwrap();
        headers.append(HeaderName::from_static(name), value.parse().unwrap());
        self
    }

    fn without(mut self, name: &'static str) -> Self {
        self.head.headers_mut().unwrap().remove(name);
        self
    }

    fn edit(mut self, change: impl FnOnce(&mut Value)) -> Self {
        change(&mut self.message);
        self
    }

    /// Without this member of `_meta`, or with another value.
    fn meta(self, key: &str, value: Option<Value>) -> Self {
        self.edit(|message| {
            let meta = message["params"]["_meta"].as_object_mut().unwrap();
            match value {
                Some(value) => drop(meta.insert(key.to_owned(), value)),
                None => drop(meta.remove(key)),
            }
        })
    }

    fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    fn at(mut self, gate: &Gate, verb: http::Method, path: &str) -> Self {
        self.head = self.head.method(verb).uri(format!("{}{path}", gate.url()));
        self
    }

    fn request(self) -> Request<Full<Bytes>> {
        let body = self.body.unwrap_or_else(|| self.message.to_string().into_bytes());
        self.head.body(Full::from(body)).unwrap()
    }

    /// Sends it: it must be refused with this status, code and words, as JSON-RPC, and a good request must work after it.
    async fn refused(self, client: &Client, (status, code, words): Refusal<'_>) -> Value {
        let id = self.message["id"].clone();
        let page = client.fetch(self.request()).await;
        assert_eq!(page.headers["content-type"], "application/json", "{words}: {page:?}");
        let answer = page.json();
        let error = &answer["error"];
        assert_eq!((page.status, error["code"].as_i64()), (status, Some(code)), "{words}: {page:?}");
        assert!(error["message"].as_str().unwrap().contains(words), "{words}: {page:?}");
        assert_eq!(answer["jsonrpc"], "2.0", "{words}");
        assert!(answer["id"].is_null() || answer["id"] == id, "{words}: the answer to another request: {page:?}");
        assert!(answer.get("result").is_none(), "{words}: {page:?}");
        works(client).await;
        error.clone()
    }
}

async fn works(client: &Client) {
    assert_eq!(client.text("up__echo", json!({"text": "still here"})).await, "still here");
}

async fn gate() -> (Gate, Upstream) {
    let upstream = Script::echo(Era::Modern).over_http().await;
    (Gate::of("up", &upstream).start().await, upstream)
}

#[tokio::test]
async fn what_is_no_message_is_told_apart() {
    const NO_JSON: Refusal<'_> = (400, -32700, "not valid JSON");
    let no_message = |words| (400, -32600, words);
    let cases: [(&[u8], Refusal<'_>); 29] = [
        (b"", NO_JSON),
        (b"  \n", NO_JSON),
        (b"nonsense", NO_JSON),
        (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"meth", NO_JSON),
        (br#"{"jsonrpc":"2.0","id":1,"method":"tools/list"} and more"#, NO_JSON),
        (br#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}{}"#, NO_JSON),
        (br#"{'jsonrpc':'2.0','id':1,'method':'tools/list'}"#, NO_JSON),
        (br#"{"jsonrpc":"2.0","id":1,"method":"tools/list",}"#, NO_JSON),
        (br#"{"jsonrpc":"2.0","id":01,"method":"tools/list"}"#, NO_JSON),
        (br#"{"jsonrpc":"2.0","id":NaN,"method":"tools/list"}"#, NO_JSON),
        (b"\xef\xbb\xbf{}", NO_JSON),
        (b"{\"jsonrpc\":\"2.0\",\"id\":\"\xff\xfe\",\"method\":\"ping\"}", (400, -32700, "not UTF-8")),
        (b"[nonsense", NO_JSON),
        (b"\"text\"", no_message("expected an object")),
        (b"null", no_message("expected an object")),
        (b"{}", no_message("`jsonrpc` must be \"2.0\"")),
        (br#"{"id":1,"method":"tools/list"}"#, no_message("`jsonrpc` must be \"2.0\"")),
        (br#"{"jsonrpc":"1.0","id":1,"method":"tools/list"}"#, no_message("`jsonrpc` must be \"2.0\"")),
        (br#"{"jsonrpc":2.0,"id":1,"method":"tools/list"}"#, no_message("`jsonrpc` must be \"2.0\"")),
        (br#"{"jsonrpc":"2.0","id":1,"method":7}"#, no_message("`method` must be a string")),
        (br#"{"jsonrpc":"2.0","id":null,"method":"tools/list"}"#, no_message("`id` must be a string or a number")),
        (br#"{"jsonrpc":"2.0","id":{},"method":"tools/list"}"#, no_message("`id` must be a string or a number")),
        (br#"{"jsonrpc":"2.0","id":1}"#, no_message("a message has `method`, `result` or `error`")),
        (br#"{"jsonrpc":"2.0","id":1,"method":"x","result":{}}"#, no_message("neither `result` nor `error`")),
        (br#"{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1}}"#, no_message("either `result` or `error`")),
        (br#"{"jsonrpc":"2.0","id":1,"id":2,"method":"x"}"#, no_message("member `id` appears twice")),
        (br#"{"jsonrpc":"2.0","id":1,"\u0069d":2,"method":"x"}"#, no_message("member `id` appears twice")),
        (
            br#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"name":1,"name":2}}"#,
            no_message("member `name` appears twice"),
        ),
        (br#"{"jsonrpc":"2.0","id":1,"method":"x","params":[1]}"#, (400, -32602, "`params` must be an object")),
    ];
    let (gate, upstream) = gate().await;
    for era in Era::BOTH {
        let client = gate.client(era).await;
        for (body, expected) in cases {
            Draft::echo(&client).edit(|message| message["id"] = 1.into()).body(body).refused(&client, expected).await;
        }
    }
    assert_eq!(upstream.count("tools/call echo"), 2 * cases.len(), "nothing of it reached the upstream");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_however_it_comes() {
    let upstream = Script::echo(Era::Modern).over_http().await;
    let gate = Gate::of("up", &upstream).config("limits: {request: 4KiB}").start().await;
    let expected = (413, -32600, "the body is larger than 4096 bytes (`limits.request`)");
    for era in Era::BOTH {
        let client = gate.client(era).await;
        // Exactly as much as is allowed, then a byte more.
        let padding = |message: &mut Value, size: usize| {
            let missing = size - message.to_string().len();
            message["params"]["arguments"]["text"] = "x".repeat(missing + 1).into();
        };
        let page = client.fetch(Draft::echo(&client).edit(|message| padding(message, 4096)).request()).await;
        assert_eq!((page.status, page.json()["error"].is_null()), (200, true), "{page:?}");
        Draft::echo(&client).edit(|message| padding(message, 4097)).refused(&client, expected).await;
        Draft::echo(&client).body(vec![b'x'; 10 << 20]).refused(&client, expected).await;

        // In chunks, without a length to know it by; and with a length, but nothing behind it to wait for.
        let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
        for (framing, body) in
            [("transfer-encoding: chunked", chunk.repeat(2)), ("content-length: 104857600", "{".into())]
        {
            let head =
                format!("POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{framing}\r\n\r\n");
            let answer = exchange(&gate, &(head + &body)).await;
            assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains(expected.2), "{answer}");
            works(&client).await;
        }
    }
}

/// Writes bytes and gives the head and body of what comes back.
async fn exchange(gate: &Gate, bytes: &str) -> String {
    let mut stream = TcpStream::connect(gate.url().trim_start_matches("http://")).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    soon("an answer to raw bytes", async {
        loop {
            let text = String::from_utf8_lossy(&answer);
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                if length.is_none_or(|length| body.len() >= length.parse().unwrap()) {
                    return;
                }
            }
            if stream.read_buf(&mut answer).await.unwrap() == 0 {
                return;
            }
        }
    })
    .await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn nesting_is_bounded() {
    let upstream = Script::echo(Era::Modern).over_http().await;
    let gate = Gate::of("up", &upstream).config("limits: {depth: 10}").start().await;
    for era in Era::BOTH {
        let client = gate.client(era).await;
        // The message, its `params` and its `arguments` are three levels themselves.
        let nested = |levels: usize| {
            let value: Value = serde_json::from_str(&("[".repeat(levels) + &"]".repeat(levels))).unwrap();
            Draft::echo(&client).edit(|message| message["params"]["arguments"]["deep"] = value)
        };
        let page = client.fetch(nested(7).request()).await;
        assert_eq!((page.status, page.json()["error"].is_null()), (200, true), "{page:?}");
        let expected = (400, -32700, "JSON nested deeper than 10 levels");
        nested(8).refused(&client, expected).await;
        for endless in ["[", "{\"a\":", "[{\"a\":"] {
            Draft::echo(&client).body(endless.repeat(100_000)).refused(&client, expected).await;
        }
        // Brackets in a text are text.
        let page = client
            .fetch(Draft::echo(&client).edit(|m| m["params"]["arguments"]["text"] = "[".repeat(99).into()).request())
            .await;
        assert_eq!(page.status, 200, "{page:?}");
    }
}

#[tokio::test]
async fn headers_must_repeat_the_body() {
    let (gate, _upstream) = gate().await;
    let client = gate.modern().await;
    let mismatch = |words| (400, -32020, words);
    for (draft, words) in [
        (Draft::echo(&client).without("mcp-protocol-version"), "the header MCP-Protocol-Version is missing"),
        (
            Draft::echo(&client).set("mcp-protocol-version", "2025-11-25"),
            "MCP-Protocol-Version says 2025-11-25, the body says 2026-07-28",
        ),
        (
            Draft::echo(&client).twice("mcp-protocol-version", "2026-07-28"),
            "the header mcp-protocol-version stands more than once",
        ),
        (Draft::echo(&client).without("mcp-method"), "the header Mcp-Method is missing"),
        (
            Draft::echo(&client).set("mcp-method", "tools/list"),
            "the header Mcp-Method says tools/list, the body says tools/call",
        ),
        (Draft::echo(&client).set("mcp-method", "Tools/Call"), "the header Mcp-Method says Tools/Call"),
        (Draft::echo(&client).twice("mcp-method", "tools/call"), "the header mcp-method stands more than once"),
        (Draft::echo(&client).without("mcp-name"), "the header Mcp-Name is missing; it must repeat `name`"),
        (Draft::echo(&client).set("mcp-name", "up__other"), "the header Mcp-Name does not repeat `name`"),
        (Draft::echo(&client).set("mcp-name", "=?base64?dXBfX2VjaG8?="), "the header mcp-name cannot be decoded"),
        (Draft::echo(&client).set("mcp-name", "=?base64?!!!!?="), "the header mcp-name cannot be decoded"),
        (Draft::echo(&client).set("mcp-name", "=?base64?//8=?="), "the header mcp-name cannot be decoded"),
        (Draft::echo(&client).set("mcp-name", "=?base64?b3RoZXI=?="), "the header Mcp-Name does not repeat `name`"),
        (
            Draft::of(&client, "resources/read", json!({"uri": "a://b"})).without("mcp-name"),
            "the header Mcp-Name is missing; it must repeat `uri`",
        ),
        (
            Draft::of(&client, "prompts/get", json!({"name": "a"})).set("mcp-name", "b"),
            "the header Mcp-Name does not repeat `name`",
        ),
    ] {
        draft.refused(&client, mismatch(words)).await;
    }
    let encoded = Draft::echo(&client).set("mcp-name", "=?base64?dXBfX2VjaG8=?=");
    assert_eq!(client.fetch(encoded.request()).await.status, 200, "the sentinel, rightly used");
}

#[tokio::test]
async fn param_headers_must_repeat_the_arguments() {
    let definition = r#"{"name":"query","inputSchema":{"type":"object","properties":{
        "region":{"type":"string","x-mcp-header":"Region"},"shard":{"type":"integer","x-mcp-header":"Shard"}}}}"#;
    let upstream = Script::echo(Era::Modern)
        .entry("tools", definition)
        .on("tools/call query", async |call: Call| call.text("asked"))
        .over_http()
        .await;
    let gate = Gate::of("up", &upstream).start().await;
    let client = gate.modern().await;
    let query =
        |arguments: Value| Draft::of(&client, "tools/call", json!({"name": "up__query", "arguments": arguments}));
    let full = || query(json!({"region": "Zürich", "shard": 7}));
    const ZURICH: &str = "=?base64?WsO8cmljaA==?=";
    for (draft, words) in [
        (full().set("mcp-param-shard", "7"), "the header Mcp-Param-region is missing"),
        (full().set("mcp-param-region", ZURICH), "the header Mcp-Param-shard is missing"),
        (
            full().set("mcp-param-region", "Zurich").set("mcp-param-shard", "7"),
            "the header Mcp-Param-region does not repeat the argument",
        ),
        (
            full().set("mcp-param-region", ZURICH).set("mcp-param-shard", "8"),
            "the header Mcp-Param-shard does not repeat the argument",
        ),
        (
            full().set("mcp-param-region", ZURICH).set("mcp-param-shard", "7").twice("mcp-param-shard", "7"),
            "stands more than once",
        ),
        (full().set("mcp-param-region", "=?base64?WsO8?cmljaA==?="), "the header mcp-param-region cannot be decoded"),
        (
            query(json!({})).set("mcp-param-region", "Bern"),
            "the header Mcp-Param-region repeats an argument that is not there",
        ),
        (query(json!({"region": null})).set("mcp-param-region", "null"), "repeats an argument that is not there"),
    ] {
        draft.refused(&client, (400, -32020, words)).await;
    }
    assert_eq!(upstream.count("tools/call query"), 0);
    for (region, shard) in [(ZURICH, "7"), (ZURICH, "7.0")] {
        let page = client.fetch(full().set("mcp-param-region", region).set("mcp-param-shard", shard).request()).await;
        assert_eq!(page.status, 200, "{page:?}");
    }
}

#[tokio::test]
async fn a_modern_request_says_all_that_it_must() {
    let (gate, _upstream) = gate().await;
    let client = gate.modern().await;
    let echo = || Draft::echo(&client);
    for (draft, words) in [
        (
            echo().edit(|message| drop(message["params"].as_object_mut().unwrap().remove("_meta"))),
            "`params._meta`: it is missing",
        ),
        (echo().edit(|message| message["params"]["_meta"] = 7.into()), "`params._meta`"),
        (echo().meta(PROTOCOL_VERSION, None), "protocolVersion` is missing"),
        (echo().meta(PROTOCOL_VERSION, Some(20260728.into())), "protocolVersion` must be a string"),
        (echo().meta(CAPABILITIES, None), "clientCapabilities` is missing"),
        (echo().meta(CAPABILITIES, Some("all".into())), "clientCapabilities` must be an object"),
        (echo().meta("io.modelcontextprotocol/logLevel", Some("loud".into())), "logLevel` is no log level"),
        (echo().meta("progressToken", Some(json!({}))), "`progressToken` must be a string or an integer"),
    ] {
        draft.refused(&client, (400, -32602, words)).await;
    }
    for revision in ["2027-01-01", "2025-11-25", "", "latest"] {
        let draft = echo().meta(PROTOCOL_VERSION, Some(revision.into())).set("mcp-protocol-version", revision);
        let error = draft.refused(&client, (400, -32022, "Unsupported protocol version")).await;
        assert_eq!(error["data"], json!({"supported": ["2026-07-28"], "requested": revision}));
    }
}

#[tokio::test]
async fn methods_that_are_not_there() {
    let (gate, upstream) = gate().await;
    let modern = gate.modern().await;
    for method in [
        "tools/destroy",
        "",
        "ping",
        "initialize",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
        "tasks/list",
        "roots/list",
        "sampling/createMessage",
        "elicitation/create",
    ] {
        // A header cannot say nothing, so the empty method has the wrong one.
        let expected =
            if method.is_empty() { (400, -32020, "Mcp-Method") } else { (404, -32601, "method not found: ") };
        let draft = Draft::of(&modern, method, json!({"uri": "a://b", "level": "info"}));
        let draft = if method.is_empty() { draft.without("mcp-method") } else { draft };
        draft.refused(&modern, expected).await;
    }
    let legacy = gate.legacy().await;
    for method in
        ["tools/destroy", "", "server/discover", "subscriptions/listen", "roots/list", "sampling/createMessage"]
    {
        let fault = legacy.request(method, json!({})).await.unwrap_err();
        assert_eq!((fault.status, fault.code, fault.message), (200, -32601, format!("method not found: {method}")));
        works(&legacy).await;
    }
    let again = Draft::of(&legacy, "initialize", json!({"protocolVersion": "2025-11-25", "capabilities": {}}));
    again.refused(&legacy, (400, -32600, "this session is already initialized")).await;
    let nameless = Draft::of(&legacy, "initialize", json!({"capabilities": {}})).without("mcp-session-id");
    nameless.refused(&legacy, (200, -32602, "initialize needs a `protocolVersion`")).await;
    // Nobody wants an answer to a notification, known or not.
    for client in [&modern, &legacy] {
        client.notify("notifications/nobody/knows", json!({})).await;
    }
    for method in ["ping", "logging/setLevel", "resources/subscribe", "tools/destroy"] {
        assert_eq!(upstream.count(method), 0, "{method}");
    }
}

#[tokio::test]
async fn sessions_are_named_and_known() {
    let (gate, _upstream) = gate().await;
    let client = gate.legacy().await;
    let unknown = (404, -32001, "no such session; begin a new one with `initialize`");
    let missing = (400, -32600, "the header Mcp-Session-Id is missing");
    let revision =
        (400, -32600, "the header MCP-Protocol-Version names a revision not spoken here; spoken are 2024-11-05, ");
    let notification = json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string();
    let answer = json!({"jsonrpc": "2.0", "id": 1, "result": {}}).to_string();
    for (name, value, expected) in [
        ("mcp-session-id", Some("0123456789abcdef0123456789abcdef"), unknown),
        ("mcp-session-id", Some("é"), unknown),
        ("mcp-session-id", None, missing),
        ("mcp-protocol-version", Some("2023-01-01"), revision),
        ("mcp-protocol-version", Some("nonsense"), revision),
    ] {
        let spoil = |draft: Draft| match value {
            Some(value) => draft.set(name, value),
            None => draft.without(name),
        };
        spoil(Draft::echo(&client)).refused(&client, expected).await;
        for body in [&notification, &answer] {
            spoil(Draft::echo(&client)).body(body.as_str()).refused(&client, expected).await;
        }
        for verb in [http::Method::GET, http::Method::DELETE] {
            spoil(Draft::echo(&client)).at(&gate, verb, "/mcp").body("").refused(&client, expected).await;
        }
    }
    // One that was ended is not known any more; nobody else's is touched.
    let ended = gate.legacy().await;
    assert_eq!(ended.end().await.status, 200);
    Draft::echo(&ended).refused(&client, unknown).await;
    // An answer to nothing is taken and concerns nobody.
    client.post_only(&json!({"jsonrpc": "2.0", "id": 4711, "result": {}})).await;
    client.post_only(&json!({"jsonrpc": "2.0", "id": "x", "error": {"code": 1, "message": "no"}})).await;
    works(&client).await;
}

#[tokio::test]
async fn an_id_in_use_is_refused_and_the_first_call_goes_on() {
    let released = Arc::new(Notify::new());
    let release = released.clone();
    let slow = move |call: Call| {
        let released = released.clone();
        async move {
            released.notified().await;
            call.text("done");
        }
    };
    let upstream = Script::echo(Era::Modern).tool("slow", slow).over_http().await;
    let gate = Gate::of("up", &upstream).start().await;
    let client = gate.legacy().await;
    let spoil = async {
        upstream.heard("tools/call slow").await;
        let expected = (200, -32600, "is already in use");
        for _ in 0..2 {
            // The call that is in flight has the id after the handshake's.
            Draft::echo(&client).edit(|message| message["id"] = 2.into()).refused(&client, expected).await;
        }
        release.notify_one();
    };
    let (text, ()) = tokio::join!(client.text("up__slow", json!({})), spoil);
    assert_eq!(text, "done");
    // The same number as a text is another id, and ids that are free again may be used again.
    for id in [json!("2"), json!(2), json!(2)] {
        let page = client.fetch(Draft::echo(&client).edit(|message| message["id"] = id.clone()).request()).await;
        assert_eq!((page.status, &page.json()["id"]), (200, &id));
    }
    // In the modern era an id concerns nobody but its own request.
    let modern = gate.modern().await;
    let same = || modern.fetch(Draft::echo(&modern).edit(|message| message["id"] = 1.into()).request());
    let (one, two) = tokio::join!(same(), same());
    assert_eq!((one.status, two.status), (200, 200));
}

#[tokio::test]
async fn batches_exist_in_one_revision() {
    let upstream = Script::echo(Era::Modern).over_http().await;
    let gate = Gate::of("up", &upstream).config("limits: {batch: 4}").start().await;
    let echo = |id: Value| json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "up__echo", "arguments": {"text": id.to_string()}}});
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let batch_of = |client: &Client, messages: Value| Draft::echo(client).edit(|message| *message = messages);

    let old = Client::of(gate.url(), Era::Legacy).revision("2025-03-26").open().await;
    let page = old.fetch(batch_of(&old, json!([echo(1001.into()), initialized, echo("b".into()), {"jsonrpc": "2.0", "id": 1002, "method": "no/such"}])).request()).await;
    assert_eq!((page.status, &page.headers["content-type"]), (200, &"text/event-stream".parse().unwrap()));
    let answers = page.text.lines().filter_map(|line| line.strip_prefix("data: "));
    let mut answers: Vec<(String, Value)> = answers
        .map(|text| serde_json::from_str(text).unwrap())
        .map(|answer: Value| {
            (
                answer["id"].to_string(),
                [&answer["result"]["content"][0]["text"], &answer["error"]["code"]]
                    .into_iter()
                    .find(|part| !part.is_null())
                    .unwrap()
                    .clone(),
            )
        })
        .collect();
    answers.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(
        answers,
        [("\"b\"".into(), "\"b\"".into()), ("1001".into(), "1001".into()), ("1002".into(), (-32601).into())]
    );
    let page =
        old.fetch(batch_of(&old, json!([initialized, {"jsonrpc": "2.0", "id": 9, "result": {}}])).request()).await;
    assert_eq!((page.status, page.text.as_str()), (202, ""));

    let count = (400, -32600, "a batch has 1 to 4 messages (`limits.batch`)");
    for (messages, expected) in [
        (json!([]), count),
        (Value::Array(vec![echo(1.into()); 5]), count),
        (json!([echo(1.into()), 7]), (400, -32600, "expected an object")),
        (json!([echo(1.into()), {"id": 2, "method": "ping"}]), (400, -32600, "`jsonrpc` must be \"2.0\"")),
        (json!([[echo(1.into())]]), (400, -32600, "expected an object")),
    ] {
        batch_of(&old, messages).refused(&old, expected).await;
    }
    batch_of(&old, json!([echo(1.into())]))
        .without("mcp-session-id")
        .refused(&old, (400, -32600, "Mcp-Session-Id is missing"))
        .await;

    for revision in ["2025-06-18", "2025-11-25"] {
        let client = Client::of(gate.url(), Era::Legacy).revision(revision).open().await;
        let words = format!("revision {revision} has no batches");
        batch_of(&client, json!([echo(1.into())])).refused(&client, (400, -32600, &words)).await;
    }
    let modern = gate.modern().await;
    let message = Draft::echo(&modern).message;
    let none = (400, -32600, "this revision has no batches");
    batch_of(&modern, json!([message])).refused(&modern, none).await;
    // Also one that hides in a legacy client's.
    batch_of(&old, json!([echo(1.into()), message])).refused(&old, none).await;
}

#[tokio::test]
async fn a_modern_client_answers_nothing() {
    let (gate, _upstream) = gate().await;
    let client = gate.modern().await;
    let expected = (400, -32600, "clients of this revision send no responses; answer in `inputResponses`");
    for answer in [
        json!({"jsonrpc": "2.0", "id": 1, "result": {}}),
        json!({"jsonrpc": "2.0", "id": 1, "error": {"code": 1, "message": "no"}}),
    ] {
        Draft::echo(&client).edit(|message| *message = answer).refused(&client, expected).await;
    }
}

#[tokio::test]
async fn http_itself_must_be_right() {
    let (gate, _upstream) = gate().await;
    for era in Era::BOTH {
        let client = gate.client(era).await;
        let echo = || Draft::echo(&client);
        let media = (415, -32600, "the Content-Type must be application/json");
        let place = (404, -32600, "nothing is here; MCP is at /mcp");
        for (draft, expected) in [
            (echo().without("content-type"), media),
            (echo().set("content-type", "text/plain"), media),
            (echo().set("content-type", "application/json-seq"), media),
            (echo().set("content-type", "application/x-www-form-urlencoded"), media),
            (echo().set("content-encoding", "gzip"), (415, -32600, "Content-Encoding")),
            (
                echo().set("host", "evil.example.com"),
                (403, -32600, "the host `evil.example.com` is not one that this gateway answers to"),
            ),
            (echo().set("host", "localhost.evil.example.com:80"), (403, -32600, "`allowed_hosts`")),
            (
                echo().set("origin", "https://evil.example.com"),
                (403, -32600, "the origin `https://evil.example.com` may not use this gateway"),
            ),
            (echo().set("origin", "null"), (403, -32600, "`allowed_origins`")),
            (echo().at(&gate, http::Method::POST, "/"), place),
            (echo().at(&gate, http::Method::POST, "/mcp/"), place),
            (echo().at(&gate, http::Method::POST, "/MCP"), place),
            (echo().at(&gate, http::Method::POST, "//mcp"), place),
            (echo().at(&gate, http::Method::PUT, "/mcp"), (405, -32600, "allowed here: ")),
            (echo().at(&gate, http::Method::POST, "/healthz"), (405, -32600, "allowed here: GET")),
            (echo().at(&gate, http::Method::POST, "/status"), (405, -32600, "allowed here: GET")),
            (echo().at(&gate, http::Method::GET, "/messages"), (405, -32600, "allowed here: POST")),
            (
                echo().at(&gate, http::Method::POST, "/messages"),
                (404, -32600, "no such stream; open one with GET /sse"),
            ),
            (echo().at(&gate, http::Method::POST, "/messages?sessionId=nobody"), (404, -32600, "no such stream")),
        ] {
            draft.refused(&client, expected).await;
        }
        for content_type in ["application/json; charset=utf-8", "Application/JSON"] {
            assert_eq!(
                client.fetch(echo().set("content-type", content_type).request()).await.status,
                200,
                "{content_type}"
            );
        }
    }
    let modern = gate.modern().await;
    for verb in [http::Method::GET, http::Method::DELETE, http::Method::PUT] {
        let draft = Draft::echo(&modern).at(&gate, verb, "/mcp").body("");
        let page = modern.fetch(draft.request()).await;
        assert_eq!((page.status, &page.headers["allow"]), (405, &"POST".parse().unwrap()), "{page:?}");
    }
}

#[tokio::test]
async fn heads_are_bounded() {
    let (gate, _upstream) = gate().await;
    let client = gate.modern().await;
    let start = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n";
    for (head, status) in [
        (format!("{start}{}\r\n", "x: y\r\n".repeat(100)), "HTTP/1.1 200 "),
        (format!("{start}{}\r\n", "x: y\r\n".repeat(200)), "HTTP/1.1 431 "),
        (format!("{start}x: {}\r\n\r\n", "y".repeat(1 << 20)), "HTTP/1.1 431 "),
        (format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "y".repeat(100_000)), "HTTP/1.1 414 "),
        ("GET /healthz HTTP/1.1\r\n\r\n".into(), "HTTP/1.1 403 "),
        (format!("{start}host: localhost\r\n\r\n"), "HTTP/1.1 403 "),
        ("nonsense\r\n\r\n".into(), "HTTP/1.1 400 "),
        (format!("{start}content-length: 1\r\ncontent-length: 2\r\n\r\n"), "HTTP/1.1 400 "),
        (format!("{start}bad header: x\r\n\r\n"), "HTTP/1.1 400 "),
    ] {
        let answer = exchange(&gate, &head).await;
        assert!(answer.starts_with(status), "{status}: {answer}");
        works(&client).await;
    }
}

#[tokio::test]
async fn names_and_cursors_that_nobody_gave_out() {
    // Without resources of its own, so that the gateway does not ask it for those that it does not list.
    let upstream = Script::echo(Era::Modern).capabilities(json!({"tools": {}})).over_http().await;
    let gate = Gate::of("up", &upstream).start().await;
    for era in Era::BOTH {
        let client = gate.client(era).await;
        for (method, params, words) in [
            ("tools/list", json!({"cursor": "nonsense"}), "invalid `cursor`: it was not given out here"),
            ("tools/list", json!({"cursor": 7}), "invalid `cursor`: it must be a string"),
            ("tools/list", json!({"cursor": null}), "invalid `cursor`: it must be a string"),
            ("tools/call", json!({"name": "up__nothing", "arguments": {}}), "unknown tool: up__nothing"),
            ("tools/call", json!({"name": "echo", "arguments": {}}), "unknown tool: echo"),
            ("tools/call", json!({"name": 7}), "unknown tool: "),
            ("tools/call", json!({}), "unknown tool: "),
            ("prompts/get", json!({"name": "up__nothing"}), "unknown prompt: up__nothing"),
            (
                "completion/complete",
                json!({"ref": {"type": "ref/prompt", "name": "up__no"}, "argument": {"name": "a", "value": "b"}}),
                "unknown prompt: up__no",
            ),
            ("completion/complete", json!({}), "unknown prompt: "),
        ] {
            let fault = client.request(method, params).await.unwrap_err();
            assert_eq!((fault.status, fault.code), (200, -32602), "{method}: {fault:?}");
            assert!(fault.message.contains(words), "{words}: {fault:?}");
            works(&client).await;
        }
        let fault = client.request("resources/read", json!({"uri": "doc://no"})).await.unwrap_err();
        assert_eq!(fault.code, if era == Era::Modern { -32602 } else { -32002 });
        assert_eq!(
            (fault.message.as_str(), &fault.data),
            ("Resource not found: doc://no", &json!({"uri": "doc://no"}))
        );
        works(&client).await;
    }
    let legacy = gate.legacy().await;
    for (method, params, code) in [
        ("resources/subscribe", json!({"uri": "doc://no"}), -32002),
        ("resources/subscribe", json!({}), -32602),
        ("resources/unsubscribe", json!({"uri": 7}), -32602),
        ("logging/setLevel", json!({"level": "loud"}), -32602),
    ] {
        let fault = legacy.request(method, params).await.unwrap_err();
        assert_eq!(fault.code, code, "{method}: {fault:?}");
        works(&legacy).await;
    }
    let modern = gate.modern().await;
    let fault = modern.request("subscriptions/listen", json!({"notifications": []})).await.unwrap_err();
    assert_eq!((fault.code, fault.message.contains("`notifications` must be an object")), (-32602, true), "{fault:?}");
    let many: Vec<String> = (0..1001).map(|nth| format!("doc://{nth}")).collect();
    let fault = modern
        .request("subscriptions/listen", json!({"notifications": {"resourceSubscriptions": many}}))
        .await
        .unwrap_err();
    assert_eq!((fault.code, fault.message.contains("1000")), (-32602, true), "{fault:?}");
    works(&modern).await;
    assert_eq!(
        upstream.asked().iter().filter(|asked| asked.is("tools/call") && !asked.is("tools/call echo")).count(),
        0
    );
}

#[tokio::test]
async fn too_many_sessions_are_refused_until_one_ends() {
    let upstream = Script::echo(Era::Modern).over_http().await;
    let gate = Gate::of("up", &upstream).config("limits: {sessions: 2}").start().await;
    let (first, second) = (gate.legacy().await, gate.legacy().await);
    let visitor = Client::of(gate.url(), Era::Legacy);
    let begin = || Draft::of(&visitor, "initialize", json!({"protocolVersion": "2025-11-25", "capabilities": {}}));
    let expected = (503, -32603, "too many sessions are open (`limits.sessions`)");
    begin().refused(&first, expected).await;
    let page = first.fetch(begin().request()).await;
    assert_eq!((page.status, &page.headers["retry-after"]), (503, &"30".parse().unwrap()));
    assert!(!page.headers.contains_key("mcp-session-id"));
    works(&gate.modern().await).await;
    assert_eq!(second.end().await.status, 200);
    works(&gate.legacy().await).await;
    works(&first).await;
}

#[tokio::test]
async fn too_many_requests_in_flight_are_refused_until_one_ends() {
    let released = Arc::new(Notify::new());
    let release = released.clone();
    let slow = move |call: Call| {
        let released = released.clone();
        async move {
            released.notified().await;
            call.text("done");
        }
    };
    let upstream = Script::echo(Era::Modern).tool("slow", slow).over_http().await;
    let gate = Gate::of("up", &upstream).config("limits: {in_flight: 1}").start().await;
    for (nth, era) in Era::BOTH.into_iter().enumerate() {
        let client = gate.client(era).await;
        let crowd = async {
            upstream.heard_times("tools/call slow", nth + 1).await;
            let page = client.fetch(Draft::echo(&client).request()).await;
            let error = &page.json()["error"];
            assert_eq!(
                (page.status, &error["code"], &page.headers["retry-after"]),
                (503, &json!(-32603), &"1".parse().unwrap())
            );
            assert_eq!(error["message"], "too many requests are in flight (`limits.in_flight`)");
            // Whoever watches over the gateway still gets an answer.
            assert_eq!(client.get("/healthz").await.status, 200);
            release.notify_one();
        };
        let (text, ()) = tokio::join!(client.text("up__slow", json!({})), crowd);
        assert_eq!(text, "done");
        works(&client).await;
    }
}

/// The same mistakes on a pipe: the answer comes on it, without an id where none could be read, and the next line is read.
async fn spoil_pipe(client: &mut LineClient, longest: usize) {
    let works = async |client: &mut LineClient| {
        let result = client.call("up__echo", json!({"text": "next"})).await.unwrap();
        assert_eq!(result["content"][0]["text"], "next");
    };
    works(client).await;
    for (line, code, words) in [
        ("nonsense".to_owned(), -32700, "not valid JSON"),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"meth".into(), -32700, "not valid JSON"),
        (r#"{"id":1,"method":"tools/list"}"#.into(), -32600, "`jsonrpc` must be \"2.0\""),
        (r#"{"jsonrpc":"2.0","id":1,"id":1,"method":"tools/list"}"#.into(), -32600, "appears twice"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":[]}"#.into(), -32602, "`params` must be an object"),
        ("[]".into(), -32600, "batches exist in sessions of revisions up to 2025-03-26 only"),
        ("{\"a\":".repeat(100), -32700, "nested deeper than 64 levels"),
    ] {
        assert!(line.len() < longest);
        client.say_text(&line).await;
        let answer = client.next_where(|message| message["id"].is_null() && message["method"].is_null()).await;
        assert_eq!(answer["error"]["code"], code, "{line}: {answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains(words), "{line}: {answer}");
        works(client).await;
    }
    let fault = client.request("no/such", json!({})).await.unwrap_err();
    assert_eq!(fault.code, -32601);
    let fault = client.call("up__nothing", json!({})).await.unwrap_err();
    assert_eq!((fault.code, fault.message.as_str()), (-32602, "unknown tool: up__nothing"));
    works(client).await;
}

#[tokio::test]
async fn the_same_on_stdio() {
    let upstream = Script::echo(Era::Modern).over_http().await;
    for era in Era::BOTH {
        let plan = Gate::of("up", &upstream).config("limits: {request: 4KiB}");
        let mut program = Program::start(env!("CARGO_BIN_EXE_toolgate"), "stdio", &plan);
        let mut client = program.client(era).open().await;
        spoil_pipe(&mut client, 4096).await;
        client.say_text(&"x".repeat(1 << 20)).await;
        let answer = client.next_where(|message| message["id"].is_null() && message["method"].is_null()).await;
        assert_eq!(answer["error"]["code"], -32600);
        assert_eq!(answer["error"]["message"], "the message is longer than 4096 bytes (`limits.request`)");
        client.call("up__echo", json!({"text": "next"})).await.unwrap();
        drop(client);
        assert!(program.ended().await.success());
    }
}

#[tokio::test]
async fn the_same_over_http_with_sse() {
    let (gate, _upstream) = gate().await;
    for era in Era::BOTH {
        let mut client = LineClient::over_sse(gate.url(), era).await.open().await;
        spoil_pipe(&mut client, 4096).await;
    }
}

#[tokio::test]
async fn before_the_handshake_a_pipe_says_how_to_begin() {
    let (gate, _upstream) = gate().await;
    let mut client = LineClient::over_sse(gate.url(), Era::Legacy).await;
    let fault = client.call("up__echo", json!({})).await.unwrap_err();
    assert_eq!((fault.code, fault.message.contains("begin with `initialize`")), (-32600, true), "{fault:?}");
    assert_eq!(client.request("ping", json!({})).await, Ok(json!({})));
    let mut client = client.open().await;
    client.call("up__echo", json!({"text": "now"})).await.unwrap();
}

#[tokio::test]
async fn a_pipe_of_an_old_revision_takes_batches() {
    let upstream = Script::echo(Era::Modern).over_http().await;
    let gate = Gate::of("up", &upstream).config("limits: {batch: 3}").start().await;
    for revision in ["2024-11-05", "2025-03-26"] {
        let mut client = LineClient::over_sse(gate.url(), Era::Legacy).await;
        let params =
            json!({"protocolVersion": revision, "capabilities": {}, "clientInfo": {"name": "story", "version": "1"}});
        assert_eq!(client.request("initialize", params).await.unwrap()["protocolVersion"], revision);
        let ping = |id: u64| json!({"jsonrpc": "2.0", "id": id, "method": "ping"});
        let echo = json!({"name": "up__echo", "arguments": {"text": "x"}});
        let echo = json!({"jsonrpc": "2.0", "id": 101, "method": "tools/call", "params": echo});
        client.say(&json!([ping(100), echo, {"jsonrpc": "2.0", "method": "notifications/initialized"}])).await;
        assert_eq!(client.outcome(&100.into()).await, Ok(json!({})));
        assert_eq!(client.outcome(&101.into()).await.unwrap()["content"][0]["text"], "x");
        for (batch, words) in [
            (json!([]), "a batch has 1 to 3 messages (`limits.batch`)"),
            (json!([ping(1), ping(2), ping(3), ping(4)]), "a batch has 1 to 3 messages (`limits.batch`)"),
            (json!([7]), "expected an object"),
        ] {
            client.say(&batch).await;
            let answer = client.next_where(|message| message["id"].is_null() && message["method"].is_null()).await;
            assert_eq!(answer["error"]["code"], -32600, "{answer}");
            assert!(answer["error"]["message"].as_str().unwrap().contains(words), "{answer}");
        }
        assert_eq!(client.request("ping", json!({})).await, Ok(json!({})));
    }
}
