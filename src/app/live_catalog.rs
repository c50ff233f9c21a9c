//! The catalog in force: one snapshot, swapped when a newer version is known.
//!
//! Law: a snapshot is built off the hot path and then swapped; readers never wait, and each decision names its version.
//! What is in force is what the record says, also when that went back: then it is built anew. What keeps a campaign from firing
//! where it was meant to is reported once, when it begins.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

use crate::{
    domain::{catalog::CatalogChange, time::Timestamp},
    engine::{areas::Problem, catalog::Catalog},
    ports::{Appended, CatalogStore, Edit, StoreError},
};

/// Hands out the catalog in force, and changes it.
pub struct LiveCatalog {
    store: Arc<dyn CatalogStore>,
    current: ArcSwap<Catalog>,
    /// Held while another snapshot is built, so that versions only rise, unless the record went back.
    building: Mutex<()>,
    /// Whether the record has lost versions that are in force: it must be read anew.
    lost: AtomicBool,
    /// How often it was read anew for that.
    losses: AtomicU64,
    looks: Looks,
}

/// Longest look, so that nobody waits long for a record that is away: whoever misses something is told to try again. Who
/// comes during a look that began without them waits for the rest of it, and for one more.
const LONGEST_LOOK: Duration = Duration::from_secs(2);

/// Looks for a newer version on behalf of those who miss something: one at a time, and shared.
#[derive(Default)]
struct Looks {
    begun: AtomicU64,
    /// The number of the last one, and what it found. Held while somebody looks.
    last: Mutex<Option<(u64, Result<u64, StoreError>)>>,
}

impl LiveCatalog {
    /// Reads the whole catalog.
    pub async fn load(store: Arc<dyn CatalogStore>) -> Result<Self, StoreError> {
        let current = ArcSwap::from_pointee(Catalog::default());
        let (building, lost, losses) = (Mutex::new(()), AtomicBool::new(false), AtomicU64::new(0));
        let live = Self { store, current, building, lost, losses, looks: Looks::default() };
        live.refresh().await?;
        Ok(live)
    }

    /// The catalog in force.
    pub fn snapshot(&self) -> Arc<Catalog> {
        self.current.load_full()
    }

    /// How often the record went back behind what was in force: versions from before mean something else after.
    pub fn losses(&self) -> u64 {
        self.losses.load(SeqCst)
    }

    /// Makes the edits, or none of them; they are in force when this returns [`Appended::Version`].
    pub async fn edit(&self, edits: Vec<Edit>, author: &str, at: Timestamp) -> Result<Appended, StoreError> {
        let (made, known) = (edits.clone(), self.snapshot());
        let appended = self.store.append(edits, author, at).await?;
        if let Appended::Version(version) = appended {
            // The version before its own was the head.
            self.heed(&known, version.saturating_sub(u64::from(!made.is_empty())));
            if let Err(error) = self.reach(version).await {
                // The edit has happened: its caller must hear so, and some answers (a key's secret) are given only once.
                tracing::error!(%error, version, "an edit cannot be read back; it is taken over as it was asked for");
                self.take_over(made, version).await;
            }
        }
        Ok(appended)
    }

    /// Puts edits in force that made this version. If others made versions before it that are not known here, the
    /// snapshot keeps its own version, so that the next refresh reads them all.
    async fn take_over(&self, edits: Vec<Edit>, version: u64) {
        let _building = self.building.lock().await;
        let current = self.snapshot();
        if current.version >= version && !self.lost.load(SeqCst) {
            return;
        }
        let change = |Edit { name, resource, expected: _ }| CatalogChange { version, name, resource };
        let changes: Vec<CatalogChange> = edits.into_iter().map(change).collect();
        let mut next = current.after(&changes);
        if version != current.version + 1 {
            next.version = current.version;
        }
        self.current.store(Arc::new(next));
    }

