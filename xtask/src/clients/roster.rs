//! The clients: which program each one is, which era it must speak through a gateway of both, and what it can do.

use super::fixtures::{Environment, Fixtures};
use super::plan::Plan;
use super::questions::{self, Ask};
use crate::process;
use anyhow::{Context as _, bail};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::process::Command;

/// A whole client run; the Inspector starts a process for every request.
const RUN_LIMIT: Duration = Duration::from_secs(240);

/// One of the clients.
pub(super) struct Client {
    pub(super) name: &'static str,
    program: Program,
    /// Options of the script through toolgate.
    options: &'static [&'static str],
    /// Options of the script straight on a legacy server, where they must differ.
    direct_options: Option<&'static [&'static str]>,
    /// The era this client must end up with through toolgate.
    pub(super) era: &'static str,
    pub(super) progress: Progress,
    /// Whether it carries out only what is marked `core`.
    pub(super) core_only: bool,
    /// Whether it has an API for prompts' contents.
    pub(super) gets_prompts: bool,
    /// Whether it has an API for completion.
    pub(super) completes: bool,
    /// Whether it reads every listed resource.
    pub(super) reads_listed: bool,
    /// What its library has callbacks for; `None` if it does not even try the tools that ask.
    pub(super) answers: Option<&'static [Ask]>,
}

/// How a client shows progress to the program that uses it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// For each call.
    EachCall,
    /// For all calls together.
    Together,
    /// Not at all.
    Hidden,
}

enum Program {
    Node(&'static str),
    Python(Environment, &'static str),
}

/// Where clients connect.
pub(super) struct Endpoints {
    pub(super) mcp: String,
    pub(super) sse: String,
}

/// One client about to run.
pub(super) struct Launch {
    name: &'static str,
    command: Command,
    log: PathBuf,
}

const BASE: Client = Client {
    name: "",
    program: Program::Node(""),
    options: &[],
    direct_options: None,
    era: "modern",
    progress: Progress::EachCall,
    core_only: false,
    gets_prompts: true,
    completes: true,
    reads_listed: true,
    answers: Some(questions::ALL),
};

const CLIENTS: &[Client] = &[
    Client { name: "python-mcp-auto", program: Program::Python(Environment::Modern, "mcp_client.py"), ..BASE },
    Client {
        name: "python-mcp-legacy",
        program: Program::Python(Environment::Modern, "mcp_client.py"),
        options: &["--era", "legacy"],
        era: "legacy",
        ..BASE
    },
    Client { name: "fastmcp-auto", program: Program::Python(Environment::Modern, "fastmcp_client.py"), ..BASE },
    Client {
        name: "pydantic-ai",
        program: Program::Python(Environment::Modern, "pydantic_ai_client.py"),
        progress: Progress::Together,
        completes: false,
        ..BASE
    },
    Client {
        name: "openai-agents",
        program: Program::Python(Environment::Modern, "openai_agents_client.py"),
        progress: Progress::Hidden,
        completes: false,
        answers: Some(&[]),
        ..BASE
    },
    Client {
        name: "langchain-mcp-adapters",
        program: Program::Python(Environment::Legacy, "langchain_client.py"),
        era: "legacy",
        completes: false,
        reads_listed: false,
        ..BASE
    },
    Client { name: "typescript-sdk-v1-http", program: Program::Node("typescript_v1.mjs"), era: "legacy", ..BASE },
    Client {
        name: "typescript-sdk-v1-sse",
        program: Program::Node("typescript_v1.mjs"),
        options: &["--transport", "sse"],
        era: "legacy",
        ..BASE
    },
    Client {
        // hosts that have stdio only reach servers through it
        name: "mcp-remote",
        program: Program::Node("typescript_v1.mjs"),
        options: &["--transport", "mcp-remote"],
        era: "legacy",
        // two SDKs in a row that drop steps read together with the answer: on a busy machine that may be all
        progress: Progress::Hidden,
        ..BASE
    },
    Client {
        name: "typescript-sdk-v2-legacy",
        program: Program::Node("typescript_v2.mjs"),
        options: &["--era", "legacy"],
        era: "legacy",
        ..BASE
    },
    Client {
        name: "typescript-sdk-v2-auto",
        program: Program::Node("typescript_v2.mjs"),
        options: &["--era", "auto"],
        ..BASE
    },
    Client { name: "inspector-legacy", options: &["--era", "legacy"], era: "legacy", ..INSPECTOR },
    Client {
        name: "inspector-modern",
        options: &["--era", "modern"],
        // it refuses a legacy server when it is told to be modern
        direct_options: Some(&["--era", "auto"]),
        ..INSPECTOR
    },
];

const INSPECTOR: Client = Client {
    program: Program::Node("inspector.mjs"),
    progress: Progress::Hidden,
    core_only: true,
    completes: false,
    reads_listed: false,
    answers: None,
    ..BASE
};

/// The clients whose names contain one of `only`; all of them when `only` is empty.
///
/// # Errors
/// When one of `only` names none.
pub(super) fn chosen(only: &[String]) -> anyhow::Result<Vec<&'static Client>> {
    if let Some(nobody) = only.iter().find(|only| !CLIENTS.iter().any(|client| client.name.contains(only.as_str()))) {
        let names: Vec<_> = CLIENTS.iter().map(|client| client.name).collect();
        bail!("no client is called {nobody}; there are {}", names.join(", "));
    }
    let is_chosen = |client: &&Client| only.is_empty() || only.iter().any(|only| client.name.contains(only.as_str()));
    Ok(CLIENTS.iter().filter(is_chosen).collect())
}

// === impl Client ===

impl Client {
    fn uses_sse(&self) -> bool {
        self.options.contains(&"sse")
    }

