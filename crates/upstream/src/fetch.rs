//! A text by its URL, over the connections that upstreams have: for what configures a gateway, which is no upstream.
//!
//! Redirects are followed, since files are often kept behind some; never from https to what is not encrypted, and without the
//! credentials where they lead to another origin.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, DATE, ETAG, HOST,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, LOCATION, USER_AGENT,
};
use http::{HeaderName, HeaderValue, Request, Response, Uri};
use http_body_util::Full;

use crate::api::origin;
use crate::error::{Failure, neutral};
use crate::host::{Host, is_http};
use crate::http::{host_header, read, target};
use crate::pool::{Pool, PooledBody};
use crate::rooms::Parking;

/// Redirects that are followed one after the other.
const MAX_REDIRECTS: usize = 5;

/// Fetches texts.
#[derive(Debug)]
pub struct Fetcher {
    host: Arc<Host>,
}

/// What is fetched, and how long that may take.
pub struct Wanted<'a> {
    /// Where it is; without user info.
    pub url: &'a Uri,
    /// For the origin of the URL, and for no other.
    pub authorization: Option<&'a HeaderValue>,
    /// Tells the server what is here already.
    pub known: Option<&'a Version>,
    /// The most bytes.
    pub limit: usize,
    /// For all of it, redirects included.
    pub within: Duration,
}

/// What a server calls one version of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Version {
    /// Its `ETag`.
    Tag(String),
    /// Its `Last-Modified`, where it has no tag.
    Of(String),
}

/// A text as it was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// What is known already.
    Same,
    /// Another one.
    Text {
        /// All of it.
        text: Bytes,
        /// Its `Content-Type`, in lower case and without parameters; empty where the server says none.
        media: String,
        /// What the server calls this version.
        version: Option<Version>,
    },
}

/// Why a text could not be fetched. The texts quote nothing but where a redirect leads, and that without its query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfetched {
    /// No answer, or half of one.
    #[error("cannot be had: {0}")]
    Unreachable(String),
    /// Not in time.
    #[error("was not there within {} s", .0.as_secs_f32())]
    Slow(Duration),
    /// The server has it not, or not for us.
    #[error("cannot be had: the server answers HTTP {0}{hint}", hint = hint(*.0))]
    Status(u16),
    /// The redirect is not followed.
    #[error("cannot be had: {0}")]
    Astray(String),
    /// It has more bytes.
    #[error("is larger than {0} bytes, which is the limit")]
    TooLarge(usize),
    /// It is no text.
    #[error("is no text that can be read: {0}")]
    NoText(String),
}

// === impl Unfetched ===

fn hint(status: u16) -> &'static str {
    match status {
        401 | 403 => ": it wants credentials that it was not given",
        404 | 410 => ": there is nothing at this path",
        429 => ": it is asked too often",
        _ => "",
    }
}

impl From<Failure> for Unfetched {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::TooLarge(limit) => Self::TooLarge(limit),
            Failure::Unavailable(why) => Self::Unreachable(why),
            Failure::Closed(why) => Self::Unreachable(format!("the connection ended: {why}")),
            other => Self::Unreachable(other.to_string()),
        }
    }
}

// === impl Version ===

impl Version {
    /// A time counts only where it had passed when the answer was written: what changed within that very second would have the
    /// same, and never be seen (RFC 9110, section 8.8.2.2).
    fn of<B>(response: &Response<B>) -> Option<Self> {
        let text = |name: HeaderName| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        let time = || text(LAST_MODIFIED).filter(|time| text(DATE).is_some_and(|now| now != *time));
        text(ETAG).map(Self::Tag).or_else(|| time().map(Self::Of))
    }

    fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        let (name, value) = match self {
            Self::Tag(tag) => (IF_NONE_MATCH, tag),
            Self::Of(time) => (IF_MODIFIED_SINCE, time),
        };
        Some((name, HeaderValue::from_str(value).ok()?))
    }
}

// === impl Fetcher ===

impl Fetcher {
    /// One that opens its own connections.
    #[expect(clippy::new_without_default, reason = "it holds sockets and certificates, which nobody wants by accident")]
    pub fn new() -> Self {
        Self { host: Host::new(None, Parking::default()) }
    }

    /// Fetches a text, unless it is the one that is known.
    ///
    /// # Errors
    /// Why it could not be had.
    pub async fn fetch(&self, wanted: &Wanted<'_>) -> Result<Fetched, Unfetched> {
        let fetching = tokio::time::timeout(wanted.within, self.follow(wanted));
        fetching.await.unwrap_or(Err(Unfetched::Slow(wanted.within)))
    }

