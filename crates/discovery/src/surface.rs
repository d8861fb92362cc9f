//! The surface: the three tools that a model sees in the place of all others. Or four, where calls that only read are apart.
//!
//! They are the same for everyone and never change, so that prompt caches hold and no list depends on what was asked
//! before. Whatever stands in them is paid for in every turn of every client: all names, descriptions and schemas
//! together have at most 250 tokens, and a test counts them.

use toolgate_protocol::{Json, Kind, Object};

use crate::tool::Tool;

/// One of the tools of the surface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SurfaceTool {
    /// Finds tools.
    Search,
    /// Gives full definitions.
    Describe,
    /// Calls a tool that says of itself that it only reads.
    CallRead,
    /// Calls a tool.
    Call,
}

/// Which tools the surface has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Surface {
    /// Whether calls that only read have a tool of their own, so that a person can allow all of them once.
    pub split: bool,
}

// === impl SurfaceTool ===

impl SurfaceTool {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Search => "search_tools",
            Self::Describe => "describe_tools",
            Self::CallRead => "call_read_tool",
            Self::Call => "call_tool",
        }
    }

    /// What a client is told of it.
    pub fn definition(self) -> Json {
        Json::literal(match self {
            Self::Search => {
                r#"{"name":"search_tools","title":"Search tools","description":"Find tools: most are not listed here. Give short phrases, one per need (\"create github issue\"). Answers signatures ready for call_tool. Without queries: the servers.","inputSchema":{"type":"object","properties":{"queries":{"type":"array","items":{"type":"string"}},"server":{"type":"string"},"limit":{"type":"integer"}}},"annotations":{"title":"Search tools","readOnlyHint":true,"destructiveHint":false,"idempotentHint":true,"openWorldHint":false}}"#
            }
            Self::Describe => {
                r#"{"name":"describe_tools","title":"Describe tools","description":"Full definitions, where a signature is not enough.","inputSchema":{"type":"object","properties":{"names":{"type":"array","items":{"type":"string"}}},"required":["names"]},"annotations":{"title":"Describe tools","readOnlyHint":true,"destructiveHint":false,"idempotentHint":true,"openWorldHint":false}}"#
            }
            Self::CallRead => {
                r#"{"name":"call_read_tool","title":"Call a tool that only reads","description":"The same for tools marked [read].","inputSchema":{"type":"object","properties":{"name":{"type":"string"},"arguments":{"type":"object"}},"required":["name","arguments"]},"annotations":{"title":"Call a tool that only reads","readOnlyHint":true,"destructiveHint":false,"openWorldHint":true}}"#
            }
            Self::Call => {
                r#"{"name":"call_tool","title":"Call a tool","description":"Call a tool by name, with arguments as its signature says.","inputSchema":{"type":"object","properties":{"name":{"type":"string"},"arguments":{"type":"object"}},"required":["name","arguments"]},"annotations":{"title":"Call a tool","readOnlyHint":false,"destructiveHint":true,"idempotentHint":false,"openWorldHint":true}}"#
            }
        })
    }
}

// === impl Surface ===

impl Surface {
    /// Its tools, in the order in which they are listed.
    pub fn tools(self) -> &'static [SurfaceTool] {
        use SurfaceTool::{Call, CallRead, Describe, Search};
        if self.split { &[Search, Describe, Call, CallRead] } else { &[Search, Describe, Call] }
    }

    /// The tool of this name, if the surface has it.
    pub fn find(self, name: &str) -> Option<SurfaceTool> {
        self.tools().iter().copied().find(|tool| tool.name() == name)
    }

    /// The tool that calls `tool`.
    pub fn caller_of(self, tool: &Tool<'_>) -> SurfaceTool {
        if self.split && only_reads(tool.definition) { SurfaceTool::CallRead } else { SurfaceTool::Call }
    }
}

/// Whether a tool says of itself that it changes nothing. Hints may lie; a client believes those of servers it trusts.
pub fn only_reads(definition: &Json) -> bool {
    hint(definition, "readOnlyHint").is_some_and(|hint| hint.as_str() == "true")
}

/// Whether a tool may destroy something, for all that it says: one that says neither that it only reads nor that it destroys
/// nothing may (`ToolAnnotations`, where `destructiveHint` is true unless it says otherwise).
pub fn may_destroy(definition: &Json) -> bool {
    !only_reads(definition) && hint(definition, "destructiveHint").is_none_or(|hint| hint.as_str() != "false")
}

fn hint(definition: &Json, name: &str) -> Option<Json> {
    definition.object().ok()?.child("annotations")?.get(name).cloned()
}

/// The whole result of a `tools/list` member for the surface: its definitions in order.
pub fn definitions(surface: Surface) -> Vec<Json> {
    surface.tools().iter().map(|tool| tool.definition()).collect()
}

/// What the surface costs in every turn, in tokens.
pub fn cost(surface: Surface, tokens: &crate::Tokens) -> usize {
    definitions(surface).iter().map(|definition| tokens.of_definition(Kind::Tool, definition)).sum()
}

/// The members of a result that every tool has: text and, where there is one, the same as an object.
pub(crate) fn result(text: &str, structured: Option<Object>, is_error: bool) -> Object {
    let block = Object::new().with("type", Json::literal("\"text\"")).with("text", Json::string(text)).to_json();
    let mut result = Object::new().with("content", Json::array_of([&block]));
    if let Some(structured) = structured {
        result.set("structuredContent", structured.to_json());
    }
    if is_error {
        result.set("isError", Json::literal("true"));
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tokens;

    #[test]
    fn the_surface_has_at_most_250_tokens() {
        let tokens = Tokens::new();
        assert!(cost(Surface { split: false }, &tokens) <= 200);
        assert!(cost(Surface { split: true }, &tokens) <= 250);
    }

    #[test]
    fn names_and_definitions_agree() {
        for tool in (Surface { split: true }).tools() {
            let definition = tool.definition().object().unwrap();
            assert_eq!(definition.string("name").as_deref(), Some(tool.name()));
            let schema: serde_json::Value = definition.get("inputSchema").unwrap().read().unwrap();
            assert!(jsonschema::meta::is_valid(&schema));
            assert_eq!(only_reads(&tool.definition()), *tool != SurfaceTool::Call);
        }
    }

    #[test]
    fn what_reads_is_called_apart_only_where_that_is_asked_for() {
        let reads = Json::literal(r#"{"name":"r","annotations":{"readOnlyHint":true}}"#);
        let tool = Tool::new("r", "s", &reads);
        assert_eq!(Surface { split: true }.caller_of(&tool), SurfaceTool::CallRead);
        assert_eq!(Surface { split: false }.caller_of(&tool), SurfaceTool::Call);
        assert_eq!(Surface::default().find("call_read_tool"), None);
    }
}
