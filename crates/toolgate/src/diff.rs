//! `diff` and `reload`: what a config file would change on a running gateway, and what it does change.

use std::process::ExitCode;

use anyhow::Context;
use serde::Deserialize;

use crate::args;
use crate::control::Gateway;
use crate::screen::harmless;
use crate::settings;
use crate::{Failure, Outcome};

/// As the API has it.
#[derive(Deserialize)]
pub(crate) struct Differences {
    differences: Vec<Difference>,
}

#[derive(Deserialize)]
struct Difference {
    text: String,
}

/// As diff(1) has them, so that scripts can tell a difference from a failure.
const DIFFERENT: u8 = 1;
const TROUBLE: u8 = 2;

/// Shows what a file would change.
pub(crate) async fn diff(options: args::Diff) -> Outcome {
    match differences(&options).await {
        Ok(0) => Ok(ExitCode::SUCCESS),
        Ok(_) => Ok(ExitCode::from(DIFFERENT)),
        Err(Failure::Failed(error)) => {
            eprintln!("toolgate: {error:#}");
            Ok(ExitCode::from(TROUBLE))
        }
        Err(other) => Err(other),
    }
}

/// Shows them and says how many there are.
async fn differences(options: &args::Diff) -> Result<usize, Failure> {
    let file = match &options.file {
        Some(file) => file.clone(),
        None => settings::named(options.control.config.as_deref())?.context("no config file was found; name one")?,
    };
    let (text, name) = settings::location(&file)?.text().await.map_err(anyhow::Error::msg)?;
    let gateway = Gateway::find(&options.control).await?;
    let path = format!("/api/v1/config/diff?name={}", escaped(&name));
    let (told, json): (Differences, _) = gateway.post(&path, text).await?;
    show(&told, &json, options.control.json, "");
    Ok(told.differences.len())
}

/// Has the file read again.
pub(crate) async fn reload(options: args::Control) -> Outcome {
    let gateway = Gateway::find(&options).await?;
    let (told, json): (Differences, _) = gateway.post("/api/v1/config/reload", String::new()).await?;
    show(&told, &json, options.json, "the config says the same as before");
    Ok(ExitCode::SUCCESS)
}

/// Shows them; `same` is what is said where there is none.
pub(crate) fn show(told: &Differences, json: &[u8], as_json: bool, same: &str) {
    if as_json {
        outln!("{}", String::from_utf8_lossy(json));
        return;
    }
    if told.differences.is_empty() && !same.is_empty() {
        outln!("{same}");
    }
    for difference in &told.differences {
        outln!("{}", harmless(&difference.text));
    }
}

/// A text as a part of a URL.
pub(crate) fn escaped(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}
