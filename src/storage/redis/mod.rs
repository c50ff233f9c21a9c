//! The profile cache that several servers share: Redis.
//!
//! Laws: those of [`ProfileCache`]. A profile is one hash under one key with its name as the hash tag, so a cluster works
//! by design. `r` ranks the copy by (version, soft, confirmed_at) in fixed-width digits, so that scripts compare ranks as
//! text; `p` is the encoded profile, `c` is confirmed_at. An erasure leaves `r` alone, ranked above every copy of its
//! version. A value that cannot be read counts as missing and makes room for the next put.

#![expect(clippy::disallowed_methods, reason = "how long Redis rests is measured, and no decision depends on it")]

mod breaker;
mod config;

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use redis::{
    Client, Cmd, FromRedisValue, RedisError, Script,
    aio::{ConnectionManager, ConnectionManagerConfig},
    io::tcp::TcpSettings,
};
use tokio::time::Instant;

pub use config::{ConnectError, RedisConfig};

use super::{
    cache_counts::{CacheCounters, CacheCounts},
    codec,
};
use crate::{
    domain::{name::ProfileName, profile::Revision, time::Timestamp},
    ports::{CachedProfile, ProfileCache, StoreError},
};
use breaker::Breaker;

/// How long a copy is kept after its last put, in milliseconds: 24 hours.
const KEPT_MS: u64 = 86_400_000;
/// Longest wait for a new connection. Nobody waits for it but the connection itself, and none is replaced before.
const CONNECT: Duration = Duration::from_secs(2);

/// Keeps the copy unless one of the same or a higher rank is held; returns whether it did.
const PUT: &str = r"
    local held = redis.call('HGET', KEYS[1], 'r')
    if held and held >= ARGV[1] then return 0 end
    redis.call('HSET', KEYS[1], 'r', ARGV[1], 'p', ARGV[2], 'c', ARGV[3])
    redis.call('PEXPIRE', KEYS[1], ARGV[4])
    return 1";
/// Leaves the rank of the erasure alone, unless a later erasure is held.
const FORGET: &str = r"
    local held = redis.call('HMGET', KEYS[1], 'r', 'p')
    if held[1] and not held[2] and held[1] >= ARGV[1] then return 0 end
    redis.call('DEL', KEYS[1])
    redis.call('HSET', KEYS[1], 'r', ARGV[1])
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
    return 1";

pub struct RedisCache {
    client: Client,
    settings: ConnectionManagerConfig,
    line: ArcSwap<Line>,
    /// Longest time of one call.
    budget: Duration,
    breaker: Arc<Breaker>,
    put: Script,
    forget: Script,
    counters: CacheCounters,
}

/// A connection to Redis. It connects again by itself when it hears that it was lost, but not when Redis refused to let it
/// in, nor when it hears nothing any more.
struct Line {
    connection: ConnectionManager,
    since: Instant,
}

impl Line {
    fn new(client: Client, settings: ConnectionManagerConfig) -> Result<Self, RedisError> {
        let connection = ConnectionManager::new_lazy_with_config(client, settings)?;
        Ok(Self { connection, since: Instant::now() })
    }
}

