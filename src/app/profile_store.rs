//! Reading profiles: from the cache while it may be trusted, else from SQL, at most so many at once.
//!
//! Law 1: SQL decides, the cache only proposes. A copy is trusted for ten minutes after SQL last confirmed its version;
//! then one indexed read confirms it. If the cache fails, SQL is asked by a bounded number of callers at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use serde::Deserialize;
use tokio::sync::Semaphore;

use crate::{
    domain::{name::ProfileName, profile::Profile, time::Timestamp},
    ports::{CachedProfile, ProfileCache, Records, StoreError},
};

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProfileStoreConfig {
    /// How long a cached copy is trusted after SQL confirmed its version.
    pub trusted_seconds: u64,
    /// How many callers may read SQL at once while the cache fails.
    pub fallback_reads: usize,
}

impl Default for ProfileStoreConfig {
    fn default() -> Self {
        Self { trusted_seconds: 600, fallback_reads: 64 }
    }
}

#[derive(Debug, Default)]
pub struct ProfileStoreCounters {
    pub hits: AtomicU64,
    pub misses: AtomicU64,
    pub confirmations: AtomicU64,
    pub cache_failures: AtomicU64,
    pub refused_fallbacks: AtomicU64,
}

/// What a reader got.
pub enum Read<T = Arc<Profile>> {
    Found(T),
    /// Never made, or erased.
    Absent,
    /// The cache fails and too many read SQL already.
    Overloaded,
}

impl<T> Read<T> {
    fn map<U>(self, change: impl FnOnce(T) -> U) -> Read<U> {
        match self {
            Read::Found(found) => Read::Found(change(found)),
            Read::Absent => Read::Absent,
            Read::Overloaded => Read::Overloaded,
        }
    }
}

/// Reads profiles and keeps the cache fed.
pub struct ProfileStore {
    pub records: Arc<dyn Records>,
    cache: Arc<dyn ProfileCache>,
    trusted: Duration,
    fallback: Semaphore,
    pub counters: ProfileStoreCounters,
}

impl ProfileStore {
    pub fn new(records: Arc<dyn Records>, cache: Arc<dyn ProfileCache>, config: &ProfileStoreConfig) -> Self {
        Self {
            records,
            cache,
            trusted: Duration::from_secs(config.trusted_seconds),
            fallback: Semaphore::new(config.fallback_reads),
            counters: ProfileStoreCounters::default(),
        }
    }

    /// The profile as it may be read.
    pub async fn read(&self, name: &ProfileName, now: Timestamp) -> Result<Read, StoreError> {
        Ok(self.copy(name, now).await?.map(|copy| copy.profile))
    }

    /// The profile as a decision may use it, with the time until which it may be trusted. Who puts it back changed
    /// only softly must not renew that time: SQL confirmed nothing.
    pub async fn copy(&self, name: &ProfileName, now: Timestamp) -> Result<Read<CachedProfile>, StoreError> {
        match self.cache.get(name).await {
            Ok(Some(copy)) => self.confirmed(copy, now).await,
            Ok(None) => {
                self.counters.misses.fetch_add(1, Relaxed);
                self.recorded(name, now).await
            }
            Err(failure) => self.despite(&failure, name, now).await,
        }
    }

    async fn confirmed(&self, copy: CachedProfile, now: Timestamp) -> Result<Read<CachedProfile>, StoreError> {
        if now.since(copy.confirmed_at) <= self.trusted {
            self.counters.hits.fetch_add(1, Relaxed);
            return Ok(Read::Found(copy));
        }
        self.counters.confirmations.fetch_add(1, Relaxed);
        let (name, version) = (&copy.profile.name, copy.profile.revision.version);
        match self.records.profile_version(name).await? {
            Some(newest) if newest == version => {
                self.keep(copy.profile.clone(), now).await;
                Ok(Read::Found(CachedProfile { confirmed_at: now, ..copy }))
            }
            Some(_) => self.recorded(name, now).await,
            // Erased, or gone into another profile: what this node still holds of the person must go as well.
            None => {
                self.forget(name, version).await?;
                Ok(Read::Absent)
            }
        }
    }

    async fn despite(
        &self,
        failure: &StoreError,
        name: &ProfileName,
        now: Timestamp,
    ) -> Result<Read<CachedProfile>, StoreError> {
        self.counters.cache_failures.fetch_add(1, Relaxed);
        tracing::debug!(error = %failure, "profile cache failed; reading the record");
        let Ok(_permit) = self.fallback.try_acquire() else {
            self.counters.refused_fallbacks.fetch_add(1, Relaxed);
            return Ok(Read::Overloaded);
        };
        self.recorded(name, now).await
    }

    /// The profile as last committed, whatever the cache says.
    pub async fn recorded(&self, name: &ProfileName, now: Timestamp) -> Result<Read<CachedProfile>, StoreError> {
        let Some(profile) = self.records.profile(name).await? else { return Ok(Read::Absent) };
        let profile = Arc::new(profile);
        self.keep(profile.clone(), now).await;
        Ok(Read::Found(CachedProfile { profile, confirmed_at: now }))
    }

    /// As last committed, with what only the cache knows since then; none if it is not there.
    pub async fn newest(&self, name: &ProfileName) -> Result<Option<Profile>, StoreError> {
        let Some(profile) = self.records.profile(name).await? else { return Ok(None) };
        let cached = self.cache.get(name).await.ok().flatten().map(|copy| copy.profile);
        let same = cached.filter(|cached| cached.revision.version == profile.revision.version);
        Ok(Some(same.map_or(profile, Arc::unwrap_or_clone)))
    }

    /// Puts a copy into the cache. A failing cache costs a later read, never the answer.
    pub async fn keep(&self, profile: Arc<Profile>, confirmed_at: Timestamp) {
        if let Err(failure) = self.cache.put(CachedProfile { profile, confirmed_at }).await {
            self.counters.cache_failures.fetch_add(1, Relaxed);
            tracing::debug!(error = %failure, "profile cache failed; copy not kept");
        }
    }

    /// Drops an erased profile from the cache.
    pub async fn forget(&self, name: &ProfileName, version: u64) -> Result<(), StoreError> {
        self.cache.forget(name, version).await
    }
}
