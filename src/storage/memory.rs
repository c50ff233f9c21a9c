//! The profile cache of a single server: its own memory.
//!
//! Laws: those of [`ProfileCache`]. Memory is bounded by entries, both of copies and of erasures remembered; an erasure
//! is never pushed out by copies. A copy not put again for [`KEPT`] counts as gone.

use std::{
    hash::BuildHasher,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use foldhash::fast::RandomState;
use quick_cache::sync::Cache;
use serde::Deserialize;

use super::cache_counts::{CacheCounters, CacheCounts};
use crate::{
    domain::{name::ProfileName, time::Timestamp},
    ports::{CachedProfile, Clock, ProfileCache, StoreError},
};

/// How long a copy is kept after its last put.
pub const KEPT: Duration = Duration::from_secs(86_400);
/// Erasures remembered. One is needed only while a ping may still hold a copy from before it, which is seconds.
const ERASURES: usize = 65_536;
/// Locks that order the writes of one profile.
const STRIPES: usize = 64;

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MemoryConfig {
    /// Most profiles held; a profile of a few places and offers takes about 3 kB.
    pub profiles: usize,
}

impl Default for MemoryConfig {
    fn default() -> Self {
        Self { profiles: 200_000 }
    }
}

pub struct MemoryCache {
    copies: Cache<ProfileName, Held>,
    /// The version each was erased at.
    erased: Cache<ProfileName, u64>,
    stripes: [Mutex<()>; STRIPES],
    hasher: RandomState,
    clock: Arc<dyn Clock>,
    counters: CacheCounters,
}

#[derive(Clone)]
struct Held {
    copy: CachedProfile,
    put_at: Timestamp,
}

impl MemoryCache {
    pub fn new(config: &MemoryConfig, clock: Arc<dyn Clock>) -> Self {
        Self {
            copies: Cache::new(config.profiles.max(1)),
            erased: Cache::new(ERASURES),
            stripes: std::array::from_fn(|_| Mutex::new(())),
            hasher: RandomState::default(),
            clock,
            counters: CacheCounters::default(),
        }
    }

    pub fn counts(&self) -> CacheCounts {
        self.counters.read()
    }

    fn held(&self, name: &ProfileName) -> Option<CachedProfile> {
        let held = self.copies.get(name)?;
        (self.clock.now().since(held.put_at) < KEPT).then_some(held.copy)
    }

    /// Orders the writes of one profile; nothing awaits while it is held.
    fn lock(&self, name: &ProfileName) -> MutexGuard<'_, ()> {
        let stripe = &self.stripes[self.hasher.hash_one(name) as usize % STRIPES];
        stripe.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_outdated(&self, copy: &CachedProfile) -> bool {
        let (name, revision) = (&copy.profile.name, copy.profile.revision);
        let was_erased = self.erased.get(name).is_some_and(|version| revision.version <= version);
        let newness = |copy: &CachedProfile| (copy.profile.revision, copy.confirmed_at);
        was_erased || self.held(name).is_some_and(|held| newness(copy) <= newness(&held))
    }
}

#[async_trait]
impl ProfileCache for MemoryCache {
    async fn get(&self, name: &ProfileName) -> Result<Option<CachedProfile>, StoreError> {
        let copy = self.held(name);
        if copy.is_some() {
            self.counters.hits.add()
        } else {
            self.counters.misses.add()
        }
        Ok(copy)
    }

    async fn put(&self, copy: CachedProfile) -> Result<(), StoreError> {
        let name = copy.profile.name.clone();
        let _order = self.lock(&name);
        if self.is_outdated(&copy) {
            self.counters.outdated.add();
            return Ok(());
        }
        self.counters.kept.add();
        self.copies.insert(name, Held { copy, put_at: self.clock.now() });
        Ok(())
    }

    async fn forget(&self, name: &ProfileName, version: u64) -> Result<(), StoreError> {
        let _order = self.lock(name);
        let version = self.erased.get(name).map_or(version, |earlier| earlier.max(version));
        self.erased.insert(name.clone(), version);
        self.copies.remove(name);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

    use super::*;
    use crate::domain::{
        consent::Consents,
        profile::{Personal, Profile, Revision},
    };

    #[derive(Default)]
    struct Hands(AtomicI64);

    impl Clock for Hands {
        fn now(&self) -> Timestamp {
            Timestamp::from_micros(self.0.load(Relaxed))
        }
    }

    fn copy(id: usize, version: u64) -> CachedProfile {
        let name = format!("organizations/acme/apps/shop/profiles/p{id}");
        let name = ProfileName::parse(&name).expect("sound");
        let mut profile = Profile::new(name, Timestamp::default(), Consents::default(), Personal::default());
        profile.revision = Revision { version, soft: 0 };
        CachedProfile { profile: Arc::new(profile), confirmed_at: Timestamp::default() }
    }

    #[tokio::test]
    async fn a_copy_goes_a_day_after_its_last_put() {
        let clock = Arc::new(Hands::default());
        let cache = MemoryCache::new(&MemoryConfig::default(), clock.clone());
        let (newer, older) = (copy(1, 2), copy(1, 1));
        let name = &newer.profile.name;
        cache.put(newer.clone()).await.expect("kept");
        clock.0.store(86_400_000_000 - 1, Relaxed);
        assert!(cache.get(name).await.expect("held").is_some());
        clock.0.store(86_400_000_000, Relaxed);
        assert_eq!(cache.get(name).await.expect("gone"), None);
        cache.put(older.clone()).await.expect("kept");
        assert_eq!(cache.get(name).await.expect("held"), Some(older), "what is gone outdates nothing");
    }

    #[tokio::test]
    async fn many_copies_push_out_copies_but_no_erasure() {
        let cache = MemoryCache::new(&MemoryConfig { profiles: 100 }, Arc::new(Hands::default()));
        let erased = copy(0, 1);
        cache.forget(&erased.profile.name, 1).await.expect("forgotten");
        for id in 1..5_000 {
            cache.put(copy(id, 1)).await.expect("kept");
        }
        assert!(cache.copies.len() <= 100);
        cache.put(erased.clone()).await.expect("refused");
        assert_eq!(cache.get(&erased.profile.name).await.expect("none"), None);
        assert_eq!(cache.counts().outdated, 1);
    }
}
