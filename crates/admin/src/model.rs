//! Upstreams, namespaces and entries, as the control API words them. Apart from what the catalog keeps, so that an inner change
//! changes nothing for whoever reads this.

use serde::Serialize;
use toolgate_catalog::{Dropped, Entry};
use toolgate_gateway as gateway;
use toolgate_protocol::{Json, Kind};
use utoipa::ToSchema;

/// How an upstream is doing.
#[derive(Serialize, ToSchema)]
pub(crate) struct Upstream {
    /// Its name, which is the first part of public names.
    #[schema(example = "github")]
    name: String,
    /// `starting`, `ready`, `asleep`, `failed`, `stopped` or `disabled`.
    #[schema(example = "ready")]
    state: &'static str,
    /// `legacy` or `modern`, once known.
    era: Option<String>,
    /// The revision agreed on, once known.
    revision: Option<&'static str>,
    /// What went wrong last, when it failed.
    error: Option<String>,
    /// Seconds until it is tried again, when it failed.
    retry_in_seconds: Option<f64>,
    /// Whether its lists come from an earlier run, until it is asked again.
    from_cache: bool,
    /// What it offers.
    counts: Counts,
    /// How many instances are ready for those who need one of their own, where some are kept.
    warm: Option<usize>,
    /// What the operator should know though it works.
    notes: Vec<String>,
    /// What it lists but is not offered, and why.
    dropped: Vec<LeftOut>,
}

/// How many entries of each kind.
#[derive(Serialize, ToSchema)]
pub(crate) struct Counts {
    tools: usize,
    prompts: usize,
    resources: usize,
    templates: usize,
}

/// An entry that is not there, and why.
#[derive(Serialize, ToSchema)]
pub(crate) struct LeftOut {
    /// `tool`, `prompt`, `resource` or `template`.
    #[schema(example = "tool")]
    kind: &'static str,
    /// Whose it is, where that is not plain.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    upstream: Option<String>,
    /// Its own name.
    name: String,
    /// Why.
    reason: String,
}

/// What one namespace shows.
#[derive(Serialize, ToSchema)]
pub(crate) struct Namespace {
    /// Its name; `default` is what `/mcp` shows.
    #[schema(example = "default")]
    pub(crate) name: String,
    /// The path of its endpoint.
    #[schema(example = "/mcp")]
    endpoint: String,
    /// The upstreams that have something here, in the config's order.
    upstreams: Vec<String>,
    /// What it has.
    counts: Counts,
    /// What its upstreams offer and it does not have, and why; the first 200.
    left_out: Vec<LeftOut>,
    /// How many there are in all.
    left_out_count: usize,
    /// What its overrides say that is not so.
    faults: Vec<String>,
}

/// A tool, prompt, resource or template as an endpoint shows it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Shown {
    /// `tool`, `prompt`, `resource` or `template`.
    #[schema(example = "tool")]
    kind: &'static str,
    /// What clients call it; the URI of a resource.
    #[schema(example = "github__create_issue")]
    name: String,
    /// Whose it is.
    #[schema(example = "github")]
    upstream: String,
    /// What its upstream calls it.
    #[schema(example = "create_issue")]
    native: String,
    /// Whether an override lays something over it.
    overridden: bool,
    /// Its definition, as clients see it.
    #[schema(value_type = Object)]
    definition: Json,
}

/// The word for a kind.
pub(crate) fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Tool => "tool",
        Kind::Prompt => "prompt",
        Kind::Resource => "resource",
        Kind::Template => "template",
    }
}

impl From<gateway::UpstreamStatus> for Upstream {
    fn from(status: gateway::UpstreamStatus) -> Self {
        Self {
            name: status.name.as_str().to_owned(),
            state: status.state,
            era: status.era,
            revision: status.revision,
            error: status.error,
            retry_in_seconds: status.retry_in_seconds,
            from_cache: status.from_cache,
            counts: status.counts.into(),
            warm: status.warm,
            notes: status.notes,
            dropped: status.dropped.into_iter().map(LeftOut::from).collect(),
        }
    }
}

impl From<gateway::Counts> for Counts {
    fn from(counts: gateway::Counts) -> Self {
        let gateway::Counts { tools, prompts, resources, templates } = counts;
        Self { tools, prompts, resources, templates }
    }
}

impl From<Dropped> for LeftOut {
    fn from(dropped: Dropped) -> Self {
        Self { kind: kind_word(dropped.kind), upstream: None, name: dropped.name, reason: dropped.reason }
    }
}

impl From<gateway::NamespaceStatus> for Namespace {
    fn from(status: gateway::NamespaceStatus) -> Self {
        let name = status.endpoint.strip_prefix("/ns/").and_then(|rest| rest.strip_suffix("/mcp")).unwrap_or("default");
        let left_out = status.left_out.into_iter().map(|left| LeftOut {
            kind: kind_word(left.kind),
            upstream: Some(left.upstream.as_str().to_owned()),
            name: left.name,
            reason: left.reason,
        });
        Self {
            name: name.to_owned(),
            upstreams: status.upstreams.iter().map(|name| name.as_str().to_owned()).collect(),
            counts: status.counts.into(),
            left_out: left_out.collect(),
            left_out_count: status.left_out_count,
            faults: status.faults,
            endpoint: status.endpoint,
        }
    }
}

impl From<&Entry> for Shown {
    fn from(entry: &Entry) -> Self {
        Self {
            kind: kind_word(entry.subject.kind),
            name: entry.public.to_string(),
            upstream: entry.subject.upstream.as_str().to_owned(),
            native: entry.subject.native.to_string(),
            overridden: entry.is_overridden(),
            definition: entry.definition.clone(),
        }
    }
}
