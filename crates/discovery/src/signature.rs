//! A [`Shape`] as TypeScript-like text: what a model needs to call a tool, at a sixth of the tokens of its definition.
//!
//! `github__list_issues(repo: string, state?: "open"|"closed" = "open", limit?: integer 1..100, labels?: string[])`
//!
//! The notation is TypeScript's where that has one. Qualifiers follow their type, parted by spaces: `integer 1..100`,
//! `number >0`, `string date-time`, `string <=80 chars`, `string /^[A-Z]+$/`, `string[] 1..5 items`. Shapes that contain
//! themselves are named, and what the names mean stands after `where`. `…` is something that is left out.
//!
//! Each choice of notation is the one that costs the fewest o200k tokens among those that read well.

use toolgate_protocol::{Json, Kind};

use crate::schema;
use crate::shape::{Bound, Field, List, Number, Object, Reading, Shape, Text, Tuple};
use crate::tool::Tool;

/// The longest signature, in bytes; about 300 tokens.
const MAX_LEN: usize = 1_000;
/// What is left out, step by step, until a signature is short enough: how deep, and how many values of one union.
const STEPS: [(usize, usize); 5] = [(12, 40), (4, 24), (2, 12), (1, 6), (0, 3)];

/// How an entry is called, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// `(owner: string, state?: "open"|"closed")`: to be written behind the name.
    pub text: String,
    /// Whether the schema says nothing more. If not, whoever calls may need the schema too.
    pub faithful: bool,
}

// === impl Signature ===

impl Signature {
    /// The signature of a tool or a prompt. Resources have none: what to read is their URI.
    pub fn of(tool: &Tool<'_>) -> Self {
        match tool.kind {
            Kind::Tool => match tool.input_schema() {
                Some(schema) => Self::of_schema(&schema),
                None => Self { text: "()".into(), faithful: true },
            },
            Kind::Prompt => Self::of_arguments(&tool.prompt_arguments()),
            Kind::Resource | Kind::Template => Self { text: String::new(), faithful: true },
        }
    }

    /// The signature that an input schema means.
    pub fn of_schema(schema: &Json) -> Self {
        Self::of_reading(&schema::read(schema))
    }

    /// The same, where the schema has been read.
    pub fn of_reading(reading: &Reading) -> Self {
        for (depth, values) in STEPS {
            let mut writer = Writer { out: String::new(), depth, values, cut: false };
            writer.signature(reading);
            if writer.out.len() <= MAX_LEN {
                return Self { text: writer.out, faithful: reading.faithful && !writer.cut };
            }
        }
        Self { text: names_only(&reading.shape), faithful: false }
    }

    /// The signature of a prompt, whose arguments are strings.
    fn of_arguments(arguments: &[(String, bool)]) -> Self {
        let fields = arguments.iter().map(|(name, required)| Field {
            name: name.clone(),
            optional: !required,
            shape: Shape::Text(Text::default()),
            default: None,
        });
        let mut object = Object { fields: fields.collect(), rest: None };
        object.required_first();
        Self::of_reading(&Reading { shape: Shape::Object(object), named: Vec::new(), faithful: true })
    }
}

/// The shape of a reading in at most `max` bytes, with as much left out as that takes.
pub(crate) fn shape_text(reading: &Reading, max: usize) -> String {
    let steps = STEPS.into_iter().map(|(depth, values)| {
        let mut writer = Writer { out: String::new(), depth, values, cut: false };
        writer.shape(&reading.shape, Place::Free);
        writer.out
    });
    steps.into_iter().find(|text| text.len() <= max).unwrap_or_else(|| "…".into())
}

/// As many names of members as fit, where not even their types do.
fn names_only(shape: &Shape) -> String {
    let mut text = String::from("(");
    if let Shape::Object(object) = shape {
        for field in &object.fields {
            let mark = if field.optional { "?" } else { "" };
            let next = format!("{}{mark}, ", name(&field.name));
            if text.len() + next.len() + 4 > MAX_LEN {
                break;
            }
            text.push_str(&next);
        }
    }
    text.push_str("…)");
    text
}

/// A signature being written.
struct Writer {
    out: String,
    /// How much deeper objects are shown.
    depth: usize,
    /// How many members of a union are shown.
    values: usize,
    /// Whether something was left out.
    cut: bool,
}

/// Which shapes may stand at a place without parentheses around them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// Everything.
    Free,
    /// Between two `|`.
    InUnion,
    /// Between two `&`.
    InAll,
    /// Before `[]`.
    InList,
}

// === impl Writer ===

