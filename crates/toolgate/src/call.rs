//! `call`: calls one tool and prints what it gives.

use std::io::{IsTerminal, Read};
use std::process::ExitCode;

use anyhow::{Context, bail};
use toolgate_protocol::{Json, Method, Object, Presentation, meta};

use crate::args;
use crate::endpoint::{Endpoint, outcome, refused};
use crate::screen::harmless;
use crate::{Failure, Outcome};

/// Calls a tool.
pub(crate) async fn call(options: args::Call) -> Outcome {
    let endpoint = Endpoint::open(&options.gateway, Presentation::Direct).await?;
    let called = call_on(&endpoint, &options).await;
    endpoint.close().await;
    called
}

async fn call_on(endpoint: &Endpoint, options: &args::Call) -> Outcome {
    let arguments = match &options.args {
        Some(text) => read_arguments(text)?,
        None if options.pairs.is_empty() => Json::literal("{}"),
        None => {
            let tools = endpoint.tools().await?;
            let tool = tools.iter().find(|tool| tool.string("name").as_deref() == Some(options.tool.as_str()));
            let tool = tool.with_context(|| {
                format!("there is no tool `{}`; `toolgate tools` lists those there are", options.tool)
            })?;
            from_pairs(&options.pairs, &tool.child("inputSchema").unwrap_or_default())?
        }
    };
    let params = Object::new().with("name", Json::string(&options.tool)).with("arguments", arguments);
    let mut params = params;
    meta::edit(&mut params, |meta| meta.set(meta::PROGRESS_TOKEN, Json::integer(1)));
    let reply = endpoint.send(Method::ToolsCall, params).await;
    let result = outcome(reply, show_progress).await.map_err(refused)?;
    let object = result.object()?;
    if object.string("resultType").as_deref() == Some("input_required") {
        return Err(anyhow::anyhow!(
            "the tool asks its client something, which this command cannot answer; use an MCP client"
        )
        .into());
    }
    if options.json {
        outln!("{}", result.as_str());
    } else {
        show(&object)?;
    }
    let failed = object.get("isError").is_some_and(|failed| failed.as_str() == "true");
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn read_arguments(text: &str) -> anyhow::Result<Json> {
    let text = if text == "-" {
        let mut all = String::new();
        std::io::stdin().take(16 << 20).read_to_string(&mut all)?;
        all
    } else {
        text.to_owned()
    };
    let json = Json::parse(text.into()).context("--args")?;
    anyhow::ensure!(json.is_object(), "--args must be a JSON object");
    Ok(json)
}

/// Values in the types that the schema asks for; text where it does not say.
fn from_pairs(pairs: &[String], schema: &Object) -> anyhow::Result<Json> {
    let properties = schema.child("properties").unwrap_or_default();
    let mut arguments = Object::new();
    for pair in pairs {
        let (key, value) =
            pair.split_once('=').with_context(|| format!("`{pair}`: arguments are given as key=value"))?;
        let kind = properties.child(key).and_then(|property| property.string("type"));
        if kind.is_none() && !properties.is_empty() && properties.get(key).is_none() {
            let known: Vec<&str> = properties.members().map(|member| member.name()).collect();
            bail!("the tool has no argument `{key}`; it has {}", known.join(", "));
        }
        let value = match kind.as_deref() {
            Some("string") => Json::string(value),
            // Without a single type the value is JSON if it reads as such.
            None => Json::parse(value.to_owned().into()).unwrap_or_else(|_| Json::string(value)),
            Some(kind) => Json::parse(value.to_owned().into())
                .with_context(|| format!("`{key}` must be of type {kind}, written as JSON"))?,
        };
        arguments.set(key, value);
    }
    Ok(arguments.to_json())
}

fn show_progress(params: &Object) {
    if !std::io::stderr().is_terminal() {
        return;
    }
    let progress = params.get("progress").map(|value| value.as_str().to_owned()).unwrap_or_default();
    let total = params.get("total").map(|value| format!(" of {}", value.as_str())).unwrap_or_default();
    let message = params.string("message").map(|text| format!(": {}", harmless(&text))).unwrap_or_default();
    eprintln!("{progress}{total}{message}");
}

/// Text as text; what a terminal cannot show is named.
fn show(result: &Object) -> Result<(), Failure> {
    for block in result.get("content").map(Json::array).transpose()?.unwrap_or_default() {
        let block = block.object()?;
        let text = |member: &str| block.string(member).unwrap_or_default();
        match text("type").as_str() {
            "text" => outln!("{}", harmless(&text("text"))),
            kind @ ("image" | "audio") => {
                outln!("[{kind}, {}, {} characters of Base64; --json shows them]", text("mimeType"), text("data").len())
            }
            "resource_link" => outln!("[resource {} {}]", harmless(&text("uri")), harmless(&text("name"))),
            "resource" => {
                let resource = block.child("resource").unwrap_or_default();
                match resource.string("text") {
                    Some(text) => outln!("{}", harmless(&text)),
                    None => {
                        outln!("[resource {}; --json shows it]", harmless(&resource.string("uri").unwrap_or_default()))
                    }
                }
            }
            other => outln!("[{}; --json shows it]", harmless(other)),
        }
    }
    Ok(())
}
