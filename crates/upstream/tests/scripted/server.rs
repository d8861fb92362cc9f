//! A scripted MCP server over stdio, for the stories in `tests/it`. One loop, no clock: it does what it is told by the first
//! argument and by the names of the tools that are called.
//!
//! It also plays two other parts: `watchdog`, and `gateway`, a process with a child that the test kills.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::zombie_processes,
    reason = "a script of the tests"
)]

use std::collections::HashMap;
use std::io::{BufRead, Write};

use serde_json::{Value, json};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("watchdog") => toolgate_upstream::watchdog_main().unwrap(),
        Some("gateway") => gateway(),
        Some("crash") => std::process::exit(3),
        Some(mode) => Server { mode: mode.to_owned(), ..Server::default() }.run(),
        None => std::process::exit(64),
    }
}

#[derive(Default)]
struct Server {
    mode: String,
    initialized: bool,
    /// A discover that is answered late.
    waiting: Option<Value>,
    /// What was received but is no tool call.
    seen: Vec<String>,
    subscriptions: Vec<String>,
    listens: Vec<Value>,
    /// Calls that wait for answers: the call's id, how many are missing, those that came.
    asking: HashMap<String, (Value, usize, Vec<Value>)>,
    asked: usize,
}

impl Server {
    fn run(mut self) {
        for line in std::io::stdin().lock().lines() {
            let message: Value = serde_json::from_str(&line.unwrap()).unwrap();
            self.receive(&message);
        }
    }

    fn receive(&mut self, message: &Value) {
        let (id, params) = (&message["id"], &message["params"]);
        let Some(method) = message["method"].as_str() else { return self.answered(message) };
        if self.mode == "touchy" && !self.initialized && method != "initialize" {
            std::process::exit(1);
        }
        match method {
            "server/discover" => self.discover(id),
            "initialize" => self.initialize(id, params),
            "tools/call" => self.call(id, params),
            "tools/list" => answer(id, &json!({"tools": [{"name": "echo", "inputSchema": {"type": "object"}}]})),
            "resources/read" => fail(id, -32002, "no such resource"),
            "subscriptions/listen" => {
                let agreed = &params["notifications"];
                self.listens.push(id.clone());
                let resources = &agreed["resourceSubscriptions"];
                self.seen.push(format!("listen {resources}"));
                self.subscriptions =
                    resources.as_array().into_iter().flatten().map(|uri| uri.as_str().unwrap().to_owned()).collect();
                let meta = json!({"io.modelcontextprotocol/subscriptionId": id});
                notify("notifications/subscriptions/acknowledged", &json!({"_meta": meta, "notifications": agreed}));
            }
            "resources/subscribe" => {
                let uri = params["uri"].as_str().unwrap().to_owned();
                self.seen.push(format!("subscribe {uri}"));
                if uri.starts_with("no:") {
                    return fail(id, -32602, "not watched");
                }
                self.subscriptions.push(uri);
                answer(id, &json!({}));
            }
            "resources/unsubscribe" => {
                self.seen.push(format!("unsubscribe {}", params["uri"].as_str().unwrap()));
                answer(id, &json!({}));
            }
            "logging/setLevel" => {
                self.seen.push(format!("level {}", params["level"].as_str().unwrap()));
                answer(id, &json!({}));
            }
            "notifications/cancelled" => self.seen.push(format!("cancelled {}", params["requestId"])),
            _ if id.is_null() => self.seen.push(method.to_owned()),
            _ => fail(id, -32601, "no such method"),
        }
    }

