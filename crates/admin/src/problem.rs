//! Errors, as RFC 9457 has them: what went wrong, and what to do about it.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use toolgate_protocol::Endpoint;
use utoipa::ToSchema;

use crate::control::{Fault, Refusal};

/// What went wrong (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// Which kind of problem; stays the same whatever the words.
    #[serde(rename = "type")]
    #[schema(example = "urn:toolgate:problem:unknown-upstream")]
    kind: String,
    /// The kind in words.
    title: &'static str,
    /// The status of the answer.
    #[schema(example = 404)]
    status: u16,
    /// What happened this time, and what to do about it.
    detail: String,
    /// What is wrong with a config, fault by fault.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    faults: Vec<Fault>,
}

/// The media type of problems.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

// === impl Problem ===

impl Problem {
    fn new(status: StatusCode, kind: &str, title: &'static str, detail: impl Into<String>) -> Self {
        let kind = format!("urn:toolgate:problem:{kind}");
        Self { kind, title, status: status.as_u16(), detail: detail.into(), faults: Vec::new() }
    }

    pub(crate) fn unauthorized() -> Self {
        let detail = "show the token as `Authorization: Bearer <token>`; it is `admin.token` of the config, or in the file control.token of the state folder";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "The token is missing or wrong", detail)
    }

    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "The request is not meant for this address", detail)
    }

    pub(crate) fn no_such_path() -> Self {
        let detail = "nothing is here; /openapi.json describes what there is";
        Self::new(StatusCode::NOT_FOUND, "unknown-path", "Nothing is here", detail)
    }

    pub(crate) fn no_such_method() -> Self {
        let detail = "this path has other methods; the header Allow and /openapi.json name them";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "unknown-method", "The path does not have this method", detail)
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", "The request cannot be read", detail)
    }

    pub(crate) fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too large", detail)
    }

    pub(crate) fn too_slow() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "too-slow", "The body did not come in time", "send it again, at once")
    }

    pub(crate) fn busy() -> Self {
        let detail = "too many requests are in flight; try again in a moment";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "The control API is busy", detail)
    }

    pub(crate) fn internal(error: impl std::fmt::Display) -> Self {
        tracing::error!(%error, "a request to the control API failed");
        let detail = "the gateway's log says more";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "The gateway failed", detail)
    }

    /// There is none of this name; `known` are those there are.
    pub(crate) fn unknown(what: &'static str, name: &str, known: impl IntoIterator<Item = String>) -> Self {
        let name: String = name.chars().filter(|c| !c.is_control()).take(100).collect();
        let known: Vec<String> = known.into_iter().take(50).collect();
        let known =
            if known.is_empty() { "there is none".to_owned() } else { format!("there are: {}", known.join(", ")) };
        let title = match what {
            "upstream" => "Unknown upstream",
            "namespace" => "Unknown namespace",
            "tool" => "Unknown tool",
            "override" => "Unknown override",
            _ => "Unknown session",
        };
        Self::new(
            StatusCode::NOT_FOUND,
            &format!("unknown-{what}"),
            title,
            format!("no {what} is called `{name}`; {known}"),
        )
    }

    pub(crate) fn disabled(name: &str) -> Self {
        let detail = format!("`{name}` is disabled; enable it first: `toolgate enable {name}`");
        Self::new(StatusCode::CONFLICT, "disabled", "The upstream is disabled", detail)
    }

    /// An upstream did not do what was asked.
    pub(crate) fn of_upstream(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, "upstream-failed", "The upstream failed", detail)
    }

    /// An endpoint that was there a moment ago.
    pub(crate) fn gone(endpoint: &Endpoint) -> Self {
        let detail = format!("the endpoint {endpoint} is no more");
        Self::new(StatusCode::NOT_FOUND, "unknown-namespace", "Unknown namespace", detail)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let unusable = |detail| {
            Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "faulty-config",
                "The config has faults; nothing changed",
                detail,
            )
        };
        match refusal {
            Refusal::NoFile => {
                let detail = "the gateway runs without a config file; start it with one: `toolgate defaults > toolgate.yaml` begins it";
                Self::new(StatusCode::CONFLICT, "no-config-file", "There is no config file", detail)
            }
            Refusal::Unreadable(why) => Self::internal(why),
            Refusal::Changed => {
                let detail = "it is not what the request takes it to be: somebody else changed it, or it is there already, or no more; look at it again";
                Self::new(StatusCode::PRECONDITION_FAILED, "changed", "It was changed in the meantime", detail)
            }
            Refusal::Unknown => {
                let detail = "the config says nothing of it; GET the collection for what there is";
                Self::new(StatusCode::NOT_FOUND, "unknown-entry", "The config says nothing of it", detail)
            }
            Refusal::InFile(place) => {
                let detail = format!(
                    "it stands in the config file, at {place}; take it out there (an upstream can be disabled here)"
                );
                Self::new(StatusCode::CONFLICT, "in-file", "The config file says it", detail)
            }
            Refusal::NoStore(why) => Self::new(StatusCode::CONFLICT, "no-store", "Nothing can be set", why),
            Refusal::StoreUnavailable(why) => {
                let title = "What is set cannot be kept now";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "store-unavailable", title, why)
            }
            Refusal::StoreFull(why) => {
                Self::new(StatusCode::INSUFFICIENT_STORAGE, "store-full", "There is no room to keep it", why)
            }
            Refusal::TooLarge(why) => Self::too_large(why),
            Refusal::Unreachable(why) => Self::new(
                StatusCode::BAD_GATEWAY,
                "config-unreachable",
                "The config cannot be had; nothing changed",
                why,
            ),
            Refusal::Unusable(why) => unusable(why),
            Refusal::Faults(faults) => {
                let line = |fault: &Fault| match &fault.key {
                    Some(key) => format!("{}: {key}: {}", fault.place, fault.message),
                    None => format!("{}: {}", fault.place, fault.message),
                };
                let lines: Vec<String> = faults.iter().map(line).collect();
                Self { faults, ..unusable(lines.join("\n")) }
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let text = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, text).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
