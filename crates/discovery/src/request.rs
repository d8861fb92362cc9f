//! What a model asks of the surface, read with understanding: one or several, a string or a list, a neighbouring word.
//!
//! A model that has to be told how to ask has lost a turn. What no reading makes sense of is answered with what was wrong
//! and an example.

use toolgate_protocol::{Json, Object};

use crate::surface::SurfaceTool;

/// As many needs are answered at once; more in one call would leave each of them a line or two.
pub const MAX_QUERIES: usize = 10;
/// As many tools are described at once.
pub const MAX_NAMES: usize = 20;
/// A longer need is cut, in characters.
pub const MAX_QUERY: usize = 500;

/// A request to one of the tools of the surface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// To find tools.
    Search(Search),
    /// To describe some.
    Describe(Describe),
    /// To call one.
    Call(Call),
}

/// What is looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// The needs; none asks for an overview.
    pub queries: Vec<String>,
    /// Only tools of this server.
    pub server: Option<String>,
    /// At most so many hits for each need.
    pub limit: Option<usize>,
    /// How many needs were too many.
    pub dropped: usize,
}

/// What is to be described.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Describe {
    /// The names of tools, or of servers.
    pub names: Vec<String>,
    /// How many names were too many.
    pub dropped: usize,
}

/// What is to be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The tool's name.
    pub name: String,
    /// Its arguments as they came; an empty object where none did.
    pub arguments: Json,
    /// Whether the tool must be one that only reads.
    pub only_reads: bool,
}

/// A request that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misuse {
    /// To which tool.
    pub tool: SurfaceTool,
    /// What is wrong with it.
    pub message: String,
}

// === impl Request ===

impl Request {
    /// Reads the arguments of a call to `tool`. Without `lenient`, parameters have the names that the schema gives them.
    pub fn read(tool: SurfaceTool, arguments: Option<&Json>, lenient: bool) -> Result<Self, Misuse> {
        let arguments = members(arguments).map_err(|message| Misuse { tool, message })?;
        let words = Words { arguments, lenient };
        let read = match tool {
            SurfaceTool::Search => words.search().map(Self::Search),
            SurfaceTool::Describe => words.describe().map(Self::Describe),
            SurfaceTool::Call => words.call(false).map(Self::Call),
            SurfaceTool::CallRead => words.call(true).map(Self::Call),
        };
        read.map_err(|message| Misuse { tool, message })
    }
}

/// The members of the arguments, also where the whole is spelled as a string.
fn members(arguments: Option<&Json>) -> Result<Object, String> {
    let Some(arguments) = arguments.filter(|arguments| !arguments.is_null()) else { return Ok(Object::new()) };
    let spelled = arguments.as_string().and_then(|text| Json::parse(text.trim().to_owned().into()).ok());
    spelled.as_ref().unwrap_or(arguments).object().map_err(|error| format!("arguments: {error}"))
}

/// The arguments by the words that models use for them.
struct Words {
    arguments: Object,
    lenient: bool,
}

const QUERIES: &[&str] = &["queries", "query", "needs", "need", "q", "search"];
const SERVER: &[&str] = &["server", "server_name", "upstream"];
const LIMIT: &[&str] = &["limit", "max_results", "top_k", "k", "n"];
const NAMES: &[&str] = &["names", "name", "tools", "tool", "tool_names", "tool_name"];
const NAME: &[&str] = &["name", "tool", "tool_name"];
const ARGUMENTS: &[&str] = &["arguments", "args", "parameters", "params", "input"];

// === impl Words ===

impl Words {
    /// The value under the first of `words` that is there and not null.
    fn find(&self, words: &[&str]) -> Option<&Json> {
        let words = if self.lenient { words } else { &words[..1] };
        words.iter().find_map(|word| self.arguments.get(word)).filter(|value| !value.is_null())
    }

    /// The name of an argument that is none of `known`.
    fn stranger(&self, known: &[&[&str]]) -> Option<String> {
        let is_known = |name: &str| known.iter().any(|words| words.contains(&name));
        self.arguments
            .members()
            .map(|member| member.name())
            .find(|name| !is_known(name))
            .map(|name| name.chars().take(64).collect())
    }

    fn search(&self) -> Result<Search, String> {
        let server = match self.find(SERVER) {
            Some(server) => Some(server.as_string().ok_or("server: a string is needed")?.trim().to_owned())
                .filter(|name| !name.is_empty()),
            None => None,
        };
        let limit = self.find(LIMIT).map(|limit| count(limit).ok_or("limit: a whole number is needed")).transpose()?;
        // Hosts that make every parameter a required one have their models say 0 for none.
        let limit = limit.filter(|limit| *limit > 0);
        let Some(queries) = self.find(QUERIES) else {
            return match self.stranger(&[QUERIES, SERVER, LIMIT]) {
                Some(name) => Err(format!("`{name}` is no parameter; there are queries, server and limit")),
                None => Ok(Search { queries: Vec::new(), server, limit, dropped: 0 }),
            };
        };
        let queries = texts(queries).ok_or("queries: a list of strings is needed")?;
        let mut queries: Vec<String> =
            queries.iter().map(|query| plain(query)).filter(|query| !query.is_empty()).collect();
        let dropped = queries.len().saturating_sub(MAX_QUERIES);
        queries.truncate(MAX_QUERIES);
        Ok(Search { queries, server, limit, dropped })
    }

