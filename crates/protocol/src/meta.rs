//! What `_meta` tells: revision, client, capabilities, log level, progress token.
//!
//! Source: 2026-07-28 `basic/index`, RequestMetaObject. Keys under `io.modelcontextprotocol/` describe one hop; every other
//! key, and the trace context, goes from end to end.

use crate::code::{self, RpcError};
use crate::json::Json;
use crate::object::Object;
use crate::revision::{Era, Revision};

/// `_meta` key: the revision of this request.
pub const REVISION: &str = "io.modelcontextprotocol/protocolVersion";
/// `_meta` key: what the client can do.
pub const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
/// `_meta` key: the client's name and version.
pub const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
/// `_meta` key: the least severe log message wanted; absent for none.
pub const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
/// Result `_meta` key: the server's name and version.
pub const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";
/// Notification `_meta` key: the id of the listen request that a message answers.
pub const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";
/// `_meta` key: where progress is wanted; a string or an integer.
pub const PROGRESS_TOKEN: &str = "progressToken";
/// The extension by which a call can become a task: a member of the capabilities' `extensions`.
pub const TASKS: &str = "io.modelcontextprotocol/tasks";
/// `_meta` key: the task that a message belongs to (2025-11-25). The one key of its prefix that goes from end to end.
pub const RELATED_TASK: &str = "io.modelcontextprotocol/related-task";
/// On a question of a legacy upstream that sends its client to a page: the id under which the upstream will say that the page was
/// visited (`elicitationId` of 2025-11-25). The modern era has no place for it, and legacy clients want it back.
pub const ELICITATION_ID: &str = "io.toolgate/elicitationId";
/// On a call that is to run as a task: what a legacy client said of it (`task` of 2025-11-25), or `{}` where its tool runs in no
/// other way. The modern era leaves it to servers what becomes a task, and has no place for it.
pub const AS_TASK: &str = "io.toolgate/task";

/// Severity of a log message (RFC 5424), least severe first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "RFC 5424 gives the meanings")]
pub enum Level {
    Debug,
    Info,
    Notice,
    Warning,
    Error,
    Critical,
    Alert,
    Emergency,
}

/// The modern envelope of a request, as its `_meta` has it.
#[derive(Clone, Debug)]
pub struct RequestMeta {
    /// The revision this request is written in.
    pub revision: Revision,
    /// The client's capabilities, for this request only.
    pub capabilities: Json,
    /// Who the client says it is.
    pub client_info: Option<Json>,
    /// Log messages from this level on are wanted; none when absent.
    pub log_level: Option<Level>,
    /// Progress is wanted under this token.
    pub progress_token: Option<Json>,
}

// === impl Level ===

impl Level {
    const ALL: [(Self, &str); 8] = [
        (Self::Debug, "debug"),
        (Self::Info, "info"),
        (Self::Notice, "notice"),
        (Self::Warning, "warning"),
        (Self::Error, "error"),
        (Self::Critical, "critical"),
        (Self::Alert, "alert"),
        (Self::Emergency, "emergency"),
    ];

    /// The level of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, text)| *text == name).map(|(level, _)| *level)
    }

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(level, _)| *level == self).map_or("info", |(_, text)| text)
    }
}

// === impl RequestMeta ===

impl RequestMeta {
    /// The revision that `params` claims, if they are a modern request's; the text, since it may be one we do not speak.
    pub fn claim(params: &Object) -> Option<Json> {
        params.child("_meta")?.get(REVISION).cloned()
    }

    /// Reads the envelope of a modern request.
    ///
    /// Errors: [`code::INVALID_PARAMS`] when a required key is missing or has a wrong type, [`code::UNSUPPORTED_REVISION`]
    /// for a revision that may not be claimed here.
    pub fn read(params: &Object) -> Result<Self, RpcError> {
        Self::of(params.child("_meta").as_ref())
    }

