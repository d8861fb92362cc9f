//! A legacy client made modern; the core never knows.
//!
//! What such a client says once, in its handshake, is stamped on each of its requests; what the gateway asks back in a result
//! becomes a request of ours to the client; what only the modern era has is taken out of results again.
//! `reference`: the specification's revisions 2024-11-05 to 2025-11-25.

mod ask;
mod handshake;
mod http;
mod own_task;
mod relay;
mod result;
mod resume;
mod roots;
mod session;
mod sse;
mod task;
mod watch;

pub(crate) use handshake::initialize;
pub(crate) use http::{Place, delete, post_batch, post_message, read_batch, stream};
pub(crate) use resume::Room;
pub use session::OpenSession;
pub(crate) use session::{Out, Outlet, Session, Sessions, random_id};
pub(crate) use sse::{Streams, open as open_sse, post as post_sse};
