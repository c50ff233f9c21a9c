//! The two engines: where a statement reads, and how a change is made durable.
//!
//! Law: a caller who goes away leaves either the whole change or nothing; every wait for PostgreSQL is bounded.

use std::{fs::File, sync::Arc, time::Duration};

use sqlx::{Acquire, PgPool, Postgres, Sqlite, SqlitePool, Transaction, pool::PoolConnection};

use super::{
    change::{Change, Outcome},
    conn::{Conn, values},
    counters::Counters,
    error::store_error,
    writer::{Writer, close_last},
};
use crate::ports::StoreError;

/// Longest wait for a connection, and for one statement, by the server's own clock.
pub const STATEMENT: Duration = Duration::from_secs(5);
/// Longest transaction, and longest statement that reads, for the case that the server is not there to keep its own limit.
const TRANSACTION: Duration = Duration::from_secs(10);

pub enum Engine {
    Sqlite(SqliteEngine),
    Postgres { pool: PgPool, counters: Arc<Counters> },
}

pub struct SqliteEngine {
    pub read: SqlitePool,
    pub writer: Writer,
    /// Held as long as the file is open, so that no second server opens it.
    pub lock: File,
}

/// A connection for reading; each statement sees what was committed before it.
pub enum Reader {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

impl Reader {
    pub fn conn(&mut self) -> Conn<'_> {
        match self {
            Reader::Sqlite(conn) => Conn::Sqlite(conn, &[]),
            Reader::Postgres(conn) => Conn::Postgres(conn, TRANSACTION),
        }
    }
}

/// A transaction for reading: all of its statements see what was committed before the first.
pub enum Snapshot {
    Sqlite(Transaction<'static, Sqlite>),
    /// And how long a statement may take.
    Postgres(Transaction<'static, Postgres>, Duration),
}

impl Snapshot {
    pub fn conn(&mut self) -> Conn<'_> {
        match self {
            Snapshot::Sqlite(transaction) => Conn::Sqlite(transaction, &[]),
            Snapshot::Postgres(transaction, longest) => Conn::Postgres(transaction, *longest),
        }
    }
}

impl Engine {
    /// Begins to read everything as it is now; each of its statements may take so long.
    pub async fn snapshot(&self, longest: Duration) -> Result<Snapshot, StoreError> {
        const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        let mut snapshot = match self {
            Engine::Sqlite(sqlite) => Snapshot::Sqlite(sqlite.read.begin().await.map_err(store_error)?),
            Engine::Postgres { pool, .. } => {
                let begun = tokio::time::timeout(TRANSACTION, pool.begin_with(BEGIN)).await;
                let begun = begun.map_err(|_| StoreError::Unavailable("a transaction did not begin".to_owned()))?;
                Snapshot::Postgres(begun.map_err(store_error)?, longest)
            }
        };
        if let Snapshot::Postgres(begun, _) = &mut snapshot {
            let (limit, mut conn) = (longest.as_millis().to_string(), Conn::Postgres(begun, TRANSACTION));
            conn.row("SELECT set_config('statement_timeout', $1, true)", values![&*limit]).await?;
        }
        Ok(snapshot)
    }

    pub async fn reader(&self) -> Result<Reader, StoreError> {
        let reader = match self {
            Engine::Sqlite(sqlite) => sqlite.read.acquire().await.map(Reader::Sqlite),
            Engine::Postgres { pool, .. } => pool.acquire().await.map(Reader::Postgres),
        };
        reader.map_err(store_error)
    }

    /// Makes a change durable; SQLite's go through the one writer, PostgreSQL's each have their own transaction.
    pub async fn write<C: Change>(&self, change: C) -> Result<C::Output, StoreError> {
        match self {
            Engine::Sqlite(sqlite) => sqlite.writer.write(change).await,
            Engine::Postgres { pool, counters } => {
                // In a task of its own, so that a caller who goes away does not cut a statement in two.
                let task = tokio::spawn(transact(pool.clone(), change, counters.clone()));
                task.await.map_err(|fault| StoreError::Unavailable(fault.to_string()))?
            }
        }
    }

    pub async fn close(&self) {
        match self {
            Engine::Sqlite(sqlite) => {
                let last = sqlite.writer.close().await;
                sqlite.read.close().await;
                if let Some(last) = last {
                    close_last(last).await;
                }
                if let Err(fault) = sqlite.lock.unlock() {
                    tracing::warn!(%fault, "the SQLite file's lock was not released");
                }
            }
            Engine::Postgres { pool, .. } => pool.close().await,
        }
    }
}

async fn transact<C: Change>(pool: PgPool, change: C, counters: Arc<Counters>) -> Result<C::Output, StoreError> {
    let mut conn = pool.acquire().await.map_err(store_error)?;
    let Ok(result) = tokio::time::timeout(TRANSACTION, in_transaction(&mut conn, &change)).await else {
        // Nobody knows what it is still doing: the server ends the transaction when the connection goes.
        conn.close_on_drop();
        counters.transaction(false);
        return Err(StoreError::Unavailable("the transaction took too long".to_owned()));
    };
    counters.transaction(result.is_ok());
    result
}

async fn in_transaction<C: Change>(conn: &mut PoolConnection<Postgres>, change: &C) -> Result<C::Output, StoreError> {
    let mut transaction = conn.begin().await.map_err(store_error)?;
    match change.apply(&mut Conn::Postgres(&mut transaction, TRANSACTION)).await? {
        Outcome::Keep(output) => transaction.commit().await.map(|()| output).map_err(store_error),
        Outcome::Undo(output) => transaction.rollback().await.map(|()| output).map_err(store_error),
    }
}
