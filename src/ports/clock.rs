//! Where time and randomness come from.
//!
//! Law 9: they are passed in; only the shell has the real ones.

use crate::domain::time::Timestamp;

/// Tells the server's time.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}

/// Gives what nobody can guess.
pub trait Entropy: Send + Sync {
    /// Bytes fit for secrets.
    fn bytes(&self) -> [u8; 32];

    /// What one decision is drawn from. Every ping takes one, so it may have been fetched beforehand.
    fn seed(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.bytes();
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}