    /// The same, of a `_meta` that was already taken out of its parameters.
    pub fn of(meta: Option<&Object>) -> Result<Self, RpcError> {
        let wrong = |what: &str| RpcError::new(code::INVALID_PARAMS, format!("invalid `params._meta`: {what}"));
        let meta = meta.ok_or_else(|| wrong("it is missing; every request carries it in this revision"))?;
        let claimed = meta.get(REVISION).ok_or_else(|| wrong(&format!("`{REVISION}` is missing")))?;
        let claimed = claimed.as_string().ok_or_else(|| wrong(&format!("`{REVISION}` must be a string")))?;
        let revision = Revision::parse(&claimed)
            .filter(|revision| revision.era() == Era::Modern)
            .ok_or_else(|| unsupported(&claimed))?;
        let capabilities =
            meta.get(CAPABILITIES).ok_or_else(|| wrong(&format!("`{CAPABILITIES}` is missing; it may be {{}}")))?;
        if !capabilities.is_object() {
            return Err(wrong(&format!("`{CAPABILITIES}` must be an object")));
        }
        let log_level = match meta.get(LOG_LEVEL) {
            None => None,
            Some(level) => Some(
                level
                    .as_string()
                    .and_then(|name| Level::parse(&name))
                    .ok_or_else(|| wrong(&format!("`{LOG_LEVEL}` is no log level")))?,
            ),
        };
        let progress_token = meta.get(PROGRESS_TOKEN).cloned();
        if progress_token.as_ref().is_some_and(|token| !token.is_string() && !token.is_number()) {
            return Err(wrong("`progressToken` must be a string or an integer"));
        }
        Ok(Self {
            revision,
            capabilities: capabilities.clone(),
            client_info: meta.get(CLIENT_INFO).cloned(),
            log_level,
            progress_token,
        })
    }
}

/// The error for a revision that is not spoken here, with those that are.
pub fn unsupported(requested: &str) -> RpcError {
    let supported: Vec<&str> = Revision::MODERN.iter().map(|revision| revision.as_str()).collect();
    let data = Object::new()
        .with("supported", Json::of(&supported).expect("a list of strings is JSON"))
        .with("requested", Json::string(requested));
    RpcError::new(code::UNSUPPORTED_REVISION, "Unsupported protocol version").with_data(data.to_json())
}

/// Whether the key describes one hop only and is not passed on.
pub fn is_per_hop(key: &str) -> bool {
    key.starts_with("io.modelcontextprotocol/") && key != RELATED_TASK
}

/// Whether the client of a request with these parameters declares an extension.
pub fn declares(params: &Object, extension: &str) -> bool {
    let extensions = || params.child("_meta")?.child(CAPABILITIES)?.child("extensions");
    extensions().is_some_and(|extensions| extensions.get(extension).is_some())
}

/// Whether a call with these parameters is to run as a task ([`AS_TASK`]).
pub fn asks_for_task(params: &Object) -> bool {
    params.child("_meta").is_some_and(|meta| meta.get(AS_TASK).is_some())
}

/// Takes back that the client of a request with these parameters declares an extension.
pub fn undeclare(params: &mut Object, extension: &str) {
    edit(params, |meta| {
        let Some(mut capabilities) = meta.child(CAPABILITIES) else { return };
        let Some(mut extensions) = capabilities.child("extensions") else { return };
        extensions.remove(extension);
        capabilities.set("extensions", extensions.to_json());
        meta.set(CAPABILITIES, capabilities.to_json());
    });
}

/// Changes `params._meta`, creating it where it is missing and leaving it out where it ends up empty.
pub fn edit(params: &mut Object, change: impl FnOnce(&mut Object)) {
    let mut meta = params.child("_meta").unwrap_or_default();
    change(&mut meta);
    if meta.is_empty() {
        params.remove("_meta");
    } else {
        params.set("_meta", meta.to_json());
    }
}
