//! From words to terms: what questions and documents are compared by.

use crate::lists::{Emphasis, Lists};
use crate::tuning::Tuning;
use crate::words::{More, Writing, words};
use rust_stemmers::{Algorithm, Stemmer};

/// Turns words into terms, in one way for questions and documents.
pub(crate) struct Analysis {
    stemmer: Stemmer,
    pub(crate) lists: Lists,
    pub(crate) tuning: Tuning,
}

// === impl Analysis ===

impl Analysis {
    pub(crate) fn new(tuning: Tuning) -> Self {
        let stems = tuning.stems;
        let stemmer = Stemmer::create(Algorithm::English);
        let lists = Lists::new(|word| stem(&stemmer, stems, word));
        Self { stemmer, lists, tuning }
    }

    /// The term of a word in lower case.
    pub(crate) fn term(&self, word: &str) -> String {
        stem(&self.stemmer, self.tuning.stems, word)
    }

    pub(crate) fn writing(&self) -> Writing {
        Writing { folding: self.tuning.folding, pairs: self.tuning.pairs }
    }

    pub(crate) fn is_grammar(&self, word: &str) -> bool {
        self.tuning.grammar && self.lists.emphasis(word) == Some(Emphasis::Grammar)
    }

    /// Gives the words of a text that have a meaning, at most `room` of them, and says how many they were. A word that is
    /// given whole besides its parts does not count: the text is not longer for it.
    pub(crate) fn meaningful(&self, text: &str, room: usize, mut give: impl FnMut(&str)) -> usize {
        let mut count = 0;
        words(text, self.writing(), |written| {
            let parts = if self.tuning.parts { written.parts.as_slice() } else { &[] };
            if (parts.is_empty() || written.counts_whole()) && !self.is_grammar(&written.whole) {
                give(&written.whole);
                count += usize::from(parts.is_empty());
            }
            for part in parts.iter().filter(|part| part.len() > 1 && !self.is_grammar(part)) {
                give(part);
                count += 1;
            }
            if count < room { More::Please } else { More::Enough }
        });
        count
    }
}

/// The stemmer knows English, and gives nonsense for what is not; of the languages that are written in the same letters,
/// English is what tools are described in.
fn stem(stemmer: &Stemmer, stems: bool, word: &str) -> String {
    if stems && word.len() > 2 && word.bytes().all(|byte| byte.is_ascii_lowercase()) {
        stemmer.stem(word).into_owned()
    } else {
        word.to_owned()
    }
}
