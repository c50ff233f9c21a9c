//! A client that sends the same again and again, to whichever node, until it is answered.
//!
//! Law 2 makes this right: retries are free. A server under faults may only say that the same should be sent again.

use std::{sync::Arc, time::Duration};

use tonic::{Code, Status, transport::Channel};
use tonic_types::StatusExt;

use super::{node::Door, process::LONGEST};

/// How long a client waits before it tries again. Real ones obey RetryInfo, which would make these tests long.
const PAUSE: Duration = Duration::from_millis(20);

/// Numbers that look random and are the same for the same seed (SplitMix64).
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    /// From 0 to below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }
}

#[derive(Clone)]
pub struct Caller {
    pub doors: Arc<[Door]>,
    pub random: Random,
    /// Calls that were made.
    pub tries: u32,
    /// Tries that were not answered, of any kind.
    pub failures: u32,
}

impl Caller {
    /// Each number has dice of its own.
    pub fn new(number: usize, doors: Arc<[Door]>, seed: u64) -> Self {
        let random = Random(seed ^ (number as u64 + 1).wrapping_mul(0xff51_afd7_ed55_8ccd));
        Self { doors, random, tries: 0, failures: 0 }
    }

    /// Another one that calls at the same time, with dice of its own and nothing counted yet.
    pub fn beside(&self) -> Self {
        Self { random: Random(self.random.0 ^ 1), tries: 0, failures: 0, ..self.clone() }
    }

    /// Takes over what the other counted.
    pub fn and(&mut self, other: &Caller) {
        self.tries += other.tries;
        self.failures += other.failures;
    }

    /// Waits a moment before the next try.
    pub async fn pause(&self) {
        tokio::time::sleep(PAUSE).await;
    }

    /// Tries on whichever node until there is an answer.
    pub async fn insist<T, F>(&mut self, attempt: impl Fn(Channel) -> F) -> T
    where
        F: Future<Output = Result<T, Status>>,
    {
        let answered = async {
            loop {
                let mut door = self.doors[self.random.below(self.doors.len())].clone();
                let channel = door.borrow_and_update().clone();
                // One try in four is given up while the server works on it, as phones do in tunnels.
                let patience = match self.random.below(4) {
                    0 => Duration::from_micros(self.random.below(8_000) as u64),
                    _ => LONGEST,
                };
                if let Some(channel) = channel {
                    self.tries += 1;
                    match tokio::time::timeout(patience, attempt(channel)).await {
                        Ok(Ok(answer)) => return answer,
                        Ok(Err(status)) => must_be_honest(&status),
                        Err(_) => {}
                    }
                    self.failures += 1;
                }
                // Until the node is another one, or a moment has passed.
                tokio::time::timeout(PAUSE, door.changed()).await.ok();
            }
        };
        tokio::time::timeout(LONGEST, answered).await.expect("answered in the end")
    }
}

/// A server under faults may only say that the same should be sent again, and must say when. What the client's own
/// side says of a broken connection has a source, and is not the server's word.
pub fn must_be_honest(status: &Status) {
    if std::error::Error::source(status).is_some() {
        return;
    }
    let waits = status.get_error_details().retry_info().is_some();
    let passing = matches!(status.code(), Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded);
    assert!(passing && waits, "the server says {status:?}");
}
