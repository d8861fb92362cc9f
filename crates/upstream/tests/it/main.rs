//! Stories of upstreams: real child processes and real sockets, each server doing exactly what its script says.

#![allow(clippy::unwrap_used, reason = "tests")]

mod eras;
mod http;
mod legacy_http;
mod questions;
mod server;
mod setup;
mod stdio;
mod watching;
