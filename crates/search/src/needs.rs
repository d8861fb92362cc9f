//! What a question asks of the documents: for each of its words, the terms of the index that answer it.
//!
//! A word is answered by its own term; less well by one that means nearly the same, or that is written together here and
//! apart there; and if by none of these, by the nearest one, since then it is most likely misspelt.

use crate::analysis::Analysis;
use crate::question::{Asked, Question};
use crate::scope::Scope;
use crate::terms::{TermId, Terms};
use std::collections::HashMap;

/// The most misspelt words that are looked up.
const MOST_MISTAKES: usize = 16;
/// The shortest word that is taken apart; both parts have half of it at least.
const SHORTEST_COMPOUND: usize = 6;
const SHORTEST_PART: usize = 3;

/// How a term answers a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// It is the word, perhaps in another form.
    Same,
    /// It means nearly the same.
    Synonym,
    /// One is written together, the other apart.
    Compound,
    /// It is the nearest to a word that no document has.
    Misspelling,
}

/// A term that answers a word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(crate) term: TermId,
    pub(crate) how: How,
    /// What it counts: how well it answers the word, how rare it is, how much the word counts.
    pub(crate) weight: f32,
}

/// One word, once, with all that answers it. Only the best answer counts in a document: one that says *create*, *add* and
/// *new* is not three times as right.
#[derive(Debug)]
pub(crate) struct Need {
    pub(crate) word: String,
    pub(crate) answers: Vec<Answer>,
    /// What it counts for a document to have it.
    pub(crate) weight: f32,
    /// One bit for each clause that has the word.
    pub(crate) clauses: u16,
}

/// All that a question asks.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    pub(crate) needs: Vec<Need>,
    pub(crate) corrected: Vec<(String, String)>,
    pub(crate) unknown: Vec<String>,
}

/// Finds the terms.
struct Resolver<'a> {
    scope: &'a Scope,
    analysis: &'a Analysis,
    terms: &'a Terms,
    found: Needs,
    /// By term, so that a word that comes again is one need.
    known: HashMap<String, Option<usize>>,
    mistakes: usize,
}

/// A term that documents in the scope have.
#[derive(Clone, Copy)]
struct Present {
    term: TermId,
    frequency: usize,
}

// === impl Needs ===

impl Needs {
    pub(crate) fn of(question: &Question, scope: &Scope) -> Self {
        let state = &scope.index().state;
        let mut resolver = Resolver {
            scope,
            analysis: &state.analysis,
            terms: &state.terms,
            found: Self::default(),
            known: HashMap::new(),
            mistakes: 0,
        };
        for at in 0..question.words.len() {
            resolver.word(&question.words, at);
        }
        resolver.found
    }
}

// === impl Resolver ===

