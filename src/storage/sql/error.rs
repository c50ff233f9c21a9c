//! What the engines' errors mean to a caller, and why a database could not be opened.
//!
//! Law: an error that may pass by itself is `Unavailable`, so that callers may try again; one that will not is `Corrupt`.

use std::path::PathBuf;

use sqlx::{error::DatabaseError, migrate::MigrateError, sqlite::SqliteError};

use crate::{ports::StoreError, storage::Address};

/// Why the database could not be opened; each says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the database address must be sqlite:PATH or postgres://…, was {0}")]
    Address(Address),
    #[error("the database address {0} cannot be read: {1}")]
    Unreadable(Address, String),
    #[error("a server has {0} open: stop it first (one SQLite file serves one server; several need PostgreSQL)")]
    InUse(PathBuf),
    #[error("a restore of {0} was cut off: run dintorni restore again (or remove {1} to begin with an empty database)")]
    CutOff(PathBuf, PathBuf),
    #[error("cannot lock {0}: {1}")]
    Lock(PathBuf, std::io::Error),
    #[error("the database {0} was written by a newer binary (its schema has step {1}): run that or a newer one")]
    Newer(Address, i64),
    #[error("the database {0} cannot be brought to this binary's schema: {1}")]
    Schema(Address, MigrateError),
    #[error("the database {0} cannot be opened: {1}")]
    Connect(Address, sqlx::Error),
}

impl OpenError {
    pub(super) fn schema(address: &Address, cause: MigrateError) -> Self {
        match cause {
            MigrateError::VersionMissing(step) => Self::Newer(address.clone(), step),
            other => Self::Schema(address.clone(), other),
        }
    }
}

/// What an error of either engine means.
pub fn store_error(error: sqlx::Error) -> StoreError {
    use sqlx::Error;
    match &error {
        Error::Database(cause) => database_error(cause.as_ref()),
        Error::Io(_)
        | Error::Tls(_)
        | Error::Protocol(_)
        | Error::PoolTimedOut
        | Error::PoolClosed
        | Error::WorkerCrashed => StoreError::Unavailable(error.to_string()),
        _ => StoreError::Corrupt(error.to_string()),
    }
}

/// What was read is not what we would have written.
pub fn unsound(why: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(why.to_string())
}

fn database_error(cause: &dyn DatabaseError) -> StoreError {
    let code = cause.code().unwrap_or_default();
    let text = format!("{} ({code})", cause.message());
    if cause.try_downcast_ref::<SqliteError>().is_some() {
        return sqlite_error(code.parse().unwrap_or(0), text);
    }
    postgres_error(&code, text)
}

/// By SQLite's result codes; the low byte of an extended code is the code itself.
fn sqlite_error(code: i32, text: String) -> StoreError {
    const BUSY: i32 = 5;
    const LOCKED: i32 = 6;
    const NO_MEMORY: i32 = 7;
    const READ_ONLY: i32 = 8;
    const INTERRUPTED: i32 = 9;
    const IO: i32 = 10;
    const FULL: i32 = 13;
    const CANNOT_OPEN: i32 = 14;
    match code & 0xff {
        FULL => StoreError::Full(text),
        BUSY | LOCKED | NO_MEMORY | READ_ONLY | INTERRUPTED | IO | CANNOT_OPEN => StoreError::Unavailable(text),
        _ => StoreError::Corrupt(text),
    }
}

/// By SQLSTATE: its first two characters are the class.
fn postgres_error(code: &str, text: String) -> StoreError {
    const DISK_FULL: &str = "53100";
    // A standby that was just promoted away from, or one that is starting.
    const READ_ONLY: &str = "25006";
    match (code, code.get(..2).unwrap_or_default()) {
        (DISK_FULL, _) => StoreError::Full(text),
        // Connection lost, serialization and deadlock, resources, locks, shutdown and cancelled statements, I/O.
        (READ_ONLY, _) | (_, "08" | "40" | "53" | "55" | "57" | "58") => StoreError::Unavailable(text),
        _ => StoreError::Corrupt(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_unavailable() {
        let text = String::new;
        assert!(matches!(sqlite_error(5 | (2 << 8), text()), StoreError::Unavailable(_)));
        assert!(matches!(sqlite_error(13, text()), StoreError::Full(_)));
        assert!(matches!(sqlite_error(11, text()), StoreError::Corrupt(_)));
        assert!(matches!(postgres_error("40P01", text()), StoreError::Unavailable(_)));
        assert!(matches!(postgres_error("57014", text()), StoreError::Unavailable(_)));
        assert!(matches!(postgres_error("53100", text()), StoreError::Full(_)));
        assert!(matches!(postgres_error("23505", text()), StoreError::Corrupt(_)));
    }
}
