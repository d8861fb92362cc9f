//! The tables, how they came to be step by step, and whose they are.
//!
//! A store knows its schema's version. An older one is brought up to date when it is opened; a newer one is left alone, since
//! what this program would write there may not be what the newer one means.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::link::{Link, Stop};
use crate::{Error, postgres, sqlite};

/// What makes one version of the schema of the one before it, in either database's words.
struct Step {
    sqlite: &'static [&'static str],
    postgres: &'static [&'static str],
}

/// Step n makes version n + 1. A step that was released is never changed: there are stores it has been run on.
const STEPS: [Step; 1] = [Step {
    sqlite: &[
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

const VERSION: &str = "SELECT schema_version FROM toolgate_meta WHERE one = 1";
const SET_VERSION: &str = "UPDATE toolgate_meta SET schema_version = $1 WHERE one = 1";

/// How long somebody else may take who is opening the same store.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is tried again. SQLite cannot wait for the lock that a new file's first setting takes.
const AGAIN: Duration = Duration::from_millis(20);

/// Makes the tables, or brings them up to date, or sees that they are.
pub(crate) async fn prepare(link: &mut Link) -> Result<(), Stop> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match attempt(link).await {
            Err(Stop::Failed(error)) if sqlite::is_busy(&error) && Instant::now() < deadline => {
                // Whether a transaction was begun before that is not known, and does not matter.
                let _ = link.run("ROLLBACK").await;
                sleep(AGAIN).await;
            }
            outcome => return outcome,
        }
    }
}

async fn attempt(link: &mut Link) -> Result<(), Stop> {
    // Nothing is changed before it is known to be ours or nobody's.
    if let Some(version) = found(link).await? {
        check(version)?;
        if version == newest() {
            return Ok(());
        }
    }
    match link {
        Link::Sqlite(connection) => sqlite::begin_schema(connection).await?,
        Link::Postgres(connection) => postgres::begin_schema(connection).await?,
    }
    // Somebody else may have been faster.
    let from = found(link).await?.unwrap_or(0);
    check(from)?;
    for step in &STEPS[usize::try_from(from).map_err(|_| damaged())?..] {
        let statements = match link {
            Link::Sqlite(_) => step.sqlite,
            Link::Postgres(_) => step.postgres,
        };
        for statement in statements {
            link.run(statement).await?;
        }
    }
    match link {
        Link::Sqlite(c) => drop(sqlx::query(SET_VERSION).bind(newest()).execute(&mut **c).await?),
        Link::Postgres(c) => drop(sqlx::query(SET_VERSION).bind(newest()).execute(&mut **c).await?),
    }
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
    let version: Option<i64> = match link {
        Link::Sqlite(c) => sqlx::query_scalar(VERSION).fetch_optional(&mut **c).await?,
        Link::Postgres(c) => sqlx::query_scalar(VERSION).fetch_optional(&mut **c).await?,
    };
    version.map(Some).ok_or_else(damaged)
}

/// The version that this program makes and understands.
fn newest() -> i64 {
    STEPS.len() as i64
}

/// Refuses a schema that is newer than this program.
pub(crate) fn check(version: i64) -> Result<(), Stop> {
    if version <= newest() {
        return Ok(());
    }
    Err(Stop::Said(Error::Foreign(format!(
        "the store was made by a newer toolgate: its schema is version {version}, and this one knows {}. \
         Run the newer toolgate, or name another store",
        newest()
    ))))
}

/// The store's tables are there, but not what is in them.
pub(crate) fn damaged() -> Stop {
    let message = "the store is damaged: its tables do not hold what toolgate writes there. Restore it from a backup";
    Stop::Said(Error::Foreign(message.to_owned()))
}
