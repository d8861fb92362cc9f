//! Comparing JSON as MCP means it: equal values, after what may rightly differ between two connections is set aside.
//!
//! Set aside are the stamps of the modern era (`resultType`, `ttlMs`, `cacheScope`, `io.modelcontextprotocol/*` in
//! `_meta`), defaults that some libraries fill in or leave out, the time of day that server-everything writes into
//! texts, and the memory server's entities that belong to other clients.

use super::plan::VISITOR;
use serde_json::{Map, Value};

/// What may differ besides what [`settled`] sets aside.
#[derive(Clone, Copy)]
pub(super) struct Lens {
    /// The upstream whose resources are offered under URIs of its own, because an earlier one offers the same URIs.
    /// Inside results either URI may stand.
    pub(super) moved: Option<&'static str>,
}

/// The URI under which the gateway offers a resource of `upstream` whose own URI is taken.
pub(super) fn moved_uri(upstream: &str, uri: &str) -> String {
    format!("toolgate+{upstream}:{uri}")
}

/// A result of the protocol without what may rightly differ.
pub(super) fn settled_result(mut result: Value) -> Value {
    if let Some(members) = result.as_object_mut() {
        for stamp in ["resultType", "ttlMs", "cacheScope"] {
            members.remove(stamp);
        }
        if members.get("isError") == Some(&Value::Bool(false)) {
            members.remove("isError");
        }
    }
    settled(result)
}

/// Any value of the protocol without what may rightly differ.
pub(super) fn settled(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(settled_members(members)),
        Value::Array(items) => Value::Array(items.into_iter().map(settled).collect()),
        Value::String(text) => settled_text(text),
        other => other,
    }
}

fn settled_members(members: Map<String, Value>) -> Map<String, Value> {
    let kept = members.into_iter().filter_map(|(name, value)| match (name.as_str(), value) {
        ("_meta", Value::Object(meta)) => {
            let own = |name: &String| !name.starts_with("io.modelcontextprotocol/");
            let meta: Map<_, _> = meta.into_iter().filter(|(name, _)| own(name)).collect();
            (!meta.is_empty()).then(|| (name, settled(Value::Object(meta))))
        }
        ("entities", Value::Array(entities)) => Some((name, Value::Array(without_visitors(entities)))),
        (_, value) => Some((name, settled(value))),
    });
    kept.collect()
}

fn without_visitors(entities: Vec<Value>) -> Vec<Value> {
    let visits = |entity: &Value| entity["name"].as_str().is_some_and(|name| name.starts_with(VISITOR));
    // an answer about visitors only is an answer to the visitor itself: then the names are made alike instead
    if entities.iter().all(visits) {
        let anybody = |mut entity: Value| {
            entity["name"] = Value::String(VISITOR.to_owned());
            entity
        };
        return entities.into_iter().map(anybody).collect();
    }
    entities.into_iter().filter(|entity| !visits(entity)).collect()
}

/// A text: its time of day cut off; a graph or a list of entities that is written as text, as a value.
fn settled_text(text: String) -> Value {
    if let Some((before, _)) = text.split_once(" created at ") {
        return Value::String(before.to_owned());
    }
    match serde_json::from_str::<Value>(&text) {
        Ok(graph @ Value::Object(_)) if graph.get("entities").is_some() => settled(graph),
        Ok(Value::Array(entities)) if text.contains(VISITOR) => Value::Array(without_visitors(entities)),
        _ => Value::String(text),
    }
}

/// Every place at which `got` is not what was `expected`.
pub(super) fn differences(expected: &Value, got: &Value, lens: Lens) -> Vec<String> {
    let mut found = Vec::new();
    walk("", expected, got, lens, &mut found);
    found
}

