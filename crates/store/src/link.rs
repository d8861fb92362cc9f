//! One connection to either database, and the store's statements, which are the same for both.
//!
//! Keys and values are bytes in the database, not text: then they are kept as they are whatever the database's encoding and
//! collation, and the order of keys is the order of their bytes in both.

use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, Executor as _};

use crate::store::{Record, Records};
use crate::{Address, Error, postgres, schema, sqlite};

/// What the store knows of itself, in the one row of its first table.
const HEAD: &str = "SELECT schema_version, generation FROM toolgate_meta WHERE one = 1";
/// The same, and nobody else may write until the transaction ends. SQLite has been locked at its beginning.
const HEAD_HELD: &str = "SELECT schema_version, generation FROM toolgate_meta WHERE one = 1 FOR UPDATE";
const SCHEMA_VERSION: &str = "SELECT schema_version FROM toolgate_meta WHERE one = 1";
const SET_SCHEMA_VERSION: &str = "UPDATE toolgate_meta SET schema_version = $1 WHERE one = 1";
const ADVANCE: &str = "UPDATE toolgate_meta SET generation = $1 WHERE one = 1";
/// One statement sees one moment, so this needs no transaction.
const EVERYTHING: &str = "SELECT m.schema_version, m.generation, r.key, r.value, r.version, r.position \
     FROM toolgate_meta m LEFT JOIN toolgate_records r ON TRUE WHERE m.one = 1 ORDER BY r.key";
const VERSION: &str = "SELECT version FROM toolgate_records WHERE key = $1";
const PUT: &str = "INSERT INTO toolgate_records (key, value, version, position) \
     VALUES ($1, $2, $3, (SELECT COALESCE(MAX(position), 0) + 1 FROM toolgate_records)) \
     ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = excluded.version";
const REMOVE: &str = "DELETE FROM toolgate_records WHERE key = $1";
const SIZE: &str = "SELECT COUNT(*), COALESCE(SUM(length(key) + length(value)), 0) FROM toolgate_records";

/// One connection. Dropped, it ends, and with it a transaction that was not committed.
pub(crate) enum Link {
    Sqlite(Box<SqliteConnection>),
    Postgres(Box<PgConnection>),
}

/// Why an operation did not come to its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The store has decided so, and the connection is as good as before.
    Said(Error),
    /// What lies there is no store that this program can use; how so, as the end of a sentence about it.
    Foreign(String),
    /// The database or the way to it failed.
    Failed(sqlx::Error),
    /// No answer in time.
    Silence,
    /// One of the last two while a transaction was being committed: it may have been, or not.
    InCommit(String),
}

/// A row of [`EVERYTHING`]: schema version and generation, and a record if there is one.
type Row = (i64, i64, Option<Vec<u8>>, Option<Vec<u8>>, Option<i64>, Option<i64>);

/// The same code for the connection of either kind.
macro_rules! on {
    ($link:expr, $connection:ident => $code:expr) => {
        match $link {
            Link::Sqlite($connection) => $code,
            Link::Postgres($connection) => $code,
        }
    };
}

// === impl Link ===

impl Link {
    pub(crate) async fn connect(address: &Address) -> Result<Self, Stop> {
        match address {
            Address::Sqlite(path) => Ok(Self::Sqlite(Box::new(sqlite::connect(path).await?))),
            Address::Postgres(url) => Ok(Self::Postgres(Box::new(postgres::connect(url).await?))),
        }
    }

    pub(crate) async fn ping(&mut self) -> Result<(), sqlx::Error> {
        on!(self, c => c.ping().await)
    }

    pub(crate) async fn close(self) -> Result<(), sqlx::Error> {
        on!(self, c => c.close().await)
    }

    /// Runs a statement that has neither parameters nor rows.
    pub(crate) async fn run(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        on!(self, c => c.execute(sql).await.map(|_| ()))
    }

    /// Begins a transaction that alone may write, and gives the generation it begins from.
    pub(crate) async fn begin(&mut self) -> Result<i64, Stop> {
        match self {
            Self::Sqlite(_) => {
                self.run("BEGIN IMMEDIATE").await?;
                self.head(HEAD).await
            }
            Self::Postgres(_) => {
                self.run("BEGIN").await?;
                self.head(HEAD_HELD).await
            }
        }
    }

    pub(crate) async fn commit(&mut self) -> Result<(), Stop> {
        Ok(self.run("COMMIT").await?)
    }

    pub(crate) async fn rollback(&mut self) -> Result<(), Stop> {
        Ok(self.run("ROLLBACK").await?)
    }

    pub(crate) async fn generation(&mut self) -> Result<i64, Stop> {
        self.head(HEAD).await
    }

