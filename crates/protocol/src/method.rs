//! Every MCP method, and what the gateway must know of it.

use std::fmt;

macro_rules! methods {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// A method name: one of those any revision defines, or one that toolgate does not know and carries as it is.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum Method {
            $($(#[$doc])* $variant,)*
            /// Anything else.
            Other(Box<str>),
        }

        impl Method {
            /// The name on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other(name) => name,
                }
            }
        }

        impl From<&str> for Method {
            fn from(name: &str) -> Self {
                match name {
                    $($text => Self::$variant,)*
                    other => Self::Other(other.into()),
                }
            }
        }
    };
}

methods! {
    /// What a modern server offers.
    Discover = "server/discover",
    /// Tools.
    ToolsList = "tools/list",
    /// Runs a tool.
    ToolsCall = "tools/call",
    /// Prompts.
    PromptsList = "prompts/list",
    /// Fills a prompt in.
    PromptsGet = "prompts/get",
    /// Resources.
    ResourcesList = "resources/list",
    /// Resource templates.
    TemplatesList = "resources/templates/list",
    /// Reads a resource.
    ResourcesRead = "resources/read",
    /// Suggests values for an argument.
    Complete = "completion/complete",
    /// One long answer that tells of changes.
    Listen = "subscriptions/listen",
    /// Tasks extension: how is it going.
    TasksGet = "tasks/get",
    /// Tasks extension: answers to its questions.
    TasksUpdate = "tasks/update",
    /// Tasks: no longer wanted.
    TasksCancel = "tasks/cancel",
    /// Legacy tasks: all of them.
    TasksList = "tasks/list",
    /// Legacy tasks: what came out.
    TasksResult = "tasks/result",
    /// Legacy: the handshake.
    Initialize = "initialize",
    /// Legacy: are you there.
    Ping = "ping",
    /// Legacy: how much to log.
    SetLevel = "logging/setLevel",
    /// Legacy: tell me of changes to this resource.
    Subscribe = "resources/subscribe",
    /// Legacy: no longer.
    Unsubscribe = "resources/unsubscribe",
    /// A question to the client: ask your model.
    Sample = "sampling/createMessage",
    /// A question to the client: ask your person.
    Elicit = "elicitation/create",
    /// A question to the client: your roots.
    RootsList = "roots/list",
    /// Legacy: the handshake is over.
    Initialized = "notifications/initialized",
    /// A request is no longer wanted.
    Cancelled = "notifications/cancelled",
    /// A request makes progress.
    Progress = "notifications/progress",
    /// A log line.
    LogMessage = "notifications/message",
    /// A subscribed resource changed.
    ResourceUpdated = "notifications/resources/updated",
    /// The list of resources changed.
    ResourcesChanged = "notifications/resources/list_changed",
    /// The list of tools changed.
    ToolsChanged = "notifications/tools/list_changed",
    /// The list of prompts changed.
    PromptsChanged = "notifications/prompts/list_changed",
    /// The client's roots changed.
    RootsChanged = "notifications/roots/list_changed",
    /// Legacy: a page that the client's person was sent to has been visited (2025-11-25).
    ElicitationComplete = "notifications/elicitation/complete",
    /// Tasks extension: how a task is going, told to who listens to it.
    TaskStatus = "notifications/tasks",
    /// Modern: a listen is live.
    Acknowledged = "notifications/subscriptions/acknowledged",
}

// === impl Method ===

impl Method {
    /// The member of `params` that `Mcp-Name` repeats (2026-07-28 `transports/streamable-http`), if any.
    pub fn named_by(&self) -> Option<&'static str> {
        match self {
            Self::ToolsCall | Self::PromptsGet => Some("name"),
            Self::ResourcesRead => Some("uri"),
            Self::TasksGet | Self::TasksUpdate | Self::TasksCancel => Some("taskId"),
            _ => None,
        }
    }

    /// Whether a complete result of it must say how long and for whom it may be kept (`ttlMs`, `cacheScope`).
    pub fn is_cacheable(&self) -> bool {
        match self {
            Self::Discover
            | Self::ToolsList
            | Self::PromptsList
            | Self::ResourcesList
            | Self::TemplatesList
            | Self::ResourcesRead => true,
            // The skills extension (SEP-2640), which is carried as it is.
            Self::Other(name) => matches!(&**name, "skills/list" | "skills/get" | "resources/directory/read"),
            _ => false,
        }
    }

    /// Whether it may answer with questions to the client first (multi round-trip requests).
    pub fn may_ask(&self) -> bool {
        matches!(self, Self::ToolsCall | Self::PromptsGet | Self::ResourcesRead)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