impl RedisCache {
    /// Starts to connect and returns at once, even if Redis is away: then calls fail until it is there.
    pub async fn connect(config: &RedisConfig) -> Result<Self, ConnectError> {
        let server = config.server()?;
        // Without it, Nagle's algorithm holds small commands back.
        let server = server.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let client = Client::open(server).map_err(|fault| config.unreadable(&fault))?;
        // No retries of its own: the breaker decides when to try again, and callers shall not wait for retries.
        let settings = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(config.budget()));
        let line = Line::new(client.clone(), settings.clone()).map_err(|fault| config.unreadable(&fault))?;
        let breaker = Arc::<Breaker>::default();
        knock(line.connection.clone(), breaker.clone());
        Ok(Self {
            client,
            settings,
            line: ArcSwap::from_pointee(line),
            budget: config.budget(),
            breaker,
            put: Script::new(PUT),
            forget: Script::new(FORGET),
            counters: CacheCounters::default(),
        })
    }

    pub fn counts(&self) -> CacheCounts {
        self.counters.read()
    }

    /// Runs a call within the budget, or refuses it at once while Redis rests.
    async fn within<T, F>(&self, call: impl FnOnce(ConnectionManager) -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        if !self.breaker.allows(Instant::now()) {
            return Err(self.failed("Redis did not answer just now"));
        }
        let line = self.line.load_full();
        match tokio::time::timeout(self.budget, call(line.connection.clone())).await {
            // Redis answered, if only to say what it thinks of the value or the script.
            Ok(Err(fault)) if fault.code() == Some("WRONGTYPE") => Err(Failure::Undecodable),
            Ok(Err(fault)) => Err(self.failed_on(&line, &fault.to_string())),
            Err(_) => Err(self.failed_on(&line, "Redis took too long")),
            Ok(Ok(value)) => {
                self.breaker.succeeded();
                Ok(value)
            }
        }
    }

    /// Failures in a row may be the line's own: that of a machine that lost power is silent for a quarter of an hour before
    /// the system gives it up. A line that had the time to come up is replaced then, if it was not already.
    fn failed_on(&self, line: &Arc<Line>, why: &str) -> Failure {
        let now = Instant::now();
        if self.breaker.failed(now, &why) && now.duration_since(line.since) >= CONNECT {
            self.replace(line);
        }
        self.failed(why)
    }

    fn replace(&self, line: &Arc<Line>) {
        let Ok(fresh) = Line::new(self.client.clone(), self.settings.clone()).map(Arc::new) else { return };
        let held = self.line.compare_and_swap(line, fresh.clone());
        if Arc::ptr_eq(&held, line) {
            knock(fresh.connection.clone(), self.breaker.clone());
        }
    }

    fn failed(&self, why: &str) -> Failure {
        self.counters.failures.add();
        Failure::Away(StoreError::Unavailable(why.to_owned()))
    }

    async fn run<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Failure> {
        self.within(|mut connection| async move { command.query_async(&mut connection).await }).await
    }

    async fn read(&self, name: &ProfileName) -> Result<Option<CachedProfile>, Failure> {
        let mut command = redis::cmd("HMGET");
        command.arg(key(name)).arg("p").arg("c");
        let (state, confirmed): (Option<Vec<u8>>, Option<Vec<u8>>) = self.run(&command).await?;
        let Some(state) = state else { return Ok(None) };
        let profile = codec::decode(&state).ok().filter(|profile| profile.name == *name);
        let confirmed = confirmed.and_then(|text| str::from_utf8(&text).ok()?.parse().ok());
        let (profile, confirmed) = profile.zip(confirmed).ok_or(Failure::Undecodable)?;
        Ok(Some(CachedProfile { profile: profile.into(), confirmed_at: Timestamp::from_micros(confirmed) }))
    }
}

/// Connects aside, for that may take longer than a call, and tells if Redis does not answer.
fn knock(mut connection: ConnectionManager, breaker: Arc<Breaker>) {
    tokio::spawn(async move {
        if let Err(fault) = redis::cmd("PING").query_async::<()>(&mut connection).await {
            breaker.is_away(&fault);
        }
    });
}

/// Why a value could not be had.
enum Failure {
    Away(StoreError),
    Undecodable,
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Away(fault) => fault,
            Failure::Undecodable => StoreError::Corrupt("a cached profile is of a strange type".to_owned()),
        }
    }
}

#[async_trait]
impl ProfileCache for RedisCache {
    async fn get(&self, name: &ProfileName) -> Result<Option<CachedProfile>, StoreError> {
        let found = self.read(name).await;
        match &found {
            Ok(Some(_)) => self.counters.hits.add(),
            Ok(None) => self.counters.misses.add(),
            Err(Failure::Undecodable) => {
                self.counters.undecodable.add();
                self.run::<()>(redis::cmd("DEL").arg(key(name))).await?;
                return Ok(None);
            }
            Err(Failure::Away(_)) => {}
        }
        Ok(found?)
    }

    async fn put(&self, copy: CachedProfile) -> Result<(), StoreError> {
        let mut script = self.put.key(key(&copy.profile.name));
        script.arg(rank(copy.profile.revision, copy.confirmed_at));
        script.arg(codec::encode(&copy.profile)).arg(copy.confirmed_at.micros()).arg(KEPT_MS);
        let kept = |mut connection| async move { script.invoke_async::<bool>(&mut connection).await };
        let kept = self.within(kept).await?;
        if kept {
            self.counters.kept.add()
        } else {
            self.counters.outdated.add()
        }
        Ok(())
    }

    async fn forget(&self, name: &ProfileName, version: u64) -> Result<(), StoreError> {
        let mut script = self.forget.key(key(name));
        script.arg(rank(Revision { version, soft: u64::MAX }, Timestamp::MAX)).arg(KEPT_MS);
        let forget = |mut connection| async move { script.invoke_async::<()>(&mut connection).await };
        self.within(forget).await.map_err(Into::into)
    }
}

/// The encoding is in the key, so that binaries of different encodings never meet in one value.
fn key(name: &ProfileName) -> String {
    format!("dintorni:{}:{{{name}}}", codec::ENCODING)
}

/// Text that orders as (version, soft, confirmed_at) do.
fn rank(revision: Revision, confirmed_at: Timestamp) -> String {
    let confirmed = confirmed_at.micros().abs_diff(i64::MIN);
    format!("{:020}{:020}{confirmed:020}", revision.version, revision.soft)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_order_as_what_they_rank() {
        let rank = |version, soft, micros| rank(Revision { version, soft }, Timestamp::from_micros(micros));
        let rising = [rank(0, 0, -5), rank(0, 0, 9), rank(0, 0, 10), rank(9, u64::MAX, 0), rank(10, 0, i64::MIN)];
        assert!(rising.is_sorted() && rising.iter().all(|rank| rank.len() == 60));
    }
}
