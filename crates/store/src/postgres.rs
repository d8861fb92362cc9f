//! What is particular to Postgres: how it is reached and bounded, and what its errors mean.

use sqlx::ConnectOptions as _;
use sqlx::Executor as _;
use sqlx::error::DatabaseError;
use sqlx::postgres::{PgConnection, PgDatabaseError, PgSeverity};

use crate::address::PostgresUrl;
use crate::link::Stop;
use crate::{Address, Error};

/// What the server does with what we began and do not end, in its own words: a statement may not run, wait for a lock, or
/// leave a transaction open for longer. Should this gateway freeze in a write, the others wait for that long and no longer.
const BOUNDS: [(&str, &str); 3] =
    [("statement_timeout", "10s"), ("lock_timeout", "5s"), ("idle_in_transaction_session_timeout", "10s")];

/// Whoever makes the tables holds this lock of the database until they are made. Any number will do that is always the same.
const LOCK: &str = "SELECT pg_advisory_xact_lock(6073201746001)";

/// Connects, and says who it is.
pub(crate) async fn connect(url: &PostgresUrl) -> Result<PgConnection, Stop> {
    let mut options = url.options()?.options(BOUNDS).disable_statement_logging();
    if options.get_application_name().is_none() {
        options = options.application_name("toolgate");
    }
    Ok(options.connect().await?)
}

/// Whether the tables are there: where the user's `search_path` looks, so that an operator can choose a schema.
pub(crate) async fn is_made(connection: &mut PgConnection) -> Result<bool, Stop> {
    // Not `to_regclass` alone, which believes what this session remembers; looking into the catalog's own table makes it
    // hear first what others have made meanwhile.
    let asked = "SELECT COUNT(*) > 0 FROM pg_catalog.pg_class WHERE oid = to_regclass('toolgate_meta')";
    Ok(sqlx::query_scalar(asked).fetch_one(connection).await?)
}

/// Begins the transaction in which the tables are made or changed, which is nobody else's meanwhile.
pub(crate) async fn begin_schema(connection: &mut PgConnection) -> Result<(), Stop> {
    connection.execute("BEGIN").await?;
    connection.execute(LOCK).await?;
    Ok(())
}

/// Whether a failed `COMMIT` is known not to have happened: an error ends the transaction, a server that goes away may have
/// kept it. `None` for errors that are not of Postgres.
pub(crate) fn is_refusal(error: &dyn DatabaseError) -> Option<bool> {
    let error = error.try_downcast_ref::<PgDatabaseError>()?;
    Some(matches!(error.severity(), PgSeverity::Error))
}

/// An error in the store's words. <https://www.postgresql.org/docs/current/errcodes-appendix.html>
pub(crate) fn tell(error: &sqlx::Error, address: &Address) -> Error {
    let sqlx::Error::Database(cause) = error else {
        return Error::Unavailable(format!("the store at {address} cannot be reached: {error}"));
    };
    let said = cause.message();
    let unavailable =
        |advice: &str| Error::Unavailable(format!("the store at {address} cannot be used: {said}. {advice}"));
    let code = cause.code().unwrap_or_default();
    match &*code {
        "53100" => Error::Full(format!("the store at {address} cannot grow: {said}. Make space on the server's disk")),
        "28000" | "28P01" => unavailable("See to the user and password in its URL, and to the server's pg_hba.conf"),
        "3D000" => unavailable("Make the database, or name another; toolgate makes its tables only"),
        "42501" => unavailable("Grant its user the rights to make and to use tables there"),
        "25006" => unavailable("This server takes no writes, perhaps because it is a standby; name the primary"),
        "55P03" | "57014" => unavailable("Somebody else holds its lock or the server is very busy. Try again"),
        _ if code.starts_with("42") || code.starts_with("XX") || code.starts_with("22") => Error::Foreign(format!(
            "the tables of the store at {address} are not as toolgate makes them, or are damaged: {said}. \
             Name another database or schema, or restore it from a backup"
        )),
        _ => unavailable("Try again"),
    }
}
