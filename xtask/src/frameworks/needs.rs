//! What is wished for: queries of the collections that one tool meets, and that the engine answers near the top.
//!
//! How well tools are found is measured elsewhere (`cargo xtask eval`). Here a query is a way to a call, so those are taken
//! whose tool is found; at first look, as the agents read the first hits only.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::PathBuf;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use toolgate_protocol::UpstreamName;
use toolgate_search::Tuning;

use crate::rank::corpus::Corpus;
use crate::rank::index;

/// Fewer would show little.
const LEAST: usize = 20;
const MOST: usize = 24;
/// The agents look at five; what else stands there can differ a little from what is searched here.
const WITHIN: usize = 3;
/// A longer one is a task, not a need.
const LONGEST: usize = 200;
/// The longest name that reaches a model unchanged.
const LONGEST_NAME: usize = 64;
/// About how many tools are called once each, at most.
const MOST_SWEPT: usize = 1_000;
/// How many needs are searched for in one call.
const TOGETHER: usize = 3;

/// The tools that are served, and the queries beside them.
pub(super) struct Catalog {
    corpus: Corpus,
    /// Tools that cannot be called without arguments.
    demanding: HashSet<String>,
}

/// What else is read of a line of a file of tools.
#[derive(Deserialize)]
struct ToolLine {
    id: String,
    #[serde(default)]
    input_schema: Option<Demands>,
}

/// The part of a schema that says which arguments there must be.
#[derive(Deserialize)]
struct Demands {
    #[serde(default)]
    required: Vec<String>,
}

/// What the agents do.
#[derive(Serialize)]
pub(super) struct Plan {
    /// What a client is listed.
    surface: [&'static str; 3],
    pub(super) needs: Vec<Need>,
    /// These in one search.
    pub(super) together: Vec<Need>,
    /// This one with a wrong call first; an excerpt whose schemas require nothing has none.
    pub(super) mistaken: Option<Need>,
    /// Every tool, by the words of its name; of very many every second one, or every third, …
    pub(super) all: Vec<Need>,
}

/// A query and the tool that meets it.
#[derive(Clone, Serialize)]
pub(super) struct Need {
    query: String,
    server: String,
    tool: String,
    /// The tool's public name.
    name: String,
}

// === impl Catalog ===

impl Catalog {
    /// Reads the tools and what lies beside them.
    ///
    /// # Errors
    /// When a file is missing, is not in the format, or names a server by what cannot be the name of an upstream.
    pub(super) fn read(files: &[PathBuf]) -> anyhow::Result<Self> {
        let mut whole = Corpus { name: String::new(), servers: BTreeMap::new(), queries: Vec::new() };
        let mut demanding = HashSet::new();
        for file in files {
            let folder = file.parent().with_context(|| format!("{} lies in no folder", file.display()))?;
            let corpus = Corpus::read(folder)?;
            for (server, tools) in corpus.servers {
                let server = if server.is_empty() { "tools".to_owned() } else { server };
                let name = UpstreamName::new(&server);
                name.with_context(|| format!("{server:?} cannot be the name of an upstream"))?;
                let served = whole.servers.entry(server).or_default();
                // as the upstream does it: the first tool of a name counts
                for tool in tools {
                    if !served.iter().any(|other| other.name == tool.name) {
                        served.push(tool);
                    }
                }
            }
            whole.queries.extend(corpus.queries);
            let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            for line in text.lines().filter(|line| !line.trim().is_empty()) {
                let tool: ToolLine = serde_json::from_str(line).with_context(|| file.display().to_string())?;
                if tool.input_schema.is_some_and(|schema| !schema.required.is_empty()) {
                    demanding.insert(tool.id);
                }
            }
        }
        Ok(Self { corpus: whole, demanding })
    }

    pub(super) fn servers(&self) -> impl Iterator<Item = &String> {
        self.corpus.servers.keys()
    }

    pub(super) fn tools(&self) -> usize {
        self.corpus.tools()
    }

