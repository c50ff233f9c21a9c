//! A clock that begins in the past and that the walkers push ahead, so that ten minutes of walking take a second.
//!
//! Law: it is never ahead of the real time, and is the real time once all that was to pass has passed.

use std::{
    sync::atomic::{AtomicI64, Ordering::SeqCst},
    time::Duration,
};

use crate::{clock::SystemClock, domain::time::Timestamp, ports::Clock};

/// The real time less what it has yet to be pushed.
pub struct WalkClock {
    behind_micros: AtomicI64,
}

impl WalkClock {
    /// So far in the past.
    pub fn behind(span: Duration) -> Self {
        Self { behind_micros: AtomicI64::new(micros(span)) }
    }

    /// Lets that much time pass, but none that is yet to come.
    pub fn push(&self, span: Duration) {
        let left = |behind: i64| Some(behind.saturating_sub(micros(span)).max(0));
        self.behind_micros.fetch_update(SeqCst, SeqCst, left).ok();
    }
}

impl Clock for WalkClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(SystemClock.now().micros() - self.behind_micros.load(SeqCst))
    }
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_all_has_passed_it_is_the_real_time() {
        let minute = Duration::from_secs(60);
        let clock = WalkClock::behind(2 * minute);
        let behind = || {
            let told = clock.now();
            SystemClock.now().since(told).as_secs()
        };
        assert_eq!(behind(), 120);
        clock.push(minute);
        assert_eq!(behind(), 60);
        clock.push(2 * minute);
        assert_eq!(behind(), 0);
    }
}
