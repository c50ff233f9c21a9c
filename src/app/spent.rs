//! Of which accounts the ledger has nothing left, so that a campaign that has nothing to give says so to everybody.
//!
//! Law 1: this is a hint that lives for seconds; the commit decides. A refused commit begins it, and the ledger is asked
//! again, beside the pings, for as long as it has nothing left: the receipts of a spent campaign say BUDGET_EXHAUSTED from
//! the first refusal on, and not whatever each person's gates would say. A unit that comes back and a raised limit, on
//! whichever node, end the hint at the next question; a ledger that does not answer ends it in two seconds.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;

use crate::{
    domain::{budget::AccountId, campaign::CampaignState, time::Timestamp},
    engine::{catalog::Catalog, taking},
    ports::{Ledger, StoreError},
};

/// How long the ledger's word is believed.
const BELIEVED: Duration = Duration::from_secs(2);
/// How long it is asked about an account after a commit was refused; later the next commit finds out. Accounts of periods
/// that are over are asked about no longer than this.
const ASKED_FOR: Duration = Duration::from_secs(24 * 3_600);
/// Most accounts that are asked about at once; what is beyond them is believed for its moment.
const MOST_ASKED: usize = 5_000;

/// After this campaigns are looked through again, though none was edited: what claims and tills took is seen by nobody else.
const LOOKED_THROUGH: Duration = Duration::from_secs(60);

/// Accounts of which nothing is left.
#[derive(Debug, Default)]
pub struct Spent {
    noted: Mutex<HashMap<AccountId, Noted>>,
    /// The same for readers, who wait for nobody.
    known: ArcSwap<Known>,
    /// The catalog whose campaigns were looked through last, and when.
    looked: Mutex<Option<(u64, Timestamp)>>,
}

#[derive(Debug, Clone, Copy)]
struct Noted {
    /// When a commit was refused.
    refused_at: Timestamp,
    /// When the ledger said so last.
    seen_at: Timestamp,
}

#[derive(Debug, Default)]
struct Known {
    accounts: Arc<BTreeSet<AccountId>>,
    /// The oldest word of the ledger in it.
    seen_at: Timestamp,
}

impl Spent {
    /// Accounts that had nothing left a moment ago.
    pub fn accounts(&self, now: Timestamp) -> Arc<BTreeSet<AccountId>> {
        let known = self.known.load();
        if known.accounts.is_empty() || now.apart(known.seen_at) <= BELIEVED {
            return known.accounts.clone();
        }
        self.change(|noted| noted.retain(|_, noted| now.apart(noted.seen_at) <= BELIEVED))
    }

    /// Notes that a commit was refused.
    pub fn note(&self, account: AccountId, now: Timestamp) {
        self.change(|noted| {
            noted.insert(account, Noted { refused_at: now, seen_at: now });
        });
    }

    /// Asks the ledger about what was refused; nothing is asked while nothing was.
    pub async fn ask(&self, ledger: &dyn Ledger, now: Timestamp) -> Result<(), StoreError> {
        let asked = self.to_ask(now);
        if asked.is_empty() {
            return Ok(());
        }
        let spent: BTreeSet<AccountId> = ledger.spent(&asked).await?.into_iter().collect();
        self.change(|noted| {
            for account in &asked {
                match noted.get_mut(account) {
                    Some(noted) if spent.contains(account) => noted.seen_at = noted.seen_at.max(now),
                    _ => drop(noted.remove(account)),
                }
            }
        });
        Ok(())
    }

    /// Asks the ledger what every claim of a coupon of an active campaign takes of: no commit of an offer would find out.
    pub async fn look(&self, catalog: &Catalog, ledger: &dyn Ledger, now: Timestamp) -> Result<(), StoreError> {
        if !self.is_due(catalog.version, now) {
            return Ok(());
        }
        let active = catalog.campaigns.iter().map(|(_, entry)| &entry.value);
        let active = active.filter(|campaign| campaign.state == CampaignState::Active);
        let asked: Vec<AccountId> = active.flat_map(|campaign| taking::for_any_claim(campaign)).collect();
        let spent = if asked.is_empty() { Vec::new() } else { ledger.spent(&asked).await? };
        if !spent.is_empty() {
            let new = Noted { refused_at: now, seen_at: now };
            self.change(|noted| noted.extend(spent.into_iter().map(|account| (account, new))));
        }
        *self.looked() = Some((catalog.version, now));
        Ok(())
    }

    fn is_due(&self, version: u64, now: Timestamp) -> bool {
        self.looked().is_none_or(|(looked, at)| looked != version || now.apart(at) >= LOOKED_THROUGH)
    }

