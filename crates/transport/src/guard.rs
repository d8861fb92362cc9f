//! Who may talk to this port at all: the Host and Origin of a request.
//!
//! A web page can make a browser send requests to a server on the same machine, under a host name that its author controls
//! (DNS rebinding). So a request must name a host that is meant, and a page must come from an origin that is allowed. Both
//! are checked by default (2026-07-28 `transports/streamable-http`, "Security warning"; 403 when refused).

use http::{HeaderMap, HeaderName, HeaderValue, Request, header};

/// The hosts and origins that are meant.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    hosts: Vec<String>,
    origins: Vec<String>,
}

/// What is wrong, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It names no host, or several.
    #[error("requests need one Host header")]
    NoHost,
    /// A host that is not meant.
    #[error("the host `{0}` is not one that this gateway answers to; if it should be, add it to `allowed_hosts`")]
    Host(String),
    /// A page that is not allowed.
    #[error("the origin `{0}` may not use this gateway; if it should, add it to `allowed_origins`")]
    Origin(String),
}

/// Answers every name or origin.
const ANY: &str = "*";

// === impl Guard ===

impl Guard {
    /// Loopback names and origins are always allowed; these come on top.
    pub fn new(hosts: &[String], origins: &[String]) -> Self {
        let lower = |all: &[String]| all.iter().map(|one| one.trim_end_matches('/').to_ascii_lowercase()).collect();
        Self { hosts: lower(hosts), origins: lower(origins) }
    }

    /// Checks a request.
    ///
    /// # Errors
    /// It is not meant for this port, or comes from a page that may not use it.
    pub fn check<B>(&self, request: &Request<B>) -> Result<(), Refused> {
        let headers = request.headers();
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = match (hosts.next(), hosts.next()) {
            (Some(host), None) => host.to_str().map_err(|_| Refused::NoHost)?,
            // HTTP/2 has no Host header but an authority.
            (None, _) => request.uri().authority().map(http::uri::Authority::as_str).ok_or(Refused::NoHost)?,
            _ => return Err(Refused::NoHost),
        };
        if !self.answers_to(host) {
            return Err(Refused::Host(clean(host)));
        }
        for origin in headers.get_all(header::ORIGIN) {
            let origin = origin.to_str().map_err(|_| Refused::Origin("?".into()))?;
            if !self.allows(origin) {
                return Err(Refused::Origin(clean(origin)));
            }
        }
        Ok(())
    }

    fn answers_to(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let name = without_port(&host);
        is_loopback(name) || self.hosts.iter().any(|allowed| *allowed == ANY || *allowed == host || *allowed == name)
    }

    fn allows(&self, origin: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        let name = origin.split_once("://").map(|(_, authority)| without_port(authority));
        name.is_some_and(is_loopback) || self.origins.iter().any(|allowed| *allowed == ANY || *allowed == origin)
    }

    /// The headers that let a page of an allowed origin read the answer (Fetch standard, CORS).
    pub(crate) fn cross_origin_headers(&self, request: &HeaderMap) -> Option<[(HeaderName, HeaderValue); 3]> {
        let origin = request.get(header::ORIGIN)?.clone();
        Some([
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, origin),
            (header::VARY, HeaderValue::from_static("origin")),
            (header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("mcp-session-id, mcp-protocol-version")),
        ])
    }
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        // In `[::1]` the last colon is part of the address.
        Some((name, _)) if name.starts_with('[') && !name.ends_with(']') => authority,
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => authority,
    }
}

fn is_loopback(name: &str) -> bool {
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A stranger's text, safe to repeat in an answer and a log line.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(guard: &Guard, host: &str, origin: Option<&str>) -> bool {
        let mut request = Request::builder().header("host", host);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        guard.check(&request.body(()).unwrap()).is_ok()
    }

    #[test]
    fn only_meant_hosts_and_origins_pass() {
        let guard = Guard::new(&["mcp.example.com".into()], &["https://app.example.com".into()]);
        for (host, origin, passes) in [
            ("127.0.0.1:8665", None, true),
            ("localhost", None, true),
            ("[::1]:8665", None, true),
            ("[::1]", None, true),
            ("127.0.0.2:1", None, true),
            ("mcp.example.com", None, true),
            ("MCP.example.com:443", None, true),
            ("evil.example.com", None, false),
            ("localhost.evil.com", None, false),
            ("127.0.0.1.evil.com", None, false),
            ("", None, false),
            ("localhost", Some("http://localhost:6274"), true),
            ("localhost", Some("https://app.example.com"), true),
            ("localhost", Some("http://app.example.com"), false),
            ("localhost", Some("https://evil.com"), false),
            ("localhost", Some("null"), false),
        ] {
            assert_eq!(check(&guard, host, origin), passes, "{host} {origin:?}");
        }
        assert!(check(&Guard::new(&["*".into()], &[]), "anything", None));
    }
}
