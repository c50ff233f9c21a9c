//! The settings of the database.

use std::time::Duration;

use serde::Deserialize;

use crate::storage::Address;

const DAY: Duration = Duration::from_secs(86_400);

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SqlConfig {
    /// `sqlite:PATH` for one machine, `postgres://user:password@host/database` for several.
    pub url: Address,
    /// Most connections: all of PostgreSQL's, or those that read a SQLite file.
    pub connections: u32,
    /// Most changes waiting for SQLite's writer; more are refused as unavailable.
    pub write_queue: usize,
    /// How long receipts are kept, and with them the replay of decisions, in days.
    pub receipt_days: u32,
    /// How long offers and their times are kept, in days.
    pub offer_days: u32,
}

impl Default for SqlConfig {
    fn default() -> Self {
        Self {
            url: Address::new("sqlite:dintorni.db"),
            connections: 8,
            write_queue: 4_096,
            receipt_days: 30,
            offer_days: 400,
        }
    }
}

/// How long the rows of a commit are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// 48 hours: as long as a retry is promised to be free.
    pub answers: Duration,
    pub receipts: Duration,
    pub offers: Duration,
}

impl From<&SqlConfig> for Retention {
    fn from(config: &SqlConfig) -> Self {
        Self { answers: 2 * DAY, receipts: config.receipt_days * DAY, offers: config.offer_days * DAY }
    }
}
