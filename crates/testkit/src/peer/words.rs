//! Which words a client's revision has. Whatever else it is told is a fault of the gateway.

use serde_json::Value;

use super::Peer;
use crate::script::META;
use crate::{Era, Revision};

impl Peer {
    /// What in a message its revision has no word for.
    pub(super) fn strange_words(&self, message: &Value, text: &str) -> Vec<String> {
        let mut faults = Vec::new();
        if message["jsonrpc"] != "2.0" {
            faults.push("no JSON-RPC 2.0".to_owned());
        }
        let is_legacy = self.revision.era() == Era::Legacy;
        if let Some(method) = message["method"].as_str() {
            let is_known =
                if message["id"].is_null() { self.knows_notification(method) } else { self.knows_request(method) };
            if !is_known {
                faults.push(format!("`{method}` is no word of {}", self.revision.as_str()));
            }
        } else if message["error"].is_null() {
            let result = &message["result"];
            if result["resultType"].is_null() != is_legacy {
                faults.push("a result of the other era".to_owned());
            }
        }
        if is_legacy && text.contains(META) {
            faults.push("a key of the modern era".to_owned());
        }
        match message["error"]["code"].as_i64() {
            Some(code @ -32_022..=-32_020) if is_legacy => faults.push(format!("code {code} is modern")),
            Some(code @ (-32_002 | -32_042)) if !is_legacy => faults.push(format!("code {code} is legacy")),
            _ => {}
        }
        faults
    }

    fn knows_notification(&self, method: &str) -> bool {
        match method.strip_prefix("notifications/").unwrap_or_default() {
            "progress"
            | "message"
            | "cancelled"
            | "resources/updated"
            | "resources/list_changed"
            | "tools/list_changed"
            | "prompts/list_changed" => true,
            "elicitation/complete" | "tasks/status" => self.revision == Revision::V2025_11_25,
            "subscriptions/acknowledged" => self.revision == Revision::V2026_07_28,
            _ => false,
        }
    }

    fn knows_request(&self, method: &str) -> bool {
        match method {
            "ping" | "sampling/createMessage" | "roots/list" => self.revision.era() == Era::Legacy,
            "elicitation/create" => matches!(self.revision, Revision::V2025_06_18 | Revision::V2025_11_25),
            _ => false,
        }
    }
}
