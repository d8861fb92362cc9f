//! The upstreams, and what each shows under its own names.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use toolgate_protocol::{Endpoint, UpstreamName};
use utoipa::ToSchema;

use crate::api::Admin;
use crate::endpoint::{self, Entries, EntriesPage, Found, Search};
use crate::extract::{Asked, At, Body};
use crate::model::Upstream;
use crate::problem::Problem;

/// All upstreams.
#[derive(Serialize, ToSchema)]
pub(crate) struct Upstreams {
    /// In the config's order.
    upstreams: Vec<Upstream>,
}

impl Admin {
    /// The upstream of this name, or that there is none.
    pub(crate) fn upstream(&self, name: &str) -> Result<(UpstreamName, Upstream), Problem> {
        let all = self.gateway.status();
        match all.iter().position(|one| one.name.as_str() == name) {
            Some(at) => {
                let status = all.into_iter().nth(at).ok_or_else(|| Problem::internal("a list became shorter"))?;
                Ok((status.name.clone(), status.into()))
            }
            None => Err(Problem::unknown("upstream", name, all.iter().map(|one| one.name.as_str().to_owned()))),
        }
    }
}

/// All upstreams
#[utoipa::path(get, operation_id = "listUpstreams", path = "/upstreams", tag = "upstreams", responses((status = 200, body = Upstreams)))]
pub(crate) async fn list(State(admin): State<Arc<Admin>>) -> Json<Upstreams> {
    Json(Upstreams { upstreams: admin.gateway.status().into_iter().map(Upstream::from).collect() })
}

/// One upstream
#[utoipa::path(get, operation_id = "getUpstream", path = "/upstreams/{upstream}", tag = "upstreams",
    params(("upstream" = String, Path, description = "Its name")), responses((status = 200, body = Upstream)))]
pub(crate) async fn one(State(admin): State<Arc<Admin>>, At(name): At) -> Result<Json<Upstream>, Problem> {
    admin.upstream(&name).map(|(_, upstream)| Json(upstream))
}

/// An upstream's answer to a probe.
#[derive(Serialize, ToSchema)]
pub(crate) struct Probe {
    /// Whether it answered.
    answers: bool,
    /// How long that took, in milliseconds.
    took_ms: Option<f64>,
    /// `legacy` or `modern`, if it answered.
    era: Option<String>,
    /// The revision agreed on, if it answered.
    revision: Option<&'static str>,
    /// Its name and version, in its own words, if it answered.
    #[schema(value_type = Option<Object>)]
    server: Option<toolgate_protocol::Json>,
    /// What went wrong, if it did not.
    error: Option<String>,
}

/// End an upstream's connections and start it anew
///
/// Calls in flight there fail. The answer comes when it is up again; 502 if it does not come up.
#[utoipa::path(post, operation_id = "restartUpstream", path = "/upstreams/{upstream}/restart", tag = "upstreams",
    params(("upstream" = String, Path, description = "Its name")), responses((status = 200, body = Upstream)))]
pub(crate) async fn restart(State(admin): State<Arc<Admin>>, At(name): At) -> Result<Json<Upstream>, Problem> {
    let (name, _) = admin.upstream(&name)?;
    let restarted = admin.gateway.catalog().restart(&name).await.ok_or_else(|| Problem::disabled(name.as_str()))?;
    restarted.map_err(|why| Problem::of_upstream(format!("{name} {why}")))?;
    admin.upstream(name.as_str()).map(|(_, upstream)| Json(upstream))
}

/// Ask an upstream now whether it answers
#[utoipa::path(post, operation_id = "probeUpstream", path = "/upstreams/{upstream}/probe", tag = "upstreams",
    params(("upstream" = String, Path, description = "Its name")), responses((status = 200, body = Probe)))]
pub(crate) async fn probe(State(admin): State<Arc<Admin>>, At(name): At) -> Result<Json<Probe>, Problem> {
    let (name, _) = admin.upstream(&name)?;
    let probed = admin.gateway.catalog().probe(&name).await.ok_or_else(|| Problem::disabled(name.as_str()))?;
    Ok(Json(match probed {
        Ok(probed) => Probe {
            answers: true,
            took_ms: Some((probed.took.as_secs_f64() * 1e5).round() / 100.0),
            era: Some(probed.era),
            revision: Some(probed.revision),
            server: Some(probed.server_info),
            error: None,
        },
        Err(why) => Probe { answers: false, took_ms: None, era: None, revision: None, server: None, error: Some(why) },
    }))
}

/// Fetch an upstream's lists now
///
/// The answer comes when they are there; 502 if they could not be fetched.
#[utoipa::path(post, operation_id = "refreshUpstream", path = "/upstreams/{upstream}/refresh", tag = "upstreams",
    params(("upstream" = String, Path, description = "Its name")), responses((status = 200, body = Upstream)))]
pub(crate) async fn refresh(State(admin): State<Arc<Admin>>, At(name): At) -> Result<Json<Upstream>, Problem> {
    let (name, _) = admin.upstream(&name)?;
    let refreshed = admin.gateway.catalog().refresh(&name).await.ok_or_else(|| Problem::disabled(name.as_str()))?;
    refreshed.map_err(|why| Problem::of_upstream(format!("the lists of {name} could not be fetched: {why}")))?;
    admin.upstream(name.as_str()).map(|(_, upstream)| Json(upstream))
}

/// What an upstream offers, under its own names
#[utoipa::path(get, operation_id = "listUpstreamEntries", path = "/upstreams/{upstream}/entries", tag = "catalog",
    params(("upstream" = String, Path, description = "Its name"), Entries), responses((status = 200, body = EntriesPage)))]
pub(crate) async fn entries(
    State(admin): State<Arc<Admin>>,
    At(name): At,
    Asked(entries): Asked<Entries>,
) -> Result<Json<EntriesPage>, Problem> {
    let (name, _) = admin.upstream(&name)?;
    endpoint::entries(&admin, &Endpoint::Upstream(name), &entries).map(Json)
}

/// Search what an upstream offers, and say why each hit was found
#[utoipa::path(post, operation_id = "searchUpstream", path = "/upstreams/{upstream}/search", tag = "catalog",
    params(("upstream" = String, Path, description = "Its name")), request_body = Search, responses((status = 200, body = Found)))]
pub(crate) async fn search(
    State(admin): State<Arc<Admin>>,
    At(name): At,
    Body(search): Body<Search>,
) -> Result<Json<Found>, Problem> {
    let (name, _) = admin.upstream(&name)?;
    endpoint::search(&admin, &Endpoint::Upstream(name), search).await.map(Json)
}