    fn describe(&self) -> Result<Describe, String> {
        let names = self.find(NAMES).ok_or("names: missing")?;
        let names = texts(names).ok_or("names: a list of strings is needed")?;
        let mut unique: Vec<String> = Vec::new();
        for name in names.iter().map(|name| name.trim()).filter(|name| !name.is_empty()) {
            if unique.len() <= MAX_NAMES && !unique.iter().any(|earlier| earlier == name) {
                unique.push(name.chars().take(MAX_QUERY).collect());
            }
        }
        if unique.is_empty() {
            return Err("names: none given".into());
        }
        let dropped = if unique.len() > MAX_NAMES { names.len().saturating_sub(MAX_NAMES) } else { 0 };
        unique.truncate(MAX_NAMES);
        Ok(Describe { names: unique, dropped })
    }

    fn call(mut self, only_reads: bool) -> Result<Call, String> {
        let name = self.find(NAME).ok_or("name: missing")?.as_string().ok_or("name: a string is needed")?;
        let name = name.trim().to_owned();
        if name.is_empty() {
            return Err("name: empty".into());
        }
        let arguments = match self.find(ARGUMENTS) {
            Some(arguments) => arguments.clone(),
            None if self.lenient => {
                // The tool's own arguments beside its name can mean only one thing.
                self.arguments.retain(|member| !NAME.contains(&member.name()) && !ARGUMENTS.contains(&member.name()));
                self.arguments.to_json()
            }
            None => Json::literal("{}"),
        };
        Ok(Call { name, arguments, only_reads })
    }
}

/// One string or a list of them, also where the list is spelled as a string.
fn texts(value: &Json) -> Option<Vec<String>> {
    if let Some(text) = value.as_string() {
        let spelled =
            text.trim_start().starts_with('[').then(|| serde_json::from_str::<Vec<String>>(&text).ok()).flatten();
        return Some(spelled.unwrap_or_else(|| vec![text]));
    }
    value.read().ok()
}

/// A whole number, also where it is spelled as a string.
fn count(value: &Json) -> Option<usize> {
    let count = match value.as_string() {
        Some(text) => text.trim().parse().ok()?,
        None => value.as_u64()?,
    };
    usize::try_from(count).ok()
}

/// A need without line breaks and other controls, cut where it is no short phrase at all.
fn plain(query: &str) -> String {
    let printable: String = query.chars().take(MAX_QUERY).map(|c| if c.is_control() { ' ' } else { c }).collect();
    printable.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tool: SurfaceTool, arguments: &'static str) -> Result<Request, Misuse> {
        Request::read(tool, Some(&Json::literal(arguments)), true)
    }

    fn queries(arguments: &'static str) -> Vec<String> {
        match read(SurfaceTool::Search, arguments) {
            Ok(Request::Search(search)) => search.queries,
            other => vec![format!("{other:?}")],
        }
    }

    #[test]
    fn one_need_or_several_in_any_spelling() {
        for spelling in [
            r#"{"queries":["send mail"]}"#,
            r#"{"queries":"send  mail\n"}"#,
            r#"{"query":"send mail"}"#,
            r#"{"queries":"[\"send mail\"]"}"#,
            r#""{\"queries\":[\"send mail\"]}""#,
        ] {
            assert_eq!(queries(spelling), ["send mail"], "{spelling}");
        }
        assert!(queries(r#"{"queries":["", "  "]}"#).is_empty());
        assert!(queries("{}").is_empty());
    }

    #[test]
    fn a_million_words_become_a_need() {
        let query = Json::of(&serde_json::json!({"queries": ["word ".repeat(1_000_000)]})).unwrap();
        let Ok(Request::Search(search)) = Request::read(SurfaceTool::Search, Some(&query), true) else { panic!() };
        assert!(search.queries[0].chars().count() <= MAX_QUERY);
        let many = Json::of(&serde_json::json!({"queries": vec!["x"; 1000]})).unwrap();
        let Ok(Request::Search(search)) = Request::read(SurfaceTool::Search, Some(&many), true) else { panic!() };
        assert_eq!((search.queries.len(), search.dropped), (MAX_QUERIES, 990));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let message = |tool, arguments| read(tool, arguments).unwrap_err().message;
        assert_eq!(message(SurfaceTool::Search, r#"{"queries":7}"#), "queries: a list of strings is needed");
        assert_eq!(message(SurfaceTool::Search, r#"{"limit":-1}"#), "limit: a whole number is needed");
        assert_eq!(
            message(SurfaceTool::Search, r#"{"words":"x"}"#),
            "`words` is no parameter; there are queries, server and limit"
        );
        assert_eq!(message(SurfaceTool::Describe, r#"{"names":[]}"#), "names: none given");
        assert_eq!(message(SurfaceTool::Call, r#"{"arguments":{}}"#), "name: missing");
    }

    #[test]
    fn the_arguments_of_a_call_are_the_bytes_that_came() {
        let call = |arguments| match read(SurfaceTool::Call, arguments) {
            Ok(Request::Call(call)) => call.arguments.as_str().to_owned(),
            other => format!("{other:?}"),
        };
        assert_eq!(call(r#"{"name":"a","arguments":{ "x":1e2 }}"#), r#"{ "x":1e2 }"#);
        assert_eq!(call(r#"{"name":"a","x":1e2}"#), r#"{"x":1e2}"#);
        assert_eq!(call(r#"{"name":"a"}"#), "{}");
        assert_eq!(call(r#"{"name":"a","arguments":"{}"}"#), r#""{}""#);
    }

    #[test]
    fn strict_reading_takes_the_names_of_the_schema() {
        let arguments = Json::literal(r#"{"name":"a","x":1}"#);
        let Ok(Request::Call(call)) = Request::read(SurfaceTool::Call, Some(&arguments), false) else { panic!() };
        assert_eq!(call.arguments.as_str(), "{}");
    }
}
