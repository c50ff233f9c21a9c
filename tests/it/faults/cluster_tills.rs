//! Tills at two nodes that want the same codes and the same limits, while nodes are killed, PostgreSQL restarts, and the
//! lines between them break and hang.

use super::{
    market::{Market, WARES},
    outside::Outside,
    pair::Pair,
    proxy::{Fault, Proxy},
    storm::Storm,
    tally::tally,
    world::World,
};
use crate::support::{
    databases,
    servers::{shared_postgres, shared_redis},
};

const SEED: u64 = 0x00d1_4721;
const TILLS: usize = 20;
const HOLDERS: u8 = 8;
/// Lines that are cut in one storm.
const CUTS: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_restarts_and_nodes_die_and_each_code_is_redeemed_once() {
    let mut postgres = Outside::postgres().await;
    let redis = tokio::task::spawn_blocking(shared_redis).await.expect("Redis starts");
    let url = format!("postgres://postgres@127.0.0.1:{}/postgres", postgres.port);
    // A busy machine is no reason to give Redis up, so that no visit may be missed.
    let mut pair = Pair::start(url, redis.port, &[("redis.timeout_ms", "5000")]).await;
    let market = Market::open(World::found(pair.a.channel(), pair.operator.clone()).await, &WARES).await;
    market.world.is_live(&market.last(), pair.b.channel()).await;
    println!("seed {SEED:#x}");
    let holders = Storm::of(market.holders(HOLDERS, &pair.doors(), SEED).await, 5);
    let mut tills = Storm::of(market.tills(TILLS, &pair.doors(), SEED), 60);
    for (round, moment) in tills.moments(6, SEED).into_iter().enumerate() {
        tills.reached(moment).await;
        match round % 3 {
            0 => pair.a.crash().await,
            1 => pair.b.crash().await,
            _ => {
                postgres.end("QUIT").await;
                postgres.again().await;
            }
        }
    }
    let (holders, tills) = (holders.over().await, tills.over().await);
    tally(&market, tills, holders).await;
    pair.must_be_sound();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_break_at_commits_and_hang_and_each_code_is_redeemed_once() {
    let database = databases::postgres().await;
    let proxy = Proxy::to(shared_postgres().port).await;
    let redis = tokio::task::spawn_blocking(shared_redis).await.expect("Redis starts");
    let url = proxy.before(database.config.url.reveal());
    // A call is given up long before the default, so that the storm goes on soon after a hang.
    let settings = [("redis.timeout_ms", "5000"), ("server.timeout_ms", "1000")];
    let pair = Pair::start(url, redis.port, &settings).await;
    let market = Market::open(World::found(pair.a.channel(), pair.operator.clone()).await, &WARES).await;
    market.world.is_live(&market.last(), pair.b.channel()).await;
    println!("seed {SEED:#x}");
    let holders = market.holders(HOLDERS, &pair.doors(), SEED).await;
    proxy.at_commits(5, [Fault::CutBefore, Fault::CutAfter].into_iter().cycle().take(CUTS));
    let holders = Storm::of(holders, 5);
    let mut tills = Storm::of(market.tills(TILLS, &pair.doors(), SEED), 40);
    tills.reached(tills.turns / 2).await;
    proxy.hang();
    proxy.unheard().await;
    proxy.open();
    let (holders, tills) = (holders.over().await, tills.over().await);
    assert_eq!(proxy.strikes(), CUTS);
    tally(&market, tills, holders).await;
    pair.must_be_sound();
}
