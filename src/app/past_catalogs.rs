//! The catalog as it was at a version, for replays.
//!
//! Law 5: it is built of the changes up to that version, as it was when it was in force. One is built at a time, beside the
//! threads that answer pings. The last one is kept for whoever asks for it, or for a later one, which takes the changes in
//! between alone; a catalog is large, so once nobody asks any more it goes.

use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};

use super::{aside::Refused, live_catalog::LiveCatalog};
use crate::{engine::catalog::Catalog, ports::CatalogStore};

/// Hands out catalogs of the past.
pub struct PastCatalogs {
    store: Arc<dyn CatalogStore>,
    live: Arc<LiveCatalog>,
    /// Held while another one is built.
    last: Arc<Mutex<Option<Kept>>>,
}

struct Kept {
    catalog: Arc<Catalog>,
    /// How often the record had gone back when it was built.
    losses: u64,
    /// Whether anybody asked for it since the last [`PastCatalogs::prune`].
    is_used: bool,
}

impl PastCatalogs {
    pub fn new(store: Arc<dyn CatalogStore>, live: Arc<LiveCatalog>) -> Self {
        Self { store, live, last: Arc::default() }
    }

    /// The catalog of that version, built if it is neither in force nor kept.
    pub async fn at(&self, version: u64) -> Result<Arc<Catalog>, Refused> {
        let live = self.live.snapshot();
        if live.version == version {
            return Ok(live);
        }
        let mut last = self.last.clone().lock_owned().await;
        let losses = self.live.losses();
        // It may be of a past that the record does not know any more.
        last.take_if(|kept| kept.losses != losses);
        if let Some(kept) = last.as_mut().filter(|kept| kept.catalog.version == version) {
            kept.is_used = true;
            return Ok(kept.catalog.clone());
        }
        let store = self.store.clone();
        // Goes on by itself if nobody waits so long, and whoever asks again finds it.
        let built = tokio::spawn(async move { build((last, losses), &*store, version).await });
        built.await.map_err(gone)?
    }

    /// Lets the kept one go if nobody asked for it since this was called last.
    pub fn prune(&self) {
        // Held, it is being built.
        let Ok(mut last) = self.last.try_lock() else { return };
        if last.as_mut().is_some_and(|kept| !std::mem::take(&mut kept.is_used)) {
            *last = None;
        }
    }
}

async fn build(
    (mut last, losses): (OwnedMutexGuard<Option<Kept>>, u64),
    store: &dyn CatalogStore,
    version: u64,
) -> Result<Arc<Catalog>, Refused> {
    let kept = last.as_ref().map(|kept| kept.catalog.clone());
    let earlier = kept.filter(|kept| kept.version < version);
    if earlier.is_none() {
        // Of no use for an earlier version: two at once would be one too many.
        *last = None;
    }
    let earlier = earlier.unwrap_or_default();
    let changes = store.changes_between(earlier.version, version).await?;
    // In no turn of those who work aside: that is for milliseconds, and here one is built at a time.
    let built = tokio::task::spawn_blocking(move || earlier.after(&changes));
    let mut catalog = built.await.map_err(gone)?;
    // Its last change may be none that can be read.
    catalog.version = version;
    let catalog = Arc::new(catalog);
    *last = Some(Kept { catalog: catalog.clone(), losses, is_used: true });
    Ok(catalog)
}

fn gone(fault: tokio::task::JoinError) -> Refused {
    Refused::broken("catalogs of the past", &fault)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::fakes::{AUTHOR, FakeCatalog, at, store, store_name},
        domain::name::StoreName,
        ports::{Edit, Expected},
    };

    async fn put(live: &LiveCatalog, id: &str, display_name: &str) {
        let edit = Edit::put(store(id, display_name), Expected::Anything);
        live.edit(vec![edit], AUTHOR, at(1)).await.expect("made");
    }

    async fn past() -> (Arc<LiveCatalog>, PastCatalogs) {
        let fake = Arc::<FakeCatalog>::default();
        let live = Arc::new(LiveCatalog::load(fake.clone()).await.expect("read"));
        put(&live, "1", "Cafe").await;
        put(&live, "2", "Bar").await;
        put(&live, "1", "Bistro").await;
        live.edit(vec![Edit::delete(store_name("2"), Expected::Anything)], AUTHOR, at(1)).await.expect("made");
        let past = PastCatalogs::new(fake, live.clone());
        (live, past)
    }

    async fn stores(past: &PastCatalogs, version: u64) -> Vec<(StoreName, String, u64)> {
        let catalog = past.at(version).await.expect("built");
        assert_eq!(catalog.version, version);
        catalog.stores.iter().map(|(name, one)| (name.clone(), one.value.display_name.clone(), one.etag)).collect()
    }

    #[tokio::test]
    async fn each_version_is_as_it_was_in_whatever_order_they_are_asked_for() {
        let (live, past) = past().await;
        let row = |id: &str, display_name: &str, etag| (store_name(id), display_name.to_owned(), etag);
        let history = [
            vec![],
            vec![row("1", "Cafe", 1)],
            vec![row("1", "Cafe", 1), row("2", "Bar", 2)],
            vec![row("1", "Bistro", 3), row("2", "Bar", 2)],
            vec![row("1", "Bistro", 3)],
        ];
        for version in [1, 2, 3, 0, 3, 1, 4, 2] {
            assert_eq!(stores(&past, version).await, history[version as usize], "version {version}");
        }
        let newest = past.at(4).await.expect("there");
        assert!(Arc::ptr_eq(&newest, &live.snapshot()), "that one is in force, and nothing was built");
    }

    #[tokio::test]
    async fn the_last_one_is_kept_until_nobody_asks_for_it() {
        let (_, past) = past().await;
        let at = async || past.at(2).await.expect("built");
        let first = at().await;
        past.prune();
        assert!(Arc::ptr_eq(&first, &at().await), "it was asked for since");
        past.prune();
        past.prune();
        assert_eq!(Arc::strong_count(&first), 1, "nobody else has it");
        assert!(!Arc::ptr_eq(&first, &at().await));
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_built_all_the_same() {
        let (_, past) = past().await;
        let mut asked = Box::pin(past.at(2));
        assert!(futures_util::poll!(&mut asked).is_pending());
        drop(asked);
        let built = past.at(2).await.expect("built");
        assert_eq!((built.version, Arc::strong_count(&built)), (2, 2));
    }
}
