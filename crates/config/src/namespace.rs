//! Namespaces: that part of the config file, and what it means.

use std::collections::HashSet;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use crate::fault::Report;
use crate::file::Names;
use crate::pattern::matches;
use crate::search::Presentation;
use crate::secret::Secret;
use crate::settings::{Pinned, SearchSettings};
use crate::show::brief;
use crate::written::{Pairs, Text};

/// The namespace that `/mcp` shows; no other can have this name.
pub const DEFAULT_NAMESPACE: &str = "default";
/// The most namespaces of one gateway.
const MAX_NAMESPACES: usize = 1000;
/// The longest name of one.
const MAX_NAME: usize = 64;
/// The longest name that an override gives a tool: what model APIs accept.
const MAX_TOOL_NAME: usize = 64;

/// A set of entries under names of their own, at an endpoint of its own: `/ns/<name>/mcp`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Namespace {
    /// The upstreams that have something here, by name; `*` stands for any characters. Without it, all.
    #[schemars(example = serde_json::json!(["github", "docs-*"]))]
    pub(crate) upstreams: Option<Vec<Text>>,
    /// Which of their tools are here.
    pub(crate) tools: ToolsHere,
    /// Which of their prompts are here.
    pub(crate) prompts: EntriesHere,
    /// Which of their resources and resource templates are here, by URI.
    pub(crate) resources: EntriesHere,
    /// How tools and prompts are named here, where not as `names` says.
    pub(crate) names: Option<Names>,
    /// How tools are shown here, where not as `presentation` says.
    pub(crate) presentation: Option<Presentation>,
    /// Tools that are listed beside the three that find others, where not as `search.pinned` says.
    #[schemars(example = serde_json::json!(["github__create_issue"]))]
    pub(crate) pinned: Option<Vec<Text>>,
    /// What clients read first, in the place of what the upstreams say of themselves.
    #[schemars(example = &"Use the tools of this namespace for research only.")]
    pub(crate) instructions: Option<Text>,
    /// What is laid over tools, by `upstream/tool`, both by their own names.
    pub(crate) overrides: Pairs<Override>,
}

/// Which tools are in a namespace, by their own names or by `upstream/tool`; `*` stands for any characters.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ToolsHere {
    /// Only these; without it, all.
    #[schemars(example = serde_json::json!(["github/*", "read_*"]))]
    pub(crate) allow: Option<Vec<Text>>,
    /// Not these: a list, or a map of each with the reason, which operators see. It wins over `allow`.
    #[schemars(example = serde_json::json!({ "delete_*": "agents delete nothing" }))]
    pub(crate) deny: Denied,
    /// Only tools that say of themselves that they only read (`true`), or only others (`false`).
    pub(crate) read_only: Option<bool>,
    /// Without tools that may destroy something (`false`), or only these (`true`). By the specification that may all that
    /// neither say that they only read nor that they destroy nothing.
    pub(crate) destructive: Option<bool>,
}

/// Which prompts or resources are in a namespace, by their own names or by `upstream/name`; `*` stands for any characters.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct EntriesHere {
    /// Only these; without it, all.
    #[schemars(example = serde_json::json!(["docs-*/*"]))]
    pub(crate) allow: Option<Vec<Text>>,
    /// Not these: a list, or a map of each with the reason, which operators see. It wins over `allow`.
    pub(crate) deny: Denied,
}

/// Patterns, each with the reason why what it fits is left out, or without one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Denied(pub(crate) Vec<(Text, Option<Text>)>);

/// What is laid over one tool, whatever its upstream says of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Override {
    /// What it is called in the place of its own name; `names` says what comes before it.
    #[schemars(example = &"new_issue")]
    pub(crate) name: Option<Text>,
    /// Its title.
    pub(crate) title: Option<Text>,
    /// Its description.
    #[schemars(example = &"Opens an issue in our tracker.")]
    pub(crate) description: Option<Text>,
    /// Annotations, such as `readOnlyHint`; others stay as they are.
    #[schemars(example = serde_json::json!({ "readOnlyHint": true }))]
    pub(crate) annotations: Pairs<serde_json::Value>,
    /// Whether it is not here at all.
    pub(crate) hidden: bool,
    /// What is laid over its arguments, by name.
    pub(crate) arguments: Pairs<Argument>,
}

