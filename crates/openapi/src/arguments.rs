//! Parameters and body of an operation as the arguments of a tool: one flat list of names, each with a place of its own.
//!
//! Where two want the same name, the path has it before the query, the query before headers and cookies, and these before the
//! body; the later one is named after its place as well: `id` and `id_body`.

use std::collections::HashSet;

use indexmap::IndexMap;

use crate::body::{Body, Kind, Member};
use crate::document::{Document, brief};
use crate::encode::{Spelling, Style};
use crate::plan::{Param, Place, Value};
use crate::schema::Schemas;
use crate::tree::{Members, Node};

/// Headers that the gateway or HTTP itself sets, or that OpenAPI says to take from elsewhere.
const NOT_ARGUMENTS: [&str; 13] = [
    "accept",
    "content-type",
    "authorization",
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "upgrade",
    "te",
    "trailer",
    "cookie",
    "proxy-authorization",
    "expect",
];

/// What one operation takes.
pub(crate) struct Arguments {
    pub(crate) params: Vec<Param>,
    pub(crate) body: Body,
    /// The schema of each argument, converted and not closed.
    pub(crate) schemas: IndexMap<String, Node>,
    pub(crate) required: Vec<String>,
    /// Whether there may be more, and what it must be.
    pub(crate) more: Option<Node>,
    /// What was left out, in words.
    pub(crate) faults: Vec<String>,
}

/// Reads the arguments of operations.
pub(crate) struct Reader<'r, 'd> {
    pub(crate) document: &'d Document,
    pub(crate) schemas: &'r mut Schemas<'d>,
    /// Headers and query names that the gateway sends itself, in lower case.
    pub(crate) fixed: &'r HashSet<String>,
}

// === impl Reader ===

