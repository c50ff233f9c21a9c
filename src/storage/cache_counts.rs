//! What a profile cache counts about itself; the shell reads it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counted since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheCounts {
    pub hits: u64,
    pub misses: u64,
    /// Puts that were kept.
    pub kept: u64,
    /// Puts that were refused because a newer or equal copy, or an erasure, was held.
    pub outdated: u64,
    /// Values that could not be read and so counted as missing.
    pub undecodable: u64,
    /// Calls that failed or took too long.
    pub failures: u64,
}

/// One thing to count.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    pub fn read(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

#[derive(Debug, Default)]
pub struct CacheCounters {
    pub hits: Counter,
    pub misses: Counter,
    pub kept: Counter,
    pub outdated: Counter,
    pub undecodable: Counter,
    pub failures: Counter,
}

impl CacheCounters {
    pub fn read(&self) -> CacheCounts {
        CacheCounts {
            hits: self.hits.read(),
            misses: self.misses.read(),
            kept: self.kept.read(),
            outdated: self.outdated.read(),
            undecodable: self.undecodable.read(),
            failures: self.failures.read(),
        }
    }
}
