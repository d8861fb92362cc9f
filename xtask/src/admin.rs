//! `cargo xtask admin`: requests that Schemathesis makes of the control API's document, of which none may break the gateway.
//!
//! Schemathesis (`fixtures/admin`) reads `/openapi.json` from a running toolgate and sends what fits it and what does not. Whether
//! what fits is accepted cannot be seen in a schema where the body is the text of a config, so that check is left out; so are
//! the paths that never end.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use tokio::process::Command;

use crate::peers::stage::{self, Listening, Stage};

/// All its requests together.
const LIMIT: Duration = Duration::from_secs(180);
/// What can only be judged by reading a text.
const NOT_CHECKED: &str = "positive_data_acceptance";
/// Streams of events.
const ENDLESS: &str = "(events|follow)$";

/// Options of `cargo xtask admin`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The toolgate to try, instead of building one.
    #[arg(long, value_name = "PATH")]
    toolgate: Option<PathBuf>,
    /// The most requests that are thought up for each operation.
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    examples: u32,
    /// Thinks up the same requests for the same number.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u32,
}

/// Runs it.
///
/// # Errors
/// When something cannot be installed or started, or an answer is not what the document says.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    crate::process::until_interrupted(attempt(args))
}

async fn attempt(args: Args) -> anyhow::Result<()> {
    let toolgate = stage::toolgate_binary(args.toolgate.as_deref()).await?;
    let python = Stage::bare().environment("admin", "schemathesis.lock").await?;
    let folder = tempfile::Builder::new().prefix("toolgate-admin-").tempdir()?;
    let port = stage::free_port()?;
    let config = format!(
        "  time: {{builtin: time}}\n  everything: {{builtin: everything}}\n  off: {{builtin: memory, enabled: false}}\n\
         namespaces: {{team: {{tools: {{deny: [\"add_*\"]}}}}}}\nstate_dir: ./state\nadmin: {{listen: \"127.0.0.1:{port}\"}}\n"
    );
    let gateway = Listening::toolgate(&toolgate, &config, "", folder.path()).await?;
    let token = std::fs::read_to_string(folder.path().join("state/control.token")).context("it made no token")?;
    let mut command = Command::new(python);
    command.args(["-m", "schemathesis.cli", "run", &format!("http://127.0.0.1:{port}/openapi.json"), "--no-color"]);
    command.args(["--header", &format!("Authorization: Bearer {}", token.trim())]);
    command.args(["--exclude-path-regex", ENDLESS, "--exclude-checks", NOT_CHECKED]);
    command.args(["--max-examples", &args.examples.to_string(), "--seed", &args.seed.to_string()]);
    command.current_dir(folder.path());
    let said = stage::printed("schemathesis", &mut command, LIMIT).await;
    let said = said.map_err(|error| error.context(format!("logs are in {}", folder.keep().display())))?;
    print!("{}", String::from_utf8_lossy(&said));
    gateway.end().await
}
