//! The dictionary: every term that a document has, by number, and the nearest ones to a word that is none.
//!
//! For the nearest, each term carries its shape in one number: which letters it has, its first one, its length. An edit
//! changes at most two of the letters, so that comparing numbers leaves few words to be compared in full: 200,000 terms are
//! gone through in a fraction of a millisecond, without another index.

use std::collections::HashMap;
use std::sync::Arc;

/// A term by its number.
pub(crate) type TermId = u32;

/// The shortest word that a mistake is looked for in; in a shorter one, any is as likely.
const SHORTEST_MISTAKEN: usize = 4;
/// From this length on, two mistakes are forgiven.
const LONG: usize = 8;

/// The dictionary.
#[derive(Clone, Default)]
pub(crate) struct Terms {
    ids: HashMap<Arc<str>, TermId>,
    texts: Vec<Option<Arc<str>>>,
    shapes: Vec<Shape>,
    free: Vec<TermId>,
}

/// What a word looks like from afar.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Shape {
    /// One bit for each of the letters that it has; none for a word of other signs.
    letters: u32,
    first: u8,
    length: u8,
}

/// A term near to a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Neighbour {
    pub(crate) id: TermId,
    pub(crate) distance: usize,
}

// === impl Terms ===

impl Terms {
    pub(crate) fn get(&self, term: &str) -> Option<TermId> {
        self.ids.get(term).copied()
    }

    pub(crate) fn text(&self, id: TermId) -> &str {
        self.texts.get(id as usize).and_then(Option::as_deref).unwrap_or_default()
    }

    /// The number of numbers that have been given.
    pub(crate) fn numbers(&self) -> usize {
        self.texts.len()
    }

    /// The number of terms.
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(crate) fn number(&mut self, term: &str) -> TermId {
        if let Some(id) = self.get(term) {
            return id;
        }
        let text: Arc<str> = term.into();
        let id = self.free.pop().unwrap_or_else(|| {
            self.texts.push(None);
            self.shapes.push(Shape::default());
            TermId::try_from(self.texts.len() - 1).expect("there are fewer than 2^32 different words in memory")
        });
        self.texts[id as usize] = Some(text.clone());
        self.shapes[id as usize] = Shape::of(term);
        self.ids.insert(text, id);
        id
    }

    /// Its number may be given to another term.
    pub(crate) fn forget(&mut self, id: TermId) {
        if let Some(text) = self.texts[id as usize].take() {
            self.ids.remove(&text);
            self.shapes[id as usize] = Shape::default();
            self.free.push(id);
        }
    }

    /// The terms at one or two mistakes from a word or from its stem. The first letter is taken to be right, as it nearly
    /// always is.
    pub(crate) fn near<'a>(&'a self, word: &'a str, stem: &'a str) -> impl Iterator<Item = Neighbour> + 'a {
        let most = if word.len() >= LONG { 2 } else { 1 };
        // What the stemmer leaves of a short word is near to too much.
        let stem = if stem.len() > SHORTEST_MISTAKEN { stem } else { word };
        let sought = [Shape::of(word), Shape::of(stem)];
        let worth = word.len() >= SHORTEST_MISTAKEN && sought[0].letters != 0;
        let shapes = if worth { self.shapes.iter() } else { [].iter() };
        shapes.enumerate().filter_map(move |(id, shape)| {
            if !sought.iter().any(|sought| sought.may_be(shape, most)) {
                return None;
            }
            let term = self.texts[id].as_deref()?;
            let distance = distance(word, term).min(distance(stem, term));
            let id = TermId::try_from(id).ok()?;
            (distance <= most).then_some(Neighbour { id, distance })
        })
    }
}

// === impl Shape ===

impl Shape {
    fn of(word: &str) -> Self {
        if !word.bytes().all(|byte| byte.is_ascii_lowercase()) {
            return Self::default();
        }
        let letters = word.bytes().fold(0, |letters, byte| letters | 1 << (byte - b'a'));
        let length = u8::try_from(word.len()).unwrap_or(u8::MAX);
        Self { letters, first: word.bytes().next().unwrap_or_default(), length }
    }

    /// Whether a word of this shape can be so near to one of the other.
    fn may_be(self, other: &Self, most: usize) -> bool {
        self.first == other.first
            && usize::from(self.length.abs_diff(other.length)) <= most
            && (self.letters ^ other.letters).count_ones() as usize <= 2 * most
    }
}

/// How many letters must be put in, left out, changed, or swapped with their neighbour.
fn distance(one: &str, other: &str) -> usize {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.iter().enumerate() {
        let mut row = vec![at + 1];
        for (to, wanted) in other.iter().enumerate() {
            let changed = last[to] + usize::from(letter != wanted);
            let mut least = changed.min(last[to + 1] + 1).min(row[to] + 1);
            if at > 0 && to > 0 && *letter == other[to - 1] && one[at - 1] == *wanted {
                least = least.min(before[to - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[other.len()]
}

#[cfg(test)]
mod tests;
