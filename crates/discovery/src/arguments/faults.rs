//! What is wrong with arguments, told so that the next try succeeds: where, what was expected, what was found.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{ErrorIterator, JsonType, ValidationError};
use serde_json::Value;
use toolgate_protocol::Json;

use super::compiled::Compiled;
use crate::node::Node;
use crate::schema;
use crate::signature;
use crate::suggest;
use crate::tool::cut;

/// As many faults are told; whoever has more should look at the signature.
const MAX_FAULTS: usize = 8;
/// As many errors of a validator are looked at.
const MAX_ERRORS: usize = 200;
/// And so many are put into words, of which some turn out to be the same.
const MAX_EXPLAINED: usize = 4 * MAX_FAULTS;
/// Problems that belong together.
const MISSING: &str = "missing";
const UNKNOWN: &str = "unknown";
/// The longest expectation, in bytes, and the longest value, in characters.
const MAX_EXPECTED: usize = 200;
const MAX_GOT: usize = 60;

/// Everything that is wrong with the arguments of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Faults {
    /// The first faults; empty where arguments are too large to say what is wrong.
    pub list: Vec<Fault>,
    /// How many more there are.
    pub more: usize,
    /// The signature of the tool, to be written behind its name.
    pub signature: String,
    /// Arguments that would do, made of those that came where that is possible.
    pub example: Option<Json>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    /// Where, as a JSON pointer into the arguments; the whole is "".
    pub pointer: String,
    /// Where, as people write it: `labels[0].name`.
    pub path: String,
    /// What is wrong: `missing`, `unknown`, `not allowed` or `wrong`.
    pub problem: &'static str,
    /// What would be right, in the notation of signatures.
    pub expected: Option<String>,
    /// What was found.
    pub got: Option<String>,
    /// The names or values that may have been meant.
    pub meant: Vec<String>,
}

/// What a validator says.
pub(super) struct Verdict {
    is_sound: bool,
    pub(super) errors: Vec<ValidationError<'static>>,
    more: usize,
}

// === impl Fault ===

impl Fault {
    /// Where the member is that was likely meant by an unknown name.
    fn meant_pointer(&self) -> Option<String> {
        let (object, _) = self.pointer.rsplit_once('/')?;
        let name = self.meant.first()?.trim_matches('`');
        Some(format!("{object}/{}", escaped(name)))
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = if self.path.is_empty() { "arguments" } else { &self.path };
        write!(f, "{path}: {}", self.problem)?;
        match (&self.expected, &self.got) {
            (Some(expected), Some(got)) => write!(f, ", expected {expected}, got {got}")?,
            (Some(expected), None) => write!(f, ", expected {expected}")?,
            (None, Some(got)) => write!(f, ", got {got}")?,
            (None, None) => {}
        }
        if !self.meant.is_empty() {
            write!(f, "; did you mean {}?", self.meant.join(" or "))?;
        }
        Ok(())
    }
}

// === impl Verdict ===

impl Verdict {
    pub(super) fn sound() -> Self {
        Self { is_sound: true, errors: Vec::new(), more: 0 }
    }

    /// Wrong, in a way that would take too long to find out.
    pub(super) fn unexplained() -> Self {
        Self { is_sound: false, errors: Vec::new(), more: 0 }
    }

    pub(super) fn of(errors: ErrorIterator<'_>) -> Self {
        let mut errors = errors.map(ValidationError::to_owned);
        let first: Vec<_> = errors.by_ref().take(MAX_ERRORS).collect();
        Self { is_sound: first.is_empty(), more: errors.count(), errors: first }
    }

    pub(super) fn is_sound(&self) -> bool {
        self.is_sound
    }

    /// How many faults are not in the list of [`Verdict::faults`].
    pub(super) fn more(&self) -> usize {
        self.more + self.errors.len().saturating_sub(MAX_FAULTS)
    }

