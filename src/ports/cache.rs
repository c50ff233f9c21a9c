//! The profile cache: a faster copy of what SQL decides.
//!
//! Laws:
//! 1. SQL decides, the cache only proposes: a stale or lost copy costs a second try, never a second offer.
//! 2. A put of an older [`Revision`](crate::domain::profile::Revision) than the one held changes nothing.
//! 3. After [`ProfileCache::forget`] an older revision cannot come back.
//! 4. Every call ends within the adapter's budget; a failure is an `Err`, and the caller reads SQL.

use std::sync::Arc;

use async_trait::async_trait;

use super::error::StoreError;
use crate::domain::{name::ProfileName, profile::Profile, time::Timestamp};

/// A copy of a profile, and when SQL last confirmed that its version is the newest.
#[derive(Debug, Clone, PartialEq)]
pub struct CachedProfile {
    pub profile: Arc<Profile>,
    pub confirmed_at: Timestamp,
}

#[async_trait]
pub trait ProfileCache: Send + Sync {
    /// The newest copy put, if it is still held.
    async fn get(&self, name: &ProfileName) -> Result<Option<CachedProfile>, StoreError>;

    /// Keeps the copy unless a newer or equal revision is held; a later `confirmed_at` of an equal one is taken over.
    async fn put(&self, copy: CachedProfile) -> Result<(), StoreError>;

    /// Drops the profile and refuses puts of `version` and older from then on (erasure).
    async fn forget(&self, name: &ProfileName, version: u64) -> Result<(), StoreError>;
}
