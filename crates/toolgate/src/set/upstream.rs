//! Upstreams: added, removed, enabled, disabled.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{set_keys, take_back, tell, whose};
use crate::Outcome;
use crate::args;
use crate::control::Gateway;
use crate::diff::escaped;
use crate::screen::{Paint, clear_progress, harmless, show_progress};
use crate::status::Counts;

/// For an upstream to come up; `npx` and `uvx` may first install what they run.
const UP_WAIT: Duration = Duration::from_secs(90);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(200);

#[derive(Deserialize)]
struct Upstream {
    state: String,
    error: Option<String>,
    counts: Counts,
}

/// Adds an upstream, and waits for it to come up.
pub(crate) async fn add(options: args::Add) -> Outcome {
    let value = upstream(&options)?;
    let gateway = Gateway::find(&options.control()).await?;
    let path = format!("/api/v1/config/upstreams/{}", escaped(&options.name));
    let before = gateway.said(&path).await?;
    if let Some(before) = before.as_ref().filter(|_| !options.replace) {
        let (name, place) = (harmless(&options.name), whose(before));
        let what = anyhow::anyhow!("`{name}` is there already ({place}); `--replace` puts this one in its place");
        return Err(what.into());
    }
    let told = gateway.set(&path, &value, before.as_ref()).await?;
    tell(&gateway, &told, options.json)?;
    if options.disabled || options.no_wait || options.json {
        return Ok(ExitCode::SUCCESS);
    }
    wait(&gateway, &options.name).await
}

