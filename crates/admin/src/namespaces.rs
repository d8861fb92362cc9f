//! The namespaces, and what each shows.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use toolgate_protocol::{Endpoint, Slug};
use utoipa::ToSchema;

use crate::api::Admin;
use crate::endpoint::{self, Call, Entries, EntriesPage, Found, Search};
use crate::extract::{Asked, At, Body};
use crate::model::Namespace;
use crate::problem::Problem;

/// All namespaces.
#[derive(Serialize, ToSchema)]
pub(crate) struct Namespaces {
    /// By the paths of their endpoints.
    namespaces: Vec<Namespace>,
}

impl Admin {
    pub(crate) fn namespaces(&self) -> Vec<Namespace> {
        self.gateway.namespaces().into_iter().map(Namespace::from).collect()
    }

    fn namespace(&self, name: &str) -> Result<(Endpoint, Namespace), Problem> {
        let mut all = self.namespaces();
        let at = all.iter().position(|one| one.name == name);
        match at.zip(Slug::new(name)) {
            Some((at, slug)) => Ok((Endpoint::of_namespace(slug), all.swap_remove(at))),
            None => Err(Problem::unknown("namespace", name, all.into_iter().map(|one| one.name))),
        }
    }
}

/// All namespaces
#[utoipa::path(get, operation_id = "listNamespaces", path = "/namespaces", tag = "namespaces", responses((status = 200, body = Namespaces)))]
pub(crate) async fn list(State(admin): State<Arc<Admin>>) -> Json<Namespaces> {
    Json(Namespaces { namespaces: admin.namespaces() })
}

/// One namespace, with what it leaves out and why
#[utoipa::path(get, operation_id = "getNamespace", path = "/namespaces/{namespace}", tag = "namespaces",
    params(("namespace" = String, Path, description = "Its name")), responses((status = 200, body = Namespace)))]
pub(crate) async fn one(State(admin): State<Arc<Admin>>, At(name): At) -> Result<Json<Namespace>, Problem> {
    admin.namespace(&name).map(|(_, namespace)| Json(namespace))
}

/// What a namespace shows, as its clients see it
#[utoipa::path(get, operation_id = "listNamespaceEntries", path = "/namespaces/{namespace}/entries", tag = "catalog",
    params(("namespace" = String, Path, description = "Its name"), Entries), responses((status = 200, body = EntriesPage)))]
pub(crate) async fn entries(
    State(admin): State<Arc<Admin>>,
    At(name): At,
    Asked(entries): Asked<Entries>,
) -> Result<Json<EntriesPage>, Problem> {
    let (endpoint, _) = admin.namespace(&name)?;
    endpoint::entries(&admin, &endpoint, &entries).map(Json)
}

/// Search what a namespace shows, and say why each hit was found
#[utoipa::path(post, operation_id = "searchNamespace", path = "/namespaces/{namespace}/search", tag = "catalog",
    params(("namespace" = String, Path, description = "Its name")), request_body = Search, responses((status = 200, body = Found)))]
pub(crate) async fn search(
    State(admin): State<Arc<Admin>>,
    At(name): At,
    Body(search): Body<Search>,
) -> Result<Json<Found>, Problem> {
    let (endpoint, _) = admin.namespace(&name)?;
    endpoint::search(&admin, &endpoint, search).await.map(Json)
}

/// Call a tool of a namespace
///
/// The answer is the result as its upstream gave it, also where the tool says that it failed (`isError`).
#[utoipa::path(post, operation_id = "callTool", path = "/namespaces/{namespace}/call", tag = "catalog",
    params(("namespace" = String, Path, description = "Its name")), request_body = Call, responses((status = 200, body = Object)))]
pub(crate) async fn call(
    State(admin): State<Arc<Admin>>,
    At(name): At,
    Body(call): Body<Call>,
) -> Result<Json<toolgate_protocol::Json>, Problem> {
    let (endpoint, _) = admin.namespace(&name)?;
    endpoint::call(&admin, &endpoint, call).await.map(Json)
}
