//! What the stories share: an upstream to start, a client that asks it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use toolgate_protocol::{
    Event, Json, Method, Notification, Object, Outcome, Reply, Revision, RpcError, UpstreamName, meta,
};
use toolgate_upstream::{
    Apart, Backoff, Call, Config, EraPin, Host, HttpConfig, Limits, Origin, Parking, StdioConfig, Timeouts, Transport,
    Upstream, own_meta,
};

/// The scripted server as a child.
pub(crate) fn scripted(mode: &str) -> Config {
    let child = StdioConfig {
        command: env!("CARGO_BIN_EXE_scripted-upstream").to_owned(),
        args: vec![mode.to_owned()],
        env: Vec::new(),
        env_allow: Vec::new(),
        cwd: None,
    };
    config(Transport::Stdio(child))
}

/// A server at a URL.
pub(crate) fn at(url: &str) -> Config {
    config(Transport::Http(HttpConfig { url: url.parse().unwrap(), headers: Vec::new() }))
}

pub(crate) fn config(transport: Transport) -> Config {
    Config {
        name: UpstreamName::new("it").unwrap(),
        transport,
        era: EraPin::Auto,
        timeouts: Timeouts { probe: Duration::from_secs(2), ..Timeouts::default() },
        limits: Limits::default(),
        restart: Backoff { initial: Duration::from_millis(20), max: Duration::from_secs(1) },
        apart: Apart::default(),
        idle: None,
    }
}

pub(crate) fn start(config: Config) -> Arc<Upstream> {
    Upstream::start(config, None, Host::new(None, Parking::default()))
}

pub(crate) fn json(value: &Value) -> Json {
    Json::parse(value.to_string().into()).unwrap()
}

/// A call as a client with these `_meta` members would make it.
pub(crate) fn call(tool: &str, arguments: &Value, meta: &Value) -> Call {
    let own = own_meta(Revision::LATEST_MODERN);
    let meta =
        json(meta).object().unwrap().members().fold(own, |all, member| all.with(member.name(), member.value.clone()));
    let params =
        Object::new().with("name", Json::string(tool)).with("arguments", json(arguments)).with("_meta", meta.to_json());
    Call { method: Method::ToolsCall, params, param_headers: Vec::new(), origin: Origin::anonymous("somebody") }
}

/// A client that has every capability.
pub(crate) fn able() -> Value {
    serde_json::json!({ meta::CAPABILITIES: {"sampling": {}, "roots": {}, "elicitation": {"form": {}, "url": {}}} })
}

/// The result of a tool, read.
pub(crate) async fn ask(upstream: &Upstream, tool: &str, arguments: Value) -> Result<Value, RpcError> {
    read(upstream.send(call(tool, &arguments, &serde_json::json!({}))).await.outcome().await)
}

/// The structured content of a tool's result.
pub(crate) async fn content(upstream: &Upstream, tool: &str, arguments: Value) -> Value {
    ask(upstream, tool, arguments).await.unwrap()["structuredContent"].clone()
}

/// The text of a tool's result.
pub(crate) async fn text(upstream: &Upstream, tool: &str) -> String {
    ask(upstream, tool, serde_json::json!({})).await.unwrap()["content"][0]["text"].as_str().unwrap().to_owned()
}

pub(crate) fn read(outcome: Outcome) -> Result<Value, RpcError> {
    outcome.map(|result| serde_json::from_slice(result.text()).unwrap())
}

/// Everything that a reply holds.
pub(crate) async fn all(mut reply: Reply) -> (Vec<Notification>, Result<Value, RpcError>) {
    let mut notifications = Vec::new();
    loop {
        match reply.next().await.unwrap() {
            Event::Notification(notification) => notifications.push(notification),
            Event::Done(outcome) => {
                assert!(reply.next().await.is_none());
                return (notifications, read(outcome));
            }
        }
    }
}

/// The reason that the error's data gives.
pub(crate) fn reason(error: &RpcError) -> String {
    error.data.as_ref().unwrap().object().unwrap().string("reason").unwrap()
}

/// Waits until `holds`, which must come about by itself.
pub(crate) async fn until<F: Future<Output = bool>>(mut holds: impl FnMut() -> F) {
    let waiting = async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("it never came about");
}

/// Whether a process exists, as its directory in /proc tells; a zombie does not count.
pub(crate) fn lives(pid: &str) -> bool {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    !status.rsplit(')').next().unwrap().trim_start().starts_with('Z')
}
