//! The contract of the store, held against a real SQLite and a real Postgres.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod contract;
mod model;
mod place;
mod postgres;
mod sqlite;
