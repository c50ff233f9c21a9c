//! One server with SQLite, killed again and again while phones claim coupons and tills redeem them.

use super::{
    market::{Market, WARES},
    node::{Node, doors},
    storm::Storm,
    tally::tally,
    world::World,
};

const SEED: u64 = 0x00d1_4720;
const TILLS: usize = 20;
const HOLDERS: u8 = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_eight_times_it_redeems_nothing_twice_and_loses_nothing() {
    let data = tempfile::tempdir().expect("a directory");
    let mut node = Node::start(data.path(), &[]).await;
    let operator = node.operator().await;
    let market = Market::open(World::found(node.channel(), operator).await, &WARES).await;
    let doors = doors(&[&node]);
    println!("seed {SEED:#x}");
    let holders = Storm::of(market.holders(HOLDERS, &doors, SEED).await, 5);
    let mut tills = Storm::of(market.tills(TILLS, &doors, SEED), 80);
    for moment in tills.moments(8, SEED) {
        tills.reached(moment).await;
        node.crash().await;
    }
    let (holders, tills) = (holders.over().await, tills.over().await);
    node.crash().await;
    tally(&market, tills, holders).await;
    node.stop().await;
    node.must_be_sound();
}
