//! The answers that say no, and what to do instead.

use toolgate_protocol::{Json, Object};

use super::{Answer, Unknown, strings};
use crate::arguments::{Fault, Faults};
use crate::request::Misuse;
use crate::signature::Signature;

/// The answer to a call whose arguments are wrong: what and where, the signature, and an example that would do.
pub fn faulty(name: &str, faults: &Faults) -> Answer {
    let mut lines = vec![format!("Wrong arguments for {name}; nothing was sent.")];
    lines.extend(faults.list.iter().map(|fault| format!("- {fault}")));
    if faults.list.is_empty() {
        lines.push("- they do not match the schema".into());
    }
    if faults.more > 0 {
        lines.push(format!("- and {} more", faults.more));
    }
    lines.push(format!("{name}{}", faults.signature));
    lines.extend(faults.example.iter().map(|example| format!("Example: {}", example.as_str())));
    let rows: Vec<Json> = faults.list.iter().map(structured).collect();
    let mut object = Object::new()
        .with("error", Json::literal("\"invalid_arguments\""))
        .with("tool", Json::string(name))
        .with("faults", Json::array_of(&rows))
        .with("signature", Json::string(&faults.signature));
    if faults.more > 0 {
        object.set("more", Json::integer(faults.more as u64));
    }
    if let Some(example) = &faults.example {
        object.set("example", example.clone());
    }
    Answer { text: lines.join("\n"), structured: object, is_error: true }
}

fn structured(fault: &Fault) -> Json {
    let mut row = Object::new()
        .with("path", Json::string(&fault.path))
        .with("pointer", Json::string(&fault.pointer))
        .with("problem", Json::string(fault.problem));
    for (name, text) in [("expected", &fault.expected), ("got", &fault.got)] {
        if let Some(text) = text {
            row.set(name, Json::string(text));
        }
    }
    if !fault.meant.is_empty() {
        row.set("meant", strings(&fault.meant));
    }
    row.to_json()
}

/// The answer to a call of a tool that there is not; or not for this caller, which must look the same.
pub fn unknown(unknown: &Unknown<'_>) -> Answer {
    let structured = Object::new()
        .with("error", Json::literal("\"unknown_tool\""))
        .with("tool", Json::string(unknown.name))
        .with("nearest", strings(&unknown.nearest));
    Answer { text: unknown.line(), structured, is_error: true }
}

/// The answer to a request that makes no sense to a tool of the surface.
pub fn misused(misuse: &Misuse) -> Answer {
    let definition = misuse.tool.definition();
    let schema = definition.object().ok().and_then(|definition| definition.get("inputSchema").cloned());
    let signature = schema.map(|schema| Signature::of_schema(&schema).text).unwrap_or_default();
    let name = misuse.tool.name();
    let structured = Object::new()
        .with("error", Json::literal("\"invalid_arguments\""))
        .with("tool", Json::string(name))
        .with("message", Json::string(&misuse.message))
        .with("signature", Json::string(&signature));
    Answer { text: format!("{}\n{name}{signature}", misuse.message), structured, is_error: true }
}
