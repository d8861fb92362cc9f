//! The entry by which a host reaches toolgate, in the host's own words.

use serde_json::{Map, Value, json};

use crate::Host;

/// How toolgate is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// At a URL, where it runs already.
    Url(String),
    /// As a child of the host.
    Command {
        /// The program.
        command: String,
        /// Its arguments.
        args: Vec<String>,
    },
}

// === impl Entry ===

impl Entry {
    /// As the host writes it. The order of the keys is the host's own.
    pub(crate) fn written(&self, host: Host) -> Vec<(&'static str, Value)> {
        match (self, host) {
            (Self::Url(url), Host::Windsurf) => vec![("serverUrl", json!(url))],
            // `url` meant SSE until `type` came; this is understood by versions before and after.
            (Self::Url(url), Host::GeminiCli) => vec![("httpUrl", json!(url))],
            (Self::Url(url), Host::ClaudeCode | Host::VsCode) => vec![("type", json!("http")), ("url", json!(url))],
            (Self::Url(url), _) => vec![("url", json!(url))],
            (Self::Command { command, args }, Host::ClaudeCode | Host::VsCode) => {
                vec![("type", json!("stdio")), ("command", json!(command)), ("args", json!(args))]
            }
            (Self::Command { command, args }, _) => vec![("command", json!(command)), ("args", json!(args))],
        }
    }

    pub(crate) fn as_value(&self, host: Host) -> Value {
        let pairs = self.written(host).into_iter().map(|(key, value)| (key.to_owned(), value));
        Value::Object(pairs.collect::<Map<_, _>>())
    }
}

/// Whether an entry of a host's file leads to toolgate.
pub(crate) fn leads_to_toolgate(entry: &Value) -> bool {
    let text = |key: &str| entry.get(key).and_then(Value::as_str);
    let command = text("command").or_else(|| entry.get("command")?.get("path")?.as_str()).unwrap_or_default();
    let program = command.rsplit(['/', '\\']).next().unwrap_or_default();
    let url = ["url", "serverUrl", "httpUrl"].iter().find_map(|key| text(key)).unwrap_or_default();
    let host = url.split("://").nth(1).unwrap_or_default();
    matches!(program, "toolgate" | "toolgate.exe")
        || ["127.0.0.1", "localhost", "[::1]"].iter().any(|name| host.starts_with(name))
}
