//! What is held of a profile that ended, whatever the cache does and whoever goes away; and of one whose devices ping several
//! nodes.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::{sync::watch, time::timeout};

use super::{
    fakes::at,
    profile_store::{ProfileStore, ProfileStoreConfig, Read},
    sharing::Sharing,
};
use crate::{
    domain::{
        consent::{Consent, Consents, Purpose},
        decision::Decision,
        inputs::Inputs,
        name::{AppName, DeviceName, ProfileName},
        offer::DecisionId,
        ping::{PingId, Reading},
        profile::{Device, Personal, Platform, Profile, Revision},
        time::Timestamp,
    },
    ports::{
        Absorbed, Answer, CachedProfile, Commit, Committed, Past, ProfileCache, ProfileWrite, Records, StoreError,
    },
};

/// A record of somebody, or where everybody has ended.
struct Recorded(Mutex<Option<Profile>>);

#[async_trait]
impl Records for Recorded {
    async fn profile(&self, _: &ProfileName) -> Result<Option<Profile>, StoreError> {
        Ok(self.0.lock().expect("sound").clone())
    }
    async fn profile_version(&self, name: &ProfileName) -> Result<Option<u64>, StoreError> {
        Ok(self.profile(name).await?.map(|profile| profile.revision.version))
    }
    async fn is_erased(&self, name: &ProfileName) -> Result<bool, StoreError> {
        Ok(self.profile(name).await?.is_none())
    }
    async fn profile_of(&self, _: &DeviceName) -> Result<Option<ProfileName>, StoreError> {
        Ok(None)
    }
    async fn answer(&self, _: &DeviceName, _: &PingId) -> Result<Option<Answer>, StoreError> {
        Ok(None)
    }
    async fn decision(&self, _: &DecisionId, _: Timestamp) -> Result<Option<Decision>, StoreError> {
        Ok(None)
    }
    fn keeps_inputs(&self) -> bool {
        false
    }
    async fn inputs(&self, _: &DecisionId, _: Timestamp) -> Result<Option<Inputs>, StoreError> {
        Ok(None)
    }
    async fn commit(&self, commit: Commit) -> Result<Committed, StoreError> {
        let mut recorded = self.0.lock().expect("sound");
        match (commit.profiles.into_iter().next(), &mut *recorded) {
            (Some(write), Some(profile)) => *profile = write.profile,
            (Some(_), None) => return Ok(Committed::Stale),
            (None, _) => {}
        }
        Ok(Committed::Done)
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
    /// Whether it fails whoever asks next.
    fails: AtomicBool,
}

#[async_trait]
impl ProfileCache for Reluctant {
    async fn get(&self, _: &ProfileName) -> Result<Option<CachedProfile>, StoreError> {
        if self.fails.swap(false, Relaxed) {
            return Err(StoreError::Unavailable("asleep".into()));
        }
        Ok(self.copy.borrow().clone())
    }
    async fn put(&self, copy: CachedProfile) -> Result<(), StoreError> {
        let revision = |copy: &CachedProfile| copy.profile.revision;
        self.copy.send_if_modified(|held| {
            let is_newer = held.as_ref().map(revision) < Some(revision(&copy));
            is_newer.then(|| *held = Some(copy)).is_some()
        });
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
    let mut profile = ada();
    profile.revision = Revision { version, soft: 0 };
    let copy = CachedProfile { profile: Arc::new(profile), confirmed_at: at(0) };
    let cache = Reluctant::of(&copy, forgets);
    (node(None, &cache), cache, copy)
}

fn ada() -> Profile {
    let name = AppName::parse("organizations/acme/apps/town").expect("sound").profile("ada").expect("sound");
    Profile::new(name, at(0), Consents::default(), Personal::default())
}

impl Reluctant {
    fn of(copy: &CachedProfile, forgets: Forgets) -> Arc<Self> {
        let (forgets, asked) = (watch::Sender::new(forgets), watch::Sender::new(0));
        Arc::new(Self { copy: watch::Sender::new(Some(copy.clone())), forgets, asked, fails: AtomicBool::new(false) })
    }
}

/// One over a record of its own.
fn node(recorded: Option<Profile>, cache: &Arc<Reluctant>) -> Arc<ProfileStore> {
    let record = Arc::new(Recorded(Mutex::new(recorded)));
    Arc::new(ProfileStore::new(record, cache.clone(), Sharing::Alone, &ProfileStoreConfig::default()))
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

#[tokio::test]
async fn after_the_cache_failed_its_copies_are_confirmed_for_a_while() {
    let of = |version| {
        let mut ada = ada();
        ada.revision = Revision { version, soft: 0 };
        ada
    };
    let old = |seconds| CachedProfile { profile: Arc::new(of(3)), confirmed_at: at(seconds) };
    let cache = Reluctant::of(&old(0), Forgets::AtOnce);
    let (record, config) = (Arc::new(Recorded(Mutex::new(Some(of(4))))), ProfileStoreConfig::default());
    let store = Arc::new(ProfileStore::new(record, cache.clone(), Sharing::ByCache, &config));
    let read = async |seconds| match store.read(&ada().name, at(seconds)).await.expect("read") {
        Read::Found(copy) => copy.profile.revision.version,
        Read::Absent | Read::Overloaded => 0,
    };
    assert_eq!(read(1).await, 3, "it is trusted");
    cache.fails.store(true, Relaxed);
    assert_eq!(read(2).await, 4, "as recorded");
    for (seconds, version) in [(3, 4), (10, 3)] {
        cache.copy.send_replace(Some(old(seconds)));
        assert_eq!(read(seconds).await, version, "whoever wrote 4 may not have put it: {seconds}");
    }
}

/// Ada with a phone and a watch, who agreed to location.
fn of_two_devices() -> Profile {
    let mut ada = ada();
    let agreed = Consent { granted: true, text_version: "1".into(), given_at: at(0) };
    ada.consents.set(Purpose::Location, agreed);
    for id in ["phone", "watch"] {
        let device = Device {
            language: "en".into(),
            platform: Platform::Other,
            time_zone: None,
            app_version: None,
            test: false,
            token_epoch: 0,
            registered_at: at(0),
            presence: Default::default(),
        };
        ada.devices.insert(device_of(&ada, id), device);
    }
    ada.revision.version = 1;
    ada
}

fn device_of(profile: &Profile, id: &str) -> DeviceName {
    profile.name.app().device(id).expect("sound")
}

/// The copy after that device was seen at that second, which only the cache needs to know.
fn seen(copy: &CachedProfile, id: &str, second: i64) -> CachedProfile {
    let mut profile = Profile::clone(&copy.profile);
    let device = profile.devices.get_mut(&device_of(&copy.profile, id)).expect("there");
    device.presence.newest_fix = Some(Reading::new(at(second), at(second)));
    profile.revision.soft += 1;
    CachedProfile { profile: Arc::new(profile), ..copy.clone() }
}

fn last_seen(copy: &CachedProfile) -> [Option<Timestamp>; 2] {
    let newest = |id| copy.profile.devices.get(&device_of(&copy.profile, id))?.presence.newest_fix;
    ["phone", "watch"].map(|id| newest(id).map(|read| read.event))
}

#[tokio::test(start_paused = true)]
async fn where_a_device_is_that_pings_another_node_is_not_written_over_by_the_node_of_a_stream() {
    let ada = of_two_devices();
    let first = CachedProfile { profile: Arc::new(ada.clone()), confirmed_at: at(0) };
    let cache = Reluctant::of(&first, Forgets::AtOnce);
    let node = node(Some(ada.clone()), &cache);
    let stream = node.open(&ada.name);
    assert!(is_found(&node, &ada.name).await);
    cache.put(seen(&first, "watch", 10)).await.expect("by another node");
    node.keep_soft(seen(&seen(&first, "phone", 11), "phone", 12)).await;

    let mut after = ada.clone();
    after.revision.version = 2;
    let saved = after.devices.get_mut(&device_of(&ada, "phone")).expect("there");
    (saved.presence.newest_fix, saved.presence.saved_at) = (Some(Reading::new(at(13), at(13))), Some(at(13)));
    let profiles = vec![ProfileWrite { expected: 1, profile: after }];
    node.commit(Commit { profiles, at: at(13), ..Commit::default() }).await.expect("made");
    let copy = cache.get(&ada.name).await.expect("read").expect("there");
    assert_eq!((copy.profile.revision.version, last_seen(&copy)), (2, [Some(at(13)), Some(at(10))]));

    let (by_other, by_stream) = (seen(&seen(&copy, "watch", 19), "watch", 20), seen(&copy, "phone", 21));
    cache.put(by_other).await.expect("by another node");
    node.keep_soft(by_stream).await;
    drop(stream);
    let mut held = cache.copy.subscribe();
    let is_known = |held: &Option<CachedProfile>| held.as_ref().map(last_seen) == Some([Some(at(21)), Some(at(20))]);
    timeout(Duration::from_secs(1), held.wait_for(is_known)).await.expect("what both know").expect("open");

    let Read::Found(read) = node.from_record(&ada.name, at(30)).await.expect("read") else { panic!("absent") };
    assert_eq!(last_seen(&read), [Some(at(21)), Some(at(20))]);
}
