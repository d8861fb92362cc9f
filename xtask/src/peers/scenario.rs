//! What stands behind the fronts, and what the client is to do there.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::ValueEnum;
use serde_json::{Map, Value, json};
use tokio::process::Command;

use super::front::Front;
use super::stage::{self, Listening, Stage};

/// Where the collection lies that is not in the repository.
const LIVEMCP: &str = "../shared/eval/retrieval/dev/livemcp/tools.jsonl";
/// A front that needs seconds for a search is asked for one in so many of the collection's tools by their own names.
const EVERY: usize = 60;

/// The picture that the file server has.
const PIXEL: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, 0x49, 0x48, 0x44, 0x52, 0, 0, 0, 1, 0, 0, 0, 1, 8,
    2, 0, 0, 0, 0x90, 0x77, 0x53, 0xde, 0, 0, 0, 0x0c, 0x49, 0x44, 0x41, 0x54, 0x08, 0xd7, 0x63, 0xf8, 0xcf, 0xc0, 0,
    0, 0x03, 1, 1, 0, 0x18, 0xdd, 0x8d, 0xb0, 0, 0, 0, 0, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
];

/// A set of servers, and what is asked of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Scenario {
    /// Five servers from npm and PyPI.
    Servers,
    /// The 527 tools of 70 servers that LiveMCPBench collected, served by a script.
    Livemcp,
    /// One server whose tools answer with one kind of content each.
    Contents,
}

/// A scenario whose shared servers listen.
pub(super) struct Scene {
    pub(super) scenario: Scenario,
    /// Servers that all fronts share, by name: `{"url": …}`.
    shared: Map<String, Value>,
    _listening: Vec<Listening>,
}

/// A folder of one front, with servers that are its own.
pub(super) struct Place {
    pub(super) folder: PathBuf,
    /// The servers in the form of `mcpServers`.
    pub(super) servers: PathBuf,
    pub(super) plan: PathBuf,
    all: Map<String, Value>,
}

// === impl Scenario ===

impl Scenario {
    /// What it is called in a sentence.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Servers => "five servers",
            Self::Livemcp => "LiveMCPBench's servers",
            Self::Contents => "kinds of content",
        }
    }

    /// Starts what all fronts share. `None` where the data is not there.
    ///
    /// # Errors
    /// When a server does not come up.
    pub(super) async fn open(self, stage: &Stage, python: &Path, folder: &Path) -> anyhow::Result<Option<Scene>> {
        let port = stage::free_port()?;
        let log = folder.join(format!("{self}.log"));
        let (name, mut command) = match self {
            Self::Servers => {
                let mut command = Command::new(stage.node());
                command.arg(npm_server("everything")).arg("streamableHttp").env("PORT", port.to_string());
                ("everything", command)
            }
            Self::Contents => {
                let mut command = Command::new(python);
                command.arg(stage::fixture("peers/contents.py")).arg(port.to_string());
                ("contents", command)
            }
            Self::Livemcp => {
                let tools = crate::root().join(LIVEMCP);
                if !tools.is_file() {
                    println!("{self}: left out, there is no {LIVEMCP} beside the repository");
                    return Ok(None);
                }
                let mut command = Command::new(python);
                command.arg(stage::fixture("frameworks/upstream.py")).arg(port.to_string()).arg(tools);
                ("", command)
            }
        };
        let listening = Listening::start(self.title(), &mut command, port, "", &log).await?;
        let url = |path: &str| json!({"url": format!("{}{path}/mcp", listening.url())});
        let shared = match self {
            Self::Livemcp => server_names()?.into_iter().map(|name| (name.clone(), url(&format!("/{name}")))).collect(),
            Self::Servers | Self::Contents => Map::from_iter([(name.to_owned(), url(""))]),
        };
        Ok(Some(Scene { scenario: self, shared, _listening: vec![listening] }))
    }

    /// A file of needs or calls, if the scenario has one.
    fn listed(self, kind: &str) -> anyhow::Result<Value> {
        let name = match (self, kind) {
            (Self::Servers, "needs") => "peers/needs-servers.json",
            (Self::Servers, _) => "peers/calls.json",
            (Self::Livemcp, "needs") => "peers/needs-livemcp.json",
            (Self::Livemcp, _) | (Self::Contents, _) => return Ok(json!([])),
        };
        let text = std::fs::read_to_string(stage::fixture(name)).context(name)?;
        serde_json::from_str(&text).context(name)
    }

    /// Tools whose results are kept whole.
    fn probes(self) -> Value {
        if self != Self::Contents {
            return json!([]);
        }
        let probe = |(tool, _): &(&str, &str)| json!({"server": "contents", "tool": tool, "arguments": {}});
        super::figures::KINDS.iter().map(probe).collect()
    }
}

impl std::fmt::Display for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Servers => "servers",
            Self::Livemcp => "livemcp",
            Self::Contents => "contents",
        })
    }
}

