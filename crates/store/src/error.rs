//! Why a store did not do what it was asked. Each text says what happened, where, and what to do; none has a password in it.

/// Why a store did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A change found something else than it expected; nothing of the write happened.
    #[error("{}", conflict(key, *current))]
    Conflict {
        /// The key of the first change that did.
        key: String,
        /// The version that is there; `None` when there is no such record.
        current: Option<i64>,
    },
    /// The store cannot be reached or used at the moment. If it says that the outcome of a write is not known, the write may
    /// have happened; otherwise nothing did.
    #[error("{0}")]
    Unavailable(String),
    /// There is no space left where the store lies; nothing of the write happened.
    #[error("{0}")]
    Full(String),
    /// More than the store takes; the text names the limit.
    #[error("{0}")]
    TooLarge(String),
    /// What lies there is not ours, is damaged, or was made by a newer toolgate.
    #[error("{0}")]
    Foreign(String),
}

fn conflict(key: &str, current: Option<i64>) -> String {
    match current {
        Some(version) => format!(
            "`{key}` is not what was expected: it is there at version {version}. \
             Somebody else has changed it; read it again and decide anew"
        ),
        None => format!("`{key}` is not what was expected: it is not there. Somebody else may have removed it"),
    }
}
