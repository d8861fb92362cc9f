//! One operation of a document as a tool: its definition, and the plan of its requests.

use std::collections::HashSet;

use toolgate_protocol::{Json, Object};

use crate::api::{Options, cut_text};
use crate::arguments::{Arguments, Reader};
use crate::body::{Body, pieces};
use crate::document::{Document, brief};
use crate::inline::{Closed, cut, without_references};
use crate::output;
use crate::plan::{Param, Piece, Plan, Value};
use crate::schema::Schemas;
use crate::tree::{Members, Node};

/// The longest description of a tool, in characters.
const MAX_DESCRIPTION: usize = 2_000;
/// The longest title.
const MAX_TITLE: usize = 120;
/// The largest schema of a tool's arguments, in bytes, before what is deep in it is left out.
const MAX_SCHEMA: usize = 64 << 10;
/// The deepest one; a message may nest deeper than this by what is around a tool.
const MAX_NESTING: usize = 48;
/// So many levels are left of a schema that is too large; the first that makes it small enough counts.
const LEVELS: [usize; 4] = [10, 6, 4, 2];

/// An operation as a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// The name of the tool.
    pub name: String,
    /// The tool, as `tools/list` has it.
    pub definition: Json,
    /// How it is called.
    pub plan: Plan,
}

/// An operation as it stands in the document.
pub(crate) struct Wire<'a, 'd> {
    pub(crate) method: &'a str,
    pub(crate) path: &'d str,
    pub(crate) item: &'d Node,
    pub(crate) operation: &'d Node,
    pub(crate) name: &'a str,
}

/// Where requests go.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Scheme, host, port and the beginning of the path, without a slash at its end.
    pub(crate) base: String,
    /// A query that every request has.
    pub(crate) query: String,
    /// Whether servers of single operations count as well, and where the document is from.
    own: Option<Origin>,
}

/// Where a document is from.
#[derive(Clone, Debug)]
enum Origin {
    /// A file: it is believed.
    File,
    /// A URL.
    Url(String),
}

/// Reads one operation. The second is what is faulty in it.
pub(crate) fn read<'d>(
    document: &'d Document,
    schemas: &mut Schemas<'d>,
    closed: &mut Closed,
    fixed: &HashSet<String>,
    place: &Place,
    wire: &Wire<'_, 'd>,
) -> Result<(Operation, Vec<String>), String> {
    let (template, own_query) = path_of(wire.path)?;
    let slots = template.iter().filter_map(|piece| match piece {
        Piece::Argument(name) => Some(name.clone()),
        Piece::Text(_) => None,
    });
    let slots: Vec<String> = slots.collect();
    let mut arguments = Reader { document, schemas, fixed }.read(wire.item, wire.operation, &slots);
    let mut faults = std::mem::take(&mut arguments.faults);
    let path = template.into_iter().map(|piece| match piece {
        Piece::Argument(slot) => Piece::Argument(argument_of(&arguments.params, &slot)),
        text => text,
    });
    let path = path.collect();
    let output = output::of(document, wire.operation);
    let both = if place.query.is_empty() || own_query.is_empty() { "" } else { "&" };
    let plan = Plan {
        method: wire.method.to_owned(),
        base: place.base.clone(),
        path,
        query: format!("{}{both}{own_query}", place.query),
        known: arguments.schemas.keys().cloned().collect(),
        required: arguments.required.clone(),
        open: arguments.more.is_some(),
        declares_output: output.is_some(),
        params: std::mem::take(&mut arguments.params),
        body: std::mem::replace(&mut arguments.body, Body::None),
    };
    let input = input_schema(&arguments, schemas, closed, &mut faults);
    let definition = definition(wire, &input, output.as_ref());
    Ok((Operation { name: wire.name.to_owned(), definition, plan }, faults))
}

/// The argument that fills a place of the path.
fn argument_of(params: &[Param], slot: &str) -> String {
    let found = params.iter().find(|param| param.place == crate::plan::Place::Path && param.name == slot);
    match found.map(|param| &param.value) {
        Some(Value::Argument(argument)) => argument.clone(),
        _ => slot.to_owned(),
    }
}

/// A path as pieces, and the query that some documents put behind it.
fn path_of(path: &str) -> Result<(Vec<Piece>, String), String> {
    let path = path.split('#').next().unwrap_or_default();
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    if path.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err("its path holds `.` or `..`".into());
    }
    // `{id*}` and `{+path}` are RFC 6570's, which OpenAPI does not know and documents hold all the same.
    let path = path.replace("{+", "{").replace("*}", "}");
    let slash = if path.starts_with('/') { "" } else { "/" };
    let pieces = pieces(&format!("{slash}{path}"));
    let legal = pieces.into_iter().map(|piece| match piece {
        Piece::Text(text) => Piece::Text(safe(&text)),
        argument => argument,
    });
    let query = if query.contains('{') { String::new() } else { safe(query) };
    Ok((legal.collect(), query))
}

