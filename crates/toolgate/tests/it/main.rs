//! Stories about the whole gateway: a config, upstreams that follow a script, clients of both eras, and what comes of it.
//!
//! One binary, because each costs a link. A module is a kind of behaviour; where a story needs the real program it is the
//! one that Cargo built for this test.

#![allow(clippy::unwrap_used, reason = "a story stops at the first surprise")]

mod admin;
mod admin_live;
mod apps;
mod bad_input;
mod callers;
mod calls;
mod commands;
mod commands_search;
mod documented;
mod extensions;
mod hanging;
mod healing;
mod hosts;
mod in_the_wild;
mod isolation;
mod leaving;
mod lists;
mod live;
mod many;
mod matrix;
mod namespaces;
mod old_tasks;
mod on_demand;
mod openapi;
mod paging;
mod pipes;
mod plain;
mod presentation;
mod questions;
mod remote_config;
mod replicas;
mod resuming;
mod sealed;
mod setting;
mod setting_kept;
mod shutdown;
mod surface;
mod surface_limits;
mod tasks;
mod trouble;
mod visits;
mod warm;
mod watching;
