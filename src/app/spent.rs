//! Which budgets the ledger has just refused, so that not every ping asks it again.
//!
//! Law 1: this is a hint of a few seconds; the ledger decides. A unit that comes back, or a raised limit, is found when
//! the hint is over.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::domain::{name::CampaignName, time::Timestamp};

/// How long a refusal is believed.
const BELIEVED: Duration = Duration::from_secs(2);

/// Campaigns and when their budget was refused last.
#[derive(Debug, Default)]
pub struct Spent(Mutex<HashMap<CampaignName, Timestamp>>);

impl Spent {
    /// Campaigns whose budget was refused a moment ago.
    pub fn campaigns(&self, now: Timestamp) -> BTreeSet<CampaignName> {
        let mut refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        refused.retain(|_, at| now.apart(*at) <= BELIEVED);
        refused.keys().cloned().collect()
    }

    /// Notes a refusal.
    pub fn note(&self, campaign: CampaignName, now: Timestamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(campaign, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_believed_for_a_moment() {
        let (spent, at) = (Spent::default(), |seconds: i64| Timestamp::from_micros(seconds * 1_000_000));
        let campaign = CampaignName::parse("organizations/acme/campaigns/umbrella").expect("sound");
        spent.note(campaign.clone(), at(10));
        assert_eq!(spent.campaigns(at(12)), BTreeSet::from([campaign]));
        assert!(spent.campaigns(at(13)).is_empty());
    }
}
