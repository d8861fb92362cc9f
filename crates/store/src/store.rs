//! The contract: what a store takes and gives, and how a write goes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::link::{Link, Stop};
use crate::pool::{Pool, Taken};
use crate::{Address, Error, limits, schema, sqlite};

/// How long the database may take for one operation. It ends a statement by itself before that; this is for one that
/// does not answer at all.
const PATIENCE: Duration = Duration::from_secs(15);

/// A store that is open. A clone is another handle of the same one.
#[derive(Clone)]
pub struct Store {
    pool: Arc<Pool>,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its name.
    pub key: String,
    /// Its text.
    pub value: String,
    /// The generation that wrote it last.
    pub version: i64,
    /// Records in the order of their positions are in the order in which they were made. Of no other meaning.
    pub position: i64,
}

/// All records, as they were at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Records {
    /// The number of the last write; 0 when there was none.
    pub generation: i64,
    /// In the order of their keys' bytes.
    pub records: Vec<Record>,
}

/// What a change must find to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A record or none.
    Anything,
    /// No record.
    Nothing,
    /// The record at this version.
    Version(i64),
}

/// One change of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The record's name.
    pub key: String,
    /// Its new text; `None` removes it. Removing what is not there is no error.
    pub value: Option<String>,
    /// What must be there.
    pub expected: Expected,
}

// === impl Store ===

impl Store {
    /// Opens the store, and makes it when it is not there: a file of SQLite with its folder, readable by its owner only; the
    /// tables in Postgres. What an older toolgate made is brought up to date.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Full`] when it cannot be reached or made; [`Error::Foreign`] when what is there is
    /// not a store, is damaged, or was made by a newer toolgate.
    pub async fn open(address: &Address) -> Result<Self, Error> {
        if let Address::Sqlite(path) = address {
            sqlite::make_file(path).await?;
        }
        let pool = Pool::new(address.clone());
        let mut link = pool.take().await?;
        let prepared = patiently(schema::prepare(&mut link)).await;
        finish(link, prepared)?;
        Ok(Self { pool: Arc::new(pool) })
    }

    /// All records, as they are at one moment.
    ///
    /// # Errors
    /// [`Error::Unavailable`], or [`Error::Foreign`] when somebody else has been at it.
    pub async fn read(&self) -> Result<Records, Error> {
        let mut link = self.pool.take().await?;
        let rows = patiently(link.everything()).await;
        finish(link, rows)
    }

    /// The number of the last write. Cheap enough to be asked every second; another number than before, also a lower one
    /// (from a backup), means that [`Store::read`] has news.
    ///
    /// # Errors
    /// As for [`Store::read`].
    pub async fn generation(&self) -> Result<i64, Error> {
        let mut link = self.pool.take().await?;
        let generation = patiently(link.generation()).await;
        finish(link, generation)
    }

    /// Makes all changes in their order, or none, and gives the new generation, which is the version of every record that was
    /// written. Without changes nothing is written, and the generation stays.
    ///
    /// # Errors
    /// [`Error::Conflict`] for the first change that did not find what it expects; [`Error::TooLarge`]; [`Error::Full`];
    /// and as for [`Store::read`]. The one error after which the changes may have been made is an [`Error::Unavailable`]
    /// that says so: the connection was lost while the database was asked to keep them.
    pub async fn write(&self, changes: &[Change]) -> Result<i64, Error> {
        limits::check(changes)?;
        if changes.is_empty() {
            return self.generation().await;
        }
        let mut link = self.pool.take().await?;
        let changed = patiently(change(&mut link, changes)).await;
        let kept = match changed {
            Ok(generation) => patiently(link.commit()).await.map_err(Stop::in_commit).map(|()| generation),
            Err(Stop::Said(error)) => patiently(link.rollback()).await.and(Err(Stop::Said(error))),
            Err(stop) => Err(stop),
        };
        finish(link, kept)
    }

