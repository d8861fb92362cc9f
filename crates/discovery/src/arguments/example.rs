//! Arguments that would do: those that came, put right as far as that can be guessed, or else the least that is needed.
//!
//! An example is held against the schema before it is shown, so that it never leads astray.

use toolgate_protocol::Json;

use super::compiled::Compiled;
use crate::node::{Node, number_text};
use crate::shape::{Field, List, Number, Object, Reading, Shape, Text, Tuple};
use crate::suggest;

/// A longer example is worth less than it costs, in bytes; about 150 tokens.
const MAX_LEN: usize = 600;
/// Texts that came are shown up to this many characters.
const MAX_TEXT: usize = 60;
/// How deep examples are made.
const MAX_DEPTH: usize = 8;
/// As many elements and members of what came are taken over.
const MAX_TAKEN: usize = 20;

/// Arguments that would do; `None` where none could be made.
pub(super) fn of(compiled: &Compiled, given: &Json) -> Option<Json> {
    let given = Node::read(given);
    let reading = compiled.reading();
    let attempts =
        [(given.as_ref(), Strangers::Kept), (given.as_ref(), Strangers::Dropped), (None, Strangers::Dropped)];
    attempts.into_iter().find_map(|(given, strangers)| {
        let maker = Maker { reading, strangers };
        let made = maker.make(&reading.shape, given, "value", 0)?.text_within(MAX_LEN)?;
        let made = Json::parse(made.into()).ok()?;
        compiled.accepts(&made).then_some(made)
    })
}

/// What becomes of members that the schema does not name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Strangers {
    Kept,
    Dropped,
}

struct Maker<'a> {
    reading: &'a Reading,
    strangers: Strangers,
}

// === impl Maker ===

