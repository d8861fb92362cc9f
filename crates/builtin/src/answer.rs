//! The methods that both eras have, answered once. What differs between eras is around this: `modern.rs` and `legacy.rs`.

use serde_json::json;
use toolgate_protocol::{Json, Method, Object, RpcError, code};

use crate::call::{Call, Halt};
use crate::page::page;
use crate::prompt::Filled;
use crate::resource::Resources;
use crate::server::{About, Server};
use crate::tool::Output;

/// Entries a page of tools, prompts and templates; more than any of our servers has, as some clients read one page only.
const PAGE: usize = 100;
/// Resources a page: few, so that there is something to page through.
const RESOURCE_PAGE: usize = 20;
/// The most values a completion may have (`server/utilities/completion`).
const MAX_COMPLETIONS: usize = 100;

/// Answers one request.
pub(crate) async fn answer(server: &Server, method: &Method, params: &Object, call: Call) -> Result<Object, Halt> {
    match method {
        Method::ToolsList => {
            let tools: Vec<Json> = server.tools.all().iter().map(|tool| tool.definition()).collect();
            page("tools", &tools, PAGE, params)
        }
        Method::ToolsCall => call_tool(server, params, call).await,
        Method::PromptsList if has_prompts(server) => {
            let prompts: Vec<Json> = server.prompts.all().iter().map(|prompt| prompt.definition()).collect();
            page("prompts", &prompts, PAGE, params)
        }
        Method::PromptsGet if has_prompts(server) => get_prompt(server, params, &call),
        Method::ResourcesList => {
            page("resources", &json_all(&resources(server, method)?.list())?, RESOURCE_PAGE, params)
        }
        Method::TemplatesList => {
            page("resourceTemplates", &json_all(&resources(server, method)?.templates())?, PAGE, params)
        }
        Method::ResourcesRead => read(resources(server, method)?, params),
        Method::Complete if can_complete(server) => complete(server, params),
        other => Err(not_found(other).into()),
    }
}

/// What the server offers, for its introduction in either era.
pub(crate) fn capabilities(server: &Server) -> Json {
    let varies = |yes: bool| if yes { json!({"listChanged": true}) } else { json!({}) };
    let mut offered = Object::new();
    let mut offer =
        |name: &str, value: serde_json::Value| offered.set(name, Json::of(&value).expect("a JSON tree is JSON"));
    offer("tools", varies(server.about.varies));
    if has_prompts(server) {
        offer("prompts", varies(server.about.varies));
    }
    if server.resources.is_some() {
        offer("resources", json!({"listChanged": true, "subscribe": true}));
    }
    if can_complete(server) {
        offer("completions", json!({}));
    }
    if server.about.logs {
        offer("logging", json!({}));
    }
    offered.to_json()
}

/// Who the server is.
pub(crate) fn server_info(about: &About) -> Json {
    Object::new()
        .with("name", Json::string(about.name))
        .with("title", Json::string(about.title))
        .with("version", Json::string(env!("CARGO_PKG_VERSION")))
        .with("description", Json::string(about.description))
        .to_json()
}

/// The error for a method that is not offered here, or not in this era.
pub(crate) fn not_found(method: &Method) -> RpcError {
    RpcError::new(code::METHOD_NOT_FOUND, format!("Method not found: {}", beginning(method.as_str())))
}

fn unknown(kind: &str, name: &str) -> Halt {
    Halt::invalid(format!("Unknown {kind}: {}", beginning(name)))
}

/// As much of a name as is worth repeating.
fn beginning(name: &str) -> String {
    name.chars().take(100).collect()
}

fn has_prompts(server: &Server) -> bool {
    !server.prompts.all().is_empty()
}

fn can_complete(server: &Server) -> bool {
    has_prompts(server) || server.resources.is_some()
}

fn resources<'a>(server: &'a Server, method: &Method) -> Result<&'a dyn Resources, Halt> {
    Ok(server.resources.as_deref().ok_or_else(|| not_found(method))?)
}

fn json_all<T: serde::Serialize>(entries: &[T]) -> Result<Vec<Json>, Halt> {
    entries.iter().map(|entry| Json::of(entry).map_err(|error| Halt::internal(&error))).collect()
}