/// What is laid over one argument of a tool.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Argument {
    /// What clients call it.
    #[schemars(example = &"file")]
    pub(crate) name: Option<Text>,
    /// How it is described.
    pub(crate) description: Option<Text>,
    /// What is sent where the client gives nothing.
    #[schemars(example = &"main")]
    pub(crate) default: Option<serde_json::Value>,
    /// What is always sent; clients do not see the argument. `${VAR}` keeps secrets out of the file.
    #[schemars(example = &"${TENANT}")]
    pub(crate) fixed: Option<serde_json::Value>,
    /// What is known of the caller and always sent; clients do not see the argument.
    pub(crate) from: Option<Fact>,
    /// Whether clients neither see nor give it; it is sent only if it has a `default`.
    pub(crate) hidden: bool,
}

/// What is known of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Fact {
    /// Who it is, as the log names it.
    Caller,
    /// Which of its conversations this is, where that is known.
    Conversation,
}

/// A namespace, as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamespaceSettings {
    /// Its name, which stands in its URL as written.
    pub slug: String,
    /// Which upstreams have something in it, by patterns on their slugs; all, if it does not say.
    pub upstreams: Option<Vec<String>>,
    /// Which tools are in it.
    pub tools: Selection,
    /// Which prompts.
    pub prompts: Selection,
    /// Which resources and templates.
    pub resources: Selection,
    /// Only tools that say that they only read, or only others.
    pub read_only: Option<bool>,
    /// Without tools that may destroy something, or only these.
    pub destructive: Option<bool>,
    /// How entries are named.
    pub names: Names,
    /// How tools are shown.
    pub presentation: Presentation,
    /// Tools that are listed in any case.
    pub pinned: Pinned,
    /// What clients read first.
    pub instructions: Option<String>,
    /// What is laid over tools.
    pub overrides: Vec<OverrideSettings>,
}

/// Which entries are in a namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only these, if it says so.
    pub allow: Option<Vec<String>>,
    /// Not these, each with the reason.
    pub deny: Vec<(String, Option<String>)>,
}

/// What is laid over a tool, as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverrideSettings {
    /// The slug of its upstream.
    pub upstream: String,
    /// Its native name.
    pub tool: String,
    /// What it is called.
    pub name: Option<String>,
    /// Its title.
    pub title: Option<String>,
    /// Its description.
    pub description: Option<String>,
    /// Annotations, as JSON.
    pub annotations: Vec<(String, String)>,
    /// Whether it is not there at all.
    pub hidden: bool,
    /// Its arguments, by native name.
    pub arguments: Vec<(String, ArgumentSettings)>,
}

/// What is laid over an argument, as meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArgumentSettings {
    /// What clients call it.
    pub name: Option<String>,
    /// How it is described.
    pub description: Option<String>,
    /// Whether clients neither see nor give it.
    pub hidden: bool,
    /// What is sent.
    pub value: Option<ArgumentValue>,
}

/// Where the value of an argument comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArgumentValue {
    /// JSON text; a variable in it may hold a secret.
    Literal(Secret),
    /// The caller.
    Fact(Fact),
}

// === impl Selection ===

impl Selection {
    /// Why an entry of this upstream and native name is not selected, if it is not.
    pub fn why_not(&self, upstream: &str, native: &str) -> Option<String> {
        let full = format!("{upstream}/{native}");
        let fits = |pattern: &String| matches(pattern, native) || matches(pattern, &full);
        if let Some((pattern, reason)) = self.deny.iter().find(|(pattern, _)| fits(pattern)) {
            return Some(match reason {
                Some(reason) => format!("denied by `{pattern}`: {reason}"),
                None => format!("denied by `{pattern}`"),
            });
        }
        let is_allowed = self.allow.as_ref().is_none_or(|allow| allow.iter().any(fits));
        (!is_allowed).then(|| "not among what `allow` names".to_owned())
    }
}

// === impl NamespaceSettings ===

impl NamespaceSettings {
    /// Whether the upstream of this slug has anything in it.
    pub fn has_upstream(&self, slug: &str) -> bool {
        self.upstreams.as_ref().is_none_or(|patterns| patterns.iter().any(|pattern| matches(pattern, slug)))
    }

