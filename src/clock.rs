//! The real clock and the real randomness. Law 9: everything else is given them.

use std::time::{Duration, UNIX_EPOCH};

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

/// The operating system's random numbers.
#[derive(Debug, Clone)]
pub struct SystemEntropy(SystemRandom);

impl SystemEntropy {
    /// Fails if the system has none to give; it is asked here so that it need not be doubted later.
    #[expect(clippy::disallowed_methods, reason = "this is the one place where randomness comes in")]
    pub fn new() -> Result<Self, ring::error::Unspecified> {
        let random = SystemRandom::new();
        random.fill(&mut [0; 32]).map(|()| Self(random))
    }
}

impl Entropy for SystemEntropy {
    fn bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        if self.0.fill(&mut bytes).is_err() {
            // A guessable secret would be worse than none: end the process, the supervisor starts a sound one.
            tracing::error!("the system gives no random numbers any more");
            std::process::abort();
        }
        bytes
    }
}
