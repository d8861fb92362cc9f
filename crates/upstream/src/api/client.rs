//! Requests to HTTP APIs and their bounded answers. A redirect is followed within its own origin only: what leads elsewhere
//! would take the gateway's credentials with it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, CONTENT_TYPE, ETAG, HOST, IF_NONE_MATCH, LOCATION, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, Uri};
use http_body_util::Full;
use toolgate_openapi::{Answer, Request};

use crate::error::{Failure, root};
use crate::host::{Host, is_http};
use crate::http::{host_header, target};
use crate::pool::{Pool, PooledBody};

/// Redirects that are followed one after the other.
const MAX_REDIRECTS: usize = 3;
/// Of a body that only explains an error status.
const ERROR_BODY: usize = 64 << 10;

/// Sends requests, over connections that are kept.
#[derive(Debug)]
pub(crate) struct Client {
    host: Arc<Host>,
    /// By origin. There are as many as the config or its document has places.
    pools: Mutex<HashMap<String, Arc<Pool>>>,
    /// The most bytes of a body.
    limit: usize,
}

/// A document as it was fetched.
pub(crate) enum Fetched {
    /// What it was before.
    Same,
    /// Its text, and what to ask with the next time.
    Text(Bytes, Option<HeaderValue>),
}

/// One request, as often as it is redirected.
struct Sending {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

// === impl Client ===

impl Client {
    pub(crate) fn new(host: Arc<Host>, limit: usize) -> Self {
        Self { host, pools: Mutex::default(), limit }
    }

    /// Makes a call. `headers` are the gateway's own, and win over those of the request.
    pub(crate) async fn call(&self, request: Request, headers: &HeaderMap) -> Result<Answer, Failure> {
        let wrong = |_| Failure::Refused("the request cannot be written as HTTP".to_owned());
        let mut own = HeaderMap::new();
        own.insert(ACCEPT, HeaderValue::from_static("application/json, */*;q=0.8"));
        if let Some(media) = &request.content_type {
            own.insert(CONTENT_TYPE, HeaderValue::from_str(media).map_err(|error| wrong(error.to_string()))?);
        }
        for (name, value) in &request.headers {
            let name = HeaderName::try_from(name.as_str()).map_err(|error| wrong(error.to_string()))?;
            own.insert(name, HeaderValue::from_str(value).map_err(|error| wrong(error.to_string()))?);
        }
        own.extend(headers.clone());
        let uri: Uri = request.url.parse().map_err(|_| Failure::Refused("its URL cannot be read".to_owned()))?;
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| Failure::Refused("its method is none of HTTP's".to_owned()))?;
        let response = self.send(Sending { method, uri, headers: own, body: request.body }).await?;
        let text = |name| {
            let value: Option<&HeaderValue> = response.headers().get(name);
            value.and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let answer = Answer {
            status: response.status().as_u16(),
            content_type: text(CONTENT_TYPE).unwrap_or_default(),
            location: text(LOCATION),
            retry_after: text(RETRY_AFTER),
            body: Bytes::new(),
        };
        let body = response.into_body();
        // Of an error the beginning is enough, and not having all of it is no other error.
        let body = match answer.is_error() {
            true => read(body, self.limit.min(ERROR_BODY)).await.0,
            false => whole(body, self.limit).await?,
        };
        Ok(Answer { body, ..answer })
    }

    /// Fetches a document, unless it is the one with this tag.
    pub(crate) async fn fetch(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        tag: Option<&HeaderValue>,
    ) -> Result<Fetched, Failure> {
        let mut headers = headers.clone();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, application/yaml;q=0.9, */*;q=0.5"));
        if let Some(tag) = tag {
            headers.insert(IF_NONE_MATCH, tag.clone());
        }
        let sending = Sending { method: Method::GET, uri: uri.clone(), headers, body: Bytes::new() };
        let response = self.send(sending).await?;
        match response.status().as_u16() {
            304 if tag.is_some() => Ok(Fetched::Same),
            200..300 => {
                let tag = response.headers().get(ETAG).cloned();
                Ok(Fetched::Text(whole(response.into_body(), self.limit).await?, tag))
            }
            300..=399 => Err(Failure::Refused("its document is elsewhere; configure the URL it redirects to".into())),
            status @ (401 | 403) => {
                Err(Failure::Refused(format!("its document wants other credentials (HTTP {status}); see `headers`")))
            }
            status => Err(Failure::Refused(format!("its document cannot be had: HTTP {status}"))),
        }
    }

    async fn send(&self, mut sending: Sending) -> Result<Response<PooledBody>, Failure> {
        for _ in 0..MAX_REDIRECTS {
            let response = self.once(&sending).await?;
            match redirect(&sending, &response) {
                None => return Ok(response),
                Some(uri) => sending.uri = uri,
            }
        }
        self.once(&sending).await
    }

    async fn once(&self, sending: &Sending) -> Result<Response<PooledBody>, Failure> {
        if !is_http(&sending.uri) {
            return Err(Failure::Refused("its URL is not an absolute http or https URL".into()));
        }
        let mut request = http::Request::new(Full::new(sending.body.clone()));
        *request.method_mut() = sending.method.clone();
        *request.uri_mut() = target(&sending.uri);
        *request.headers_mut() = sending.headers.clone();
        let headers = request.headers_mut();
        headers.insert(HOST, host_header(&sending.uri));
        if !headers.contains_key(USER_AGENT) {
            headers.insert(USER_AGENT, HeaderValue::from_static(concat!("toolgate/", env!("CARGO_PKG_VERSION"))));
        }
        self.pool(&sending.uri).send(request).await
    }

    fn pool(&self, uri: &Uri) -> Arc<Pool> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.entry(origin(uri)).or_insert_with(|| Pool::new(self.host.clone(), uri.clone())).clone()
    }
}

/// Scheme, host and port.
pub(crate) fn origin(uri: &Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or("http");
    let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
    format!("{scheme}://{}:{port}", uri.host().unwrap_or_default().to_ascii_lowercase())
}

/// Where to ask again: the same request at another path of the same origin.
fn redirect<B>(sending: &Sending, response: &Response<B>) -> Option<Uri> {
    let reads = matches!(sending.method, Method::GET | Method::HEAD);
    if !matches!((response.status().as_u16(), reads), (301..=303, true) | (307 | 308, _)) {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    let uri: Uri = match location.starts_with('/') && !location.starts_with("//") {
        true => format!("{}{location}", origin(&sending.uri)).parse().ok()?,
        false => location.parse().ok()?,
    };
    (is_http(&uri) && origin(&uri) == origin(&sending.uri)).then_some(uri)
}

async fn whole(body: PooledBody, limit: usize) -> Result<Bytes, Failure> {
    if body.expected() > limit as u64 {
        return Err(Failure::TooLarge(limit));
    }
    match read(body, limit).await {
        (_, Some(failure)) => Err(failure),
        (body, None) => Ok(body),
    }
}

/// A body up to its end, up to the limit, or up to where it broke off; and what kept it from being all.
async fn read(mut body: PooledBody, limit: usize) -> (Bytes, Option<Failure>) {
    let mut all = BytesMut::new();
    while let Some(data) = body.data().await {
        match data {
            Ok(data) if all.len() + data.len() > limit => {
                all.extend_from_slice(&data[..limit - all.len()]);
                return (all.freeze(), Some(Failure::TooLarge(limit)));
            }
            Ok(data) => all.extend_from_slice(&data),
            Err(error) => {
                return (all.freeze(), Some(Failure::Closed(format!("its answer broke off: {}", root(&error)))));
            }
        }
    }
    (all.freeze(), None)
}