fn walk(at: &str, expected: &Value, got: &Value, lens: Lens, found: &mut Vec<String>) {
    match (expected, got) {
        (Value::Object(expected), Value::Object(got)) => {
            for (name, value) in expected {
                match got.get(name) {
                    Some(other) => walk(&format!("{at}.{name}"), value, other, lens, found),
                    None => found.push(format!("{at}.{name} is missing; it is {}", short(value))),
                }
            }
            let added = got.iter().filter(|(name, _)| !expected.contains_key(*name));
            found.extend(added.map(|(name, value)| format!("{at}.{name} was added: {}", short(value))));
        }
        (Value::Array(expected), Value::Array(got)) if expected.len() == got.len() => {
            for (index, (value, other)) in expected.iter().zip(got).enumerate() {
                walk(&format!("{at}[{index}]"), value, other, lens, found);
            }
        }
        (Value::String(uri), Value::String(shown))
            if is_uri(at) && lens.moved.is_some_and(|upstream| moved_uri(upstream, uri) == *shown) => {}
        (Value::Number(expected), Value::Number(got)) if expected.as_f64() == got.as_f64() => {}
        _ if expected == got => {}
        _ => found.push(format!("{at} is {}, not {}", short(got), short(expected))),
    }
}

fn is_uri(at: &str) -> bool {
    at.ends_with(".uri") || at.ends_with(".uriTemplate")
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 100 { text } else { text.chars().take(100).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const STRICT: Lens = Lens { moved: None };

    #[test]
    fn a_missing_an_added_and_an_altered_member_are_three_differences() {
        let found = differences(&json!({"a": 1, "b": [true]}), &json!({"b": [false], "c": 0}), STRICT);
        assert_eq!(found, [".a is missing; it is 1", ".b[0] is false, not true", ".c was added: 0"]);
    }

    #[test]
    fn numbers_are_equal_by_value_and_not_by_spelling() {
        assert!(differences(&json!({"total": 4}), &json!({"total": 4.0}), STRICT).is_empty());
        assert_eq!(differences(&json!(9007199254740991u64), &json!(9007199254740992u64), STRICT).len(), 1);
    }

    #[test]
    fn only_the_uri_of_a_moved_resource_may_be_another_one() {
        let (native, shown) = (json!({"uri": "demo://a"}), json!({"uri": "toolgate+second:demo://a"}));
        assert_eq!(differences(&native, &shown, STRICT).len(), 1);
        assert!(differences(&native, &shown, Lens { moved: Some("second") }).is_empty());
        assert_eq!(differences(&native, &shown, Lens { moved: Some("third") }).len(), 1);
        assert_eq!(
            differences(&json!({"text": "a"}), &json!({"text": "toolgate+second:a"}), Lens { moved: Some("second") })
                .len(),
            1
        );
    }

    #[test]
    fn stamps_of_the_modern_era_are_set_aside_and_a_servers_own_meta_is_not() {
        let modern = json!({"resultType": "complete", "isError": false, "content": [],
            "_meta": {"io.modelcontextprotocol/serverInfo": {}, "own": 1}});
        assert_eq!(settled_result(modern), json!({"content": [], "_meta": {"own": 1}}));
        let only_stamps = json!({"content": [], "_meta": {"io.modelcontextprotocol/serverInfo": {}}});
        assert_eq!(settled_result(only_stamps), json!({"content": []}));
    }

    #[test]
    fn other_clients_entities_are_set_aside_in_values_and_in_texts() {
        let graph = |names: &[&str]| {
            let entities: Vec<_> = names.iter().map(|name| json!({"name": name})).collect();
            json!({"entities": entities, "relations": []})
        };
        let seen = settled(graph(&["toolgate", "visitor-a"]));
        assert_eq!(seen, settled(graph(&["toolgate", "visitor-b", "visitor-c"])));
        assert_eq!(settled(json!({"text": graph(&["toolgate", "visitor-a"]).to_string()})), json!({"text": seen}));
        assert_eq!(
            settled(json!([{"text": "R 7 created at 3:04 AM"}])),
            settled(json!([{"text": "R 7 created at 11:10 PM"}]))
        );
    }
}
