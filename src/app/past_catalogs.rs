//! The catalog as it was at a version, for replays.
//!
//! Law 5: it is built of the changes up to that version, as it was when it was in force. One is built at a time, beside the
//! threads that answer pings. The last one is kept for whoever asks for it, or for a later one, which takes the changes in
//! between alone; a catalog is large, so once nobody asks any more it goes.

use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};

use super::{live_catalog::LiveCatalog, turns::Turns};
use crate::{
    domain::name::OrganizationName,
    engine::catalog::Catalog,
    ports::{CatalogStore, StoreError},
};

/// Hands out catalogs of the past.
pub struct PastCatalogs {
    store: Arc<dyn CatalogStore>,
    live: Arc<LiveCatalog>,
    turns: Arc<Turns>,
    /// Held while another one is built.
    last: Arc<Mutex<Option<Kept>>>,
}

struct Kept {
    catalog: Arc<Catalog>,
    /// Whether anybody asked for it since the last [`PastCatalogs::prune`].
    is_used: bool,
}

impl PastCatalogs {
    pub fn new(store: Arc<dyn CatalogStore>, live: Arc<LiveCatalog>, turns: Arc<Turns>) -> Self {
        Self { store, live, turns, last: Arc::default() }
    }

    /// The catalog of that version, built in a turn of the organization if it is neither in force nor kept.
    pub async fn at(&self, version: u64, organization: &OrganizationName) -> Result<Arc<Catalog>, StoreError> {
        let live = self.live.snapshot();
        if live.version == version {
            return Ok(live);
        }
        let mut last = self.last.clone().lock_owned().await;
        if let Some(kept) = last.as_mut().filter(|kept| kept.catalog.version == version) {
            kept.is_used = true;
            return Ok(kept.catalog.clone());
        }
        let (store, turns, organization) = (self.store.clone(), self.turns.clone(), organization.clone());
        // Goes on by itself if nobody waits so long, and whoever asks again finds it.
        let built = tokio::spawn(async move { build(last, &*store, version, turns, &organization).await });
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
    mut last: OwnedMutexGuard<Option<Kept>>,
    store: &dyn CatalogStore,
    version: u64,
    turns: Arc<Turns>,
    organization: &OrganizationName,
) -> Result<Arc<Catalog>, StoreError> {
    let earlier = last.take().map(|kept| kept.catalog).filter(|kept| kept.version < version).unwrap_or_default();
    let changes = store.changes_between(earlier.version, version).await?;
    let turn = turns.take(organization).await;
    let built = tokio::task::spawn_blocking(move || {
        let built = earlier.after(&changes);
        drop(turn);
        built
    });
    let mut catalog = built.await.map_err(gone)?;
    // Its last change may be none that can be read.
    catalog.version = version;
    let catalog = Arc::new(catalog);
    *last = Some(Kept { catalog: catalog.clone(), is_used: true });
    Ok(catalog)
}

fn gone(fault: tokio::task::JoinError) -> StoreError {
    StoreError::Unavailable(fault.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::{
            aside,
            fakes::{AUTHOR, FakeCatalog, at, owner, store, store_name},
        },
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
        let past = PastCatalogs::new(fake, live.clone(), aside::turns());
        (live, past)
    }

    async fn stores(past: &PastCatalogs, version: u64) -> Vec<(StoreName, String, u64)> {
        let catalog = past.at(version, &owner("acme")).await.expect("built");
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
        let newest = past.at(4, &owner("acme")).await.expect("there");
        assert!(Arc::ptr_eq(&newest, &live.snapshot()), "that one is in force, and nothing was built");
    }

    #[tokio::test]
    async fn the_last_one_is_kept_until_nobody_asks_for_it() {
        let (_, past) = past().await;
        let at = async || past.at(2, &owner("acme")).await.expect("built");
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
        let organization = owner("acme");
        let mut asked = Box::pin(past.at(2, &organization));
        assert!(futures_util::poll!(&mut asked).is_pending());
        drop(asked);
        let built = past.at(2, &organization).await.expect("built");
        assert_eq!((built.version, Arc::strong_count(&built)), (2, 2));
    }
}
