//! Saying in the log what goes wrong for everybody at once, without a line for each of them.
//!
//! Law: the first is told at once; of those that follow soon one now and then, with how many were left out. Of a trouble that
//! is over nothing is told with the next.

#![expect(clippy::disallowed_methods, reason = "lines of the log are counted; nothing is decided by it")]

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Between two lines that say the same.
const BETWEEN: Duration = Duration::from_secs(5);
/// After the last line: a trouble that went on would have had another one by now.
const OVER: Duration = Duration::from_secs(10);

/// One thing that may go wrong.
pub struct Told(Mutex<Last>);

struct Last {
    at: Option<Instant>,
    left_out: u64,
}

impl Told {
    pub const fn new() -> Self {
        Self(Mutex::new(Last { at: None, left_out: 0 }))
    }

    /// How many of the same trouble were not told since the last that was; none if this one is not told either.
    pub fn again(&self) -> Option<u64> {
        let now = Instant::now();
        // Nobody panics while it is held.
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = last.at.map_or(OVER, |at| now.duration_since(at));
        if since < BETWEEN {
            last.left_out += 1;
            return None;
        }
        last.at = Some(now);
        let left_out = std::mem::take(&mut last.left_out);
        Some(if since < OVER { left_out } else { 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn of_many_a_few_are_told_and_all_are_counted() {
        let told = Told::new();
        assert_eq!([(); 4].map(|()| told.again()), [Some(0), None, None, None]);
        tokio::time::advance(BETWEEN).await;
        assert_eq!([(); 2].map(|()| told.again()), [Some(3), None]);
        tokio::time::advance(BETWEEN).await;
        assert_eq!([(); 2].map(|()| told.again()), [Some(1), None]);
        tokio::time::advance(OVER).await;
        assert_eq!(told.again(), Some(0), "another trouble");
    }
}
