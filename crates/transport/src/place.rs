//! Which endpoint a URL means: `/mcp`, `/ns/<slug>/mcp`, `/upstreams/<name>/mcp`, and the same with `/sse` and what clients use that
//! speak no MCP.
//!
//! Where a client's URL cannot be changed, a header selects the namespace instead.

use http::HeaderMap;
use toolgate_protocol::endpoint::NoSlug;
use toolgate_protocol::{Endpoint, UpstreamName};

use crate::plain;

/// Selects a namespace where the URL names none.
const NAMESPACE: &str = "x-toolgate-namespace";

/// The endpoint, and the rest of the path as if it were the default one's; or what is wrong.
pub(crate) fn of<'p>(path: &'p str, headers: &HeaderMap) -> Result<(Endpoint, &'p str), String> {
    let nested = |prefix: &str| -> Option<(&'p str, &'p str)> {
        let rest = path.strip_prefix(prefix)?;
        let end = rest.find('/')?;
        Some((&rest[..end], &rest[end..]))
    };
    if let Some((slug, rest)) = nested("/ns/") {
        return Ok((namespace(slug)?, of_endpoint(rest)?));
    }
    if let Some((name, rest)) = nested("/upstreams/") {
        let name = UpstreamName::new(name).ok_or("no upstream has such a name")?;
        return Ok((Endpoint::Upstream(name), of_endpoint(rest)?));
    }
    match headers.get(NAMESPACE) {
        Some(named) if is_of_endpoint(path) => {
            let slug = named.to_str().map_err(|_| format!("the header {NAMESPACE} is no text"))?;
            Ok((namespace(slug)?, path))
        }
        _ => Ok((Endpoint::Default, path)),
    }
}

fn namespace(slug: &str) -> Result<Endpoint, String> {
    slug.parse().map(Endpoint::of_namespace).map_err(|error: NoSlug| error.to_string())
}

/// What every endpoint has.
fn is_of_endpoint(path: &str) -> bool {
    matches!(path, "/mcp" | "/sse" | plain::DOCUMENT) || path.starts_with(plain::TOOLS)
}

fn of_endpoint(path: &str) -> Result<&str, String> {
    if is_of_endpoint(path) {
        return Ok(path);
    }
    Err("nothing is here; an endpoint has /mcp, /sse, /openapi.json and /tools/<name>".into())
}

#[cfg(test)]
mod tests {
    use toolgate_protocol::Slug;

    use super::*;

    #[test]
    fn the_path_names_the_endpoint_and_the_header_does_where_it_does_not() {
        let none = HeaderMap::new();
        let mut named = HeaderMap::new();
        named.insert(NAMESPACE, "b".parse().unwrap());
        let ns = |slug| Endpoint::Namespace(Slug::new(slug).unwrap());
        let upstream = Endpoint::Upstream(UpstreamName::new("Git_1").unwrap());
        for (path, headers, expected) in [
            ("/mcp", &none, Some((Endpoint::Default, "/mcp"))),
            ("/mcp", &named, Some((ns("b"), "/mcp"))),
            ("/ns/a/mcp", &named, Some((ns("a"), "/mcp"))),
            ("/ns/a/sse", &none, Some((ns("a"), "/sse"))),
            ("/ns/default/mcp", &none, Some((Endpoint::Default, "/mcp"))),
            ("/upstreams/Git_1/mcp", &none, Some((upstream, "/mcp"))),
            ("/status", &named, Some((Endpoint::Default, "/status"))),
            ("/ns/a/status", &none, None),
            ("/ns/A/mcp", &none, None),
            ("/ns/a%2Fb/mcp", &none, None),
            ("/upstreams/a.b/mcp", &none, None),
        ] {
            assert_eq!(of(path, headers).ok(), expected, "{path}");
        }
    }
}
