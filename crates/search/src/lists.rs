//! What is known about single words: which say nothing, which say little, which are usual everywhere, which mean the same.
//!
//! The lists are texts beside this file, so that they can be read and changed without reading code. A line that begins
//! with `#` is a remark.

use std::collections::{HashMap, HashSet};

const GRAMMAR: &str = include_str!("lists/grammar.txt");
const TALK: &str = include_str!("lists/talk.txt");
const WEAK: &str = include_str!("lists/weak.txt");
const USUAL: &str = include_str!("lists/usual.txt");
const THESAURUS: &str = include_str!("lists/thesaurus.txt");

/// What a word tells about a wish, where that is less than everything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Emphasis {
    /// Nothing: it holds sentences together.
    Grammar,
    /// Hardly anything: people say it around any wish.
    Talk,
    /// Little: it describes any wish.
    Weak,
}

/// The lists, by stems where stems are compared.
pub(crate) struct Lists {
    emphasis: HashMap<&'static str, Emphasis>,
    usual: HashMap<String, f32>,
    near: HashMap<String, Vec<String>>,
    doing: HashSet<String>,
}

// === impl Lists ===

impl Lists {
    pub(crate) fn new(stem: impl Fn(&str) -> String) -> Self {
        let mut emphasis = HashMap::new();
        for (list, of) in [(WEAK, Emphasis::Weak), (TALK, Emphasis::Talk), (GRAMMAR, Emphasis::Grammar)] {
            emphasis.extend(lines(list).flat_map(str::split_whitespace).map(|word| (word, of)));
        }
        let mut lists = Self { emphasis, usual: usual(&stem), near: HashMap::new(), doing: HashSet::new() };
        lines(THESAURUS).for_each(|row| lists.add_row(row, &stem));
        lists
    }

    fn add_row(&mut self, row: &str, stem: impl Fn(&str) -> String) {
        let (words, doing) = row.strip_prefix('!').map_or((row, false), |words| (words, true));
        let terms: Vec<String> = words.split_whitespace().map(stem).collect();
        for term in &terms {
            let near = self.near.entry(term.clone()).or_default();
            for other in &terms {
                if other != term && !near.contains(other) {
                    near.push(other.clone());
                }
            }
        }
        if doing {
            self.doing.extend(terms);
        }
    }

    /// What a word in lower case tells; nothing is said of most words.
    pub(crate) fn emphasis(&self, word: &str) -> Option<Emphasis> {
        self.emphasis.get(word).copied()
    }

    /// The share of all tools that have a term.
    pub(crate) fn usual(&self, term: &str) -> f32 {
        self.usual.get(term).copied().unwrap_or(0.0)
    }

    /// Terms that mean nearly the same.
    pub(crate) fn near(&self, term: &str) -> &[String] {
        self.near.get(term).map_or(&[], Vec::as_slice)
    }

    /// Whether a term tells what to do, and so can begin a wish.
    pub(crate) fn is_doing(&self, term: &str) -> bool {
        self.doing.contains(term)
    }
}

fn lines(list: &'static str) -> impl Iterator<Item = &'static str> {
    list.lines().filter(|line| !line.starts_with('#') && !line.is_empty())
}

fn usual(stem: impl Fn(&str) -> String) -> HashMap<String, f32> {
    let mut usual = HashMap::new();
    for line in lines(USUAL) {
        let mut words = line.split_whitespace();
        let share = words.next().and_then(|percent| percent.parse::<f32>().ok()).unwrap_or(0.0) / 100.0;
        usual.extend(words.map(|word| (stem(word), share)));
    }
    usual
}

#[cfg(test)]
mod tests;
