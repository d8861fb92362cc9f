//! `everything`: one tool, prompt or resource for each feature of MCP, to try clients and gateways with.

mod change;
mod library;
mod media;
mod prompts;
mod show;
mod talk;
mod work;

use crate::server::{About, Changes, Server, Shelf};

/// The server.
pub(crate) fn server() -> Server {
    let changes = Changes::new();
    let library = library::Library::new();
    let prompts = Shelf::new(prompts::prompts());
    let tools = Shelf::new([show::tools(), work::tools(), talk::tools()].into_iter().flatten().collect());
    for tool in change::tools(&tools, &prompts, &library, &changes) {
        tools.toggle(tool);
    }
    Server {
        about: About {
            name: "toolgate-everything",
            title: "Everything",
            description: "Exercises each feature of MCP.",
            instructions: "A server to try clients with: each tool, prompt and resource shows one feature of MCP. Nothing here has an \
                effect outside this server.",
            logs: true,
            varies: true,
        },
        tools,
        prompts,
        resources: Some(Box::new(library)),
        changes,
    }
}

#[cfg(test)]
mod tests;
