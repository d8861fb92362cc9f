//! The files that are documentation: `default.yaml`, the embedded one, and `examples/`.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::{World, good};
use crate::{Builtin, DEFAULT_FILE, Settings, Sources, Transport, schema};

/// `default.yaml` with its examples: lines that begin with `#` and not with a single space are settings.
fn with_examples() -> String {
    let is_prose = |rest: &str| rest.is_empty() || rest.starts_with(' ') && !rest.starts_with("  ");
    let line = |line| match str::strip_prefix(line, "#") {
        Some(setting) if !is_prose(setting) => setting,
        _ => line,
    };
    let text: Vec<&str> =
        DEFAULT_FILE.lines().filter(|line| !["upstreams: {}", "namespaces: {}"].contains(line)).map(line).collect();
    text.join("\n")
}

#[test]
fn the_default_file_holds_exactly_the_defaults() {
    assert_eq!(good("toolgate.yaml", DEFAULT_FILE), good("toolgate.yaml", ""));
}

#[test]
fn the_default_file_names_every_key_and_explains_it() {
    let schema = schema();
    let mut keys = BTreeSet::new();
    let structs = std::iter::once(&schema).chain(schema["$defs"].as_object().expect("definitions").values());
    for properties in structs.filter_map(|node| node["properties"].as_object()) {
        for (key, property) in properties {
            keys.insert(key.clone());
            assert!(property["description"].is_string(), "`{key}` has no description");
        }
    }
    assert!(keys.len() > 40, "{keys:?}");
    let mentioned = |key: &str| {
        with_examples().lines().any(|line| {
            let line = line.split(" #").next().unwrap_or_default();
            let starts = |part: &str| {
                part.trim_start().trim_start_matches("- ").strip_prefix(key).is_some_and(|rest| rest.starts_with(':'))
            };
            !line.starts_with('#') && line.split(['{', ',']).any(starts)
        })
    };
    let missing: Vec<&String> = keys.iter().filter(|key| !mentioned(key)).collect();
    assert!(missing.is_empty(), "default.yaml says nothing of {missing:?}");
}

#[test]
fn the_examples_in_the_default_file_are_right() {
    let world = World::default()
        .file("/proj/memory.env", "A=b")
        .file("/proj/secrets.env", "A=1")
        .file("/proj/github.token", "t\n")
        .file("/proj/chat.token", "t\n");
    let settings = match world.parse("toolgate.yaml", &with_examples()) {
        Ok(settings) => settings,
        Err(faults) => panic!("{}\n{}", faults.pretty(), with_examples()),
    };
    let kinds: Vec<&str> = settings.upstreams.iter().map(|upstream| upstream.transport.kind()).collect();
    assert_eq!(kinds, ["stdio", "http", "openapi", "tools", "builtin"]);
}

#[test]
fn without_a_file_three_builtins_run() {
    let settings = Settings::embedded();
    let builtins: Vec<&Transport> = settings.upstreams.iter().map(|upstream| &upstream.transport).collect();
    let expected = [Builtin::Time, Builtin::Memory, Builtin::Everything].map(|name| Transport::Builtin { name });
    assert_eq!(builtins, expected.iter().collect::<Vec<_>>());
    assert_eq!(settings.listen, good("toolgate.yaml", "").listen);
}

#[test]
fn the_schema_is_one_that_editors_understand() {
    let schema = schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["additionalProperties"], Json::Bool(false));
    assert_eq!(schema["properties"]["refresh"]["default"], "5m");
    assert_eq!(schema["properties"]["names"]["default"], "prefixed");
    assert_eq!(schema["$defs"]["Limits"]["properties"]["request"]["default"], "4MiB");
    assert!(schema["$defs"]["Upstream"]["properties"]["command"]["examples"].is_array());
}

/// All files under `examples`, those of clients' folders too.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        let is_config = path.extension().is_some_and(|ext| ext == "yaml" || ext == "json");
        if path.is_dir() {
            files(&path, found);
        } else if is_config {
            found.push(path);
        }
    }
}

#[test]
fn every_example_loads() {
    let mut found = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples"), &mut found);
    assert!(found.len() >= 15, "{found:?}");
    let env = |name: &str| Some(format!("the value of {name}"));
    let read = |path: &Path, _: usize| -> io::Result<Vec<u8>> { std::fs::read(path) };
    let home = Some(PathBuf::from("/home/ada"));
    let sources = Sources { env: &env, read: &read, cwd: PathBuf::from("/"), home };
    for file in found {
        match crate::load(&file, &sources) {
            Ok(settings) => assert!(!settings.upstreams.is_empty(), "{} has no upstream", file.display()),
            Err(faults) => panic!("{}", faults.pretty()),
        }
    }
}
