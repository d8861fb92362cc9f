//! Namespaces, from the settings to what the catalog makes of them.

use std::sync::Arc;

use toolgate_catalog::{Argument, Namespace, Naming, Override, Overrides, Showing, Value};
use toolgate_config::{ArgumentSettings, ArgumentValue, Fact, Names, NamespaceSettings, OverrideSettings, Settings};
use toolgate_discovery::surface::{self, Surface};
use toolgate_protocol::{Endpoint, Json, Kind, Presentation, Slug, Subject, UpstreamName};

/// One namespace.
pub(crate) fn namespace(one: &NamespaceSettings, settings: &Settings) -> Namespace {
    let (members, selects) = (one.clone(), one.clone());
    Namespace {
        endpoint: Slug::new(&one.slug).map_or(Endpoint::Default, Endpoint::of_namespace),
        naming: match one.names {
            Names::Prefixed => Naming::Prefixed,
            Names::Plain => Naming::Plain,
            Names::Transparent => Naming::Transparent,
        },
        members: Box::new(move |upstream| members.has_upstream(upstream.as_str())),
        selects: Box::new(move |subject, definition| why_not(&selects, subject, definition)),
        overrides: overrides(&one.overrides),
        instructions: one.instructions.clone(),
        showing: showing(one, settings),
    }
}

/// Why an entry is not in a namespace, if it is not.
fn why_not(namespace: &NamespaceSettings, subject: &Subject, definition: &Json) -> Option<String> {
    let selection = match subject.kind {
        Kind::Tool => &namespace.tools,
        Kind::Prompt => &namespace.prompts,
        Kind::Resource | Kind::Template => &namespace.resources,
    };
    if let Some(why) = selection.why_not(subject.upstream.as_str(), &subject.native) {
        return Some(why);
    }
    if subject.kind != Kind::Tool {
        return None;
    }
    match (namespace.read_only, surface::only_reads(definition)) {
        (Some(true), false) => return Some("it does not say that it only reads (`read_only`)".into()),
        (Some(false), true) => return Some("it says that it only reads (`read_only`)".into()),
        _ => {}
    }
    match (namespace.destructive, surface::may_destroy(definition)) {
        (Some(false), true) => Some("it may destroy something, for all that it says (`destructive`)".into()),
        (Some(true), false) => Some("it says that it destroys nothing (`destructive`)".into()),
        _ => None,
    }
}

fn showing(one: &NamespaceSettings, settings: &Settings) -> Showing {
    let search = &settings.search;
    let pinned = one.pinned.clone();
    Showing {
        presentation: presentation(one.presentation),
        clients: search.clients.iter().map(|(name, shown)| (name.clone(), presentation(*shown))).collect(),
        budget: search.budget,
        pinned: Box::new(move |tool| pinned.has(tool)),
        surface: Surface { split: search.split_calls },
        lenient: search.lenient,
        answer_tokens: search.answer_tokens,
    }
}

fn presentation(configured: toolgate_config::Presentation) -> Presentation {
    match configured {
        toolgate_config::Presentation::Direct => Presentation::Direct,
        toolgate_config::Presentation::Search => Presentation::Search,
        toolgate_config::Presentation::Auto => Presentation::Auto,
    }
}

fn overrides(written: &[OverrideSettings]) -> Overrides {
    let named = written.iter().filter_map(|one| Some((UpstreamName::new(&one.upstream)?, one)));
    named.map(|(upstream, one)| ((upstream, one.tool.as_str().into()), Arc::new(overlay(one)))).collect()
}

fn overlay(one: &OverrideSettings) -> Override {
    Override {
        name: one.name.clone(),
        title: one.title.clone(),
        description: one.description.clone(),
        annotations: one.annotations.iter().map(|(name, value)| (name.clone(), json(value))).collect(),
        hidden: one.hidden,
        arguments: one.arguments.iter().map(|(native, one)| (native.clone(), argument(one))).collect(),
    }
}

fn argument(one: &ArgumentSettings) -> Argument {
    Argument {
        name: one.name.clone(),
        description: one.description.clone(),
        hidden: one.hidden,
        value: one.value.as_ref().map(|value| match value {
            ArgumentValue::Literal(text) => Value::Literal(json(text.reveal())),
            ArgumentValue::Fact(Fact::Caller) => Value::Caller,
            ArgumentValue::Fact(Fact::Conversation) => Value::Conversation,
        }),
    }
}

/// What the config made of a value, which is JSON.
fn json(text: &str) -> Json {
    Json::parse(text.to_owned().into()).unwrap_or(Json::literal("null"))
}
