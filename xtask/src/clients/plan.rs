//! What is called: for every fixture server its calls under native names, and for a client the same under public names.
//!
//! A label stays the same in the baseline, the plan and the document a client prints: `<upstream>/<what>`.

use super::questions::{self, Question};
use anyhow::Context as _;
use serde::Serialize;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// A picture of one red pixel, for the file server to read.
const PIXEL: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, 0x49, 0x48, 0x44, 0x52, 0, 0, 0, 1, 0, 0, 0, 1, 8,
    2, 0, 0, 0, 0x90, 0x77, 0x53, 0xde, 0, 0, 0, 0x0c, 0x49, 0x44, 0x41, 0x54, 0x08, 0xd7, 0x63, 0xf8, 0xcf, 0xc0, 0,
    0, 0x03, 1, 1, 0, 0x18, 0xdd, 0x8d, 0xb0, 0, 0, 0, 0, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
];

/// Entities of the memory server that begin so come and go during a run; the comparison leaves them out.
pub(super) const VISITOR: &str = "visitor-";

/// One of the servers that stand behind toolgate.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Server {
    /// npm `server-everything`.
    Everything,
    /// npm `server-memory`.
    Memory,
    /// npm `server-filesystem`.
    Files,
    /// Ours, on the Python SDK.
    Python,
}

/// A server under the name that clients see it by.
pub(super) struct Upstream {
    /// The upstream's name in the config; `None` when a client talks to the server itself.
    pub(super) name: Option<&'static str>,
    pub(super) server: Server,
    /// Whether all calls go through this upstream, or only those that show the transport works.
    whole: bool,
    /// Whether it is also asked what asks back: on a pipe that many clients share nobody could tell which one is meant.
    asks: bool,
}

/// What a client is pointed at.
pub(super) struct Front(Vec<Upstream>);

/// Files and folders that servers are given.
pub(super) struct Places {
    /// The folder the file server may read.
    pub(super) files: PathBuf,
    /// Where a memory server keeps its graph: one file for the baseline, one for the run.
    memory: PathBuf,
}

/// A planned tool call.
#[derive(Clone, Serialize)]
pub(super) struct Call {
    pub(super) label: String,
    pub(super) tool: String,
    pub(super) arguments: Value,
    /// Whether the client is to ask for progress.
    pub(super) progress: bool,
    /// Whether clients that do little do this one.
    pub(super) core: bool,
    /// Whether an agent calls it, where a client has agents.
    pub(super) agent: bool,
    /// Whether it must be refused rather than answered as in the baseline.
    #[serde(skip)]
    pub(super) refused: bool,
}

/// A planned prompt.
#[derive(Clone, Serialize)]
pub(super) struct Prompt {
    pub(super) label: String,
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) arguments: Option<Value>,
    pub(super) core: bool,
}

/// A planned completion.
#[derive(Clone, Serialize)]
pub(super) struct Completion {
    pub(super) label: String,
    #[serde(rename = "ref")]
    pub(super) reference: Value,
    pub(super) argument: Value,
}

/// A planned reading of a resource.
#[derive(Clone, Serialize)]
pub(super) struct Read {
    pub(super) label: String,
    pub(super) uri: String,
    pub(super) core: bool,
}

/// Everything a client is to do besides listing; the scripts read it as JSON.
#[derive(Default, Serialize)]
pub(super) struct Plan {
    pub(super) calls: Vec<Call>,
    pub(super) prompts: Vec<Prompt>,
    pub(super) completions: Vec<Completion>,
    pub(super) reads: Vec<Read>,
    /// Calls that ask the client something, which a client does that can answer.
    pub(super) questions: Vec<Question>,
    /// Whether every resource that is listed is to be read too.
    read_listed: bool,
}

// === impl Front ===

impl Front {
    /// toolgate, in front of every server over every transport.
    pub(super) fn gateway() -> Self {
        let upstream = |name, server, whole, asks| Upstream { name: Some(name), server, whole, asks };
        Self(vec![
            upstream("everything", Server::Everything, true, false),
            upstream("everything-http", Server::Everything, false, true),
            upstream("everything-sse", Server::Everything, false, true),
            upstream("memory", Server::Memory, true, false),
            upstream("files", Server::Files, true, false),
            upstream("python", Server::Python, true, true),
        ])
    }

    /// server-everything alone, with nothing in front.
    pub(super) fn direct() -> Self {
        Self(vec![Upstream { name: None, server: Server::Everything, whole: true, asks: true }])
    }

    pub(super) fn upstreams(&self) -> &[Upstream] {
        &self.0
    }

    /// The servers behind this front, each once.
    pub(super) fn servers(&self) -> Vec<Server> {
        let mut servers: Vec<_> = self.0.iter().map(|upstream| upstream.server).collect();
        servers.sort();
        servers.dedup();
        servers
    }

