//! A change of an index: groups replaced or left out, several at once.

use crate::document::Document;
use crate::index::{Group, Index, Place, State};
use crate::posting::{Posting, Slot};
use crate::tally::Counter;
use crate::terms::{TermId, Terms};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// A change in the making. Nothing happens before [`Edit::finish`].
#[derive(Debug)]
#[must_use = "an edit does nothing before it is finished"]
pub struct Edit {
    from: Index,
    groups: BTreeMap<Arc<str>, Vec<Document>>,
}

/// The lists of postings as they will be.
#[derive(Default)]
struct Changes {
    gone: HashSet<Slot>,
    /// Terms whose lists lose something.
    touched: BTreeSet<TermId>,
    /// What lists gain.
    gained: HashMap<TermId, Vec<Posting>>,
}

// === impl Edit ===

impl Edit {
    pub(crate) fn of(index: &Index) -> Self {
        Self { from: index.clone(), groups: BTreeMap::new() }
    }

    /// These are all documents of the group from now on. Of several with one id, the first counts.
    pub fn put(mut self, group: &str, documents: Vec<Document>) -> Self {
        self.groups.insert(group.into(), documents);
        self
    }

    /// The group has no documents any more.
    pub fn remove(self, group: &str) -> Self {
        self.put(group, Vec::new())
    }

    /// The index after the change. It costs what the changed groups' words cost, and a copy of the table of words.
    #[must_use]
    pub fn finish(self) -> Index {
        let mut state = State::clone(&self.from.state);
        let mut changes = Changes::default();
        for group in self.groups.keys() {
            changes.take_out(&mut state, group);
        }
        let analysis = state.analysis.clone();
        let mut terms = std::mem::take(&mut state.terms);
        let mut counter = Counter::new(&analysis, &mut terms);
        for (group, documents) in &self.groups {
            changes.put_in(&mut state, &mut counter, group, documents);
        }
        changes.write(&mut state, &mut terms);
        state.terms = terms;
        Index { state: Arc::new(state) }
    }
}

// === impl Changes ===

impl Changes {
    fn take_out(&mut self, state: &mut State, group: &str) {
        let Some(group) = state.groups.remove(group) else { return };
        for slot in &group.slots {
            state.places[*slot as usize] = None;
            state.free.push(*slot);
        }
        self.gone.extend(&group.slots);
        self.touched.extend(&group.terms);
    }

    fn put_in(&mut self, state: &mut State, counter: &mut Counter<'_>, name: &Arc<str>, documents: &[Document]) {
        let mut group = Group::default();
        let mut terms = BTreeSet::new();
        let mut ids = HashSet::new();
        let saturation = state.analysis.tuning.saturation;
        for document in documents.iter().filter(|document| ids.insert(document.id.as_str())) {
            let slot = state.place(Place { group: name.clone(), id: document.id.as_str().into() });
            group.slots.push(slot);
            for weighed in counter.weigh(name, document) {
                let posting = Posting::new(slot, weighed.weight, saturation, weighed.fields);
                self.gained.entry(weighed.term).or_default().push(posting);
                terms.insert(weighed.term);
            }
        }
        if !group.slots.is_empty() {
            group.terms = terms.into_iter().collect();
            state.groups.insert(name.clone(), Arc::new(group));
        }
    }

    fn write(mut self, state: &mut State, terms: &mut Terms) {
        state.postings.resize(terms.numbers(), Arc::from([]));
        self.touched.extend(self.gained.keys());
        let mut unused = Vec::new();
        for term in self.touched {
            let list = &mut state.postings[term as usize];
            let stays = list.iter().filter(|posting| !self.gone.contains(&posting.slot)).copied();
            let new: Vec<_> = stays.chain(self.gained.remove(&term).unwrap_or_default()).collect();
            if new.is_empty() {
                unused.push(term);
            }
            *list = new.into();
        }
        terms.forget(&unused);
    }
}

// === impl State ===

impl State {
    /// Finds a slot for a document.
    fn place(&mut self, place: Place) -> Slot {
        if let Some(slot) = self.free.pop() {
            self.places[slot as usize] = Some(place);
            return slot;
        }
        self.places.push(Some(place));
        Slot::try_from(self.places.len() - 1).expect("there are fewer than 2^32 documents in memory")
    }
}
