//! Reads the tools of an API and reads them again: from a file, from a URL, or as they stand in the config.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Uri};
use tokio::io::AsyncReadExt as _;
use tokio::task::spawn_blocking;
use toolgate_openapi::{Api, Document, Operation, Options, Plan};
use toolgate_protocol::{Json, Object};

use super::client::{Client, Fetched, origin};
use super::config::{ApiConfig, ApiSource, DocumentConfig, DocumentPlace};
use crate::error::{Failure, neutral};

/// Notes about one document.
const MAX_NOTES: usize = 20;

/// The tools of an API at one time.
#[derive(Debug)]
pub(crate) struct Tools {
    /// The answer to `tools/list`.
    pub(crate) list: Json,
    pub(crate) plans: HashMap<String, (Plan, Option<Duration>)>,
    /// Name and version, as a server tells them.
    pub(crate) server_info: Json,
    pub(crate) instructions: Option<String>,
    /// What the operator should know.
    pub(crate) notes: Vec<String>,
}

/// Where tools are read from, and what was read last.
#[derive(Debug, Default)]
pub(crate) struct Last {
    tag: Option<HeaderValue>,
    text: Bytes,
}

/// Reads the tools; `None` if they are what they were.
pub(crate) async fn read(
    config: &ApiConfig,
    client: &Client,
    limit: usize,
    last: &mut Last,
) -> Result<Option<Tools>, Failure> {
    let document = match &config.source {
        ApiSource::Tools(tools) => return Ok(Some(Tools::configured(tools))),
        ApiSource::Document(document) => document,
    };
    let (text, tag) = match &document.at {
        DocumentPlace::File(path) => (file(path, limit).await?, None),
        DocumentPlace::Url(uri) => {
            let tag = last.tag.as_ref();
            match client.fetch(uri, &headers_for(uri, document, &config.headers), tag).await? {
                Fetched::Same => return Ok(None),
                Fetched::Text(text, tag) => (text, tag),
            }
        }
    };
    if !last.text.is_empty() && text == last.text {
        last.tag = tag;
        return Ok(None);
    }
    let (document, known) = (document.clone(), text.clone());
    let own: Vec<String> = config.headers.iter().map(|(name, _)| name.as_str().to_owned()).collect();
    // A large document takes a second.
    let reading = spawn_blocking(move || Tools::of(&text, &document, &own));
    let tools = reading.await.map_err(|_| Failure::Refused("its document could not be read".into()))?;
    let tools = tools.map_err(|why| Failure::Refused(neutral(&format!("its document cannot be used: {why}"), 400)))?;
    *last = Last { tag, text: known };
    Ok(Some(tools))
}

/// The gateway's headers for fetching a document: those of its API, if it is at the same place.
fn headers_for(uri: &Uri, document: &DocumentConfig, headers: &[(http::HeaderName, HeaderValue)]) -> HeaderMap {
    let base = document.base_url.as_ref().map(|base| base.parse::<Uri>());
    match base {
        None => headers.iter().cloned().collect(),
        Some(Ok(base)) if origin(&base) == origin(uri) => headers.iter().cloned().collect(),
        Some(_) => HeaderMap::new(),
    }
}

/// A file, if it is no larger than the limit.
async fn file(path: &Path, limit: usize) -> Result<Bytes, Failure> {
    let shown = path.display();
    let wrong = |error: std::io::Error| Failure::Refused(format!("its document {shown} cannot be read: {error}"));
    let file = tokio::fs::File::open(path).await.map_err(wrong)?;
    let mut text = Vec::new();
    file.take(limit as u64 + 1).read_to_end(&mut text).await.map_err(wrong)?;
    if text.len() > limit {
        let what = format!("its document {shown} has more than {limit} bytes, which is the limit (`limits.response`)");
        return Err(Failure::Refused(what));
    }
    Ok(text.into())
}

// === impl Tools ===

impl Tools {
    fn configured(tools: &[(Operation, Option<Duration>)]) -> Self {
        Self::new(
            tools.iter().map(|(operation, within)| (operation.clone(), *within)).collect(),
            Json::literal(concat!(r#"{"name":"HTTP tools","version":""#, env!("CARGO_PKG_VERSION"), r#""}"#)),
        )
    }

    fn of(text: &[u8], config: &DocumentConfig, headers: &[String]) -> Result<Self, String> {
        let document = Document::read(text)?;
        let url = match &config.at {
            DocumentPlace::Url(uri) => Some(uri.to_string()),
            DocumentPlace::File(_) => None,
        };
        let options = Options {
            base_url: config.base_url.as_deref(),
            document_url: url.as_deref(),
            headers,
            permits: &*config.permits.permits,
        };
        let api = Api::read(&document, &options)?;
        let info = Object::new().with("name", Json::string(&api.title)).with("version", Json::string(&api.version));
        let mut notes: Vec<String> = Vec::new();
        if api.operations.is_empty() {
            notes.push("none of the operations of its document is wanted and can be called".to_owned());
        }
        let skipped = api.skipped.iter().map(|skipped| format!("{} is no tool: {}", skipped.operation, skipped.reason));
        notes.extend(skipped.chain(api.faults.iter().cloned()).map(|note| neutral(&note, 300)));
        if notes.len() > MAX_NOTES {
            let more = notes.len() - MAX_NOTES;
            notes.truncate(MAX_NOTES);
            notes.push(format!("and {more} more of the kind"));
        }
        let operations = api.operations.into_iter().map(|operation| (operation, None)).collect();
        Ok(Self { notes, instructions: api.description, ..Self::new(operations, info.to_json()) })
    }

    fn new(operations: Vec<(Operation, Option<Duration>)>, server_info: Json) -> Self {
        let tools = Json::array_of(operations.iter().map(|(operation, _)| &operation.definition));
        let list = Object::new()
            .with("resultType", Json::literal(r#""complete""#))
            .with("tools", tools)
            .with("cacheScope", Json::literal(r#""public""#))
            .to_json();
        let plans = operations.into_iter().map(|(operation, within)| (operation.name, (operation.plan, within)));
        Self { list, plans: plans.collect(), server_info, instructions: None, notes: Vec::new() }
    }
}

/// Tools that are replaced while calls go on.
pub(crate) type Current = std::sync::RwLock<Arc<Tools>>;