fn needed(params: &Object, member: &str) -> Result<String, Halt> {
    params.string(member).ok_or_else(|| Halt::invalid(format!("`params.{member}` must be a string")))
}

async fn call_tool(server: &Server, params: &Object, call: Call) -> Result<Object, Halt> {
    let name = needed(params, "name")?;
    let tool = server.tools.find(&name).ok_or_else(|| unknown("tool", &name))?;
    let arguments = match params.get("arguments") {
        None => Json::literal("{}"),
        Some(arguments) if arguments.is_null() => Json::literal("{}"),
        Some(arguments) if arguments.is_object() => arguments.clone(),
        Some(_) => return Err(Halt::invalid("`params.arguments` must be an object")),
    };
    let output = match tool.run(arguments, call).await {
        Err(Halt::Told(why)) => Output::fault(why),
        other => other?,
    };
    Ok(output.to_object()?)
}

fn get_prompt(server: &Server, params: &Object, call: &Call) -> Result<Object, Halt> {
    let name = needed(params, "name")?;
    let prompt = server.prompts.find(&name).ok_or_else(|| unknown("prompt", &name))?;
    let filled = strings(params.get("arguments"), "params.arguments")?;
    let messages = prompt.fill(&filled, call)?;
    as_object(&json!({"description": prompt.description()}))
        .and_then(|result| Ok(result.with("messages", Json::of(&messages).map_err(|error| Halt::internal(&error))?)))
}

fn read(resources: &dyn Resources, params: &Object) -> Result<Object, Halt> {
    let uri = needed(params, "uri")?;
    let contents = resources.read(&uri).ok_or_else(|| {
        let data = Object::new().with("uri", Json::string(&uri)).to_json();
        RpcError::new(code::INVALID_PARAMS, "Resource not found").with_data(data)
    })?;
    Ok(Object::new().with("contents", Json::of(&[contents]).map_err(|error| Halt::internal(&error))?))
}

fn complete(server: &Server, params: &Object) -> Result<Object, Halt> {
    let reference = params.child("ref").ok_or_else(|| Halt::invalid("`params.ref` must be an object"))?;
    let argument = params.child("argument").ok_or_else(|| Halt::invalid("`params.argument` must be an object"))?;
    let (name, typed) = (needed(&argument, "name")?, needed(&argument, "value")?);
    let context = params.child("context").unwrap_or_default();
    let others = strings(context.get("arguments"), "params.context.arguments")?;
    let values = match reference.string("type").as_deref() {
        Some("ref/prompt") => {
            let prompt = needed(&reference, "name")?;
            let prompt = server.prompts.find(&prompt).ok_or_else(|| unknown("prompt", &prompt))?;
            prompt.suggest(&name, &others)
        }
        Some("ref/resource") => {
            let template = needed(&reference, "uri")?;
            server.resources.as_ref().and_then(|resources| resources.suggest(&template, &name, &others))
        }
        _ => return Err(Halt::invalid("`params.ref.type` must be ref/prompt or ref/resource")),
    };
    let values = values
        .ok_or_else(|| Halt::invalid(format!("nothing here has an argument `{}` to complete", beginning(&name))))?;
    let matching = beginning_with(&typed, values);
    as_object(&json!({"completion": {
        "values": matching[..matching.len().min(MAX_COMPLETIONS)],
        "total": matching.len(),
        "hasMore": matching.len() > MAX_COMPLETIONS,
    }}))
}

/// Without regard to case.
fn beginning_with(typed: &str, values: Vec<String>) -> Vec<String> {
    let typed = typed.to_lowercase();
    values.into_iter().filter(|value| value.to_lowercase().starts_with(&typed)).collect()
}

fn strings(json: Option<&Json>, place: &str) -> Result<Filled, Halt> {
    match json {
        None => Ok(Filled::new()),
        Some(json) if json.is_null() => Ok(Filled::new()),
        Some(json) => json.read().map_err(|_| Halt::invalid(format!("`{place}` must be an object of strings"))),
    }
}

fn as_object<T: serde::Serialize>(value: &T) -> Result<Object, Halt> {
    Json::of(value).and_then(|json| json.object()).map_err(|error| Halt::internal(&error))
}
