//! Small MCP servers that come with toolgate, for whoever has no Node or Python and wants something real at once.
//!
//! Each runs as a child process over stdio and speaks both eras. Handlers are written once, in the modern manner; what the
//! eras need of their own stands at two edges.
//!
//! In reading order: [`mod@server`] is what a builtin server is, `tool`, `prompt` and `resource` what it is made of,
//! `call` and `ask` what a handler can do while it runs; `answer` has the methods, `modern`, `legacy`, `listen` and `seal`
//! the eras, [`mod@serve`] the loop; `time`, `memory` and `everything` are the servers.

mod answer;
mod argument;
mod ask;
mod call;
mod content;
mod everything;
mod legacy;
mod listen;
mod memory;
mod modern;
mod outbox;
mod page;
mod prompt;
mod resource;
mod schema;
mod seal;
mod serve;
mod server;
#[cfg(test)]
mod testing;
mod time;
mod tool;

use std::io;
use std::path::Path;

pub use serve::serve;
pub use server::Server;

/// The servers, each with one line about it.
pub const NAMES: &[(&str, &str)] = &[
    ("time", "What time it is anywhere, conversion between time zones, and calendar arithmetic"),
    (
        "memory",
        "A scratch memory of notes with keys and tags; kept in the file TOOLGATE_MEMORY_FILE names, if it names one",
    ),
    ("everything", "One tool, prompt or resource for each feature of MCP, to try clients with"),
];

/// The environment variable that names the file in which `memory` keeps its notes.
pub const MEMORY_FILE: &str = "TOOLGATE_MEMORY_FILE";

/// The server of this name.
///
/// Errors: [`io::ErrorKind::NotFound`] for a name that is not in [`NAMES`]; otherwise what setting it up fails with.
pub fn named(name: &str) -> io::Result<Server> {
    match name {
        "time" => Ok(time::server()),
        "memory" => {
            let path = std::env::var_os(MEMORY_FILE).filter(|path| !path.is_empty());
            memory::server(path.as_deref().map(Path::new))
        }
        "everything" => Ok(everything::server()),
        _ => {
            let known: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
            Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("no builtin server `{name}`; there are {}", known.join(", ")),
            ))
        }
    }
}

/// Serves the server of this name over this process's stdin and stdout, until stdin ends.
///
/// Errors: those of [`named`] and [`serve()`]. A read of stdin may still be pending when this returns with an error, so the
/// caller should leave the process rather than wait for its runtime.
pub async fn run(name: &str) -> io::Result<()> {
    serve(named(name)?, tokio::io::stdin(), tokio::io::stdout()).await
}
