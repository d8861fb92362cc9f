//! The request path. [`exchange`] is the whole of it, top to bottom; the other files are its steps. [`present`] decides what
//! a client is shown, `surface` answers where that is the three tools that stand for all others.
//!
//! Here everything is of the modern era: a request says all it has to say, an answer is one [`Reply`](toolgate_protocol::Reply).
//! Legacy clients are made modern by the transport, legacy upstreams by `toolgate-upstream` (law 3).

mod answer;
mod config_status;
mod costs;
mod error;
pub mod exchange;
mod follow;
mod listen;
mod listens;
pub mod present;
mod surface;

pub use config_status::ConfigStatus;
pub use costs::{Costs, PresentationStatus, UpstreamCost};
pub use error::{Blame, Error};
pub use exchange::{Gateway, Request};
pub use listen::Asides;
pub use listens::ListenStatus;
pub use toolgate_catalog::{About, Counts, Happening, NamespaceStatus, UpstreamStatus};