    /// The upstream's name, if its resources have URIs of their own because an earlier upstream offers the same.
    pub(super) fn moved(&self, upstream: &Upstream) -> Option<&'static str> {
        let first = self.0.iter().find(|other| other.server == upstream.server)?;
        upstream.name.filter(|_| first.name != upstream.name)
    }

    /// What `client` is to do.
    pub(super) fn plan(&self, client: &str, places: &Places) -> Plan {
        let mut plan = Plan { read_listed: true, ..Plan::default() };
        for upstream in &self.0 {
            let native = Plan::native(upstream.server, client, places);
            let label = |label: &str| upstream.label(label);
            plan.calls.extend(
                native.calls.into_iter().filter(|call| upstream.whole || call.core || call.progress).map(|call| Call {
                    label: label(&call.label),
                    tool: upstream.public(&call.tool),
                    ..call
                }),
            );
            plan.prompts.extend(native.prompts.into_iter().map(|prompt| Prompt {
                label: label(&prompt.label),
                name: upstream.public(&prompt.name),
                ..prompt
            }));
            plan.completions.extend(native.completions.into_iter().map(|mut completion| {
                if let Some(Value::String(name)) = completion.reference.get_mut("name") {
                    *name = upstream.public(name);
                }
                Completion { label: label(&completion.label), ..completion }
            }));
            let questions = if upstream.asks { questions::native(upstream.server) } else { Vec::new() };
            let possible = questions.into_iter().filter(|question| upstream.name.is_some() || !question.is_task);
            plan.questions.extend(possible.map(|question| Question {
                label: label(&question.label),
                tool: upstream.public(&question.tool),
                ..question
            }));
            // by its native URI a resource can be asked for once only, whoever answers
            if upstream.whole {
                plan.reads.extend(native.reads.into_iter().map(|read| Read { label: label(&read.label), ..read }));
            }
        }
        plan
    }
}

// === impl Upstream ===

impl Upstream {
    /// The name by which clients see an entry of this upstream.
    pub(super) fn public(&self, native: &str) -> String {
        self.name.map_or_else(|| native.to_owned(), |upstream| format!("{upstream}__{native}"))
    }

    /// The label of something this upstream is asked.
    pub(super) fn label(&self, label: &str) -> String {
        format!("{}/{label}", self.name.unwrap_or("direct"))
    }
}

// === impl Places ===

impl Places {
    /// Fills the folders that servers are given.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub(super) fn prepare(folder: &Path) -> anyhow::Result<Self> {
        // the file server answers resolved paths
        let folder = folder.canonicalize()?;
        let places = Self { files: folder.join("files"), memory: folder };
        std::fs::create_dir_all(places.files.join("deeper"))?;
        std::fs::write(places.files.join("notes.txt"), "one\ntwo: grüße, 世界\nthree\n")?;
        std::fs::write(places.files.join("deeper/pixel.png"), PIXEL)?;
        for use_of_memory in ["baseline", "run"] {
            std::fs::write(places.memory(use_of_memory), places.seeds()).context("the memory server's file")?;
        }
        Ok(places)
    }

    /// The file of a memory server.
    pub(super) fn memory(&self, use_of_memory: &str) -> PathBuf {
        self.memory.join(format!("memory-{use_of_memory}.jsonl"))
    }

    /// What the memory server knows from the start. It loses entities that two clients create at the same moment (it
    /// reads, adds and writes back), but never these.
    fn seeds(&self) -> String {
        let entity = json!({"type": "entity", "name": "toolgate", "entityType": "gateway", "observations": ["one endpoint", "grüße"]});
        let other = json!({"type": "entity", "name": "upstream", "entityType": "server", "observations": []});
        let relation = json!({"type": "relation", "from": "toolgate", "to": "upstream", "relationType": "forwards to"});
        format!("{entity}\n{other}\n{relation}")
    }
}

// === impl Call ===

impl Call {
    fn new(label: &str, tool: &str, arguments: Value) -> Self {
        let (label, tool) = (label.to_owned(), tool.to_owned());
        Self { label, tool, arguments, progress: false, core: false, agent: false, refused: false }
    }

    fn core(self) -> Self {
        Self { core: true, ..self }
    }

    fn by_agents(self) -> Self {
        Self { agent: true, ..self }
    }

    fn with_progress(self) -> Self {
        Self { progress: true, ..self }
    }

    fn refused(self) -> Self {
        Self { refused: true, ..self }
    }
}

// === impl Plan ===

