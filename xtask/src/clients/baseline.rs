//! What every server says when asked directly: a raw JSON client over stdio that interprets nothing.
//!
//! Why raw: an SDK drops and adds members. What stands here is what the server wrote, so a member that a gateway loses
//! is missed even if most libraries would lose it too. It declares no capabilities, and speaks the legacy era, which
//! every fixture server understands.

use super::fixtures::Fixtures;
use super::plan::{Call, Places, Plan, Server};
use super::servers;
use crate::process::Process;
use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::task::JoinSet;

/// A server that starts from a cold disk on a busy machine still answers within this.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// No list of a fixture server is longer.
const PAGES: usize = 100;

/// The name this client has in the plan.
const CLIENT: &str = "baseline";

/// What one server offers and answers.
#[derive(Default)]
pub(super) struct Baseline {
    pub(super) tools: Vec<Value>,
    pub(super) prompts: Vec<Value>,
    pub(super) resources: Vec<Value>,
    pub(super) templates: Vec<Value>,
    /// Results by the label of the call, prompt, completion or reading.
    pub(super) calls: BTreeMap<String, Value>,
    pub(super) progress: BTreeMap<String, Vec<Value>>,
    pub(super) prompt_results: BTreeMap<String, Value>,
    pub(super) completions: BTreeMap<String, Value>,
    pub(super) reads: BTreeMap<String, Value>,
    /// Every listed resource, by its URI.
    pub(super) listed_reads: BTreeMap<String, Value>,
}

/// A connection to one server.
struct Connection {
    process: Process,
    to: ChildStdin,
    from: Lines<BufReader<ChildStdout>>,
    last_id: u64,
    /// Progress since the last request.
    progress: Vec<Value>,
}

/// Asks all servers, at the same time.
///
/// # Errors
/// When a server cannot be started, ends, or does not answer.
pub(super) async fn collect(
    fixtures: &Fixtures,
    places: &Places,
    servers: Vec<Server>,
) -> anyhow::Result<BTreeMap<Server, Baseline>> {
    let mut asking = JoinSet::new();
    for server in servers {
        let command = servers::command(server, fixtures, places, "baseline");
        let plan = Plan::native(server, CLIENT, places);
        asking.spawn(async move {
            let baseline = Baseline::of(command, plan).await.with_context(|| format!("{server:?}"))?;
            anyhow::Ok((server, baseline))
        });
    }
    asking.join_all().await.into_iter().collect()
}

// === impl Baseline ===

impl Baseline {
    async fn of(command: servers::Stdio, plan: Plan) -> anyhow::Result<Self> {
        let mut server = Connection::open(command).await?;
        let mut baseline = Self {
            tools: server.list("tools/list", "tools").await?,
            prompts: server.list("prompts/list", "prompts").await?,
            resources: server.list("resources/list", "resources").await?,
            templates: server.list("resources/templates/list", "resourceTemplates").await?,
            ..Self::default()
        };
        for call in plan.calls.iter().filter(|call| !call.refused) {
            let (result, progress) = server.call(call).await?;
            baseline.calls.insert(call.label.clone(), result);
            baseline.progress.insert(call.label.clone(), progress);
        }
        for prompt in plan.prompts {
            let params = json!({"name": prompt.name, "arguments": prompt.arguments.unwrap_or_else(|| json!({}))});
            baseline.prompt_results.insert(prompt.label, server.ask("prompts/get", params).await?);
        }
        for completion in plan.completions {
            let params = json!({"ref": completion.reference, "argument": completion.argument});
            baseline.completions.insert(completion.label, server.ask("completion/complete", params).await?);
        }
        for read in plan.reads {
            baseline.reads.insert(read.label, server.ask("resources/read", json!({"uri": read.uri})).await?);
        }
        let uris: Vec<_> =
            baseline.resources.iter().filter_map(|entry| entry["uri"].as_str().map(str::to_owned)).collect();
        for uri in uris {
            let result = server.ask("resources/read", json!({"uri": uri})).await?;
            baseline.listed_reads.insert(uri, result);
        }
        Ok(baseline)
    }
}

// === impl Connection ===

impl Connection {
    async fn open(command: servers::Stdio) -> anyhow::Result<Self> {
        let mut child = command.into_command();
        child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = Process::start("a server of the baseline", &mut child)?;
        let to = process.child().stdin.take().context("its stdin is a pipe")?;
        let from = process.child().stdout.take().context("its stdout is a pipe")?;
        let mut connection = Self { process, to, from: BufReader::new(from).lines(), last_id: 0, progress: Vec::new() };
        let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": CLIENT, "version": "1"}});
        connection.ask("initialize", hello).await?;
        connection.write(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await?;
        Ok(connection)
    }

    async fn call(&mut self, call: &Call) -> anyhow::Result<(Value, Vec<Value>)> {
        let mut params = json!({"name": call.tool, "arguments": call.arguments});
        if call.progress {
            params["_meta"] = json!({"progressToken": call.label});
        }
        let result = self.ask("tools/call", params).await?;
        Ok((result, std::mem::take(&mut self.progress)))
    }

    /// All pages of a list; a server without this list has an empty one.
    async fn list(&mut self, method: &str, member: &str) -> anyhow::Result<Vec<Value>> {
        let (mut entries, mut params) = (Vec::new(), json!({}));
        for _ in 0..PAGES {
            let mut page = self.ask(method, params).await?;
            if page["failed"]["code"] == json!(-32601) {
                return Ok(entries);
            }
            match page[member].take() {
                Value::Array(more) => entries.extend(more),
                _ => bail!("{method} answered {page}"),
            }
            let Some(cursor) = page["nextCursor"].as_str() else { return Ok(entries) };
            params = json!({"cursor": cursor});
        }
        bail!("{method} has more than {PAGES} pages")
    }

    /// The result of a request, or `{"failed": …}` with its error, as the client scripts write it.
    async fn ask(&mut self, method: &str, params: Value) -> anyhow::Result<Value> {
        self.last_id += 1;
        self.write(&json!({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params})).await?;
        let answer = tokio::time::timeout(ANSWER_LIMIT, self.answer(self.last_id)).await;
        answer.with_context(|| format!("no answer to {method} within {ANSWER_LIMIT:?}"))?
    }

    async fn answer(&mut self, id: u64) -> anyhow::Result<Value> {
        loop {
            let Some(line) = self.from.next_line().await? else {
                self.process.must_run()?;
                bail!("the server closed its output");
            };
            let mut message: Value = serde_json::from_str(&line).with_context(|| format!("not JSON: {line:.200}"))?;
            match message["method"].as_str() {
                Some("notifications/progress") => self.progress.push(message["params"].take()),
                Some(method) if message.get("id").is_some() => {
                    bail!("the server asks for {method}, which was not declared")
                }
                Some(_) => {}
                None if message["id"] == json!(id) => {
                    return Ok(match message.get_mut("result") {
                        Some(result) => result.take(),
                        None => json!({"failed": message["error"]}),
                    });
                }
                None => bail!("an answer to nothing: {line:.200}"),
            }
        }
    }

    async fn write(&mut self, message: &Value) -> anyhow::Result<()> {
        self.to.write_all(format!("{message}\n").as_bytes()).await.context("the server does not read")
    }
}
