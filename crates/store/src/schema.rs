//! The tables, how they came to be step by step, and whose they are.
//!
//! A store knows its schema's version. An older one is brought up to date when it is opened; a newer one is left alone, since
//! what this program would write there may not be what the newer one means.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::link::{Link, Stop};
use crate::{postgres, sqlite};

/// What makes one version of the schema of the one before it, in either database's words.
struct Step {
    sqlite: &'static [&'static str],
    postgres: &'static [&'static str],
}

/// Step n makes version n + 1. A step that was released is never changed: there are stores it has been run on.
const STEPS: [Step; 1] = [Step {
    sqlite: &[
        "PRAGMA application_id = 0x54476174",
        "CREATE TABLE toolgate_meta (one INTEGER PRIMARY KEY CHECK (one = 1), \
         schema_version INTEGER NOT NULL, generation INTEGER NOT NULL) STRICT",
        "INSERT INTO toolgate_meta VALUES (1, 0, 0)",
        "CREATE TABLE toolgate_records (key BLOB NOT NULL PRIMARY KEY, value BLOB NOT NULL, \
         version INTEGER NOT NULL, position INTEGER NOT NULL UNIQUE) STRICT",
    ],
    postgres: &[
        "CREATE TABLE toolgate_meta (one INTEGER PRIMARY KEY CHECK (one = 1), \
         schema_version BIGINT NOT NULL, generation BIGINT NOT NULL)",
        "INSERT INTO toolgate_meta VALUES (1, 0, 0)",
        "CREATE TABLE toolgate_records (key BYTEA PRIMARY KEY, value BYTEA NOT NULL, \
         version BIGINT NOT NULL, position BIGINT NOT NULL UNIQUE)",
    ],
}];

/// How long somebody else may take who is opening the same store.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is tried again. SQLite cannot wait for the lock that a new file's first setting takes.
const AGAIN: Duration = Duration::from_millis(20);

/// Makes the tables, or brings them up to date, or sees that they are.
pub(crate) async fn prepare(link: &mut Link) -> Result<(), Stop> {
    upgrade(link, &STEPS).await
}

async fn upgrade(link: &mut Link, steps: &[Step]) -> Result<(), Stop> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match attempt(link, steps).await {
            Err(Stop::Failed(error)) if sqlite::is_busy(&error) && Instant::now() < deadline => {
                // Whether a transaction was begun before that is not known, and does not matter.
                let _ = link.run("ROLLBACK").await;
                sleep(AGAIN).await;
            }
            outcome => return outcome,
        }
    }
}

async fn attempt(link: &mut Link, steps: &[Step]) -> Result<(), Stop> {
    let newest = steps.len() as i64;
    // Nothing is changed before it is known to be ours or nobody's.
    if let Some(version) = found(link).await? {
        is_known(version, newest)?;
        if version == newest {
            return Ok(());
        }
    }
    match link {
        Link::Sqlite(connection) => sqlite::begin_schema(connection).await?,
        Link::Postgres(connection) => postgres::begin_schema(connection).await?,
    }
    // Somebody else may have been faster.
    let from = found(link).await?.unwrap_or(0);
    is_known(from, newest)?;
    for step in &steps[usize::try_from(from).map_err(|_| damaged())?..] {
        let statements = match link {
            Link::Sqlite(_) => step.sqlite,
            Link::Postgres(_) => step.postgres,
        };
        for statement in statements {
            link.run(statement).await?;
        }
    }
    link.set_schema_version(newest).await?;
    link.commit().await
}

/// The version of the schema that is there; `None` where there is nothing yet.
async fn found(link: &mut Link) -> Result<Option<i64>, Stop> {
    let there = match link {
        Link::Sqlite(connection) => sqlite::is_made(connection).await?,
        Link::Postgres(connection) => postgres::is_made(connection).await?,
    };
    if !there {
        return Ok(None);
    }
    let version = link.schema_version().await?;
    version.map(Some).ok_or_else(damaged)
}

/// Refuses a schema that is newer than this program.
pub(crate) fn check(version: i64) -> Result<(), Stop> {
    is_known(version, STEPS.len() as i64)
}

fn is_known(version: i64, newest: i64) -> Result<(), Stop> {
    if version <= newest {
        return Ok(());
    }
    Err(Stop::Foreign(format!(
        "was made by a newer toolgate: its schema is version {version}, and this one knows {newest}. \
         Run the newer toolgate, or name another store"
    )))
}

/// The store's tables are there, but not what is in them.
pub(crate) fn damaged() -> Stop {
    Stop::Foreign("is damaged: its tables do not hold what toolgate writes there. Restore it from a backup".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Address, Change, Error, Expected, Store};

    #[tokio::test]
    async fn an_older_schema_is_brought_up_to_date_with_what_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let address = Address::Sqlite(folder.path().join("store.db"));
        let store = Store::open(&address).await.unwrap();
        let change = Change { key: "a".to_owned(), value: Some("1".to_owned()), expected: Expected::Nothing };
        store.write(&[change]).await.unwrap();

        let [first] = STEPS;
        const MORE: [&str; 2] =
            ["ALTER TABLE toolgate_records ADD COLUMN note BLOB", "UPDATE toolgate_records SET note = value"];
        let second = Step { sqlite: &MORE, postgres: &[] };
        let mut link = Link::connect(&address).await.unwrap();
        let steps = [first, second];
        upgrade(&mut link, &steps).await.unwrap();
        upgrade(&mut link, &steps).await.unwrap();
        let Link::Sqlite(connection) = &mut link else { unreachable!("it is a file") };
        let rows: Vec<(i64, Vec<u8>, Vec<u8>)> =
            sqlx::query_as("SELECT schema_version, value, note FROM toolgate_meta, toolgate_records")
                .fetch_all(&mut **connection)
                .await
                .unwrap();
        assert_eq!(rows, [(2, b"1".to_vec(), b"1".to_vec())]);
        // To this program, that is a newer one's.
        assert!(matches!(store.read().await, Err(Error::Foreign(_))));
    }
}
