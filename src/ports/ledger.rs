//! What is taken of budgets, what came of experiments, and the proof that nothing was oversold.
//!
//! Law: everything it says was so at one moment, while changes go on.

use async_trait::async_trait;

use super::error::StoreError;
use crate::domain::{
    budget::{Account, AccountId, Unit},
    name::CampaignName,
    text::{ExperimentId, VariantId},
    time::Timestamp,
};

/// Most faults that are told one by one.
pub const MOST_FAULTS: usize = 1_000;

/// What was looked at, and what is wrong.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LedgerProof {
    pub at: Timestamp,
    pub accounts: u64,
    pub holds: u64,
    pub offers: u64,
    pub redemptions: u64,
    /// Offers reported as shown after their units had gone back.
    pub late_overrun: u64,
    /// The first 1,000.
    pub faults: Vec<LedgerFault>,
    pub fault_count: u64,
}

impl LedgerProof {
    /// Notes a fault.
    pub fn fault(&mut self, kind: LedgerFaultKind, subject: impl Into<String>, description: impl Into<String>) {
        self.fault_count += 1;
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(LedgerFault { kind, subject: subject.into(), description: description.into() });
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerFault {
    pub kind: LedgerFaultKind,
    /// The account, offer or campaign it is about.
    pub subject: String,
    /// The numbers, in words.
    pub description: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerFaultKind {
    /// taken is not Σ (units − returned) of the holds.
    UnbalancedAccount,
    /// An offer or redemption lacks a hold.
    MissingHold,
    /// More offers to one person in a window than the cap in force when the last of them was made.
    CapExceeded,
    /// Redeemed again without a reversal between.
    RedeemedTwice,
    /// An offer and its redemptions do not say the same.
    UnmatchedRedemption,
}

/// What is taken of one account of a campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountUse {
    pub account: Account,
    /// What it counts; none for codes of the pool.
    pub unit: Option<Unit>,
    pub taken: u64,
    /// None where the limit was lifted.
    pub limit: Option<u64>,
    pub late_overrun: u64,
}

/// What became of one arm of an experiment, without test devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArmResult {
    /// None if the experiment has a holdout only.
    pub variant: Option<VariantId>,
    /// Who was offered it, whatever became of it,
    pub people: u64,
    /// and who would have been, were they not held out: both counted alike.
    pub held_out: u64,
    /// But for those that a phone gave back unseen.
    pub offers: u64,
    /// What people in the holdout would have got of it.
    pub ghosts: u64,
    pub shown: u64,
    pub opened: u64,
    /// And not taken back.
    pub redeemed: u64,
}

#[async_trait]
pub trait Ledger: Send + Sync {
    /// The accounts of a campaign by their ids, backwards, so that of periods the newest come first: behind `before`, if it
    /// is given, and at most `most`.
    async fn accounts(
        &self,
        campaign: &CampaignName,
        before: Option<&AccountId>,
        most: u32,
    ) -> Result<Vec<AccountUse>, StoreError>;

    /// Those of these accounts of which nothing is left.
    async fn spent(&self, of: &[AccountId]) -> Result<Vec<AccountId>, StoreError>;

    /// The arms of an experiment of the campaign that had an offer or a ghost, by their variants; of people who were not
    /// erased since, and for as long as offers are kept.
    async fn arms(&self, campaign: &CampaignName, experiment: &ExperimentId) -> Result<Vec<ArmResult>, StoreError>;

    /// Reads the whole record at one moment; `at` is that moment by the server's clock.
    async fn prove(&self, at: Timestamp) -> Result<LedgerProof, StoreError>;
}
