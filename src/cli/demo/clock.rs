//! A clock that the walkers push ahead, so that ten minutes of walking take a second.

use std::{
    sync::atomic::{AtomicI64, Ordering::SeqCst},
    time::Duration,
};

use crate::{clock::SystemClock, domain::time::Timestamp, ports::Clock};

/// The real time and however far it was pushed.
#[derive(Default)]
pub struct WalkClock {
    ahead_micros: AtomicI64,
}

impl WalkClock {
    /// Lets that much time pass.
    pub fn push(&self, span: Duration) {
        self.ahead_micros.fetch_add(i64::try_from(span.as_micros()).unwrap_or(0), SeqCst);
    }
}

impl Clock for WalkClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(SystemClock.now().micros() + self.ahead_micros.load(SeqCst))
    }
}
