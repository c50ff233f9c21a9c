//! One server with SQLite, killed again and again while phones claim coupons and tills redeem them.

use super::{
    market::{Codes, Market, WARES, Ware},
    node::{Node, doors},
    storm::Storm,
    tally::tally,
    world::World,
};

const SEED: u64 = 0x00d1_4720;
const HOLDERS: u8 = 8;
/// One campaign without a limit, so that each of its codes is redeemed in the end.
const ONE: [Ware; 1] = [Ware { id: "umbrella", codes: Codes::Drawn, in_each: None, in_all: None }];

/// So many tills and phones, each with so many turns; the server is killed so often meanwhile. Returns how many
/// redemptions stand when all is counted.
async fn killed(wares: &'static [Ware], kills: usize, tills: (usize, usize), holders: (u8, usize)) -> usize {
    let data = tempfile::tempdir().expect("a directory");
    let mut node = Node::start(data.path(), &[]).await;
    let operator = node.operator().await;
    let market = Market::open(World::found(node.channel(), operator).await, wares).await;
    let doors = doors(&[&node]);
    println!("seed {SEED:#x}");
    let mut claiming = Storm::of(market.holders(holders.0, &doors, SEED).await, holders.1);
    claiming.reached(1).await;
    let mut storm = Storm::of(market.tills(tills.0, &doors, SEED), tills.1);
    for moment in storm.moments(kills, SEED) {
        storm.reached(moment).await;
        node.crash().await;
    }
    let (holders, tills) = (claiming.over().await, storm.over().await);
    node.crash().await;
    let live = tally(&market, tills, holders).await;
    node.stop().await;
    node.must_be_sound();
    live
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_eight_times_it_redeems_nothing_twice_and_loses_nothing() {
    killed(&WARES, 8, (20, 80), (HOLDERS, 5)).await;
}

/// For each round the server is killed once, there are a thousand attempts, and ten codes to redeem.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: DINTORNI_STORM_ROUNDS says how many rounds, if not 100"]
async fn in_a_long_storm_each_code_is_redeemed_exactly_once() {
    let rounds = std::env::var("DINTORNI_STORM_ROUNDS").map_or(100, |rounds| rounds.parse().expect("a number"));
    let live = killed(&ONE, rounds, (40, rounds * 25), (25, rounds.div_ceil(5) * 2)).await;
    assert_eq!(live, rounds.div_ceil(5) * 50);
}
