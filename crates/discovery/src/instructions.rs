//! What a client reads first: which servers there are, and how to find and call what they offer.
//!
//! Hosts put it into the system prompt, where it is paid for in every turn; so it has a budget, and what does not fit is
//! counted. Clients that search natively see nothing of a gateway but its name, its description and this text.

use crate::surface::{Surface, SurfaceTool};
use crate::tokens::Tokens;

/// What instructions may cost by default, in tokens.
pub const DEFAULT_BUDGET: usize = 250;

/// A server and how many tools of it the caller may call.
pub type Server<'a> = (&'a str, usize);

/// The instructions for a view that is shown through the surface, in at most about `budget` tokens.
pub fn instructions(servers: &[Server<'_>], surface: Surface, budget: usize, tokens: &Tokens) -> String {
    let tools: usize = servers.iter().map(|(_, tools)| tools).sum();
    let split = if surface.split {
        format!(" ({} for those marked [read])", SurfaceTool::CallRead.name())
    } else {
        String::new()
    };
    let how = format!(
        "{tools} tools of {} servers are here, most of them not listed. Find them with {} in short phrases, one per need, \
         then use {}{split} with the name and arguments that the signature shows; parameters marked ? are optional.",
        servers.len(),
        SurfaceTool::Search.name(),
        SurfaceTool::Call.name(),
    );
    let named = |servers: &[Server<'_>]| {
        let names: Vec<String> = servers.iter().map(|(name, tools)| format!("{name} ({tools})")).collect();
        names.join(", ")
    };
    let write = |shown: &[Server<'_>]| {
        let more = servers.len() - shown.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        if shown.is_empty() { how.clone() } else { format!("{how}\nServers: {}{more}.", named(shown)) }
    };
    // The largest number of servers that fits; each costs about the same.
    let (mut fits, mut too_many) = (0, servers.len() + 1);
    while fits + 1 < too_many {
        let middle = (fits + too_many) / 2;
        if tokens.count(&write(&servers[..middle])) <= budget {
            fits = middle;
        } else {
            too_many = middle;
        }
    }
    write(&servers[..fits])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_named_as_far_as_the_budget_goes() {
        let tokens = Tokens::new();
        let names: Vec<String> = (0..700).map(|at| format!("server-{at}")).collect();
        let servers: Vec<Server<'_>> = names.iter().map(|name| (&**name, 7)).collect();
        let few = instructions(&servers[..2], Surface::default(), DEFAULT_BUDGET, &tokens);
        assert!(
            few.starts_with("14 tools of 2 servers") && few.ends_with("Servers: server-0 (7), server-1 (7)."),
            "{few}"
        );
        let many = instructions(&servers, Surface { split: true }, DEFAULT_BUDGET, &tokens);
        let cost = tokens.count(&many);
        assert!((DEFAULT_BUDGET - 10..=DEFAULT_BUDGET).contains(&cost), "{cost}: {many}");
        assert!(many.contains(" more.") && many.contains("call_read_tool"));
    }

    #[test]
    fn how_to_use_it_is_said_whatever_the_budget() {
        assert!(instructions(&[("a", 1)], Surface::default(), 0, &Tokens::new()).contains("search_tools"));
    }
}
