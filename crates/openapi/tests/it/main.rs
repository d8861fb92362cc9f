//! HTTP APIs as tools: real documents, faulty ones, and every kind of request and answer.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod answers;
mod documents;
mod properties;
mod requests;
mod schemas;

use serde_json::Value;
use toolgate_openapi::{Api, BadArguments, Document, Operation, Options, Request};
use toolgate_protocol::Json;

/// What a document offers, from a file.
fn api(document: &Value) -> Api {
    read(document, None).unwrap()
}

/// The same from a URL, if one is given.
fn read(document: &Value, url: Option<&str>) -> Result<Api, String> {
    let document = Document::read(document.to_string().as_bytes())?;
    let options = Options { base_url: None, document_url: url, headers: &["x-own".to_owned()], permits: &|_| true };
    Api::read(&document, &options)
}

/// A document of one operation at `https://api.example.com/v1`.
fn one(method: &str, path: &str, operation: Value) -> Api {
    api(&serde_json::json!({
        "openapi": "3.0.3",
        "servers": [{"url": "https://api.example.com/v1/"}],
        "paths": {path: {method: operation}}
    }))
}

fn find<'a>(api: &'a Api, name: &str) -> &'a Operation {
    let names: Vec<&str> = api.operations.iter().map(|operation| operation.name.as_str()).collect();
    let found = api.operations.iter().find(|operation| operation.name == name);
    found.unwrap_or_else(|| panic!("no {name} among {names:?}; skipped: {:?}", api.skipped))
}

/// A tool as it is listed.
fn tool(api: &Api, name: &str) -> Value {
    find(api, name).definition.read().unwrap()
}

/// The schema of the arguments of the only operation.
fn input(api: &Api) -> Value {
    api.operations[0].definition.read::<Value>().unwrap()["inputSchema"].clone()
}

fn ask(operation: &Operation, arguments: &Value) -> Result<Request, BadArguments> {
    operation.plan.request(&Json::of(arguments).unwrap().object().unwrap())
}

/// The request line and the body for these arguments of the only operation.
fn sent(api: &Api, arguments: &Value) -> (String, String) {
    let request = ask(&api.operations[0], arguments).unwrap_or_else(|bad| panic!("{}", bad.0));
    (format!("{} {}", request.method, request.url), String::from_utf8(request.body.to_vec()).unwrap())
}

/// What is said about these arguments.
fn refused(api: &Api, arguments: &Value) -> String {
    ask(&api.operations[0], arguments).expect_err("it must be refused").0
}
