//! The MCP servers behind the gateway, each made modern.
//!
//! To the inside an upstream speaks only 2026-07-28: a request in, a [`Reply`](toolgate_protocol::Reply) out. Reaching it,
//! keeping it, finding out its era and translating for a legacy one are this crate's business and nobody else's.
//!
//! In reading order: [`upstream`] is what the rest of the gateway sees, [`config`] what it must know; `supervise` keeps an
//! upstream connected and `connect` meets it, judging by `era`. A link is `modern` or `legacy`, over `http` (with its `pool` of connections) or over a `mux`,
//! which carries `stdio` and `sse`. `flight` knows the calls on a link, `course` turns one into a reply, `park` holds those
//! that wait for a client, as far as there are `rooms`; `replica` reaches other gateways that hold some. `api` is another kind of link: an HTTP API that speaks no MCP. `isolation` gives some a connection of their own, and `warm` begins those before they are needed (`greeted`). `listen` and `watch` hear of changes. `process`, `watchdog` and `os` end child processes. `fetch` is for what configures a gateway: a text at a URL.

mod api;
mod backoff;
mod change;
pub mod config;
mod connect;
mod course;
mod era;
mod error;
mod fetch;
mod flight;
mod greeted;
mod host;
mod http;
mod isolation;
mod legacy;
mod lines;
mod listen;
mod modern;
mod mux;
mod os;
mod park;
mod pool;
mod process;
mod replica;
mod ring;
mod rooms;
mod shared;
mod sse;
mod stdio;
mod supervise;
pub mod upstream;
mod warm;
mod watch;
mod watchdog;

pub use api::{ApiConfig, ApiSource, DocumentConfig, DocumentPlace, Headers, Permits};
pub use change::{Change, Told};
pub use config::{Backoff, Config, EraPin, HttpConfig, Limits, StdioConfig, Timeouts, Transport};
pub use era::Peer;
pub use error::Failure;
pub use fetch::{Fetched, Fetcher, Unfetched, Version, Wanted, is_here};
pub use host::Host;
pub use isolation::{Apart, Isolation, Whose};
pub use lines::LogLine;
pub use modern::own_meta;
pub use park::Digest;
pub use replica::Replicas;
pub use ring::{Followed, Noted, Ring};
pub use rooms::Parking;
pub use upstream::{Call, Origin, Pass, State, Upstream};
pub use warm::Warmth;
pub use watch::Watch;
pub use watchdog::watchdog_main;
