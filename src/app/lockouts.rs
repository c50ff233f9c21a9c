//! Who tried too many codes that nobody has.
//!
//! Law 6: a till that guesses is shut out for a while, and so is the store whose tills guess together. In this node's
//! memory only: a drawn code has 55 random bits, so that several nodes help nobody.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

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
    /// When it was shut out.
    out_at: Option<Timestamp>,
}

type Counts = HashMap<(StoreName, Option<TillId>), Count>;

/// Counts wrong codes.
#[derive(Debug)]
pub struct Lockouts {
    config: LockoutsConfig,
    counts: Mutex<Counts>,
}

impl Lockouts {
    pub fn new(config: LockoutsConfig) -> Self {
        Self { config, counts: Mutex::default() }
    }

    /// How long the till, or its store, is shut out yet.
    pub fn wait(&self, store: &StoreName, till: &TillId, now: Timestamp) -> Option<Duration> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let left = |till: Option<&TillId>| {
            let out_at = counts.get(&(store.clone(), till.cloned()))?.out_at?;
            self.config.period.checked_sub(now.apart(out_at)).filter(|left| !left.is_zero())
        };
        left(Some(till)).max(left(None))
    }

    /// Notes a wrong code.
    pub fn note(&self, store: &StoreName, till: &TillId, now: Timestamp) {
        let LockoutsConfig { till: of_till, store: of_store, period } = self.config;
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= MOST {
            counts.retain(|_, count| now.apart(count.out_at.unwrap_or(count.since)) < period);
        }
        for (till, most) in [(Some(till.clone()), of_till), (None, of_store)] {
            let fresh = Count { since: now, wrong: 0, out_at: None };
            let count = counts.entry((store.clone(), till)).or_insert(fresh);
            if now.apart(count.since) >= period {
                *count = fresh;
            }
            count.wrong += 1;
            if count.wrong >= most {
                *count = Count { out_at: Some(now), ..*count };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(300);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn a_till_that_guesses_is_shut_out_for_a_while_and_so_is_its_store() {
        let lockouts = Lockouts::new(LockoutsConfig { till: 3, store: 5, period: PERIOD });
        let store = |id: &str| StoreName::parse(&format!("organizations/acme/stores/{id}")).expect("sound");
        let till = |id: &str| TillId::parse(id).expect("sound");
        let wait = |till: &TillId, now| lockouts.wait(&store("1"), till, at(now));
        let (one, two, three) = (till("1"), till("2"), till("3"));
        for second in 0..3 {
            assert_eq!(wait(&one, second), None);
            lockouts.note(&store("1"), &one, at(second));
        }
        assert_eq!(wait(&one, 2), Some(PERIOD));
        assert_eq!(wait(&one, 301), Some(Duration::from_secs(1)));
        assert_eq!((wait(&one, 302), wait(&two, 2)), (None, None));

        lockouts.note(&store("1"), &two, at(3));
        lockouts.note(&store("1"), &two, at(4));
        assert_eq!(wait(&three, 5), Some(Duration::from_secs(299)), "five of its tills together");
        assert_eq!(lockouts.wait(&store("2"), &one, at(5)), None);
    }

    #[test]
    fn wrong_codes_now_and_then_shut_nobody_out() {
        let lockouts = Lockouts::new(LockoutsConfig { till: 2, store: 2, period: PERIOD });
        let (store, till) =
            (StoreName::parse("organizations/a/stores/1").expect("sound"), TillId::parse("1").expect("sound"));
        for turn in 0..9 {
            lockouts.note(&store, &till, at(300 * turn));
            assert_eq!(lockouts.wait(&store, &till, at(300 * turn)), None);
        }
    }
}
