//! Profiles: read from the cache while it may be trusted, else from SQL, at most so many at once; written to SQL, then
//! to the cache.
//!
//! Law 1: SQL decides, the cache only proposes. A copy is trusted for a while after SQL last confirmed its version; then one
//! indexed read confirms it. For how long depends on who else writes ([`Sharing`]), and on how the cache is: an old copy would
//! hide what happened (a person who left would still be inside), and then nothing is committed that SQL could refuse. If the
//! cache fails, SQL is asked by a bounded number of callers at once. A copy that may be older than what this node wrote is
//! not used ([`Doubts`]), but for what only it knows of where devices were, which no write by another node changes. While a
//! stream of a profile is open, its newest copy is in this node's memory ([`OpenProfiles`]), and the cache is not asked; but
//! what it knows of the person's other devices, which may ping other nodes meanwhile, is not written over.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use serde::Deserialize;
use tokio::sync::Semaphore;

use super::{doubts::Doubts, open_profiles::OpenProfiles, sharing::Sharing};
use crate::{
    domain::{name::ProfileName, profile::Profile, time::Timestamp},
    ports::{CachedProfile, Commit, Committed, ProfileCache, Records, StoreError},
};

/// So long after the cache failed copies are confirmed one by one: longer than it takes others to put what they could not.
const WARY: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProfileStoreConfig {
    /// How long a cached copy is trusted after SQL confirmed its version, where this server alone writes.
    pub trusted_seconds: u64,
    /// The same where other servers write as well, and put it into the cache that they share.
    pub shared_trusted_seconds: u64,
    /// How many callers may read SQL at once while the cache fails.
    pub fallback_reads: usize,
}

impl Default for ProfileStoreConfig {
    fn default() -> Self {
        Self { trusted_seconds: 600, shared_trusted_seconds: 60, fallback_reads: 64 }
    }
}

#[derive(Debug, Default)]
pub struct ProfileStoreCounters {
    /// Of open streams, in this node's memory: the cache was not asked.
    pub held: AtomicU64,
    pub hits: AtomicU64,
    pub misses: AtomicU64,
    pub confirmations: AtomicU64,
    pub cache_failures: AtomicU64,
    pub refused_fallbacks: AtomicU64,
}

/// What a reader got.
pub enum Read {
    Found(CachedProfile),
    /// Never made, or erased.
    Absent,
    /// The cache cannot be used and too many read SQL already.
    Overloaded,
}

/// Whether the person has several devices.
fn has_others(copy: &CachedProfile) -> bool {
    copy.profile.devices.len() > 1
}

/// Reads profiles and keeps the cache fed.
pub struct ProfileStore {
    pub records: Arc<dyn Records>,
    cache: Arc<dyn ProfileCache>,
    pub(super) sharing: Sharing,
    trusted: Duration,
    fallback: Semaphore,
    doubts: Doubts,
    /// When the cache failed last, in microseconds; mostly it fails for others as well.
    failed_at: AtomicI64,
    pub open: OpenProfiles,
    pub counters: ProfileStoreCounters,
}

impl ProfileStore {
    pub fn new(
        records: Arc<dyn Records>,
        cache: Arc<dyn ProfileCache>,
        sharing: Sharing,
        config: &ProfileStoreConfig,
    ) -> Self {
        Self {
            records,
            cache,
            sharing,
            trusted: sharing.trusted(config),
            fallback: Semaphore::new(config.fallback_reads),
            doubts: Doubts::default(),
            failed_at: AtomicI64::new(i64::MIN),
            open: OpenProfiles::default(),
            counters: ProfileStoreCounters::default(),
        }
    }

    /// The profile as a decision may use it.
    pub async fn read(&self, name: &ProfileName, now: Timestamp) -> Result<Read, StoreError> {
        // In memory is what this node knows, so no doubt concerns it.
        if let Some(copy) = self.open.get(name) {
            return self.confirmed(copy, &self.counters.held, now).await;
        }
        match self.cache.get(name).await {
            Ok(Some(copy)) if self.doubts.concern(&copy) => self.instead(name, Some(copy), now).await,
            Ok(Some(copy)) => {
                let read = self.confirmed(copy, &self.counters.hits, now).await?;
                if let Read::Found(copy) = &read {
                    self.open.put(copy);
                }
                Ok(read)
            }
            Ok(None) => {
                self.counters.misses.fetch_add(1, Relaxed);
                self.recorded(name, self.open.last(name).as_slice(), now).await
            }
            Err(failure) => {
                self.cache_failed(&failure);
                self.failed_at.store(now.micros(), Relaxed);
                self.instead(name, None, now).await
            }
        }
    }

    /// Whether copies are trusted at all. For a while after the cache failed, others may not have put what they wrote.
    fn may_trust(&self, now: Timestamp) -> bool {
        let failed = Timestamp::from_micros(self.failed_at.load(Relaxed));
        !self.trusted.is_zero() && (self.sharing == Sharing::Alone || now.apart(failed) > WARY)
    }

