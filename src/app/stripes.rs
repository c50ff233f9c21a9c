//! Turns: callers that concern one profile go one after the other, others do not wait for each other.
//!
//! Law: a turn is a convenience of this node, never the guard; the profile's version in SQL is.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use tokio::sync::{Mutex, MutexGuard};

use crate::domain::name::ProfileName;

/// Enough that two of a few hundred concurrent callers rarely meet by chance; 40 KiB.
const STRIPES: usize = 1_024;

fn stripe(name: &ProfileName) -> usize {
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(name);
    (hash % STRIPES as u64) as usize
}

/// A fixed number of locks, shared by all profiles.
pub struct Stripes(Vec<Mutex<()>>);

impl Default for Stripes {
    fn default() -> Self {
        Self((0..STRIPES).map(|_| Mutex::new(())).collect())
    }
}

impl Stripes {
    /// Waits until nobody else has the profile's turn; the turn ends when the guard is dropped.
    pub async fn turn(&self, name: &ProfileName) -> MutexGuard<'_, ()> {
        self.0[stripe(name)].lock().await
    }

    /// As [`Self::turn`], for several profiles at once. Everybody waits in the same order, so never in a circle; ask for
    /// all of them together.
    pub async fn turns(&self, names: &[&ProfileName]) -> Vec<MutexGuard<'_, ()>> {
        let mut wanted: Vec<usize> = names.iter().map(|name| stripe(name)).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut guards = Vec::with_capacity(wanted.len());
        for stripe in wanted {
            guards.push(self.0[stripe].lock().await);
        }
        guards
    }
}