    /// The first faults. A member that is missing because its name was misspelt is told once.
    pub(super) fn faults(&self, compiled: &Compiled) -> Vec<Fault> {
        let mut faults: Vec<Fault> = Vec::new();
        for fault in self.errors.iter().take(MAX_EXPLAINED).flat_map(|error| explain(error, compiled)) {
            if !faults.contains(&fault) {
                faults.push(fault);
            }
        }
        let misspelt: Vec<String> =
            faults.iter().filter(|fault| fault.problem == UNKNOWN).filter_map(Fault::meant_pointer).collect();
        faults.retain(|fault| fault.problem != MISSING || !misspelt.contains(&fault.pointer));
        faults.truncate(MAX_FAULTS);
        faults
    }
}

/// What one error of the validator means.
fn explain(error: &ValidationError<'_>, compiled: &Compiled) -> Vec<Fault> {
    use ValidationErrorKind as K;
    let at = Place::of(error, compiled);
    match error.kind() {
        K::Required { property } => vec![at.missing(property.as_str().unwrap_or_default())],
        K::AdditionalProperties { unexpected } | K::UnevaluatedProperties { unexpected } => {
            unexpected.iter().take(MAX_FAULTS).map(|name| at.unknown(name)).collect()
        }
        K::AnyOf { context } | K::OneOfNotValid { context } => match nearest_branch(error, context) {
            Some(errors) => errors.iter().flat_map(|error| explain(error, compiled)).collect(),
            None => vec![at.wrong()],
        },
        K::Enum { options } => vec![at.none_of(options)],
        K::PropertyNames { error } => explain(error, compiled),
        K::OneOfMultipleValid { .. } => vec![at.said("exactly one of the alternatives must fit, and several do")],
        K::Not { .. } => vec![at.said("a value of another kind")],
        K::FalseSchema => vec![Fault { problem: "not allowed", expected: None, ..at.wrong() }],
        K::Contains => vec![at.said("an array with another element too")],
        _ => vec![at.wrong()],
    }
}

/// The alternative that was meant, if only one of them fits the value at all, so that what is wrong lies within it.
fn nearest_branch<'e>(
    error: &ValidationError<'_>,
    branches: &'e [Vec<ValidationError<'static>>],
) -> Option<&'e [ValidationError<'static>]> {
    let here = error.instance_path().as_str();
    let is_elsewhere = |inner: &ValidationError<'_>| {
        let path = inner.instance_path().as_str();
        let kind_is_wrong = path == here
            && matches!(
                inner.kind(),
                ValidationErrorKind::Type { .. }
                    | ValidationErrorKind::Constant { .. }
                    | ValidationErrorKind::Enum { .. }
            );
        // `{"kind": "a", …}`: a constant that does not fit tells the alternatives apart.
        let constant_is_wrong = matches!(inner.kind(), ValidationErrorKind::Constant { .. });
        kind_is_wrong || constant_is_wrong
    };
    let mut near = branches.iter().filter(|errors| !errors.is_empty() && !errors.iter().any(is_elsewhere));
    let only = near.next()?;
    near.next().is_none().then_some(only)
}

/// Where an error is, in the arguments and in the schema.
struct Place<'a> {
    pointer: String,
    path: String,
    value: &'a Value,
    compiled: &'a Compiled,
    /// The schema that was not met, as a pointer.
    schema: String,
}

// === impl Place ===

impl<'a> Place<'a> {
    fn of(error: &'a ValidationError<'_>, compiled: &'a Compiled) -> Self {
        let pointer = error.instance_path().as_str().to_owned();
        let keyword = error.schema_path().as_str();
        Self {
            path: readable(&pointer, error.instance_path().iter()),
            pointer,
            value: error.instance(),
            compiled,
            schema: keyword.rsplit_once('/').map_or("", |(schema, _)| schema).to_owned(),
        }
    }

    fn expected(&self, pointer: &str) -> Option<String> {
        let reading = schema::read_at(self.compiled.root(), pointer)?;
        Some(signature::shape_text(&reading, MAX_EXPECTED))
    }

    fn wrong(&self) -> Fault {
        Fault {
            pointer: self.pointer.clone(),
            path: self.path.clone(),
            problem: "wrong",
            expected: self.expected(&self.schema),
            got: Some(in_short(self.value)),
            meant: Vec::new(),
        }
    }

    fn said(&self, expected: &str) -> Fault {
        Fault { expected: Some(expected.to_owned()), ..self.wrong() }
    }

