//! Of which accounts the ledger had nothing left a moment ago, so that not every ping asks it again.
//!
//! Law 1: this is a hint of a few seconds; the ledger decides. A unit that comes back, or a raised limit, is found when
//! the hint is over.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::domain::{budget::AccountId, time::Timestamp};

/// How long a refusal is believed.
const BELIEVED: Duration = Duration::from_secs(2);

/// Accounts and when they were refused last.
#[derive(Debug, Default)]
pub struct Spent(Mutex<HashMap<AccountId, Timestamp>>);

impl Spent {
    /// Accounts that had nothing left a moment ago.
    pub fn accounts(&self, now: Timestamp) -> BTreeSet<AccountId> {
        let mut refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        refused.retain(|_, at| now.apart(*at) <= BELIEVED);
        refused.keys().cloned().collect()
    }

    /// Notes a refusal.
    pub fn note(&self, account: AccountId, now: Timestamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(account, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_believed_for_a_moment() {
        let (spent, at) = (Spent::default(), |seconds: i64| Timestamp::from_micros(seconds * 1_000_000));
        let account = AccountId::of_record("organizations/acme/campaigns/umbrella/offers");
        spent.note(account.clone(), at(10));
        assert_eq!(spent.accounts(at(12)), BTreeSet::from([account]));
        assert!(spent.accounts(at(13)).is_empty());
    }
}