    async fn confirmed(&self, copy: CachedProfile, found: &AtomicU64, now: Timestamp) -> Result<Read, StoreError> {
        if now.apart(copy.confirmed_at) <= self.trusted && self.may_trust(now) {
            found.fetch_add(1, Relaxed);
            return Ok(Read::Found(copy));
        }
        self.counters.confirmations.fetch_add(1, Relaxed);
        let (name, version) = (copy.profile.name.clone(), copy.profile.revision.version);
        match self.records.profile_version(&name).await? {
            Some(newest) if newest == version => {
                let copy = CachedProfile { confirmed_at: now, ..copy };
                let is_open = self.open.get(&name).is_some();
                let copy = if is_open { self.with_others(copy).await } else { copy };
                self.keep(copy.clone()).await;
                Ok(Read::Found(copy))
            }
            Some(_) => {
                let held: Vec<CachedProfile> = std::iter::once(copy).chain(self.held(&name).await).collect();
                self.recorded(&name, &held, now).await
            }
            // Erased, or gone into another profile: what this node still holds of the person goes as well.
            None => {
                self.forget(&name, version, now).await.ok();
                Ok(Read::Absent)
            }
        }
    }

    /// From the record where the cache should have done: that many readers at once it did not expect.
    async fn instead(
        &self,
        name: &ProfileName,
        cached: Option<CachedProfile>,
        now: Timestamp,
    ) -> Result<Read, StoreError> {
        let Ok(_permit) = self.fallback.try_acquire() else {
            self.counters.refused_fallbacks.fetch_add(1, Relaxed);
            return Ok(Read::Overloaded);
        };
        let held: Vec<CachedProfile> = cached.into_iter().chain(self.open.last(name)).collect();
        self.recorded(name, &held, now).await
    }

    /// The profile as last committed, whatever the cache says; but what only that knows of its devices is true as well.
    pub async fn from_record(&self, name: &ProfileName, now: Timestamp) -> Result<Read, StoreError> {
        self.recorded(name, &self.held(name).await, now).await
    }

    /// The newest copies in the cache and on this node, even in doubt; what both know to the same moment this node knows better.
    /// The cache is not asked for what only this node can know.
    async fn held(&self, name: &ProfileName) -> Vec<CachedProfile> {
        let own = self.open.last(name);
        let is_known_elsewhere = |own: &CachedProfile| has_others(own) || self.sharing != Sharing::Alone;
        let cached = match own.as_ref().is_none_or(is_known_elsewhere) {
            true => self.cache.get(name).await.ok().flatten(),
            false => None,
        };
        cached.into_iter().chain(own).collect()
    }

    /// The copy that this node has of an open profile, with what the cache knows of the person's other devices.
    pub(super) async fn with_others(&self, copy: CachedProfile) -> CachedProfile {
        if !has_others(&copy) && self.sharing == Sharing::Alone {
            return copy;
        }
        let Ok(Some(cached)) = self.cache.get(&copy.profile.name).await else { return copy };
        let newest = if copy.profile.revision < cached.profile.revision { &cached } else { &copy };
        let mut profile = Profile::clone(&newest.profile);
        [&cached, &copy].iter().for_each(|held| profile.recall(&held.profile));
        CachedProfile { profile: Arc::new(profile), confirmed_at: newest.confirmed_at }
    }

    async fn recorded(&self, name: &ProfileName, held: &[CachedProfile], now: Timestamp) -> Result<Read, StoreError> {
        let Some(mut profile) = self.records.profile(name).await? else {
            self.forget_held(name, now).await;
            return Ok(Read::Absent);
        };
        held.iter().for_each(|held| profile.recall(&held.profile));
        let copy = CachedProfile { profile: Arc::new(profile), confirmed_at: now };
        self.keep(copy.clone()).await;
        Ok(Read::Found(copy))
    }

    /// As last committed, with what only the cache knows since then; none if it is not there.
    pub async fn newest(&self, name: &ProfileName) -> Result<Option<Profile>, StoreError> {
        let Some(mut profile) = self.records.profile(name).await? else { return Ok(None) };
        self.held(name).await.iter().for_each(|held| profile.recall(&held.profile));
        Ok(Some(profile))
    }

    /// A copy to change, which may be old: the commit says so. None if the record has none.
    pub async fn copy(&self, name: &ProfileName, now: Timestamp) -> Result<Option<Profile>, StoreError> {
        match self.read(name, now).await? {
            Read::Found(copy) => Ok(Some(Arc::unwrap_or_clone(copy.profile))),
            Read::Absent => Ok(None),
            Read::Overloaded => self.records.profile(name).await,
        }
    }

    /// Commits, and puts what was written into the cache, even if the caller goes away meanwhile.
    pub async fn commit(self: &Arc<Self>, commit: Commit) -> Result<Committed, StoreError> {
        let store = self.clone();
        let task = tokio::spawn(async move { store.commit_and_keep(commit).await });
        task.await.map_err(|gone| StoreError::Unavailable(gone.to_string()))?
    }

