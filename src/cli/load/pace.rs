//! When pings are due: at a rate that does not wait for the server, or as fast as answers come.
//!
//! Law: a latency begins when its ping was due, not when it was sent, so that a server which falls behind cannot hide it.

#![expect(clippy::disallowed_methods, reason = "the load is timed here; nothing is decided by it")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::Context;
use tokio::{sync::Semaphore, time::Instant};

/// The pacing thread sleeps no shorter: that is how exactly Linux wakes it anyway. Tokio's own timers know milliseconds
/// only, which is longer than a whole answer takes.
const LEAST_SLEEP: Duration = Duration::from_micros(100);

/// Hands out turns until the time is over.
pub struct Pace {
    begun: Instant,
    warm_up: Duration,
    whole: Duration,
    /// Pings a second; none: as fast as answers come.
    rate: Option<f64>,
    taken: AtomicU64,
    due: Semaphore,
}

impl Pace {
    /// Begins now. What is due in the warm-up is sent like all else, and not measured.
    pub fn start(rate: Option<f64>, warm_up: Duration, duration: Duration) -> anyhow::Result<Arc<Self>> {
        let whole = warm_up + duration;
        let (begun, due) = (Instant::now(), Semaphore::new(0));
        let pace = Arc::new(Self { begun, warm_up, whole, rate, taken: AtomicU64::new(0), due });
        if let Some(rate) = rate {
            let paced = pace.clone();
            let pacer = std::thread::Builder::new().name("pace".to_owned()).spawn(move || paced.release(rate));
            pacer.context("no thread can be started")?;
        }
        Ok(pace)
    }

    /// Gives a permit for each ping that falls due.
    fn release(&self, rate: f64) {
        let mut given = 0_u64;
        loop {
            let elapsed = self.begun.elapsed();
            if elapsed >= self.whole {
                return self.due.close();
            }
            let due = (elapsed.as_secs_f64() * rate) as u64 + 1;
            self.due.add_permits((due - given) as usize);
            given = due;
            let next = Duration::from_secs_f64(given as f64 / rate).min(self.whole);
            std::thread::park_timeout(next.saturating_sub(self.begun.elapsed()).max(LEAST_SLEEP));
        }
    }

    /// Waits until another ping is due and returns when that was; none once the time is over.
    pub async fn turn(&self) -> Option<Instant> {
        let Some(rate) = self.rate else {
            let now = Instant::now();
            return (now < self.end()).then_some(now);
        };
        self.due.acquire().await.ok()?.forget();
        let number = self.taken.fetch_add(1, Relaxed);
        Some(self.begun + Duration::from_secs_f64(number as f64 / rate))
    }

    /// Pings that were due and never sent, since all callers waited for answers to the last.
    pub fn unsent(&self) -> u64 {
        let due = self.rate.map_or(0, |rate| (self.whole.as_secs_f64() * rate) as u64);
        due.saturating_sub(self.taken.load(Relaxed))
    }

    /// Whether what is due then is measured.
    pub fn is_measured(&self, due: Instant) -> bool {
        due >= self.measured_from()
    }

    pub fn measured_from(&self) -> Instant {
        self.begun + self.warm_up
    }

    pub fn end(&self) -> Instant {
        self.begun + self.whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn as_many_turns_as_the_rate_says_each_due_in_its_time() {
        let pace = Pace::start(Some(2_000.0), Duration::from_millis(50), Duration::from_millis(50)).expect("started");
        let mut measured = 0;
        let mut last = pace.begun;
        while let Some(due) = pace.turn().await {
            assert!(due >= last && due < pace.end());
            last = due;
            measured += u64::from(pace.is_measured(due));
        }
        assert!(measured + pace.unsent() >= 99 && measured <= 101, "{measured} {}", pace.unsent());
    }
}
