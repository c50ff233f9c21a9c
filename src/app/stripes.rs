//! Turns: callers that concern one profile go one after the other, others do not wait for each other.
//!
//! Law: a turn is a convenience of this node, never the guard; the profile's version in SQL is.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use tokio::sync::{Mutex, MutexGuard};

use crate::domain::name::ProfileName;

/// Enough that of a few hundred concurrent callers one in a hundred or two waits for a stranger; 640 KiB.
const STRIPES: usize = 16_384;

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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::name::AppName;

    #[test]
    fn strangers_hardly_ever_meet_and_that_costs_little() {
        let (stripes, app) = (Stripes::default(), AppName::parse("organizations/a/apps/b").expect("sound"));
        let callers = (0..256).map(|number| app.profile(&format!("p{number}")).expect("sound"));
        let taken: BTreeSet<usize> = callers.map(|name| stripes.stripe(&name)).collect();
        // Two pairs are to be expected.
        assert!(taken.len() >= 256 - 16, "{} stripes", taken.len());
        assert!(STRIPES * size_of::<Mutex<()>>() <= 640 * 1_024);
    }
}
