//! The catalog's truth: an append-only list of changes, which is change feed, audit, replay and rollback in one.
//!
//! Laws:
//! 1. Versions are 1, 2, 3, … without gaps, and a version is visible only with all of its changes.
//! 2. The edits of one append happen together under one version, or not at all.
//! 3. An edit whose [`Expected`] does not hold makes the whole append a conflict that names its resource.
//! 4. A campaign's budgets are created and their limits set in the same transaction as the campaign; with one that is
//!    deleted go the codes of its pool that were never given.
//! 5. A change that cannot be read keeps no other from being read: the adapter reports it, and gives it as the end of its
//!    resource, so that all nodes have the same in force; if not even its name can be read, it is left out.

use async_trait::async_trait;

use super::error::StoreError;
use crate::domain::{
    catalog::{CatalogChange, Resource, ResourceName},
    time::Timestamp,
};

/// One edit of one resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    pub name: ResourceName,
    /// What it shall be; none deletes it.
    pub resource: Option<Resource>,
    pub expected: Expected,
}

impl Edit {
    /// Makes the resource what is given, if `expected` holds of what is there.
    pub fn put(resource: impl Into<Resource>, expected: Expected) -> Self {
        let resource = resource.into();
        Self { name: resource.name(), resource: Some(resource), expected }
    }

    /// Removes the resource, if `expected` holds of what is there.
    pub fn delete(name: impl Into<ResourceName>, expected: Expected) -> Self {
        Self { name: name.into(), resource: None, expected }
    }
}

/// What must be so of the resource before the edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    Anything,
    /// It does not exist.
    Absent,
    /// It exists and its last change made this version of the catalog (its etag).
    Version(u64),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Appended {
    /// All edits happened, under this version.
    Version(u64),
    /// Nothing happened: this resource was not as expected.
    Conflict(ResourceName),
}

/// Up to whatever the last version is.
pub const NEWEST: u64 = u64::MAX;

#[async_trait]
pub trait CatalogStore: Send + Sync {
    /// The newest version; 0 when nothing was ever appended.
    async fn head(&self) -> Result<u64, StoreError>;

    /// All changes after `version` that can be read, in order; of a resource changed several times only the last one need
    /// be given. The last may so be older than [`Self::head`].
    async fn changes_since(&self, version: u64) -> Result<Vec<CatalogChange>, StoreError> {
        self.changes_between(version, NEWEST).await
    }

    /// The same of the changes after `after` and up to `until`, as if nothing had come later: with them the catalog of the
    /// one version becomes that of the other.
    async fn changes_between(&self, after: u64, until: u64) -> Result<Vec<CatalogChange>, StoreError>;

    /// Appends edits, which name different resources. `author` is the name of the key that asked, for the audit.
    async fn append(&self, edits: Vec<Edit>, author: &str, at: Timestamp) -> Result<Appended, StoreError>;
}