    fn looked(&self) -> MutexGuard<'_, Option<(u64, Timestamp)>> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that were not asked about for longest first.
    fn to_ask(&self, now: Timestamp) -> Vec<AccountId> {
        let noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = noted.iter().filter(|(_, noted)| now.apart(noted.refused_at) <= ASKED_FOR);
        let mut by_age: Vec<(Timestamp, &AccountId)> =
            recent.map(|(account, noted)| (noted.seen_at, account)).collect();
        by_age.sort();
        by_age.into_iter().take(MOST_ASKED).map(|(_, account)| account.clone()).collect()
    }

    fn change(&self, change: impl FnOnce(&mut HashMap<AccountId, Noted>)) -> Arc<BTreeSet<AccountId>> {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut noted);
        let accounts: Arc<BTreeSet<AccountId>> = Arc::new(noted.keys().cloned().collect());
        let seen_at = noted.values().map(|noted| noted.seen_at).min().unwrap_or_default();
        self.known.store(Arc::new(Known { accounts: accounts.clone(), seen_at }));
        accounts
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use async_trait::async_trait;

    use super::*;
    use crate::{
        domain::{name::CampaignName, text::ExperimentId},
        ports::{AccountUse, ArmResult, LedgerProof},
    };

    /// Says what it is told to, or nothing.
    #[derive(Default)]
    struct FakeLedger {
        spent: Mutex<Option<Vec<AccountId>>>,
        questions: AtomicUsize,
    }

    #[async_trait]
    impl Ledger for FakeLedger {
        async fn accounts(
            &self,
            _: &CampaignName,
            _: Option<&AccountId>,
            _: u32,
        ) -> Result<Vec<AccountUse>, StoreError> {
            unreachable!("not asked")
        }

        async fn spent(&self, _: &[AccountId]) -> Result<Vec<AccountId>, StoreError> {
            self.questions.fetch_add(1, SeqCst);
            let spent = self.spent.lock().expect("sound").clone();
            spent.ok_or_else(|| StoreError::Unavailable("away".into()))
        }

        async fn arms(&self, _: &CampaignName, _: &ExperimentId) -> Result<Vec<ArmResult>, StoreError> {
            unreachable!("not asked")
        }

        async fn prove(&self, _: Timestamp) -> Result<LedgerProof, StoreError> {
            unreachable!("not asked")
        }
    }

    fn account(id: &str) -> AccountId {
        AccountId::of_record(&format!("organizations/acme/campaigns/{id}/offers"))
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn a_refusal_is_believed_for_a_moment() {
        let (spent, umbrella) = (Spent::default(), account("umbrella"));
        spent.note(umbrella.clone(), at(10));
        spent.note(account("tea"), at(11));
        assert_eq!(spent.accounts(at(12)).len(), 2);
        assert_eq!(*spent.accounts(at(13)), BTreeSet::from([account("tea")]));
        assert!(spent.accounts(at(14)).is_empty());
    }

    #[tokio::test]
    async fn it_is_believed_for_as_long_as_the_ledger_says_so() {
        let (spent, ledger) = (Spent::default(), FakeLedger::default());
        spent.ask(&ledger, at(0)).await.expect("nothing to ask");
        assert_eq!(ledger.questions.load(SeqCst), 0);
        spent.note(account("tea"), at(0));
        spent.note(account("umbrella"), at(0));
        *ledger.spent.lock().expect("sound") = Some(vec![account("tea"), account("umbrella")]);
        for second in 1..100 {
            spent.ask(&ledger, at(second)).await.expect("answered");
            assert_eq!(spent.accounts(at(second + 2)).len(), 2, "{second}");
        }
        // A unit of one came back.
        *ledger.spent.lock().expect("sound") = Some(vec![account("tea")]);
        spent.ask(&ledger, at(100)).await.expect("answered");
        assert_eq!(*spent.accounts(at(100)), BTreeSet::from([account("tea")]));
        // The ledger is away.
        *ledger.spent.lock().expect("sound") = None;
        spent.ask(&ledger, at(101)).await.expect_err("away");
        assert_eq!((spent.accounts(at(102)).len(), spent.accounts(at(103)).len()), (1, 0));
    }

    #[tokio::test]
    async fn a_day_after_the_refusal_the_next_commit_finds_out() {
        let (spent, ledger) = (Spent::default(), FakeLedger::default());
        *ledger.spent.lock().expect("sound") = Some(vec![account("tea")]);
        spent.note(account("tea"), at(0));
        spent.ask(&ledger, at(86_400)).await.expect("answered");
        assert_eq!(spent.accounts(at(86_402)).len(), 1);
        spent.ask(&ledger, at(86_401)).await.expect("nothing to ask");
        assert_eq!((ledger.questions.load(SeqCst), spent.accounts(at(86_403)).len()), (1, 0));
    }
}
