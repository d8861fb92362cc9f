//! What is laid over tools: listed, set, taken back.

use std::process::ExitCode;

use anyhow::Context;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{any, member, pair_of, take_back, tell, whose};
use crate::Outcome;
use crate::args::{self, OverrideWhat};
use crate::control::{Gateway, Said};
use crate::diff::escaped;
use crate::screen::{harmless, one_line, table};

/// The widest description of an override in a table.
const WIDTH: usize = 80;

#[derive(Deserialize)]
struct Entries {
    entries: Vec<Said>,
}

/// Lists, sets or takes back what is laid over tools.
pub(crate) async fn overrides(options: args::Override) -> Outcome {
    let control = options.control;
    let place = |namespace: &str, tool: &str| -> anyhow::Result<String> {
        let (upstream, tool) = tool.split_once('/').context("a tool is named by its own name, `upstream/tool`")?;
        let (namespace, upstream, tool) = (escaped(namespace), escaped(upstream), escaped(tool));
        Ok(format!("/api/v1/config/namespaces/{namespace}/overrides/{upstream}/{tool}"))
    };
    match options.what {
        OverrideWhat::List { namespace } => list_overrides(&control, &namespace).await,
        OverrideWhat::Remove { namespace, tool } => take_back(&control, &place(&namespace, &tool)?).await,
        OverrideWhat::Set(overlay) => {
            let path = place(&overlay.namespace, &overlay.tool)?;
            let gateway = Gateway::find(&control).await?;
            let before = gateway.said(&path).await?;
            let said = before.as_ref().filter(|_| !overlay.anew).and_then(|said| said.value.as_object().cloned());
            let value = laid_over(said.unwrap_or_default(), &overlay)?;
            if value.as_object().is_some_and(Map::is_empty) {
                return Err(anyhow::anyhow!("say what is to be laid over it; --help names it").into());
            }
            tell(&gateway, &gateway.set(&path, &value, before.as_ref()).await?, control.json)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn list_overrides(control: &args::Control, namespace: &str) -> Outcome {
    let gateway = Gateway::find(control).await?;
    let path = format!("/api/v1/config/namespaces/{}/overrides", escaped(namespace));
    let (told, json): (Entries, _) = gateway.get(&path).await?;
    if control.json {
        outln!("{}", String::from_utf8_lossy(&json));
        return Ok(ExitCode::SUCCESS);
    }
    let rows =
        told.entries.iter().map(|one| vec![harmless(&one.name), one_line(&one.value.to_string(), WIDTH), whose(one)]);
    out!("{}", table(&rows.collect::<Vec<_>>()));
    Ok(ExitCode::SUCCESS)
}

fn laid_over(mut value: Map<String, Value>, options: &args::Overlay) -> anyhow::Result<Value> {
    let texts = [("name", &options.name), ("title", &options.title), ("description", &options.description)];
    for (key, text) in texts {
        value.extend(text.as_ref().map(|text| (key.to_owned(), text.as_str().into())));
    }
    if options.hide || options.show {
        value.insert("hidden".into(), options.hide.into());
    }
    for pair in &options.annotation {
        let (name, given) = pair_of(pair, "--annotation")?;
        member(&mut value, "annotations")?.insert(name.to_owned(), any(given));
    }
    let mut argument = |argument: &str, key: &str, given: Value| -> anyhow::Result<()> {
        member(member(&mut value, "arguments")?, argument)?.insert(key.to_owned(), given);
        Ok(())
    };
    for pair in &options.default {
        let (name, given) = pair_of(pair, "--default")?;
        argument(name, "default", any(given))?;
    }
    for pair in &options.fixed {
        let (name, given) = pair_of(pair, "--fixed")?;
        argument(name, "fixed", any(given))?;
    }
    for (pairs, flag, key) in [
        (&options.from, "--from", "from"),
        (&options.rename, "--rename", "name"),
        (&options.describe, "--describe", "description"),
    ] {
        for pair in pairs {
            let (name, given) = pair_of(pair, flag)?;
            argument(name, key, given.into())?;
        }
    }
    for name in &options.hide_argument {
        argument(name, "hidden", true.into())?;
    }
    Ok(value.into())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;
    use crate::args::{Args, Command};

    #[test]
    fn what_is_laid_over_a_tool_keeps_what_is_there_already() {
        let words = ["toolgate", "override", "set", "team", "a/b", "--name", "x", "--fixed", "n=1", "--rename", "n=m"];
        let Some(Command::Override(args::Override { what: OverrideWhat::Set(overlay), .. })) =
            Args::try_parse_from(words).unwrap().command
        else {
            panic!("another command")
        };
        let before = json!({"title": "T", "arguments": {"n": {"description": "d"}}});
        assert_eq!(
            laid_over(before.as_object().unwrap().clone(), &overlay).unwrap(),
            json!({"title": "T", "name": "x", "arguments": {"n": {"description": "d", "fixed": 1, "name": "m"}}})
        );
    }
}