    /// Ends all connections, once they have finished what they do. Every call after that is [`Error::Unavailable`].
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(self.pool.address()).finish()
    }
}

/// A write up to the point where it is kept.
async fn change(link: &mut Link, changes: &[Change]) -> Result<i64, Stop> {
    let generation = link.begin().await? + 1;
    for Change { key, value, expected } in changes {
        let current = link.version(key).await?;
        if !expected.is_met_by(current) {
            return Err(Stop::Said(Error::Conflict { key: key.clone(), current }));
        }
        match value {
            Some(value) => link.put(key, value, generation).await?,
            None => link.remove(key).await?,
        }
    }
    link.advance(generation).await?;
    let (records, bytes) = link.size().await?;
    limits::check_whole(records, bytes).map_err(Stop::Said)?;
    Ok(generation)
}

/// What an operation gives, which must not take longer than [`PATIENCE`].
async fn patiently<T>(operation: impl Future<Output = Result<T, Stop>>) -> Result<T, Stop> {
    timeout(PATIENCE, operation).await.unwrap_or(Err(Stop::Silence))
}

/// Keeps the connection for the next operation if it is as good as before, and says what went wrong in the store's words.
fn finish<T>(link: Taken<'_>, outcome: Result<T, Stop>) -> Result<T, Error> {
    let address = link.address();
    match outcome {
        Ok(value) => {
            link.give_back();
            Ok(value)
        }
        Err(Stop::Said(error)) => {
            link.give_back();
            Err(error)
        }
        // The connection is dropped, and with it whatever was under way on it.
        Err(stop) => Err(stop.told_of(address)),
    }
}

// === impl Expected ===

impl Expected {
    fn is_met_by(self, current: Option<i64>) -> bool {
        match self {
            Self::Anything => true,
            Self::Nothing => current.is_none(),
            Self::Version(version) => current == Some(version),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: &str, value: &str) -> Change {
        Change { key: key.to_owned(), value: Some(value.to_owned()), expected: Expected::Anything }
    }

    /// A store with one record in a folder, whose next write fails as `pragma` has SQLite fail: with the codes that a full and
    /// a read-only disk give, which a test cannot have.
    async fn spoilt(folder: &std::path::Path, pragma: &'static str) -> Store {
        let store = Store::open(&Address::Sqlite(folder.join("store.db"))).await.unwrap();
        store.write(&[put("a", "1")]).await.unwrap();
        let mut link = store.pool.take().await.unwrap();
        link.run(pragma).await.unwrap();
        link.give_back();
        store
    }

    async fn is_as_before(store: &Store) {
        let read = store.read().await.unwrap();
        assert_eq!((read.generation, read.records.len()), (1, 1));
        assert_eq!(store.write(&[put("b", "2")]).await, Ok(2), "once there is space, it goes on");
    }

    #[tokio::test]
    async fn a_full_disk_is_told_as_such_and_nothing_is_half_written() {
        let folder = tempfile::tempdir().unwrap();
        let store = spoilt(folder.path(), "PRAGMA max_page_count = 10").await;
        let large = "x".repeat(limits::VALUE);
        let refused = store.write(&[put("b", "small"), put("c", &large)]).await;
        let Err(Error::Full(text)) = refused else { panic!("{refused:?}") };
        assert!(text.contains("store.db") && text.contains("full") && text.contains("Make space"), "{text}");
        is_as_before(&store).await;
    }

    #[tokio::test]
    async fn a_read_only_disk_is_told_as_such() {
        let folder = tempfile::tempdir().unwrap();
        let store = spoilt(folder.path(), "PRAGMA query_only = ON").await;
        let refused = store.write(&[put("b", "2")]).await;
        let Err(Error::Unavailable(text)) = refused else { panic!("{refused:?}") };
        assert!(text.contains("store.db") && text.contains("readonly"), "{text}");
        is_as_before(&store).await;
    }
}