    async fn follow(&self, wanted: &Wanted<'_>) -> Result<Fetched, Unfetched> {
        let mut at = wanted.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.ask(&at, wanted).await?;
            match response.status().as_u16() {
                301..=303 | 307 | 308 => at = redirected(&at, &response)?,
                304 if wanted.known.is_some() => return Ok(Fetched::Same),
                200 => return text(response, wanted.limit).await,
                status => return Err(Unfetched::Status(status)),
            }
        }
        Err(Unfetched::Astray(format!("it is redirected more than {MAX_REDIRECTS} times")))
    }

    async fn ask(&self, at: &Uri, wanted: &Wanted<'_>) -> Result<Response<PooledBody>, Unfetched> {
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = target(at);
        let headers = request.headers_mut();
        headers.insert(HOST, host_header(at));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("toolgate/", env!("CARGO_PKG_VERSION"))));
        headers.insert(ACCEPT, HeaderValue::from_static("application/yaml, application/json;q=0.9, */*;q=0.5"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        if let Some(authorization) = wanted.authorization.filter(|_| origin(at) == origin(wanted.url)) {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        headers.extend(wanted.known.and_then(Version::header));
        Ok(Pool::new(self.host.clone(), at.clone()).send(request).await?)
    }
}

async fn text(response: Response<PooledBody>, limit: usize) -> Result<Fetched, Unfetched> {
    let says = |name: HeaderName| {
        let value = response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    };
    let (media, coding) = (says(CONTENT_TYPE), says(CONTENT_ENCODING));
    if !matches!(&*coding, "" | "identity") {
        return Err(Unfetched::NoText(format!("it is compressed ({}), though not asked to be", neutral(&coding, 20))));
    }
    let version = Version::of(&response);
    Ok(Fetched::Text { text: read(response.into_body(), limit).await?, media, version })
}

/// Where a redirect leads, if we may go there.
fn redirected<B>(from: &Uri, response: &Response<B>) -> Result<Uri, Unfetched> {
    let astray = |why: String| Unfetched::Astray(why);
    let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    let location = location.ok_or_else(|| astray("it is redirected, and not said where to".to_owned()))?;
    let to = joined(from, location).ok_or_else(|| astray("it is redirected to what is no URL".to_owned()))?;
    match may_lead(from, &to) {
        true => Ok(to),
        false => Err(astray(format!(
            "it is redirected to {}, which is not encrypted; only https is followed",
            neutral(&origin(&to), 200)
        ))),
    }
}

/// A reference as its URL means it (RFC 3986, section 5), but for `..`, which servers resolve.
fn joined(base: &Uri, location: &str) -> Option<Uri> {
    let location = location.split('#').next().unwrap_or_default();
    let scheme = base.scheme_str()?;
    let has_scheme = location.split_once("://").is_some_and(|(scheme, _)| !scheme.contains(['/', '?']));
    let whole = if has_scheme {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{}{location}", origin(base))
    } else if location.starts_with('?') || location.is_empty() {
        format!("{}{}{location}", origin(base), base.path())
    } else {
        let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{}{folder}/{location}", origin(base))
    };
    whole.parse().ok().filter(is_http)
}

/// Whether what is at one URL may be had from another: what is encrypted stays so, and what is not stays on this machine.
fn may_lead(from: &Uri, to: &Uri) -> bool {
    to.scheme_str() == Some("https") || (from.scheme_str() == Some("http") && is_here(to))
}

/// Whether a URL names this machine itself.
pub fn is_here(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_read_as_browsers_read_them() {
        let base: Uri = "https://a.example:444/x/y.yaml?q=1".parse().unwrap();
        for (location, expected) in [
            ("https://b.example/z", Some("https://b.example/z")),
            ("//b.example/z", Some("https://b.example/z")),
            ("/z?a=http://c", Some("https://a.example:444/z?a=http://c")),
            ("z.yaml#part", Some("https://a.example:444/x/z.yaml")),
            ("?q=2", Some("https://a.example:444/x/y.yaml?q=2")),
            ("ftp://b.example/z", None),
            ("https://", None),
            ("https://b c/", None),
        ] {
            assert_eq!(joined(&base, location).map(|uri| uri.to_string()).as_deref(), expected, "{location}");
        }
    }

    #[test]
    fn a_time_tells_versions_apart_once_it_has_passed() {
        let (then, now) = ("Sat, 21 Nov 2026 12:43:25 GMT", "Sat, 21 Nov 2026 12:43:26 GMT");
        for (headers, expected) in [
            (vec![(ETAG, "\"1\""), (LAST_MODIFIED, then), (DATE, now)], Some(Version::Tag("\"1\"".into()))),
            (vec![(LAST_MODIFIED, then), (DATE, now)], Some(Version::Of(then.into()))),
            (vec![(LAST_MODIFIED, now), (DATE, now)], None),
            (vec![(LAST_MODIFIED, then)], None),
            (vec![(DATE, now)], None),
        ] {
            let mut response = Response::new(());
            for (name, value) in headers {
                response.headers_mut().insert(name, HeaderValue::from_static(value));
            }
            assert_eq!(Version::of(&response), expected);
        }
    }

    #[test]
    fn what_is_encrypted_stays_so() {
        for (from, to, may) in [
            ("https://a.example/", "https://b.example/", true),
            ("https://a.example/", "http://a.example/", false),
            ("https://a.example/", "http://localhost/", false),
            ("http://localhost/", "https://a.example/", true),
            ("http://localhost/", "http://127.0.0.1:8/", true),
            ("http://localhost/", "http://[::1]/", true),
            ("http://localhost/", "http://a.example/", false),
            ("http://localhost/", "http://localhost.a.example/", false),
        ] {
            assert_eq!(may_lead(&from.parse().unwrap(), &to.parse().unwrap()), may, "{from} to {to}");
        }
    }
}