    async fn commit_and_keep(&self, commit: Commit) -> Result<Committed, StoreError> {
        let (at, absorbed) = (commit.at, commit.absorbed.clone());
        let written: Vec<Arc<Profile>> = commit.profiles.iter().map(|write| Arc::new(write.profile.clone())).collect();
        let result = self.records.commit(commit).await;
        for profile in written {
            match &result {
                Ok(Committed::Done) => {
                    let copy = CachedProfile { profile, confirmed_at: at };
                    let is_open = self.open.get(&copy.profile.name).is_some();
                    self.keep(if is_open { self.with_others(copy).await } else { copy }).await;
                }
                Ok(Committed::Exhausted(_) | Committed::Asked(_)) | Err(StoreError::Full(_)) => {}
                // Whoever wrote it did not live to put it: nobody else will.
                Ok(Committed::Repeated(_)) => self.put_newest(&profile.name, at).await,
                // The record has, or may have, what our copy does not know.
                Ok(Committed::Stale) | Err(_) => {
                    self.open.doubt(&profile.name);
                    self.doubts.add(&profile.name, at);
                }
            }
        }
        if let (Some(absorbed), Ok(Committed::Done)) = (absorbed, &result)
            && let Err(failure) = self.forget(&absorbed.name, absorbed.expected, at).await
        {
            tracing::debug!(error = %failure, "the cache keeps a copy of an absorbed profile, which stays in doubt");
        }
        result
    }

    /// Erases the profile with all that hangs on it from the record, memory and cache, even if the caller goes away
    /// meanwhile; says whether somebody had the name. One that nobody has, or no more, is fine.
    pub async fn erase(self: &Arc<Self>, name: &ProfileName, at: Timestamp) -> Result<bool, StoreError> {
        let (store, name) = (self.clone(), name.clone());
        let task = tokio::spawn(async move {
            let erased = store.records.erase(&name, at).await?.is_some();
            // A name that nobody had stays free, and with it the cache open for whoever comes to have it.
            if erased || store.records.is_erased(&name).await? {
                // Every version: if this fails, whoever asks again does not learn which one it was.
                store.forget(&name, u64::MAX, at).await?;
            }
            Ok(erased)
        });
        task.await.map_err(|gone| StoreError::Unavailable(gone.to_string()))?
    }

    /// Profiles whose copies in the cache may be old: for other servers they are no doubt at all.
    pub fn doubted(&self) -> Vec<ProfileName> {
        self.doubts.all()
    }

    /// Whether it is one of these.
    pub fn is_doubted(&self, name: &ProfileName) -> bool {
        self.doubts.has(name)
    }

    async fn put_newest(&self, name: &ProfileName, now: Timestamp) {
        self.open.doubt(name);
        self.doubts.add(name, now);
        if let Err(failure) = self.from_record(name, now).await {
            tracing::debug!(error = %failure, "the newest of a profile could not be read; its copy stays in doubt");
        }
    }

    /// Puts what the record has into the cache. A failing cache costs later reads, never the answer.
    async fn keep(&self, copy: CachedProfile) {
        let (name, at) = (copy.profile.name.clone(), copy.confirmed_at);
        self.open.put(&copy);
        match self.cache.put(copy).await {
            Ok(()) => self.doubts.settle(&name),
            Err(failure) => {
                self.cache_failed(&failure);
                self.failed_at.store(at.micros(), Relaxed);
                self.doubts.add(&name, at);
            }
        }
    }

    /// Keeps what only the cache needs to know; while a stream of the profile is open, in memory alone. `confirmed_at` is
    /// the read copy's own: the record was not asked.
    pub async fn keep_soft(&self, copy: CachedProfile) {
        if !self.open.put_unsaved(&copy) {
            self.put_soft(copy).await;
        }
    }

    pub(super) async fn put_soft(&self, copy: CachedProfile) {
        if let Err(failure) = self.cache.put(copy).await {
            self.cache_failed(&failure);
        }
    }

    fn cache_failed(&self, failure: &StoreError) {
        self.counters.cache_failures.fetch_add(1, Relaxed);
        tracing::debug!(error = %failure, "profile cache failed");
    }

    /// Drops what is held of a profile that the record does not have. Whoever comes to have the name is not shut out.
    async fn forget_held(&self, name: &ProfileName, now: Timestamp) {
        let version = |copy: CachedProfile| copy.profile.revision.version;
        let held = self.open.last(name).map(version);
        match self.cache.get(name).await {
            Ok(cached) => match cached.map(version).max(held) {
                Some(version) => drop(self.forget(name, version, now).await),
                None => self.doubts.settle(name),
            },
            Err(failure) => {
                held.into_iter().for_each(|version| self.open.forget(name, version));
                self.cache_failed(&failure);
            }
        }
    }

    /// Drops a profile that ended from memory and from the cache, or doubts what the cache keeps.
    async fn forget(&self, name: &ProfileName, version: u64, at: Timestamp) -> Result<(), StoreError> {
        self.open.forget(name, version);
        match self.cache.forget(name, version).await {
            Ok(()) => self.doubts.settle(name),
            Err(failure) => {
                self.cache_failed(&failure);
                self.doubts.add(name, at);
                return Err(failure);
            }
        }
        Ok(())
    }
}
