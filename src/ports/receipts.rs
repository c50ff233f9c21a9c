//! Finding receipts by what they are about.
//!
//! Laws: what is past its time is not found, whether or not it was swept; a list is in its order, and what it has of an hour in the order of hours tells nothing of when in it; whether the asker may see them is asked of each, by the use case.

use async_trait::async_trait;

use super::error::StoreError;
use crate::domain::{
    decision::Decision,
    name::{AppName, CampaignName, OrganizationName, ProfileName, StoreName},
    offer::DecisionId,
    time::Timestamp,
};

/// Whose receipts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiptsOf {
    Everybody,
    /// The people of all its apps.
    Publisher(OrganizationName),
    /// The people of all apps but its.
    Others(OrganizationName),
    App(AppName),
    Person(ProfileName),
}

/// In which order a list of receipts is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiptOrder {
    /// Newest first.
    Newest,
    /// By the hour of UTC, newest first, and within an hour by the random part of their ids.
    Hours,
}

/// Which receipts; what is none is not asked.
#[derive(Debug, Clone, PartialEq)]
pub struct ReceiptQuery {
    pub of: ReceiptsOf,
    pub order: ReceiptOrder,
    /// That considered this campaign,
    pub campaign: Option<CampaignName>,
    /// for this store,
    pub store: Option<StoreName>,
    /// with one of these verdicts, CHOSEN or codes of reasons; with any, if there are none.
    pub verdicts: Vec<String>,
    pub from: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// Of those that are kept at this time.
    pub now: Timestamp,
    /// Behind this receipt, in the order of the list.
    pub after: Option<DecisionId>,
    pub most: u32,
}

/// What a list has of its receipts.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundReceipts {
    /// Fewer than were asked for if they are large, or if hours have few.
    pub decisions: Vec<Decision>,
    /// Behind what the list goes on, whether or not there is such a receipt; none if that is all.
    pub next: Option<DecisionId>,
}

/// What became of one campaign.
#[derive(Debug, Clone, PartialEq)]
pub struct CountQuery {
    /// Counted of these people,
    pub of: ReceiptsOf,
    pub campaign: CampaignName,
    /// for this store; everywhere if it is none,
    pub store: Option<StoreName>,
    pub from: Option<Timestamp>,
    /// before this time,
    pub until: Option<Timestamp>,
    /// in receipts that are kept at this one.
    pub now: Timestamp,
}

/// How often a campaign met one verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerdictCount {
    /// CHOSEN, or the code of a reason.
    pub verdict: String,
    /// How many different people did.
    pub people: u64,
    /// In how many decisions.
    pub decisions: u64,
}

#[async_trait]
pub trait Receipts: Send + Sync {
    /// The receipts; their profile is the one they belong to now. However large they are, some MiB at once.
    async fn decisions(&self, query: &ReceiptQuery) -> Result<FoundReceipts, StoreError>;

    /// The verdicts that the campaign met in receipts that are kept, by their codes; of test devices none is counted.
    async fn verdicts(&self, query: &CountQuery) -> Result<Vec<VerdictCount>, StoreError>;
}
