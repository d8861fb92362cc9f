//! How clients reach the gateway: streamable HTTP of both eras, HTTP+SSE of the first revision, stdio.
//!
//! This crate alone knows HTTP servers and HTTP status codes. A modern request goes to the gateway as it is ([`modern`]); a
//! legacy client is made modern in [`legacy`], and neither the gateway nor anything below it knows the difference.

mod body;
mod conversation;
mod edge;
mod guard;
mod legacy;
mod modern;
mod place;
mod plain;
mod rescue;
mod server;
mod stdio;

pub use conversation::PipeLimits;
pub use edge::{Config, Edge};
pub use guard::{Guard, Refused};
pub use legacy::OpenSession;
pub use server::{Listening, Shutdown};
pub use stdio::serve as serve_stdio;
