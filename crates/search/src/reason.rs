//! Why a document was found: what answered each word of the question, and where.

use crate::document::Field;
use crate::needs::{How, Needs};
use crate::posting::Slot;
use crate::scope::Scope;

/// What was found for one word of a question in one document.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    /// The word of the question, in lower case.
    pub word: String,
    /// What of it the document has; none if nothing.
    pub answer: Option<Matched>,
    /// What the word could have counted at most.
    pub worth: f32,
}

/// A term that a document has.
#[derive(Clone, Debug, PartialEq)]
pub struct Matched {
    /// The term, which is a word or the stem of several.
    pub term: String,
    /// How it answers the word.
    pub how: How,
    /// Where it stands.
    pub fields: Vec<Field>,
    /// What it adds to the score, before the share of the question that the document answers is taken.
    pub counts: f32,
}

/// One reason for each word of the question that any document answers, in its order.
pub(crate) fn reasons(scope: &Scope, needs: &Needs, slot: Slot) -> Vec<Reason> {
    let most = scope.index().state.analysis.tuning.saturation + 1.0;
    let reason = |need: &crate::needs::Need| {
        let found = need.answers.iter().filter_map(|answer| {
            let posting = scope.postings(answer.term).iter().find(|posting| posting.slot == slot)?;
            Some(Matched {
                term: scope.index().state.terms.text(answer.term).to_owned(),
                how: answer.how,
                fields: posting.fields().collect(),
                counts: answer.weight * posting.weight(),
            })
        });
        let answer = found.max_by(|one, other| one.counts.total_cmp(&other.counts));
        Reason { word: need.word.clone(), answer, worth: need.weight * most }
    };
    needs.needs.iter().map(reason).collect()
}
