//! What must be known to reach an HTTP API that speaks no MCP.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};
use toolgate_openapi::{Facts, Operation};

/// Headers of our own.
pub type Headers = Vec<(HeaderName, HeaderValue)>;

/// An HTTP API whose operations become tools.
#[derive(Clone, PartialEq)]
pub struct ApiConfig {
    /// Where the tools come from.
    pub source: ApiSource,
    /// Sent with every request, and to the place of the API alone.
    pub headers: Headers,
}

/// Where the tools of an API come from.
#[derive(Clone, PartialEq)]
pub enum ApiSource {
    /// From a document.
    Document(DocumentConfig),
    /// From the config, each with its own wait for an answer where it has one.
    Tools(Vec<(Operation, Option<Duration>)>),
}

/// An OpenAPI document.
#[derive(Clone, PartialEq)]
pub struct DocumentConfig {
    /// Where it is.
    pub at: DocumentPlace,
    /// Where its API is, where not as it says.
    pub base_url: Option<String>,
    /// Which of its operations are wanted.
    pub permits: Permits,
}

/// Where a document is.
#[derive(Clone, PartialEq)]
pub enum DocumentPlace {
    /// A file.
    File(PathBuf),
    /// A URL.
    Url(Uri),
}

/// Which operations are wanted.
#[derive(Clone)]
pub struct Permits {
    /// The same for two that want the same.
    pub key: String,
    /// Whether one is.
    pub permits: Arc<dyn Fn(&Facts<'_>) -> bool + Send + Sync>,
}

// === impl ApiConfig ===

/// URLs and headers may hold keys.
impl fmt::Debug for ApiConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        let source = match &self.source {
            ApiSource::Document(_) => "document".to_owned(),
            ApiSource::Tools(tools) => format!("{} tools", tools.len()),
        };
        f.debug_struct("ApiConfig").field("source", &source).field("headers", &names).finish()
    }
}

// === impl Permits ===

impl PartialEq for Permits {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}
