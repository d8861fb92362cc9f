//! All notes, in order of their keys. Knows no file and no wire.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::note::{MAX_TEXT, Note, checked_key, checked_tags};

/// The most notes kept.
const MAX_NOTES: usize = 1000;
/// The most text in all notes together, in bytes.
const MAX_TOTAL: usize = 4 * 1024 * 1024;
/// How much of a text is shown where a note is only mentioned, in characters.
const EXCERPT: usize = 120;
/// How many keys are suggested for one that is not there.
const SUGGESTIONS: usize = 3;

/// The notes.
#[derive(Debug, Default)]
pub(super) struct Store {
    notes: BTreeMap<String, Note>,
}

/// What becomes of the text a note already has.
#[derive(Clone, Copy, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    /// It is replaced.
    #[default]
    Replace,
    /// The new text follows it on a line of its own.
    Append,
}

/// What writing did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Written {
    /// There is a new note.
    Created,
    /// There was one.
    Updated,
}

/// A note as lists mention it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Mention {
    /// The note's key.
    key: String,
    /// What it is about.
    tags: Vec<String>,
    /// When it was last written, in RFC 3339.
    updated: String,
    /// The beginning of its text, or the part that was searched for.
    excerpt: String,
}

// === impl Store ===

impl Store {
    /// A store with these notes.
    pub(super) fn with(notes: Vec<Note>) -> Result<Self, String> {
        let mut store = Self::default();
        for note in notes {
            store.insert(note)?;
        }
        Ok(store)
    }

    pub(super) fn notes(&self) -> impl Iterator<Item = &Note> {
        self.notes.values()
    }

    /// Writes a note. Without tags, an existing note keeps its own.
    pub(super) fn set(
        &mut self,
        key: &str,
        text: &str,
        tags: Option<Vec<String>>,
        mode: Mode,
        now: String,
    ) -> Result<(Note, Written), String> {
        let key = checked_key(key)?;
        let before = self.notes.get(&key);
        let tags = match (&tags, before) {
            (Some(tags), _) => checked_tags(tags.iter().map(String::as_str))?,
            (None, Some(before)) => before.tags.clone(),
            (None, None) => Vec::new(),
        };
        let text = match (mode, before) {
            (Mode::Append, Some(before)) => format!("{}\n{text}", before.text),
            _ => text.to_owned(),
        };
        let created = before.map_or_else(|| now.clone(), |before| before.created.clone());
        let written = if before.is_some() { Written::Updated } else { Written::Created };
        let note = Note { key, text, tags, created, updated: now };
        self.insert(note.clone())?;
        Ok((note, written))
    }

    /// The note of this key, or words that help to find it.
    pub(super) fn get(&self, key: &str) -> Result<&Note, String> {
        let key = key.trim();
        self.notes.get(key).ok_or_else(|| {
            let wanted = key.to_lowercase();
            let near = self.notes.keys().filter(|other| !wanted.is_empty() && alike(&other.to_lowercase(), &wanted));
            let near: Vec<&str> = near.take(SUGGESTIONS).map(String::as_str).collect();
            let help = if near.is_empty() {
                "list_notes shows which there are".into()
            } else {
                format!("did you mean {}?", near.join(", "))
            };
            format!("There is no note `{key}`: {help}")
        })
    }

    pub(super) fn delete(&mut self, key: &str) -> bool {
        self.notes.remove(key.trim()).is_some()
    }

    /// Notes that have the tag, where one is given, and whose key begins so.
    pub(super) fn list(&self, tag: Option<&str>, prefix: &str) -> Vec<Mention> {
        let tagged = |note: &&Note| tag.is_none_or(|tag| note.tags.iter().any(|own| own == tag));
        let found = self.notes().filter(|note| note.key.starts_with(prefix)).filter(tagged);
        found.map(|note| Mention::of(note, 0)).collect()
    }

    /// Notes that have every word of `query` in their key, tags or text, without regard to case; the best first.
    pub(super) fn search(&self, query: &str) -> Vec<Mention> {
        let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
        let mut found: Vec<(usize, Mention)> = self
            .notes()
            .filter_map(|note| {
                let (key, tags, text) =
                    (note.key.to_lowercase(), note.tags.join(" ").to_lowercase(), note.text.to_lowercase());
                let score = |word: &String| {
                    let hit = |place: &str, worth: usize| if place.contains(word.as_str()) { worth } else { 0 };
                    Some(hit(&key, 4) + hit(&tags, 2) + hit(&text, 1)).filter(|score| *score > 0)
                };
                let score = words.iter().map(score).sum::<Option<usize>>()?;
                let place = words.iter().filter_map(|word| text.find(word.as_str())).min().unwrap_or(0);
                Some((score, Mention::of(note, text[..place].chars().count())))
            })
            .collect();
        found.sort_by(|(a, _), (b, _)| b.cmp(a));
        found.into_iter().map(|(_, mention)| mention).collect()
    }

    /// All tags in use.
    pub(super) fn tags(&self) -> Vec<String> {
        self.notes().flat_map(|note| note.tags.iter().cloned()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn insert(&mut self, note: Note) -> Result<(), String> {
        if note.text.chars().count() > MAX_TEXT {
            return Err(format!("A note has at most {MAX_TEXT} characters; put the rest into another note"));
        }
        let others: usize = self.notes().filter(|other| other.key != note.key).map(|other| other.text.len()).sum();
        if others + note.text.len() > MAX_TOTAL {
            return Err(format!("All notes together have at most {MAX_TOTAL} bytes; delete some first"));
        }
        if self.notes.len() >= MAX_NOTES && !self.notes.contains_key(&note.key) {
            return Err(format!("There are at most {MAX_NOTES} notes; delete some first"));
        }
        self.notes.insert(note.key.clone(), note);
        Ok(())
    }
}

fn alike(one: &str, other: &str) -> bool {
    one.contains(other) || other.contains(one)
}

// === impl Mention ===

impl Mention {
    /// The excerpt begins a little before the character `place`.
    fn of(note: &Note, place: usize) -> Self {
        let start = place.saturating_sub(EXCERPT / 4);
        let mut excerpt: String = note.text.chars().skip(start).take(EXCERPT).collect();
        if start > 0 {
            excerpt.insert(0, '…');
        }
        if note.text.chars().nth(start + EXCERPT).is_some() {
            excerpt.push('…');
        }
        Self { key: note.key.clone(), tags: note.tags.clone(), updated: note.updated.clone(), excerpt }
    }
}
