//! What only PostgreSQL promises: it may go and come back.

use dintorni::ports::{Committed, Records, StoreError};
use sqlx::{ConnectOptions, Connection, postgres::PgConnectOptions};

use crate::support::{
    databases::{self, Database},
    samples::{app, person},
};

/// Cuts every connection to the database, as a restart of the server does.
async fn cut(database: &Database) {
    let options: PgConnectOptions = database.config.url.reveal().parse().expect("sound");
    let mut admin = options.connect().await.expect("connected");
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
