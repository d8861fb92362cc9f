//! What handlers are given of a request, within bounds; what cannot be read is a [`Problem`].

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::response::IntoResponse;
use http::request::Parts;
use http::{StatusCode, header};
use serde::de::{DeserializeOwned, Error, Unexpected};
use serde::{Deserialize, Deserializer};

use crate::problem::Problem;

/// The largest body.
pub(crate) const MAX_BODY: usize = 4 << 20;
/// For a body to come.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// The deepest nesting of JSON.
const MAX_DEPTH: usize = 64;

/// A part of the path.
pub(crate) struct At(pub(crate) String);

/// What stands behind the `?`.
pub(crate) struct Asked<T>(pub(crate) T);

/// A body of JSON.
pub(crate) struct Body<T>(pub(crate) T);

/// A body that is text.
pub(crate) struct Text(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for At {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        path.map(|Path(text)| Self(text)).map_err(|error| Problem::bad_request(error.body_text()))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query.map(|Query(asked)| Self(asked)).map_err(|error| Problem::bad_request(error.body_text()))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
            return Err(Problem::bad_request("the body is to be JSON, with `Content-Type: application/json`"));
        }
        let bytes = read(request, state).await?;
        toolgate_protocol::Json::parse_within(bytes.clone(), MAX_DEPTH)
            .map_err(|error| Problem::bad_request(format!("the body is no JSON: {error}")))?;
        let read = serde_json::from_slice(&bytes);
        read.map(Self).map_err(|error| Problem::bad_request(format!("the body is not what is expected: {error}")))
    }
}

impl<S: Send + Sync> FromRequest<S> for Text {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = read(request, state).await?;
        let text = String::from_utf8(bytes.into());
        text.map(Self).map_err(|_| Problem::bad_request("the body is no UTF-8 text"))
    }
}

/// A number of a body that is an `integer` in the sense of JSON Schema, which goes by its value: `45.0` is one.
pub(crate) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    let Some(number) = Option::<serde_json::Number>::deserialize(deserializer)? else { return Ok(None) };
    let whole = toolgate_protocol::Json::parse(number.to_string().into()).ok().and_then(|json| json.as_u64());
    let whole = whole.and_then(|whole| usize::try_from(whole).ok());
    let refused =
        || D::Error::invalid_value(Unexpected::Other(&number.to_string()), &"a whole number that is not negative");
    whole.map(Some).ok_or_else(refused)
}

async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    let reading = tokio::time::timeout(BODY_TIMEOUT, Bytes::from_request(request, state));
    let read = reading.await.map_err(|_| Problem::too_slow())?;
    read.map_err(|error: BytesRejection| match error.into_response().status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(format!("at most {} MiB are taken", MAX_BODY >> 20)),
        _ => Problem::bad_request("the body broke off"),
    })
}
