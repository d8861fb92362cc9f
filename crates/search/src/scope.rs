//! A part of an index, as the one who asks may see it, and the questions that it answers.
//!
//! How rare a word is, which words there are to correct a mistake with, how many documents match: all of it is counted
//! within the scope, so that nothing outside of it can be told from an answer. (One exception, for time's sake: see
//! `rank::MOST_READ`.)

use crate::index::{Index, Place};
use crate::needs::Needs;
use crate::posting::{Posting, Slot};
use crate::question::Question;
use crate::rank;
use crate::reason::{self, Reason};
use crate::terms::TermId;
use std::sync::Arc;

/// The most hits of one question.
const MOST_HITS: usize = 1000;

/// An index, or a part of it, to be searched. Keeps the index as it was when it was made.
#[derive(Clone, Debug)]
pub struct Scope {
    index: Index,
    sight: Sight,
}

/// What of the index is in the scope.
#[derive(Clone, Debug)]
enum Sight {
    All,
    Part {
        /// One bit for each slot.
        bits: Arc<[u64]>,
        count: usize,
    },
}

/// The answer to a question.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// The best documents, best first.
    pub hits: Vec<Hit>,
    /// How many documents have any word of the question, or one that means the same.
    pub matching: usize,
    /// Words of the question that no document has, with the ones that were looked for in their place.
    pub corrected: Vec<(String, String)>,
    /// Words of the question that no document has, nor anything like them.
    pub unknown: Vec<String>,
}

/// A document that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// Its group.
    pub group: Arc<str>,
    /// Its id.
    pub id: Arc<str>,
    /// How well it answers, to be compared with other hits of the same question only.
    pub score: f32,
}

// === impl Scope ===

impl Scope {
    pub(crate) fn all(index: Index) -> Self {
        Self { index, sight: Sight::All }
    }

    pub(crate) fn of(index: Index, mut keep: impl FnMut(&str, &str) -> bool) -> Self {
        let places = &index.state.places;
        let mut bits = vec![0_u64; places.len().div_ceil(64)];
        let mut count = 0;
        for (slot, place) in places.iter().enumerate() {
            if place.as_ref().is_some_and(|place| keep(&place.group, &place.id)) {
                bits[slot / 64] |= 1 << (slot % 64);
                count += 1;
            }
        }
        Self { index, sight: Sight::Part { bits: bits.into(), count } }
    }

    /// The best documents for a question, at most `limit` and at most 1000. Equally good ones come in the order of their
    /// groups and ids.
    ///
    /// Any text is a question. Of a long one, the first 64 KiB, 4096 words, and 256 words with a meaning are read.
    #[must_use]
    pub fn search(&self, question: &str, limit: usize) -> Found {
        let question = Question::read(&self.index.state.analysis, question);
        let needs = Needs::of(&question, self);
        let (ranked, matching) = rank::rank(self, &needs, question.clauses(), limit.min(MOST_HITS));
        let hit = |(slot, score): (Slot, f32)| {
            let place = self.place(slot);
            Hit { group: place.group.clone(), id: place.id.clone(), score }
        };
        Found {
            hits: ranked.into_iter().map(hit).collect(),
            matching,
            corrected: needs.corrected,
            unknown: needs.unknown,
        }
    }

    /// Why a document answers a question as well as it does: what was found for each of the question's words. None if the
    /// scope does not have the document.
    #[must_use]
    pub fn explain(&self, question: &str, group: &str, id: &str) -> Option<Vec<Reason>> {
        let slots = &self.index.state.groups.get(group)?.slots;
        let slot = slots.iter().copied().find(|slot| self.place(*slot).id.as_ref() == id && self.sees(*slot))?;
        let question = Question::read(&self.index.state.analysis, question);
        Some(reason::reasons(self, &Needs::of(&question, self), slot))
    }

    /// The number of documents.
    #[must_use]
    pub fn len(&self) -> usize {
        match self.sight {
            Sight::All => self.index.len(),
            Sight::Part { count, .. } => count,
        }
    }

    /// Whether there is no document.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The index that it is a part of.
    #[must_use]
    pub fn index(&self) -> &Index {
        &self.index
    }

    pub(crate) fn sees(&self, slot: Slot) -> bool {
        match &self.sight {
            Sight::All => true,
            Sight::Part { bits, .. } => bits[slot as usize / 64] & 1 << (slot % 64) != 0,
        }
    }

    /// The number of slots, free ones and hidden ones too.
    pub(crate) fn slots(&self) -> usize {
        self.index.state.places.len()
    }

    pub(crate) fn place(&self, slot: Slot) -> &Place {
        self.index.state.places[slot as usize].as_ref().expect("postings and groups name slots that hold a document")
    }

    pub(crate) fn postings(&self, term: TermId) -> &[Posting] {
        &self.index.state.postings[term as usize]
    }

    /// How many documents have a term.
    pub(crate) fn frequency(&self, term: TermId) -> usize {
        let postings = self.postings(term);
        match self.sight {
            Sight::All => postings.len(),
            Sight::Part { .. } => postings.iter().filter(|posting| self.sees(posting.slot)).count(),
        }
    }

    /// How much it tells that a document has a term: much if few have it.
    pub(crate) fn rarity(&self, term: TermId, frequency: usize) -> f32 {
        let analysis = &self.index.state.analysis;
        let usual = analysis.tuning.usual_tools;
        #[expect(clippy::cast_precision_loss, reason = "a share of the documents need not be exact")]
        let (all, having) = (self.len() as f32, frequency as f32);
        let (all, having) = (all + usual, having + usual * analysis.lists.usual(self.index.state.terms.text(term)));
        (1.0 + (all - having + 0.5) / (having + 0.5)).ln()
    }
}
