//! Namespaces: added, changed, removed.

use std::process::ExitCode;

use serde_json::{Map, Value};

use super::{member, set_keys, take_back, tell, whose};
use crate::Outcome;
use crate::args;
use crate::control::Gateway;
use crate::diff::escaped;
use crate::screen::harmless;

/// Adds a namespace.
pub(crate) async fn add_namespace(control: &args::Control, name: &str, options: &args::Namespace) -> Outcome {
    let path = format!("/api/v1/config/namespaces/{}", escaped(name));
    let gateway = Gateway::find(control).await?;
    if let Some(before) = gateway.said(&path).await? {
        let (name, place) = (harmless(name), whose(&before));
        return Err(anyhow::anyhow!("`{name}` is there already ({place}); `toolgate ns change` changes it").into());
    }
    let value = namespace(Map::new(), options)?;
    tell(&gateway, &gateway.set(&path, &value, None).await?, control.json)?;
    if !control.json {
        outln!("  its endpoint is /ns/{}/mcp", harmless(name));
    }
    Ok(ExitCode::SUCCESS)
}

/// Changes a namespace where something else is said.
pub(crate) async fn change_namespace(control: &args::Control, name: &str, options: &args::Namespace) -> Outcome {
    let path = format!("/api/v1/config/namespaces/{}", escaped(name));
    let gateway = Gateway::find(control).await?;
    let before = gateway.said(&path).await?;
    // What /mcp shows is there without being said.
    let said = match (&before, name) {
        (Some(said), _) => said.value.as_object().cloned().unwrap_or_default(),
        (None, "default") => Map::new(),
        (None, _) => {
            let name = harmless(name);
            return Err(anyhow::anyhow!("no namespace is called `{name}`; `toolgate ns add` adds one").into());
        }
    };
    let value = namespace(said, options)?;
    tell(&gateway, &gateway.set(&path, &value, before.as_ref()).await?, control.json)?;
    Ok(ExitCode::SUCCESS)
}

/// Removes a namespace that was added.
pub(crate) async fn remove_namespace(control: &args::Control, name: &str) -> Outcome {
    take_back(control, &format!("/api/v1/config/namespaces/{}", escaped(name))).await
}

fn namespace(mut value: Map<String, Value>, options: &args::Namespace) -> anyhow::Result<Value> {
    let list = |all: &[String]| Value::from(all);
    if !options.upstreams.is_empty() {
        value.insert("upstreams".into(), list(&options.upstreams));
    }
    if !options.allow.is_empty() {
        member(&mut value, "tools")?.insert("allow".into(), list(&options.allow));
    }
    if !options.deny.is_empty() {
        let reasons = options.deny.iter().map(|one| one.split_once('=').unwrap_or((one, "")));
        let denied = match options.deny.iter().any(|one| one.contains('=')) {
            true => reasons.map(|(pattern, reason)| (pattern.to_owned(), Value::from(reason))).collect(),
            false => list(&options.deny),
        };
        member(&mut value, "tools")?.insert("deny".into(), denied);
    }
    if options.read_only {
        member(&mut value, "tools")?.insert("read_only".into(), true.into());
    }
    if options.no_destructive {
        member(&mut value, "tools")?.insert("destructive".into(), false.into());
    }
    let texts =
        [("names", &options.names), ("presentation", &options.presentation), ("instructions", &options.instructions)];
    for (key, text) in texts {
        value.extend(text.as_ref().map(|text| (key.to_owned(), text.as_str().into())));
    }
    if !options.pinned.is_empty() {
        value.insert("pinned".into(), list(&options.pinned));
    }
    set_keys(&mut value, &options.set)?;
    Ok(value.into())
}
