//! What HTTP headers repeat of the body, so that intermediaries can route without reading it.
//!
//! Source: 2026-07-28 `transports/streamable-http`, "Request headers" and SEP-2243. A value that plain ASCII cannot carry
//! is written as `=?base64?…?=`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::json::Json;
use crate::object::Object;

/// The revision, repeated.
pub const REVISION: &str = "mcp-protocol-version";
/// The method, repeated.
pub const METHOD: &str = "mcp-method";
/// The name of what is asked for, repeated.
pub const NAME: &str = "mcp-name";
/// Begins the headers that repeat annotated arguments.
pub const PARAM_PREFIX: &str = "mcp-param-";
/// A replica's word for the caller of a request that it forwards; of toolgate, not of MCP.
pub const VOUCH: &str = "toolgate-vouch";
/// Legacy: the session.
pub const SESSION: &str = "mcp-session-id";

const SENTINEL_START: &str = "=?base64?";
const SENTINEL_END: &str = "?=";

/// An argument that a tool's schema wants repeated in a header (`x-mcp-header`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamHeader {
    /// What follows `Mcp-Param-`, in lower case.
    pub name: String,
    /// The property names that lead to it in the arguments.
    pub path: Vec<String>,
}

/// Writes a value so that a header can carry it.
pub fn encode(value: &str) -> String {
    let plain = value.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'))
        && value.trim_matches([' ', '\t']).len() == value.len()
        && !(value.starts_with(SENTINEL_START) && value.ends_with(SENTINEL_END));
    if plain { value.to_owned() } else { format!("{SENTINEL_START}{}{SENTINEL_END}", STANDARD.encode(value)) }
}

/// Reads a value from a header; `None` when it claims to be Base64 and is not, or is no UTF-8.
pub fn decode(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?.trim_matches([' ', '\t']);
    match text.strip_prefix(SENTINEL_START).and_then(|rest| rest.strip_suffix(SENTINEL_END)) {
        Some(encoded) => String::from_utf8(STANDARD.decode(encoded).ok()?).ok(),
        None => Some(text.to_owned()),
    }
}

/// The arguments that a tool's `inputSchema` wants repeated, or why the annotations are invalid.
///
/// Valid are strings, integers and booleans reached through `properties` alone, under names that are HTTP tokens and differ
/// from each other without regard to case.
pub fn param_headers(schema: &Json) -> Result<Vec<ParamHeader>, String> {
    // Most schemas have none: a look at the text spares reading them.
    if memchr::memmem::find(schema.text(), b"x-mcp-header").is_none() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    collect(schema, &mut Vec::new(), &mut found)?;
    let total = memchr::memmem::find_iter(schema.text(), b"\"x-mcp-header\"").count();
    if total > found.len() {
        return Err("`x-mcp-header` stands where no chain of `properties` leads".into());
    }
    Ok(found)
}

fn collect(schema: &Json, path: &mut Vec<String>, found: &mut Vec<ParamHeader>) -> Result<(), String> {
    let Ok(schema) = schema.object() else { return Ok(()) };
    if let Some(annotation) = schema.get("x-mcp-header") {
        let name = annotation
            .as_string()
            .filter(|name| is_token(name))
            .ok_or("`x-mcp-header` must be an HTTP token")?
            .to_ascii_lowercase();
        if path.is_empty() {
            return Err("`x-mcp-header` stands on the schema itself".into());
        }
        if !matches!(schema.string("type").as_deref(), Some("string" | "integer" | "boolean")) {
            return Err(format!("`x-mcp-header: {name}` stands on a property that is no string, integer or boolean"));
        }
        if found.iter().any(|other| other.name == name) {
            return Err(format!("`x-mcp-header: {name}` stands twice"));
        }
        found.push(ParamHeader { name, path: path.clone() });
    }
    for property in schema.child("properties").iter().flat_map(Object::members) {
        path.push(property.name().to_owned());
        collect(&property.value, path, found)?;
        path.pop();
    }
    Ok(())
}

fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

impl ParamHeader {
    /// The argument's value as its header repeats it; `None` when it is absent, null or of a type no header carries.
    pub fn value(&self, arguments: &Json) -> Option<String> {
        let mut value = arguments.clone();
        for name in &self.path {
            value = value.object().ok()?.get(name)?.clone();
        }
        match value.as_str() {
            "true" => Some("true".into()),
            "false" => Some("false".into()),
            _ if value.is_string() => value.as_string(),
            text if value.is_number() => Some(match value.as_u64() {
                Some(whole) => whole.to_string(),
                None => text.to_owned(),
            }),
            _ => None,
        }
    }

    /// Whether the header's value repeats the argument's; numbers are compared as numbers.
    pub fn agrees(&self, arguments: &Json, header: &str) -> bool {
        self.value(arguments).is_some_and(|value| {
            value == header || matches!((value.parse::<f64>(), header.parse::<f64>()), (Ok(a), Ok(b)) if a == b)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn awkward_values_travel_as_base64() {
        for value in ["plain", "two words", " edge", "größe", "=?base64?eA==?=", "line\nbreak", ""] {
            assert_eq!(decode(encode(value).as_bytes()).as_deref(), Some(value));
        }
        assert_eq!(encode("plain"), "plain");
        assert_eq!(decode(b"=?base64?***?="), None);
    }

    #[test]
    fn annotations_are_found_where_they_may_stand() {
        let schema = Json::literal(
            r#"{"type":"object","properties":{"a":{"type":"object","properties":{"b":{"type":"integer","x-mcp-header":"Tenant-Id"}}}}}"#,
        );
        let headers = param_headers(&schema).unwrap();
        assert_eq!(headers, [ParamHeader { name: "tenant-id".into(), path: vec!["a".into(), "b".into()] }]);
        assert!(headers[0].agrees(&Json::literal(r#"{"a":{"b":42.0}}"#), "42"));
        assert!(!headers[0].agrees(&Json::literal(r#"{"a":{}}"#), "42"));
    }

    #[test]
    fn misplaced_annotations_are_named() {
        for schema in [
            r#"{"properties":{"a":{"type":"number","x-mcp-header":"A"}}}"#,
            r#"{"properties":{"a":{"type":"string","x-mcp-header":"A B"}}}"#,
            r#"{"properties":{"a":{"type":"array","items":{"type":"string","x-mcp-header":"A"}}}}"#,
            r#"{"properties":{"a":{"type":"string","x-mcp-header":"A"},"b":{"type":"string","x-mcp-header":"a"}}}"#,
        ] {
            assert!(param_headers(&Json::literal(schema)).is_err(), "{schema}");
        }
    }
}
