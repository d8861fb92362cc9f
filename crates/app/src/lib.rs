//! Settings to parts, parts to a running gateway. The only crate that knows both the config and what it configures.

mod api;
mod build;
mod fingerprint;
mod live;
mod namespace;
mod reload;
mod run;
mod signals;
mod state;
mod telemetry;

pub use build::{BuildError, Built, Surroundings, build};
pub use live::Live;
pub use reload::{Files, Reading, follow};
pub use run::{Running, start};
pub use signals::StopSignals;
pub use state::state_folder;
pub use telemetry::start_logging;

/// The gateway, for whoever uses one in its own process.
pub use toolgate_gateway::{Costs, Gateway, Request, UpstreamStatus};
/// What a request shows of its sender.
pub use toolgate_identity::Presented;
/// Serves one client over a pair of pipes.
pub use toolgate_transport::serve_stdio;
