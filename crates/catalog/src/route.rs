//! A permitted way to one entry of one upstream. Only a [`View`](crate::View) makes one (law 1), and whoever holds one has
//! been allowed to use it.

use std::sync::Arc;

use toolgate_protocol::{Json, Method, Object, Reply, RpcError, Subject};
use toolgate_upstream::{Call, Upstream, Watch};

use crate::entry::Entry;

/// The way to one entry.
pub struct Route {
    upstream: Arc<Upstream>,
    subject: Subject,
    /// Absent where an upstream answers for things it does not list.
    entry: Option<Arc<Entry>>,
}

// === impl Route ===

impl Route {
    pub(crate) fn new(upstream: Arc<Upstream>, subject: Subject, entry: Option<Arc<Entry>>) -> Self {
        Self { upstream, subject, entry }
    }

    /// What it leads to.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The entry it leads to; `None` where an upstream answers for things it does not list.
    pub fn entry(&self) -> Option<&Arc<Entry>> {
        self.entry.as_ref()
    }

    /// What is wrong with the `Mcp-Param-*` headers of a call, given as pairs of lower-case name suffix and decoded value, if
    /// anything is: each annotated argument that is present must be repeated, and none that is absent may be.
    pub fn param_header_fault(&self, params: &Object, headers: &[(String, String)]) -> Option<String> {
        let entry = self.entry.as_ref()?;
        let arguments = params.get("arguments").cloned().unwrap_or(Json::literal("{}"));
        entry.param_headers.iter().find_map(|wanted| {
            let found = headers.iter().find(|(name, _)| *name == wanted.name).map(|(_, value)| value.as_str());
            match (wanted.value(&arguments), found) {
                (None, None) => None,
                (Some(_), Some(value)) if wanted.agrees(&arguments, value) => None,
                (Some(_), None) => {
                    Some(format!("the header Mcp-Param-{} is missing; it must repeat the argument", wanted.name))
                }
                (None, Some(_)) => {
                    Some(format!("the header Mcp-Param-{} repeats an argument that is not there", wanted.name))
                }
                (Some(_), Some(_)) => {
                    Some(format!("the header Mcp-Param-{} does not repeat the argument", wanted.name))
                }
            }
        })
    }

    /// Sends a request there, under the native name.
    pub async fn send(&self, method: Method, mut params: Object) -> Reply {
        self.use_native_name(&method, &mut params);
        let param_headers = match &self.entry {
            Some(entry) if !entry.param_headers.is_empty() => {
                let arguments = params.get("arguments").cloned().unwrap_or(Json::literal("{}"));
                entry
                    .param_headers
                    .iter()
                    .filter_map(|header| Some((header.name.clone(), header.value(&arguments)?)))
                    .collect()
            }
            _ => Vec::new(),
        };
        self.upstream.send(Call { method, params, param_headers }).await
    }

    fn use_native_name(&self, method: &Method, params: &mut Object) {
        let native = &*self.subject.native;
        if self.entry.as_ref().is_some_and(|entry| *entry.public == *native) {
            return;
        }
        match method {
            Method::ToolsCall | Method::PromptsGet => params.set("name", Json::string(native)),
            Method::ResourcesRead => params.set("uri", Json::string(native)),
            Method::Complete => {
                if let Some(mut reference) = params.child("ref") {
                    let member = if reference.get("uri").is_some() { "uri" } else { "name" };
                    reference.set(member, Json::string(native));
                    params.set("ref", reference.to_json());
                }
            }
            _ => {}
        }
    }

    /// Asks to hear when this resource changes, until the watch is dropped.
    pub async fn watch(&self) -> Result<Watch, RpcError> {
        self.upstream.watch(&self.subject.native).await
    }
}