impl Plan {
    /// What `server` is asked, under its own names.
    pub(super) fn native(server: Server, client: &str, places: &Places) -> Self {
        match server {
            Server::Everything => Self::everything(),
            Server::Memory => Self::memory(client),
            Server::Files => Self::files(&places.files),
            Server::Python => Self::python(),
        }
    }

    fn everything() -> Self {
        let call = Call::new;
        let features = "demo://resource/static/document/features.md";
        Self {
            calls: vec![
                call("echo", "echo", json!({"message": "grüße, 世界 \u{1f3d4} \"quoted\"\n"})).core().by_agents(),
                call("sum", "get-sum", json!({"a": 2, "b": 40.5})).by_agents(),
                call("structured", "get-structured-content", json!({"location": "Chicago"})).core().by_agents(),
                call("image", "get-tiny-image", json!({})).core(),
                call("links", "get-resource-links", json!({"count": 4})),
                call("reference", "get-resource-reference", json!({"resourceType": "Text", "resourceId": 7})),
                call("annotated", "get-annotated-message", json!({"messageType": "error", "includeImage": true})),
                call("long", "trigger-long-running-operation", json!({"duration": 1, "steps": 4})).with_progress(),
                call("error", "get-resource-reference", json!({"resourceType": "Text", "resourceId": -1})),
                call("invalid", "get-structured-content", json!({"location": "Atlantis"})),
                call("unknown", "no-such-tool", json!({})).refused(),
            ],
            prompts: vec![
                prompt("simple", "simple-prompt", None),
                Prompt {
                    core: true,
                    ..prompt("arguments", "args-prompt", Some(json!({"city": "Oslo", "state": "Norge"})))
                },
            ],
            completions: vec![
                Completion {
                    label: "department".to_owned(),
                    reference: json!({"type": "ref/prompt", "name": "completable-prompt"}),
                    argument: json!({"name": "department", "value": "S"}),
                },
                Completion {
                    label: "template".to_owned(),
                    reference: json!({"type": "ref/resource", "uri": "demo://resource/dynamic/text/{resourceId}"}),
                    argument: json!({"name": "resourceId", "value": "12"}),
                },
            ],
            reads: vec![Read { label: "document".to_owned(), uri: features.to_owned(), core: false }],
            ..Self::default()
        }
    }

    fn memory(client: &str) -> Self {
        let name = format!("{VISITOR}{client}");
        let visitor = json!({"entities": [{"name": name, "entityType": "client", "observations": ["was here"]}]});
        let call = Call::new;
        Self {
            calls: vec![
                call("create", "create_entities", visitor).core(),
                call("open", "open_nodes", json!({"names": ["toolgate"]})),
                call("graph", "read_graph", json!({})).core(),
                call(
                    "error",
                    "add_observations",
                    json!({"observations": [{"entityName": "nobody", "contents": ["x"]}]}),
                ),
            ],
            ..Self::default()
        }
    }

    fn files(folder: &Path) -> Self {
        let path = |name: &str| json!({"path": folder.join(name)});
        let call = Call::new;
        Self {
            calls: vec![
                call("list", "list_directory", path("")).core(),
                call("tree", "directory_tree", path("")),
                call("read", "read_text_file", path("notes.txt")).core(),
                call("picture", "read_media_file", path("deeper/pixel.png")),
                call("error", "read_text_file", path("../elsewhere")),
            ],
            ..Self::default()
        }
    }

    fn python() -> Self {
        let samples = json!({"samples": [{"label": "flour", "grams": 250.5}, {"label": "salt", "grams": 4}]});
        let call = Call::new;
        Self {
            calls: vec![
                call("weigh", "weigh", samples).core().by_agents(),
                call("numbers", "numbers", json!({})),
                call("split", "split", json!({"text": "a b c"})),
                // `name` is mirrored into a header, as ASCII or encoded
                call("greet", "greet", json!({"name": "Eva"})).core(),
                call("greet-encoded", "greet", json!({"name": "Zoë 世界", "language": "ja"})).core(),
                call("count", "count", json!({"to": 5})).with_progress(),
                call("fail", "fail", json!({"reason": "because"})),
            ],
            prompts: vec![prompt("review", "review", Some(json!({"topic": "the gateway", "tone": "strict"})))],
            completions: vec![Completion {
                label: "tone".to_owned(),
                reference: json!({"type": "ref/prompt", "name": "review"}),
                argument: json!({"name": "tone", "value": "k"}),
            }],
            reads: vec![
                Read { label: "manual".to_owned(), uri: "python://manual".to_owned(), core: true },
                Read { label: "square".to_owned(), uri: "python://square/12".to_owned(), core: false },
            ],
            ..Self::default()
        }
    }
}

fn prompt(label: &str, name: &str, arguments: Option<Value>) -> Prompt {
    Prompt { label: label.to_owned(), name: name.to_owned(), arguments, core: false }
}
