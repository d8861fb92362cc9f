//! The requests of the benchmark and the results that the scripted upstream gives to them, in both eras.
//!
//! Upstream and load generator share this file, so that the generator can hold every answer against what was sent.

use std::fmt;

/// The modern revision (no session, everything in each request's `_meta`).
pub(super) const MODERN: &str = "2026-07-28";
/// The legacy revision asked for (initialize, then a session).
pub(super) const LEGACY: &str = "2025-11-25";
/// How many tools the upstream lists.
pub(super) const TOOLS: usize = 500;
/// Stands where the id goes; every id has this many digits, so that lengths never change.
pub(super) const ID_SLOT: &str = "000000000";

/// Which side of the 2026-07-28 revision client and upstream stand on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(super) enum Era {
    /// 2026-07-28.
    Modern,
    /// 2025-11-25, with a session for each connection.
    Legacy,
}

/// One kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(super) enum Case {
    /// `tools/call`, a result of half a kilobyte.
    Small,
    /// `tools/call`, a result of ten kilobytes.
    Large,
    /// `tools/list`, 500 tools in one page.
    List,
}

/// A request ready to be sent but for its id, and what its answer must hold.
pub(super) struct Exchange {
    /// The JSON-RPC method, for `Mcp-Method`.
    pub(super) method: &'static str,
    /// The tool's name, for `Mcp-Name`; empty where there is none.
    pub(super) name: String,
    /// The body, with [`ID_SLOT`] for the id.
    pub(super) body: String,
    /// Text near the end of every right answer.
    pub(super) marker: &'static str,
    /// No right answer is shorter, in bytes.
    pub(super) at_least: usize,
}

// === impl Era ===

impl Era {
    /// The other one.
    pub(super) fn other(self) -> Self {
        match self {
            Self::Modern => Self::Legacy,
            Self::Legacy => Self::Modern,
        }
    }

    /// The value of `MCP-Protocol-Version`.
    pub(super) fn version(self) -> &'static str {
        match self {
            Self::Modern => MODERN,
            Self::Legacy => LEGACY,
        }
    }
}

impl fmt::Display for Era {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Modern => "modern",
            Self::Legacy => "legacy",
        })
    }
}

// === impl Case ===

impl Case {
    /// The words of the report.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Small => "`tools/call`, 0.5 kB result",
            Self::Large => "`tools/call`, 10 kB result",
            Self::List => "`tools/list`, 500 tools (240 kB)",
        }
    }

    /// The request of this case; `prefix` stands before each tool's name as the client sees it.
    pub(super) fn exchange(self, era: Era, prefix: &str) -> Exchange {
        let meta = match era {
            Era::Modern => format!(
                r#""_meta":{{"io.modelcontextprotocol/protocolVersion":"{MODERN}","io.modelcontextprotocol/clientCapabilities":{{"elicitation":{{"form":{{}}}}}},"io.modelcontextprotocol/clientInfo":{{"name":"toolgate-bench","version":"1"}}}}"#
            ),
            Era::Legacy => r#""_meta":{}"#.to_owned(),
        };
        if self == Self::List {
            return Exchange {
                method: "tools/list",
                name: String::new(),
                body: request("tools/list", &meta),
                marker: "task499_",
                at_least: tools().iter().map(String::len).sum(),
            };
        }
        let name = format!("{prefix}{self}");
        let params = format!(
            r#""name":"{name}","arguments":{{"query":"open invoices of March","limit":20,"include":["customer","total"]}},{meta}"#
        );
        Exchange {
            method: "tools/call",
            body: request("tools/call", &params),
            name,
            marker: self.marker(),
            at_least: self.words().len(),
        }
    }

    /// The result as the upstream sends it.
    pub(super) fn result(self, era: Era) -> String {
        let open = match era {
            Era::Modern => r#""resultType":"complete","#,
            Era::Legacy => "",
        };
        let close = match era {
            Era::Modern => r#","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"bench","version":"1"}}"#,
            Era::Legacy => "",
        };
        if self == Self::List {
            let cache = match era {
                Era::Modern => r#","ttlMs":300000,"cacheScope":"public""#,
                Era::Legacy => "",
            };
            return format!(r#"{{{open}"tools":[{}]{cache}{close}}}"#, tools().join(","));
        }
        let words = serde_json::Value::String(self.words());
        format!(r#"{{{open}"content":[{{"type":"text","text":{words}}}],"isError":false{close}}}"#)
    }

    /// The text of the result: lines, as tools print them, so that there is something to escape; the marker comes last.
    pub(super) fn words(self) -> String {
        let length = match self {
            Self::Small => 384,
            Self::Large => 9_300,
            Self::List => 0,
        };
        let mut words = String::new();
        for line in 1.. {
            let next = format!("{line:03}: invoice \"A-{:05}\", 2 items, 118.40 EUR, open\n", line * 7);
            if words.len() + next.len() + self.marker().len() > length {
                break;
            }
            words.push_str(&next);
        }
        words + self.marker()
    }

    fn marker(self) -> &'static str {
        match self {
            Self::Small => "end of small",
            Self::Large => "end of large",
            Self::List => "",
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Small => "small",
            Self::Large => "large",
            Self::List => "list",
        })
    }
}

