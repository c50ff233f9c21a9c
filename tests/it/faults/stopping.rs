//! What a server says before it serves, and what it leaves behind when it is asked to stop.

use std::net::TcpListener;

use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};

use super::{
    node::{Node, command},
    process::Process,
    world::World,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_has_stopped_leaves_one_file_with_everything_in_it() {
    let data = tempfile::tempdir().expect("a directory");
    let mut node = Node::start(data.path(), &[]).await;
    let operator = node.operator().await;
    World::build(node.channel(), operator).await;
    let log = data.path().join("dintorni.db-wal");
    assert!(log.metadata().expect("there").len() > 0, "while it runs");
    node.stop().await;
    assert!(!log.exists(), "whoever copies the file may not know of a log");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_database_does_not_answer_says_so_and_stops_when_asked() {
    let (data, mute) = (tempfile::tempdir().expect("a directory"), TcpListener::bind("127.0.0.1:0").expect("free"));
    let address = mute.local_addr().expect("bound");
    let url = ("storage.url".to_owned(), format!("postgres://ada:secret@{address}/dintorni"));
    let mut process = Process::start(&command(data.path(), &[url])).await;
    process.line(&["opening", &format!("postgres://***@{address}/dintorni")]).await;
    process.signal("TERM");
    assert_eq!(process.ended().await, 0, "{}", process.said());
    assert!(process.said().contains("stopped"), "{}", process.said());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_version_says_which_tables_it_changes() {
    let data = tempfile::tempdir().expect("a directory");
    Node::start(data.path(), &[]).await.stop().await;
    let file = SqliteConnectOptions::new().filename(data.path().join("dintorni.db"));
    let mut database = file.connect().await.expect("it opens");
    // As the version before the step that made this index left it, but for what came later.
    let before = "DROP INDEX hold_account; DELETE FROM _sqlx_migrations WHERE version = 6";
    sqlx::raw_sql(before).execute(&mut database).await.expect("changed");
    database.close().await.expect("closed");
    let node = Node::start(data.path(), &[]).await;
    assert!(node.said().contains("changing tables, step 1 of 1"), "{}", node.said());
}
