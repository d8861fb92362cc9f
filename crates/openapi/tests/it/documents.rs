//! Real documents of public APIs (`documents/SOURCES.md`), as tools.

use std::path::Path;

use serde_json::{Value, json};
use toolgate_openapi::{Api, Document, Options};

use crate::{ask, find, tool};

const ALL: [&str; 6] = ["petstore.yaml", "uspto.yaml", "tictactoe.yaml", "box.json", "discord.json", "openai.json"];

fn read(file: &str) -> Api {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/documents").join(file);
    let document = Document::read(&std::fs::read(path).unwrap()).unwrap();
    let base_url = Some("https://api.example.com/v1");
    Api::read(&document, &Options { base_url, document_url: None, headers: &[], permits: &|_| true }).unwrap()
}

fn line(api: &Api, name: &str, arguments: Value) -> String {
    let request = ask(find(api, name), &arguments).unwrap_or_else(|bad| panic!("{}", bad.0));
    let body = String::from_utf8_lossy(&request.body).into_owned();
    format!("{} {} {body}", request.method, request.url.replace("https://api.example.com/v1", ""))
}

#[test]
fn every_operation_becomes_a_tool_whose_schemas_hold() {
    let mut counts = Vec::new();
    for file in ALL {
        let api = read(file);
        assert_eq!((api.skipped.len(), api.faults.len()), (0, 0), "{file}: {:?} {:?}", api.skipped, api.faults);
        counts.push(api.operations.len());
        for operation in &api.operations {
            let definition: Value = operation.definition.read().unwrap();
            let name = definition["name"].as_str().unwrap();
            assert!((1..=64).contains(&name.len()), "{name}");
            for argument in definition["inputSchema"]["properties"].as_object().unwrap().keys() {
                let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
                assert!(argument.len() <= 64 && argument.bytes().all(legal), "{file} {name} {argument}");
            }
            for schema in [&definition["inputSchema"], &definition["outputSchema"]] {
                if !schema.is_null() {
                    assert!(jsonschema::validator_for(schema).is_ok(), "{file} {name}: {schema}");
                    assert_eq!(schema["type"], "object", "{file} {name}");
                }
            }
            assert!(operation.definition.as_str().len() < 72 << 10, "{file} {name}");
        }
    }
    assert_eq!(counts, [19, 3, 3, 37, 54, 35]);
}

#[test]
fn petstore() {
    let api = read("petstore.yaml");
    assert_eq!((&*api.title, &*api.version), ("Swagger Petstore - OpenAPI 3.0", "1.0.27-SNAPSHOT"));
    assert_eq!(line(&api, "findPetsByTags", json!({"tags": ["a", "b c"]})), "GET /pet/findByTags?tags=a&tags=b%20c ");
    assert_eq!(line(&api, "uploadFile", json!({"petId": 3, "body": "aGVsbG8="})), "POST /pet/3/uploadImage hello");
    let pet = json!({"id": 1, "name": "x", "photoUrls": ["u"]});
    assert_eq!(line(&api, "addPet", pet.clone()), format!("POST /pet {pet}"));
    assert_eq!(tool(&api, "getPetById")["annotations"]["readOnlyHint"], true);
    assert_eq!(tool(&api, "addPet")["inputSchema"]["required"], json!(["name", "photoUrls"]));
}

#[test]
fn uspto_takes_a_form() {
    let search = json!({"version": "v1", "dataset": "oa", "criteria": "a:b & c", "rows": 5});
    assert_eq!(
        line(&read("uspto.yaml"), "perform-search", search),
        "POST /oa/v1/records criteria=a%3Ab%20%26%20c&rows=5"
    );
}

#[test]
fn tictactoe_of_openapi_3_1_has_a_body_that_is_a_text() {
    let square = json!({"row": 1, "column": 2, "body": "X"});
    assert_eq!(line(&read("tictactoe.yaml"), "put-square", square), "PUT /board/1/2 \"X\"");
}

#[test]
fn box_has_headers_that_say_the_version() {
    let api = read("box.json");
    let hubs = tool(&api, "get_hubs_v2025_0");
    assert_eq!(hubs["inputSchema"]["required"], json!(["box-version"]));
    let request = ask(find(&api, "get_hubs_v2025_0"), &json!({"box-version": "2025.0", "limit": 5})).unwrap();
    assert_eq!(request.headers, [("box-version".to_owned(), "2025.0".to_owned())]);
    assert_eq!(request.url, "https://api.example.com/v1/hubs?limit=5");
}

#[test]
fn openai_has_files_and_a_recursive_filter() {
    let api = read("openai.json");
    let body = line(&api, "createFile", json!({"file": "aGVsbG8=", "purpose": "assistants"}));
    assert!(body.contains("name=\"file\"; filename=\"file\"") && body.contains("\r\n\r\nhello\r\n"), "{body}");
    let search = tool(&api, "searchVectorStore");
    let text = search.to_string();
    assert!(text.contains("$defs") && text.len() < 10_000, "{text}");
}

#[test]
fn discord_has_nullable_unions_and_names_that_collide_with_its_paths() {
    let api = read("discord.json");
    let update = tool(&api, "update_guild");
    assert_eq!(update["inputSchema"]["required"], json!(["guild_id"]));
    let validator = jsonschema::validator_for(&update["inputSchema"]).unwrap();
    assert!(validator.is_valid(&json!({"guild_id": "1", "description": null})), "{update}");
    assert_eq!(
        line(&api, "update_guild", json!({"guild_id": "1", "description": null})),
        r#"PATCH /guilds/1 {"description":null}"#
    );
}
