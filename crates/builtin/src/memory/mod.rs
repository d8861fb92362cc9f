//! `memory`: a scratch memory of short notes with keys and tags, which are resources too. Kept in this process, or in a file.

mod file;
mod note;
mod store;

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::argument::{Text, Whole};
use crate::call::Halt;
use crate::content::{Contents, Link};
use crate::prompt::Filled;
use crate::resource::{Resources, Template};
use crate::server::{About, Change, Changes, Server, Shelf};
use crate::tool::{Hints, Tool};
use file::Keeper;
use note::{MAX_KEY, MAX_TAG, MAX_TEXT, Note};
use store::{Mention, Mode, Store, Written};

/// The server. Notes are kept in `path`, or in this process alone where there is none.
///
/// Errors: what reading the file fails with; [`io::ErrorKind::InvalidData`] for one that is not ours.
pub(crate) fn server(path: Option<&Path>) -> io::Result<Server> {
    let (keeper, store) = match path {
        Some(path) => Keeper::open(path).map(|(keeper, store)| (Some(keeper), store))?,
        None => (None, Store::default()),
    };
    let changes = Changes::new();
    let memory = Arc::new(Memory { store: Mutex::new(store), keeper, changes: changes.clone() });
    Ok(Server {
        about: About {
            name: "toolgate-memory",
            title: "Memory",
            description: "A scratch memory of short notes with keys and tags.",
            instructions: "A memory for short notes. Before you answer from memory, search it with search_notes; keep what should \
                be remembered with set_note, one subject a note, under a short telling key such as project/deadline. Each note is \
                also a resource, memory://notes/{key}.",
            logs: false,
            varies: false,
        },
        tools: Shelf::new(tools(&memory)),
        prompts: Shelf::new(Vec::new()),
        resources: Some(Box::new(Notes(memory))),
        changes,
    })
}

/// The notes, the file they are kept in, and who is told of changes.
struct Memory {
    store: Mutex<Store>,
    keeper: Option<Keeper>,
    changes: Changes,
}

/// The notes as resources.
struct Notes(Arc<Memory>);

