//! The words of MCP: the envelope, the methods, the revisions, the framings. No I/O, no policy, no opinion.
//!
//! The gateway changes the members it names and carries the rest verbatim and in order (law 5). Therefore nothing here is a
//! typed model of MCP: a message is a few members read shallowly, and everything else stays the text it arrived as.
//!
//! In reading order: [`json`] is that text, [`object`] its members, [`message`] the JSON-RPC envelope, [`method`] and
//! [`code`] its vocabulary, [`revision`] and [`meta`] what a modern request says of itself, [`header`] what HTTP repeats of
//! it, [`reply`] what comes back, [`sse`] and [`line`] how it is framed, [`name`] and [`subject`] who and what is
//! meant, [`endpoint`] where it came in, [`presentation`] how it is shown, [`reference`] what schemas refer to.

pub mod code;
pub mod endpoint;
pub mod header;
pub mod json;
pub mod line;
pub mod message;
pub mod meta;
pub mod method;
pub mod name;
pub mod object;
pub mod presentation;
pub mod reference;
pub mod refusal;
pub mod reply;
pub mod revision;
pub mod sse;
pub mod subject;

pub use code::RpcError;
pub use endpoint::{Endpoint, Slug};
pub use json::{Json, JsonError};
pub use message::{Id, Message, Notification, Request, Response};
pub use method::Method;
pub use name::UpstreamName;
pub use object::{Member, Object};
pub use presentation::Presentation;
pub use reference::lead_references;
pub use reply::{Event, OnDrop, Outcome, Reply};
pub use revision::{Era, Revision};
pub use subject::{Kind, Subject};
