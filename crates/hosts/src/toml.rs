//! TOML, which only Codex has: read with places, changed without touching the rest.

use serde_json::Value;
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike, Value as Toml};

use crate::json::Change;
use crate::{Fault, Host, Listed, Server};

/// The servers of a text.
pub(crate) fn listed(host: Host, text: &str) -> Result<Listed, Fault> {
    let document = parse(text)?;
    let Some(list) = list_of(&document, host.list())? else { return Ok(Listed::default()) };
    let server =
        |(name, item): (&str, &Item)| Server { name: name.to_owned(), json: value_of(item).to_string(), project: None };
    Ok(Listed { servers: list.iter().map(server).collect(), inputs: Vec::new() })
}

fn parse(text: &str) -> Result<DocumentMut, Fault> {
    text.parse().map_err(|error: toml_edit::TomlError| {
        let message = format!("not TOML: {}", error.message().replace('\n', ", "));
        match error.span() {
            Some(span) => Fault::at(text, span.start, message),
            None => Fault::new(message),
        }
    })
}

fn list_of<'a>(document: &'a DocumentMut, list: &str) -> Result<Option<&'a dyn TableLike>, Fault> {
    match document.get(list) {
        None => Ok(None),
        Some(item) => match item.as_table_like() {
            Some(table) => Ok(Some(table)),
            None => Err(Fault::new(format!("`{list}` is not a table"))),
        },
    }
}

/// The text with these changes, and else as it is.
///
/// Lines are written with line feeds by the library; those that were there keep the endings they had.
pub(crate) fn change(text: &str, list: &str, changes: Vec<Change<'_>>) -> Result<String, Fault> {
    let mut document = parse(text)?;
    list_of(&document, list)?;
    for change in changes {
        match change {
            Change::Put(name, entry) => put(&mut document, list, name, entry)?,
            Change::Remove(name) => {
                let servers = document.get_mut(list).and_then(Item::as_table_like_mut);
                servers.and_then(|servers| servers.remove(name));
            }
            Change::RemoveEmptyList => {
                let empty = document.get(list).and_then(Item::as_table_like).is_some_and(|list| list.is_empty());
                if empty {
                    document.remove(list);
                }
            }
        }
    }
    Ok(with_endings_of(text, &document.to_string()))
}

fn put(document: &mut DocumentMut, list: &str, name: &str, entry: Vec<(String, Value)>) -> Result<(), Fault> {
    if document.get(list).is_none() {
        let mut table = Table::new();
        // `[mcp_servers]` says nothing that `[mcp_servers.toolgate]` does not.
        table.set_implicit(true);
        document.insert(list, Item::Table(table));
    }
    let inline = document.get(list).is_some_and(Item::is_inline_table);
    let servers = document.get_mut(list).and_then(Item::as_table_like_mut);
    let servers = servers.ok_or_else(|| Fault::new(format!("`{list}` is not a table")))?;
    let item = match inline {
        true => Item::Value(inline_table(entry)),
        false => Item::Table(table(entry)),
    };
    servers.insert(name, item);
    Ok(())
}

fn table(entry: Vec<(String, Value)>) -> Table {
    let mut table = Table::new();
    for (key, value) in entry {
        let item = match value {
            Value::Object(map) => Item::Table(self::table(map.into_iter().collect())),
            value => Item::Value(toml_of(value)),
        };
        table.insert(&key, item);
    }
    table
}

fn inline_table(entry: Vec<(String, Value)>) -> Toml {
    let pairs = entry.into_iter().map(|(key, value)| (key, toml_of(value)));
    Toml::InlineTable(pairs.collect::<InlineTable>())
}

fn toml_of(value: Value) -> Toml {
    match value {
        Value::Null => Toml::from(""),
        Value::Bool(value) => Toml::from(value),
        Value::Number(number) => match number.as_i64() {
            Some(number) => Toml::from(number),
            None => Toml::from(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => Toml::from(text),
        Value::Array(items) => Toml::Array(items.into_iter().map(toml_of).collect::<Array>()),
        Value::Object(map) => inline_table(map.into_iter().collect()),
    }
}

fn value_of(item: &Item) -> Value {
    match item {
        Item::None => Value::Null,
        Item::Value(value) => value_of_value(value),
        Item::Table(table) => table_of(table),
        Item::ArrayOfTables(tables) => Value::Array(tables.iter().map(|table| table_of(table)).collect()),
    }
}

fn table_of(table: &dyn TableLike) -> Value {
    Value::Object(table.iter().map(|(key, item)| (key.to_owned(), value_of(item))).collect())
}

fn value_of_value(value: &Toml) -> Value {
    match value {
        Toml::String(text) => Value::String(text.value().clone()),
        Toml::Integer(number) => Value::from(*number.value()),
        Toml::Float(number) => Value::from(*number.value()),
        Toml::Boolean(value) => Value::Bool(*value.value()),
        Toml::Datetime(time) => Value::String(time.value().to_string()),
        Toml::Array(items) => Value::Array(items.iter().map(value_of_value).collect()),
        Toml::InlineTable(table) => table_of(table),
    }
}

/// What the text says, comments aside.
pub(crate) fn meaning(text: &str) -> Result<Value, Fault> {
    Ok(table_of(parse(text)?.as_table()))
}

/// The new text with the line endings of the old one, line by line; a new line ends as the old text's first does.
fn with_endings_of(old: &str, new: &str) -> String {
    if !old.contains("\r\n") {
        return new.to_owned();
    }
    let usual = if old.find("\r\n") < old.find('\n') { "\r\n" } else { "\n" };
    let mut rest = old.split_inclusive('\n');
    let mut text = String::with_capacity(new.len());
    for line in new.split_inclusive('\n') {
        let Some(words) = line.strip_suffix('\n') else {
            text.push_str(line);
            continue;
        };
        let words = words.strip_suffix('\r').unwrap_or(words);
        let same = |old: &str| old.trim_end_matches('\n').trim_end_matches('\r') == words;
        let was = rest.clone().position(same).and_then(|at| rest.nth(at));
        let ending = match was {
            Some(old) if old.ends_with("\r\n") => "\r\n",
            Some(old) if old.ends_with('\n') => "\n",
            _ => usual,
        };
        text.push_str(words);
        text.push_str(ending);
    }
    text
}
