//! JSON Schemas from Rust types, in the plain form that every model provider takes.
//!
//! Some refuse `$ref`, type lists or formats they do not know; none of those says anything to a model here.

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};
use toolgate_protocol::Json;

/// What a tool takes: always an object schema, with `properties` even where there are none.
pub(crate) fn input<A: JsonSchema>() -> Json {
    let mut schema = settings().for_deserialize().into_generator().into_root_schema_for::<A>();
    schema.insert("type".into(), json!("object"));
    if schema.get("properties").is_none() {
        schema.insert("properties".into(), json!({}));
    }
    without_type_notes(schema)
}

/// What a tool gives as structured content; also what a form asks for.
pub(crate) fn output<T: JsonSchema>() -> Json {
    without_type_notes(settings().for_serialize().into_generator().into_root_schema_for::<T>())
}

fn settings() -> SchemaSettings {
    SchemaSettings::draft2020_12()
        .with(|settings| {
            settings.inline_subschemas = true;
            settings.meta_schema = None;
        })
        .with_transform(RecursiveTransform(Plain))
}

/// The Rust type's own name and documentation are for readers of the source.
fn without_type_notes(mut schema: Schema) -> Json {
    schema.remove("title");
    schema.remove("description");
    Json::of(&schema).expect("a schema is JSON")
}

#[derive(Clone)]
struct Plain;

impl Transform for Plain {
    fn transform(&mut self, schema: &mut Schema) {
        let Some(schema) = schema.as_object_mut() else { return };
        if let Some(Value::Array(types)) = schema.get_mut("type") {
            types.retain(|name| name != "null");
            if let [only] = &types[..] {
                let only = only.clone();
                schema.insert("type".into(), only);
            }
        }
        if let Some(Value::Array(variants)) = schema.get("anyOf")
            && let [Value::Object(some), Value::Object(null)] = &variants[..]
            && null.get("type").is_some_and(|name| name == "null")
        {
            let some = some.clone();
            schema.remove("anyOf");
            for (key, value) in some {
                schema.entry(key).or_insert(value);
            }
        }
        enumerate(schema);
        if let Some(Value::String(description)) = schema.get_mut("description") {
            // Lines of a doc comment are one sentence to a reader.
            *description = description.replace('\n', " ");
        }
        if schema.get("default").is_some_and(Value::is_null) {
            schema.remove("default");
        }
        if schema
            .get("format")
            .is_some_and(|format| format.as_str().is_some_and(|name| name.contains("int") || name == "double"))
        {
            schema.remove("format");
        }
    }
}

/// Documented variants come as a `oneOf` of constants; a plain `enum` says the same, with the documentation in words.
fn enumerate(schema: &mut Map<String, Value>) {
    let Some(Value::Array(variants)) = schema.get("oneOf") else { return };
    let names: Option<Vec<Value>> = variants.iter().map(|variant| variant.get("const").cloned()).collect();
    let Some(names) = names else { return };
    let told = variants.iter().filter_map(|variant| {
        Some(format!("{}: {}", variant["const"].as_str()?, variant.get("description")?.as_str()?))
    });
    let told = told.collect::<Vec<_>>().join(" ");
    let own = schema.get("description").and_then(Value::as_str).map_or_else(String::new, |own| format!("{own} "));
    schema.remove("oneOf");
    schema.insert("type".into(), json!("string"));
    schema.insert("enum".into(), Value::Array(names));
    schema.insert("description".into(), json!(format!("{own}{told}").trim()));
}
