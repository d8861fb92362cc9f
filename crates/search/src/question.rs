//! A question as it is understood: its words, and the wishes that it consists of.
//!
//! People and models ask for several things at once ("find the paper, then save it as PDF"). A tool answers one of them, so
//! each is also judged alone. A wish ends with a sentence, at words such as *then*, and where a comma, *and* or *to* is
//! followed by a word of doing.

use crate::analysis::Analysis;
use crate::lists::Emphasis;
use crate::words::{Gap, More, Written, words};

/// The most words of a question that are read, with and without meaning.
const MOST_WRITTEN: usize = 4096;
/// The most words that are looked for.
const MOST_ASKED: usize = 256;
/// The most wishes; what follows belongs to the last.
const MOST_CLAUSES: usize = 16;
/// A wish has at least two words; one alone belongs to its neighbour.
const LEAST_WORDS: usize = 2;

/// Words after which another wish begins.
const THEN: [&str; 12] = [
    "then",
    "also",
    "additionally",
    "finally",
    "lastly",
    "afterwards",
    "furthermore",
    "moreover",
    "besides",
    "next",
    "plus",
    "secondly",
];

/// A question.
#[derive(Debug, Default)]
pub(crate) struct Question {
    pub(crate) words: Vec<Asked>,
}

/// A word that is asked for.
#[derive(Debug)]
pub(crate) struct Asked {
    /// In lower case.
    pub(crate) word: String,
    pub(crate) term: String,
    /// The terms that it is made of, if they are several.
    pub(crate) parts: Vec<String>,
    pub(crate) clause: usize,
    /// What it counts, from 0 to 1.
    pub(crate) weight: f32,
    /// Of a script without spaces.
    pub(crate) dense: bool,
}

/// The reading of a question.
struct Reader<'a> {
    analysis: &'a Analysis,
    read: usize,
    asked: Vec<Asked>,
    /// What the words since the last asked one say about the next.
    joint: Joint,
    /// How many words the clause has.
    length: usize,
    clause: usize,
}

/// What stands between two words that are asked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Joint {
    None,
    /// A comma, or a word like *and*: a wish ends here if the next one does something.
    Perhaps,
    /// A wish ends here.
    End,
}

// === impl Question ===

impl Question {
    pub(crate) fn read(analysis: &Analysis, text: &str) -> Self {
        let mut reader = Reader { analysis, read: 0, asked: Vec::new(), joint: Joint::None, length: 0, clause: 0 };
        words(text, analysis.writing(), |written| reader.take(written));
        Self { words: reader.asked }
    }

    /// How many wishes it has.
    pub(crate) fn clauses(&self) -> usize {
        self.words.last().map_or(0, |last| last.clause + 1)
    }
}

// === impl Reader ===

impl Reader<'_> {
    fn take(&mut self, written: Written) -> More {
        self.read += 1;
        self.joint = self.joint.max(joint(&written));
        if !self.analysis.is_grammar(&written.whole) {
            self.ask(written);
        }
        if self.read < MOST_WRITTEN && self.asked.len() < MOST_ASKED { More::Please } else { More::Enough }
    }

    fn ask(&mut self, written: Written) {
        let analysis = self.analysis;
        let term = analysis.term(&written.whole);
        self.turn(&term);
        let parts = if analysis.tuning.parts { written.parts.as_slice() } else { &[] };
        let parts = parts.iter().filter(|part| part.len() > 1 && !analysis.is_grammar(part));
        self.asked.push(Asked {
            parts: parts.map(|part| analysis.term(part)).collect(),
            clause: self.clause,
            weight: self.weight(&written.whole),
            dense: written.dense,
            word: written.whole,
            term,
        });
        self.length += 1;
    }

    /// Begins another clause if one ends here.
    fn turn(&mut self, next: &str) {
        let ends = match std::mem::replace(&mut self.joint, Joint::None) {
            Joint::None => false,
            Joint::Perhaps => self.analysis.lists.is_doing(next),
            Joint::End => true,
        };
        let several = self.analysis.tuning.clause > 0.0 && self.clause + 1 < MOST_CLAUSES;
        if ends && several && self.length >= LEAST_WORDS {
            self.clause += 1;
            self.length = 0;
        }
    }

    fn weight(&self, word: &str) -> f32 {
        match self.analysis.lists.emphasis(word) {
            Some(Emphasis::Talk) => self.analysis.tuning.talk,
            Some(Emphasis::Weak) => self.analysis.tuning.weak,
            Some(Emphasis::Grammar) | None => 1.0,
        }
    }
}

fn joint(written: &Written) -> Joint {
    let word = written.whole.as_str();
    if written.gap == Gap::Sentence || THEN.contains(&word) {
        Joint::End
    } else if written.gap == Gap::Comma || matches!(word, "and" | "or" | "to") {
        Joint::Perhaps
    } else {
        Joint::None
    }
}

#[cfg(test)]
mod tests;
