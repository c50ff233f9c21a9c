//! What is held of a profile that ended, whatever the cache does and whoever goes away.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::{sync::watch, time::timeout};

use super::{
    fakes::at,
    profile_store::{ProfileStore, ProfileStoreConfig, Read},
};
use crate::{
    domain::{
        consent::Consents,
        decision::Decision,
        name::{AppName, DeviceName, ProfileName},
        offer::DecisionId,
        ping::PingId,
        profile::{Personal, Profile, Revision},
        time::Timestamp,
    },
    ports::{
        Absorbed, Answer, CachedProfile, Commit, Committed, Past, ProfileCache, ProfileWrite, Records, StoreError,
    },
};

/// A record where everybody has ended.
struct AllEnded;

#[async_trait]
impl Records for AllEnded {
    async fn profile(&self, _: &ProfileName) -> Result<Option<Profile>, StoreError> {
        Ok(None)
    }
    async fn profile_version(&self, _: &ProfileName) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }
    async fn is_erased(&self, _: &ProfileName) -> Result<bool, StoreError> {
        Ok(true)
    }
    async fn profile_of(&self, _: &DeviceName) -> Result<Option<ProfileName>, StoreError> {
        Ok(None)
    }
    async fn answer(&self, _: &DeviceName, _: &PingId) -> Result<Option<Answer>, StoreError> {
        Ok(None)
    }
    async fn decision(&self, _: &DecisionId) -> Result<Option<Decision>, StoreError> {
        Ok(None)
    }
    async fn commit(&self, commit: Commit) -> Result<Committed, StoreError> {
        Ok(if commit.profiles.is_empty() { Committed::Done } else { Committed::Stale })
    }
    async fn erase(&self, _: &ProfileName, _: Timestamp) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }
    async fn secret(&self, _: &str, fresh: [u8; 32]) -> Result<[u8; 32], StoreError> {
        Ok(fresh)
    }
    async fn sweep(&self, _: Past, _: Timestamp, _: u32) -> Result<u64, StoreError> {
        Ok(0)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Forgets {
    AtOnce,
    Never,
    /// When it may; whoever asks waits.
    Later,
}

/// A cache of one copy, which forgets as it is told, and says what became of it.
struct Reluctant {
    copy: watch::Sender<Option<CachedProfile>>,
    forgets: watch::Sender<Forgets>,
    /// How many asked it to forget.
    asked: watch::Sender<u32>,
}

#[async_trait]
impl ProfileCache for Reluctant {
    async fn get(&self, _: &ProfileName) -> Result<Option<CachedProfile>, StoreError> {
        Ok(self.copy.borrow().clone())
    }
    async fn put(&self, copy: CachedProfile) -> Result<(), StoreError> {
        self.copy.send_replace(Some(copy));
        Ok(())
    }
    async fn forget(&self, _: &ProfileName, version: u64) -> Result<(), StoreError> {
        self.asked.send_modify(|asked| *asked += 1);
        let may = *self.forgets.subscribe().wait_for(|forgets| *forgets != Forgets::Later).await.expect("open");
        if may == Forgets::Never {
            return Err(StoreError::Unavailable("asleep".into()));
        }
        self.copy.send_modify(|copy| drop(copy.take_if(|copy| copy.profile.revision.version <= version)));
        Ok(())
    }
}

/// The name of somebody who has ended, of whom the cache still has this version.
async fn ended(version: u64, forgets: Forgets) -> (Arc<ProfileStore>, Arc<Reluctant>, CachedProfile) {
    let name = AppName::parse("organizations/acme/apps/town").expect("sound").profile("ada").expect("sound");
    let mut profile = Profile::new(name, at(0), Consents::default(), Personal::default());
    profile.revision = Revision { version, soft: 0 };
    let copy = CachedProfile { profile: Arc::new(profile), confirmed_at: at(0) };
    let (forgets, asked) = (watch::Sender::new(forgets), watch::Sender::new(0));
    let cache = Arc::new(Reluctant { copy: watch::Sender::new(Some(copy.clone())), forgets, asked });
    let store = ProfileStore::new(Arc::new(AllEnded), cache.clone(), &ProfileStoreConfig::default());
    (Arc::new(store), cache, copy)
}

async fn is_found(store: &ProfileStore, name: &ProfileName) -> bool {
    matches!(store.read(name, at(1)).await.expect("read"), Read::Found(_))
}

#[tokio::test]
async fn nobody_is_taken_for_there_because_the_cache_does_not_forget() {
    let (store, _, copy) = ended(3, Forgets::Never).await;
    let name = &copy.profile.name;
    assert!(is_found(&store, name).await, "nobody has said that she ended");
    store.erase(name, at(1)).await.expect_err("to be asked for again");
    assert!(!is_found(&store, name).await, "erased");

    let (store, _, copy) = ended(3, Forgets::Never).await;
    let name = &copy.profile.name;
    let absorbed = Some(Absorbed { name: name.clone(), expected: 3, by: name.clone() });
    let login = Commit { absorbed, ..Commit::default() };
    assert_eq!(store.commit(login).await.expect("made"), Committed::Done);
    assert!(!is_found(&store, name).await, "gone into another profile");
}

#[tokio::test]
async fn once_the_record_says_that_somebody_ended_there_is_no_copy_and_no_doubt() {
    let (store, cache, copy) = ended(3, Forgets::AtOnce).await;
    let name = &copy.profile.name;
    let profiles = vec![ProfileWrite { expected: 3, profile: (*copy.profile).clone() }];
    let stale = Commit { profiles, ..Commit::default() };
    assert_eq!(store.commit(stale).await.expect("refused"), Committed::Stale);
    assert!(!is_found(&store, name).await);
    assert_eq!(cache.get(name).await.expect("read"), None, "nobody reads it in vain again");
    cache.put(copy.clone()).await.expect("put");
    assert!(is_found(&store, name).await, "what comes into the cache now is of another time");
}

#[tokio::test(start_paused = true)]
async fn an_erasure_is_told_to_the_cache_even_if_its_caller_goes_away() {
    let (store, cache, copy) = ended(3, Forgets::Later).await;
    let (erasing, name) = (store.clone(), copy.profile.name.clone());
    let caller = tokio::spawn(async move { erasing.erase(&name, at(1)).await });
    cache.asked.subscribe().wait_for(|asked| *asked > 0).await.expect("open");
    caller.abort();
    assert!(caller.await.expect_err("it went away").is_cancelled());
    cache.forgets.send_replace(Forgets::AtOnce);
    let mut held = cache.copy.subscribe();
    // The clock goes on only when nobody has anything left to do.
    timeout(Duration::from_secs(1), held.wait_for(Option::is_none)).await.expect("forgotten").expect("open");
    assert!(!is_found(&store, &copy.profile.name).await);
}
