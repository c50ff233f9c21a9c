//! The loop to beat: it knows the rows beforehand, asks nothing, and writes 64 redemptions a transaction.

use std::{path::Path, time::Instant};

use sqlx::{
    ConnectOptions, Connection, Row, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

const GROUP: usize = 64;
/// Bytes of a profile with one offer, as it is stored.
const STATE: usize = 330;

/// Writes the rows of all redemptions; returns the seconds.
pub async fn write(file: &Path, redemptions: usize) -> f64 {
    let options = SqliteConnectOptions::new().filename(file);
    let options = options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
    let mut conn = options.pragma("secure_delete", "ON").connect().await.expect("it opens");
    let sql = "SELECT id, profile_id FROM offer ORDER BY id";
    let rows = sqlx::query(sql).fetch_all(&mut conn).await.expect("read");
    let offers: Vec<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(offers.len(), redemptions);
    let begun = Instant::now();
    for group in offers.chunks(GROUP) {
        run(&mut conn, "BEGIN IMMEDIATE", &[]).await;
        for (offer, profile) in group {
            redemption(&mut conn, offer, profile).await;
        }
        run(&mut conn, "COMMIT", &[]).await;
    }
    let seconds = begun.elapsed().as_secs_f64();
    conn.close().await.expect("closed");
    seconds
}

async fn redemption(conn: &mut SqliteConnection, offer: &str, profile: &str) {
    let request =
        "INSERT INTO till_request (key_id, request_id, fingerprint, redemption_id, reversed_units, expires_at)
        VALUES ('organizations/acme/keys/tills', $1, $2, $1, 0, 1800000000000000)";
    run(conn, request, &[offer, "01234567890123456789012345678901"]).await;
    let state = "x".repeat(STATE);
    run(conn, "UPDATE profile SET version = 3, state = $2 WHERE id = $1", &[profile, &state]).await;
    run(conn, "UPDATE offer SET redeemed_at = 1790000000000000 WHERE id = $1", &[offer]).await;
    let redemption = "INSERT INTO redemption (id, offer_id, profile_id, campaign_id, store_id, till, till_reference,
            currency, units, instruction, test, accounts, redeemed_at, reversed_units, expires_at)
        VALUES ($1, $1, $2, 'organizations/acme/campaigns/umbrella', 'organizations/acme/stores/one', 'till-1', '',
            'EUR', 500, '5 EUR off', 0, 2, 1790000000000000, 0, 1800000000000000)";
    run(conn, redemption, &[offer, profile]).await;
    let hold = "UPDATE hold SET expires_at = 1800000000000000, lapses_at = NULL WHERE holder_id = $1";
    run(conn, hold, &[offer]).await;
}

async fn run(conn: &mut SqliteConnection, sql: &'static str, values: &[&str]) {
    let mut statement = sqlx::query(sql);
    for value in values {
        statement = statement.bind(*value);
    }
    statement.execute(conn).await.expect("done");
}