    fn command(&self, fixtures: &Fixtures) -> Command {
        let (program, script) = match self.program {
            Program::Node(script) => (fixtures.node(), fixtures.node_client(script)),
            Program::Python(environment, script) => fixtures.python_client(environment, script),
        };
        let mut command = Command::new(program);
        command.arg(script);
        command
    }
}

// === impl Launch ===

impl Launch {
    /// Writes the plan down and makes the command line.
    ///
    /// # Errors
    /// When the plan cannot be written.
    pub(super) fn prepare(
        client: &Client,
        fixtures: &Fixtures,
        endpoints: &Endpoints,
        plan: &Plan,
        direct: bool,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let file = folder.join(format!("{}.plan.json", client.name));
        std::fs::write(&file, serde_json::to_vec_pretty(plan)?)?;
        let mut command = client.command(fixtures);
        command.arg(if client.uses_sse() { &endpoints.sse } else { &endpoints.mcp }).arg("--plan").arg(&file);
        command.args(client.direct_options.filter(|_| direct).unwrap_or(client.options));
        // bytecode beside the scripts would be litter in the repository
        command.env("MCP_REMOTE_CONFIG_DIR", folder);
        command.env("PYTHONDONTWRITEBYTECODE", "1").env("NO_COLOR", "1").env("OPENAI_AGENTS_DISABLE_TRACING", "1");
        Ok(Self { name: client.name, command, log: folder.join(format!("{}.document.json", client.name)) })
    }

    /// Runs the client and answers the document it printed, which is kept in a file too.
    ///
    /// # Errors
    /// When it fails, takes too long or prints something else.
    pub(super) async fn run(mut self) -> anyhow::Result<Value> {
        let said = process::run(self.name, &mut self.command, RUN_LIMIT).await?;
        std::fs::write(&self.log, &said.stdout)?;
        std::fs::write(self.log.with_extension("err"), &said.stderr)?;
        if !said.status.success() {
            bail!("{}\n{}", said.status, process::tail(&said.stderr));
        }
        serde_json::from_slice(&said.stdout).context("it did not print a document")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_chosen_by_a_part_of_its_name() {
        let chosen = |only: &[&str]| {
            let only: Vec<_> = only.iter().map(|&only| only.to_owned()).collect();
            chosen(&only).map(|clients| clients.iter().map(|client| client.name).collect::<Vec<_>>())
        };
        assert_eq!(chosen(&["inspector"]).expect("two"), ["inspector-legacy", "inspector-modern"]);
        assert_eq!(chosen(&[]).expect("all").len(), CLIENTS.len());
        assert!(chosen(&["nobody"]).is_err());
    }
}
