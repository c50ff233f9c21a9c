//! The proof of the ledger from outside of a server: reads the database, whether or not a server runs on it.
//!
//! Law: nothing is written, no table is made or changed; a database that this binary does not know is not judged.

use std::{path::PathBuf, str::FromStr, time::Duration};

use sqlx::{
    ConnectOptions, Connection, PgConnection, SqliteConnection, postgres::PgConnectOptions,
    sqlite::SqliteConnectOptions,
};

use super::{
    audit,
    conn::Conn,
    engine::STATEMENT,
    error::{OpenError, store_error},
    open::sqlite_path,
    schema,
};
use crate::{
    domain::time::Timestamp,
    ports::{LedgerProof, StoreError},
    storage::Address,
};

/// Why there is no proof, one way or the other.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    #[error("there is no database {0}")]
    Missing(PathBuf),
    #[error("{0} is not a Dintorni database")]
    Foreign(Address),
    #[error("{0} was written by a newer binary (its schema has step {1}): use that or a newer one")]
    Newer(Address, i64),
    #[error("{0} was written by an older binary: start the server of this one first")]
    Older(Address),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("{0} cannot be read: {1}")]
    Store(Address, StoreError),
}

/// Reads everything at one moment, which is `at`. The server's changes do not wait; SQLite's log grows meanwhile.
pub async fn prove(database: &Address, at: Timestamp) -> Result<LedgerProof, ProofError> {
    match sqlite_path(database)? {
        Some(path) if !path.is_file() => Err(ProofError::Missing(path.to_owned())),
        Some(path) => {
            let file = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(STATEMENT);
            in_sqlite(file.connect().await.map_err(unreadable(database))?, database, at).await
        }
        None => {
            let wrong = |fault: sqlx::Error| OpenError::Unreadable(database.clone(), fault.to_string());
            let server = PgConnectOptions::from_str(database.reveal()).map_err(wrong)?.application_name("dintorni");
            let connect = |fault| OpenError::Connect(database.clone(), fault);
            in_postgres(server.connect().await.map_err(connect)?, database, at).await
        }
    }
}

async fn in_sqlite(mut conn: SqliteConnection, of: &Address, at: Timestamp) -> Result<LedgerProof, ProofError> {
    let mut snapshot = conn.begin().await.map_err(unreadable(of))?;
    let proof = prove_in(&mut Conn::Sqlite(&mut snapshot, &[]), of, at).await;
    snapshot.rollback().await.map_err(unreadable(of))?;
    conn.close().await.map_err(unreadable(of))?;
    proof
}

async fn in_postgres(mut conn: PgConnection, of: &Address, at: Timestamp) -> Result<LedgerProof, ProofError> {
    const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    let mut snapshot = conn.begin_with(BEGIN).await.map_err(unreadable(of))?;
    let proof = prove_in(&mut Conn::Postgres(&mut snapshot, Duration::MAX), of, at).await;
    snapshot.rollback().await.map_err(unreadable(of))?;
    conn.close().await.map_err(unreadable(of))?;
    proof
}

async fn prove_in(conn: &mut Conn<'_>, of: &Address, at: Timestamp) -> Result<LedgerProof, ProofError> {
    let store = |fault| ProofError::Store(of.clone(), fault);
    let steps = schema::steps(conn).await.map_err(store)?.ok_or_else(|| ProofError::Foreign(of.clone()))?;
    if let Some(step) = steps.iter().find(|step| !schema::knows(**step)) {
        return Err(ProofError::Newer(of.clone(), *step));
    }
    if !schema::is_whole(&steps) {
        return Err(ProofError::Older(of.clone()));
    }
    audit::prove(conn, at).await.map_err(store)
}

fn unreadable(of: &Address) -> impl Fn(sqlx::Error) -> ProofError {
    move |fault| ProofError::Store(of.clone(), store_error(fault))
}
