//! What a server leaves behind when it was asked to stop.

use super::{node::Node, world::World};

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
