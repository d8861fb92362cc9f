//! An upstream written out: as a block of YAML for people, or in one line for a map in braces.

use crate::node::{Node, Value};

/// The entry under its name, as lines that begin at `indent`.
pub(super) fn block(name: &str, entry: &Node, indent: usize, text: &mut String) {
    let margin = " ".repeat(indent);
    match &entry.value {
        Value::Map(pairs) if !pairs.is_empty() => {
            text.push_str(&format!("{margin}{}:\n", scalar(name)));
            for (key, value) in pairs {
                block(key.as_text().unwrap_or_default(), value, indent + 2, text);
            }
        }
        _ => text.push_str(&format!("{margin}{}: {}\n", scalar(name), flow(entry))),
    }
}

/// A value in one line of YAML.
fn flow(node: &Node) -> String {
    match &node.value {
        Value::Text(text) => scalar(text),
        Value::List(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        _ => json(node),
    }
}

/// A value in one line of JSON.
pub(super) fn json(node: &Node) -> String {
    match &node.value {
        Value::Null | Value::Hole => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.clone(),
        Value::Text(text) => quoted(text),
        Value::List(items) => format!("[{}]", items.iter().map(json).collect::<Vec<_>>().join(", ")),
        Value::Map(pairs) => {
            let pair =
                |(key, value): &(Node, Node)| format!("{}: {}", quoted(key.as_text().unwrap_or_default()), json(value));
            format!("{{{}}}", pairs.iter().map(pair).collect::<Vec<_>>().join(", "))
        }
    }
}

/// A text without quotes where it cannot be taken for anything else, in any place of a YAML file.
pub(super) fn scalar(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_./@+~-:".contains(&byte))
        && !text.ends_with(':')
        && !["true", "false", "null"].contains(&text.to_ascii_lowercase().as_str());
    if plain { text.to_owned() } else { quoted(text) }
}

/// In double quotes, of which YAML and JSON have the same.
pub(super) fn quoted(text: &str) -> String {
    // YAML allows fewer characters as they are than JSON does.
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') => {
                quoted.push_str(&format!("\\u{:04x}", c as u32));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
