//! What the record counts about itself; the shell reads it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::ports::{Committed, StoreError};

/// Counted since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SqlCounts {
    /// COMMITs that a disk had to confirm.
    pub transactions: u64,
    /// Transactions that failed, or did not even begin.
    pub failed: u64,
    /// Results of `Records::commit`.
    pub done: u64,
    pub repeated: u64,
    pub stale: u64,
    pub exhausted: u64,
    pub errors: u64,
    /// Changes of the catalog that could not be read, each time they were asked for.
    pub unreadable_changes: u64,
}

#[derive(Debug, Default)]
pub struct Counters {
    transactions: AtomicU64,
    failed: AtomicU64,
    done: AtomicU64,
    repeated: AtomicU64,
    stale: AtomicU64,
    exhausted: AtomicU64,
    errors: AtomicU64,
    unreadable_changes: AtomicU64,
}

impl Counters {
    /// A transaction that ended, and whether it kept anything: if not, no disk had to confirm it.
    pub fn transaction<E>(&self, kept: Result<bool, E>) {
        let counter = match kept {
            Ok(true) => &self.transactions,
            Ok(false) => return,
            Err(_) => &self.failed,
        };
        counter.fetch_add(1, Relaxed);
    }

    pub fn unreadable_change(&self) {
        self.unreadable_changes.fetch_add(1, Relaxed);
    }

    pub fn commit(&self, result: &Result<Committed, StoreError>) {
        let counter = match result {
            Ok(Committed::Done) => &self.done,
            Ok(Committed::Repeated(_) | Committed::Asked(_)) => &self.repeated,
            Ok(Committed::Stale) => &self.stale,
            Ok(Committed::Exhausted(_)) => &self.exhausted,
            Err(_) => &self.errors,
        };
        counter.fetch_add(1, Relaxed);
    }

    pub fn read(&self) -> SqlCounts {
        SqlCounts {
            transactions: self.transactions.load(Relaxed),
            failed: self.failed.load(Relaxed),
            done: self.done.load(Relaxed),
            repeated: self.repeated.load(Relaxed),
            stale: self.stale.load(Relaxed),
            exhausted: self.exhausted.load(Relaxed),
            errors: self.errors.load(Relaxed),
            unreadable_changes: self.unreadable_changes.load(Relaxed),
        }
    }
}