    fn none_of(&self, options: &Value) -> Fault {
        let given = self.value.as_str().unwrap_or_default();
        let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
        let near = suggest::nearest(given, options.iter().filter_map(Value::as_str).take(2_000), 2);
        Fault { meant: near.into_iter().map(|name| Json::string(name).as_str().to_owned()).collect(), ..self.wrong() }
    }

    fn missing(&self, name: &str) -> Fault {
        let given = self.value.as_object().into_iter().flat_map(|members| members.keys());
        let known = self.known();
        let strangers = given.map(String::as_str).filter(|given| !known.contains(given));
        let meant = suggest::nearest(name, strangers.take(200), 1);
        Fault {
            problem: MISSING,
            expected: self.expected(&format!("{}/properties/{}", self.schema, escaped(name))),
            got: meant.first().map(|given| format!("`{}` instead", cut(given, MAX_GOT))),
            ..self.member(name)
        }
    }

    fn unknown(&self, name: &str) -> Fault {
        let given = |known: &&str| self.value.get(*known).is_some();
        let free = self.known().into_iter().filter(|known| !given(known));
        let near = suggest::nearest(name, free, 2).into_iter().map(|name| format!("`{name}`")).collect();
        Fault { problem: UNKNOWN, meant: near, ..self.member(name) }
    }

    /// The member `name` of the object at this place.
    fn member(&self, name: &str) -> Fault {
        let short = cut(name, MAX_GOT);
        let path = if self.path.is_empty() { short } else { format!("{}.{short}", self.path) };
        Fault { pointer: format!("{}/{}", self.pointer, escaped(name)), path, ..Fault::default() }
    }

    /// The names that the schema of this place gives to members.
    fn known(&self) -> Vec<&'a str> {
        let schema = self.compiled.root().pointed(&self.schema);
        let properties = schema.and_then(|schema| schema.get("properties")).map(Node::members).unwrap_or_default();
        properties.iter().map(|(name, _)| &**name).collect()
    }
}

/// A name as a step of a JSON pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// `labels[0].name` for `/labels/0/name`.
fn readable<'a>(pointer: &str, steps: impl Iterator<Item = jsonschema::paths::LocationSegment<'a>>) -> String {
    use jsonschema::paths::LocationSegment;
    let mut path = String::with_capacity(pointer.len());
    for step in steps {
        match step {
            LocationSegment::Index(index) => path.push_str(&format!("[{index}]")),
            LocationSegment::Property(name) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&name);
            }
        }
    }
    cut(&path, 200)
}

/// A value in a few words: its type, and what it is where that is short.
pub(super) fn in_short(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => format!("number {number}"),
        Value::String(text) => format!("string {}", Json::string(&cut(text, MAX_GOT)).as_str()),
        Value::Array(elements) => format!("array of {}", elements.len()),
        Value::Object(_) => "object".into(),
    }
}

/// The types that would be right instead of a string, if no alternative takes a string; empty otherwise.
pub(super) fn types_wanted(error: &ValidationError<'_>) -> Vec<JsonType> {
    use ValidationErrorKind as K;
    match error.kind() {
        K::Type { kind: TypeKind::Single(one) } => vec![*one],
        K::Type { kind: TypeKind::Multiple(several) } => several.iter().collect(),
        K::AnyOf { context } | K::OneOfNotValid { context } => {
            let mut wanted = Vec::new();
            for branch in context {
                let here =
                    branch.iter().filter(|inner| inner.instance_path().as_str() == error.instance_path().as_str());
                let types: Vec<JsonType> = here.flat_map(types_wanted).collect();
                if types.is_empty() {
                    return Vec::new();
                }
                wanted.extend(types);
            }
            wanted
        }
        K::Enum { options } => options.as_array().into_iter().flatten().map(json_type).collect(),
        K::Constant { expected_value } => vec![json_type(expected_value)],
        _ => Vec::new(),
    }
}

pub(super) fn json_type(value: &Value) -> JsonType {
    match value {
        Value::Null => JsonType::Null,
        Value::Bool(_) => JsonType::Boolean,
        Value::Number(_) => JsonType::Number,
        Value::String(_) => JsonType::String,
        Value::Array(_) => JsonType::Array,
        Value::Object(_) => JsonType::Object,
    }
}
