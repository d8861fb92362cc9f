//! `logs` and `events`: what is said and what happens on a running gateway, as it comes.

use std::process::ExitCode;

use serde::Deserialize;

use crate::Outcome;
use crate::args;
use crate::control::Gateway;
use crate::diff::escaped;
use crate::screen::{Paint, harmless};

/// One line of an upstream.
#[derive(Deserialize)]
struct Line {
    level: Option<String>,
    #[serde(default)]
    text: String,
}

#[derive(Deserialize)]
struct Lines {
    lines: Vec<Line>,
}

/// One event; what else it has is shown as it is.
#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    #[serde(flatten)]
    rest: serde_json::Map<String, serde_json::Value>,
}

/// Shows what an upstream says.
pub(crate) async fn logs(options: args::Logs) -> Outcome {
    let gateway = Gateway::find(&options.control).await?;
    let path = format!("/api/v1/upstreams/{}/logs", escaped(&options.upstream));
    let as_json = options.control.json;
    if !options.follow {
        let (told, json): (Lines, _) = gateway.get(&path).await?;
        if as_json {
            outln!("{}", String::from_utf8_lossy(&json));
        } else {
            told.lines.iter().for_each(Line::show);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let each = |data: &str| match serde_json::from_str::<Line>(data) {
        Ok(line) if !as_json => line.show(),
        _ => outln!("{data}"),
    };
    gateway.follow(&format!("{path}/follow"), each).await?;
    Ok(ExitCode::SUCCESS)
}

/// Shows what happens.
pub(crate) async fn events(options: args::Control) -> Outcome {
    let gateway = Gateway::find(&options).await?;
    let each = |data: &str| match serde_json::from_str::<Event>(data) {
        Ok(event) if !options.json => event.show(),
        _ => outln!("{data}"),
    };
    gateway.follow("/api/v1/events", each).await?;
    Ok(ExitCode::SUCCESS)
}

impl Line {
    fn show(&self) {
        match &self.level {
            Some(level) => outln!("{} {}", Paint::stdout().dim(&harmless(level)), harmless(&self.text)),
            None => outln!("{}", harmless(&self.text)),
        }
    }
}

impl Event {
    fn show(&self) {
        let words =
            self.rest.iter().filter(|(name, value)| *name != "at_ms" && !value.is_null()).map(|(name, value)| {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                format!("{name}={value}")
            });
        let words: Vec<String> = words.collect();
        outln!("{} {}", Paint::stdout().bold(&harmless(&self.kind)), harmless(&words.join(" ")));
    }
}
