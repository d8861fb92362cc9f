//! Slips that can mean only one thing, and what was meant.
//!
//! Models spell objects as strings of JSON, numbers as strings, and one value where a list is wanted. A slip is understood
//! only where the schema takes no value of the type that came, and what is made of it has a type that the schema takes.
//! Everything else stays the bytes it was.

use jsonschema::JsonType;
use jsonschema::paths::{Location, LocationSegment};
use serde_json::Value;
use toolgate_protocol::Json;

use super::compiled::Compiled;
use super::faults::{Verdict, json_type, types_wanted};

/// Slips within what was spelled as a string show only once that is read.
const MAX_ROUNDS: usize = 3;
/// As many slips are understood in one call.
const MAX_MENDS: usize = 50;

/// Which slips are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slips {
    /// Arguments, objects and arrays that are spelled as strings of JSON, and `null` in the place of no arguments.
    pub json_text: bool,
    /// Numbers, `true`, `false` and `null` that are spelled as strings.
    pub scalars: bool,
    /// One value where a list of such values is wanted; a string only if it could be no list itself.
    pub single: bool,
}

/// A slip that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mend {
    /// Where, as a JSON pointer into the arguments; the whole is "".
    pub pointer: String,
    /// What it was taken for: `object`, `number`, `list of one`.
    pub taken_for: &'static str,
}

/// Arguments with their slips understood.
pub(super) struct Mended {
    pub(super) arguments: Json,
    pub(super) mends: Vec<Mend>,
    /// What is wrong with them still.
    pub(super) verdict: Verdict,
}

// === impl Slips ===

impl Slips {
    /// All of them.
    pub const ALL: Self = Self { json_text: true, scalars: true, single: true };
    /// None of them.
    pub const NONE: Self = Self { json_text: false, scalars: false, single: false };
}

/// The arguments as an object, where the whole is spelled as a string or is `null`.
pub(super) fn whole(arguments: &Json, slips: Slips) -> (Json, Vec<Mend>) {
    let meant = match arguments {
        _ if !slips.json_text => None,
        null if null.is_null() => Some(Json::literal("{}")),
        text => text.as_string().and_then(|text| parsed(&text)).filter(Json::is_object),
    };
    match meant {
        Some(meant) => (meant, vec![Mend { pointer: String::new(), taken_for: "object" }]),
        None => (arguments.clone(), Vec::new()),
    }
}

/// Understands the slips in members, as far as `slips` allows.
pub(super) fn members(compiled: &Compiled, arguments: Json, verdict: Verdict, slips: Slips) -> Mended {
    let mut mended = Mended { arguments, mends: Vec::new(), verdict };
    // What was tried in vain is not tried again.
    let mut refused: Vec<String> = Vec::new();
    for _ in 0..MAX_ROUNDS {
        let edits = mended.edits(slips, &refused);
        if edits.is_empty() {
            break;
        }
        let Some((tried, verdict)) = apply(compiled, &mended.arguments, &edits) else { break };
        let wrong_still = |edit: &Edit| {
            verdict.errors.iter().any(|error| lies_in(error.instance_path().as_str(), &edit.mend.pointer))
        };
        let (vain, good): (Vec<Edit>, Vec<Edit>) =
            edits.into_iter().partition(|edit| edit.is_guess && wrong_still(edit));
        if vain.is_empty() {
            mended.arguments = tried;
            mended.verdict = verdict;
        } else {
            refused.extend(vain.into_iter().map(|edit| edit.mend.pointer));
            let Some((tried, verdict)) = apply(compiled, &mended.arguments, &good) else { break };
            mended.arguments = tried;
            mended.verdict = verdict;
        }
        mended.mends.extend(good.into_iter().map(|edit| edit.mend));
        if mended.verdict.is_sound() {
            break;
        }
    }
    mended
}

/// A change of one value.
struct Edit {
    place: Location,
    value: Json,
    mend: Mend,
    /// Whether it is right only if the schema takes the outcome.
    is_guess: bool,
}

// === impl Mended ===

impl Mended {
    fn edits(&self, slips: Slips, refused: &[String]) -> Vec<Edit> {
        let mut edits: Vec<Edit> = Vec::new();
        for error in &self.verdict.errors {
            let pointer = error.instance_path().as_str();
            let overlaps = |other: &str| lies_in(pointer, other) || lies_in(other, pointer);
            let is_taken =
                edits.iter().any(|edit| overlaps(&edit.mend.pointer)) || refused.iter().any(|other| other == pointer);
            if is_taken || edits.len() + self.mends.len() >= MAX_MENDS || pointer.is_empty() {
                continue;
            }
            let wanted = types_wanted(error);
            let Some((value, taken_for)) = meant(error.instance(), &wanted, slips) else { continue };
            let value =
                if taken_for == LIST_OF_ONE { wrapped(&self.arguments, error.instance_path()) } else { Some(value) };
            edits.extend(value.map(|value| Edit {
                place: error.instance_path().clone(),
                value,
                mend: Mend { pointer: pointer.to_owned(), taken_for },
                is_guess: taken_for == LIST_OF_ONE,
            }));
        }
        edits
    }
}

