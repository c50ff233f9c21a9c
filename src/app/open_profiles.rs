//! Profiles of which a stream of pings is open on this node: their newest copies, in its memory.
//!
//! Law 1: SQL decides; what is held here only proposes, as the cache does, and is trusted no longer. What a ping changed
//! for the cache alone waits here until the last stream of the profile ends. Bounded by the streams that are open.

use std::{
    collections::HashMap,
    hash::BuildHasher,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use foldhash::fast::RandomState;

use crate::{
    domain::{name::ProfileName, profile::Revision},
    ports::CachedProfile,
};

/// Locks, so that streams of different people rarely wait for each other.
const SHARDS: usize = 64;

type Shard = HashMap<ProfileName, Held, RandomState>;

/// The copies, by name.
pub struct OpenProfiles {
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
    streams: AtomicU64,
}

/// One profile while a stream of it is open, or its last state is on its way to the cache.
#[derive(Default)]
struct Held {
    streams: usize,
    copy: Option<CachedProfile>,
    /// The copy until the record had, or may have had, what it does not know.
    doubted: Option<CachedProfile>,
    /// The cache does not have the copy yet.
    unsaved: bool,
    /// Versions up to this are erased, or another profile's now.
    gone: Option<u64>,
}

impl Default for OpenProfiles {
    fn default() -> Self {
        let (shards, hasher) = (std::array::from_fn(|_| Mutex::default()), RandomState::default());
        Self { shards, hasher, streams: AtomicU64::new(0) }
    }
}

impl OpenProfiles {
    /// How many streams are open.
    pub fn streams(&self) -> u64 {
        self.streams.load(Relaxed)
    }

    /// A stream of this profile begins.
    pub fn enter(&self, name: &ProfileName) {
        self.streams.fetch_add(1, Relaxed);
        self.shard(name).entry(name.clone()).or_default().streams += 1;
    }

    /// A stream of this profile ends. Returns what the cache must be given if it was the last one; that stays held until
    /// [`Self::saved`] is called.
    pub fn leave(&self, name: &ProfileName) -> Option<CachedProfile> {
        self.streams.fetch_sub(1, Relaxed);
        let mut shard = self.shard(name);
        let held = shard.get_mut(name)?;
        held.streams = held.streams.saturating_sub(1);
        let unsaved = held.copy.clone().filter(|_| held.unsaved);
        if held.streams == 0 && unsaved.is_none() {
            shard.remove(name);
        }
        unsaved
    }

    /// The cache was given this copy; whoever holds it no more lets it go.
    pub fn saved(&self, copy: &CachedProfile) {
        let name = &copy.profile.name;
        let mut shard = self.shard(name);
        let Some(held) = shard.get_mut(name) else { return };
        if held.revision() <= Some(copy.profile.revision) {
            held.unsaved = false;
        }
        if held.streams == 0 && !held.unsaved {
            shard.remove(name);
        }
    }

    /// The copy, if a stream of the profile is open and has been used.
    pub fn get(&self, name: &ProfileName) -> Option<CachedProfile> {
        self.shard(name).get(name)?.copy.clone()
    }

    /// The newest copy that was held, in doubt or not: what only memory knows of a device is true whatever the record has of
    /// the rest.
    pub fn last(&self, name: &ProfileName) -> Option<CachedProfile> {
        let shard = self.shard(name);
        let held = shard.get(name)?;
        held.copy.as_ref().or(held.doubted.as_ref()).cloned()
    }

    /// Holds what the cache has too, or is being given.
    pub fn put(&self, copy: &CachedProfile) {
        if let Some(held) = self.shard(&copy.profile.name).get_mut(&copy.profile.name)
            && held.take(copy)
        {
            held.unsaved = false;
        }
    }

    /// Holds what the cache need not know before the last stream ends; false if no stream of the profile is open.
    pub fn put_unsaved(&self, copy: &CachedProfile) -> bool {
        match self.shard(&copy.profile.name).get_mut(&copy.profile.name) {
            Some(held) => {
                held.unsaved |= held.take(copy);
                true
            }
            None => false,
        }
    }

    /// The record has, or may have, what the copy does not know.
    pub fn doubt(&self, name: &ProfileName) {
        if let Some(held) = self.shard(name).get_mut(name) {
            held.doubted = held.copy.take().or(held.doubted.take());
            held.unsaved = false;
        }
    }

    /// Drops the profile, and takes no copy of `version` or older any more.
    pub fn forget(&self, name: &ProfileName, version: u64) {
        if let Some(held) = self.shard(name).get_mut(name) {
            held.gone = held.gone.max(Some(version));
            if held.revision().is_some_and(|revision| revision.version <= version) {
                (held.copy, held.unsaved) = (None, false);
            }
            held.doubted = None;
        }
    }

    fn shard(&self, name: &ProfileName) -> MutexGuard<'_, Shard> {
        self.shards[self.hasher.hash_one(name) as usize % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn revision(&self) -> Option<Revision> {
        self.copy.as_ref().map(|copy| copy.profile.revision)
    }

    /// Takes the copy if it is newer than the one held; says whether it did.
    fn take(&mut self, copy: &CachedProfile) -> bool {
        let newness = |copy: &CachedProfile| (copy.profile.revision, copy.confirmed_at);
        let is_gone = self.gone.is_some_and(|gone| copy.profile.revision.version <= gone);
        let is_newer = !is_gone && self.copy.as_ref().is_none_or(|held| newness(held) < newness(copy));
        if is_newer {
            (self.copy, self.doubted) = (Some(copy.clone()), None);
        }
        is_newer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        app::fakes::at,
        domain::{
            consent::Consents,
            name::AppName,
            profile::{Personal, Profile},
        },
    };

    fn copy(version: u64, soft: u64) -> CachedProfile {
        let app = AppName::parse("organizations/acme/apps/town").expect("sound");
        let mut profile =
            Profile::new(app.profile("ada").expect("sound"), at(0), Consents::default(), Personal::default());
        profile.revision = Revision { version, soft };
        CachedProfile { profile: Arc::new(profile), confirmed_at: at(0) }
    }

    #[test]
    fn what_only_memory_knows_is_held_until_the_cache_has_it() {
        let open = OpenProfiles::default();
        let name = copy(1, 0).profile.name.clone();
        assert!(!open.put_unsaved(&copy(1, 1)), "no stream of it is open");
        (0..2).for_each(|_| open.enter(&name));
        open.put(&copy(1, 0));
        assert_eq!(open.leave(&name), None, "another stream is open, and the cache knows all");
        assert!(open.put_unsaved(&copy(1, 1)));
        assert_eq!(open.leave(&name), Some(copy(1, 1)));
        assert_eq!(open.get(&name), Some(copy(1, 1)), "until the cache has it");
        open.saved(&copy(1, 1));
        assert_eq!((open.get(&name), open.streams()), (None, 0));
    }

    #[test]
    fn nothing_older_and_nothing_erased_comes_back() {
        let open = OpenProfiles::default();
        let name = copy(1, 0).profile.name.clone();
        open.enter(&name);
        open.put(&copy(2, 8));
        open.doubt(&name);
        assert_eq!((open.get(&name), open.last(&name)), (None, Some(copy(2, 8))), "in doubt");
        open.put(&copy(3, 0));
        open.doubt(&name);
        open.doubt(&name);
        assert_eq!(open.last(&name), Some(copy(3, 0)), "the newest, however often it is doubted");
        open.put(&copy(3, 0));
        open.put_unsaved(&copy(2, 9));
        assert_eq!(open.get(&name), Some(copy(3, 0)));
        open.forget(&name, 3);
        open.put_unsaved(&copy(3, 1));
        assert_eq!((open.get(&name), open.last(&name)), (None, None));
        open.put(&copy(4, 0));
        assert_eq!(open.get(&name), Some(copy(4, 0)));
        assert_eq!(open.leave(&name), None);
    }
}
