//! Giving the shared cache what it should have had.
//!
//! Law 3: other servers believe an old copy for a while, so what could not be put is put as soon as the cache takes it,
//! whether or not anybody asks for that person here.

use std::sync::Arc;

use futures_util::future::try_join_all;

use super::{profile_store::ProfileStore, stripes::Stripes};
use crate::{
    domain::{name::ProfileName, time::Timestamp},
    ports::StoreError,
};

/// Profiles that are read from the record and put at once.
const AT_ONCE: usize = 16;

/// Settles doubts.
pub struct Settling {
    profiles: Arc<ProfileStore>,
    stripes: Arc<Stripes>,
}

impl Settling {
    pub fn new(profiles: Arc<ProfileStore>, stripes: Arc<Stripes>) -> Self {
        Self { profiles, stripes }
    }

    /// Puts what the cache lacks, until it has all of it or takes no more.
    pub async fn settle(&self, now: Timestamp) -> Result<(), StoreError> {
        loop {
            let doubted = self.profiles.doubted(AT_ONCE);
            if doubted.is_empty() {
                return Ok(());
            }
            try_join_all(doubted.iter().map(|name| self.put(name, now))).await?;
            let left = self.profiles.doubted(usize::MAX);
            if doubted.iter().any(|name| left.contains(name)) {
                return Ok(());
            }
        }
    }

    /// In its turn: whoever writes the profile meanwhile may fail to put it, and that doubt must stay.
    async fn put(&self, name: &ProfileName, now: Timestamp) -> Result<(), StoreError> {
        let _turn = self.stripes.turn(name).await;
        self.profiles.from_record(name, now).await.map(drop)
    }
}
