//! What is particular to SQLite: the file, whose it is, and what its errors mean.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteError, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Executor as _};

use crate::link::Stop;
use crate::{Address, Error};

/// Marks a file as ours, as SQLite means its application id to be used: "TGat". The first step of the schema sets it.
const APPLICATION: i64 = 0x5447_6174;
/// How long somebody else's lock is waited for.
const BUSY: Duration = Duration::from_secs(5);

/// Makes the file when it is not there, before SQLite does, which would let everybody read it. Its companions (`-wal`,
/// `-shm`) get their rights from it.
///
/// A file that is there is not opened: SQLite's locks are the process's, and closing a file gives up all of them.
pub(crate) async fn make_file(path: &Path) -> Result<(), Error> {
    let unmade = |what: &Path, error: &std::io::Error| {
        let message = format!("the store at sqlite:{} cannot be made: {}: {error}", path.display(), what.display());
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Error::Full(message),
            _ => Error::Unavailable(message),
        }
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let mut builder = tokio::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        builder.mode(0o700);
        builder.create(folder).await.map_err(|error| unmade(folder, &error))?;
    }
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    match options.open(path).await {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(unmade(path, &error)),
        _ => Ok(()),
    }
}

/// Which file it is that has a name: its device and number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileId(u64, u64);

/// The file at an address, where there is one. On Windows a file that is open is neither removed nor replaced.
pub(crate) async fn file_id(address: &Address) -> Option<FileId> {
    #[cfg(unix)]
    if let Address::Sqlite(path) = address {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = tokio::fs::metadata(path).await.ok()?;
        return Some(FileId(metadata.dev(), metadata.ino()));
    }
    let _ = address;
    None
}

/// Connects to a file that is there. Nothing in it is changed by this.
pub(crate) async fn connect(path: &Path) -> Result<SqliteConnection, Stop> {
    let path: PathBuf = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .busy_timeout(BUSY)
        .synchronous(SqliteSynchronous::Full)
        // A file is data: no function that something in it names is run.
        .pragma("trusted_schema", "OFF")
        .disable_statement_logging();
    Ok(options.connect().await?)
}

/// Whether the tables are there; a file that is somebody else's is refused.
pub(crate) async fn is_made(connection: &mut SqliteConnection) -> Result<bool, Stop> {
    // One statement, so that a store which is being made is seen with both or with neither.
    let asked = "SELECT (SELECT application_id FROM pragma_application_id), (SELECT COUNT(*) FROM sqlite_schema)";
    let (application, tables): (i64, i64) = sqlx::query_as(asked).fetch_one(connection).await?;
    match (application, tables) {
        (APPLICATION, _) => Ok(true),
        (0, 0) => Ok(false),
        _ => Err(Stop::Foreign(
            "is a database of SQLite, but not toolgate's. Name another file; this one was not touched".to_owned(),
        )),
    }
}

/// Begins the transaction in which the tables are made or changed.
pub(crate) async fn begin_schema(connection: &mut SqliteConnection) -> Result<(), Stop> {
    // Readers and a writer do not wait for each other. Where it cannot be had (a network's file system), the older way is as
    // durable, and SQLite goes on with that.
    connection.execute("PRAGMA journal_mode = WAL").await?;
    connection.execute("BEGIN IMMEDIATE").await?;
    Ok(())
}

/// Whether somebody else has the lock.
pub(crate) fn is_busy(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return false };
    matches!(code(&**error), Some(5 | 6))
}

/// Whether a failed `COMMIT` is known not to have happened: not when the disk failed while it was written.
pub(crate) fn is_refusal(error: &dyn DatabaseError) -> bool {
    code(error) != Some(10)
}

/// The kind of an error of SQLite, without the particulars that its upper bits hold.
fn code(error: &dyn DatabaseError) -> Option<i32> {
    let code = error.try_downcast_ref::<SqliteError>()?.code()?;
    Some(code.parse::<i32>().ok()? & 0xff)
}

/// An error in the store's words. <https://sqlite.org/rescode.html>
pub(crate) fn tell(error: &sqlx::Error, address: &Address) -> Error {
    let sqlx::Error::Database(cause) = error else {
        return Error::Unavailable(format!("the store at {address} cannot be used: {error}"));
    };
    let said = cause.message();
    match code(&**cause) {
        Some(13) => Error::Full(format!("the store at {address} cannot grow: {said}. Make space on the disk")),
        Some(5 | 6) => Error::Unavailable(format!(
            "the store at {address} is locked: another program has been writing to it for {BUSY:?} ({said}). Try again"
        )),
        Some(8) => Error::Unavailable(format!(
            "the store at {address} cannot be written: {said}. The file, its folder or the disk is read-only for this user"
        )),
        Some(11 | 26) => Error::Foreign(format!(
            "the file at {address} is not a store of toolgate, or it is damaged: {said}. \
             Name another file, or restore it from a backup"
        )),
        // A statement that does not fit the tables.
        Some(1) => {
            Error::Foreign(format!("the tables of the store at {address} are not as toolgate makes them: {said}"))
        }
        Some(14) => Error::Unavailable(format!(
            "the store at {address} cannot be opened: {said}. The file or its folder is gone or may not be read"
        )),
        _ => Error::Unavailable(format!("the store at {address} cannot be used: {said}")),
    }
}