impl Maker<'_> {
    /// A value of `shape`, made of `given` where that helps; `name` is what a text without any other hint says.
    fn make(&self, shape: &Shape, given: Option<&Node>, name: &str, depth: usize) -> Option<Node> {
        if depth > MAX_DEPTH {
            return None;
        }
        match shape {
            Shape::Any => Some(given.map_or_else(|| Node::String(format!("<{name}>")), shortened)),
            Shape::Null => Some(Node::Null),
            Shape::Boolean => Some(Node::Bool(given.and_then(boolean).unwrap_or(false))),
            Shape::Number(number) => make_number(number, given),
            Shape::Text(text) => make_text(text, given, name),
            Shape::Literal(literal) => serde_json::from_str(literal).ok(),
            Shape::List(list) => self.make_list(list, given, name, depth),
            Shape::Tuple(tuple) => self.make_tuple(tuple, given, name, depth),
            Shape::Object(object) => self.make_object(object, given, depth),
            Shape::Union(shapes) => self.make_one(shapes, given, name, depth),
            Shape::All(shapes) => self.make_all(shapes, given, name, depth),
            Shape::Named(wanted) => {
                let (_, shape) = self.reading.named.iter().find(|(name, _)| name == wanted)?;
                self.make(shape, given, name, depth + 1)
            }
            Shape::Never | Shape::Elided => None,
        }
    }

    fn make_list(&self, list: &List, given: Option<&Node>, name: &str, depth: usize) -> Option<Node> {
        let most = list.max.unwrap_or(u64::MAX).min(MAX_TAKEN as u64) as usize;
        let mut elements = match given {
            Some(Node::Array(given)) => given
                .iter()
                .take(most)
                .filter_map(|element| self.make(&list.item, Some(element), name, depth + 1))
                .collect(),
            Some(given @ (Node::String(_) | Node::Number(_) | Node::Bool(_) | Node::Object(_))) => {
                vec![self.make(&list.item, Some(given), name, depth + 1)?]
            }
            _ => Vec::new(),
        };
        // An empty list says nothing about what it is a list of.
        let least = list.min.unwrap_or(u64::from(given.is_none())).min(MAX_TAKEN as u64) as usize;
        while elements.len() < least {
            elements.push(self.make(&list.item, None, name, depth + 1)?);
        }
        Some(Node::Array(elements))
    }

    fn make_tuple(&self, tuple: &Tuple, given: Option<&Node>, name: &str, depth: usize) -> Option<Node> {
        let given = given.map(Node::elements).unwrap_or_default();
        let wanted = tuple.items.iter().enumerate().take_while(|(at, _)| *at < tuple.required.max(given.len()));
        let elements: Option<Vec<Node>> =
            wanted.map(|(at, item)| self.make(item, given.get(at), name, depth + 1)).collect();
        elements.map(Node::Array)
    }

    fn make_object(&self, object: &Object, given: Option<&Node>, depth: usize) -> Option<Node> {
        let given = given.map(Node::members).unwrap_or_default();
        let is_known = |name: &str| object.fields.iter().any(|field| field.name == name);
        let mut strangers: Vec<&(String, Node)> =
            given.iter().filter(|(name, _)| !is_known(name)).take(MAX_TAKEN).collect();
        let mut members = Vec::new();
        for field in &object.fields {
            let own = given.iter().find(|(name, _)| *name == field.name).map(|(_, value)| value);
            let value = own.or_else(|| take_misspelt(&mut strangers, &field.name));
            if value.is_some() || !field.optional {
                members.push((field.name.clone(), self.make_field(field, value, depth)?));
            }
        }
        if let Some(rest) = &object.rest {
            for (name, value) in strangers {
                members.push((name.clone(), self.make(rest, Some(value), name, depth + 1)?));
            }
        } else if self.strangers == Strangers::Kept {
            members.extend(strangers.into_iter().map(|(name, value)| (name.clone(), shortened(value))));
        }
        Some(Node::Object(members))
    }

    fn make_field(&self, field: &Field, given: Option<&Node>, depth: usize) -> Option<Node> {
        match (given, &field.default) {
            (None, Some(default)) => serde_json::from_str(default).ok(),
            (given, _) => self.make(&field.shape, given, &field.name, depth + 1),
        }
    }

    /// Of the alternatives the one of the type that came, else the first that can be made.
    fn make_one(&self, shapes: &[Shape], given: Option<&Node>, name: &str, depth: usize) -> Option<Node> {
        if let Some(given) = given {
            let exact = shapes.iter().find(|shape| is_alike(shape, given));
            let spelled = || shapes.iter().find(|shape| !matches!(shape, Shape::Null | Shape::Literal(_)));
            if let Some(shape) = exact.or_else(spelled) {
                return self.make(shape, Some(given), name, depth + 1);
            }
            if let Some(near) = nearest_literal(shapes, given) {
                return Some(near);
            }
        }
        let mut useful = shapes.iter().filter(|shape| **shape != Shape::Null);
        useful.find_map(|shape| self.make(shape, None, name, depth + 1)).or(Some(Node::Null))
    }

    /// The members of all the parts together.
    fn make_all(&self, shapes: &[Shape], given: Option<&Node>, name: &str, depth: usize) -> Option<Node> {
        let mut made = given.cloned();
        for shape in shapes {
            let part = self.make(shape, made.as_ref(), name, depth + 1)?;
            made = Some(match (made, part) {
                (Some(Node::Object(mut members)), Node::Object(more)) => {
                    members.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
                    members.extend(more);
                    Node::Object(members)
                }
                (_, part) => part,
            });
        }
        made
    }
}

/// The value of the stranger that `name` is nearest to, taken out.
fn take_misspelt<'a>(strangers: &mut Vec<&'a (String, Node)>, name: &str) -> Option<&'a Node> {
    let nearest =
        suggest::nearest(name, strangers.iter().map(|(name, _)| &**name), 1).first().map(|name| (*name).to_owned())?;
    let at = strangers.iter().position(|(name, _)| *name == nearest)?;
    Some(&strangers.remove(at).1)
}

/// Whether a value has the type of a shape.
fn is_alike(shape: &Shape, value: &Node) -> bool {
    match (shape, value) {
        (Shape::Literal(text), value) => value.text_within(MAX_LEN).as_ref() == Some(text),
        (Shape::Text(_), Node::String(_)) | (Shape::Null, Node::Null) | (Shape::Boolean, Node::Bool(_)) => true,
        (Shape::Number(_), Node::Number(_)) | (Shape::Object(_) | Shape::All(_), Node::Object(_)) => true,
        (Shape::List(_) | Shape::Tuple(_), Node::Array(_)) | (Shape::Any, _) => true,
        _ => false,
    }
}

