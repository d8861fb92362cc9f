//! Simple ways to find tools, to compare with: a regular expression of the query's words, and BM25 over plain words.

use crate::rank::corpus::Corpus;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use toolgate_search::Document;

/// BM25's usual figures.
const K1: f64 = 1.2;
const B: f64 = 0.75;
/// The shortest word that is put into a regular expression; in shorter ones, everything is found.
const SHORTEST: usize = 4;

/// All texts of all tools as words in lower case: no fields, stems or stop words.
pub(super) struct Plain {
    ids: Vec<String>,
    lengths: Vec<f64>,
    average: f64,
    /// By word: which tools have it how often.
    postings: HashMap<String, Vec<(usize, f64)>>,
    /// By word of a query: the tools in which it is found within a word.
    within: RefCell<HashMap<String, BTreeSet<usize>>>,
}

// === impl Plain ===

#[expect(clippy::cast_precision_loss, reason = "there are few thousands of tools and of words")]
impl Plain {
    pub(super) fn of(corpus: &Corpus) -> Self {
        let (mut ids, mut lengths) = (Vec::new(), Vec::new());
        let mut postings: HashMap<String, Vec<(usize, f64)>> = HashMap::new();
        for (server, tool) in
            corpus.servers.iter().flat_map(|(server, tools)| tools.iter().map(move |tool| (server, tool)))
        {
            let text = text(server, tool);
            let mut counts: HashMap<&str, f64> = HashMap::new();
            words(&text).for_each(|word| *counts.entry(word).or_default() += 1.0);
            lengths.push(counts.values().sum());
            for (word, count) in counts {
                postings.entry(word.to_owned()).or_default().push((ids.len(), count));
            }
            ids.push(tool.id.clone());
        }
        let average = lengths.iter().sum::<f64>() / lengths.len().max(1) as f64;
        Self { ids, lengths, average, postings, within: RefCell::default() }
    }

    /// `word|word|…`, as models write it when they can search by regular expression: the more different words are found, the
    /// better; equally many in the order of the collection.
    pub(super) fn regex(&self, query: &str, limit: usize) -> Vec<String> {
        let query = query.to_lowercase();
        let sought: BTreeSet<&str> = words(&query).filter(|word| word.len() >= SHORTEST).collect();
        let mut scores = vec![0.0; self.ids.len()];
        let mut within = self.within.borrow_mut();
        for word in sought {
            let tools = within.entry(word.to_owned()).or_insert_with(|| self.tools_with(word));
            tools.iter().for_each(|at| scores[*at] += 1.0);
        }
        self.best(scores, limit)
    }

    fn tools_with(&self, part: &str) -> BTreeSet<usize> {
        let words = self.postings.iter().filter(|(word, _)| word.contains(part));
        words.flat_map(|(_, postings)| postings.iter().map(|(at, _)| *at)).collect()
    }

    pub(super) fn bm25(&self, query: &str, limit: usize) -> Vec<String> {
        let mut scores = vec![0.0; self.ids.len()];
        for word in words(&query.to_lowercase()) {
            let Some(postings) = self.postings.get(word) else { continue };
            let having = postings.len() as f64;
            let rarity = (1.0 + (self.ids.len() as f64 - having + 0.5) / (having + 0.5)).ln();
            for (at, count) in postings {
                let length = 1.0 - B + B * self.lengths[*at] / self.average;
                scores[*at] += rarity * count * (K1 + 1.0) / (count + K1 * length);
            }
        }
        self.best(scores, limit)
    }

    /// The best ids; what has nothing is not among them.
    fn best(&self, scores: Vec<f64>, limit: usize) -> Vec<String> {
        let mut scored: Vec<_> = scores.into_iter().enumerate().filter(|(_, score)| *score > 0.0).collect();
        scored.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
        scored.into_iter().take(limit).map(|(at, _)| self.ids[at].clone()).collect()
    }
}

/// The crate `bm25` with its own analysis of English.
#[cfg(feature = "bm25")]
pub(super) struct Crate(bm25::SearchEngine<String>);

#[cfg(feature = "bm25")]
impl Crate {
    pub(super) fn of(corpus: &Corpus) -> Self {
        let tools = corpus.servers.iter().flat_map(|(server, tools)| tools.iter().map(move |tool| (server, tool)));
        let documents: Vec<_> =
            tools.map(|(server, tool)| bm25::Document::new(tool.id.clone(), text(server, tool))).collect();
        Self(bm25::SearchEngineBuilder::with_documents(bm25::Language::English, documents).build())
    }

    pub(super) fn search(&self, query: &str, limit: usize) -> Vec<String> {
        self.0.search(query, limit).into_iter().map(|result| result.document.id).collect()
    }
}

fn text(server: &str, tool: &Document) -> String {
    let mut text = format!("{server} {} {}", tool.name, tool.description);
    for parameter in &tool.parameters {
        text += &format!(" {} {} {}", parameter.name, parameter.description, parameter.values.join(" "));
    }
    text.to_lowercase()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}
