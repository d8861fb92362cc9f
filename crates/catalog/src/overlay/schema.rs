//! The input schema under other names, and without what clients do not give.
//!
//! A name stands in `properties`, in `required` and its kin, and in references to it; and all of these may stand again in
//! the parts that apply to the same object (`allOf`, `if`, …). Wherever the object itself is meant it is rewritten; what
//! describes the inside of an argument is not touched.

use toolgate_protocol::{Json, Object, lead_references};

use super::Argument;

/// Keywords that apply a schema to the same object (JSON Schema 2020-12 core, 10.2).
const ONE: [&str; 4] = ["not", "if", "then", "else"];
/// The same, with lists of schemas.
const SOME: [&str; 3] = ["allOf", "anyOf", "oneOf"];
/// References to an argument from elsewhere begin so.
const TO_PROPERTY: &str = "#/properties/";
/// Schemas nest no deeper than this where the same object is meant.
const DEPTH: usize = 16;

/// The schema as clients see it.
pub(super) fn rewrite(schema: Object, arguments: &[(String, Argument)]) -> Object {
    let schema = at_root(schema);
    let moved = moved(&schema, arguments);
    let mut schema = object(schema, arguments, DEPTH);
    if !moved.is_empty() {
        let mut definitions = schema.child("$defs").unwrap_or_default();
        for member in moved.members() {
            definitions.set(member.name(), member.value.clone());
        }
        schema.set("$defs", definitions.to_json());
    }
    let text = schema.to_json();
    if !text.as_str().contains(TO_PROPERTY) {
        return schema;
    }
    lead_references(&text, &|target| reference(target, arguments)).object().unwrap_or(schema)
}

/// What the overrides say of arguments that is not so.
pub(super) fn faults(schema: &Object, arguments: &[(String, Argument)]) -> Vec<String> {
    let schema = at_root(schema.clone());
    let properties = schema.child("properties").unwrap_or_default();
    let is_open = schema.get("additionalProperties").is_none_or(|more| more.as_str() != "false");
    let required = names(&schema, "required");
    let mut faults = Vec::new();
    for (native, argument) in arguments {
        let is_known = properties.get(native).is_some();
        if !is_known && !is_open {
            faults.push(format!("the tool has no argument `{native}`"));
        }
        if argument.hidden && argument.value.is_none() && required.contains(native) {
            faults.push(format!("`{native}` is hidden and has no value, but the tool needs it"));
        }
        let public = argument.name.as_ref().filter(|name| *name != native);
        let is_renamed_away = |name: &String| {
            arguments.iter().any(|(other, argument)| {
                other == name && (argument.hidden || argument.name.as_ref().is_some_and(|renamed| renamed != name))
            })
        };
        if let Some(public) = public
            && properties.get(public).is_some()
            && !is_renamed_away(public)
        {
            faults.push(format!("`{native}` cannot be called `{public}`: the tool has another argument of that name"));
        }
    }
    faults
}

/// A schema that only refers to a definition of its own, as that definition: generators write recursive models so.
fn at_root(mut schema: Object) -> Object {
    let Some(reference) = schema.string("$ref").filter(|_| schema.get("properties").is_none()) else { return schema };
    let mut parts = reference.trim_start_matches("#/").split('/');
    let (Some(list), Some(name), None) = (parts.next(), parts.next(), parts.next()) else { return schema };
    let Some(target) = schema.child(list).and_then(|list| list.child(name)) else { return schema };
    schema.remove("$ref");
    for member in target.members() {
        if schema.get(member.name()).is_none() {
            schema.set(member.name(), member.value.clone());
        }
    }
    schema
}

/// One schema of the object.
fn object(mut schema: Object, arguments: &[(String, Argument)], depth: usize) -> Object {
    if let Some(properties) = schema.child("properties") {
        schema.set("properties", renamed_properties(properties, arguments).to_json());
    }
    if schema.get("required").is_some() {
        let required = names(&schema, "required");
        let kept: Vec<&str> = required.iter().filter_map(|name| required_name(name, arguments)).collect();
        set_names(&mut schema, "required", &kept);
    }
    if let Some(dependent) = schema.child("dependentRequired") {
        let mut rewritten = Object::new();
        for member in dependent.members() {
            let Some(public) = public(member.name(), arguments) else { continue };
            let needs: Vec<String> = member.value.read().unwrap_or_default();
            let kept: Vec<&str> = needs.iter().filter_map(|name| required_name(name, arguments)).collect();
            rewritten.set(public, Json::of(&kept).expect("a list of strings is JSON"));
        }
        schema.set("dependentRequired", rewritten.to_json());
    }
    let Some(depth) = depth.checked_sub(1) else { return schema };
    for keyword in ONE {
        if let Some(child) = schema.child(keyword) {
            schema.set(keyword, object(child, arguments, depth).to_json());
        }
    }
    for keyword in SOME {
        let Some(Ok(list)) = schema.get(keyword).map(Json::array) else { continue };
        let list: Vec<Json> = list
            .into_iter()
            .map(|one| one.object().map_or(one, |child| object(child, arguments, depth).to_json()))
            .collect();
        schema.set(keyword, Json::array_of(&list));
    }
    if let Some(dependent) = schema.child("dependentSchemas") {
        let mut rewritten = Object::new();
        for member in dependent.members() {
            let Some(public) = public(member.name(), arguments) else { continue };
            let value =
                member.value.object().map_or(member.value.clone(), |child| object(child, arguments, depth).to_json());
            rewritten.set(public, value);
        }
        schema.set("dependentSchemas", rewritten.to_json());
    }
    schema
}

