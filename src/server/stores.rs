//! Opens the stores that the settings name.

use std::{os::unix::fs::DirBuilderExt, path::Path, sync::Arc};

use anyhow::Context;

use super::{Ports, install_tls, meters};
use crate::{
    app::sharing::Sharing,
    clock::SystemEntropy,
    config::Config,
    ports::{Clock, ProfileCache},
    storage::{
        Address,
        memory::MemoryCache,
        redis::RedisCache,
        sql::{self, SqlConfig},
    },
    telemetry::Meter,
};

/// The file of the embedded database, within the data directory.
const EMBEDDED: &str = "dintorni.db";

/// The stores, going by `clock`, with real randomness. Makes the data directory.
pub async fn open_stores(config: &Config, clock: Arc<dyn Clock>) -> anyhow::Result<Ports> {
    let entropy = Arc::new(SystemEntropy::new().ok().context("the system gives no random numbers")?);
    let data_dir = &config.server.data_dir;
    make_private(data_dir).with_context(|| format!("the directory {} cannot be made", data_dir.display()))?;
    install_tls();
    let sql = sql::open(&database(config)).await?;
    let (cache, cache_meters) = open_cache(config, clock.clone()).await?;
    let meters = [meters::of_sql(&sql), cache_meters].concat();
    let (records, coupons, ledger, history) = (sql.clone(), sql.clone(), sql.clone(), sql.clone());
    let (receipts, catalog, database, sharing) = (sql.clone(), sql.clone(), sql, sharing(config));
    Ok(Ports { records, coupons, ledger, history, receipts, catalog, cache, sharing, clock, entropy, meters, database })
}

/// SQLite's file is open to one server alone.
fn sharing(config: &Config) -> Sharing {
    match (database(config).is_embedded(), config.redis.url.reveal().is_empty()) {
        (true, _) => Sharing::Alone,
        (false, false) => Sharing::ByCache,
        (false, true) => Sharing::Unseen,
    }
}

/// The settings of the database, with the embedded one's address if none is set.
pub fn database(config: &Config) -> SqlConfig {
    let mut storage = config.storage.clone();
    storage.longest_call = config.server.guard().stream_timeout;
    if storage.url.reveal().is_empty() {
        storage.url = Address::new(format!("sqlite:{}", config.server.data_dir.join(EMBEDDED).display()));
    }
    storage
}

/// Redis if it is named, else this process's memory.
async fn open_cache(config: &Config, clock: Arc<dyn Clock>) -> anyhow::Result<(Arc<dyn ProfileCache>, Vec<Meter>)> {
    if config.redis.url.reveal().is_empty() {
        let cache = Arc::new(MemoryCache::new(&config.memory, clock));
        let counts = cache.clone();
        return Ok((cache, meters::of_cache(move || counts.counts())));
    }
    let cache = Arc::new(RedisCache::connect(&config.redis).await?);
    let counts = cache.clone();
    Ok((cache, meters::of_cache(move || counts.counts())))
}

/// Nobody but the server's user may look into it: it holds what people did, and secrets. One that is there stays as it is,
/// for what must be private in it is so by itself.
fn make_private(directory: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}
