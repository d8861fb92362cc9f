//! The clients that are there: legacy sessions, and listens that are open.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::Admin;
use crate::extract::At;
use crate::problem::Problem;

/// All sessions.
#[derive(Serialize, ToSchema)]
pub(crate) struct Sessions {
    sessions: Vec<Session>,
}

/// A session of a legacy client, or an open listen of a modern one.
#[derive(Serialize, ToSchema)]
pub(crate) struct Session {
    /// What it is called here; a session's own id is the client's secret.
    #[schema(example = "5f3a9c01")]
    id: String,
    /// `session` or `listen`.
    #[schema(example = "session")]
    kind: &'static str,
    /// How it came: `http`, or `sse` for the transport of 2024-11-05.
    over: &'static str,
    /// The client's name, if it gave one.
    client: Option<String>,
    /// The revision agreed on; a listen has none of its own.
    revision: Option<&'static str>,
    /// The path of its endpoint.
    endpoint: String,
    /// Seconds since it began.
    age_seconds: u64,
    /// Seconds since it was last used; a listen is used all the while.
    idle_seconds: u64,
    /// Requests in flight.
    in_flight: usize,
}

/// How the ids of listens begin.
const LISTEN: &str = "listen-";

/// All sessions and open listens
#[utoipa::path(get, operation_id = "listSessions", path = "/sessions", tag = "sessions", responses((status = 200, body = Sessions)))]
pub(crate) async fn list(State(admin): State<Arc<Admin>>) -> Json<Sessions> {
    Json(Sessions { sessions: admin.sessions() })
}

/// End a session or listen
///
/// What runs in it is cancelled; its client has to begin anew.
#[utoipa::path(delete, operation_id = "endSession", path = "/sessions/{session}", tag = "sessions",
    params(("session" = String, Path, description = "Its id, as listed")), responses((status = 204, description = "It is over")))]
pub(crate) async fn end(State(admin): State<Arc<Admin>>, At(id): At) -> Result<StatusCode, Problem> {
    let listen = id.strip_prefix(LISTEN).and_then(|number| number.parse().ok());
    let ended = match listen {
        Some(number) => admin.gateway.end_listen(number),
        None => admin.edge.end_session(&id),
    };
    if ended {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Problem::unknown("session", &id, admin.sessions().into_iter().map(|session| session.id)))
}

impl Admin {
    fn sessions(&self) -> Vec<Session> {
        let seconds = |since: Instant| since.elapsed().as_secs();
        let open = self.edge.open_sessions();
        let listens = self.gateway.listens();
        // A session listens on its client's behalf.
        let own = |conversation: &Option<Arc<str>>| {
            conversation
                .as_ref()
                .is_some_and(|one| open.iter().any(|session| session.conversation.as_ref() == Some(one)))
        };
        let listens = listens.into_iter().filter(|listen| !own(&listen.conversation)).map(|listen| Session {
            id: format!("{LISTEN}{}", listen.number),
            kind: "listen",
            over: "http",
            client: listen.client,
            revision: None,
            endpoint: listen.endpoint.to_string(),
            age_seconds: seconds(listen.since),
            idle_seconds: 0,
            in_flight: 1,
        });
        let listens: Vec<Session> = listens.collect();
        let sessions = open.into_iter().map(|session| Session {
            id: session.id,
            kind: "session",
            over: session.over,
            client: session.client,
            revision: Some(session.revision),
            endpoint: session.endpoint.to_string(),
            age_seconds: seconds(session.began),
            idle_seconds: seconds(session.last_used),
            in_flight: session.in_flight,
        });
        sessions.chain(listens).collect()
    }
}
