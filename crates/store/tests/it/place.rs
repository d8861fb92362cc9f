//! An empty place for a store, of either kind, and the words of the tests.

use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tempfile::TempDir;
use toolgate_store::{Address, Change, Expected, Record, Store};

/// A place that nothing is in yet.
pub(crate) struct Place {
    pub(crate) address: Address,
    /// As [`Address::parse`] reads it.
    pub(crate) text: String,
    _folder: Option<TempDir>,
}

// === impl Place ===

impl Place {
    /// A file in a folder, neither of which is there.
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("sqlite://{}/made/store.db", folder.path().display());
        Self { address: Address::parse(&text).unwrap(), text, _folder: Some(folder) }
    }

    /// A database without tables.
    pub(crate) fn postgres(url: String) -> Self {
        Self { address: Address::parse(&url).unwrap(), text: url, _folder: None }
    }

    pub(crate) async fn open(&self) -> Store {
        Store::open(&self.address).await.unwrap()
    }

    /// Runs SQL behind the store's back.
    pub(crate) async fn sql(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        if self.text.starts_with("sqlite") {
            let mut connection = sqlx::SqliteConnection::connect(&self.text).await.unwrap();
            connection.execute(sql).await.unwrap();
            connection.close().await.unwrap();
        } else {
            let mut connection = sqlx::PgConnection::connect(&self.text).await.unwrap();
            connection.execute(sql).await.unwrap();
            connection.close().await.unwrap();
        }
    }
}

pub(crate) fn put(key: &str, value: &str) -> Change {
    Change { key: key.to_owned(), value: Some(value.to_owned()), expected: Expected::Anything }
}

pub(crate) fn remove(key: &str) -> Change {
    Change { key: key.to_owned(), value: None, expected: Expected::Anything }
}

pub(crate) fn expecting(expected: Expected, change: Change) -> Change {
    Change { expected, ..change }
}

/// Keys, values and versions of records.
pub(crate) fn told(records: &[Record]) -> Vec<(&str, &str, i64)> {
    records.iter().map(|record| (&*record.key, &*record.value, record.version)).collect()
}