    /// `/mcp`, unless the file says something of it.
    pub(crate) fn plain(slug: &str, names: Names, presentation: Presentation, search: &SearchSettings) -> Self {
        Self {
            slug: slug.to_owned(),
            upstreams: None,
            tools: Selection::default(),
            prompts: Selection::default(),
            resources: Selection::default(),
            read_only: None,
            destructive: None,
            names,
            presentation,
            pinned: search.pinned.clone(),
            instructions: None,
            overrides: Vec::new(),
        }
    }
}

// === impl Denied ===

impl Serialize for Denied {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.iter().any(|(_, reason)| reason.is_some()) {
            return serializer.collect_map(self.0.iter().map(|(pattern, reason)| (pattern, reason)));
        }
        serializer.collect_seq(self.0.iter().map(|(pattern, _)| pattern))
    }
}

impl<'de> Deserialize<'de> for Denied {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DeniedVisitor;
        impl<'de> Visitor<'de> for DeniedVisitor {
            type Value = Denied;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of patterns, or a map of patterns and reasons")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Denied, A::Error> {
                let mut all = Vec::new();
                while let Some(pattern) = list.next_element()? {
                    all.push((pattern, None));
                }
                Ok(Denied(all))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Denied, A::Error> {
                let mut all = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    all.push(pair);
                }
                Ok(Denied(all))
            }
        }
        deserializer.deserialize_any(DeniedVisitor)
    }
}

impl JsonSchema for Denied {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Denied".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (list, map) = (generator.subschema_for::<Vec<Text>>(), generator.subschema_for::<Pairs<Text>>());
        json_schema!({ "anyOf": [list, map] })
    }
}

// === resolving ===

/// What the namespaces have in common unless they say otherwise.
pub(crate) struct Common<'a> {
    pub(crate) names: Names,
    pub(crate) presentation: Presentation,
    pub(crate) search: &'a SearchSettings,
    /// The slugs of the enabled upstreams.
    pub(crate) upstreams: &'a [String],
}

/// What is written, as it is meant; the default one is among them in any case, and first.
pub(crate) fn resolve(written: Pairs<Namespace>, common: &Common<'_>, report: &mut Report) -> Vec<NamespaceSettings> {
    if let Some((name, _)) = written.0.get(MAX_NAMESPACES) {
        report.fault(name.spot, format!("more than {MAX_NAMESPACES} namespaces"));
    }
    let mut all: Vec<NamespaceSettings> = Vec::new();
    for (name, written) in written.0 {
        check_name(&name, report);
        all.push(one(&name, written, common, report));
    }
    match all.iter().position(|namespace| namespace.slug == DEFAULT_NAMESPACE) {
        Some(at) => all.swap(0, at),
        None => {
            let plain = NamespaceSettings::plain(DEFAULT_NAMESPACE, common.names, common.presentation, common.search);
            all.insert(0, plain);
        }
    }
    all
}

fn check_name(name: &Text, report: &mut Report) {
    let is_legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let begins_well = name.value.chars().next().is_some_and(is_legal);
    let all_legal = name.value.chars().all(|c| is_legal(c) || c == '-' || c == '_');
    if !begins_well || !all_legal || name.value.len() > MAX_NAME {
        let help = "it stands in a URL as it is: lower-case letters, digits, `-` and `_`, at most 64, beginning with a letter or digit";
        report.fault_with_help(name.spot, format!("`{}` is no name for a namespace", brief(&name.value)), help);
    }
}

fn one(name: &Text, written: Namespace, common: &Common<'_>, report: &mut Report) -> NamespaceSettings {
    let patterns = |texts: Vec<Text>| texts.into_iter().map(|text| text.value).collect::<Vec<_>>();
    for pattern in written.upstreams.iter().flatten() {
        if !common.upstreams.iter().any(|slug| matches(&pattern.value, slug)) {
            report.note(pattern.spot, format!("no enabled upstream is called `{}`", brief(&pattern.value)));
        }
    }
    let names = written.names.unwrap_or(common.names);
    let upstreams = written.upstreams.map(patterns);
    let here = |slug: &&String| upstreams.as_ref().is_none_or(|all| all.iter().any(|pattern| matches(pattern, slug)));
    let count = common.upstreams.iter().filter(here).count();
    if written.names == Some(Names::Transparent) && count != 1 {
        let message = format!("`transparent` needs exactly one enabled upstream, there are {count} here");
        report.fault_with_help(name.spot, message, "use `prefixed` or `plain`");
    }
    let mut taken = HashSet::new();
    let overrides = written.overrides.0.into_iter();
    let overrides = overrides.filter_map(|(key, written)| overlay(&key, written, common, &mut taken, report)).collect();
    NamespaceSettings {
        slug: name.value.clone(),
        upstreams,
        tools: selection(written.tools.allow, written.tools.deny),
        prompts: selection(written.prompts.allow, written.prompts.deny),
        resources: selection(written.resources.allow, written.resources.deny),
        read_only: written.tools.read_only,
        destructive: written.tools.destructive,
        names,
        presentation: written.presentation.unwrap_or(common.presentation),
        pinned: written.pinned.map_or_else(|| common.search.pinned.clone(), |pinned| Pinned(patterns(pinned))),
        instructions: written.instructions.map(|text| text.value),
        overrides,
    }
}