impl<'d> Reader<'_, 'd> {
    /// The arguments of an operation with these path places.
    pub(crate) fn read(&mut self, item: &'d Node, operation: &'d Node, places: &[String]) -> Arguments {
        let mut arguments = Arguments {
            params: Vec::new(),
            body: Body::None,
            schemas: IndexMap::new(),
            required: Vec::new(),
            more: None,
            faults: Vec::new(),
        };
        let mut found = self.parameters(item, operation, &mut arguments.faults);
        // What the document forgot to declare is a text.
        for place in places {
            if !found.iter().any(|(at, name, _)| *at == Place::Path && name == place) {
                found.push((Place::Path, place.clone(), &Node::Null));
            }
        }
        found.retain(|(at, name, _)| *at != Place::Path || places.contains(name));
        found.sort_by_key(|(place, _, _)| *place);
        for (place, name, parameter) in found {
            self.parameter(place, &name, parameter, &mut arguments);
        }
        if let Some(body) = operation.get("requestBody") {
            match self.document.resolve(body) {
                Ok(body) => self.body(body, &mut arguments),
                Err(why) => arguments.faults.push(format!("its body: {why}")),
            }
        }
        arguments
    }

    /// The parameters of an operation: its own before those of its path.
    fn parameters(
        &self,
        item: &'d Node,
        operation: &'d Node,
        faults: &mut Vec<String>,
    ) -> Vec<(Place, String, &'d Node)> {
        let mut found: Vec<(Place, String, &'d Node)> = Vec::new();
        let lists = [operation, item].into_iter().filter_map(|holder| holder.get("parameters"));
        for parameter in lists.flat_map(Node::items) {
            let parameter = match self.document.resolve(parameter) {
                Ok(parameter) => parameter,
                Err(why) => {
                    faults.push(format!("a parameter: {why}"));
                    continue;
                }
            };
            let place = parameter.text_of("in").and_then(Place::of);
            let (Some(place), Some(name)) = (place, parameter.text_of("name").filter(|name| !name.is_empty())) else {
                faults.push("a parameter without a name or a place".to_owned());
                continue;
            };
            let is_there = |(at, known, _): &(Place, String, _)| *at == place && known == name;
            if !found.iter().any(is_there) && self.is_argument(place, name, faults) {
                found.push((place, name.to_owned(), parameter));
            }
        }
        found
    }

    fn is_argument(&self, place: Place, name: &str, faults: &mut Vec<String>) -> bool {
        let lower = name.to_ascii_lowercase();
        match place {
            Place::Path => true,
            Place::Query => !self.fixed.contains(&format!("?{name}")),
            Place::Header if NOT_ARGUMENTS.contains(&&*lower) || self.fixed.contains(&lower) => false,
            Place::Header | Place::Cookie => {
                let is_token =
                    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
                if !is_token {
                    faults.push(format!("`{}` is not a name for a {}", brief(name, 60), place.as_str()));
                }
                is_token
            }
        }
    }

    fn parameter(&mut self, place: Place, name: &str, parameter: &'d Node, arguments: &mut Arguments) {
        let content = parameter.get("content").and_then(Node::members).and_then(|kinds| kinds.values().next());
        let schema = parameter.get("schema").or_else(|| content.and_then(|content| content.get("schema")));
        let mut converted = match schema {
            Some(schema) => self.schemas.convert(schema),
            None if place == Place::Path => Node::map([("type", Node::text("string"))]),
            None => Node::map([]),
        };
        let told = parameter.text_of("description").filter(|text| !text.is_empty());
        if let (Some(told), Node::Map(members)) = (told, &mut converted) {
            members.insert("description".to_owned(), Node::text(told));
        }
        if let (Some(example), Node::Map(members)) = (parameter.get("example"), &mut converted)
            && example.size() < 300
            && !members.contains_key("examples")
        {
            members.insert("examples".to_owned(), Node::List(vec![example.clone()]));
        }
        let required = place == Place::Path || parameter.is_set("required");
        let argument = arguments.name(name, place.as_str());
        arguments.add(&argument, converted, required);
        let mut spelling = Spelling::of(parameter, place.as_str());
        // A list in deep style is a fault, or Rails' way: `name[]=a`, which is what its name then says.
        if spelling.style == Style::Deep && schema.is_some_and(|schema| schema.text_of("type") == Some("array")) {
            spelling = Spelling { style: Style::Form, explode: true, ..spelling };
        }
        let name = if place == Place::Header { name.to_ascii_lowercase() } else { name.to_owned() };
        arguments.params.push(Param { name, place, value: Value::Argument(argument), spelling, required });
    }

    fn body(&mut self, body: &'d Node, arguments: &mut Arguments) {
        let Some((media, content)) = best(body) else {
            return;
        };
        let schema = content.get("schema").unwrap_or(&Node::Null);
        let resolved = match self.document.resolve(schema) {
            Ok(resolved) => resolved,
            Err(why) => {
                arguments.faults.push(format!("its body: {why}"));
                &Node::Null
            }
        };
        let flat = self.schemas.flatten(resolved);
        let object = flat.as_ref().unwrap_or(resolved);
        let kind = self.kind(media, content, object);
        // Many documents forget to say `required`, and mean it where the schema has required members.
        let required = match body.get("required") {
            Some(Node::Bool(required)) => *required,
            _ => !object.get("required").map(Node::items).unwrap_or_default().is_empty(),
        };
        match object.get("properties").and_then(Node::members).filter(|_| kind.takes_members() && is_object(object)) {
            Some(properties) => self.members(object, properties, kind, required, arguments),
            None => {
                let told = body.text_of("description");
                let mut converted = match &kind {
                    Kind::Bytes(_) => Node::map([
                        ("type", Node::text("string")),
                        ("description", Node::text("The bytes in base64, or as a `data:` URL.")),
                        ("contentEncoding", Node::text("base64")),
                    ]),
                    Kind::Text(_) => Node::map([("type", Node::text("string"))]),
                    _ => self.schemas.convert(schema),
                };
                if let (Some(told), Node::Map(members)) = (told, &mut converted)
                    && !members.contains_key("description")
                {
                    members.insert("description".into(), Node::text(told));
                }
                let argument = arguments.name("body", "request");
                arguments.add(&argument, converted, required);
                arguments.body = Body::Whole { argument, kind, required };
            }
        }
    }

    fn members(&mut self, object: &Node, properties: &Members, kind: Kind, required: bool, arguments: &mut Arguments) {
        let needed: HashSet<&str> =
            object.get("required").into_iter().flat_map(Node::items).filter_map(Node::as_text).collect();
        let mut members = Vec::new();
        for (name, schema) in properties {
            if self.schemas.is_read_only(schema) {
                continue;
            }
            let converted = match kind.is_file(name) {
                true => file_schema(schema),
                false => self.schemas.convert(schema),
            };
            let is_needed = needed.contains(name.as_str());
            let argument = arguments.name(name, "body");
            arguments.add(&argument, converted, is_needed && required);
            members.push(Member { argument, name: name.clone(), required: is_needed });
        }
        let more = match object.get("additionalProperties") {
            Some(Node::Bool(true)) => Some(Node::map([])),
            Some(schema @ Node::Map(_)) => Some(self.schemas.convert(schema)),
            _ => None,
        };
        arguments.body = Body::Members { members, more: more.is_some(), kind, required };
        arguments.more = more;
    }

    fn kind(&self, media: &str, content: &Node, object: &Node) -> Kind {
        let essence = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let encoding = |name: &str| content.get("encoding").and_then(|all| all.get(name));
        let properties = || object.get("properties").and_then(Node::members).into_iter().flatten();
        match &*essence {
            "application/x-www-form-urlencoded" => {
                let spelled = properties().filter_map(|(name, _)| {
                    let encoding = encoding(name)?;
                    let has_some = encoding.get("style").is_some() || encoding.get("explode").is_some();
                    has_some.then(|| (name.clone(), Spelling::of(encoding, "query")))
                });
                Kind::Form(spelled.collect())
            }
            "multipart/form-data" => {
                let files = properties().filter_map(|(name, schema)| {
                    let media = encoding(name).and_then(|encoding| encoding.text_of("contentType"));
                    let of_item = schema.get("items").unwrap_or(&Node::Null);
                    let is_file = [schema, of_item].iter().any(|one| self.document.resolve(one).is_ok_and(is_binary));
                    let media = media.filter(|media| !media.contains([',', '*', '\r', '\n']));
                    is_file.then(|| (name.clone(), media.unwrap_or("application/octet-stream").to_owned()))
                });
                Kind::Multipart(files.collect())
            }
            "*/*" | "application/*" => Kind::Json("application/json".into()),
            json if is_json(json) => Kind::Json(media.to_owned()),
            text if is_text(text) => Kind::Text(media.to_owned()),
            _ if object.text_of("type") == Some("string") && !is_binary(object) => Kind::Text(media.to_owned()),
            _ if object.get("properties").is_some() => Kind::Json(media.to_owned()),
            other => {
                Kind::Bytes(if other.contains('*') { "application/octet-stream".into() } else { media.to_owned() })
            }
        }
    }
}

