//! The control API: what operators see and do while the gateway runs, at an address of its own and behind a token.
//!
//! The routes and their OpenAPI document are one thing ([`api`]): what is not described is not served. What only the app can
//! do, since it alone knows the config, is asked of a [`Control`].

mod api;
mod config;
mod control;
mod endpoint;
mod events;
mod extract;
mod items;
mod logs;
mod model;
mod namespaces;
mod problem;
mod server;
mod sessions;
mod status;
mod token;
mod upstreams;

pub use api::{Admin, document};
pub use control::{Control, Difference, Entry, Expectation, Fault, Item, Items, Refusal, Setting};
pub use token::Token;
