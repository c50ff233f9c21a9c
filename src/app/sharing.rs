//! Who else writes profiles, and for how long a copy is believed therefore.
//!
//! Law 1: SQL decides; the more others may write unseen, the sooner it is asked.

use std::time::Duration;

use super::profile_store::ProfileStoreConfig;

/// Who else may write profiles, and how this server learns of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Nobody.
    Alone,
    /// Other servers, which put what they write into the cache. One that cannot puts it there later.
    ByCache,
    /// Other servers, of which only SQL knows.
    Unseen,
}

impl Sharing {
    /// How long a copy is trusted.
    pub fn trusted(self, config: &ProfileStoreConfig) -> Duration {
        match self {
            Self::Alone => Duration::from_secs(config.trusted_seconds),
            Self::ByCache => Duration::from_secs(config.shared_trusted_seconds),
            Self::Unseen => Duration::ZERO,
        }
    }
}
