//! Opening a database: SQLite by its path, PostgreSQL by its URL.
//!
//! Laws: a database that is open elsewhere (SQLite) or was written by a newer binary is refused with a clear word, and so is
//! the place of one where a restore was cut off: an empty server would look as if all had been lost. A SQLite file is not
//! for everybody's eyes: it holds what people did, and the secret that signs their tokens.

use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use sqlx::{
    ConnectOptions, Connection, PgConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{
    Retention, Sql, SqlConfig,
    conn::Conn,
    counters::Counters,
    engine::{Engine, PostgresEngine, STATEMENT, SqliteEngine},
    error::OpenError,
    schema::bring_up,
    turns::{LISTERS, PROVERS, Turns},
    writer::Writer,
};
use crate::storage::Address;

/// A connection that idled this long is asked whether it still lives before it is used.
const TRUSTED_IDLE: Duration = Duration::from_secs(5);

/// Opens the database, makes or updates its tables, and starts what runs it.
pub async fn open(config: &SqlConfig) -> Result<Arc<Sql>, OpenError> {
    tracing::info!(database = %config.url, "opening");
    let counters = Arc::new(Counters::default());
    let engine = match sqlite_path(&config.url)? {
        Some(path) => open_sqlite(config, path, &counters).await?,
        None => open_postgres(config, &counters).await?,
    };
    Ok(Arc::new(Sql {
        engine,
        keep: Retention::from(config),
        counters,
        swept: Arc::default(),
        turns: Turns::default(),
        longest_call: config.longest_call,
    }))
}

/// Where the SQLite file is; none if the address is PostgreSQL's.
pub fn sqlite_path(url: &Address) -> Result<Option<&Path>, OpenError> {
    match (url.reveal().strip_prefix("sqlite:"), url.reveal().split_once("://")) {
        (Some(path), _) => {
            let path = path.strip_prefix("//").unwrap_or(path);
            let odd = path.is_empty() || path.starts_with(':') || path.contains('?');
            if odd { Err(OpenError::Address(url.clone())) } else { Ok(Some(Path::new(path))) }
        }
        (None, Some(("postgres" | "postgresql", _))) => Ok(None),
        _ => Err(OpenError::Address(url.clone())),
    }
}

async fn open_sqlite(config: &SqlConfig, path: &Path, counters: &Arc<Counters>) -> Result<Engine, OpenError> {
    let lock = lock(path)?;
    if path.symlink_metadata().is_err() && half_restored(path).symlink_metadata().is_ok() {
        return Err(OpenError::CutOff(path.to_owned(), half_restored(path)));
    }
    remove_half_restored(path)?;
    let connect = |fault| OpenError::Connect(config.url.clone(), fault);
    keep_private(path).map_err(|fault| connect(fault.into()))?;
    let file = SqliteConnectOptions::new().filename(path).busy_timeout(STATEMENT);
    let mut writing = file
        .clone()
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        // What was erased is overwritten, not only unlinked: a person must not stay readable in pages that are free.
        .pragma("secure_delete", "ON")
        .connect()
        .await
        .map_err(connect)?;
    let brought = bring_up(&mut Conn::Sqlite(&mut writing, &[])).await;
    brought.map_err(|fault| OpenError::schema(&config.url, fault))?;
    let pool = |connections| {
        let pool = SqlitePoolOptions::new().max_connections(connections).acquire_timeout(STATEMENT);
        pool.test_before_acquire(false).idle_timeout(None).max_lifetime(None)
    };
    let file = file.read_only(true);
    let read = pool(config.connections.max(1)).connect_with(file.clone()).await.map_err(connect)?;
    let lists = pool(LISTERS + PROVERS).connect_with(file).await.map_err(connect)?;
    let writer = Writer::start(writing, config.write_queue, counters.clone());
    Ok(Engine::Sqlite(SqliteEngine { read, lists, writer, lock }))
}

/// Makes the file for its owner alone, as SQLite makes the log and the index then; SQLite would make it for everybody. Of
/// files that are there only what everybody may is taken away: a group may be meant.
fn keep_private(path: &Path) -> io::Result<()> {
    let made = File::options().write(true).create_new(true).mode(0o600).open(path);
    made.map(drop).or_else(|fault| if fault.kind() == io::ErrorKind::AlreadyExists { Ok(()) } else { Err(fault) })?;
    for file in [path.to_owned(), beside(path, "-wal"), beside(path, "-shm")] {
        let Ok(mode) = file.metadata().map(|file| file.permissions().mode()) else { continue };
        if mode & 0o007 != 0 && fs::set_permissions(&file, Permissions::from_mode(mode & 0o7770)).is_err() {
            tracing::warn!(file = %file.display(), "everybody on this machine may read or write this file: chmod o= it");
        }
    }
    Ok(())
}

/// The name of what belongs to a file: `dintorni.db-wal`.
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// The copy that a restore makes until it is whole and checked.
pub fn half_restored(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.restoring"))
}

/// Removes what a restore left that was killed, for it holds everybody's data. Whoever has the lock knows that nobody restores
/// the file now.
pub fn remove_half_restored(path: &Path) -> Result<(), OpenError> {
    let half = half_restored(path);
    match fs::remove_file(&half) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(OpenError::Lock(half, cause)),
        _ => Ok(()),
    }
}

