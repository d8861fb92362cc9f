//! What is tried in each cell, what the specification says can come of it, and the losses that no gateway can make good.

use toolgate_testkit::{Revision, Way};

use super::server;

/// A revision over a transport.
pub(super) type Variant = (Revision, Way);

/// What is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Feature {
    Tools,
    Errors,
    Content,
    Structured,
    StructuredOfAnyKind,
    Prompts,
    Resources,
    Completion,
    Progress,
    Cancellation,
    Logging,
    LoggingUnasked,
    ListChanged,
    Subscription,
    Sampling,
    SamplingTools,
    Elicitation,
    UrlElicitation,
    UrlCompleted,
    UrlRequired,
    Refusal,
    Roots,
    RootsChanged,
    Ping,
    Strange,
    Meta,
    Batches,
}

/// What the specification says of a feature in a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// It works.
    Works,
    /// It cannot arrive, for the reason that the loss has.
    Lost(Loss),
    /// The side that it begins at does not have it.
    Absent,
}

/// What the wire on one side has no place for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Loss {
    ContentKinds,
    StructuredContent,
    StructuredOfAnyKind,
    LogsUnasked,
    SamplingTools,
    Elicitation,
    UrlElicitation,
    UrlCompleted,
    Refusal,
    RootsChanged,
}

/// A fault of the gateway that is known and written down. A cell that has one fails the test once the fault is gone,
/// unless it is rare.
pub(super) struct Defect {
    pub(super) what: &'static str,
    pub(super) feature: Feature,
    pub(super) is_in: fn(Variant, Variant) -> bool,
    /// It shows now and then only, so that a cell that works says nothing.
    pub(super) is_rare: bool,
}

/// Faults of the gateway that wait for their repair. Take an entry out with its repair.
pub(super) const KNOWN_DEFECTS: &[Defect] = &[];

// === impl Feature ===

impl Feature {
    pub(super) const ALL: [Self; 27] = [
        Self::Tools,
        Self::Errors,
        Self::Content,
        Self::Structured,
        Self::StructuredOfAnyKind,
        Self::Prompts,
        Self::Resources,
        Self::Completion,
        Self::Progress,
        Self::Cancellation,
        Self::Logging,
        Self::LoggingUnasked,
        Self::ListChanged,
        Self::Subscription,
        Self::Sampling,
        Self::SamplingTools,
        Self::Elicitation,
        Self::UrlElicitation,
        Self::UrlCompleted,
        Self::UrlRequired,
        Self::Refusal,
        Self::Roots,
        Self::RootsChanged,
        Self::Ping,
        Self::Strange,
        Self::Meta,
        Self::Batches,
    ];

