//! What stories about the whole gateway are made of: a gateway in the test's process, upstreams that follow a script and say
//! what they were asked, and clients of either era that are pedantic about what they get.
//!
//! Everything runs over real sockets and pipes. Nothing here waits for a time: a story waits for what it is about, and only
//! the patience with it is bounded ([`wait`]). Messages are read and written with `serde_json` and a reader of events of its
//! own, so that a fault in toolgate's envelope cannot hide behind itself.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test may stop at the first surprise, and its words are the story's"
)]

pub mod api;
pub mod balancer;
pub mod client;
mod events;
pub mod gate;
pub mod line_client;
pub mod operator;
pub mod peer;
pub mod postgres;
pub mod process;
mod revision;
mod script;
pub mod upstream;
pub mod wait;

pub use api::{Heard, HttpApi, Says};
pub use balancer::Balancer;
pub use client::{Answer, Client, Exchange, Fault, Outcome};
pub use gate::{Gate, Plan};
pub use line_client::LineClient;
pub use operator::Operator;
pub use peer::Peer;
pub use postgres::Postgres;
pub use process::Program;
pub use revision::Revision;
pub use script::{Asked, Call, Script};
pub use upstream::{EVERY_WAY, Upstream, Way};
pub use wait::{soon, until};

/// The two eras, in a test's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    Legacy,
    Modern,
}

impl Era {
    pub const BOTH: [Self; 2] = [Self::Legacy, Self::Modern];
}
