//! Where time and randomness come from.
//!
//! Law 9: they are passed in; only the shell has the real ones.

use crate::domain::time::Timestamp;

/// Tells the server's time.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}

/// Gives random bytes fit for secrets.
pub trait Entropy: Send + Sync {
    fn bytes(&self) -> [u8; 32];
}