    /// In the words of the table's legend.
    pub(super) fn about(self) -> &'static str {
        match self {
            Self::Tools => "tools are listed and called",
            Self::Errors => "a failed tool, and a JSON-RPC error with its code, message and data",
            Self::Content => {
                "every kind of content that the upstream's revision has: text, images and embedded resources; audio from 2025-03-26, resource links from 2025-06-18"
            }
            Self::Structured => "structured content (from 2025-06-18)",
            Self::StructuredOfAnyKind => "structured content that is no object (2026-07-28)",
            Self::Prompts => "prompts are listed and filled in",
            Self::Resources => {
                "resources and templates are listed and read, text and binary; a missing one is told in the words of the client's era"
            }
            Self::Completion => "completion for prompts and templates, with context from 2025-06-18",
            Self::Progress => "progress in order, before the answer, under the client's own token",
            Self::Cancellation => "a cancelled call is cancelled upstream in the way of the upstream's wire",
            Self::Logging => "log messages in the course of a call, from the level on that the client wants",
            Self::LoggingUnasked => "log messages that belong to no call (legacy upstreams)",
            Self::ListChanged => "changes of the lists of tools, prompts and resources",
            Self::Subscription => "a watched resource changes, and is watched no longer",
            Self::Sampling => "the upstream asks for a sample in mid-call",
            Self::SamplingTools => "the same, with tools that the model may use (from 2025-11-25)",
            Self::Elicitation => "the upstream asks the person in mid-call, with a form (from 2025-06-18)",
            Self::UrlElicitation => "the upstream sends the person to a page in mid-call (from 2025-11-25)",
            Self::UrlCompleted => "it says that the page was visited (2025-11-25)",
            Self::UrlRequired => {
                "a call fails until a page was visited (error -32042 of 2025-11-25): a client that can be sent there is, once, and the call is made anew"
            }
            Self::Refusal => "the client refuses to answer, with a JSON-RPC error (legacy clients)",
            Self::Roots => "the upstream asks for roots in mid-call",
            Self::RootsChanged => "the client says that its roots changed (legacy clients)",
            Self::Ping => "either side pings, where its era has that; elsewhere there is no such method",
            Self::Strange => {
                "members that no revision has, in requests, results, definitions and notifications, byte for byte"
            }
            Self::Meta => "`_meta` of requests and results from end to end; what describes one hop stays on it",
            Self::Batches => "batches (a client or an upstream of 2025-03-26)",
        }
    }

    /// Whether no other call may be in flight at the upstream: on a pipe of the legacy era nothing tells what a question or
    /// a log message belongs to.
    pub(super) fn needs_quiet(self) -> bool {
        matches!(
            self,
            Self::Logging
                | Self::Sampling
                | Self::SamplingTools
                | Self::Elicitation
                | Self::UrlElicitation
                | Self::UrlCompleted
                | Self::UrlRequired
                | Self::Refusal
                | Self::Roots
                | Self::Ping
        )
    }

    /// Whether one event upstream concerns all clients.
    pub(super) fn concerns_all(self) -> bool {
        matches!(self, Self::LoggingUnasked | Self::ListChanged)
    }

    /// What the specification says of it between a client and an upstream.
    pub(super) fn expected(self, (client, _): Variant, (upstream, _): Variant) -> Expected {
        use Revision::{V2025_03_26, V2025_06_18, V2025_11_25, V2026_07_28};
        let modern_client = client == V2026_07_28;
        let modern_upstream = upstream == V2026_07_28;
        // Of what the upstream begins: absent where it does not have it, lost where the client does not.
        let since = |revision: Revision, loss: Loss| match (upstream >= revision, client >= revision) {
            (false, _) => Expected::Absent,
            (true, false) => Expected::Lost(loss),
            (true, true) => Expected::Works,
        };
        let only = |it: bool, otherwise: Expected| if it { otherwise } else { Expected::Absent };
        match self {
            Self::Content if server::kinds(client, "").len() < server::kinds(upstream, "").len() => {
                Expected::Lost(Loss::ContentKinds)
            }
            Self::Structured => since(V2025_06_18, Loss::StructuredContent),
            Self::StructuredOfAnyKind => since(V2026_07_28, Loss::StructuredOfAnyKind),
            Self::LoggingUnasked if modern_upstream => Expected::Absent,
            Self::LoggingUnasked if modern_client => Expected::Lost(Loss::LogsUnasked),
            Self::SamplingTools => since(V2025_11_25, Loss::SamplingTools),
            Self::Elicitation => since(V2025_06_18, Loss::Elicitation),
            Self::UrlElicitation => since(V2025_11_25, Loss::UrlElicitation),
            Self::UrlCompleted if modern_client => only(upstream == V2025_11_25, Expected::Lost(Loss::UrlCompleted)),
            Self::UrlCompleted | Self::UrlRequired => {
                only(upstream == V2025_11_25, since(V2025_11_25, Loss::UrlElicitation))
            }
            Self::Refusal if modern_client => Expected::Absent,
            Self::Refusal if modern_upstream => Expected::Lost(Loss::Refusal),
            Self::RootsChanged => only(!modern_client, Expected::Lost(Loss::RootsChanged)),
            Self::Ping => only(!modern_client || !modern_upstream, Expected::Works),
            Self::Batches => only(client == V2025_03_26 || upstream == V2025_03_26, Expected::Works),
            _ => Expected::Works,
        }
    }
}

// === impl Loss ===

impl Loss {
    pub(super) const ALL: [Self; 10] = [
        Self::ContentKinds,
        Self::StructuredContent,
        Self::StructuredOfAnyKind,
        Self::LogsUnasked,
        Self::SamplingTools,
        Self::Elicitation,
        Self::UrlElicitation,
        Self::UrlCompleted,
        Self::Refusal,
        Self::RootsChanged,
    ];

    /// Its letter in the table.
    pub(super) fn letter(self) -> char {
        (b'a'..=b'z').zip(Self::ALL).find(|(_, loss)| *loss == self).map_or('?', |(letter, _)| letter.into())
    }

    /// What is lost, why, and what is done instead.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::ContentKinds => {
                "Kinds of content that are newer than the client's revision. They arrive as they are; what a client makes of a kind that it does not know is its own affair."
            }
            Self::StructuredContent => {
                "Clients before 2025-06-18 do not know `structuredContent`. It arrives beside the text that servers put it into as well, and such clients read the text."
            }
            Self::StructuredOfAnyKind => {
                "Before 2026-07-28 structured content is an object, and so is what a tool's `outputSchema` describes; clients that check it would refuse the result, or the whole list. Both are left out; the text arrives."
            }
            Self::LogsUnasked => {
                "A modern client gets log messages in the answer to a request that asks for them, and nowhere else. A message of no request has nobody who asked."
            }
            Self::SamplingTools => {
                "Clients before 2025-11-25 know no tools in a request for a sample. The upstream is told that this client cannot have them, and asks without or not at all."
            }
            Self::Elicitation => {
                "Clients before 2025-06-18 have no elicitation. The upstream is told that the client cannot be asked, and the call goes on from there."
            }
            Self::UrlElicitation => {
                "Clients before 2025-11-25 cannot be sent to a page. The upstream is told that the client cannot be asked; an error that wants a page visited arrives as it is."
            }
            Self::UrlCompleted => "2026-07-28 has no notification of a visited page. That the call goes on says it.",
            Self::Refusal => {
                "2026-07-28 has no place for a JSON-RPC error in the answers to a modern upstream's questions. The call ends with the refusal as its failure; the upstream is not called again."
            }
            Self::RootsChanged => {
                "A connection that many clients share has no roots of its own, and a modern upstream has no word for it. Either asks in the course of a call, and gets the roots of that client at that moment. Where a legacy client has a connection of its own to a legacy upstream ([isolation](isolation.md)), the upstream is told, and nothing is lost."
            }
        }
    }
}