/// The content of a body that can be written best.
fn best(body: &Node) -> Option<(&str, &Node)> {
    let rank = |media: &str| {
        let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match &*media {
            "application/json" => 0,
            json if is_json(json) => 1,
            "*/*" | "application/*" => 2,
            "application/x-www-form-urlencoded" => 3,
            "multipart/form-data" => 4,
            text if is_text(text) => 5,
            _ => 6,
        }
    };
    let legal = |media: &str| media.contains('/') && media.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    body.get("content")?.pairs().filter(|(media, _)| legal(media)).min_by_key(|(media, _)| rank(media))
}

pub(crate) fn is_json(media: &str) -> bool {
    media == "application/json" || media == "text/json" || media.ends_with("+json")
}

pub(crate) fn is_text(media: &str) -> bool {
    media.starts_with("text/")
        || media.ends_with("+xml")
        || matches!(
            media,
            "application/xml"
                | "application/yaml"
                | "application/x-yaml"
                | "application/x-ndjson"
                | "application/jsonl"
                | "application/graphql"
                | "application/javascript"
                | "application/sdp"
                | "application/csv"
        )
}

fn is_object(schema: &Node) -> bool {
    let excluded = ["oneOf", "anyOf", "allOf", "not", "if"].iter().any(|key| schema.get(key).is_some());
    let kind = match schema.get("type") {
        None => true,
        Some(Node::Text(kind)) => kind == "object",
        Some(Node::List(kinds)) => kinds.iter().any(|kind| kind.as_text() == Some("object")),
        _ => false,
    };
    kind && !excluded
}

fn is_binary(schema: &Node) -> bool {
    schema.text_of("format") == Some("binary")
        || schema.text_of("type") == Some("file")
        || schema.text_of("contentMediaType").is_some() && schema.get("contentEncoding").is_none()
}

/// The schema of a file in a form, which arguments hold in base64.
fn file_schema(schema: &Node) -> Node {
    let told = schema.text_of("description").map(|told| format!("{told}\n\n")).unwrap_or_default();
    let told = format!("{told}The file's bytes in base64 or as a `data:` URL, or `{{\"filename\": …, \"data\": …}}`.");
    let kinds = ["string", "object", "array"].map(Node::text).to_vec();
    let kinds = if schema.get("items").is_some() { kinds } else { kinds[..2].to_vec() };
    let mut file =
        Members::from_iter([("type".to_owned(), Node::List(kinds)), ("description".to_owned(), Node::text(told))]);
    if schema.get("items").is_some() {
        file.insert("items".into(), Node::map([]));
    }
    Node::Map(file)
}

// === impl Kind ===

impl Kind {
    /// Whether it is written of an object's members.
    fn takes_members(&self) -> bool {
        matches!(self, Self::Json(_) | Self::Form(_) | Self::Multipart(_))
    }

    fn is_file(&self, name: &str) -> bool {
        matches!(self, Self::Multipart(files) if files.contains_key(name))
    }
}

// === impl Arguments ===

impl Arguments {
    /// A free name for an argument: its own as far as it is legal, or that with its place.
    fn name(&self, name: &str, place: &str) -> String {
        let name = &*legal(name);
        if !self.schemas.contains_key(name) {
            return name.to_owned();
        }
        let base = format!("{name}_{place}");
        let mut free = base.clone();
        let mut nth = 2;
        while self.schemas.contains_key(&free) {
            free = format!("{base}_{nth}");
            nth += 1;
        }
        free
    }

    fn add(&mut self, name: &str, schema: Node, required: bool) {
        self.schemas.insert(name.to_owned(), schema);
        if required {
            self.required.push(name.to_owned());
        }
    }
}

/// A name that model APIs take for an argument: of letters, digits, `_`, `-` and `.`, at most 64 (Anthropic). `page[size]` is
/// `page_size`, and `$top` is `top`.
fn legal(name: &str) -> String {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.chars().all(is_legal) && name.len() <= 60 {
        return name.to_owned();
    }
    let parts = name.split(|c: char| !is_legal(c)).filter(|part| !part.is_empty());
    let joined: String = parts.collect::<Vec<_>>().join("_").chars().take(52).collect();
    if joined.is_empty() { "argument".to_owned() } else { joined }
}