impl Resolver<'_> {
    fn word(&mut self, words: &[Asked], at: usize) {
        let word = &words[at];
        if let Some(known) = self.known.get(&word.term) {
            if let Some(need) = *known {
                self.found.needs[need].clauses |= 1 << word.clause;
            }
            return;
        }
        let same = self.present(&word.term);
        if same.is_none() && !word.parts.is_empty() {
            for part in &word.parts {
                let mut answers = Vec::new();
                self.alike(part, 1.0, &mut answers);
                self.need(part, word, answers);
            }
            return;
        }
        let mut answers = Vec::new();
        self.alike(&word.term, 1.0, &mut answers);
        self.together(words, at, &mut answers);
        if answers.is_empty() && self.apart(word) {
            return;
        }
        if answers.is_empty() {
            self.correct(word, &mut answers);
        }
        self.need(&word.term, word, answers);
    }

    /// The term itself and those that mean nearly the same.
    fn alike(&self, term: &str, counts: f32, answers: &mut Vec<(Present, How, f32)>) {
        let tuning = &self.analysis.tuning;
        answers.extend(self.present(term).map(|same| (same, How::Same, counts)));
        if tuning.synonym > 0.0 {
            let near = self.analysis.lists.near(term).iter().filter_map(|near| self.present(near));
            answers.extend(near.map(|near| (near, How::Synonym, tuning.synonym)));
        }
    }

    /// *time zone*, if documents say `timezone`.
    fn together(&self, words: &[Asked], at: usize, answers: &mut Vec<(Present, How, f32)>) {
        let word = &words[at];
        let counts = self.analysis.tuning.compound;
        let joins = |other: &&Asked| other.clause == word.clause && !other.dense && !word.dense && counts > 0.0;
        let before = at.checked_sub(1).and_then(|before| words.get(before)).filter(joins);
        let after = words.get(at + 1).filter(joins);
        let joined = [before.map(|before| [before, word]), after.map(|after| [word, after])];
        for [left, right] in joined.into_iter().flatten() {
            let term = self.analysis.term(&format!("{}{}", left.word, right.word));
            answers.extend(self.present(&term).map(|joined| (joined, How::Compound, counts)));
        }
    }

    /// *timezone*, if documents say `time zone`: two needs in its place, if there is a way to cut it.
    fn apart(&mut self, word: &Asked) -> bool {
        let counts = self.analysis.tuning.compound;
        if counts <= 0.0 || word.word.len() < SHORTEST_COMPOUND || !word.word.is_ascii() {
            return false;
        }
        let cut = |at: usize| {
            let (left, right) = word.word.split_at(at);
            let (left, right) = (self.analysis.term(left), self.analysis.term(right));
            let common = self.present(&left)?.frequency.min(self.present(&right)?.frequency);
            Some((common, left, right))
        };
        let cuts = (SHORTEST_PART..=word.word.len() - SHORTEST_PART).filter_map(cut);
        let Some((_, left, right)) = cuts.max_by_key(|(common, _, _)| *common) else { return false };
        for part in [left, right] {
            let mut answers = Vec::new();
            self.alike(&part, counts, &mut answers);
            if let Some((_, how, _)) = answers.first_mut() {
                *how = How::Compound;
            }
            self.need(&part, word, answers);
        }
        true
    }

    /// The nearest term: the fewest mistakes, then the most documents.
    fn correct(&mut self, word: &Asked, answers: &mut Vec<(Present, How, f32)>) {
        let counts = self.analysis.tuning.misspelling;
        if counts <= 0.0 || self.mistakes >= MOST_MISTAKES {
            return;
        }
        self.mistakes += 1;
        let near = self.terms.near(&word.word, &word.term);
        let near = near.map(|near| (near, self.scope.frequency(near.id))).filter(|(_, frequency)| *frequency > 0);
        let order = |near: TermId| std::cmp::Reverse(self.terms.text(near));
        let nearest =
            near.min_by_key(|(near, frequency)| (near.distance, std::cmp::Reverse(*frequency), order(near.id)));
        let Some((nearest, frequency)) = nearest else { return };
        self.found.corrected.push((word.word.clone(), self.terms.text(nearest.id).to_owned()));
        answers.push((Present { term: nearest.id, frequency }, How::Misspelling, counts));
    }

    fn present(&self, term: &str) -> Option<Present> {
        let term = self.terms.get(term)?;
        let frequency = self.scope.frequency(term);
        (frequency > 0).then_some(Present { term, frequency })
    }

    /// Makes a need of the answers to a word. An answer is never rarer than the first, so that a rare synonym does not
    /// count more than the word that was said.
    fn need(&mut self, term: &str, word: &Asked, mut answers: Vec<(Present, How, f32)>) {
        if let Some(known) = self.known.get(term) {
            if let Some(need) = *known {
                self.found.needs[need].clauses |= 1 << word.clause;
            }
            return;
        }
        let Some((first, _, _)) = answers.first() else {
            self.known.insert(term.to_owned(), None);
            self.found.unknown.push(word.word.clone());
            return;
        };
        let rarity = self.scope.rarity(first.term, first.frequency);
        let mut seen = Vec::new();
        answers.retain(|(present, _, _)| {
            !seen.contains(&present.term) && {
                seen.push(present.term);
                true
            }
        });
        let answers = answers.into_iter().map(|(present, how, counts)| {
            let own = self.scope.rarity(present.term, present.frequency).min(rarity);
            Answer { term: present.term, how, weight: counts * own * word.weight }
        });
        let need = Need {
            word: word.word.clone(),
            answers: answers.collect(),
            weight: rarity * word.weight,
            clauses: 1 << word.clause,
        };
        self.known.insert(term.to_owned(), Some(self.found.needs.len()));
        self.found.needs.push(need);
    }
}
