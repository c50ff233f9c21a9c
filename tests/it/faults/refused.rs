//! What a server refuses to start on, and how it says so.

use std::path::Path;

use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};

use super::{
    node::{Node, command},
    process::Process,
};

/// Exit code of a command that failed.
const FAILED: i32 = 1;

async fn fails_to_start(data: &Path) -> String {
    let mut process = Process::start(&command(data, &[])).await;
    assert_eq!(process.ended().await, FAILED, "{}", process.said());
    process.said()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_file_serves_one_server() {
    let data = tempfile::tempdir().expect("a directory");
    let mut first = Node::start(data.path(), &[]).await;
    let said = fails_to_start(data.path()).await;
    assert!(said.contains("stop it first") && said.contains("dintorni.db"), "{said}");
    // The first is not disturbed, and its death frees the file.
    first.operator().await;
    first.crash().await;
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_cannot_be_handed_over_is_not_made() {
    let data = tempfile::tempdir().expect("a directory");
    let in_its_way = data.path().join("operator.key.new");
    std::fs::create_dir(&in_its_way).expect("made");
    let said = fails_to_start(data.path()).await;
    assert!(said.contains("operator.key.new cannot be written"), "{said}");
    std::fs::remove_dir(&in_its_way).expect("removed");
    let mut node = Node::start(data.path(), &[]).await;
    assert!(node.operator().await.starts_with("dk_"), "{}", node.said());
    assert!(!in_its_way.exists(), "one file has it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_a_newer_binary_is_left_alone() {
    let data = tempfile::tempdir().expect("a directory");
    Node::start(data.path(), &[]).await.stop().await;
    let file = data.path().join("dintorni.db");
    let mut database = SqliteConnectOptions::new().filename(&file).connect().await.expect("it opens");
    let step = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        SELECT 9999, 'of tomorrow', success, checksum, 0 FROM _sqlx_migrations LIMIT 1";
    sqlx::query(step).execute(&mut database).await.expect("written");
    database.close().await.expect("closed");
    let before = std::fs::read(&file).expect("read");

    let said = fails_to_start(data.path()).await;
    assert!(said.contains("written by a newer binary") && said.contains("9999"), "{said}");
    assert_eq!(std::fs::read(&file).expect("read"), before, "nothing was changed");
}
