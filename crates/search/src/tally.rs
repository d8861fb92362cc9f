//! A document counted: what each of its words weighs.

use crate::analysis::Analysis;
use crate::document::{Document, Field};
use crate::posting::bit;
use crate::prose::Prose;
use crate::terms::{TermId, Terms};
use std::collections::HashMap;

/// The most words of a document that are indexed, all fields together.
const MOST_WORDS: usize = 10_000;
const FIELDS: usize = Field::ALL.len();

/// Counts documents. It remembers the words that it has seen, since most come again in the next document.
pub(crate) struct Counter<'a> {
    analysis: &'a Analysis,
    terms: &'a mut Terms,
    known: HashMap<String, TermId>,
}

/// What a term weighs in a document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weighed {
    pub(crate) term: TermId,
    pub(crate) weight: f32,
    /// A set of fields.
    pub(crate) fields: u8,
}

/// The words of one document.
#[derive(Default)]
struct Tally {
    counts: HashMap<TermId, [u16; FIELDS]>,
    lengths: [usize; FIELDS],
}

// === impl Counter ===

impl<'a> Counter<'a> {
    pub(crate) fn new(analysis: &'a Analysis, terms: &'a mut Terms) -> Self {
        Self { analysis, terms, known: HashMap::new() }
    }

    /// The terms of a document of a group, in the order of their numbers.
    pub(crate) fn weigh(&mut self, group: &str, document: &Document) -> Vec<Weighed> {
        let mut tally = Tally::default();
        let prose = Prose::of(&document.description);
        self.count(&mut tally, Field::Name, &document.name);
        self.count(&mut tally, Field::Title, &document.title);
        self.count(&mut tally, Field::Group, group);
        self.count(&mut tally, Field::First, prose.first);
        self.count(&mut tally, Field::Rest, prose.rest);
        for parameter in &document.parameters {
            self.count(&mut tally, Field::ParameterName, &parameter.name);
            self.count(&mut tally, Field::ParameterText, &parameter.description);
            for value in &parameter.values {
                self.count(&mut tally, Field::ParameterValue, value);
            }
        }
        self.count(&mut tally, Field::ParameterText, prose.arguments);
        self.weights(&tally)
    }

    fn count(&mut self, tally: &mut Tally, field: Field, text: &str) {
        let room = MOST_WORDS.saturating_sub(tally.lengths.iter().sum());
        if room == 0 || text.is_empty() {
            return;
        }
        let (analysis, terms, known) = (self.analysis, &mut *self.terms, &mut self.known);
        let counts = &mut tally.counts;
        tally.lengths[field as usize] += analysis.meaningful(text, room, |word| {
            let term = known.get(word).copied().unwrap_or_else(|| {
                let term = terms.number(&analysis.term(word));
                known.insert(word.to_owned(), term);
                term
            });
            let count = &mut counts.entry(term).or_default()[field as usize];
            *count = count.saturating_add(1);
        });
    }

    fn weights(&self, tally: &Tally) -> Vec<Weighed> {
        let shares = self.shares(&tally.lengths);
        let weigh = |(term, counts): (&TermId, &[u16; FIELDS])| {
            let mut weighed = Weighed { term: *term, weight: 0.0, fields: 0 };
            for field in Field::ALL.into_iter().filter(|field| counts[*field as usize] > 0) {
                weighed.weight += f32::from(counts[field as usize]) * shares[field as usize];
                weighed.fields |= bit(field);
            }
            weighed
        };
        let mut weights: Vec<_> = tally.counts.iter().map(weigh).collect();
        weights.sort_unstable_by_key(|weighed| weighed.term);
        weights
    }

    /// What one occurrence of a word counts in each field, the lengths being what they are.
    fn shares(&self, lengths: &[usize; FIELDS]) -> [f32; FIELDS] {
        let tuning = &self.analysis.tuning;
        std::array::from_fn(|field| {
            let of = &tuning.fields[field];
            #[expect(clippy::cast_precision_loss, reason = "lengths are at most 10,000")]
            let long = lengths[field].max(1) as f32 / of.usual;
            of.weight / (1.0 - of.shortening + of.shortening * long)
        })
    }
}
