//! The answer to a request for descriptions: full definitions, as their upstreams wrote them.

use toolgate_protocol::{Json, Object};

use super::{Answer, strings};
use crate::tool::Tool;

/// Definitions are given until they have this many bytes; the first one always is.
const MAX_BYTES: usize = 128 << 10;

/// What is known of the names that were asked for.
#[derive(Clone, Copy, Debug)]
pub struct Described<'a> {
    /// The entries.
    pub known: &'a [Tool<'a>],
    /// What servers say of themselves, where a name is a server's.
    pub servers: &'a [Instructions<'a>],
    /// The names that nothing has.
    pub unknown: &'a [Unknown<'a>],
    /// How many names were too many.
    pub dropped: usize,
}

/// What a server says of its use.
#[derive(Clone, Copy, Debug)]
pub struct Instructions<'a> {
    /// Its name.
    pub server: &'a str,
    /// Its instructions.
    pub text: &'a str,
}

/// A name that nothing has.
#[derive(Clone, Debug)]
pub struct Unknown<'a> {
    /// The name.
    pub name: &'a str,
    /// Those that may have been meant.
    pub nearest: Vec<&'a str>,
}

// === impl Described ===

impl Described<'_> {
    /// The answer. It is an error where none of the names is known.
    pub fn answer(&self) -> Answer {
        let mut bytes = 0;
        let mut given = Vec::new();
        let mut omitted = Vec::new();
        for tool in self.known {
            bytes += tool.definition.text().len();
            if bytes <= MAX_BYTES || given.is_empty() {
                given.push(tool.definition);
            } else {
                omitted.push(tool.name);
            }
        }
        let mut lines: Vec<String> = given.iter().map(|definition| definition.as_str().to_owned()).collect();
        lines.extend(self.servers.iter().map(|server| format!("{}: {}", server.server, server.text)));
        lines.extend(self.unknown.iter().map(Unknown::line));
        if !omitted.is_empty() {
            lines.push(format!("Too long for one answer, ask for them alone: {}", omitted.join(", ")));
        }
        if self.dropped > 0 {
            lines.push(format!("{} more names were not looked up.", self.dropped));
        }
        let is_error = given.is_empty() && self.servers.is_empty();
        Answer { text: lines.join("\n"), structured: self.structured(&given, &omitted), is_error }
    }

    fn structured(&self, given: &[&Json], omitted: &[&str]) -> Object {
        let mut object = Object::new().with("tools", Json::array_of(given.iter().copied()));
        if !self.servers.is_empty() {
            let rows: Vec<Json> = self.servers.iter().map(Instructions::structured).collect();
            object.set("servers", Json::array_of(&rows));
        }
        if !self.unknown.is_empty() {
            let rows: Vec<Json> = self.unknown.iter().map(Unknown::structured).collect();
            object.set("unknown", Json::array_of(&rows));
        }
        if !omitted.is_empty() {
            object.set("omitted", strings(omitted));
        }
        if self.dropped > 0 {
            object.set("dropped", Json::integer(self.dropped as u64));
        }
        object
    }
}

// === impl Instructions ===

impl Instructions<'_> {
    fn structured(&self) -> Json {
        Object::new().with("name", Json::string(self.server)).with("instructions", Json::string(self.text)).to_json()
    }
}

// === impl Unknown ===

impl Unknown<'_> {
    pub(super) fn line(&self) -> String {
        let name: String = self.name.chars().take(100).collect();
        if self.nearest.is_empty() {
            format!("Unknown tool: {name}. Use {} to find tools.", crate::surface::SurfaceTool::Search.name())
        } else {
            format!("Unknown tool: {name}. Did you mean {}?", self.nearest.join(", "))
        }
    }

    pub(super) fn structured(&self) -> Json {
        Object::new().with("name", Json::string(self.name)).with("nearest", strings(&self.nearest)).to_json()
    }
}
