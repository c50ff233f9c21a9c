//! Lets Redis rest when it fails again and again, so that pings do not each wait for it or knock at its door.
//!
//! Laws: one slow answer changes nothing; after [`PATIENCE`] failures in a row calls are refused at once for [`REST`],
//! and then a few are let through to see whether it is back. That it is away, and that it is back, is told once.

use std::{
    fmt::Display,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
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
    /// Whether it was told that Redis is away.
    told: AtomicBool,
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
        // Hardly ever so: others need not wait for this to be written.
        if self.told.load(Relaxed) && self.told.swap(false, Relaxed) {
            tracing::info!("Redis answers again");
        }
    }

    /// Returns whether it rests now.
    pub fn failed(&self, now: Instant, why: &dyn Display) -> bool {
        let rests = self.in_a_row.fetch_add(1, Relaxed) + 1 >= PATIENCE;
        if rests {
            *self.rests_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(now + REST);
            self.is_away(why);
        }
        rests
    }

    /// Tells that Redis is away, unless that was told.
    pub fn is_away(&self, why: &dyn Display) {
        if !self.told.swap(true, Relaxed) {
            tracing::warn!(%why, "Redis is away; profiles are read from SQL until it is back");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tracing::{
        Event, Level, Metadata, Subscriber,
        span::{Attributes, Id, Record},
    };

    use super::*;

    #[test]
    fn it_rests_after_failures_in_a_row_and_tries_again() {
        let breaker = Breaker::default();
        let now = Instant::now();
        breaker.failed(now, &"away");
        breaker.failed(now, &"away");
        breaker.succeeded();
        breaker.failed(now, &"away");
        assert!(breaker.allows(now), "not in a row");
        breaker.failed(now, &"away");
        breaker.failed(now, &"away");
        assert!(!breaker.allows(now));
        let later = now + REST;
        assert!(breaker.allows(later));
        breaker.failed(later, &"away");
        assert!(!breaker.allows(later), "still away");
        breaker.succeeded();
        assert!(breaker.allows(later));
    }

    /// The levels of what is logged.
    #[derive(Clone, Default)]
    struct Levels(Arc<Mutex<Vec<Level>>>);

    impl Subscriber for Levels {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }
        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn event(&self, event: &Event<'_>) {
            self.0.lock().expect("sound").push(*event.metadata().level());
        }
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn that_redis_goes_and_comes_is_told_once_each() {
        let (breaker, levels) = (Breaker::default(), Levels::default());
        tracing::subscriber::with_default(levels.clone(), || {
            let now = Instant::now();
            breaker.succeeded();
            breaker.failed(now, &"slow");
            breaker.succeeded();
            (0..9).for_each(|_| _ = breaker.failed(now, &"away"));
            breaker.succeeded();
            breaker.succeeded();
            breaker.is_away(&"refused");
            (0..9).for_each(|_| _ = breaker.failed(now, &"away"));
        });
        assert_eq!(*levels.0.lock().expect("sound"), [Level::WARN, Level::INFO, Level::WARN]);
    }
}