const LIST_OF_ONE: &str = "list of one";

/// What `value` means where one of `wanted` is wanted.
fn meant(value: &Value, wanted: &[JsonType], slips: Slips) -> Option<(Json, &'static str)> {
    let takes = |wanted: &[JsonType], one: JsonType| {
        wanted.contains(&one) || (one == JsonType::Number && wanted.contains(&JsonType::Integer))
    };
    if wanted.is_empty() || takes(wanted, json_type(value)) {
        return None;
    }
    let spelled = value.as_str().and_then(|text| parsed(text).or_else(|| capitalised(text)));
    if let Some(spelled) = spelled {
        let (kind, taken_for, allowed) = kind_of(&spelled, slips);
        // `5.5` is no integer, and the fault should say so of the string.
        let fits = takes(wanted, kind)
            && (kind != JsonType::Number
                || wanted.contains(&JsonType::Number)
                || spelled.read::<f64>().is_ok_and(|n| n.fract() == 0.0));
        if fits {
            return allowed.then_some((spelled, taken_for));
        }
    }
    let could_be_several = |text: &str| text.trim().is_empty() || text.contains([',', ';', '|', '\n', '[', '{']);
    let is_one = !value.is_null() && !value.as_str().is_some_and(could_be_several);
    (slips.single && is_one && wanted.contains(&JsonType::Array)).then(|| (Json::literal("[]"), LIST_OF_ONE))
}

/// The type of a value, what it is called, and whether it may be taken out of a string.
fn kind_of(value: &Json, slips: Slips) -> (JsonType, &'static str, bool) {
    if value.is_object() {
        (JsonType::Object, "object", slips.json_text)
    } else if value.is_array() {
        (JsonType::Array, "array", slips.json_text)
    } else if value.is_string() {
        (JsonType::String, "string", false)
    } else if value.is_null() {
        (JsonType::Null, "null", slips.scalars)
    } else if value.is_number() {
        (JsonType::Number, "number", slips.scalars)
    } else {
        (JsonType::Boolean, "boolean", slips.scalars)
    }
}

fn parsed(text: &str) -> Option<Json> {
    Json::parse(text.trim().to_owned().into()).ok()
}

/// As Python spells them.
fn capitalised(text: &str) -> Option<Json> {
    match text.trim() {
        "True" => Some(Json::literal("true")),
        "False" => Some(Json::literal("false")),
        "None" => Some(Json::literal("null")),
        _ => None,
    }
}

/// The value at `place`, as the only element of a list.
fn wrapped(arguments: &Json, place: &Location) -> Option<Json> {
    let mut here = arguments.clone();
    for step in place.segments() {
        here = match step {
            LocationSegment::Property(name) => here.object().ok()?.get(&name)?.clone(),
            LocationSegment::Index(index) => here.array().ok()?.get(index)?.clone(),
        };
    }
    Some(Json::array_of([&here]))
}

/// The arguments with all of `edits`, and what the schema says to them.
fn apply(compiled: &Compiled, arguments: &Json, edits: &[Edit]) -> Option<(Json, Verdict)> {
    let mut edited = arguments.clone();
    for edit in edits {
        edited = replaced(&edited, &edit.place.segments().collect::<Vec<_>>(), &edit.value)?;
    }
    let verdict = compiled.judge(&edited).ok()?;
    Some((edited, verdict))
}

/// `json` with another value at the end of `steps`; all bytes that are not on the way stay.
fn replaced(json: &Json, steps: &[LocationSegment<'_>], value: &Json) -> Option<Json> {
    let Some((step, rest)) = steps.split_first() else { return Some(value.clone()) };
    match step {
        LocationSegment::Property(name) => {
            let mut object = json.object().ok()?;
            let inner = replaced(object.get(name)?, rest, value)?;
            object.set(name, inner);
            Some(object.to_json())
        }
        LocationSegment::Index(index) => {
            let mut elements = json.array().ok()?;
            let element = elements.get_mut(*index)?;
            *element = replaced(element, rest, value)?;
            Some(Json::array_of(&elements))
        }
    }
}

/// Whether one pointer leads to what another one leads to, or into it.
fn lies_in(pointer: &str, other: &str) -> bool {
    pointer.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
