//! Lets Redis rest when it fails again and again, so that pings do not each wait for it or knock at its door.
//!
//! Law: one slow answer changes nothing; after [`PATIENCE`] failures in a row calls are refused at once for [`REST`],
//! and then a few are let through to see whether it is back.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::Instant;

const PATIENCE: u32 = 3;
const REST: Duration = Duration::from_millis(100);

#[derive(Default)]
pub struct Breaker {
    in_a_row: AtomicU32,
    rests_until: Mutex<Option<Instant>>,
}

impl Breaker {
    /// Whether a call may be made now.
    pub fn allows(&self, now: Instant) -> bool {
        if self.in_a_row.load(Relaxed) < PATIENCE {
            return true;
        }
        let until = *self.rests_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_none_or(|until| until <= now)
    }

    pub fn succeeded(&self) {
        self.in_a_row.store(0, Relaxed);
    }

    pub fn failed(&self, now: Instant) {
        if self.in_a_row.fetch_add(1, Relaxed) + 1 >= PATIENCE {
            *self.rests_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(now + REST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rests_after_failures_in_a_row_and_tries_again() {
        let breaker = Breaker::default();
        let now = Instant::now();
        breaker.failed(now);
        breaker.failed(now);
        breaker.succeeded();
        breaker.failed(now);
        assert!(breaker.allows(now), "not in a row");
        breaker.failed(now);
        breaker.failed(now);
        assert!(!breaker.allows(now));
        let later = now + REST;
        assert!(breaker.allows(later));
        breaker.failed(later);
        assert!(!breaker.allows(later), "still away");
        breaker.succeeded();
        assert!(breaker.allows(later));
    }
}
