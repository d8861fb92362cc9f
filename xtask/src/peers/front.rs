//! The fronts: ways to offer the tools of many servers to one client.

use std::path::Path;

use clap::ValueEnum;
use tokio::process::Command;

use super::scenario::{Place, Scenario};
use super::stage::{self, Listening};

/// One way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub(super) enum Front {
    /// A client that is connected to every server.
    Direct,
    /// toolgate with `?view=search`.
    Toolgate,
    /// fastmcp-gateway.
    FastmcpGateway,
    /// FastMCP's BM25 search transform.
    FastmcpBm25,
    /// The same with its compact answers.
    FastmcpBm25Markdown,
}

/// A front that was started, or that needs no start.
pub(super) struct Running(Option<Listening>);

// === impl Front ===

impl Front {
    /// Its name among the adapters of the client.
    pub(super) fn adapter(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Toolgate => "toolgate",
            Self::FastmcpGateway => "fastmcp-gateway",
            Self::FastmcpBm25 | Self::FastmcpBm25Markdown => "fastmcp-bm25",
        }
    }

    /// Its name in names of files.
    pub(super) fn slug(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Its name in a table.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Direct => "direct, all tools listed",
            Self::Toolgate => "toolgate `?view=search`",
            Self::FastmcpGateway => "fastmcp-gateway",
            Self::FastmcpBm25 => "FastMCP BM25",
            Self::FastmcpBm25Markdown => "FastMCP BM25, markdown",
        }
    }

    /// Whether it would say anything there that another row does not say.
    pub(super) fn plays_in(self, scenario: Scenario) -> bool {
        // markdown changes how a search answers, and nothing about calls
        self != Self::FastmcpBm25Markdown || scenario != Scenario::Contents
    }

    /// Starts it in front of the servers of `place`.
    ///
    /// # Errors
    /// When it does not come up.
    pub(super) async fn start(
        self,
        place: &Place,
        toolgate: &Path,
        python: &Path,
        scenario: Scenario,
    ) -> anyhow::Result<Running> {
        let (script, options): (_, &[&str]) = match (self, scenario) {
            (Self::Direct, _) => return Ok(Running(None)),
            (Self::Toolgate, _) => {
                let front = Listening::toolgate(toolgate, &place.yaml(), "?view=search", &place.folder).await?;
                return Ok(Running(Some(front)));
            }
            (Self::FastmcpGateway, _) => ("peers/front_gateway.py", &[]),
            // By default a proxy speaks to a server as its client speaks to it, which hides servers of one era from
            // clients of the other: right for questions in mid-call, wrong for a mix of servers.
            (Self::FastmcpBm25, Scenario::Contents) => ("peers/front_search.py", &[]),
            (Self::FastmcpBm25, _) => ("peers/front_search.py", &["--any-era"]),
            (Self::FastmcpBm25Markdown, _) => ("peers/front_search.py", &["--any-era", "--markdown"]),
        };
        let port = stage::free_port()?;
        let mut command = Command::new(python);
        command.arg(stage::fixture(script)).arg(&place.servers).arg(port.to_string()).args(options);
        let log = place.folder.join("front.log");
        Ok(Running(Some(Listening::start(self.title(), &mut command, port, "/mcp", &log).await?)))
    }
}

impl std::fmt::Display for Front {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.title())
    }
}

// === impl Running ===

impl Running {
    /// Where clients connect.
    pub(super) fn url(&self) -> &str {
        self.0.as_ref().map_or("-", Listening::url)
    }

    /// Ends it as an operator would.
    ///
    /// # Errors
    /// When it does not end well.
    pub(super) async fn end(self) -> anyhow::Result<()> {
        match self.0 {
            Some(listening) => listening.end().await,
            None => Ok(()),
        }
    }
}
