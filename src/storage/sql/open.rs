//! Opening a database: SQLite by its path, PostgreSQL by its URL.
//!
//! Law: a database that is open elsewhere (SQLite) or was written by a newer binary is refused with a clear word.

use std::{fs::File, path::Path, str::FromStr, sync::Arc, time::Duration};

use sqlx::{
    ConnectOptions, Connection,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{
    Retention, Sql, SqlConfig,
    counters::Counters,
    engine::{Engine, STATEMENT, SqliteEngine},
    error::OpenError,
    schema::migrator,
    writer::Writer,
};

/// A connection that idled this long is asked whether it still lives before it is used.
const TRUSTED_IDLE: Duration = Duration::from_secs(5);

/// Opens the database, makes or updates its tables, and starts what runs it.
pub async fn open(config: &SqlConfig) -> Result<Arc<Sql>, OpenError> {
    let counters = Arc::new(Counters::default());
    let url = config.url.reveal();
    let engine = match (url.strip_prefix("sqlite:"), url.split_once("://")) {
        (Some(path), _) => open_sqlite(config, path.strip_prefix("//").unwrap_or(path), &counters).await?,
        (None, Some(("postgres" | "postgresql", _))) => open_postgres(config, &counters).await?,
        _ => return Err(OpenError::Address(config.url.clone())),
    };
    Ok(Arc::new(Sql { engine, keep: Retention::from(config), counters }))
}

async fn open_sqlite(config: &SqlConfig, path: &str, counters: &Arc<Counters>) -> Result<Engine, OpenError> {
    if path.is_empty() || path.starts_with(':') || path.contains('?') {
        return Err(OpenError::Address(config.url.clone()));
    }
    let lock = lock(Path::new(path))?;
    let connect = |fault| OpenError::Connect(config.url.clone(), fault);
    let file = SqliteConnectOptions::new().filename(path).busy_timeout(STATEMENT);
    let mut writing = file
        .clone()
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .connect()
        .await
        .map_err(connect)?;
    migrator().run(&mut writing).await.map_err(|fault| OpenError::schema(&config.url, fault))?;
    let pool = SqlitePoolOptions::new()
        .max_connections(config.connections.max(1))
        .acquire_timeout(STATEMENT)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None);
    let read = pool.connect_with(file.read_only(true)).await.map_err(connect)?;
    let writer = Writer::start(writing, config.write_queue, counters.clone());
    Ok(Engine::Sqlite(SqliteEngine { read, writer, lock }))
}

/// SQLite's own locks would keep our readers out as well, so the file beside it is locked.
fn lock(path: &Path) -> Result<File, OpenError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let fault = |fault| OpenError::Lock(Path::new(&beside).to_owned(), fault);
    let file = File::options().create(true).truncate(false).write(true).open(&beside).map_err(fault)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(OpenError::InUse(path.to_owned())),
        Err(std::fs::TryLockError::Error(cause)) => Err(fault(cause)),
    }
}

async fn open_postgres(config: &SqlConfig, counters: &Arc<Counters>) -> Result<Engine, OpenError> {
    let unreadable = |fault: sqlx::Error| OpenError::Unreadable(config.url.clone(), fault.to_string());
    let connect = |fault| OpenError::Connect(config.url.clone(), fault);
    let server = PgConnectOptions::from_str(config.url.reveal()).map_err(unreadable)?.application_name("dintorni");
    // Without the limit on statements: a step of the schema may take its time, or wait for another node's.
    let mut migrating = server.connect().await.map_err(connect)?;
    migrator().run(&mut migrating).await.map_err(|fault| OpenError::schema(&config.url, fault))?;
    migrating.close().await.map_err(connect)?;
    let limit = STATEMENT.as_millis();
    let server = server.options([
        ("default_transaction_isolation", "read committed".to_owned()),
        ("synchronous_commit", "on".to_owned()),
        ("statement_timeout", limit.to_string()),
        ("idle_in_transaction_session_timeout", (2 * limit).to_string()),
    ]);
    let pool = PgPoolOptions::new()
        .max_connections(config.connections.max(1))
        .acquire_timeout(STATEMENT)
        .test_before_acquire(false)
        .before_acquire(|conn, idle| {
            Box::pin(
                async move { if idle.idle_for > TRUSTED_IDLE { conn.ping().await.map(|()| true) } else { Ok(true) } },
            )
        });
    let pool = pool.connect_with(server).await.map_err(connect)?;
    Ok(Engine::Postgres { pool, counters: counters.clone() })
}
