//! The profile caches under test: memory, and the shared Redis server.

use std::sync::Arc;

use dintorni::{
    domain::time::Timestamp,
    ports::Clock,
    storage::{
        Address,
        memory::{MemoryCache, MemoryConfig},
        redis::{RedisCache, RedisConfig},
    },
};

use super::{samples::at, servers::shared_redis};

/// A clock that stands still.
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        at(0)
    }
}

pub fn memory() -> Arc<MemoryCache> {
    Arc::new(MemoryCache::new(&MemoryConfig::default(), Arc::new(Still)))
}

/// With a budget that a busy test machine keeps; the default is for production.
pub fn redis_config(port: u16) -> RedisConfig {
    RedisConfig { url: Address::new(format!("redis://127.0.0.1:{port}")), timeout_ms: 5_000, ..RedisConfig::default() }
}

pub async fn redis() -> Arc<RedisCache> {
    let server = tokio::task::spawn_blocking(shared_redis).await.expect("Redis starts");
    Arc::new(RedisCache::connect(&redis_config(server.port)).await.expect("a sound address"))
}
