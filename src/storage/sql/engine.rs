//! The two engines: where a statement reads, and how a change is made durable.
//!
//! Laws: a caller who goes away leaves either the whole change or nothing; every wait for PostgreSQL is bounded. What may go
//! through much is bounded and has connections of its own, so that pings and the polls of the record never wait for it.

use std::{
    fs::File,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use sqlx::{Acquire, PgPool, Postgres, Sqlite, SqliteConnection, SqlitePool, Transaction, pool::PoolConnection};

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

/// Longest list or count, however many statements it takes: less than a statement may take by the server's own limit, so
/// that whoever asked is told what to do, and not that the database is away.
const LONGEST_LIST: Duration = Duration::from_secs(4);
/// SQLite's steps from one look at whether somebody waits for a list to the next: about a millisecond.
const STEPS: i32 = 10_000;

pub enum Engine {
    Sqlite(SqliteEngine),
    Postgres(PostgresEngine),
}

pub struct SqliteEngine {
    pub read: SqlitePool,
    /// For what may go through much, and the ledger's proof: nobody's ping waits for these.
    pub lists: SqlitePool,
    pub writer: Writer,
    /// Held as long as the file is open, so that no second server opens it.
    pub lock: File,
}

pub struct PostgresEngine {
    pub pool: PgPool,
    /// For what may go through much, and the ledger's proof: nobody's ping waits for these.
    pub lists: PgPool,
    pub counters: Arc<Counters>,
}

/// A connection for reading; each statement sees what was committed before it.
pub enum Reader {
    Sqlite(PoolConnection<Sqlite>),
    /// Whose statement ends with the reader.
    Lister {
        conn: PoolConnection<Sqlite>,
        _stop: Stop,
    },
    Postgres(PoolConnection<Postgres>),
}

/// Ends whatever statement runs when it is dropped: SQLite's own thread would go on for whoever does not wait any more.
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Each reader brings a handler of its own, which is set once the statement before it has ended.
    async fn of(conn: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        let is_over = Arc::new(AtomicBool::new(false));
        let stop = Stop(is_over.clone());
        conn.lock_handle().await?.set_progress_handler(STEPS, move || !is_over.load(Relaxed));
        Ok(stop)
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

impl Reader {
    async fn lister(mut conn: PoolConnection<Sqlite>) -> Result<Self, sqlx::Error> {
        let stop = Stop::of(&mut conn).await?;
        Ok(Reader::Lister { conn, _stop: stop })
    }

    pub fn conn(&mut self) -> Conn<'_> {
        match self {
            Reader::Sqlite(conn) | Reader::Lister { conn, .. } => Conn::Sqlite(conn, &[]),
            Reader::Postgres(conn) => Conn::Postgres(conn, TRANSACTION),
        }
    }
}

/// A transaction for reading: all of its statements see what was committed before the first.
pub enum Snapshot {
    Sqlite(Transaction<'static, Sqlite>),
    /// Whose statement ends with the snapshot.
    Aside {
        // First, so that a statement that runs is not waited for.
        _stop: Stop,
        transaction: Transaction<'static, Sqlite>,
    },
    /// And how long a statement may take.
    Postgres(Transaction<'static, Postgres>, Duration),
}

impl Snapshot {
    async fn aside(lists: &SqlitePool) -> Result<Self, sqlx::Error> {
        let mut transaction = lists.begin().await?;
        let stop = Stop::of(&mut transaction).await?;
        Ok(Snapshot::Aside { _stop: stop, transaction })
    }

    pub fn conn(&mut self) -> Conn<'_> {
        match self {
            Snapshot::Sqlite(transaction) | Snapshot::Aside { transaction, .. } => Conn::Sqlite(transaction, &[]),
            Snapshot::Postgres(transaction, longest) => Conn::Postgres(transaction, *longest),
        }
    }
}

impl Engine {
    /// Begins to read everything as it is now; each of its statements may take so long.
    pub async fn snapshot(&self, longest: Duration) -> Result<Snapshot, StoreError> {
        match self {
            Engine::Sqlite(sqlite) => sqlite.read.begin().await.map(Snapshot::Sqlite).map_err(store_error),
            Engine::Postgres(postgres) => snapshot(&postgres.pool, longest).await,
        }
    }

    /// The same by a connection of those for lists, for what goes through everything.
    pub async fn snapshot_aside(&self, longest: Duration) -> Result<Snapshot, StoreError> {
        match self {
            Engine::Sqlite(sqlite) => Snapshot::aside(&sqlite.lists).await.map_err(store_error),
            Engine::Postgres(postgres) => snapshot(&postgres.lists, longest).await,
        }
    }

    pub async fn reader(&self) -> Result<Reader, StoreError> {
        let reader = match self {
            Engine::Sqlite(sqlite) => sqlite.read.acquire().await.map(Reader::Sqlite),
            Engine::Postgres(postgres) => postgres.pool.acquire().await.map(Reader::Postgres),
        };
        reader.map_err(store_error)
    }

    /// A connection for reading what may be much; see [`in_time`].
    pub async fn lister(&self) -> Result<Reader, StoreError> {
        match self {
            Engine::Sqlite(sqlite) => {
                let conn = sqlite.lists.acquire().await.map_err(store_error)?;
                Reader::lister(conn).await.map_err(store_error)
            }
            Engine::Postgres(postgres) => postgres.lists.acquire().await.map(Reader::Postgres).map_err(store_error),
        }
    }

    /// Makes a change durable; SQLite's go through the one writer, PostgreSQL's each have their own transaction.
    pub async fn write<C: Change>(&self, change: C) -> Result<C::Output, StoreError> {
        match self {
            Engine::Sqlite(sqlite) => sqlite.writer.write(change).await,
            Engine::Postgres(PostgresEngine { pool, counters, .. }) => {
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
                sqlite.lists.close().await;
                if let Some(last) = last {
                    close_last(last).await;
                }
                if let Err(fault) = sqlite.lock.unlock() {
                    tracing::warn!(%fault, "the SQLite file's lock was not released");
                }
            }
            Engine::Postgres(postgres) => {
                postgres.pool.close().await;
                postgres.lists.close().await;
            }
        }
    }
}

async fn snapshot(pool: &PgPool, longest: Duration) -> Result<Snapshot, StoreError> {
    const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    let begun = tokio::time::timeout(TRANSACTION, pool.begin_with(BEGIN)).await;
    let begun = begun.map_err(|_| StoreError::Unavailable("a transaction did not begin".to_owned()))?;
    let mut begun = begun.map_err(store_error)?;
    let (limit, mut conn) = (longest.as_millis().to_string(), Conn::Postgres(&mut begun, TRANSACTION));
    conn.row("SELECT set_config('statement_timeout', $1, true)", values![&*limit]).await?;
    Ok(Snapshot::Postgres(begun, longest))
}

/// The result of reading what may be much, unless there is too much.
pub async fn in_time<T>(reading: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout(LONGEST_LIST, reading).await.unwrap_or(Err(StoreError::TooMuch(LONGEST_LIST)))
}

async fn transact<C: Change>(pool: PgPool, change: C, counters: Arc<Counters>) -> Result<C::Output, StoreError> {
    let result = on_connection(&pool, &change).await;
    counters.transaction(result.as_ref().map(|(_, is_kept)| *is_kept));
    result.map(|(output, _)| output)
}

async fn on_connection<C: Change>(pool: &PgPool, change: &C) -> Result<(C::Output, bool), StoreError> {
    let mut conn = pool.acquire().await.map_err(store_error)?;
    let Ok(result) = tokio::time::timeout(TRANSACTION, in_transaction(&mut conn, change)).await else {
        // Nobody knows what it is still doing: the server ends the transaction when the connection goes.
        conn.close_on_drop();
        return Err(StoreError::Unavailable("the transaction took too long".to_owned()));
    };
    result
}

/// What the change says, and whether it is kept.
async fn in_transaction<C: Change>(
    conn: &mut PoolConnection<Postgres>,
    change: &C,
) -> Result<(C::Output, bool), StoreError> {
    let mut transaction = conn.begin().await.map_err(store_error)?;
    match change.apply(&mut Conn::Postgres(&mut transaction, TRANSACTION)).await? {
        Outcome::Keep(output) => transaction.commit().await.map(|()| (output, true)).map_err(store_error),
        Outcome::Undo(output) => transaction.rollback().await.map(|()| (output, false)).map_err(store_error),
    }
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::SqlitePoolOptions;

    use super::*;

    #[tokio::test]
    async fn a_statement_ends_with_whoever_waits_for_it() {
        const ENDLESS: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
        let pool = SqlitePoolOptions::new().max_connections(1).test_before_acquire(false);
        let pool = pool.connect("sqlite::memory:").await.expect("opened");
        for _ in 0..2 {
            let mut lister = Reader::lister(pool.acquire().await.expect("free")).await.expect("free");
            let mut conn = lister.conn();
            let endless = conn.rows(ENDLESS, &[]);
            assert!(tokio::time::timeout(Duration::from_millis(20), endless).await.is_err());
        }
        let mut snapshot = Snapshot::aside(&pool).await.expect("free again");
        let mut conn = snapshot.conn();
        assert!(tokio::time::timeout(Duration::from_millis(20), conn.rows(ENDLESS, &[])).await.is_err());
        drop(snapshot);
        let mut lister = Reader::lister(pool.acquire().await.expect("free again")).await.expect("free");
        let row = lister.conn().row("SELECT 7", &[]).await.expect("no statement of another's is ended");
        assert_eq!(row.expect("one").get::<i64>(0).expect("a number"), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_too_much_is_said() {
        let never = in_time(std::future::pending::<Result<(), StoreError>>()).await;
        assert!(matches!(never, Err(StoreError::TooMuch(LONGEST_LIST))));
    }
}
