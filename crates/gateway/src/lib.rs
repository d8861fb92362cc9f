//! The request path. [`exchange`] is the whole of it, top to bottom; the other files are its steps.
//!
//! Here everything is of the modern era: a request says all it has to say, an answer is one [`Reply`](toolgate_protocol::Reply).
//! Legacy clients are made modern by the transport, legacy upstreams by `toolgate-upstream` (law 3).

mod answer;
mod error;
pub mod exchange;
mod listen;

pub use error::{Blame, Error};
pub use exchange::{Gateway, Request};
pub use listen::Logs;
pub use toolgate_catalog::{About, Counts, UpstreamStatus};
