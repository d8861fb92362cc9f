//! A corpus: tools, and what people wished for when they needed one of them. The format is described beside the corpora.

use anyhow::Context;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use toolgate_search::{Document, parameters};

/// Tools and queries.
pub(crate) struct Corpus {
    /// The folder's name.
    pub(crate) name: String,
    /// Tools by server.
    pub(crate) servers: BTreeMap<String, Vec<Document>>,
    pub(crate) queries: Vec<Query>,
}

/// What somebody wished for.
pub(crate) struct Query {
    pub(crate) id: String,
    pub(crate) text: String,
    /// Each is a need: any one of its tools meets it.
    pub(crate) needs: Vec<Vec<String>>,
}

/// A line of `tools.jsonl`. Other collections leave out what they do not have.
#[derive(Deserialize)]
struct ToolLine {
    id: String,
    #[serde(default)]
    server: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    input_schema: Value,
}

/// A line of `queries.jsonl`.
#[derive(Deserialize)]
struct QueryLine {
    id: String,
    query: String,
    #[serde(default)]
    gold: Vec<String>,
    #[serde(default)]
    gold_groups: Option<Vec<Vec<String>>>,
}

// === impl Corpus ===

impl Corpus {
    /// Reads a folder.
    ///
    /// # Errors
    /// When a file is missing, or a line of it is not what it should be.
    pub(crate) fn read(folder: &Path) -> anyhow::Result<Self> {
        let mut servers: BTreeMap<String, Vec<Document>> = BTreeMap::new();
        let file = |name: &str| {
            let file = folder.join(name);
            std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
        };
        for line in
            lines::<ToolLine>(&file("tools.jsonl")?).with_context(|| format!("{}/tools.jsonl", folder.display()))?
        {
            let document = Document {
                id: line.id,
                name: line.name.unwrap_or_default(),
                title: line.title.unwrap_or_default(),
                description: line.description.unwrap_or_default(),
                parameters: parameters(&line.input_schema),
            };
            servers.entry(line.server.unwrap_or_default()).or_default().push(document);
        }
        let queries = Self::queries(&file("queries.jsonl")?);
        let queries = queries.with_context(|| format!("{}/queries.jsonl", folder.display()))?;
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { name, servers, queries })
    }

    /// Reads all folders in a folder that hold a corpus, in the order of their names.
    ///
    /// # Errors
    /// When there is none, or one cannot be read.
    pub(crate) fn read_all(folder: &Path) -> anyhow::Result<Vec<Self>> {
        let entries = std::fs::read_dir(folder).with_context(|| format!("no corpora in {}", folder.display()))?;
        let mut folders: Vec<_> =
            entries.collect::<Result<Vec<_>, _>>()?.into_iter().map(|entry| entry.path()).collect();
        folders.retain(|folder| folder.join("queries.jsonl").is_file());
        folders.sort();
        anyhow::ensure!(!folders.is_empty(), "no corpora in {}", folder.display());
        folders.iter().map(|folder| Self::read(folder)).collect()
    }

    /// Reads queries from the text of a file.
    ///
    /// # Errors
    /// When a line is not what it should be.
    pub(crate) fn queries(text: &str) -> anyhow::Result<Vec<Query>> {
        Ok(lines::<QueryLine>(text)?.into_iter().map(Query::from).collect())
    }

    /// The number of tools.
    pub(crate) fn tools(&self) -> usize {
        self.servers.values().map(Vec::len).sum()
    }
}

// === impl Query ===

impl From<QueryLine> for Query {
    fn from(line: QueryLine) -> Self {
        let single = |gold: Vec<String>| gold.into_iter().map(|id| vec![id]).collect();
        let needs = line.gold_groups.filter(|groups| !groups.is_empty()).unwrap_or_else(|| single(line.gold));
        Self { id: line.id, text: line.query, needs }
    }
}

fn lines<T: DeserializeOwned>(text: &str) -> anyhow::Result<Vec<T>> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(at, line)| serde_json::from_str(line).with_context(|| format!("line {}", at + 1))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_empty_and_a_bad_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write(
            "tools.jsonl",
            "{\"id\":\"a\"}\n\n{\"id\":\"b\",\"name\":null,\"server\":\"s\",\"input_schema\":{\"properties\":{\"p\":{}}}}\n",
        );
        write("queries.jsonl", "{\"id\":\"q\",\"query\":\"x\",\"gold\":[\"a\",\"b\"]}\n");
        let corpus = Corpus::read(folder.path()).unwrap();
        assert_eq!(corpus.servers["s"][0].parameters[0].name, "p");
        assert_eq!(corpus.queries[0].needs, [["a"], ["b"]]);
        write("queries.jsonl", "\n{\"id\":3}\n");
        assert!(format!("{:#}", Corpus::read(folder.path()).err().unwrap()).contains("queries.jsonl: line 2"));
    }
}
