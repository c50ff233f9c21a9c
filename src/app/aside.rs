//! Work that takes milliseconds, beside the threads that answer pings.
//!
//! Law: whoever asks much waits for others who do, never a ping for them; and of those who wait there are only so many.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::ports::StoreError;

/// Why it was not done.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refused {
    #[error("the server is at its limit of {0} in progress")]
    Crowded(&'static str),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Turns to do work of one kind.
#[derive(Debug)]
pub struct Aside {
    /// What is done, in words: "explanations".
    what: &'static str,
    waiting: Semaphore,
    turns: Arc<Semaphore>,
}

impl Aside {
    /// So many at once, and with those who wait for them.
    pub fn new(what: &'static str, at_once: usize, waiting: usize) -> Self {
        Self { what, waiting: Semaphore::new(waiting), turns: Arc::new(Semaphore::new(at_once)) }
    }

    /// Does the work when it is its turn. It goes on if the caller goes away in the midst of it, and keeps its turn.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refused> {
        let gone = |what: String| StoreError::Unavailable(what);
        let _place = self.waiting.try_acquire().map_err(|_| Refused::Crowded(self.what))?;
        let turn = self.turns.clone().acquire_owned().await.map_err(|closed| gone(closed.to_string()))?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        Ok(done.await.map_err(|fault| gone(fault.to_string()))?)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    #[tokio::test]
    async fn who_comes_to_a_full_house_is_told_and_a_turn_outlives_its_caller() {
        let aside = Arc::new(Aside::new("tests", 1, 2));
        let (started, has_started) = channel();
        let held = |until: Receiver<()>| {
            let (aside, started) = (aside.clone(), started.clone());
            tokio::spawn(async move {
                let work = move || started.send(()).map(|()| until.recv());
                aside.run(work).await
            })
        };
        let (end, ended) = channel();
        let first = held(ended);
        tokio::task::spawn_blocking(move || has_started.recv()).await.expect("whole").expect("it has its turn");
        first.abort();
        assert!(first.await.expect_err("given up").is_cancelled());
        assert_eq!(aside.turns.available_permits(), 0, "it goes on");
        let [second, third] = [channel().1, channel().1].map(held);
        while aside.waiting.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let refused = aside.run(|| ()).await.expect_err("full");
        assert_eq!(refused.to_string(), "the server is at its limit of tests in progress");
        end.send(()).expect("it waits");
        for waited in [second, third] {
            assert!(waited.await.expect("whole").is_ok());
        }
    }
}