    /// Takes over what was changed elsewhere; returns the version then in force.
    pub async fn refresh(&self) -> Result<u64, StoreError> {
        let known = self.snapshot();
        let head = soon(self.store.head()).await?;
        self.heed(&known, head);
        self.reach(head).await
    }

    /// The catalog in force if it has what is wanted, else the newest one.
    pub async fn having(self: &Arc<Self>, wanted: impl Fn(&Catalog) -> bool) -> Result<Arc<Catalog>, StoreError> {
        let snapshot = self.snapshot();
        if !wanted(&snapshot) {
            self.look_again().await?;
            return Ok(self.snapshot());
        }
        Ok(snapshot)
    }

    /// Takes over what was changed elsewhere before this was called, for somebody who misses something: it may have been
    /// made on another node a moment ago. Returns the version then in force. However many ask, the record is asked by one
    /// at a time, and whoever came before a question was begun has its answer, be it that there is none.
    pub async fn look_again(self: &Arc<Self>) -> Result<u64, StoreError> {
        let before = self.looks.begun.load(SeqCst);
        let mut last = self.looks.last.lock().await;
        if let Some((number, found)) = &*last
            && *number > before
        {
            return found.clone();
        }
        let number = self.looks.begun.fetch_add(1, SeqCst) + 1;
        let found = soon(self.look()).await;
        *last = Some((number, found.clone()));
        found
    }

    async fn look(self: &Arc<Self>) -> Result<u64, StoreError> {
        let known = self.snapshot();
        let head = self.store.head().await?;
        self.heed(&known, head);
        if known.version == head {
            return Ok(head);
        }
        // Goes on by itself if nobody waits so long: what was read and built is wanted all the same.
        let live = self.clone();
        let reached = tokio::spawn(async move { live.reach(head).await });
        reached.await.map_err(|gone| StoreError::Unavailable(gone.to_string()))?
    }

    /// Heeds how far the record was when it was asked, by somebody for whom that catalog was in force before. Versions are
    /// never taken back: if it has less, it was restored from an older copy, or another database that lagged behind took its
    /// place. Once it was read anew that is known.
    fn heed(&self, known: &Arc<Catalog>, head: u64) {
        if head < known.version && Arc::ptr_eq(known, &self.snapshot()) {
            self.lost.store(true, SeqCst);
        }
    }

    async fn reach(&self, version: u64) -> Result<u64, StoreError> {
        let _building = self.building.lock().await;
        let (current, lost) = (self.snapshot(), self.lost.load(SeqCst));
        if current.version >= version && !lost {
            return Ok(current.version);
        }
        let base = if lost { Arc::default() } else { current.clone() };
        let changes = self.store.changes_since(base.version).await?;
        let next = tokio::task::spawn_blocking(move || base.after(&changes)).await;
        let mut next = next.map_err(|gone| StoreError::Unavailable(gone.to_string()))?;
        // All that can be read up to there was read, even if the last change is none of it.
        next.version = next.version.max(version);
        if lost {
            let (was, now) = (current.version, next.version);
            tracing::error!(
                was,
                now,
                "the record has lost versions of the catalog that were in force; it was read anew"
            );
            self.losses.fetch_add(1, SeqCst);
        }
        for Problem { campaign, what } in new_problems(&current, &next) {
            tracing::warn!(%campaign, %what, "an active campaign cannot fire everywhere it was meant to");
        }
        let reached = next.version;
        self.current.store(Arc::new(next));
        self.lost.fetch_and(!lost, SeqCst);
        Ok(reached)
    }
}

/// What the record says, if it says it within [`LONGEST_LOOK`].
async fn soon<T>(answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let too_long = |_| Err(StoreError::Unavailable(format!("the record said nothing for {LONGEST_LOOK:?}")));
    tokio::time::timeout(LONGEST_LOOK, answer).await.unwrap_or_else(too_long)
}

