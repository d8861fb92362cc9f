//! The words of MCP: the envelope, the methods, the revisions, the framings. No I/O, no policy, no opinion.
//!
//! The gateway changes the members it names and carries the rest verbatim and in order (law 5). Therefore nothing here is a
//! typed model of MCP: a message is a few members read shallowly, and everything else stays the text it arrived as.
//!
//! In reading order: [`json`] is that text, [`object`] its members, [`message`] the JSON-RPC envelope, [`method`] and
//! [`code`] its vocabulary, [`revision`] and [`meta`] what a modern request says of itself, [`header`] what HTTP repeats of
//! it, [`reply`] what comes back, [`sse`] and [`line`] how it is framed, [`name`] who is meant.

pub mod json;
pub mod object;
pub mod message;
pub mod method;
pub mod code;
pub mod revision;
pub mod meta;
pub mod header;
pub mod reply;
pub mod sse;
pub mod line;
pub mod name;

pub use code::RpcError;
pub use json::{Json, JsonError};
pub use message::{Id, Message, Notification, Request, Response};
pub use method::Method;
pub use name::UpstreamName;
pub use object::{Member, Object};
pub use reply::{Event, OnDrop, Outcome, Reply};
pub use revision::{Era, Revision};