/// The definitions of all tools, in an order that sorting by name keeps.
pub(super) fn tools() -> Vec<String> {
    let verbs = ["search", "create", "update", "export"];
    let nouns = ["invoice", "customer", "repository", "calendar_event", "ticket"];
    let mut all =
        vec![tool("large", "document", "Returns ten kilobytes"), tool("small", "document", "Returns half a kilobyte")];
    for index in all.len()..TOOLS {
        let (verb, noun) = (verbs[index % verbs.len()], nouns[index % nouns.len()]);
        let does = format!("Can {verb} one {noun} or several in the workspace");
        all.push(tool(&format!("task{index:03}_{verb}_{noun}"), noun, &does));
    }
    all
}

/// A definition of the size and shape that public servers have (about 480 bytes).
fn tool(name: &str, noun: &str, does: &str) -> String {
    format!(
        r#"{{"name":"{name}","title":"{name}","description":"{does}.","inputSchema":{{"type":"object","properties":{{"query":{{"type":"string","description":"Words that the {noun} must contain"}},"limit":{{"type":"integer","minimum":1,"maximum":100,"default":20}},"include":{{"type":"array","items":{{"type":"string"}}}}}},"required":["query"]}},"annotations":{{"readOnlyHint":true,"openWorldHint":false}}}}"#
    )
}

/// A JSON-RPC request with the id still to be filled in.
pub(super) fn request(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{ID_SLOT},"method":"{method}","params":{{{params}}}}}"#)
}

/// The answer to request `id` (as written), up to its result.
pub(super) fn answer_head(id: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":"#)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn results_have_the_sizes_the_report_names() {
        let size = |case: Case| case.result(Era::Modern).len();
        assert!((450..=550).contains(&size(Case::Small)), "{}", size(Case::Small));
        assert!((9_500..=10_500).contains(&size(Case::Large)), "{}", size(Case::Large));
        assert!((230_000..=250_000).contains(&size(Case::List)), "{}", size(Case::List));
    }

    #[test]
    fn every_text_is_json_and_the_last_tool_carries_the_marker() {
        for era in [Era::Modern, Era::Legacy] {
            for case in [Case::Small, Case::Large, Case::List] {
                let result: Value = serde_json::from_str(&case.result(era)).expect("the result is JSON");
                assert_eq!(result.get("resultType").is_some(), era == Era::Modern);
                let filled = case.exchange(era, "x__").body.replace(ID_SLOT, "123456789");
                let sent: Value = serde_json::from_str(&filled).expect("the request is JSON");
                assert_eq!(sent["id"], 123_456_789);
            }
        }
        let tools = tools();
        assert_eq!(tools.len(), TOOLS);
        assert!(tools[TOOLS - 1].contains(Case::List.exchange(Era::Modern, "").marker));
        assert!(tools.is_sorted());
    }
}
