//! How long indexing and searching take, and how much memory, at 500, 5,000 and 100,000 tools: `cargo bench -p toolgate-search`.
//!
//! The tools and the queries are those of the public collections beside the repository (another folder of the same format
//! may be named: `-- DIR`); without them, those of the excerpt in `tests/data`. Where there are too few, they are taken again
//! with every eighth word changed, so that the number of different words grows as it does in life.
#![allow(clippy::print_stdout, missing_docs, reason = "a benchmark prints what it measures")]

use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use toolgate_search::{Document, Index, Scope, parameters};

type Groups = BTreeMap<String, Vec<Document>>;

const SIZES: [usize; 3] = [500, 5_000, 100_000];
/// Hits that are asked for.
const LIMIT: usize = 20;

fn main() {
    let folder = std::env::args().skip(1).find(|arg| !arg.starts_with('-')).map(PathBuf::from);
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = folder.unwrap_or_else(|| repository.join("../shared/eval/retrieval/dev"));
    let folders = corpora(&folder);
    let excerpt = [Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")];
    let folders = if folders.is_empty() { excerpt.as_slice() } else { &folders };
    let (tools, queries) = (tools(folders), queries(folders));
    println!("{} different tools, {} queries, {LIMIT} hits each\n", tools.len(), queries.len());
    println!(
        "| tools | servers | words | postings | indexing | one server of 20 again | a view | query p50 | p99 | longest | of a view p99 | memory |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    for size in SIZES {
        measure(&groups(&tools, size), &queries);
    }
    strange(&groups(&tools, 100_000));
}

/// One row of the table.
fn measure(groups: &Groups, queries: &[String]) {
    let before = resident();
    let (index, indexing) = timed(|| build(groups));
    let memory = resident().saturating_sub(before);
    let (name, some) = groups.iter().max_by_key(|(_, tools)| tools.len().min(20)).expect("there is a group");
    let some: Vec<_> = some.iter().take(20).cloned().collect();
    let (_, again) = timed(|| index.edit().put(name, some).finish());
    let (view, viewing) = timed(|| index.scope(|group, _| !group.starts_with(['a', 'b', 'c'])));
    let all = times(&index.all(), queries);
    let part = times(&view, queries);
    let size = index.size();
    println!(
        "| {} | {} | {} | {} | {:.0?} | {:.1?} | {:.1?} | {:.2?} | {:.2?} | {:.2?} | {:.2?} | {} MB |",
        size.documents,
        size.groups,
        size.terms,
        size.postings,
        indexing,
        again,
        viewing,
        at(&all, 50),
        at(&all, 99),
        at(&all, 100),
        at(&part, 99),
        memory / 1_000_000
    );
}

/// Questions that nobody asks, to the largest index.
fn strange(groups: &Groups) {
    let all = build(groups).all();
    let common = "get list create search data file name information api server user number type ".repeat(20);
    let million: String = (0..1_000_000).map(|n| format!("word{n} ")).collect();
    let wrong: String =
        (0..256).map(|n| format!("qua{}tionz ", char::from(b'a' + n as u8 % 26).to_string().repeat(n % 7))).collect();
    println!("\n| question | answered in |\n|---|---|");
    for (name, question) in [
        ("the commonest words, twenty times", common.as_str()),
        ("a million words", &million),
        ("256 misspelt words", &wrong),
        ("10 MB of one letter", &"a".repeat(10_000_000)),
        ("a million Chinese signs", &"查询天气预报".repeat(170_000)),
    ] {
        let (_, took) = timed(|| all.search(question, LIMIT));
        println!("| {name} | {took:.2?} |");
    }
}

fn build(groups: &Groups) -> Index {
    let edit = Index::default().edit();
    groups.iter().fold(edit, |edit, (group, tools)| edit.put(group, tools.clone())).finish()
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    let result = work();
    (result, begun.elapsed())
}

/// How long each query takes, the shortest first: of three times the shortest, so that what else the machine does is not
/// measured.
fn times(scope: &Scope, queries: &[String]) -> Vec<Duration> {
    let ask = |query: &String| (0..3).map(|_| timed(|| scope.search(query, LIMIT)).1).min().unwrap_or_default();
    let mut times: Vec<_> = queries.iter().map(ask).collect();
    times.sort_unstable();
    times
}

fn at(times: &[Duration], percent: usize) -> Duration {
    times[(times.len() * percent / 100).min(times.len() - 1)]
}

/// Memory of this process, in bytes, where the system tells.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    pages.and_then(|text| text.split(' ').nth(1)?.parse::<usize>().ok()).unwrap_or(0) * 4096
}

fn corpora(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut folders: Vec<_> = entries.filter(|folder| folder.join("tools.jsonl").is_file()).collect();
    folders.sort();
    folders
}

fn lines(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).expect("a corpus has this file");
    text.lines().map(|line| serde_json::from_str(line).expect("a line of a corpus is JSON")).collect()
}

/// Those of the largest collection of real servers first.
fn tools(folders: &[PathBuf]) -> Vec<(String, Document)> {
    let mut tools: Vec<Vec<(String, Document)>> = Vec::new();
    for folder in folders {
        let text = |tool: &Value, key: &str| tool[key].as_str().unwrap_or_default().to_owned();
        let tool = |tool: &Value| {
            let (name, description) = (text(tool, "name"), text(tool, "description"));
            let parameters = parameters(&tool["input_schema"]);
            let document = Document { id: text(tool, "id"), name, description, parameters, ..Document::default() };
            (text(tool, "server"), document)
        };
        tools.push(lines(&folder.join("tools.jsonl")).iter().map(tool).collect());
    }
    // Of a server there are several tools, in life.
    tools.retain(|tools| tools.len() > 3 * tools.iter().map(|(server, _)| server).collect::<HashSet<_>>().len());
    tools.sort_by_key(|tools| std::cmp::Reverse(tools.len()));
    tools.concat()
}

fn queries(folders: &[PathBuf]) -> Vec<String> {
    let queries = folders.iter().flat_map(|folder| lines(&folder.join("queries.jsonl")));
    queries.map(|query| query["query"].as_str().unwrap_or_default().to_owned()).collect()
}

/// So many tools in their groups.
fn groups(tools: &[(String, Document)], count: usize) -> Groups {
    let mut groups = Groups::new();
    for at in 0..count {
        let (server, tool) = &tools[at % tools.len()];
        let round = at / tools.len();
        let tool = Document { id: format!("{}-{at}", tool.id), ..changed(tool, round) };
        let server = if round == 0 { server.clone() } else { format!("{server}{round}") };
        groups.entry(server).or_default().push(tool);
    }
    groups
}

/// The same with every eighth word another one, if it is not the first time.
fn changed(tool: &Document, round: usize) -> Document {
    if round == 0 {
        return tool.clone();
    }
    let words = tool.description.split(' ').enumerate();
    let words = words.map(|(at, word)| if at % 8 == 7 { format!("{word}{}", letters(round)) } else { word.to_owned() });
    Document { description: words.collect::<Vec<_>>().join(" "), ..tool.clone() }
}

fn letters(number: usize) -> String {
    number.to_string().bytes().map(|digit| char::from(digit - b'0' + b'k')).collect()
}