/// SQLite's own locks would keep our readers out as well, so the file beside it is locked.
pub fn lock(path: &Path) -> Result<File, OpenError> {
    let beside = beside(path, ".lock");
    let fault = |fault| OpenError::Lock(beside.clone(), fault);
    let file = File::options().create(true).truncate(false).write(true).open(&beside).map_err(fault)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(OpenError::InUse(path.to_owned())),
        Err(std::fs::TryLockError::Error(cause)) => Err(fault(cause)),
    }
}

/// Whether a connection that comes back still answers. The pool asks as well, but waits for ever: a line that hangs would
/// keep its place among the connections until there is none left.
async fn answers(conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let answer = tokio::time::timeout(STATEMENT, conn.ping()).await;
    answer.unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()))).map(|()| true)
}

async fn open_postgres(config: &SqlConfig, counters: &Arc<Counters>) -> Result<Engine, OpenError> {
    let unreadable = |fault: sqlx::Error| OpenError::Unreadable(config.url.clone(), fault.to_string());
    let connect = |fault| OpenError::Connect(config.url.clone(), fault);
    let server = PgConnectOptions::from_str(config.url.reveal()).map_err(unreadable)?.application_name("dintorni");
    // Without the limit on statements: a step of the schema may take its time, or wait for another node's.
    let mut migrating = server.connect().await.map_err(connect)?;
    let brought = bring_up(&mut Conn::Postgres(&mut migrating, STATEMENT)).await;
    brought.map_err(|fault| OpenError::schema(&config.url, fault))?;
    migrating.close().await.map_err(connect)?;
    let limit = STATEMENT.as_millis();
    let server = server.options([
        ("default_transaction_isolation", "read committed".to_owned()),
        ("synchronous_commit", "on".to_owned()),
        ("statement_timeout", limit.to_string()),
        ("idle_in_transaction_session_timeout", (2 * limit).to_string()),
    ]);
    let pool = postgres_pool(config.connections.max(1)).connect_with(server.clone()).await.map_err(connect)?;
    let lists = postgres_pool(LISTERS + PROVERS).connect_lazy_with(server);
    Ok(Engine::Postgres(PostgresEngine { pool, lists, counters: counters.clone() }))
}

fn postgres_pool(connections: u32) -> PgPoolOptions {
    let pool = PgPoolOptions::new().max_connections(connections).acquire_timeout(STATEMENT).test_before_acquire(false);
    let pool = pool.before_acquire(|conn, idle| {
        Box::pin(async move { if idle.idle_for > TRUSTED_IDLE { conn.ping().await.map(|()| true) } else { Ok(true) } })
    });
    pool.after_release(|conn, _| Box::pin(answers(conn)))
}
