//! Whose turn it is to go through much: lists and counts, and the ledger's proof.
//!
//! Law: no more at once than there are connections for them. So nobody waits for a connection that others have, and one that
//! cannot be had means that the database is away; that others list is told as what it is.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::ports::StoreError;

/// Lists and counts at once, and connections for them.
pub const LISTERS: u32 = 2;
/// Proofs of the ledger at once, and connections for them.
pub const PROVERS: u32 = 1;

/// Longest wait of a list: what it waits and what it may take then are less than a call has.
const WAIT: Duration = Duration::from_secs(4);

pub struct Turns {
    lists: Semaphore,
    proofs: Semaphore,
}

impl Default for Turns {
    fn default() -> Self {
        Self { lists: Semaphore::new(LISTERS as usize), proofs: Semaphore::new(PROVERS as usize) }
    }
}

impl Turns {
    /// The turn lasts until the permit is dropped.
    pub async fn to_list(&self) -> Result<SemaphorePermit<'_>, StoreError> {
        let turn = tokio::time::timeout(WAIT, self.lists.acquire()).await.map_err(|_| StoreError::Busy)?;
        turn.map_err(closed)
    }

    /// The same for a proof. It takes minutes where the record is long, so whoever comes second waits as long as the call may.
    pub async fn to_prove(&self) -> Result<SemaphorePermit<'_>, StoreError> {
        self.proofs.acquire().await.map_err(closed)
    }
}

/// Nobody closes them.
fn closed(fault: tokio::sync::AcquireError) -> StoreError {
    StoreError::Unavailable(fault.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_has_no_turn_to_list_is_told_that_others_do() {
        let turns = Turns::default();
        let mut listing = Vec::new();
        for _ in 0..LISTERS {
            listing.push(turns.to_list().await.expect("free"));
        }
        assert!(matches!(turns.to_list().await, Err(StoreError::Busy)));
        let _proof = turns.to_prove().await.expect("lists are not in its way");
        assert!(tokio::time::timeout(2 * WAIT, turns.to_prove()).await.is_err(), "the second waits");
        listing.pop();
        listing.push(turns.to_list().await.expect("free again"));
    }
}
