//! One server with SQLite, killed again and again.

use dintorni::storage::{
    Address,
    sql::{SqlConfig, open},
};

use super::{
    node::{Node, doors},
    recount::{Copies, must_balance, must_tell_the_walk, recount},
    storm::Storm,
    world::World,
};

const SEED: u64 = 0x00d1_4701;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_eight_times_it_offers_nothing_twice_and_loses_nothing() {
    let data = tempfile::tempdir().expect("a directory");
    let mut node = Node::start(data.path(), &[]).await;
    let operator = node.operator().await;
    let world = World::build(node.channel(), operator).await;
    let mut storm = Storm::start(&world, &doors(&[&node]), SEED, 30).await;
    for moment in storm.moments(8, SEED) {
        storm.reached(moment).await;
        node.crash().await;
    }
    let phones = storm.over().await;
    must_tell_the_walk(&phones);
    node.crash().await;
    let phones = recount(phones, Copies::Sound).await;
    node.stop().await;
    node.must_be_sound();

    let url = Address::new(format!("sqlite:{}", data.path().join("dintorni.db").display()));
    let sql = open(&SqlConfig { url, ..SqlConfig::default() }).await.expect("nobody has it open");
    must_balance(&sql, &phones).await;
    sql.close().await;
}