/// The servers of the collection, each once.
fn server_names() -> anyhow::Result<Vec<String>> {
    let text = std::fs::read_to_string(crate::root().join(LIVEMCP))?;
    let mut names = Vec::new();
    for line in text.lines() {
        let tool: Value = serde_json::from_str(line).context(LIVEMCP)?;
        let name = tool["server"].as_str().context("a tool without a server")?.to_owned();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

fn npm_server(name: &str) -> PathBuf {
    stage::fixture(&format!("servers/node_modules/@modelcontextprotocol/server-{name}/dist/index.js"))
}

// === impl Scene ===

impl Scene {
    /// Makes the folder of a front: files, a repository and a memory as every front finds them.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn place(&self, folder: &Path, front: Front, stage: &Stage, python: &Path) -> anyhow::Result<Place> {
        if folder.exists() {
            // of an earlier run with the same `--keep`
            std::fs::remove_dir_all(folder)?;
        }
        std::fs::create_dir_all(folder)?;
        let mut all = self.shared.clone();
        if self.scenario == Scenario::Servers {
            furnish(folder)?;
            all.extend(own_servers(folder, stage, python));
        }
        let slow = matches!(front, Front::FastmcpBm25 | Front::FastmcpBm25Markdown);
        let every = if slow && self.scenario == Scenario::Livemcp { EVERY } else { 1 };
        let plan = json!({
            "place": folder,
            "needs": self.scenario.listed("needs")?,
            "calls": self.scenario.listed("calls")?,
            "probes": self.scenario.probes(),
            "every": every,
        });
        let place = Place {
            folder: folder.to_owned(),
            servers: folder.join("servers.json"),
            plan: folder.join("plan.json"),
            all,
        };
        std::fs::write(&place.servers, serde_json::to_vec_pretty(&place.all)?)?;
        std::fs::write(&place.plan, serde_json::to_vec_pretty(&plan)?)?;
        Ok(place)
    }
}

/// The servers over stdio, each with what is its own in `folder`.
fn own_servers(folder: &Path, stage: &Stage, python: &Path) -> [(String, Value); 4] {
    let node = |name: &str| json!({"command": stage.node(), "args": [npm_server(name)]});
    let module = |name: &str| json!({"command": python, "args": ["-m", name]});
    let (mut memory, mut files) = (node("memory"), node("filesystem"));
    memory["env"] = json!({"MEMORY_FILE_PATH": folder.join("memory.jsonl")});
    files["args"] = json!([npm_server("filesystem"), folder.join("files")]);
    let named = |name: &str, server| (name.to_owned(), server);
    [
        named("memory", memory),
        named("files", files),
        named("git", module("mcp_server_git")),
        named("time", module("mcp_server_time")),
    ]
}

/// Files, and a repository with one commit and one change since.
fn furnish(folder: &Path) -> anyhow::Result<()> {
    let (files, repository) = (folder.join("files"), folder.join("repo"));
    std::fs::create_dir_all(&files)?;
    std::fs::create_dir_all(&repository)?;
    std::fs::write(files.join("notes.txt"), "one\ntwo\nthree\n")?;
    std::fs::write(files.join("list.txt"), "a\nb\n")?;
    std::fs::write(files.join("pixel.png"), PIXEL)?;
    let read_me = repository.join("readme.txt");
    std::fs::write(&read_me, "one\n")?;
    let steps: [&[&str]; 5] = [
        &["init", "--quiet", "--initial-branch", "main"],
        &["config", "user.name", "Ada"],
        &["config", "user.email", "ada@example.com"],
        &["add", "."],
        &["commit", "--quiet", "--message", "first"],
    ];
    for step in steps {
        let status = std::process::Command::new("git").arg("-C").arg(&repository).args(step).status();
        anyhow::ensure!(status.context("git cannot be started")?.success(), "git {} failed", step[0]);
    }
    std::fs::write(&read_me, "one\ntwo\n")?;
    Ok(())
}

// === impl Place ===

impl Place {
    /// The servers as upstreams of toolgate's config. JSON is YAML.
    pub(super) fn yaml(&self) -> String {
        self.all.iter().map(|(name, server)| format!("  {name:?}: {server}\n")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_need_of_the_servers_has_a_call_and_every_call_is_there_once() {
        let name = |entry: &Value| format!("{}/{}", entry["server"].as_str().unwrap(), entry["tool"].as_str().unwrap());
        let calls = Scenario::Servers.listed("calls").unwrap();
        let mut calls: Vec<String> = calls.as_array().unwrap().iter().map(name).collect();
        let needs = Scenario::Servers.listed("needs").unwrap();
        for need in needs.as_array().unwrap() {
            let right = need["tools"][0].as_str().unwrap();
            assert!(calls.iter().any(|call| call == right), "{right} is needed and has no call");
        }
        let all = calls.len();
        calls.sort();
        calls.dedup();
        assert_eq!(calls.len(), all);
    }

    #[test]
    fn servers_become_upstreams() {
        let all = Map::from_iter([
            ("near".to_owned(), json!({"command": "node", "args": ["a b"]})),
            ("far".to_owned(), json!({"url": "http://127.0.0.1:1/mcp"})),
        ]);
        let place = Place { folder: PathBuf::new(), servers: PathBuf::new(), plan: PathBuf::new(), all };
        let lines: Vec<String> = place.yaml().lines().map(str::to_owned).collect();
        assert!(lines.contains(&r#"  "far": {"url":"http://127.0.0.1:1/mcp"}"#.to_owned()), "{lines:?}");
        assert!(lines.iter().any(|line| line.starts_with(r#"  "near": {"#)), "{lines:?}");
    }
}
