//! What is served where, who may ask, and the document that describes it.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderValue, header};
use tokio::sync::{Semaphore, watch};
use toolgate_gateway::Gateway;
use toolgate_transport::{Edge, Guard};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{self, ContentBuilder, OpenApi, Ref, ResponseBuilder};
use utoipa::{OpenApi as _, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::control::Control;
use crate::events::milliseconds;
use crate::extract::MAX_BODY;
use crate::problem::{self, Problem};
use crate::token::Token;
use crate::{config, events, items, logs, namespaces, sessions, status, upstreams};

/// The control API of one gateway.
pub struct Admin {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) control: Arc<dyn Control>,
    pub(crate) edge: Arc<Edge>,
    pub(crate) started: Instant,
    /// Names this run of the gateway in the ids of events.
    pub(crate) run: Arc<str>,
    /// Searches at once: each is busy for some milliseconds.
    pub(crate) searching: Semaphore,
    token: Token,
    guard: Guard,
    in_flight: Semaphore,
    pub(crate) closing: watch::Sender<bool>,
}

/// Where the document is; the only path that needs no token.
const DOCUMENT: &str = "/openapi.json";
/// What all other paths begin with.
const ROOT: &str = "/api/v1";
/// The most requests in flight.
const IN_FLIGHT: usize = 128;
/// The most searches at once.
const SEARCHES: usize = 2;
/// How the token is shown.
const SCHEME: &str = "Bearer ";

/// What the document says of the API as a whole.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "toolgate control API",
        description = "What operators see and do while a toolgate runs. Errors are problem details (RFC 9457).",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    tags(
        (name = "gateway", description = "The gateway as a whole"),
        (name = "upstreams", description = "The MCP servers behind it"),
        (name = "namespaces", description = "What its endpoints show"),
        (name = "sessions", description = "The clients that are there"),
        (name = "catalog", description = "Entries as an endpoint shows them"),
        (name = "config", description = "The config that is in force")
    )
)]
struct Document;

/// The document as it stands in docs/control-api.json: JSON, indented.
pub fn document() -> String {
    let (_, document) = routes().split_for_parts();
    let text = described(document).to_pretty_json();
    text.expect("what was made of constants is JSON") + "\n"
}

fn routes() -> OpenApiRouter<Arc<Admin>> {
    let api = OpenApiRouter::new()
        .routes(routes!(status::status))
        .routes(routes!(upstreams::list))
        .routes(routes!(upstreams::one))
        .routes(routes!(upstreams::entries))
        .routes(routes!(upstreams::search))
        .routes(routes!(upstreams::restart))
        .routes(routes!(upstreams::probe))
        .routes(routes!(upstreams::refresh))
        .routes(routes!(logs::lines))
        .routes(routes!(logs::follow))
        .routes(routes!(sessions::list))
        .routes(routes!(sessions::end))
        .routes(routes!(events::follow))
        .routes(routes!(namespaces::list))
        .routes(routes!(namespaces::one))
        .routes(routes!(namespaces::entries))
        .routes(routes!(namespaces::search))
        .routes(routes!(namespaces::call))
        .routes(routes!(config::show))
        .routes(routes!(config::reload))
        .routes(routes!(config::diff))
        .routes(routes!(items::upstreams))
        .routes(routes!(items::upstream, items::put_upstream, items::delete_upstream))
        .routes(routes!(items::enable))
        .routes(routes!(items::disable))
        .routes(routes!(items::namespaces))
        .routes(routes!(items::namespace, items::put_namespace, items::delete_namespace))
        .routes(routes!(items::overrides))
        .routes(routes!(items::overlay, items::put_overlay, items::delete_overlay));
    OpenApiRouter::with_openapi(Document::openapi()).nest(ROOT, api)
}

