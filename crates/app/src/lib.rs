//! Settings to parts, parts to a running gateway. The only crate that knows both the config and what it configures.

mod api;
mod build;
mod command_line;
mod control;
mod fingerprint;
mod in_force;
mod ledger;
mod live;
mod namespace;
mod notice;
mod reading;
mod reload;
mod remote;
mod run;
mod setting;
mod signals;
mod state;
mod steering;
mod telemetry;
mod token;

pub use build::{BuildError, Built, Surroundings, build};
pub use command_line::CommandLine;
pub use ledger::Ledger;
pub use live::Live;
pub use notice::Posted;
pub use reading::{Files, Reading, Said};
pub use reload::{NotApplied, Reloader, Source};
pub use remote::{Location, NotOpened, Pace, Remote, Standing, whole_name};
pub use run::{Running, start};
pub use signals::StopSignals;
pub use state::state_folder;
pub use telemetry::start_logging;
pub use token::kept as control_token;

/// The gateway, for whoever uses one in its own process.
pub use toolgate_gateway::{Costs, Gateway, Request, UpstreamStatus};
/// What a request shows of its sender.
pub use toolgate_identity::Presented;
/// Serves one client over a pair of pipes.
pub use toolgate_transport::serve_stdio;
