//! Real documents of public APIs (`documents/SOURCES.md`), as tools.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::Path;

use serde_json::{Value, json};
use toolgate_openapi::{Api, Document, Options};
use toolgate_protocol::Json;

fn read(file: &str, base_url: Option<&str>) -> Api {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/documents").join(file);
    let document = Document::read(&std::fs::read(path).unwrap()).unwrap();
    let options = Options { base_url, document_url: None, headers: &["authorization".to_owned()], permits: &|_| true };
    Api::read(&document, &options).unwrap()
}

fn tool(api: &Api, name: &str) -> Value {
    let operation = api.operations.iter().find(|operation| operation.name == name);
    let names = || api.operations.iter().map(|operation| operation.name.as_str()).collect::<Vec<_>>();
    operation.unwrap_or_else(|| panic!("no {name} in {:?}", names())).definition.read().unwrap()
}

/// The request for these arguments, as one line and its body.
fn request(api: &Api, name: &str, arguments: Value) -> (String, String) {
    let operation = api.operations.iter().find(|operation| operation.name == name).unwrap();
    let arguments = Json::of(&arguments).unwrap().object().unwrap();
    let request = operation.plan.request(&arguments).unwrap_or_else(|bad| panic!("{}", bad.0));
    (format!("{} {}", request.method, request.url), String::from_utf8_lossy(&request.body).into_owned())
}

#[test]
fn survey() {
    for file in ["petstore.yaml", "uspto.yaml", "tictactoe.yaml", "box.json", "discord.json", "openai.json"] {
        let api = read(file, Some("https://api.example.com/v1"));
        let sizes: Vec<usize> = api.operations.iter().map(|o| o.definition.as_str().len()).collect();
        println!(
            "{file}: {} {} tools {} skipped {:?} sum {} max {} faults {:#?}",
            api.title,
            api.version,
            api.operations.len(),
            api.skipped,
            sizes.iter().sum::<usize>(),
            sizes.iter().max().unwrap(),
            api.faults
        );
        let refs: Vec<&str> =
            api.operations.iter().filter(|o| o.definition.as_str().contains("$defs")).map(|o| &*o.name).collect();
        println!("with defs: {refs:?}");
        println!(
            "outputs: {}",
            api.operations.iter().filter(|o| o.definition.as_str().contains("outputSchema")).count()
        );
    }
    let api = read("petstore.yaml", Some("https://x/v1"));
    for o in &api.operations {
        println!("{}", serde_json::to_string_pretty(&o.definition.read::<Value>().unwrap()).unwrap());
    }
    let _ = (tool, request, json!(1));
}