type Key = Text<MAX_KEY>;
type Tag = Text<MAX_TAG>;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Set {
    /// The note's name, short and telling, such as project/deadline. Writing to an existing key changes that note.
    key: Key,
    /// What to remember.
    text: Text<MAX_TEXT>,
    /// What the note is about, to find it by. Left out, an existing note keeps its tags.
    tags: Option<Vec<Tag>>,
    /// Whether the text replaces that of an existing note or is appended to it.
    #[serde(default)]
    mode: Mode,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct One {
    /// The note's key, exactly as it was set.
    key: Key,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct List {
    /// Only notes with this tag.
    tag: Option<Tag>,
    /// Only notes whose key begins so, such as project/.
    #[serde(default)]
    prefix: Key,
    /// The most notes to give.
    #[serde(default = "fifty")]
    limit: Whole<1, 1000>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Search {
    /// Words to look for in keys, tags and texts. A note must have all of them.
    query: Text<200>,
    /// The most notes to give.
    #[serde(default = "fifty")]
    limit: Whole<1, 1000>,
}

fn fifty() -> Whole<1, 1000> {
    Whole(50)
}

/// What was written.
#[derive(Serialize, JsonSchema)]
struct Saved {
    /// Whether the note is new.
    outcome: Written,
    /// The note as it is now.
    note: Note,
    /// The note as a resource.
    uri: String,
}

/// Whether there was something to delete.
#[derive(Serialize, JsonSchema)]
struct Deleted {
    /// The key that was asked for.
    key: String,
    /// Whether a note of this key existed.
    existed: bool,
}

/// Notes that were found.
#[derive(Serialize, JsonSchema)]
struct Found {
    /// The notes, with the beginning of their text or the part that was searched for; get_note gives all of one.
    notes: Vec<Mention>,
    /// How many there are, those beyond the limit included.
    total: usize,
    /// All tags in use.
    tags: Vec<String>,
}

fn tools(memory: &Arc<Memory>) -> Vec<Tool> {
    let (set, get, list, search, delete) =
        (memory.clone(), memory.clone(), memory.clone(), memory.clone(), memory.clone());
    vec![
        Tool::structured(
            "set_note",
            "Write a note",
            "Remembers a text under a key, with tags. Replaces or extends the note that already has this key. Use it when something \
             should be known later.",
            Hints::SETS,
            move |asked: Set, _| set.clone().set(asked),
        ),
        Tool::structured(
            "get_note",
            "Read a note",
            "Gives the whole note of a key. Use search_notes or list_notes to find keys.",
            Hints::READS,
            move |asked: One, _| std::future::ready(get.lock().get(&asked.key).cloned().map_err(Halt::Told)),
        ),
        Tool::structured(
            "list_notes",
            "List notes",
            "Lists notes in order of their keys, all or those with a tag or a common beginning of the key.",
            Hints::READS,
            move |asked: List, _| {
                let store = list.lock();
                let found = store.list(asked.tag.as_deref(), &asked.prefix);
                std::future::ready(Ok(Found::first(found, asked.limit, store.tags())))
            },
        ),
        Tool::structured(
            "search_notes",
            "Search notes",
            "Finds notes by words in their keys, tags and texts, the best match first. Use it to recall what is known about a subject.",
            Hints::READS,
            move |asked: Search, _| {
                let store = search.lock();
                let found = store.search(&asked.query);
                std::future::ready(Ok(Found::first(found, asked.limit, store.tags())))
            },
        ),
        Tool::structured(
            "delete_note",
            "Delete a note",
            "Forgets the note of a key for good. Does nothing when there is none.",
            Hints::SETS,
            move |asked: One, _| delete.clone().delete(asked),
        ),
    ]
}

// === impl Memory ===

impl Memory {
    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn set(self: Arc<Self>, asked: Set) -> Result<Saved, Halt> {
        let tags = asked.tags.map(|tags| tags.into_iter().map(|tag| tag.0).collect());
        let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let (saved, snapshot) = {
            let mut store = self.lock();
            let (note, outcome) = store.set(&asked.key, &asked.text, tags, asked.mode, now).map_err(Halt::Told)?;
            (Saved { uri: note::uri(&note.key), outcome, note }, self.snapshot(&store)?)
        };
        if saved.outcome == Written::Created {
            self.changes.announce(Change::Resources);
        }
        self.changes.announce(Change::Resource(saved.uri.clone()));
        self.keep(snapshot).await?;
        Ok(saved)
    }

    async fn delete(self: Arc<Self>, asked: One) -> Result<Deleted, Halt> {
        let (existed, snapshot) = {
            let mut store = self.lock();
            (store.delete(&asked.key), self.snapshot(&store)?)
        };
        if existed {
            self.changes.announce(Change::Resources);
            self.changes.announce(Change::Resource(note::uri(asked.key.trim())));
            self.keep(snapshot).await?;
        }
        Ok(Deleted { key: asked.key.0, existed })
    }

    fn snapshot(&self, store: &Store) -> Result<Vec<u8>, Halt> {
        match &self.keeper {
            Some(_) => Keeper::snapshot(store).map_err(|error| Halt::internal(&error)),
            None => Ok(Vec::new()),
        }
    }

    async fn keep(&self, snapshot: Vec<u8>) -> Result<(), Halt> {
        let Some(keeper) = &self.keeper else { return Ok(()) };
        let failed =
            |error| Halt::Told(format!("Done for now, but it will be lost, as the file could not be written: {error}"));
        keeper.write(snapshot).await.map_err(failed)
    }
}

// === impl Found ===

impl Found {
    fn first(mut notes: Vec<Mention>, limit: Whole<1, 1000>, tags: Vec<String>) -> Self {
        let total = notes.len();
        notes.truncate(limit.0 as usize);
        Self { notes, total, tags }
    }
}

// === impl Notes ===

impl Resources for Notes {
    fn list(&self) -> Vec<Link> {
        let link = |note: &Note| Link {
            uri: note::uri(&note.key),
            name: note.key.clone(),
            title: note.key.clone(),
            description: if note.tags.is_empty() {
                "A note".into()
            } else {
                format!("A note about {}", note.tags.join(", "))
            },
            mime_type: "text/plain",
            size: Some(note.text.len()),
        };
        self.0.lock().notes().map(link).collect()
    }

    fn templates(&self) -> Vec<Template> {
        vec![Template {
            uri_template: note::URI_TEMPLATE,
            name: "note",
            title: "Note by key",
            description: "The text of the note with this key.",
            mime_type: "text/plain",
        }]
    }

    fn read(&self, uri: &str) -> Option<Contents> {
        let key = note::key_of(uri)?;
        let store = self.0.lock();
        store.get(&key).ok().map(|note| Contents::text(uri, "text/plain", &*note.text))
    }

    fn suggest(&self, template: &str, variable: &str, _: &Filled) -> Option<Vec<String>> {
        let known = template == note::URI_TEMPLATE && variable == "key";
        known.then(|| self.0.lock().notes().map(|note| note.key.clone()).collect())
    }
}

#[cfg(test)]
mod tests;
