//! What the control API sets and what must outlive a restart: small texts under keys, each with a version.
//!
//! They lie in a file of SQLite ([`Address::Sqlite`]) or in a database of Postgres ([`Address::Postgres`]), under one
//! contract that the same tests hold both to:
//!
//! - **One number tells whether anything changed.** Every write makes a new *generation*, one higher than the last. Whoever
//!   shares the store with others polls [`Store::generation`] and reads again when it is another one.
//! - **Nobody overwrites what they have not seen.** A change says what it expects to find ([`Expected`]); if it finds
//!   something else, nothing of the whole write happens. A record's version is the generation that wrote it last, so one
//!   that was removed and made again never has a version it had before.
//! - **What was acknowledged is on the disk** (of Postgres: unless its operator has set `synchronous_commit` otherwise), and a
//!   write is all or nothing.
//! - **Nothing hangs and nothing grows without bound** ([`limits`]).
//!
//! Nothing is kept in memory: a store is as true as its database. Reading order: `address`, `store` (the contract), `link` (its
//! SQL, which is the same for both), `schema`, `sqlite` and `postgres` (what differs), `pool`.

mod address;
mod error;
pub mod limits;
mod link;
mod pool;
mod postgres;
mod schema;
mod sqlite;
mod store;

pub use address::{Address, PostgresUrl};
pub use error::Error;
pub use store::{Change, Expected, Record, Records, Store};
