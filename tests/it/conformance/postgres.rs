//! What only PostgreSQL promises: it may go and come back, and is not used up by those who list.

use std::{sync::Arc, time::Duration};

use dintorni::ports::{CatalogStore, Committed, CountQuery, Receipts, ReceiptsOf, Records, StoreError};
use sqlx::{ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use tokio::task::JoinSet;

use crate::support::{
    databases::{self, Database},
    samples::{app, at, campaign_name, person},
};

async fn connected(database: &Database) -> PgConnection {
    let options: PgConnectOptions = database.config.url.reveal().parse().expect("sound");
    options.connect().await.expect("connected")
}

/// Cuts every connection to the database, as a restart of the server does.
async fn cut(database: &Database) {
    let mut admin = connected(database).await;
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    sqlx::query(sql).execute(&mut admin).await.expect("cut");
    admin.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_were_cut_are_replaced() {
    let database = databases::postgres().await;
    let ada = person(&app(), "ada");
    assert_eq!(database.sql.commit(ada.writes(1)).await.expect("done"), Committed::Done);
    cut(&database).await;
    // Each dead connection is found at most once, and says that trying again may help.
    let mut faults = 0;
    loop {
        match database.sql.commit(ada.writes(2)).await {
            Ok(result) => break assert_eq!(result, Committed::Done, "a commit that failed did nothing"),
            Err(StoreError::Unavailable(_)) => faults += 1,
            Err(other) => panic!("{other}"),
        }
        assert!(faults <= database.config.connections);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_that_take_long_keep_nobody_else_waiting() {
    let database = databases::postgres().await;
    let (mut one, mut other) = (connected(&database).await, connected(&database).await);
    // Whoever counts waits for this.
    let mut held = one.begin().await.expect("begun");
    sqlx::query("LOCK TABLE decision IN ACCESS EXCLUSIVE MODE").execute(&mut *held).await.expect("locked");
    let query = CountQuery {
        of: ReceiptsOf::Everybody,
        campaign: campaign_name("coffee"),
        store: None,
        from: None,
        until: None,
        now: at(0),
    };
    let mut counting = JoinSet::new();
    for _ in 0..2 * database.config.connections {
        let (sql, query) = (Arc::clone(&database.sql), query.clone());
        counting.spawn(async move { sql.verdicts(&query).await });
    }
    const WAITING: &str = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let waiting = async {
        while sqlx::query_scalar::<_, i64>(WAITING).fetch_one(&mut other).await.expect("read") < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("two count, and wait for the table");
    let head = tokio::time::timeout(Duration::from_secs(2), database.sql.head()).await;
    assert_eq!(head.expect("at once").expect("read"), 0);
    held.rollback().await.expect("unlocked");
}

#[tokio::test]
async fn transactions_are_counted_by_how_they_ended() {
    let database = databases::postgres().await;
    let ada = person(&app(), "ada");
    let counts = || (database.sql.counts().transactions, database.sql.counts().failed);
    assert_eq!(database.sql.commit(ada.writes(1)).await.expect("done"), Committed::Done);
    assert_eq!(database.sql.commit(ada.writes(1)).await.expect("refused"), Committed::Stale);
    assert_eq!(counts(), (1, 0), "what is undone no disk confirms");
    database.sql.close().await;
    database.sql.commit(ada.writes(2)).await.expect_err("there is no connection");
    assert_eq!(counts(), (1, 1));
}
