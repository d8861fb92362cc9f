//! What an operation answers, as an `outputSchema` that no answer can break.
//!
//! Clients throw a result away that does not fit its schema, and APIs answer what their documents do not say: null where none
//! was declared, a list that is empty as `{}`, a member left out. So the schema names the members and describes them, with
//! their types in words, and constrains nothing but that the whole is an object. `properties` and `items` say nothing about
//! values of another type.

use crate::api::cut_text;
use crate::arguments::is_json;
use crate::document::Document;
use crate::tree::{Members, Node};

/// The largest, in bytes; a deeper level is left out until it fits.
const MAX_SIZE: usize = 4_000;
const MAX_NODES: usize = 300;
const LEVELS: [usize; 3] = [4, 2, 1];
const MAX_TOLD: usize = 120;
const MAX_PARTS: usize = 32;

/// The shape of what comes back, if that is an object of known members.
pub(crate) fn of(document: &Document, operation: &Node) -> Option<Node> {
    let responses = operation.get("responses")?;
    let good = responses.pairs().find(|(status, _)| status.starts_with('2')).map(|(_, response)| response);
    let response = document.resolve(good.or_else(|| responses.get("default"))?).ok()?;
    let content =
        response.get("content")?.pairs().find(|(media, _)| is_json(media.split(';').next().unwrap_or_default().trim()));
    let schema = content?.1.get("schema")?;
    LEVELS.into_iter().find_map(|levels| {
        let mut left = MAX_NODES;
        let mut shape = shape(document, schema, levels, &mut left)?;
        shape.get("properties")?;
        if let Node::Map(members) = &mut shape {
            members.shift_insert(0, "type".to_owned(), Node::text("object"));
        }
        (shape.size() <= MAX_SIZE).then_some(shape)
    })
}

/// `None` once there is too much of it.
fn shape(document: &Document, schema: &Node, levels: usize, left: &mut usize) -> Option<Node> {
    *left = left.checked_sub(1)?;
    let mut properties: Vec<(&str, &Node)> = Vec::new();
    let (mut kind, mut told, mut items) = (None, schema.text_of("description"), None);
    let mut waiting = vec![schema];
    let mut parts = 0;
    while let Some(part) = waiting.pop() {
        parts += 1;
        let Ok(part) = document.resolve(part) else { continue };
        kind = kind.or_else(|| word_of(part));
        told = told.or_else(|| part.text_of("description"));
        items = items.or_else(|| part.get("items"));
        properties.extend(part.get("properties").into_iter().flat_map(Node::pairs));
        if parts < MAX_PARTS {
            waiting.extend(part.get("allOf").into_iter().flat_map(Node::items));
        }
    }
    let mut out = Members::new();
    let told = told.map(|told| cut_text(told.split("\n\n").next().unwrap_or_default().trim(), MAX_TOLD));
    let told = match (kind.filter(|_| properties.is_empty()), told) {
        (Some(kind), Some(told)) => Some(format!("({kind}) {told}")),
        (Some(kind), None) => Some(format!("({kind})")),
        (None, told) => told,
    };
    if let Some(told) = told.filter(|told| !told.is_empty()) {
        out.insert("description".into(), Node::Text(told));
    }
    if levels > 0 && !properties.is_empty() {
        let mut shapes = Members::new();
        for (name, property) in properties.into_iter().filter(|(_, property)| !property.is_set("writeOnly")) {
            shapes.insert(name.to_owned(), shape(document, property, levels - 1, left)?);
        }
        out.insert("properties".into(), Node::Map(shapes));
    }
    if let Some(items) = items.filter(|_| levels > 0) {
        out.insert("items".into(), shape(document, items, levels - 1, left)?);
    }
    Some(Node::Map(out))
}

/// What a value is, in a word.
fn word_of(schema: &Node) -> Option<String> {
    let kind = schema.text_of("type").or_else(|| schema.get("type")?.items().first()?.as_text())?;
    let values: Vec<&str> = schema.get("enum").into_iter().flat_map(Node::items).filter_map(Node::as_text).collect();
    if !values.is_empty() && values.len() <= 8 {
        return Some(values.join(" | "));
    }
    Some(schema.text_of("format").filter(|format| format.len() < 20).unwrap_or(kind).to_owned())
}
