//! Tills at two nodes that want the same codes and the same limits, while nodes are killed and PostgreSQL restarts.

use super::{
    market::{Market, WARES},
    outside::Outside,
    pair::Pair,
    storm::Storm,
    tally::tally,
    world::World,
};
use crate::support::servers::shared_redis;

const SEED: u64 = 0x00d1_4721;
const TILLS: usize = 20;
const HOLDERS: u8 = 8;

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
