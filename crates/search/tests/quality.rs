//! The ranking does not get worse unnoticed: a floor under what it finds in an excerpt of public collections (`data/README.md`).
//! Whether it gets better is measured on the whole collections: `docs/search-quality.md`.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use serde_json::Value;
use std::collections::BTreeMap;
use toolgate_search::{Document, Index, Scope, parameters};

const TOOLS: &str = include_str!("data/tools.jsonl");
const QUERIES: &str = include_str!("data/queries.jsonl");

/// A little below what was measured when the excerpt was made: a change may cost one query in a hundred here and gain more
/// elsewhere.
const FLOORS: [(&str, usize, f64); 3] = [("ref-q-", 5, 0.91), ("seal-", 5, 0.97), ("toole-", 10, 0.73)];

fn lines(text: &str) -> impl Iterator<Item = Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap())
}

fn index() -> Scope {
    let mut groups: BTreeMap<String, Vec<Document>> = BTreeMap::new();
    for tool in lines(TOOLS) {
        let text = |key: &str| tool[key].as_str().unwrap_or_default().to_owned();
        let document = Document {
            id: text("id"),
            name: text("name"),
            description: text("description"),
            parameters: parameters(&tool["input_schema"]),
            ..Document::default()
        };
        groups.entry(text("server")).or_default().push(document);
    }
    let edit = Index::default().edit();
    groups.into_iter().fold(edit, |edit, (group, documents)| edit.put(&group, documents)).finish().all()
}

/// The share of a query's needs that one of the first tools meets.
fn recall(index: &Scope, query: &Value, first: usize) -> f64 {
    let found = index.search(query["query"].as_str().unwrap(), first);
    let needs = query["gold_groups"].as_array().unwrap();
    let meets = |need: &Value| need.as_array().unwrap().iter().any(|id| found.hits.iter().any(|hit| *id == *hit.id));
    needs.iter().filter(|need| meets(need)).count() as f64 / needs.len() as f64
}

#[test]
fn the_right_tools_are_found() {
    let index = index();
    for (of, first, floor) in FLOORS {
        let queries = lines(QUERIES).filter(|query| query["id"].as_str().unwrap().starts_with(of));
        let recalls: Vec<f64> = queries.map(|query| recall(&index, &query, first)).collect();
        let mean = recalls.iter().sum::<f64>() / recalls.len() as f64;
        assert!(mean >= floor, "{of} recall@{first} is {mean:.3}, was at least {floor}");
    }
}