impl Writer {
    fn push(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn elide(&mut self) {
        self.cut = true;
        self.push("…");
    }

    /// Whether so much is written that the attempt has failed, and the rest need not be written.
    fn is_full(&self) -> bool {
        self.out.len() > MAX_LEN
    }

    fn signature(&mut self, reading: &Reading) {
        self.push("(");
        match &reading.shape {
            // A tool that says nothing of its arguments most often has none.
            Shape::Object(object) if object.fields.is_empty() && object.rest.as_deref() == Some(&Shape::Any) => {}
            Shape::Object(object) if !object.fields.is_empty() || object.rest.is_none() => self.members(object),
            Shape::Any => {}
            shape => self.shape(shape, Place::Free),
        }
        self.push(")");
        for (at, (name, shape)) in reading.named.iter().enumerate() {
            self.push(if at == 0 { " where " } else { ", " });
            self.push(name);
            self.push(" = ");
            self.shape(shape, Place::Free);
        }
    }

    fn shape(&mut self, shape: &Shape, place: Place) {
        if self.is_full() {
            return;
        }
        let parts_need = match shape {
            Shape::Union(_) => place >= Place::InUnion,
            Shape::All(_) => place >= Place::InAll,
            Shape::Number(number) => {
                place == Place::InList && (number.min.is_some() || number.max.is_some() || number.step.is_some())
            }
            Shape::Text(text) => place == Place::InList && *text != Text::default(),
            Shape::List(list) => place == Place::InList && (list.min.is_some() || list.max.is_some() || list.unique),
            _ => false,
        };
        if parts_need {
            self.push("(");
        }
        match shape {
            Shape::Any => self.push("any"),
            Shape::Never => self.push("never"),
            Shape::Null => self.push("null"),
            Shape::Boolean => self.push("boolean"),
            Shape::Number(number) => self.number(number),
            Shape::Text(text) => self.text(text),
            Shape::Literal(literal) => self.push(literal),
            Shape::List(list) => self.list(list),
            Shape::Tuple(tuple) => self.tuple(tuple),
            Shape::Object(object) => self.object(object),
            Shape::Union(shapes) => self.joined(shapes, "|", Place::InUnion),
            Shape::All(shapes) => self.joined(shapes, " & ", Place::InAll),
            Shape::Named(name) => self.push(name),
            Shape::Elided => self.elide(),
        }
        if parts_need {
            self.push(")");
        }
    }

    fn joined(&mut self, shapes: &[Shape], between: &str, place: Place) {
        for (at, shape) in shapes.iter().enumerate() {
            if at > 0 {
                self.push(between);
            }
            if at == self.values {
                return self.elide();
            }
            self.shape(shape, place);
        }
    }

    fn number(&mut self, number: &Number) {
        self.push(if number.integer { "integer" } else { "number" });
        match (&number.min, &number.max) {
            (Some(Bound { at: min, open: false }), Some(Bound { at: max, open: false })) => {
                self.push(&format!(" {min}..{max}"))
            }
            (min, max) => {
                for (sign, bound) in [('>', min), ('<', max)] {
                    if let Some(Bound { at, open }) = bound {
                        self.push(&format!(" {sign}{}{at}", if *open { "" } else { "=" }));
                    }
                }
            }
        }
        if let Some(step) = &number.step {
            self.push(&format!(" %{step}"));
        }
    }

    fn text(&mut self, text: &Text) {
        self.push("string");
        if let Some(format) = &text.format {
            self.push(&format!(" {format}"));
        }
        self.count(text.min, text.max, "chars");
        if let Some(pattern) = &text.pattern {
            self.push(&format!(" /{}/", with_escaped_slashes(pattern)));
        }
    }

    fn count(&mut self, min: Option<u64>, max: Option<u64>, unit: &str) {
        match (min, max) {
            (None, None) => {}
            (Some(min), Some(max)) if min == max => self.push(&format!(" {min} {unit}")),
            (Some(min), Some(max)) => self.push(&format!(" {min}..{max} {unit}")),
            (Some(min), None) => self.push(&format!(" >={min} {unit}")),
            (None, Some(max)) => self.push(&format!(" <={max} {unit}")),
        }
    }

    fn list(&mut self, list: &List) {
        self.shape(&list.item, Place::InList);
        self.push("[]");
        self.count(list.min, list.max, "items");
        if list.unique {
            self.push(" unique");
        }
    }

    fn tuple(&mut self, tuple: &Tuple) {
        self.push("[");
        for (at, item) in tuple.items.iter().enumerate() {
            if at > 0 {
                self.push(", ");
            }
            let optional = at >= tuple.required;
            self.shape(item, if optional { Place::InList } else { Place::Free });
            if optional {
                self.push("?");
            }
        }
        if let Some(rest) = &tuple.rest {
            self.push(", ...");
            self.shape(rest, Place::InList);
            self.push("[]");
        }
        self.push("]");
    }

    fn object(&mut self, object: &Object) {
        match &object.rest {
            Some(rest) if object.fields.is_empty() && **rest == Shape::Any => self.push("object"),
            Some(rest) if object.fields.is_empty() => {
                self.push("Record<string, ");
                self.shape(rest, Place::Free);
                self.push(">");
            }
            _ if self.depth == 0 && !object.fields.is_empty() => {
                self.push("{");
                self.elide();
                self.push("}");
            }
            _ => {
                self.push("{");
                self.depth = self.depth.saturating_sub(1);
                self.members(object);
                self.depth += 1;
                self.push("}");
            }
        }
    }

    fn members(&mut self, object: &Object) {
        for (at, field) in object.fields.iter().enumerate() {
            if self.is_full() {
                return;
            }
            if at > 0 {
                self.push(", ");
            }
            self.push(&name(&field.name));
            self.push(if field.optional { "?: " } else { ": " });
            self.shape(&field.shape, Place::Free);
            if let Some(default) = &field.default {
                self.push(" = ");
                self.push(default);
            }
        }
        if let Some(rest) = &object.rest {
            self.push(if object.fields.is_empty() { "[key: string]: " } else { ", [key: string]: " });
            self.shape(rest, Place::Free);
        }
    }
}

/// A member's name, in quotes where it is no plain word.
fn name(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '$') && !name.is_empty();
    if plain { name.to_owned() } else { Json::string(name).as_str().to_owned() }
}

/// A pattern between slashes, as TypeScript writes it.
fn with_escaped_slashes(pattern: &str) -> String {
    let mut text = String::with_capacity(pattern.len());
    let mut escaped = false;
    for c in pattern.chars() {
        if c == '/' && !escaped {
            text.push('\\');
        }
        escaped = c == '\\' && !escaped;
        text.push(c);
    }
    text
}

#[cfg(test)]
pub(crate) mod tests;
