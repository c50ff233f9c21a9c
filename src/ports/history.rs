//! Who changed what of the catalog, and when: what its append-only list says of the past.
//!
//! Law: newest first; what was appended is told for ever, also of resources that are gone.

use async_trait::async_trait;

use super::error::StoreError;
use crate::domain::{
    catalog::{Resource, ResourceName},
    name::OrganizationName,
    time::Timestamp,
};

/// One change, as it is on record.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeRecord {
    /// The catalog's version that it made.
    pub version: u64,
    pub name: ResourceName,
    /// The name of the key that asked for it.
    pub author: String,
    pub at: Timestamp,
    pub action: Action,
    /// The resource as it was then, if it was asked for and can be read.
    pub resource: Option<Resource>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Created,
    Changed,
    Deleted,
}

/// Which changes are asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryQuery {
    pub of: HistoryOf,
    /// Only those before this one, by version and then against the order of names.
    pub before: Option<(u64, String)>,
    pub most: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub enum HistoryOf {
    /// With what it was.
    Resource(ResourceName),
    /// The organization itself and all that belongs to it; without what they were.
    Organization(OrganizationName),
}

#[async_trait]
pub trait History: Send + Sync {
    /// Changes, newest first, and those of one version by name.
    async fn changes(&self, query: &HistoryQuery) -> Result<Vec<ChangeRecord>, StoreError>;
}
