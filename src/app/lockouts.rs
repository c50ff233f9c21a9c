//! Who tried too many codes that nobody has.
//!
//! Law 6: a till that guesses is shut out for a while, and so is the store whose tills guess together. No more codes are
//! looked up at once than may yet be wrong, so that a burst finds no more than one after another would; the others wait
//! for their turn. In this node's memory only: a drawn code has 55 random bits, so that several nodes help nobody.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;

use crate::domain::{name::StoreName, redemption::TillId, time::Timestamp};

/// Tills and stores that are remembered; beyond it those are forgotten whose count is over.
const MOST: usize = 10_000;

/// Settings of [`Lockouts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockoutsConfig {
    /// Wrong codes within a period after which a till is shut out,
    pub till: u32,
    /// and after which its store is.
    pub store: u32,
    /// In which wrong codes are counted, and for how long one is shut out.
    pub period: Duration,
}

/// Wrong codes of a till or a store, from the first on.
#[derive(Debug, Clone, Copy)]
struct Count {
    since: Timestamp,
    wrong: u32,
    /// Codes that are being looked up.
    open: u32,
    /// When it was shut out.
    out_at: Option<Timestamp>,
}

/// A till, or its whole store.
type Key = (StoreName, Option<TillId>);
type Counts = HashMap<Key, Count>;

/// Counts wrong codes.
#[derive(Debug)]
pub struct Lockouts {
    config: LockoutsConfig,
    counts: Mutex<Counts>,
    closed: Notify,
}

/// A code that is being looked up, and may turn out wrong.
#[derive(Debug)]
pub struct Guess<'a> {
    lockouts: &'a Lockouts,
    keys: [Key; 2],
    now: Timestamp,
}

impl Lockouts {
    pub fn new(config: LockoutsConfig) -> Self {
        Self { config, counts: Mutex::default(), closed: Notify::new() }
    }

    /// Lets the till look a code up, when it is its turn; else says how long it, or its store, is shut out yet.
    pub async fn guess(&self, store: &StoreName, till: &TillId, now: Timestamp) -> Result<Guess<'_>, Duration> {
        let keys = [(store.clone(), Some(till.clone())), (store.clone(), None)];
        loop {
            // Before the counts are read, so that no end of a guess is missed.
            let closed = self.closed.notified();
            if self.begin(&keys, now)? {
                return Ok(Guess { lockouts: self, keys, now });
            }
            closed.await;
        }
    }

    /// Whether it is the till's turn.
    fn begin(&self, keys: &[Key; 2], now: Timestamp) -> Result<bool, Duration> {
        let period = self.config.period;
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let left = |count: &Count| period.checked_sub(now.apart(count.out_at?)).filter(|left| !left.is_zero());
        if let Some(wait) = keys.iter().filter_map(|key| counts.get(key).and_then(left)).max() {
            return Err(wait);
        }
        if counts.len() >= MOST {
            let is_live = |count: &Count| now.apart(count.out_at.unwrap_or(count.since)) < period;
            counts.retain(|_, count| count.open > 0 || is_live(count));
        }
        for key in keys {
            let count = counts.entry(key.clone()).or_insert(Count { since: now, wrong: 0, open: 0, out_at: None });
            if now.apart(count.since) >= period {
                *count = Count { since: now, wrong: 0, out_at: None, ..*count };
            }
        }
        let is_free = |key: &Key| counts.get(key).is_none_or(|count| count.wrong + count.open < self.most(key));
        let is_turn = keys.iter().all(is_free);
        if is_turn {
            keys.iter().for_each(|key| {
                if let Some(count) = counts.get_mut(key) {
                    count.open += 1
                }
            });
        }
        Ok(is_turn)
    }

    /// How many codes may be wrong: at least one, so that a code can be tried at all.
    fn most(&self, (_, till): &Key) -> u32 {
        let most = if till.is_some() { self.config.till } else { self.config.store };
        most.max(1)
    }
}

