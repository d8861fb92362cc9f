//! What an upstream says beside its answers: the lines of its stderr, and its log messages.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use toolgate_catalog::{Followed, LogLine};
use utoipa::{IntoParams, ToSchema};

use crate::api::Admin;
use crate::events::milliseconds;
use crate::extract::{Asked, At};
use crate::problem::Problem;

/// From where on.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct After {
    /// Only lines after the one of this number.
    #[serde(default)]
    after: u64,
}

/// Lines, the oldest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct Lines {
    lines: Vec<Line>,
    /// Whether there were more that are kept no more.
    missed: bool,
}

/// One line.
#[derive(Serialize, ToSchema)]
struct Line {
    /// Counted from 1.
    number: u64,
    /// When it was said, in milliseconds since 1970.
    at_ms: u64,
    /// The level of a log message; none for a line of stderr.
    level: Option<String>,
    /// What was said.
    text: String,
}

impl Admin {
    fn lines(&self, name: &str, after: u64) -> Result<Followed<LogLine>, Problem> {
        let (name, _) = self.upstream(name)?;
        let lines = self.gateway.catalog().lines(&name).ok_or_else(|| Problem::disabled(name.as_str()))?;
        Ok(lines.follow(after))
    }
}

/// What an upstream said last: the last 500 lines are kept
#[utoipa::path(get, operation_id = "getUpstreamLogs", path = "/upstreams/{upstream}/logs", tag = "upstreams",
    params(("upstream" = String, Path, description = "Its name"), After), responses((status = 200, body = Lines)))]
pub(crate) async fn lines(
    State(admin): State<Arc<Admin>>,
    At(name): At,
    Asked(After { after }): Asked<After>,
) -> Result<Json<Lines>, Problem> {
    let followed = admin.lines(&name, after)?;
    let lines = followed.before.iter().map(|noted| Line {
        number: noted.number,
        at_ms: milliseconds(noted.at),
        level: noted.what.level.clone(),
        text: noted.what.text.clone(),
    });
    Ok(Json(Lines { lines: lines.collect(), missed: followed.missed }))
}

/// What an upstream said last, and what it says from then on, as server-sent events
#[utoipa::path(get, operation_id = "followUpstreamLogs", path = "/upstreams/{upstream}/logs/follow", tag = "upstreams",
    params(("upstream" = String, Path, description = "Its name"), After),
    responses((status = 200, body = String, content_type = "text/event-stream")))]
pub(crate) async fn follow(
    State(admin): State<Arc<Admin>>,
    At(name): At,
    Asked(After { after }): Asked<After>,
) -> Result<Response, Problem> {
    Ok(admin.events(admin.lines(&name, after)?))
}
