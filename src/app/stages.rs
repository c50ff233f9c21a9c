//! How long the stages of a ping take: reading the profile, deciding, making it durable.
//!
//! Law 4: spans and counts, nothing of whom they are.

#![expect(clippy::disallowed_methods, reason = "durations are measured here for metrics; nothing is decided by them")]

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use tokio::time::Instant;

/// Upper ends in microseconds: from a profile that is at hand to a commit that waits for its database.
pub const ENDS_US: [u64; 14] = [5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 50_000, 250_000, 1_000_000];

/// What a ping goes through, each one time or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The profile is found: in memory, in the cache, or in the record.
    Read,
    Decide,
    /// What changed is made durable.
    Commit,
}

impl Stage {
    pub const ALL: [Self; 3] = [Self::Read, Self::Decide, Self::Commit];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Decide => "decide",
            Self::Commit => "commit",
        }
    }
}

/// How long each stage took so far.
#[derive(Debug, Default)]
pub struct Stages([Spread; 3]);

/// How spans of time are spread.
#[derive(Debug, Default)]
pub struct Spread {
    /// How many ended by each of [`ENDS_US`], and not by the one before; last those that took longer.
    counts: [AtomicU64; ENDS_US.len() + 1],
    sum_us: AtomicU64,
}

impl Stages {
    /// Waits for the work, and counts how long it took.
    pub async fn wait<T>(&self, stage: Stage, work: impl Future<Output = T>) -> T {
        let begun = Instant::now();
        let done = work.await;
        self.of(stage).add(begun.elapsed());
        done
    }

    /// Does the work, and counts how long it took.
    pub fn time<T>(&self, stage: Stage, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let done = work();
        self.of(stage).add(begun.elapsed());
        done
    }

    pub fn of(&self, stage: Stage) -> &Spread {
        let [read, decide, commit] = &self.0;
        match stage {
            Stage::Read => read,
            Stage::Decide => decide,
            Stage::Commit => commit,
        }
    }
}

impl Spread {
    fn add(&self, span: Duration) {
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        self.counts[ENDS_US.partition_point(|&end| end < micros)].fetch_add(1, Relaxed);
        self.sum_us.fetch_add(micros, Relaxed);
    }

    /// How many took so long: by each of [`ENDS_US`], and not by the one before; last those that took longer.
    pub fn counts(&self) -> impl Iterator<Item = u64> {
        self.counts.iter().map(|count| count.load(Relaxed))
    }

    /// All of them together.
    pub fn sum(&self) -> Duration {
        Duration::from_micros(self.sum_us.load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_counted_by_their_ends() {
        let stages = Stages::default();
        for micros in [5, 6, 2_000_000] {
            stages.of(Stage::Decide).add(Duration::from_micros(micros));
        }
        let counts: Vec<u64> = stages.of(Stage::Decide).counts().collect();
        assert_eq!((counts[0], counts[1], counts[ENDS_US.len()]), (1, 1, 1));
        assert_eq!(stages.of(Stage::Decide).sum(), Duration::from_micros(2_000_011));
        assert_eq!(stages.of(Stage::Read).counts().sum::<u64>(), 0);
    }
}
