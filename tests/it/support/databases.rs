//! A fresh database for a test: a SQLite file, or a database of the shared PostgreSQL server.

use std::{
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use dintorni::{
    domain::time::Timestamp,
    ports::{Past, Records},
    storage::{
        Address,
        sql::{Sql, SqlConfig, open},
    },
};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, postgres::PgConnectOptions};
use tempfile::TempDir;

use super::servers::shared_postgres;

/// An open database and what must live as long as it.
pub struct Database {
    pub sql: Arc<Sql>,
    pub config: SqlConfig,
    _dir: Option<TempDir>,
}

impl Database {
    async fn new(url: String, dir: Option<TempDir>) -> Self {
        let config = SqlConfig { url: Address::new(url), connections: 4, ..SqlConfig::default() };
        let sql = open(&config).await.expect("a fresh database opens");
        Self { sql, config, _dir: dir }
    }

    /// Sweeps everything once; returns how many rows that were.
    pub async fn sweep(&self, now: Timestamp, most: u32) -> u64 {
        sweep(&*self.sql, now, most).await
    }

    /// Opened again to keep what decisions are made of for so many days.
    pub async fn keeping_inputs(mut self, days: u32) -> Self {
        self.config.replay_days = days;
        self.reopen().await
    }

    /// Closes it and opens it again, as a restart does.
    pub async fn reopen(mut self) -> Self {
        self.sql.close().await;
        self.sql = open(&self.config).await.expect("it opens again");
        self
    }
}

/// Does what the server does from time to time, once; returns how many rows that were.
pub async fn sweep(records: &dyn Records, now: Timestamp, most: u32) -> u64 {
    let mut rows = 0;
    for past in Past::ALL {
        rows += records.sweep(past, now, most).await.expect("swept");
    }
    rows
}

pub async fn sqlite() -> Database {
    let dir = TempDir::new().expect("a temporary directory");
    let url = format!("sqlite:{}", dir.path().join("dintorni.db").display());
    Database::new(url, Some(dir)).await
}

pub async fn postgres() -> Database {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let server = tokio::task::spawn_blocking(shared_postgres).await.expect("PostgreSQL starts");
    let url = |database: &str| format!("postgres://postgres@127.0.0.1:{}/{database}", server.port);
    let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let options = PgConnectOptions::from_str(&url("postgres")).expect("sound");
    let mut admin = options.connect().await.expect("PostgreSQL answers");
    let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
    sqlx::query(create).execute(&mut admin).await.expect("a database is made");
    admin.close().await.expect("closed");
    Database::new(url(&name), None).await
}
