//! The catalog in force: one snapshot, swapped when a newer version is known.
//!
//! Law: a snapshot is built off the hot path and then swapped; readers never wait, and each decision names its version.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

use crate::{
    domain::time::Timestamp,
    engine::catalog::Catalog,
    ports::{Appended, CatalogStore, Edit, StoreError},
};

/// Hands out the catalog in force, and changes it.
pub struct LiveCatalog {
    store: Arc<dyn CatalogStore>,
    current: ArcSwap<Catalog>,
    /// Held while a newer snapshot is built, so that versions only rise.
    building: Mutex<()>,
}

impl LiveCatalog {
    /// Reads the whole catalog.
    pub async fn load(store: Arc<dyn CatalogStore>) -> Result<Self, StoreError> {
        let live = Self { store, current: ArcSwap::from_pointee(Catalog::default()), building: Mutex::new(()) };
        live.refresh().await?;
        Ok(live)
    }

    /// The catalog in force.
    pub fn snapshot(&self) -> Arc<Catalog> {
        self.current.load_full()
    }

    /// Makes the edits, or none of them; they are in force when this returns [`Appended::Version`].
    pub async fn edit(&self, edits: Vec<Edit>, author: &str, at: Timestamp) -> Result<Appended, StoreError> {
        let appended = self.store.append(edits, author, at).await?;
        if let Appended::Version(version) = appended {
            self.reach(version).await?;
        }
        Ok(appended)
    }

    /// Takes over what was changed elsewhere; returns the version then in force.
    pub async fn refresh(&self) -> Result<u64, StoreError> {
        let head = self.store.head().await?;
        self.reach(head).await
    }

    async fn reach(&self, version: u64) -> Result<u64, StoreError> {
        let _building = self.building.lock().await;
        let current = self.snapshot();
        if current.version >= version {
            return Ok(current.version);
        }
        let changes = self.store.changes_since(current.version).await?;
        let next = tokio::task::spawn_blocking(move || current.after(&changes)).await;
        let next = next.map_err(|gone| StoreError::Unavailable(gone.to_string()))?;
        let reached = next.version;
        self.current.store(Arc::new(next));
        Ok(reached)
    }
}