    fn discover(&mut self, id: &Value) {
        match self.mode.as_str() {
            "modern" => answer(id, &discovered()),
            "mute" => {}
            "slow-modern" => self.waiting = Some(id.clone()),
            "nameless" => {
                println!(r#"{{"jsonrpc":"2.0","id":null,"error":{{"code":-32000,"message":"not initialized"}}}}"#)
            }
            _ => fail(id, -32601, "no such method"),
        }
    }

    fn initialize(&mut self, id: &Value, params: &Value) {
        if let Some(waiting) = self.waiting.take() {
            answer(&waiting, &discovered());
        }
        if self.mode.contains("modern") {
            return fail(id, -32022, "speak modern");
        }
        self.initialized = true;
        assert_eq!(params["protocolVersion"], "2025-11-25");
        let capabilities = json!({"tools": {"listChanged": true}, "resources": {"subscribe": true}, "logging": {}});
        answer(
            id,
            &json!({"protocolVersion": "2025-06-18", "capabilities": capabilities, "serverInfo": {"name": "scripted"}}),
        );
    }

    fn call(&mut self, id: &Value, params: &Value) {
        let arguments = &params["arguments"];
        match params["name"].as_str().unwrap() {
            "echo" => answer(id, &json!({"content": [], "structuredContent": arguments})),
            "params" => answer(id, &json!({"content": [], "structuredContent": params})),
            "verbatim" => println!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"z":1e2,"content":[ ],"a":1.50}}}}"#),
            "pid" => text(id, &std::process::id().to_string()),
            "env" => {
                let names: Vec<String> = std::env::vars().map(|(name, _)| name).collect();
                answer(
                    id,
                    &json!({"content": [], "structuredContent": {"names": names, "cwd": std::env::current_dir().unwrap()}}),
                );
            }
            "hang" => self.seen.push("hang".to_owned()),
            "die" => std::process::exit(9),
            "seen" => answer(id, &json!({"content": [], "structuredContent": {"seen": self.seen}})),
            "ask" => self.ask(id, arguments),
            "progress" => {
                let token = &params["_meta"]["progressToken"];
                for step in 1..=3 {
                    notify("notifications/progress", &json!({"progressToken": token, "progress": step}));
                }
                text(id, "done");
                notify("notifications/progress", &json!({"progressToken": token, "progress": 4}));
            }
            "log" => {
                for level in ["debug", "warning", "error"] {
                    notify("notifications/message", &json!({"level": level, "data": level}));
                }
                text(id, "done");
            }
            "garbage" => {
                println!("Listening on stdio!\n\u{1b}[31m{{\"jsonrpc\":\"1.0\"}}\n[1,2]\n{{");
                text(id, "done");
            }
            "long" => text(id, &"x".repeat(usize::try_from(arguments["bytes"].as_u64().unwrap()).unwrap())),
            "batch" => println!(r#"[{{"jsonrpc":"2.0","id":{id},"result":{{"content":[]}}}}]"#),
            "grandchild" => {
                let child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
                text(id, &child.id().to_string());
            }
            "change" => {
                notify("notifications/tools/list_changed", &json!({"_meta": self.subscription()}));
                for uri in &self.subscriptions {
                    notify(
                        "notifications/resources/updated",
                        &json!({"_meta": self.subscription(), "uri": uri, "vendor": 1}),
                    );
                }
                text(id, "done");
            }
            _ => fail(id, -32602, "no such tool"),
        }
    }

    fn subscription(&self) -> Value {
        match self.listens.last() {
            Some(id) => json!({"io.modelcontextprotocol/subscriptionId": id}),
            None => json!({}),
        }
    }

    fn ask(&mut self, id: &Value, arguments: &Value) {
        let questions = arguments["questions"].as_array().unwrap();
        let call = id.to_string();
        for question in questions {
            self.asked += 1;
            let ask = json!({"jsonrpc": "2.0", "id": format!("{call}/{}", self.asked), "method": question["method"], "params": question["params"]});
            println!("{ask}");
        }
        self.asking.insert(call, (id.clone(), questions.len(), Vec::new()));
    }

    fn answered(&mut self, message: &Value) {
        let call = message["id"].as_str().unwrap().split('/').next().unwrap().to_owned();
        let (id, missing, answers) = self.asking.get_mut(&call).unwrap();
        answers.push(if message["error"].is_null() { message["result"].clone() } else { message["error"].clone() });
        if answers.len() == *missing {
            answer(id, &json!({"content": [], "structuredContent": {"answers": answers}}));
            self.asking.remove(&call);
        }
    }
}

fn discovered() -> Value {
    let capabilities = json!({"tools": {"listChanged": true}, "resources": {"subscribe": true}, "logging": {}});
    json!({"resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": capabilities, "ttlMs": 0, "cacheScope": "private"})
}

fn answer(id: &Value, result: &Value) {
    println!("{}", json!({"jsonrpc": "2.0", "id": id, "result": result}));
}

fn text(id: &Value, text: &str) {
    answer(id, &json!({"content": [{"type": "text", "text": text}]}));
}

fn fail(id: &Value, code: i64, message: &str) {
    println!("{}", json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}}));
}

fn notify(method: &str, params: &Value) {
    println!("{}", json!({"jsonrpc": "2.0", "method": method, "params": params}));
    std::io::stdout().flush().unwrap();
}

/// Starts itself as an upstream with a watchdog, prints the child's process id, and waits to be killed.
fn gateway() {
    use toolgate_protocol::{Json, Method, Object, UpstreamName};
    use toolgate_upstream::{
        Apart, Backoff, Config, EraPin, Host, Limits, Parking, StdioConfig, Timeouts, Transport, Upstream,
    };

    let exe = std::env::current_exe().unwrap();
    let child = StdioConfig {
        command: exe.to_str().unwrap().to_owned(),
        args: vec!["legacy".into()],
        env: Vec::new(),
        env_allow: Vec::new(),
        cwd: None,
    };
    let config = Config {
        name: UpstreamName::new("child").unwrap(),
        transport: Transport::Stdio(child),
        era: EraPin::Legacy,
        timeouts: Timeouts::default(),
        limits: Limits::default(),
        restart: Backoff::default(),

        apart: Apart::default(),
        idle: None,
    };
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let upstream = Upstream::start(config, None, Host::new(Some(exe), Parking::default()));
        for tool in ["pid", "grandchild"] {
            let result = upstream.ask(Method::ToolsCall, Object::new().with("name", Json::string(tool))).await.unwrap();
            println!("{}", result.as_str());
        }
        std::future::pending::<()>().await;
    });
}
