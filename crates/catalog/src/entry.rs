//! One tool, prompt, resource or template that an upstream offers, under its public name.

use std::sync::Arc;

use toolgate_discovery::tool::is_for_model;
use toolgate_protocol::header::{self, ParamHeader};
use toolgate_protocol::{Json, Kind, Subject};

use crate::overlay::Override;
use crate::template::Template;
use crate::ui;

/// One entry of the catalog.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Whose it is and what its upstream calls it.
    pub subject: Subject,
    /// What clients call it.
    pub public: Arc<str>,
    /// Its definition as clients see it: the upstream's bytes, with the public name in the place of the native one.
    pub definition: Json,
    /// Its definition as it arrived.
    pub(crate) native_definition: Json,
    /// What the operator laid over it.
    pub(crate) overlay: Option<Arc<Override>>,
    /// The arguments that a modern client repeats in headers.
    pub(crate) param_headers: Vec<ParamHeader>,
    /// The same as the upstream wants them, where an override gave arguments other names.
    pub(crate) native_param_headers: Option<Vec<ParamHeader>>,
    /// Whether a model may be shown it: known once, since every search asks it of every tool.
    pub(crate) for_model: bool,
    /// For tools: whether they run as a task of 2025-11-25.
    pub(crate) as_task: AsTask,
    /// For tools: the page they bring along, by the URI that clients know.
    pub(crate) page: Option<Arc<str>>,
    /// For templates: which URIs it makes.
    pub(crate) template: Option<Template>,
}

/// Whether a tool runs as a task of 2025-11-25, by its own word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AsTask {
    /// Never.
    Not,
    /// Where the client asks for it.
    OnRequest,
    /// In no other way. The gateway sees it through where the client did not ask for it, so that clients need not know.
    Only,
}

// === impl Entry ===

impl Entry {
    /// Whether the operator laid something over it.
    pub fn is_overridden(&self) -> bool {
        self.overlay.is_some()
    }

    /// An entry of this public name. `page` is the page that its definition names, by the URI that clients know.
    pub(crate) fn new(
        subject: Subject,
        public: Arc<str>,
        page: Option<Arc<str>>,
        overlay: Option<Arc<Override>>,
        native_definition: &Json,
    ) -> Self {
        let as_task = if subject.kind == Kind::Tool { task_support(native_definition) } else { AsTask::Not };
        let renamed = page.as_ref().filter(|page| ui::page(native_definition).as_deref() != Some(&***page));
        let is_changed = public != subject.native || as_task == AsTask::Only || renamed.is_some() || overlay.is_some();
        let definition = match is_changed.then(|| native_definition.object()) {
            Some(Ok(mut object)) => {
                if let Some(overlay) = &overlay {
                    overlay.lay_over(&mut object);
                }
                if public != subject.native {
                    object.set(subject.kind.name_member(), Json::string(&public));
                }
                if let Some(page) = renamed {
                    ui::name_page(&mut object, page);
                }
                if as_task == AsTask::Only
                    && let Some(execution) = object.child(EXECUTION)
                {
                    object.set(EXECUTION, execution.with(TASK_SUPPORT, Json::literal("\"optional\"")).to_json());
                }
                object.to_json()
            }
            _ => native_definition.clone(),
        };
        let is_tool = subject.kind == Kind::Tool;
        let param_headers = if is_tool { param_headers_of(&definition) } else { Vec::new() };
        let native_param_headers = overlay.as_ref().filter(|_| is_tool).map(|_| param_headers_of(native_definition));
        let template = (subject.kind == Kind::Template).then(|| Template::new(&subject.native));
        Self {
            subject,
            public,
            definition,
            native_definition: native_definition.clone(),
            overlay,
            param_headers,
            native_param_headers,
            for_model: is_for_model(native_definition),
            as_task,
            page,
            template,
        }
    }
}

/// The arguments that the tool of this definition wants repeated in headers.
fn param_headers_of(definition: &Json) -> Vec<ParamHeader> {
    let schema = definition.object().ok().and_then(|definition| definition.get("inputSchema").cloned());
    schema.and_then(|schema| header::param_headers(&schema).ok()).unwrap_or_default()
}

/// Where a tool of 2025-11-25 says how it runs.
const EXECUTION: &str = "execution";
const TASK_SUPPORT: &str = "taskSupport";

/// Whether a tool says that it runs as a task.
fn task_support(definition: &Json) -> AsTask {
    // Nearly every definition lacks the word, and a look at the text is enough to know.
    if memchr::memmem::find(definition.text(), b"\"taskSupport\"").is_none() {
        return AsTask::Not;
    }
    let support = definition.object().ok().and_then(|definition| definition.child(EXECUTION)?.string(TASK_SUPPORT));
    match support.as_deref() {
        Some("required") => AsTask::Only,
        Some("optional") => AsTask::OnRequest,
        _ => AsTask::Not,
    }
}