    /// The generation, from a database that is of our schema: another gateway may have migrated it since it was opened.
    async fn head(&mut self, sql: &'static str) -> Result<i64, Stop> {
        let head: Option<(i64, i64)> = on!(self, c => sqlx::query_as(sql).fetch_optional(&mut **c).await?);
        let (version, generation) = head.ok_or_else(schema::damaged)?;
        schema::check(version)?;
        Ok(generation)
    }

    /// The version of the schema, whichever it is, from tables that are there.
    pub(crate) async fn schema_version(&mut self) -> Result<Option<i64>, Stop> {
        Ok(on!(self, c => sqlx::query_scalar(SCHEMA_VERSION).fetch_optional(&mut **c).await?))
    }

    pub(crate) async fn set_schema_version(&mut self, version: i64) -> Result<(), Stop> {
        on!(self, c => { sqlx::query(SET_SCHEMA_VERSION).bind(version).execute(&mut **c).await?; });
        Ok(())
    }

    pub(crate) async fn everything(&mut self) -> Result<Records, Stop> {
        let rows: Vec<Row> = on!(self, c => sqlx::query_as(EVERYTHING).fetch_all(&mut **c).await?);
        let (version, generation, ..) = rows.first().ok_or_else(schema::damaged)?;
        schema::check(*version)?;
        let generation = *generation;
        let records = rows.into_iter().filter_map(record).collect::<Result<_, Stop>>()?;
        Ok(Records { generation, records })
    }

    /// The version of a record, if there is one.
    pub(crate) async fn version(&mut self, key: &str) -> Result<Option<i64>, Stop> {
        Ok(on!(self, c => sqlx::query_scalar(VERSION).bind(key.as_bytes()).fetch_optional(&mut **c).await?))
    }

    pub(crate) async fn put(&mut self, key: &str, value: &str, version: i64) -> Result<(), Stop> {
        on!(self, c => {
            let put = sqlx::query(PUT).bind(key.as_bytes()).bind(value.as_bytes()).bind(version);
            put.execute(&mut **c).await?;
        });
        Ok(())
    }

    pub(crate) async fn remove(&mut self, key: &str) -> Result<(), Stop> {
        on!(self, c => { sqlx::query(REMOVE).bind(key.as_bytes()).execute(&mut **c).await?; });
        Ok(())
    }

    pub(crate) async fn advance(&mut self, generation: i64) -> Result<(), Stop> {
        on!(self, c => { sqlx::query(ADVANCE).bind(generation).execute(&mut **c).await?; });
        Ok(())
    }

    /// How many records there are, and how many bytes they have.
    pub(crate) async fn size(&mut self) -> Result<(i64, i64), Stop> {
        Ok(on!(self, c => sqlx::query_as(SIZE).fetch_one(&mut **c).await?))
    }
}

/// The record of a row; `None` in the one row that stands for no record.
fn record((_, _, key, value, version, position): Row) -> Option<Result<Record, Stop>> {
    let text = |bytes| String::from_utf8(bytes).map_err(|_| schema::damaged());
    let (key, value, version, position) = (key?, value?, version?, position?);
    Some(text(key).and_then(|key| Ok(Record { key, value: text(value)?, version, position })))
}

// === impl Stop ===

impl Stop {
    /// What this means when it happens in `COMMIT`.
    pub(crate) fn in_commit(self) -> Self {
        match self {
            Self::Failed(error) if !is_refusal(&error) => Self::InCommit(error.to_string()),
            Self::Silence => Self::InCommit("no answer".to_owned()),
            stop => stop,
        }
    }

    /// The same in the words of the store.
    pub(crate) fn told_of(self, address: &Address) -> Error {
        match (self, address) {
            (Self::Said(error), _) => error,
            (Self::Failed(error), Address::Sqlite(_)) => sqlite::tell(&error, address),
            (Self::Failed(error), Address::Postgres(_)) => postgres::tell(&error, address),
            (Self::Foreign(how), _) => Error::Foreign(format!("the store at {address} {how}")),
            (Self::Silence, _) => Error::Unavailable(format!("the store at {address} does not answer. Try again")),
            (Self::InCommit(cause), _) => Error::Unavailable(format!(
                "the store at {address} failed while it was keeping a write ({cause}): \
                 it is not known whether the write happened. Read again before you repeat it"
            )),
        }
    }
}

/// Whether the database itself says that it has not done what it was asked.
fn is_refusal(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return false };
    postgres::is_refusal(&**error).unwrap_or_else(|| sqlite::is_refusal(&**error))
}

impl From<sqlx::Error> for Stop {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error)
    }
}
