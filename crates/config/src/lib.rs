//! The configuration of toolgate: as written, and as meant.
//!
//! Text goes in; [`Settings`] come out, or [`Faults`]: everything that is wrong with the file, at once, with places.
//! The way between, in the order of the modules: a file in YAML or JSON becomes a tree that knows its places
//! (`syntax`), a client's words become ours (`clients`), `${…}` is filled in (`fill`), the tree is held against the
//! schema (`shape`), read into structs (`file`), and those are given their meaning (`resolve`).
//!
//! This crate stands on the ground floor and uses no other of ours. It touches neither the process's environment nor
//! the disk but through [`Sources`].

mod places;
mod sources;
mod spelled;

mod json;
mod node;
mod syntax;
mod yaml;

mod clients;
mod entry;
mod fill;
mod shape;
mod suggest;

mod de;
mod defaults;
mod file;
mod units;
mod written;

mod admin;
mod amendment;
mod api;
mod env_file;
mod namespace;
mod pattern;
mod resolve;
mod slug;
mod store;
mod upstream;

mod difference;
mod effective;
mod fault;
mod load;
mod search;
mod secret;
mod settings;
mod show;
mod takeover;

pub use admin::{AdminListen, AdminSettings};
pub use amendment::{Amendment, Item, Written};
pub use api::{DocumentPlace, HttpToolSettings, Method, OperationFilter, Sent};
pub use difference::{Change, Difference};
pub use effective::{InForce, Source, masked, unmasked, url_shown};
pub use fault::{Fault, Faults};
pub use file::{Builtin, Era, Isolation, Limits, Log, LogFormat, LogLevel, Names, Restart, Start, Timeouts, schema};
pub use load::{Composed, ConfigText, DEFAULT_FILE, EMBEDDED_FILE, load, parse};
pub use namespace::{
    ArgumentSettings, ArgumentValue, DEFAULT_NAMESPACE, Fact, NamespaceSettings, OverrideSettings, Selection,
};
pub use node::Place;
pub use places::{CONFIG_TOKEN_VARIABLE, CONFIG_VARIABLE, Found, find, home, is_url};
pub use search::{Findable, Presentation};
pub use secret::Secret;
pub use settings::{Origin, Pinned, SearchSettings, Settings, ToolFilter, Transport, UpstreamSettings};
pub use sources::Sources;
pub use store::StoreSettings;
pub use syntax::{Format, MAX_BYTES};
pub use takeover::{Candidate, Dollar, Takeover, Target, Verdict, take_over};

#[cfg(test)]
mod tests;