fn selection(allow: Option<Vec<Text>>, deny: Denied) -> Selection {
    let reason = |reason: Option<Text>| reason.map(|text| text.value).filter(|text| !text.is_empty());
    Selection {
        allow: allow.map(|patterns| patterns.into_iter().map(|pattern| pattern.value).collect()),
        deny: deny.0.into_iter().map(|(pattern, why)| (pattern.value, reason(why))).collect(),
    }
}

fn overlay(
    key: &Text,
    written: Override,
    common: &Common<'_>,
    taken: &mut HashSet<String>,
    report: &mut Report,
) -> Option<OverrideSettings> {
    let Some((upstream, tool)) = key.value.split_once('/').filter(|(_, tool)| !tool.is_empty()) else {
        let help = "name the upstream as well, as in `github/create_issue`";
        report.fault_with_help(key.spot, format!("`{}` names no tool", brief(&key.value)), help);
        return None;
    };
    if !common.upstreams.iter().any(|slug| slug == upstream) {
        report.note(key.spot, format!("no enabled upstream is called `{}`", brief(upstream)));
    }
    if let Some(name) = &written.name {
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if name.value.is_empty() || name.value.len() > MAX_TOOL_NAME || !name.value.chars().all(legal) {
            let help = "letters, digits, `_` and `-`, at most 64: that is what models accept";
            report.fault_with_help(name.spot, format!("`{}` is no name for a tool", brief(&name.value)), help);
        } else if !taken.insert(format!("{upstream}/{}", name.value)) {
            report.fault(name.spot, format!("another tool of `{}` is called so already", brief(upstream)));
        }
    }
    let mut names = HashSet::new();
    let arguments = written.arguments.0.into_iter().map(|(native, written)| {
        let public = written.name.as_ref().map_or(&native, |name| name);
        if !names.insert(public.value.clone()) {
            report.fault(public.spot, format!("two arguments are called `{}`", brief(&public.value)));
        }
        let argument = argument(&native, written, report);
        (native.value, argument)
    });
    let arguments = arguments.collect();
    let text = |text: Option<Text>| text.map(|text| text.value);
    Some(OverrideSettings {
        upstream: upstream.to_owned(),
        tool: tool.to_owned(),
        name: text(written.name),
        title: text(written.title),
        description: text(written.description),
        annotations: written.annotations.0.into_iter().map(|(name, value)| (name.value, value.to_string())).collect(),
        hidden: written.hidden,
        arguments,
    })
}

fn argument(native: &Text, written: Argument, report: &mut Report) -> ArgumentSettings {
    let given = [written.default.is_some(), written.fixed.is_some(), written.from.is_some()];
    if given.iter().filter(|is_given| **is_given).count() > 1 {
        let help = "`default` is sent where the client gives nothing; `fixed` and `from` are always sent";
        report.fault_with_help(native.spot, "more than one of `default`, `fixed` and `from`", help);
    }
    let is_kept = written.fixed.is_some() || written.from.is_some() || written.hidden;
    if let Some(name) = written.name.as_ref().filter(|_| is_kept) {
        report.fault(name.spot, "clients do not see this argument, so it needs no name");
    }
    let literal = written.default.or(written.fixed);
    let value = literal
        .map(|value| ArgumentValue::Literal(Secret::new(value.to_string())))
        .or(written.from.map(ArgumentValue::Fact));
    ArgumentSettings {
        name: written.name.map(|name| name.value),
        description: written.description.map(|text| text.value),
        hidden: is_kept,
        value,
    }
}
