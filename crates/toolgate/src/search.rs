//! `search`: what a model would find.

use std::process::ExitCode;

use serde::Deserialize;
use toolgate_protocol::{Json, Method, Object, Presentation, meta};

use crate::args;
use crate::endpoint::{Endpoint, outcome, refused};
use crate::screen::{Paint, harmless, table};
use crate::{Failure, Outcome};

/// Request and result `_meta` key: why each tool was found.
const EXPLAIN: &str = "io.toolgate/explain";

/// Why tools were found for one need.
#[derive(Deserialize)]
struct OfNeed {
    query: String,
    tools: Vec<OfTool>,
}

#[derive(Deserialize)]
struct OfTool {
    name: String,
    words: Vec<Word>,
}

/// What answers one word of a need.
#[derive(Deserialize)]
struct Word {
    word: String,
    worth: f64,
    found: Option<String>,
    how: Option<String>,
    #[serde(default, rename = "in")]
    fields: Vec<String>,
    counts: Option<f64>,
}

/// Searches.
pub(crate) async fn search(options: args::Search) -> Outcome {
    let endpoint = Endpoint::open(&options.gateway, Presentation::Search).await?;
    let found = search_on(&endpoint, &options).await;
    endpoint.close().await;
    found
}

async fn search_on(endpoint: &Endpoint, options: &args::Search) -> Outcome {
    let needs: Vec<Json> = options.needs.iter().map(|need| Json::string(need)).collect();
    let mut arguments = Object::new().with("queries", Json::array_of(&needs));
    if let Some(server) = &options.server {
        arguments.set("server", Json::string(server));
    }
    if let Some(limit) = options.limit {
        arguments.set("limit", Json::integer(limit.into()));
    }
    let mut params =
        Object::new().with("name", Json::literal("\"search_tools\"")).with("arguments", arguments.to_json());
    if options.explain {
        meta::edit(&mut params, |meta| meta.set(EXPLAIN, Json::literal("true")));
    }
    let reply = endpoint.send(Method::ToolsCall, params).await;
    let result = outcome(reply, |_| ()).await.map_err(refused)?;
    let object = result.object()?;
    if options.json {
        outln!("{}", result.as_str());
    } else {
        show(&object)?;
    }
    let failed = object.get("isError").is_some_and(|failed| failed.as_str() == "true");
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn show(result: &Object) -> Result<(), Failure> {
    for block in result.get("content").map(Json::array).transpose()?.unwrap_or_default() {
        outln!("{}", harmless(&block.object()?.string("text").unwrap_or_default()));
    }
    let explained = result.child("_meta").and_then(|meta| meta.get(EXPLAIN).cloned());
    for need in explained.map(|explained| explained.read::<Vec<OfNeed>>()).transpose()?.unwrap_or_default() {
        outln!("\n{}", Paint::stdout().bold(&harmless(&need.query)));
        for tool in &need.tools {
            outln!("{}", harmless(&tool.name));
            let rows: Vec<Vec<String>> = tool.words.iter().map(Word::row).collect();
            out!("{}", table(&rows));
        }
    }
    Ok(())
}

// === impl Word ===

impl Word {
    fn row(&self) -> Vec<String> {
        let counts = self.counts.unwrap_or_default();
        let found = match (&self.found, &self.how) {
            (Some(found), Some(how)) => format!("{} ({how}) in {}", harmless(found), self.fields.join(", ")),
            _ => "not there".into(),
        };
        vec![format!("  {}", harmless(&self.word)), format!("{counts:.2} of {:.2}", self.worth), found]
    }
}
