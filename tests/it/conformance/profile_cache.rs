//! The laws of [`ProfileCache`], on memory and on Redis.

use std::sync::Arc;

use dintorni::{
    domain::{
        profile::{Profile, Revision},
        time::Timestamp,
    },
    ports::{CachedProfile, ProfileCache},
};
use tokio::task::JoinSet;

use crate::support::samples::{Person, app, at, person};

type Cache = Arc<dyn ProfileCache>;

macro_rules! on_every_cache {
    ($($law:ident)*) => {
        mod memory { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $law() { super::$law(crate::support::caches::memory()).await; }
        )* }
        mod redis { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $law() { super::$law(crate::support::caches::redis().await).await; }
        )* }
    };
}

on_every_cache! {
    what_is_put_is_got
    an_older_revision_changes_nothing
    a_later_confirmation_of_an_equal_revision_is_taken_over
    racing_puts_leave_the_newest
    after_an_erasure_no_older_revision_comes_back
    an_erasure_is_remembered_where_nothing_was_held
}

fn copy(person: &Person, version: u64, soft: u64, confirmed_at: Timestamp) -> CachedProfile {
    let mut profile: Profile = person.profile(version);
    profile.revision = Revision { version, soft };
    CachedProfile { profile: Arc::new(profile), confirmed_at }
}

async fn got(cache: &Cache, person: &Person) -> Option<CachedProfile> {
    cache.get(&person.name).await.expect("the cache answers")
}

async fn put(cache: &Cache, copy: &CachedProfile) {
    cache.put(copy.clone()).await.expect("the cache answers");
}

async fn what_is_put_is_got(cache: Cache) {
    let app = app();
    let (ada, bob) = (person(&app, "ada"), person(&app, "bob"));
    assert_eq!(got(&cache, &ada).await, None);
    let kept = copy(&ada, 3, 1, at(5));
    put(&cache, &kept).await;
    assert_eq!(got(&cache, &ada).await, Some(kept));
    assert_eq!(got(&cache, &bob).await, None);
}

async fn an_older_revision_changes_nothing(cache: Cache) {
    let ada = person(&app(), "ada");
    let mut newest = copy(&ada, 9, 9, at(0));
    put(&cache, &newest).await;
    for (version, soft) in [(9, 8), (8, u64::MAX), (1, 0)] {
        put(&cache, &copy(&ada, version, soft, at(100))).await;
        assert_eq!(got(&cache, &ada).await, Some(newest.clone()), "{version}.{soft}");
    }
    // Numbers, not digits: 10 is newer than 9, and a version newer than any soft count.
    for (version, soft) in [(9, 10), (10, 0)] {
        newest = copy(&ada, version, soft, at(0));
        put(&cache, &newest).await;
        assert_eq!(got(&cache, &ada).await, Some(newest.clone()), "{version}.{soft}");
    }
}

async fn a_later_confirmation_of_an_equal_revision_is_taken_over(cache: Cache) {
    let ada = person(&app(), "ada");
    for (confirmed, expected) in [(50, 50), (40, 50), (60, 60)] {
        put(&cache, &copy(&ada, 1, 0, at(confirmed))).await;
        let held = got(&cache, &ada).await.expect("held");
        assert_eq!(held.confirmed_at, at(expected));
    }
}

async fn racing_puts_leave_the_newest(cache: Cache) {
    let ada = person(&app(), "ada");
    let mut putters = JoinSet::new();
    for version in 1..=40 {
        let (cache, copy) = (Arc::clone(&cache), copy(&ada, version * 7 % 41, 0, at(0)));
        putters.spawn(async move { cache.put(copy).await.expect("the cache answers") });
    }
    putters.join_all().await;
    assert_eq!(got(&cache, &ada).await.expect("held").profile.revision.version, 40);
}

async fn after_an_erasure_no_older_revision_comes_back(cache: Cache) {
    let ada = person(&app(), "ada");
    put(&cache, &copy(&ada, 4, 2, at(0))).await;
    cache.forget(&ada.name, 4).await.expect("the cache answers");
    assert_eq!(got(&cache, &ada).await, None);
    for (version, soft) in [(3, 0), (4, 2), (4, u64::MAX)] {
        put(&cache, &copy(&ada, version, soft, at(900))).await;
        assert_eq!(got(&cache, &ada).await, None, "{version}.{soft}");
    }
    // An earlier erasure that arrives late forgets nothing of this one.
    cache.forget(&ada.name, 2).await.expect("the cache answers");
    put(&cache, &copy(&ada, 3, 0, at(900))).await;
    assert_eq!(got(&cache, &ada).await, None);
    let newer = copy(&ada, 5, 0, at(0));
    put(&cache, &newer).await;
    assert_eq!(got(&cache, &ada).await, Some(newer));
}

async fn an_erasure_is_remembered_where_nothing_was_held(cache: Cache) {
    let ada = person(&app(), "ada");
    cache.forget(&ada.name, 7).await.expect("the cache answers");
    put(&cache, &copy(&ada, 7, 0, at(0))).await;
    assert_eq!(got(&cache, &ada).await, None);
}
