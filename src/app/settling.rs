//! Giving the shared cache what it should have had.
//!
//! Law 3: other servers believe an old copy for a while, so what could not be put is put as soon as the cache takes it,
//! whether or not anybody asks for that person here.

use std::sync::Arc;

use futures_util::future::join_all;

use super::{profile_store::ProfileStore, stripes::Stripes};
use crate::domain::{name::ProfileName, time::Timestamp};

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

    /// Puts what the cache lacks, until it has all of it or takes no more. What cannot be read holds up nothing else.
    pub async fn settle(&self, now: Timestamp) {
        let doubted = self.profiles.doubted();
        for names in doubted.chunks(AT_ONCE) {
            let put = join_all(names.iter().map(|name| self.put(name, now))).await;
            if !put.contains(&true) {
                return;
            }
        }
    }

    /// Says whether the cache took it. In its turn: whoever writes the profile meanwhile may fail to put it, and that doubt
    /// must stay.
    async fn put(&self, name: &ProfileName, now: Timestamp) -> bool {
        let _turn = self.stripes.turn(name).await;
        match self.profiles.from_record(name, now).await {
            Ok(_) => !self.profiles.is_doubted(name),
            Err(error) => {
                tracing::debug!(%error, "what the cache lacks cannot be read");
                false
            }
        }
    }
}