    /// Chooses what the agents wish for.
    ///
    /// # Errors
    /// When the collections have too few queries that will do.
    pub(super) fn plan(&self) -> anyhow::Result<Plan> {
        let scope = index(&self.corpus, Tuning::default());
        let tools: HashMap<&str, (&str, &str)> = self
            .corpus
            .servers
            .iter()
            .flat_map(|(server, tools)| tools.iter().map(|tool| (&*tool.id, (server.as_str(), &*tool.name))))
            .collect();
        let mut needs: Vec<Need> = Vec::new();
        let mut mistaken = None;
        let mut taken = BTreeSet::new();
        for query in self.corpus.queries.iter().filter(|query| query.text.len() <= LONGEST) {
            let [wanted] = &query.needs[..] else { continue };
            let [id] = &wanted[..] else { continue };
            let named = tools.get(id.as_str()).and_then(|(server, tool)| Need::of(&query.text, server, tool));
            let Some(need) = named else { continue };
            let hits = scope.search(&query.text, WITHIN).hits;
            if hits.iter().any(|hit| *hit.id == **id) && taken.insert(id) {
                if mistaken.is_none() && self.demanding.contains(id) {
                    mistaken = Some(need.clone());
                }
                needs.push(need);
            }
            if needs.len() == MOST {
                break;
            }
        }
        anyhow::ensure!(needs.len() >= LEAST, "only {} queries will do, {LEAST} are needed", needs.len());
        let together = needs[..TOGETHER].to_vec();
        let mut all: Vec<Need> =
            tools.values().filter_map(|(server, tool)| Need::of(&words(tool), server, tool)).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        let all = all.iter().step_by(1 + all.len() / MOST_SWEPT).cloned().collect();
        Ok(Plan { surface: ["search_tools", "describe_tools", "call_tool"], needs, together, mistaken, all })
    }
}

// === impl Plan ===

impl Plan {
    /// How many searches every agent makes, and how many calls that must be right: alone, together, and the mistaken one.
    pub(super) fn expected(&self) -> (usize, usize) {
        (self.needs.len() + 1, self.needs.len() + self.together.len() + usize::from(self.mistaken.is_some()))
    }
}

// === impl Need ===

impl Need {
    /// `None` where the tool's name does not reach a model unchanged.
    fn of(query: &str, server: &str, tool: &str) -> Option<Self> {
        let name = format!("{server}__{tool}");
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        (name.len() <= LONGEST_NAME && name.chars().all(legal)).then(|| Self {
            query: query.to_owned(),
            server: server.to_owned(),
            tool: tool.to_owned(),
            name,
        })
    }
}

/// A tool's name with spaces.
fn words(tool: &str) -> String {
    tool.replace(['-', '_'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A collection of tools `t0`, `t1`, … of one server, each with a query of its own word; `t0` demands an argument.
    fn collection(count: usize) -> (tempfile::TempDir, Vec<PathBuf>) {
        let folder = tempfile::tempdir().unwrap();
        let word = |at: usize| ["ab", "cd", "ef", "gh", "ij"][at % 5].repeat(2 + at / 5);
        let tools: String = (0..count)
            .map(|at| {
                let required = if at == 0 { r#""a""# } else { "" };
                format!(
                    "{{\"id\":\"t{at}\",\"server\":\"s\",\"name\":\"t{at}\",\"description\":\"{}\",\"input_schema\":{{\"required\":[{required}]}}}}\n",
                    word(at)
                )
            })
            .collect();
        let queries: String = (0..count)
            .map(|at| format!("{{\"id\":\"q{at}\",\"query\":\"{}\",\"gold_groups\":[[\"t{at}\"]]}}\n", word(at)))
            .collect();
        std::fs::write(folder.path().join("tools.jsonl"), tools).unwrap();
        std::fs::write(folder.path().join("queries.jsonl"), queries).unwrap();
        let file = folder.path().join("tools.jsonl");
        (folder, vec![file])
    }

    #[test]
    fn needs_are_those_that_are_found_and_the_mistake_is_made_where_it_shows() {
        let (_folder, files) = collection(30);
        let catalog = Catalog::read(&files).unwrap();
        let plan = catalog.plan().unwrap();
        assert_eq!((catalog.tools(), plan.needs.len(), plan.together.len()), (30, MOST, TOGETHER));
        assert_eq!(plan.needs[1].name, "s__t1");
        assert_eq!(plan.mistaken.as_ref().map(|need| &*need.tool), Some("t0"));
        assert_eq!(plan.expected(), (25, 28));
    }

    #[test]
    fn too_few_queries_are_too_few() {
        let (_folder, files) = collection(LEAST - 1);
        assert!(Catalog::read(&files).unwrap().plan().is_err());
    }
}
