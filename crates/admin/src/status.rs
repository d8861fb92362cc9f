//! How the gateway is doing as a whole.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::Admin;

/// How the gateway is doing.
#[derive(Serialize, ToSchema)]
pub(crate) struct Status {
    /// The version of toolgate.
    version: &'static str,
    /// Seconds since it began to serve.
    uptime_seconds: u64,
    /// Whether every upstream has come up or failed.
    settled: bool,
    /// The config that is in force.
    config: ConfigStatus,
    /// How many upstreams there are, by state.
    upstreams: States,
    /// The names of the namespaces.
    namespaces: Vec<String>,
}

/// The config that is in force.
#[derive(Serialize, ToSchema)]
struct ConfigStatus {
    /// The file or URL it is from, credentials masked; none where the compiled-in default runs.
    file: Option<String>,
    /// How often another one was put in its place since the start.
    applied: u64,
    /// Why the file as it is now is not in force, if it is not.
    fault: Option<String>,
    /// Why its URL cannot be had at the moment, if that is so, and what is in force meanwhile.
    unreachable: Option<String>,
    /// What of it takes effect at the next start only.
    needs_restart: Vec<String>,
    /// What is set over this API and is not in force, each with the reason.
    left_out: Vec<String>,
    /// Why what is set over this API cannot be read, if it cannot; what was read before stays in force.
    store_fault: Option<String>,
}

/// How many upstreams there are in each state.
#[derive(Default, Serialize, ToSchema)]
struct States {
    ready: usize,
    starting: usize,
    asleep: usize,
    failed: usize,
    stopped: usize,
    disabled: usize,
}

/// How the gateway is doing
#[utoipa::path(get, operation_id = "getStatus", path = "/status", tag = "gateway", responses((status = 200, body = Status)))]
pub(crate) async fn status(State(admin): State<Arc<Admin>>) -> Json<Status> {
    let config = admin.gateway.config();
    let mut states = States::default();
    for upstream in admin.gateway.status() {
        *match upstream.state {
            "ready" => &mut states.ready,
            "starting" => &mut states.starting,
            "asleep" => &mut states.asleep,
            "failed" => &mut states.failed,
            "disabled" => &mut states.disabled,
            _ => &mut states.stopped,
        } += 1;
    }
    Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: admin.started.elapsed().as_secs(),
        settled: admin.gateway.is_settled(),
        config: ConfigStatus {
            file: config.file.map(|file| file.display().to_string()),
            applied: config.applied,
            fault: config.fault,
            unreachable: config.unreachable,
            needs_restart: config.needs_restart,
            left_out: config.left_out,
            store_fault: config.store_fault,
        },
        upstreams: states,
        namespaces: admin.namespaces().into_iter().map(|namespace| namespace.name).collect(),
    })
}
