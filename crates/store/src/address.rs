//! Where a store lies, as people write it: `sqlite:///var/lib/toolgate/store.db` or `postgres://user:password@host/database`.
//!
//! A URL of Postgres has a password in it more often than not. So it is read and checked once, here, and what shows itself
//! afterwards, in `Display` as in `Debug`, is host, port and database.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

/// The parameters that a URL of Postgres may have: those that sqlx 0.9 reads. It logs any other one with its value, which
/// may be a secret under a misspelt name; here an unknown one is an error.
const PARAMETERS: [&str; 19] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "options[",
];

/// Where a store lies. Shown without user, password and parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A file of SQLite, which is made when it is not there.
    Sqlite(PathBuf),
    /// A database of Postgres, which must be there; its tables are made.
    Postgres(PostgresUrl),
}

/// A URL of Postgres that was checked. It shows its host, port and database only.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    url: String,
    shown: String,
}

// === impl Address ===

impl Address {
    /// Reads `sqlite:///absolute/path`, `sqlite:relative/path`, or `postgres://…` (also `postgresql://…`).
    ///
    /// # Errors
    /// A sentence that says what is wrong and what is meant; it never repeats the text, which may have a password in it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(format!("this is no address of a store: {MEANT}"));
        };
        match scheme {
            "sqlite" => sqlite(rest).map(Self::Sqlite),
            "postgres" | "postgresql" => PostgresUrl::parse(text).map(Self::Postgres),
            _ => Err(format!("a store is kept in SQLite or Postgres and nothing else: {MEANT}")),
        }
    }
}

const MEANT: &str =
    "write `sqlite:///absolute/path`, `sqlite:relative/path` or `postgres://user:password@host:port/database`";

fn sqlite(rest: &str) -> Result<PathBuf, String> {
    let path = match rest.strip_prefix("//") {
        Some(absolute) if absolute.starts_with('/') => without_slash_before_drive(absolute),
        Some(_) => {
            return Err("a path after `sqlite://` begins with a slash, so there are three of them: \
                `sqlite:///absolute/path`; a relative one is written `sqlite:relative/path`"
                .to_owned());
        }
        None => rest,
    };
    if path.is_empty() || path.ends_with('/') {
        return Err(format!("a store of SQLite is a file, and this names none: {MEANT}"));
    }
    if path.starts_with(':') {
        return Err("a store in memory would forget everything with the process; name a file".to_owned());
    }
    if path.contains(['?', '\0']) {
        return Err("a store of SQLite takes no parameters, and its path has no `?` in it".to_owned());
    }
    Ok(PathBuf::from(path))
}

/// `/C:/folder/file` as Windows means it.
fn without_slash_before_drive(path: &str) -> &str {
    let bytes = path.as_bytes();
    let has_drive = bytes.len() > 2 && bytes[1].is_ascii_alphabetic() && bytes[2] == b':';
    if cfg!(windows) && has_drive { &path[1..] } else { path }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) if path.is_absolute() => write!(f, "sqlite://{}", path.display()),
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => f.write_str(&url.shown),
        }
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }
}

// === impl PostgresUrl ===

impl PostgresUrl {
    fn parse(url: &str) -> Result<Self, String> {
        if !url.contains("://") {
            return Err("a URL of Postgres begins with `postgres://`".to_owned());
        }
        if url.contains('#') {
            return Err("a `#` in a user or password of a URL is written `%23`".to_owned());
        }
        let parameters = url.split_once('?').map_or("", |(_, parameters)| parameters);
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            let name = parameter.split('=').next().unwrap_or_default();
            let known = PARAMETERS.contains(&name) || name.starts_with("options[") || name.starts_with("options%5B");
            if !known {
                // Not the name either: a `?` in a password that is not written `%3F` would have brought us here.
                return Err(format!(
                    "the URL of Postgres has a parameter that is not known; known are {}. \
                     A `?`, `/`, `@` or `&` in a user or password is written %3F, %2F, %40 or %26",
                    PARAMETERS[..18].join(", ")
                ));
            }
        }
        let options = PgConnectOptions::from_str(url).map_err(|error| {
            // What sqlx says of a URL names its part, not its text; of a parameter's value it would name the text.
            let cause = if parameters.is_empty() { format!(" ({error})") } else { String::new() };
            format!(
                "this cannot be read as `postgres://user:password@host:port/database?parameters`{cause}; \
                 a `?`, `/`, `@` or `:` in a user or password is written %3F, %2F, %40 or %3A"
            )
        })?;
        Ok(Self { url: url.to_owned(), shown: shown(&options) })
    }

    /// What to connect with. The environment may fill in what the URL leaves out (`PGPASSWORD`, `PGPASSFILE` and the like).
    pub(crate) fn options(&self) -> Result<PgConnectOptions, sqlx::Error> {
        self.url.parse()
    }
}

/// Built from the parts that are no secret, rather than from the whole without the secret ones.
fn shown(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or_default();
    match options.get_socket() {
        Some(socket) => format!("postgres://{}/{database}", socket.display()),
        None => format!("postgres://{}:{}/{database}", options.get_host(), options.get_port()),
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_by_absolute_and_relative_paths() {
        for (text, path) in [
            ("sqlite:///var/lib/toolgate/store.db", "/var/lib/toolgate/store.db"),
            ("sqlite:/var/store.db", "/var/store.db"),
            ("sqlite:state/store.db", "state/store.db"),
            ("sqlite:///with space/ü.db", "/with space/ü.db"),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!(address, Address::Sqlite(path.into()), "{text}");
            assert_eq!(Address::parse(&address.to_string()).unwrap(), address, "it shows itself as it is written");
        }
    }

    #[test]
    fn what_names_no_store_is_refused_with_what_is_meant() {
        for (text, part) in [
            ("/var/lib/store.db", "no address"),
            ("sqlite://state/store.db", "three of them"),
            ("sqlite:", "names none"),
            ("sqlite:///var/lib/", "names none"),
            ("sqlite::memory:", "forget"),
            ("sqlite:a.db?mode=ro", "no parameters"),
            ("mysql://root:secret@db/toolgate", "SQLite or Postgres"),
            ("postgres:db", "begins with"),
            ("postgres://u:secret@host:port/db", "postgres://user:password@host:port/database"),
            ("postgres://u:sec#secret@host/db", "%23"),
            ("postgres://u:p@host/db?pasword=secret", "not known"),
            ("postgres://u:sec?secret@host/db", "%3F"),
            ("postgres://u:p@host/db?sslmode=secret", "postgres://user:password@host"),
            ("postgres://u:secret%ff@host/db", "postgres://user:password@host"),
        ] {
            let fault = Address::parse(text).unwrap_err();
            assert!(fault.contains(part), "{text}: {fault}");
            assert!(!fault.contains("secret") && !fault.contains("sec#"), "{text}: {fault}");
        }
    }

    #[test]
    fn a_url_shows_neither_user_nor_password_nor_parameters() {
        for (text, shown) in [
            ("postgres://alice:secret@db.example:6432/toolgate", "postgres://db.example:6432/toolgate"),
            ("postgresql://alice:se%40cret@db/tg?sslmode=require", "postgres://db:5432/tg"),
            ("postgres://alice@db/tg?password=secret", "postgres://db:5432/tg"),
            ("postgres://alice:secret@%2Frun%2Fpostgresql/tg", "postgres:///run/postgresql/tg"),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!(address.to_string(), shown);
            let debug = format!("{address:?}");
            assert!(!debug.contains("secret") && !debug.contains("alice"), "{debug}");
        }
    }
}