/// What holds for every path: the token, and what comes instead of an answer.
fn described(mut document: OpenApi) -> OpenApi {
    let components = document.components.get_or_insert_default();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    components.security_schemes.insert("token".into(), SecurityScheme::Http(bearer).into());
    let mut schemas = Vec::new();
    Problem::schemas(&mut schemas);
    components.schemas.extend(schemas);
    components.schemas.insert(Problem::name().into(), <Problem as utoipa::PartialSchema>::schema());
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name()))).build();
    let refused = ResponseBuilder::new().description("What went wrong").content(problem::MEDIA_TYPE, content).build();
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.delete, &mut item.patch];
        for operation in operations.into_iter().flatten() {
            let summary = operation.summary.clone().unwrap_or_default();
            for response in operation.responses.responses.values_mut() {
                if let openapi::RefOr::T(response) = response
                    && response.description.is_empty()
                {
                    response.description.clone_from(&summary);
                }
            }
            operation.responses.responses.insert("default".into(), refused.clone().into());
        }
    }
    document.security = Some(vec![openapi::security::SecurityRequirement::new("token", Vec::<String>::new())]);
    document
}

// === impl Admin ===

impl Admin {
    /// The control API of `gateway`. `hosts` are those that it is asked for by, beside loopback ones.
    pub fn new(
        gateway: Arc<Gateway>,
        edge: Arc<Edge>,
        control: Arc<dyn Control>,
        token: Token,
        hosts: &[String],
    ) -> Arc<Self> {
        Arc::new(Self {
            gateway,
            control,
            edge,
            started: Instant::now(),
            run: format!("{:x}", milliseconds(SystemTime::now())).into(),
            searching: Semaphore::new(SEARCHES),
            token,
            guard: Guard::new(hosts, &[]),
            in_flight: Semaphore::new(IN_FLIGHT),
            closing: watch::Sender::new(false),
        })
    }

    /// Ends the streams that have no end of their own.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }

    pub(crate) fn router(self: Arc<Self>) -> Router {
        let (router, document) = routes().split_for_parts();
        let document = described(document).to_json().expect("what was made of constants is JSON");
        let document = ([(header::CONTENT_TYPE, "application/json")], document);
        router
            .route(DOCUMENT, get(move || async move { document.clone() }))
            .fallback(|| async { Problem::no_such_path() })
            .method_not_allowed_fallback(|| async { Problem::no_such_method() })
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .layer(middleware::from_fn_with_state(self.clone(), admit))
            .with_state(self)
    }

    fn refuses(&self, request: &Request) -> Option<Problem> {
        if let Err(refused) = self.guard.check(request) {
            return Some(Problem::forbidden(refused.to_string()));
        }
        let mut shown = request.headers().get_all(header::AUTHORIZATION).iter();
        let is_shown = match (shown.next(), shown.next()) {
            (Some(shown), None) => {
                let (scheme, token) = shown.as_bytes().split_at(shown.len().min(SCHEME.len()));
                scheme.eq_ignore_ascii_case(SCHEME.as_bytes()) && self.token.is(token)
            }
            _ => false,
        };
        (request.uri().path() != DOCUMENT && !is_shown).then(Problem::unauthorized)
    }
}

/// Lets a request in that is meant for us, shows the token, and for which there is room.
async fn admit(State(admin): State<Arc<Admin>>, request: Request, next: Next) -> Response {
    if let Some(problem) = admin.refuses(&request) {
        return problem.into_response();
    }
    let Ok(place) = admin.in_flight.try_acquire() else { return Problem::busy().into_response() };
    let mut response = next.run(request).await;
    drop(place);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a reader of the repository sees is what is served.
    #[test]
    fn the_document_in_the_repository_is_the_one_that_is_served() {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/control-api.json");
        let now = document();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&file, &now).expect("it can be written");
        }
        let kept = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            kept == now,
            "docs/control-api.json is not what is served; `UPDATE_DOCS=1 cargo test -p toolgate-admin` writes it"
        );
    }
}