fn renamed_properties(properties: Object, arguments: &[(String, Argument)]) -> Object {
    let mut renamed = Object::new();
    for member in properties.members() {
        let Some(argument) = argument(member.name(), arguments) else {
            renamed.set(member.name(), member.value.clone());
            continue;
        };
        if argument.hidden {
            continue;
        }
        let name = argument.name.as_deref().unwrap_or(member.name());
        let value = match member.value.object() {
            Ok(mut described) => {
                if let Some(description) = &argument.description {
                    described.set("description", Json::string(description));
                }
                if let Some(super::Value::Literal(value)) = &argument.value {
                    described.set("default", value.clone());
                }
                described.to_json()
            }
            // `true` and `false` are schemas as well.
            Err(_) => member.value.clone(),
        };
        renamed.set(name, value);
    }
    renamed
}

/// The definitions of arguments that are gone and that something else still refers to, by their new places.
fn moved(schema: &Object, arguments: &[(String, Argument)]) -> Object {
    let properties = schema.child("properties").unwrap_or_default();
    let text = schema.to_json();
    let gone = arguments.iter().filter(|(_, argument)| argument.hidden);
    gone.filter(|(native, _)| text.as_str().contains(&format!("{TO_PROPERTY}{}", pointer(native))))
        .filter_map(|(native, _)| Some((hidden_place(native), properties.get(native)?.clone())))
        .fold(Object::new(), |all, (place, value)| all.with(&place, value))
}

/// Where a reference leads once arguments have other names and places.
fn reference(target: &str, arguments: &[(String, Argument)]) -> String {
    let Some(rest) = target.strip_prefix(TO_PROPERTY) else { return target.to_owned() };
    let (first, tail) = rest.split_once('/').map_or((rest, String::new()), |(first, tail)| (first, format!("/{tail}")));
    let named = arguments.iter().find(|(native, _)| pointer(native) == first);
    match named {
        Some((native, argument)) if argument.hidden => format!("#/$defs/{}{tail}", pointer(&hidden_place(native))),
        Some((native, argument)) => {
            format!("{TO_PROPERTY}{}{tail}", pointer(argument.name.as_ref().unwrap_or(native)))
        }
        None => target.to_owned(),
    }
}

fn hidden_place(native: &str) -> String {
    format!("hidden-{native}")
}

/// A name in a JSON pointer (RFC 6901).
fn pointer(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn argument<'a>(native: &str, arguments: &'a [(String, Argument)]) -> Option<&'a Argument> {
    arguments.iter().find(|(name, _)| name == native).map(|(_, argument)| argument)
}

/// What clients call an argument; `None` if they do not see it.
fn public<'a>(native: &'a str, arguments: &'a [(String, Argument)]) -> Option<&'a str> {
    match argument(native, arguments) {
        Some(argument) if argument.hidden => None,
        Some(argument) => Some(argument.name.as_deref().unwrap_or(native)),
        None => Some(native),
    }
}

/// What clients call an argument that they have to give; `None` if they need not.
fn required_name<'a>(native: &'a str, arguments: &'a [(String, Argument)]) -> Option<&'a str> {
    let has_value = argument(native, arguments).is_some_and(|argument| argument.value.is_some());
    if has_value { None } else { public(native, arguments) }
}

fn names(schema: &Object, keyword: &str) -> Vec<String> {
    schema.get(keyword).and_then(|names| names.read().ok()).unwrap_or_default()
}

/// An empty list says nothing, and draft 4 forbids it.
fn set_names(schema: &mut Object, keyword: &str, names: &[&str]) {
    if names.is_empty() {
        schema.remove(keyword);
    } else {
        schema.set(keyword, Json::of(names).expect("a list of strings is JSON"));
    }
}