/// What was amiss before already has been reported.
fn new_problems<'a>(before: &Catalog, next: &'a Catalog) -> impl Iterator<Item = Problem> + use<'a> {
    let known: HashSet<Problem> = before.areas.problems().collect();
    next.areas.problems().filter(move |problem| !known.contains(problem))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    use async_trait::async_trait;

    use super::*;
    use crate::{
        app::{
            campaigns::tests::campaign,
            fakes::{AUTHOR, FakeCatalog, at, store, store_name},
        },
        domain::campaign::{Campaign, CampaignState, On},
        ports::Expected,
    };

    /// Takes edits, and gives nothing back while it is `mute`, or long after anybody waits for it while it is `slow`, or is
    /// in no hurry to say even that there is something; or no answer at all while it `hangs`.
    #[derive(Default)]
    struct Muted {
        inner: Arc<FakeCatalog>,
        mute: AtomicBool,
        slow: AtomicBool,
        hangs: AtomicBool,
    }

    #[async_trait]
    impl CatalogStore for Muted {
        async fn head(&self) -> Result<u64, StoreError> {
            if self.hangs.load(Relaxed) {
                std::future::pending::<()>().await;
            }
            if self.slow.load(Relaxed) {
                tokio::time::sleep(LONGEST_LOOK * 3 / 4).await;
            }
            self.inner.head().await
        }

        async fn changes_between(&self, after: u64, until: u64) -> Result<Vec<CatalogChange>, StoreError> {
            if self.slow.load(Relaxed) {
                tokio::time::sleep(LONGEST_LOOK * 2).await;
            }
            match self.mute.load(Relaxed) {
                true => Err(StoreError::Unavailable("mute".into())),
                false => self.inner.changes_between(after, until).await,
            }
        }

        async fn append(&self, edits: Vec<Edit>, author: &str, at: Timestamp) -> Result<Appended, StoreError> {
            self.inner.append(edits, author, at).await
        }
    }

    #[tokio::test]
    async fn whoever_misses_something_shares_a_look_that_began_after_they_came() {
        let shared = Arc::<FakeCatalog>::default();
        let (here, there) = (LiveCatalog::load(shared.clone()), LiveCatalog::load(shared.clone()));
        let (here, there) = (here.await.expect("read"), Arc::new(there.await.expect("read")));
        here.edit(put("1"), AUTHOR, at(1)).await.expect("made");
        assert_eq!(there.snapshot().version, 0);
        let looks = (0..50).map(|_| {
            let there = there.clone();
            async move { there.look_again().await }
        });
        let found = futures_util::future::join_all(looks).await;
        assert!(found.into_iter().all(|found| found.is_ok_and(|version| version == 1)));
        // The first, one for all who came while it looked, and few more for those who came later still.
        assert!(there.looks.begun.load(SeqCst) < 10, "not one for each");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_long_for_a_record_that_says_nothing() {
        let muted = Arc::new(Muted::default());
        let live = Arc::new(LiveCatalog::load(muted.clone()).await.expect("read"));
        muted.hangs.store(true, Relaxed);
        let looks = (0..50).map(|_| {
            let live = live.clone();
            async move { live.look_again().await }
        });
        let all = tokio::time::timeout(3 * LONGEST_LOOK, futures_util::future::join_all(looks));
        let found = all.await.expect("one look after the other would take 50 times as long");
        assert!(found.iter().all(|found| matches!(found, Err(StoreError::Unavailable(_)))));
        muted.hangs.store(false, Relaxed);
        assert_eq!(live.look_again().await.expect("it speaks again"), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_took_longer_than_anybody_waits_is_in_force_all_the_same() {
        let muted = Arc::new(Muted::default());
        let live = Arc::new(LiveCatalog::load(muted.clone()).await.expect("read"));
        muted.inner.append(put("1"), AUTHOR, at(1)).await.expect("another node's");
        muted.slow.store(true, Relaxed);
        let look = tokio::time::timeout(LONGEST_LOOK + Duration::from_millis(1), live.look_again());
        assert!(matches!(look.await.expect("a whole look"), Err(StoreError::Unavailable(_))));
        tokio::time::sleep(LONGEST_LOOK * 2).await;
        assert_eq!(live.snapshot().version, 1, "nobody looked again");
    }

    fn put(id: &str) -> Vec<Edit> {
        vec![Edit::put(store(id, "Cafe"), Expected::Absent)]
    }

    #[tokio::test]
    async fn an_edit_that_happened_is_in_force_though_it_cannot_be_read_back() {
        let muted = Arc::new(Muted::default());
        let live = LiveCatalog::load(muted.clone()).await.expect("read");
        muted.mute.store(true, Relaxed);
        assert_eq!(live.edit(put("1"), AUTHOR, at(1)).await.expect("made"), Appended::Version(1));
        assert_eq!((live.snapshot().version, live.snapshot().stores[&store_name("1")].etag), (1, 1));

        muted.inner.append(put("2"), AUTHOR, at(2)).await.expect("another node's");
        assert_eq!(live.edit(put("3"), AUTHOR, at(3)).await.expect("made"), Appended::Version(3));
        assert_eq!((live.snapshot().version, live.snapshot().stores[&store_name("3")].etag), (1, 3));
        muted.mute.store(false, Relaxed);
        assert_eq!(live.refresh().await.expect("read"), 3);
        assert_eq!(live.snapshot().stores.len(), 3, "with what the other node did");
    }

    #[tokio::test]
    async fn a_record_that_went_back_is_in_force_as_it_is() {
        let muted = Arc::new(Muted::default());
        let live = Arc::new(LiveCatalog::load(muted.clone()).await.expect("read"));
        let names = || live.snapshot().stores.iter().map(|(name, _)| name.id().to_owned()).collect::<Vec<_>>();
        let make = async |ids: &[&str]| {
            for id in ids {
                live.edit(put(id), AUTHOR, at(1)).await.expect("made");
            }
        };
        make(&["1", "2", "3"]).await;
        muted.inner.lose_after(1);
        assert_eq!((live.refresh().await.expect("read"), names()), (1, vec!["1".to_owned()]), "seen by the poll");

        make(&["2", "3"]).await;
        muted.inner.lose_after(1);
        assert_eq!((live.look_again().await.expect("read"), names().len()), (1, 1), "by who misses something");

        let delete = || live.edit(vec![Edit::delete(store_name("1"), Expected::Anything)], AUTHOR, at(1));
        make(&["2"]).await;
        muted.inner.lose_after(1);
        assert_eq!(delete().await.expect("made"), Appended::Version(2), "a version that was known as another");
        assert_eq!((live.snapshot().version, names().len()), (2, 0), "by who edits");

        make(&["1", "2"]).await;
        muted.inner.lose_after(3);
        muted.mute.store(true, Relaxed);
        delete().await.expect("made");
        assert_eq!(names(), ["2"], "it is in force though it cannot be read back");
        muted.mute.store(false, Relaxed);
        assert_eq!((live.refresh().await.expect("read"), names().len()), (4, 0), "and what is not so goes");
    }

    #[tokio::test]
    async fn a_problem_is_new_once() {
        let live = LiveCatalog::load(Arc::<FakeCatalog>::default()).await.expect("read");
        let put = |campaign: Campaign| live.edit(vec![Edit::put(campaign, Expected::Anything)], AUTHOR, at(0));
        let active = |places: &[&str]| Campaign { state: CampaignState::Active, ..campaign(On::Entered, places) };
        let empty = live.snapshot();
        put(active(&["stores/gone"])).await.expect("made");
        let broken = live.snapshot();
        assert_eq!(new_problems(&empty, &broken).count(), 1, "{:?}", broken.areas.problems().collect::<Vec<_>>());
        put(Campaign { display_name: "Other".into(), ..active(&["stores/gone"]) }).await.expect("made");
        assert_eq!(new_problems(&broken, &live.snapshot()).count(), 0);
        assert_eq!(new_problems(&broken, &empty).count(), 0);
    }
}
