//! The dictionary: every term that a document has, by number, and the nearest ones to a word that is none.
//!
//! For the nearest, the terms stand by their first letters, each with its shape: which letters it has, and how many. An edit
//! changes at most two of the letters, so that comparing shapes leaves few words to be compared in full: of 200,000 terms,
//! the nearest is found in a fraction of a millisecond.

use std::collections::HashMap;
use std::sync::Arc;

/// A term by its number.
pub(crate) type TermId = u32;

/// The shortest word that a mistake is looked for in; in a shorter one, any is as likely.
const SHORTEST_MISTAKEN: usize = 4;
/// The longest word that a mistake is looked for in.
const LONGEST: usize = 48;
/// From this length on, two mistakes are forgiven.
const LONG: usize = 8;

/// The dictionary.
#[derive(Clone, Default)]
pub(crate) struct Terms {
    ids: HashMap<Arc<str>, TermId>,
    texts: Vec<Option<Arc<str>>>,
    /// Words of plain letters, by the first.
    shapes: [Vec<(Shape, TermId)>; 26],
    free: Vec<TermId>,
}

/// What a word of plain letters looks like from afar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Shape {
    /// One bit for each of the letters that it has.
    letters: u32,
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
            TermId::try_from(self.texts.len() - 1).expect("there are fewer than 2^32 different words in memory")
        });
        self.texts[id as usize] = Some(text.clone());
        if let Some((first, shape)) = Shape::of(term) {
            self.shapes[first].push((shape, id));
        }
        self.ids.insert(text, id);
        id
    }

    /// These are no terms any more; their numbers may be given to others.
    pub(crate) fn forget(&mut self, ids: &[TermId]) {
        for id in ids {
            if let Some(text) = self.texts[*id as usize].take() {
                self.ids.remove(&text);
                self.free.push(*id);
            }
        }
        if !ids.is_empty() {
            let texts = &self.texts;
            self.shapes.iter_mut().for_each(|shapes| shapes.retain(|(_, id)| texts[*id as usize].is_some()));
        }
    }

    /// The terms at one or two mistakes from a word or from its stem. The first letter is taken to be right, as it nearly
    /// always is.
    pub(crate) fn near<'a>(&'a self, word: &'a str, stem: &'a str) -> impl Iterator<Item = Neighbour> + 'a {
        let most = if word.len() >= LONG { 2 } else { 1 };
        // What the stemmer leaves of a short word is near to too much.
        let stem = if stem.len() > SHORTEST_MISTAKEN { stem } else { word };
        let sought = Shape::of(word).zip(Shape::of(stem)).filter(|_| word.len() >= SHORTEST_MISTAKEN);
        let alike = sought.into_iter().flat_map(move |((first, word), (_, stem))| {
            let near = move |shape: &Shape| word.may_be(shape, most) || stem.may_be(shape, most);
            self.shapes[first].iter().filter(move |(shape, _)| near(shape)).map(|(_, id)| *id)
        });
        alike.filter_map(move |id| {
            let term = self.text(id);
            let from_stem = if stem == word { None } else { distance(stem, term, most) };
            let distance = [distance(word, term, most), from_stem].into_iter().flatten().min()?;
            Some(Neighbour { id, distance })
        })
    }
}

// === impl Shape ===

impl Shape {
    /// With the place of the first letter in the alphabet.
    fn of(word: &str) -> Option<(usize, Self)> {
        if !word.bytes().all(|byte| byte.is_ascii_lowercase()) {
            return None;
        }
        let first = usize::from(word.bytes().next()? - b'a');
        let letters = word.bytes().fold(0, |letters, byte| letters | 1 << (byte - b'a'));
        Some((first, Self { letters, length: u8::try_from(word.len()).ok()? }))
    }

    /// Whether a word of this shape can be so near to one of the other.
    fn may_be(self, other: &Self, most: usize) -> bool {
        usize::from(self.length.abs_diff(other.length)) <= most
            && (self.letters ^ other.letters).count_ones() as usize <= 2 * most
    }
}

/// How many letters must be put in, left out, changed, or swapped with their neighbour, if no more than `most`.
fn distance(one: &str, other: &str, most: usize) -> Option<usize> {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() > LONGEST || other.len() > LONGEST {
        return None;
    }
    // Three rows of the table: the one before the last, the last, the next.
    let mut rows = [[0_usize; LONGEST + 1]; 3];
    rows[1] = std::array::from_fn(|at| at);
    for (at, letter) in one.iter().enumerate() {
        rows[2][0] = at + 1;
        for (to, wanted) in other.iter().enumerate() {
            let changed = rows[1][to] + usize::from(letter != wanted);
            let mut least = changed.min(rows[1][to + 1] + 1).min(rows[2][to] + 1);
            if at > 0 && to > 0 && *letter == other[to - 1] && one[at - 1] == *wanted {
                least = least.min(rows[0][to - 1] + 1);
            }
            rows[2][to + 1] = least;
        }
        // What is too far away here comes no nearer; a swap can begin in the row before.
        let nearest = |row: &[usize]| row[..=other.len()].iter().copied().min().unwrap_or(0);
        if nearest(&rows[2]).min(nearest(&rows[1])) > most {
            return None;
        }
        rows.rotate_left(1);
    }
    Some(rows[1][other.len()]).filter(|distance| *distance <= most)
}

#[cfg(test)]
mod tests;
