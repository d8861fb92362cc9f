//! The index: which documents have which terms. It never changes: an [`Edit`] makes another one, which shares with it what
//! is the same, so that whoever searches is never in the way of whoever changes.

use crate::analysis::Analysis;
use crate::edit::Edit;
use crate::posting::{Posting, Slot};
use crate::scope::Scope;
use crate::terms::{TermId, Terms};
use crate::tuning::Tuning;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Documents in groups, ready to be searched. Cheap to clone.
#[derive(Clone)]
pub struct Index {
    pub(crate) state: Arc<State>,
}

/// What an index holds.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) analysis: Arc<Analysis>,
    pub(crate) terms: Terms,
    /// By term.
    pub(crate) postings: Vec<Arc<[Posting]>>,
    /// By slot; a free slot is empty.
    pub(crate) places: Vec<Option<Place>>,
    pub(crate) free: Vec<Slot>,
    pub(crate) groups: BTreeMap<Arc<str>, Arc<Group>>,
}

/// Which document a slot holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) group: Arc<str>,
    pub(crate) id: Arc<str>,
}

/// A group: its documents' slots, and all their terms, for when it is replaced.
#[derive(Default)]
pub(crate) struct Group {
    pub(crate) slots: Vec<Slot>,
    pub(crate) terms: Vec<TermId>,
}

// === impl Index ===

impl Index {
    /// An index without documents.
    #[must_use]
    pub fn new(tuning: Tuning) -> Self {
        let state = State {
            analysis: Arc::new(Analysis::new(tuning)),
            terms: Terms::default(),
            postings: Vec::new(),
            places: Vec::new(),
            free: Vec::new(),
            groups: BTreeMap::new(),
        };
        Self { state: Arc::new(state) }
    }

    /// A change of this index, which becomes another one.
    pub fn edit(&self) -> Edit {
        Edit::of(self)
    }

    /// All of it, to be searched.
    #[must_use]
    pub fn all(&self) -> Scope {
        Scope::all(self.clone())
    }

    /// The part of it that `keep` wants, by group and id, to be searched. What it leaves out is not found, and changes
    /// nothing in what is found: a scope answers as an index of its documents alone would.
    ///
    /// It takes time in proportion to the number of documents, and is meant to be kept while view and index are the same.
    #[must_use]
    pub fn scope(&self, keep: impl FnMut(&str, &str) -> bool) -> Scope {
        Scope::of(self.clone(), keep)
    }

    /// The number of documents.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state.places.len() - self.state.free.len()
    }

    /// Whether there is no document.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How large it is.
    #[must_use]
    pub fn size(&self) -> Size {
        let postings = self.state.postings.iter().map(|list| list.len()).sum();
        Size { documents: self.len(), groups: self.state.groups.len(), terms: self.state.terms.len(), postings }
    }
}

/// How large an index is, in numbers of things.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size {
    /// Documents.
    pub documents: usize,
    /// Groups of documents.
    pub groups: usize,
    /// Different words.
    pub terms: usize,
    /// Words of documents, each counted once per document; eight bytes each.
    pub postings: usize,
}

impl Default for Index {
    fn default() -> Self {
        Self::new(Tuning::default())
    }
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Index").field(&self.size()).finish()
    }
}
