//! The real clock and the real randomness. Law 9: everything else is given them.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, UNIX_EPOCH},
};

use ring::rand::{SecureRandom, SystemRandom};

use crate::{
    domain::time::Timestamp,
    ports::{Clock, Entropy},
};

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place where time comes in")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Timestamp::default() + since
    }
}

/// Bytes fetched at once for seeds: a call of the system would cost each ping about a microsecond.
const BLOCK: usize = 4_096;
const SEED: usize = size_of::<u64>();

/// The operating system's random numbers. Secrets are fetched one by one. Seeds are fetched in blocks, each is handed out
/// once, and none stays in memory after that.
pub struct SystemEntropy {
    random: SystemRandom,
    seeds: Mutex<Seeds>,
}

/// A block, of which what is before `next` is handed out and gone.
struct Seeds {
    block: [u8; BLOCK],
    next: usize,
}

impl SystemEntropy {
    /// Fails if the system has none to give; it is asked here so that it need not be doubted later.
    #[expect(clippy::disallowed_methods, reason = "this is the one place where randomness comes in")]
    pub fn new() -> Result<Self, ring::error::Unspecified> {
        let random = SystemRandom::new();
        let mut seeds = Seeds { block: [0; BLOCK], next: 0 };
        random.fill(&mut seeds.block)?;
        Ok(Self { random, seeds: Mutex::new(seeds) })
    }

    fn fill(&self, bytes: &mut [u8]) {
        if self.random.fill(bytes).is_err() {
            // A guessable secret would be worse than none: end the process, the supervisor starts a sound one.
            tracing::error!("the system gives no random numbers any more");
            std::process::abort();
        }
    }
}

impl Entropy for SystemEntropy {
    fn bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.fill(&mut bytes);
        bytes
    }

    fn seed(&self) -> u64 {
        let mut seeds = self.seeds.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(seed) = seeds.take() {
                return seed;
            }
            self.fill(&mut seeds.block);
            seeds.next = 0;
        }
    }
}

impl Seeds {
    /// The next seed, if there is one left.
    fn take(&mut self) -> Option<u64> {
        let fresh = self.block.get_mut(self.next..)?.first_chunk_mut::<SEED>()?;
        self.next += SEED;
        Some(u64::from_ne_bytes(std::mem::take(fresh)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_seed_is_handed_out_twice_or_stays() {
        let entropy = SystemEntropy::new().expect("there are some");
        let blocks = 3 * BLOCK / SEED;
        let seeds: HashSet<u64> = (0..=blocks).map(|_| entropy.seed()).collect();
        assert_eq!(seeds.len(), blocks + 1);
        let held = entropy.seeds.lock().expect("sound");
        assert_eq!((held.next, &held.block[..SEED]), (SEED, &[0; SEED][..]));
        assert!(
            held.block[SEED..]
                .chunks(SEED)
                .all(|seed| !seeds.contains(&u64::from_ne_bytes(seed.try_into().expect("8"))))
        );
    }
}
