//! `tools`: what there is to call.

use std::process::ExitCode;

use toolgate_protocol::{Json, Presentation};

use crate::Outcome;
use crate::args;
use crate::endpoint::Endpoint;
use crate::screen::{one_line, table};

/// The most of a description that is shown.
const WIDTH: usize = 90;

/// Lists tools.
pub(crate) async fn tools(options: args::Tools) -> Outcome {
    let endpoint = Endpoint::open(&options.gateway, Presentation::Direct).await?;
    let tools = endpoint.tools().await;
    endpoint.close().await;
    let tools = tools?;
    if options.json {
        let all: Vec<Json> = tools.iter().map(|tool| tool.to_json()).collect();
        outln!("{}", Json::array_of(&all).as_str());
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = tools
        .iter()
        .map(|tool| {
            let text = |member: &str| tool.string(member).unwrap_or_default();
            vec![one_line(&text("name"), 64), one_line(&text("description"), WIDTH)]
        })
        .collect();
    out!("{}", table(&rows));
    eprintln!("{} tools", tools.len());
    Ok(ExitCode::SUCCESS)
}
