//! Which runs there are: the client's era, and what stands behind the URL that the suite is given.

use std::fmt;
use std::str::FromStr;

/// The two ways of MCP: with sessions until 2025-11-25, without since 2026-07-28.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Era {
    Legacy,
    Modern,
}

/// How toolgate reaches the fixture.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Transport {
    /// Streamable HTTP on loopback.
    Http,
    /// A child process of toolgate.
    Stdio,
}

/// A client's era over an upstream's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cell {
    client: Era,
    upstream: Era,
}

/// One run of the suite.
#[derive(Clone, Copy)]
pub(super) struct Run {
    pub(super) client: Era,
    pub(super) behind: Behind,
}

/// What answers the suite.
#[derive(Clone, Copy)]
pub(super) enum Behind {
    Fixture,
    Toolgate { upstream: Era, transport: Transport },
}

const CELLS: [Cell; 4] = [
    Cell { client: Era::Legacy, upstream: Era::Legacy },
    Cell { client: Era::Modern, upstream: Era::Modern },
    Cell { client: Era::Modern, upstream: Era::Legacy },
    Cell { client: Era::Legacy, upstream: Era::Modern },
];

/// The runs for a choice of cells (none: all) and of a transport (none: http, and stdio too within one era).
pub(super) fn runs(cells: &[Cell], transport: Option<Transport>, direct: bool) -> Vec<Run> {
    if direct {
        return [Era::Legacy, Era::Modern].map(|client| Run { client, behind: Behind::Fixture }).to_vec();
    }
    let cells = if cells.is_empty() { &CELLS } else { cells };
    let through = |cell: &Cell, transport| Run {
        client: cell.client,
        behind: Behind::Toolgate { upstream: cell.upstream, transport },
    };
    match transport {
        Some(transport) => cells.iter().map(|cell| through(cell, transport)).collect(),
        None => {
            let http = cells.iter().map(|cell| through(cell, Transport::Http));
            let within_one_era = cells.iter().filter(|cell| cell.client == cell.upstream);
            http.chain(within_one_era.map(|cell| through(cell, Transport::Stdio))).collect()
        }
    }
}

// === impl Era ===

impl Era {
    pub(super) fn name(self) -> &'static str {
        match self {
            Era::Legacy => "legacy",
            Era::Modern => "modern",
        }
    }

    /// The revision whose requirements stand for the era: its last one.
    pub(super) fn revision(self) -> &'static str {
        match self {
            Era::Legacy => "2025-11-25",
            Era::Modern => "2026-07-28",
        }
    }
}

// === impl Cell ===

impl FromStr for Cell {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        CELLS.into_iter().find(|cell| cell.to_string() == name).ok_or_else(|| {
            let names: Vec<_> = CELLS.iter().map(Cell::to_string).collect();
            format!("the cells are {}", names.join(", "))
        })
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-over-{}", self.client.name(), self.upstream.name())
    }
}

// === impl Run ===

impl Run {
    /// The cell, which names the file of expected failures: the same for either transport.
    pub(super) fn cell(&self) -> String {
        match self.behind {
            Behind::Fixture => format!("{}-direct", self.client.name()),
            Behind::Toolgate { upstream, .. } => Cell { client: self.client, upstream }.to_string(),
        }
    }

    pub(super) fn is_over_http(&self) -> bool {
        self.transport() == "http"
    }

    pub(super) fn transport(&self) -> &'static str {
        match self.behind {
            Behind::Fixture | Behind::Toolgate { transport: Transport::Http, .. } => "http",
            Behind::Toolgate { transport: Transport::Stdio, .. } => "stdio",
        }
    }
}

/// The cell and the transport, fit for a folder's name.
impl fmt::Display for Run {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{}", self.cell(), self.transport())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(cells: &[&str], transport: Option<Transport>, direct: bool) -> Vec<String> {
        let cells: Vec<Cell> = cells.iter().map(|name| name.parse().unwrap()).collect();
        runs(&cells, transport, direct).iter().map(Run::to_string).collect()
    }

    #[test]
    fn all_cells_run_over_http_and_those_of_one_era_over_stdio_too() {
        let expected = [
            "legacy-over-legacy-http",
            "modern-over-modern-http",
            "modern-over-legacy-http",
            "legacy-over-modern-http",
            "legacy-over-legacy-stdio",
            "modern-over-modern-stdio",
        ];
        assert_eq!(names(&[], None, false), expected);
    }

    #[test]
    fn a_choice_is_run_as_chosen() {
        assert_eq!(names(&["modern-over-legacy"], Some(Transport::Stdio), false), ["modern-over-legacy-stdio"]);
        assert_eq!(names(&[], None, true), ["legacy-direct-http", "modern-direct-http"]);
    }

    #[test]
    fn an_unknown_cell_is_answered_with_those_there_are() {
        let error = "old-over-new".parse::<Cell>().err().unwrap();
        assert!(error.contains("modern-over-legacy"), "{error}");
    }
}
