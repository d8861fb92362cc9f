//! `add`, `remove`, `enable`, `disable`, `ns add` and its like, `override`: what sets something on a running gateway.
//!
//! What is changed is read first and given back with the tag it had: who else changes it in between is not overwritten.

mod namespace;
mod overlay;
mod upstream;

use std::process::ExitCode;

use anyhow::Context;
use serde_json::{Map, Value, json};

pub(crate) use namespace::{add_namespace, change_namespace, remove_namespace};
pub(crate) use overlay::overrides;
pub(crate) use upstream::{add, remove, switch};

use crate::args;
use crate::control::{Gateway, Said};
use crate::diff;
use crate::screen::harmless;
use crate::{Failure, Outcome};

/// Takes back what was set at a path.
async fn take_back(control: &args::Control, path: &str) -> Outcome {
    let gateway = Gateway::find(control).await?;
    tell(&gateway, &gateway.delete(path).await?, control.json)?;
    Ok(ExitCode::SUCCESS)
}

/// Where something is said that is there already.
fn whose(said: &Said) -> String {
    let place = said.place.as_deref().filter(|_| said.from == "file");
    harmless(place.unwrap_or("set over the control API"))
}

/// Says what was changed.
fn tell(gateway: &Gateway, told: &[u8], as_json: bool) -> Result<(), Failure> {
    diff::show(&gateway.read(told)?, told, as_json, "it was so already");
    Ok(())
}

/// Puts `a.b=value` into a map, one by one.
fn set_keys(value: &mut Map<String, Value>, pairs: &[String]) -> anyhow::Result<()> {
    for pair in pairs {
        let (keys, given) = pair_of(pair, "--set")?;
        let mut keys = keys.split('.');
        let mut last = keys.next().unwrap_or_default();
        let mut map = &mut *value;
        for key in keys {
            map = member(map, last)?;
            last = key;
        }
        map.insert(last.to_owned(), any(given));
    }
    Ok(())
}

/// The map of that name in a map, which comes to be where there is none.
fn member<'a>(map: &'a mut Map<String, Value>, name: &str) -> anyhow::Result<&'a mut Map<String, Value>> {
    let member = map.entry(name).or_insert_with(|| json!({}));
    member.as_object_mut().with_context(|| format!("`{name}` is no map"))
}

fn pair_of<'a>(pair: &'a str, flag: &str) -> anyhow::Result<(&'a str, &'a str)> {
    let split = pair.split_once('=').filter(|(name, _)| !name.is_empty());
    split.with_context(|| format!("{flag} {pair}: write `name=value`"))
}

/// What is JSON is what it says; all else is a text.
fn any(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}
