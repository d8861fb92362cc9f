//! A tool that is one HTTP request, described in the config instead of a document.

use toolgate_protocol::{Json, Object};

use crate::body::{Body, Kind, pieces};
use crate::encode::{Spelling, Style};
use crate::operation::{Operation, annotations, origin_of};
use crate::plan::{Param, Piece, Place, Plan, Value};
use crate::tree::{Members, Node};

/// One HTTP request with places for arguments in it, written `{name}`.
#[derive(Clone, Debug)]
pub struct Description {
    /// The name of the tool.
    pub name: String,
    /// What people are shown.
    pub title: Option<String>,
    /// What it is for.
    pub description: String,
    /// The verb.
    pub method: String,
    /// Absolute; its host has no places.
    pub url: String,
    /// Beside what the URL's own query has.
    pub query: Vec<(String, String)>,
    /// Headers with places in them; those without are the caller's to send.
    pub headers: Vec<(String, String)>,
    /// What is sent.
    pub body: Option<Sent>,
    /// The schema of the arguments; without it, each place is a text that must be given.
    pub input: Option<Node>,
}

/// What a described tool sends.
#[derive(Clone, Debug)]
pub enum Sent {
    /// A tree, as JSON.
    Json(Node),
    /// A text.
    Text(String),
    /// Pairs, as a form.
    Form(Vec<(String, String)>),
}

// === impl Description ===

impl Description {
    /// The tool and its plan.
    ///
    /// # Errors
    /// What is wrong with the description.
    pub fn operation(&self) -> Result<Operation, String> {
        let origin = origin_of(&self.url);
        let is_http = origin.starts_with("http://") || origin.starts_with("https://");
        if !is_http || origin.contains(['{', '}', '@', '\\']) || origin.ends_with("://") {
            return Err("its `url` must begin with `https://` or `http://` and a host without places".to_owned());
        }
        let rest = self.url[origin.len()..].split('#').next().unwrap_or_default();
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let path = pieces(path);
        let mut params: Vec<Param> = path.iter().filter_map(|piece| self.path_param(piece)).collect();
        let own = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
            (decoded(name), decoded(value))
        });
        let own: Vec<(String, String)> = own.chain(self.query.iter().cloned()).collect();
        params.extend(own.iter().map(|(name, value)| self.param(name, value, Place::Query)));
        params.extend(self.headers.iter().map(|(name, value)| self.param(name, value, Place::Header)));
        let places = self.places(&path, &params);
        let input = self.input_schema(&places)?;
        let known: Vec<String> =
            input.get("properties").into_iter().flat_map(Node::pairs).map(|(name, _)| name.to_owned()).collect();
        if let Some(lost) = places.iter().find(|place| !known.contains(place)) {
            return Err(format!("`{{{lost}}}` is no property of its `input`"));
        }
        let plan = Plan {
            method: self.method.to_ascii_uppercase(),
            base: origin.to_owned(),
            path,
            query: String::new(),
            known,
            required: input
                .get("required")
                .into_iter()
                .flat_map(Node::items)
                .filter_map(Node::as_text)
                .map(str::to_owned)
                .collect(),
            open: !matches!(input.get("additionalProperties"), Some(Node::Bool(false)) | None),
            declares_output: false,
            params,
            body: self.body(),
        };
        Ok(Operation { name: self.name.clone(), definition: self.definition(&input), plan })
    }

    fn path_param(&self, piece: &Piece) -> Option<Param> {
        match piece {
            Piece::Argument(name) => Some(Param {
                name: name.clone(),
                place: Place::Path,
                value: Value::Argument(name.clone()),
                spelling: Spelling { style: Style::Simple, explode: false, reserved: false },
                required: true,
            }),
            Piece::Text(_) => None,
        }
    }

    fn param(&self, name: &str, value: &str, place: Place) -> Param {
        let style = if place == Place::Header { Style::Simple } else { Style::Form };
        Param {
            name: if place == Place::Header { name.to_ascii_lowercase() } else { name.to_owned() },
            place,
            value: Value::Template(pieces(value)),
            spelling: Spelling { style, explode: true, reserved: false },
            // What may be missing is left out; what may not, `input` says.
            required: self.input.is_none(),
        }
    }

    /// The names between braces, each once, in the order of their places.
    fn places(&self, path: &[Piece], params: &[Param]) -> Vec<String> {
        let mut names = Vec::new();
        let mut note = |pieces: &[Piece]| {
            for piece in pieces {
                if let Piece::Argument(name) = piece
                    && !names.contains(name)
                {
                    names.push(name.clone());
                }
            }
        };
        note(path);
        for param in params {
            if let Value::Template(pieces) = &param.value {
                note(pieces);
            }
        }
        match &self.body {
            None => {}
            Some(Sent::Text(text)) => note(&pieces(text)),
            Some(Sent::Form(pairs)) => pairs.iter().for_each(|(_, value)| note(&pieces(value))),
            Some(Sent::Json(tree)) => in_tree(tree, &mut |text| note(&pieces(text))),
        }
        names
    }

    fn input_schema(&self, places: &[String]) -> Result<Node, String> {
        match &self.input {
            None => {
                let text = || Node::map([("type", Node::text("string"))]);
                let properties = places.iter().map(|name| (name.clone(), text())).collect();
                let required = places.iter().map(Node::text).collect();
                Ok(Node::map([
                    ("type", Node::text("object")),
                    ("properties", Node::Map(properties)),
                    ("required", Node::List(required)),
                    ("additionalProperties", Node::Bool(false)),
                ]))
            }
            Some(Node::Map(members)) => {
                let mut members = members.clone();
                if members.get("type").is_none() {
                    members.shift_insert(0, "type".into(), Node::text("object"));
                }
                if members.get("type").and_then(Node::as_text) != Some("object") {
                    return Err("its `input` must be the schema of an object".to_owned());
                }
                if !members.contains_key("properties") {
                    members.insert("properties".into(), Node::Map(Members::new()));
                }
                if !members.contains_key("additionalProperties") {
                    members.insert("additionalProperties".into(), Node::Bool(false));
                }
                Ok(Node::Map(members))
            }
            Some(_) => Err("its `input` must be a JSON Schema".to_owned()),
        }
    }

    fn body(&self) -> Body {
        match &self.body {
            None => Body::None,
            Some(Sent::Json(tree)) => {
                Body::Template { template: tree.clone(), kind: Kind::Json("application/json".into()) }
            }
            Some(Sent::Text(text)) => {
                let kind = Kind::Text("text/plain; charset=utf-8".into());
                Body::Template { template: Node::text(text), kind }
            }
            Some(Sent::Form(pairs)) => {
                let members = pairs.iter().map(|(name, value)| (name.clone(), Node::text(value)));
                Body::Template { template: Node::Map(members.collect()), kind: Kind::Form(Default::default()) }
            }
        }
    }

    fn definition(&self, input: &Node) -> Json {
        let mut tool = Object::new().with("name", Json::string(&self.name));
        if let Some(title) = &self.title {
            tool.set("title", Json::string(title));
        }
        tool.set("description", Json::string(&self.description));
        tool.set("inputSchema", input.to_json());
        tool.with("annotations", annotations(&self.method.to_ascii_uppercase())).to_json()
    }
}

fn in_tree(tree: &Node, note: &mut dyn FnMut(&str)) {
    match tree {
        Node::Text(text) => note(text),
        Node::List(items) => items.iter().for_each(|item| in_tree(item, note)),
        Node::Map(members) => members.values().for_each(|value| in_tree(value, note)),
        _ => {}
    }
}
