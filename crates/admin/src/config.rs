//! The config: read again, and held against another one.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::Admin;
use crate::control::{Difference, Setting};
use crate::extract::{Asked, Text};
use crate::problem::Problem;

/// What a config changes, or would change.
#[derive(Serialize, ToSchema)]
pub(crate) struct Differences {
    /// One by one; nothing where it is the same.
    pub(crate) differences: Vec<Difference>,
}

/// What faults call the text.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Named {
    /// The name of the file that the text is of, without folders; its ending says whether it is YAML or JSON.
    #[param(example = "toolgate.yaml", max_length = 200)]
    name: Option<String>,
}

/// The longest name of a file.
const MAX_NAME: usize = 200;

/// The config that is in force, value by value.
#[derive(Serialize, ToSchema)]
pub(crate) struct Effective {
    /// The file or URL that it is from, credentials masked; none where the compiled-in default runs.
    file: Option<String>,
    /// Every value that is given or has a default, secrets masked.
    values: Vec<Setting>,
}

/// The config that is in force, and where each value comes from
///
/// Values are told as they were written, so that what a variable holds is not; literal secrets are masked.
#[utoipa::path(get, operation_id = "getConfig", path = "/config", tag = "config", responses((status = 200, body = Effective)))]
pub(crate) async fn show(State(admin): State<Arc<Admin>>) -> Json<Effective> {
    let file = admin.gateway.config().file.map(|file| file.display().to_string());
    Json(Effective { file, values: admin.control.settings() })
}

/// Read the config file again and apply it
///
/// What cannot be taken over while the gateway runs is named with `needs_restart`. If the file has faults nothing changes.
#[utoipa::path(post, operation_id = "reloadConfig", path = "/config/reload", tag = "config", responses((status = 200, body = Differences)))]
pub(crate) async fn reload(State(admin): State<Arc<Admin>>) -> Result<Json<Differences>, Problem> {
    let differences = admin.control.reload().await?;
    Ok(Json(Differences { differences }))
}

/// What a config would change
///
/// The body is the text of a config file. It is read as if it stood in the place of the one in force, with the gateway's
/// environment; nothing is applied.
#[utoipa::path(post, operation_id = "diffConfig", path = "/config/diff", tag = "config", params(Named),
    request_body(content = String, content_type = "text/plain"), responses((status = 200, body = Differences)))]
pub(crate) async fn diff(
    State(admin): State<Arc<Admin>>,
    Asked(Named { name }): Asked<Named>,
    Text(text): Text,
) -> Result<Json<Differences>, Problem> {
    let is_plain = |name: &String| {
        name.len() <= MAX_NAME
            && !name.chars().any(|c| c.is_control() || c == '/' || c == '\\')
            && !matches!(&**name, "" | "." | "..")
    };
    if name.as_ref().is_some_and(|name| !is_plain(name)) {
        return Err(Problem::bad_request("`name` is the name of a file, without folders"));
    }
    if text.trim().is_empty() {
        return Err(Problem::bad_request("the body is the text of a config file, and there is none"));
    }
    let differences = admin.control.differences(text, name).await?;
    Ok(Json(Differences { differences }))
}
