//! The settings of the database.

use std::{ops::RangeInclusive, str::FromStr, time::Duration};

use serde::Deserialize;
use sqlx::postgres::PgConnectOptions;

use super::{OpenError, open::sqlite_path};
use crate::{domain::campaign::MAX_WINDOW, storage::Address};

/// How many changes may wait for SQLite's writer: more than a million would wait for minutes.
const WRITE_QUEUE: RangeInclusive<usize> = 1..=1_000_000;
const DAY: Duration = Duration::from_secs(86_400);
/// How long a repeated ping gets its first answer, which is in a receipt.
const ANSWERS: Duration = Duration::from_secs(2 * 86_400);

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SqlConfig {
    /// `sqlite:PATH` for one machine, `postgres://user:password@host/database` for several.
    pub url: Address,
    /// Most connections that answer calls, beside three for lists, counts and the ledger's proof.
    pub connections: u32,
    /// Most changes waiting for SQLite's writer; more are refused as unavailable.
    pub write_queue: usize,
    /// How long receipts are kept, in days.
    pub receipt_days: u32,
    /// How long what decisions were made of is kept, for their replay, in days; not at all if it is 0.
    pub replay_days: u32,
    /// How long offers and their times are kept, in days.
    pub offer_days: u32,
    /// After so many hours an offer that nobody reported as shown gives its units back; never if it is 0.
    pub return_unshown_hours: u32,
    /// As long as anybody waits for the ledger's proof; no statement of it takes longer. No setting of the database's own: the
    /// server's limit on such calls.
    #[serde(skip)]
    pub longest_call: Duration,
}

impl Default for SqlConfig {
    fn default() -> Self {
        Self {
            url: Address::new("sqlite:dintorni.db"),
            connections: 8,
            write_queue: 4_096,
            receipt_days: 30,
            replay_days: 0,
            offer_days: 400,
            return_unshown_hours: 0,
            longest_call: Duration::from_secs(300),
        }
    }
}

impl SqlConfig {
    /// Whether it is a file of SQLite, which one server alone has open.
    pub fn is_embedded(&self) -> bool {
        matches!(sqlite_path(&self.url), Ok(Some(_)))
    }

    /// What is wrong with the settings, as far as it can be seen without opening anything.
    pub fn mistakes(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        if let Err(error) = server(&self.url) {
            mistakes.push(format!("storage.url: {error}"));
        }
        if !WRITE_QUEUE.contains(&self.write_queue) {
            let (least, most) = (WRITE_QUEUE.start(), WRITE_QUEUE.end());
            mistakes.push(format!("storage.write_queue: must be {least} to {most}, was {}", self.write_queue));
        }
        if self.receipt_days * DAY <= ANSWERS {
            let (least, days) = (ANSWERS.div_duration_f64(DAY) + 1.0, self.receipt_days);
            mistakes.push(format!(
                "storage.receipt_days: must be {least} or more, was {days}: a repeated ping is answered from its receipt \
                 for 48 hours"
            ));
        }
        if self.replay_days > self.receipt_days {
            let (most, days) = (self.receipt_days, self.replay_days);
            mistakes.push(format!(
                "storage.replay_days: must be 0 to {most}, was {days}: a replay is compared with its receipt, which is \
                 kept for storage.receipt_days"
            ));
        }
        if self.offer_days * DAY < MAX_WINDOW {
            let (least, days) = (MAX_WINDOW.div_duration_f64(DAY), self.offer_days);
            mistakes.push(format!(
                "storage.offer_days: must be {least} or more, was {days}: caps look back so far, and an unshown offer \
                 returns its unit of budget as long"
            ));
        }
        mistakes
    }
}

/// The PostgreSQL server at that address; none for a SQLite file, or if the address is left to the data directory.
fn server(url: &Address) -> Result<Option<PgConnectOptions>, OpenError> {
    if url.reveal().is_empty() || sqlite_path(url)?.is_some() {
        return Ok(None);
    }
    let server = PgConnectOptions::from_str(url.reveal());
    server.map(Some).map_err(|fault| OpenError::Unreadable(url.clone(), fault.to_string()))
}

/// How long the rows of a commit are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// 48 hours: as long as a retry is promised to be free.
    pub answers: Duration,
    pub receipts: Duration,
    /// Of what decisions were made of; none if it is not kept.
    pub inputs: Option<Duration>,
    pub offers: Duration,
    /// From an offer to the return of its units if nobody reported it as shown; none if they stay.
    pub unshown: Option<Duration>,
}

impl From<&SqlConfig> for Retention {
    fn from(config: &SqlConfig) -> Self {
        let hours = config.return_unshown_hours;
        let unshown = (hours > 0).then(|| hours * Duration::from_secs(3_600));
        let inputs = (config.replay_days > 0).then(|| config.replay_days * DAY);
        let (receipts, offers) = (config.receipt_days * DAY, config.offer_days * DAY);
        Self { answers: ANSWERS, receipts, inputs, offers, unshown }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_rely_on_is_kept_long_enough() {
        let kept = |receipt_days, offer_days| SqlConfig { receipt_days, offer_days, ..SqlConfig::default() };
        assert!(SqlConfig::default().mistakes().is_empty());
        assert!(kept(3, 90).mistakes().is_empty());
        let mistakes = kept(2, 89).mistakes();
        assert!(mistakes[0].starts_with("storage.receipt_days: must be 3 or more, was 2"), "{mistakes:?}");
        assert!(mistakes[1].starts_with("storage.offer_days: must be 90 or more, was 89"), "{mistakes:?}");
        assert_eq!(kept(0, 0).mistakes().len(), 2);
    }

    #[test]
    fn what_decisions_were_made_of_is_kept_if_it_is_wanted_and_no_longer_than_they() {
        let kept = |receipt_days, replay_days| SqlConfig { receipt_days, replay_days, ..SqlConfig::default() };
        assert_eq!(Retention::from(&SqlConfig::default()).inputs, None);
        assert_eq!(Retention::from(&kept(30, 7)).inputs, Some(7 * DAY));
        assert!(kept(7, 7).mistakes().is_empty());
        let mistakes = kept(7, 8).mistakes();
        assert!(mistakes[0].starts_with("storage.replay_days: must be 0 to 7, was 8"), "{mistakes:?}");
    }
}
