//! An index that others search while it changes: searchers see it before a change or after it, and never wait.

use crate::document::Document;
use crate::edit::Edit;
use crate::index::Index;
use crate::tuning::Tuning;
use arc_swap::ArcSwap;
use std::sync::{Mutex, PoisonError};

/// The index of the moment.
#[derive(Debug)]
pub struct Live {
    now: ArcSwap<Index>,
    /// Held by the one who changes it, so that no change is lost.
    changing: Mutex<()>,
}

// === impl Live ===

impl Live {
    /// Begins without documents.
    #[must_use]
    pub fn new(tuning: Tuning) -> Self {
        Self { now: ArcSwap::from_pointee(Index::new(tuning)), changing: Mutex::new(()) }
    }

    /// The index as it is now; it stays as it is for whoever holds it.
    #[must_use]
    pub fn now(&self) -> Index {
        Index::clone(&self.now.load())
    }

    /// Changes the index. Changes wait for each other, so this belongs off the path of requests.
    pub fn change(&self, change: impl FnOnce(Edit) -> Edit) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.now.store(change(self.now().edit()).finish().into());
    }

    /// Replaces the documents of one group.
    pub fn put(&self, group: &str, documents: Vec<Document>) {
        self.change(|edit| edit.put(group, documents));
    }
}

impl Default for Live {
    fn default() -> Self {
        Self::new(Tuning::default())
    }
}