impl Guess<'_> {
    /// Nobody has the code.
    pub fn is_wrong(self) {
        let mut counts = self.lockouts.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for key in &self.keys {
            let Some(count) = counts.get_mut(key) else { continue };
            count.wrong += 1;
            if count.wrong >= self.lockouts.most(key) {
                count.out_at = Some(self.now);
            }
        }
    }
}

impl Drop for Guess<'_> {
    fn drop(&mut self) {
        let mut counts = self.lockouts.counts.lock().unwrap_or_else(PoisonError::into_inner);
        self.keys.iter().for_each(|key| {
            if let Some(count) = counts.get_mut(key) {
                count.open -= 1
            }
        });
        drop(counts);
        self.lockouts.closed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use super::*;

    const PERIOD: Duration = Duration::from_secs(300);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn store(id: &str) -> StoreName {
        StoreName::parse(&format!("organizations/acme/stores/{id}")).expect("sound")
    }

    fn till(id: &str) -> TillId {
        TillId::parse(id).expect("sound")
    }

    async fn wait(lockouts: &Lockouts, (shop, desk): (&str, &str), second: i64) -> Option<Duration> {
        lockouts.guess(&store(shop), &till(desk), at(second)).await.err()
    }

    async fn is_wrong(lockouts: &Lockouts, desk: &str, second: i64) {
        lockouts.guess(&store("1"), &till(desk), at(second)).await.expect("not shut out").is_wrong();
    }

    #[tokio::test]
    async fn a_till_that_guesses_is_shut_out_for_a_while_and_so_is_its_store() {
        let lockouts = Lockouts::new(LockoutsConfig { till: 3, store: 5, period: PERIOD });
        for second in 0..3 {
            is_wrong(&lockouts, "1", second).await;
        }
        assert_eq!(wait(&lockouts, ("1", "1"), 2).await, Some(PERIOD));
        assert_eq!(wait(&lockouts, ("1", "1"), 301).await, Some(Duration::from_secs(1)));
        assert_eq!(wait(&lockouts, ("1", "2"), 2).await, None);
        is_wrong(&lockouts, "2", 3).await;
        is_wrong(&lockouts, "2", 4).await;
        assert_eq!(wait(&lockouts, ("1", "3"), 5).await, Some(Duration::from_secs(299)), "five of its tills together");
        assert_eq!(wait(&lockouts, ("2", "1"), 5).await, None);
        assert_eq!(wait(&lockouts, ("1", "1"), 304).await, None);
    }

    #[tokio::test]
    async fn wrong_codes_now_and_then_shut_nobody_out() {
        let lockouts = Lockouts::new(LockoutsConfig { till: 2, store: 2, period: PERIOD });
        for turn in 0..9 {
            is_wrong(&lockouts, "1", 300 * turn).await;
        }
    }

    #[tokio::test]
    async fn a_burst_of_guesses_finds_no_more_than_one_after_another() {
        let lockouts = Lockouts::new(LockoutsConfig { till: 10, store: 4, period: PERIOD });
        let (found, looked_up) = (AtomicU32::new(0), AtomicU32::new(0));
        let guess = |desk: usize| {
            let (lockouts, found, looked_up) = (&lockouts, &found, &looked_up);
            async move {
                let guess = lockouts.guess(&store("1"), &till(&desk.to_string()), at(0)).await;
                let Ok(guess) = guess else { return false };
                looked_up.fetch_add(1, Relaxed);
                tokio::task::yield_now().await;
                // The first few have a coupon, as honest tills do: they shut nobody out.
                if found.fetch_add(1, Relaxed) >= 20 {
                    guess.is_wrong();
                }
                true
            }
        };
        let all = futures_util::future::join_all((0..100).map(guess)).await;
        assert_eq!(all.iter().filter(|served| **served).count(), 24);
        assert_eq!(looked_up.into_inner(), 24);
    }
}
