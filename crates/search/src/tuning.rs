//! Every figure that the ranking depends on, each with its reason. What each is worth stands in `docs/search-quality.md`.
//!
//! They are few on purpose, and round: a figure that must be exact would only be right for the texts that it was found on.

use crate::document::Field;

/// How a field counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weight {
    /// What one occurrence of a word counts.
    pub weight: f32,
    /// How much less a word counts in a long field: 0 not at all, 1 in proportion.
    pub shortening: f32,
    /// The number of words from which on a field is long. A constant rather than an average of the index, so that a
    /// document's weights depend on nothing but the document: it can be replaced alone, and hidden documents change nothing.
    pub usual: f32,
}

/// The figures of the ranking. The defaults are meant for everybody; others are for measuring what each is worth.
#[derive(Clone, Debug, PartialEq)]
pub struct Tuning {
    /// How soon a word said again adds nothing (BM25's k1): low, because a description that repeats itself is not better.
    pub saturation: f32,
    /// The fields' weights, in the order of [`Field::ALL`].
    pub fields: [Weight; Field::ALL.len()],
    /// How many tools of the usual kind the index is taken to hold besides its own, when the rarity of a word is judged:
    /// in an index of twenty tools, which words are rare is chance.
    pub usual_tools: f32,
    /// How much a document gains from having all words of a question rather than a few: the share that it has, to this power.
    pub completeness: f32,
    /// What a word that means nearly the same counts; 0 for never.
    pub synonym: f32,
    /// What a word counts that is written in two here and in one there (`time zone`); 0 for never.
    pub compound: f32,
    /// What the nearest word counts for one that nothing is known about; 0 for never.
    pub misspelling: f32,
    /// What words of talk count in a question (`please find information about …`).
    pub talk: f32,
    /// What words count that narrow any wish a little (`the best free one`).
    pub weak: f32,
    /// How much of the ranking of a question of several clauses is the best clause's; the rest is the whole question's.
    pub clause: f32,
    /// How much less a clause counts once a document that answers it has been found.
    pub answered: f32,
    /// Whether `searching` is found by `search`.
    pub stems: bool,
    /// Whether `getWaterQuality` is three words.
    pub parts: bool,
    /// Whether words of grammar are left out.
    pub grammar: bool,
    /// Whether forms of one character are alike, and letters with and without accents.
    pub folding: bool,
    /// Whether text without spaces is cut into pairs of signs.
    pub pairs: bool,
}

// === impl Tuning ===

impl Default for Tuning {
    fn default() -> Self {
        Self {
            saturation: 1.2,
            fields: fields(),
            usual_tools: 1000.0,
            completeness: 0.5,
            synonym: 0.4,
            compound: 0.7,
            misspelling: 0.5,
            talk: 0.25,
            weak: 0.65,
            clause: 0.5,
            answered: 0.5,
            stems: true,
            parts: true,
            grammar: true,
            folding: true,
            pairs: true,
        }
    }
}

/// A name is chosen with care, and so is the first sentence; the rest of a description has the words that people use, and
/// many others. A parameter's description tells more about values than about what a tool is for.
fn fields() -> [Weight; Field::ALL.len()] {
    Field::ALL.map(|field| {
        let (weight, shortening, usual) = match field {
            Field::Name => (2.0, 0.0, 3.0),
            Field::Title => (1.0, 0.0, 3.0),
            Field::Group => (1.5, 0.2, 3.0),
            Field::First => (0.9, 0.8, 10.0),
            Field::Rest => (0.8, 1.0, 15.0),
            Field::ParameterName => (0.7, 1.0, 6.0),
            Field::ParameterText => (0.2, 0.6, 25.0),
            Field::ParameterValue => (0.2, 0.6, 8.0),
        };
        Weight { weight, shortening, usual }
    })
}