/// Waits until it is known how an upstream is doing, and says so. That it fails now does not undo that it was added.
async fn wait(gateway: &Gateway, name: &str) -> Outcome {
    let deadline = tokio::time::Instant::now() + UP_WAIT;
    let path = format!("/api/v1/upstreams/{}", escaped(name));
    let mut upstream: Upstream = gateway.get(&path).await?.0;
    while upstream.state == "starting" && tokio::time::Instant::now() < deadline {
        show_progress(&format!("  {} is starting", harmless(name)));
        tokio::time::sleep(LOOK).await;
        upstream = gateway.get(&path).await?.0;
    }
    clear_progress();
    if upstream.state == "ready" {
        // Its lists come a moment after it is up.
        upstream = gateway.post(&format!("{path}/refresh"), String::new()).await?.0;
    }
    let (paint, Counts { tools, prompts, resources, templates }) = (Paint::stdout(), upstream.counts);
    let what = match (upstream.state.as_str(), &upstream.error) {
        ("ready" | "asleep", _) => format!("{tools} tools, {prompts} prompts, {} resources", resources + templates),
        (_, Some(error)) => paint.red(&harmless(error)),
        _ => "is not up yet; `toolgate status` tells how it is doing".to_owned(),
    };
    outln!("  {}  {}  {what}", paint.bold(&harmless(name)), paint.state(&upstream.state, 8));
    Ok(if upstream.state == "failed" { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Removes an upstream that was added.
pub(crate) async fn remove(options: args::Upstream) -> Outcome {
    let path = format!("/api/v1/config/upstreams/{}", escaped(&options.upstream));
    take_back(&options.control, &path).await
}

/// Enables or disables an upstream.
pub(crate) async fn switch(options: args::Upstream, enabled: bool) -> Outcome {
    let gateway = Gateway::find(&options.control).await?;
    let word = if enabled { "enable" } else { "disable" };
    let path = format!("/api/v1/upstreams/{}/{word}", escaped(&options.upstream));
    let (_, told): (Value, _) = gateway.post(&path, String::new()).await?;
    tell(&gateway, &told, options.control.json)?;
    Ok(ExitCode::SUCCESS)
}

/// What the config would say of an upstream.
fn upstream(options: &args::Add) -> anyhow::Result<Value> {
    let mut value = Map::new();
    let mut put = |key: &str, what: Value| drop(value.insert(key.to_owned(), what));
    if let Some((command, args)) = options.command.split_first() {
        put("command", command.as_str().into());
        if !args.is_empty() {
            put("args", args.into());
        }
    }
    for (key, given) in [("url", &options.url), ("builtin", &options.builtin), ("openapi", &options.openapi)] {
        if let Some(given) = given {
            put(key, given.as_str().into());
        }
    }
    let openapi_is_here = options.openapi.as_ref().is_some_and(|place| Path::new(place).is_file());
    if let Some(document) = options.openapi.as_ref().filter(|_| openapi_is_here) {
        put("openapi", text_of(&std::path::absolute(document)?)?.into());
    }
    if let Some(cwd) = cwd(options)? {
        put("cwd", cwd.into());
    }
    if !options.env.is_empty() {
        let pairs = options.env.iter().map(|pair| match pair.split_once('=') {
            Some((name, value)) => (name.to_owned(), Value::from(value)),
            None => (pair.clone(), format!("${{{pair}}}").into()),
        });
        put("env", pairs.collect());
    }
    if !options.header.is_empty() {
        let pairs = options.header.iter().map(|line| {
            let (name, value) =
                line.split_once(':').with_context(|| format!("--header {line}: write `Name: value`"))?;
            Ok((name.trim().to_owned(), Value::from(value.trim())))
        });
        put("headers", pairs.collect::<anyhow::Result<Map<_, _>>>()?.into());
    }
    if options.disabled {
        put("enabled", false.into());
    }
    set_keys(&mut value, &options.set)?;
    if !["command", "url", "builtin", "openapi", "http"].iter().any(|key| value.contains_key(*key)) {
        bail!("say what `{}` is: `-- COMMAND ARGS…`, --url URL, --builtin SERVER or --openapi DOCUMENT", options.name);
    }
    Ok(value.into())
}

/// The folder that a program runs in, where that matters: the gateway runs in another one than whoever types this.
fn cwd(options: &args::Add) -> anyhow::Result<Option<String>> {
    if let Some(cwd) = &options.cwd {
        return text_of(&std::path::absolute(cwd)?).map(Some);
    }
    let is_of_here = |word: &String| {
        let path = Path::new(word);
        path.is_relative() && (path.starts_with(".") || path.starts_with("..") || word.contains('/')) && path.exists()
    };
    match options.command.iter().any(is_of_here) {
        true => text_of(&std::env::current_dir()?).map(Some),
        false => Ok(None),
    }
}

fn text_of(path: &Path) -> anyhow::Result<String> {
    path.to_str().map(str::to_owned).with_context(|| format!("{}: not a name in UTF-8", path.display()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;
    use crate::args::{Args, Command};

    fn upstream_of(words: &[&str]) -> anyhow::Result<Value> {
        let args = Args::try_parse_from([&["toolgate", "add"], words].concat())?;
        let Some(Command::Add(add)) = args.command else { bail!("another command") };
        upstream(&add)
    }

    #[test]
    fn what_is_added_is_what_the_config_would_say() {
        assert_eq!(
            upstream_of(&["m", "-e", "KEY=a=b", "-e", "TOKEN", "--", "npx", "-y", "server", "--flag"]).unwrap(),
            json!({"command": "npx", "args": ["-y", "server", "--flag"], "env": {"KEY": "a=b", "TOKEN": "${TOKEN}"}})
        );
        assert_eq!(
            upstream_of(&["m", "--url", "https://e.org/mcp", "-H", "Authorization: Bearer ${T}", "--disabled"])
                .unwrap(),
            json!({"url": "https://e.org/mcp", "headers": {"Authorization": "Bearer ${T}"}, "enabled": false})
        );
        assert_eq!(
            upstream_of(&["m", "--builtin", "time", "-s", "timeout=5s", "-s", r#"tools.allow=["a*"]"#]).unwrap(),
            json!({"builtin": "time", "timeout": "5s", "tools": {"allow": ["a*"]}})
        );
        // A path of this folder means this folder.
        let here = std::env::current_dir().unwrap();
        let with_path = upstream_of(&["m", "--", "node", "./src"]).unwrap();
        assert_eq!(with_path["cwd"], here.to_str().unwrap());
        for wrong in [&["m"][..], &["m", "--url", "u", "--", "x"], &["m", "-H", "no colon", "--url", "u"]] {
            assert!(upstream_of(wrong).is_err(), "{wrong:?}");
        }
    }
}
