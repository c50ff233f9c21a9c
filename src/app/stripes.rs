//! Turns: callers that concern one profile go one after the other, others do not wait for each other.
//!
//! Law: a turn is a convenience of this node, never the guard; the profile's version in SQL is.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use tokio::sync::{Mutex, MutexGuard};

use crate::domain::name::ProfileName;

/// Enough that two of a few hundred concurrent callers rarely meet by chance; 40 KiB.
const STRIPES: usize = 1_024;

/// A fixed number of locks, shared by all profiles.
pub struct Stripes {
    locks: Vec<Mutex<()>>,
    hasher: RandomState,
}

impl Default for Stripes {
    fn default() -> Self {
        Self { locks: (0..STRIPES).map(|_| Mutex::new(())).collect(), hasher: RandomState::default() }
    }
}

impl Stripes {
    /// Waits until nobody else has the profile's turn; the turn ends when the guard is dropped.
    pub async fn turn(&self, name: &ProfileName) -> MutexGuard<'_, ()> {
        self.locks[self.stripe(name)].lock().await
    }

    /// As [`Self::turn`], for several profiles at once. Everybody waits in the same order, so never in a circle; ask for
    /// all of them together.
    pub async fn turns(&self, names: &[&ProfileName]) -> Vec<MutexGuard<'_, ()>> {
        let mut wanted: Vec<usize> = names.iter().map(|name| self.stripe(name)).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut guards = Vec::with_capacity(wanted.len());
        for stripe in wanted {
            guards.push(self.locks[stripe].lock().await);
        }
        guards
    }

    fn stripe(&self, name: &ProfileName) -> usize {
        (self.hasher.hash_one(name) % STRIPES as u64) as usize
    }
}