fn nearest_literal(shapes: &[Shape], given: &Node) -> Option<Node> {
    let literals = shapes.iter().filter_map(|shape| match shape {
        Shape::Literal(text) => Some(&**text),
        _ => None,
    });
    let nearest = suggest::nearest(given.as_str()?, literals, 1);
    serde_json::from_str(nearest.first()?).ok()
}

/// What came, with long texts cut and long lists too.
fn shortened(given: &Node) -> Node {
    match given {
        Node::String(text) => Node::String(crate::tool::cut(text, MAX_TEXT)),
        Node::Array(elements) => Node::Array(elements.iter().take(MAX_TAKEN).map(shortened).collect()),
        Node::Object(members) => {
            Node::Object(members.iter().take(MAX_TAKEN).map(|(name, value)| (name.clone(), shortened(value))).collect())
        }
        other => other.clone(),
    }
}

fn boolean(given: &Node) -> Option<bool> {
    match given {
        Node::Bool(value) => Some(*value),
        Node::String(text) => match &*text.trim().to_lowercase() {
            "true" | "yes" | "on" | "1" => Some(true),
            "false" | "no" | "off" | "0" => Some(false),
            _ => None,
        },
        Node::Number(number) => number.as_i64().map(|number| number != 0),
        _ => None,
    }
}

/// What came, brought within the bounds.
fn make_number(number: &Number, given: Option<&Node>) -> Option<Node> {
    let bound = |bound: &Option<crate::shape::Bound>| {
        bound.as_ref().and_then(|bound| Some((bound.at.parse::<f64>().ok()?, bound.open)))
    };
    let step = number.step.as_ref().and_then(|step| step.parse::<f64>().ok()).filter(|step| *step > 0.0);
    let whole = number.integer || step.is_some_and(|step| step.fract() == 0.0);
    let little = step.unwrap_or(if whole { 1.0 } else { 0.5 });
    let given = given.and_then(|given| match given {
        Node::String(text) => text.trim().parse().ok(),
        given => given.as_f64(),
    });
    let mut value = given.unwrap_or(1.0);
    if let Some((max, open)) = bound(&number.max) {
        value = value.min(if open { max - little } else { max });
    }
    if let Some((min, open)) = bound(&number.min) {
        value = value.max(if open { min + little } else { min });
    }
    if let Some(step) = step {
        value = (value / step).round() * step;
    } else if number.integer {
        value = value.round();
    }
    let text = serde_json::Number::from_f64(value).map(|number| number_text(&number))?;
    serde_json::from_str(&text).ok()
}

/// What came, if it is a text, or a stand-in that says what it stands for.
fn make_text(text: &Text, given: Option<&Node>, name: &str) -> Option<Node> {
    let mut made = match given {
        Some(Node::String(given)) => crate::tool::cut(given, MAX_TEXT),
        Some(Node::Number(number)) => number_text(number),
        Some(Node::Bool(value)) => value.to_string(),
        _ => stand_in(text.format.as_deref(), name),
    };
    if let Some(max) = text.max {
        made = made.chars().take(usize::try_from(max).unwrap_or(usize::MAX)).collect();
    }
    let least = usize::try_from(text.min.unwrap_or(0)).ok().filter(|least| *least <= MAX_LEN)?;
    let missing = least.saturating_sub(made.chars().count());
    made.extend(std::iter::repeat_n('x', missing));
    Some(Node::String(made))
}

fn stand_in(format: Option<&str>, name: &str) -> String {
    match format {
        Some("date") => "2025-12-31".into(),
        Some("date-time") => "2025-12-31T12:00:00Z".into(),
        Some("time") => "12:00:00Z".into(),
        Some("duration") => "PT1H".into(),
        Some("uri" | "url" | "iri") => "https://example.com/".into(),
        Some("email") => "someone@example.com".into(),
        Some("uuid") => "00000000-0000-4000-8000-000000000000".into(),
        Some("hostname") => "example.com".into(),
        Some("ipv4") => "192.0.2.1".into(),
        Some("ipv6") => "2001:db8::1".into(),
        _ => format!("<{name}>"),
    }
}
