//! A terminal that closes while a server runs in it.

use super::node::Node;

/// So long that a stop is still going on when the next signal comes.
const NOTICE: [(&str, &str); 1] = [("server.stop_notice_ms", "1000")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_that_closes_stops_the_server_cleanly() {
    let data = tempfile::tempdir().expect("a directory");
    let mut node = Node::start_under(&["env", "--default-signal=HUP"], data.path(), &NOTICE).await;
    // The kernel tells, and the shell may tell too.
    node.process.signal("HUP");
    node.process.line(&["stopping"]).await;
    node.process.signal("HUP");
    assert_eq!(node.process.ended().await, 0, "{}", node.said());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_to_outlive_the_terminal_does() {
    let data = tempfile::tempdir().expect("a directory");
    let mut node = Node::start_under(&["env", "--ignore-signal=HUP"], data.path(), &NOTICE).await;
    node.process.signal("HUP");
    // Were this the second signal, it would end at once.
    node.stop().await;
}