/// A part of a URL from a document: what no URL may hold is encoded, the rest stays.
fn safe(text: &str) -> String {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?@!$&'()*+,;=%".contains(&byte);
    text.bytes().fold(String::new(), |mut out, byte| {
        match is_legal(byte) {
            true => out.push(byte.into()),
            false => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

fn input_schema(arguments: &Arguments, schemas: &Schemas<'_>, closed: &mut Closed, faults: &mut Vec<String>) -> Node {
    let mut properties = Members::new();
    for (name, schema) in &arguments.schemas {
        properties.insert(name.clone(), closed.close(schema, &schemas.defs));
    }
    let more = match &arguments.more {
        Some(schema) => closed.close(schema, &schemas.defs),
        None => Node::Bool(false),
    };
    let mut used: Vec<&Node> = properties.values().collect();
    used.push(&more);
    let Some(defs) = closed.needed(&used) else {
        let more = Node::Bool(arguments.more.is_some());
        let bare = properties.iter().map(|(name, schema)| (name.clone(), without_references(schema))).collect();
        return fitting(object(arguments, bare, more), arguments, faults);
    };
    let mut input = object(arguments, properties, more);
    if !defs.is_empty() {
        input.insert("$defs".to_owned(), Node::Map(defs));
    }
    fitting(input, arguments, faults)
}

/// The schema of an object with these arguments.
fn object(arguments: &Arguments, properties: Members, more: Node) -> Members {
    let mut input = Members::from_iter([("type".to_owned(), Node::text("object"))]);
    input.insert("properties".to_owned(), Node::Map(properties));
    if !arguments.required.is_empty() {
        input.insert("required".to_owned(), Node::List(arguments.required.iter().map(Node::text).collect()));
    }
    input.insert("additionalProperties".to_owned(), more);
    input
}

/// The schema, less deep where it is too large.
fn fitting(input: Members, arguments: &Arguments, faults: &mut Vec<String>) -> Node {
    let input = Node::Map(input);
    let fits = |schema: &Node| schema.size() <= MAX_SCHEMA && schema.depth() <= MAX_NESTING;
    if fits(&input) {
        return input;
    }
    faults.push("its arguments are described less deeply than in the document, which would be too much".to_owned());
    let cut = LEVELS.into_iter().map(|levels| without_unused(cut(&input, levels + 1)));
    cut.into_iter().find(fits).unwrap_or_else(|| bare(arguments))
}

/// A cut schema without the definitions that nothing refers to any more.
fn without_unused(mut schema: Node) -> Node {
    let Node::Map(members) = &mut schema else { return schema };
    let Some(Node::Map(defs)) = members.shift_remove("$defs") else { return schema };
    let mut kept = Members::new();
    let mut waiting = crate::inline::names_in(&Node::Map(members.clone()));
    while let Some(name) = waiting.pop() {
        if let Some(schema) = defs.get(&name).filter(|_| !kept.contains_key(&name)) {
            waiting.extend(crate::inline::names_in(schema));
            kept.insert(name, schema.clone());
        }
    }
    if !kept.is_empty() {
        members.insert("$defs".to_owned(), Node::Map(kept));
    }
    schema
}

/// The names alone, for what is too large in any other way.
fn bare(arguments: &Arguments) -> Node {
    let names = arguments.schemas.keys().take(500);
    let required = arguments.required.iter().take(500).map(Node::text).collect();
    Node::map([
        ("type", Node::text("object")),
        ("properties", Node::Map(names.map(|name| (name.clone(), Node::map([]))).collect())),
        ("required", Node::List(required)),
    ])
}

fn definition(wire: &Wire<'_, '_>, input: &Node, output: Option<&Node>) -> Json {
    let summary = wire.operation.text_of("summary").or_else(|| wire.item.text_of("summary")).map(str::trim);
    let summary = summary.filter(|summary| !summary.is_empty());
    let told = wire.operation.text_of("description").or_else(|| wire.item.text_of("description")).map(str::trim);
    let told = told.filter(|told| !told.is_empty());
    let mut description = match (summary, told) {
        (Some(summary), Some(told)) if told.starts_with(summary) => told.to_owned(),
        (Some(summary), Some(told)) => format!("{summary}\n\n{told}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => format!("{} {}", wire.method, wire.path),
    };
    if wire.operation.is_set("deprecated") {
        description.insert_str(0, "Deprecated. ");
    }
    let mut tool = Object::new().with("name", Json::string(wire.name));
    if let Some(summary) = summary {
        tool.set("title", Json::string(&brief(summary, MAX_TITLE)));
    }
    tool.set("description", Json::string(&cut_text(&description, MAX_DESCRIPTION)));
    tool.set("inputSchema", input.to_json());
    if let Some(output) = output {
        tool.set("outputSchema", output.to_json());
    }
    tool.with("annotations", annotations(wire.method)).to_json()
}

/// What a verb promises (RFC 9110, 9.2). What it does not promise is left open.
pub(crate) fn annotations(method: &str) -> Json {
    let truth = |value: bool| Json::literal(if value { "true" } else { "false" });
    let reads = matches!(method, "GET" | "HEAD");
    let mut hints = Object::new().with("readOnlyHint", truth(reads));
    match method {
        "GET" | "HEAD" => hints.set("destructiveHint", truth(false)),
        "DELETE" => hints.set("destructiveHint", truth(true)),
        _ => {}
    }
    if !matches!(method, "POST" | "PATCH") {
        hints.set("idempotentHint", truth(true));
    }
    hints.with("openWorldHint", truth(true)).to_json()
}

// === impl Place ===

impl Place {
    /// Where the requests of a document go.
    pub(crate) fn of(root: &Node, options: &Options<'_>) -> Result<Self, String> {
        if let Some(base) = options.base_url {
            return Self::at(base, None);
        }
        let origin = match options.document_url {
            Some(url) => Origin::Url(url.to_owned()),
            None => Origin::File,
        };
        let server = root.get("servers").and_then(|servers| servers.items().first());
        Self::server(server.unwrap_or(&Node::Null), origin)
    }

    /// The same for one operation, which may have servers of its own.
    pub(crate) fn for_operation(&self, item: &Node, operation: &Node) -> Result<Self, String> {
        let own = [operation, item].into_iter().find_map(|holder| holder.get("servers")?.items().first());
        match (own, &self.own) {
            (Some(server), Some(origin)) => {
                let other = Self::server(server, origin.clone())?;
                if origin_of(&other.base) != origin_of(&self.base) {
                    let host = brief(origin_of(&other.base), 100);
                    return Err(format!("it is served by another host, {host}; `base_url` would send it to one"));
                }
                Ok(Self { query: self.query.clone(), ..other })
            }
            _ => Ok(self.clone()),
        }
    }

    fn server(server: &Node, origin: Origin) -> Result<Self, String> {
        let url = with_defaults(server);
        let absolute = url.starts_with("http://") || url.starts_with("https://");
        match &origin {
            Origin::File if absolute => Self::at(&url, Some(origin)),
            Origin::File => Err("it does not say where its API is; set `base_url`".to_owned()),
            Origin::Url(from) => {
                let url = if absolute { url } else { joined(from, &url) };
                if origin_of(&url) != origin_of(from) {
                    // What is fetched must not choose whom the gateway's credentials and requests go to.
                    let host = brief(origin_of(&url), 100);
                    return Err(format!("it says that its API is at {host}, another host; if so, set `base_url`"));
                }
                Self::at(&url, Some(origin))
            }
        }
    }

    fn at(url: &str, own: Option<Origin>) -> Result<Self, String> {
        let url = url.split('#').next().unwrap_or_default();
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let host = origin_of(base).split_once("://").map(|(_, host)| host).unwrap_or_default();
        let is_plain = base.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte));
        if host.is_empty() || host.contains('@') || !is_plain {
            return Err(format!("`{}` is not where an API can be; set `base_url`", brief(base, 120)));
        }
        Ok(Self { base: base.trim_end_matches('/').to_owned(), query: safe(query), own })
    }
}

/// Scheme, host and port of an absolute URL.
pub(crate) fn origin_of(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |at| start + at);
    &url[..end]
}

/// A server's URL with the defaults of its variables.
fn with_defaults(server: &Node) -> String {
    let mut url = server.text_of("url").unwrap_or("/").trim().to_owned();
    for (name, variable) in server.get("variables").into_iter().flat_map(Node::pairs) {
        let default = match variable.get("default") {
            Some(Node::Text(default)) => default.clone(),
            Some(Node::Number(default)) => default.to_string(),
            _ => continue,
        };
        url = url.replace(&format!("{{{name}}}"), &default);
    }
    url
}

/// A relative URL as seen from where the document is.
fn joined(from: &str, url: &str) -> String {
    let origin = origin_of(from);
    if let Some(rest) = url.strip_prefix("//") {
        let scheme = from.split("://").next().unwrap_or("https");
        return format!("{scheme}://{rest}");
    }
    if url.starts_with('/') {
        return format!("{origin}{url}");
    }
    let path = from[origin.len()..].split(['?', '#']).next().unwrap_or_default();
    let folder = path.rfind('/').map_or("/", |at| &path[..=at]);
    format!("{origin}{folder}{}", url.trim_start_matches("./"))
}
