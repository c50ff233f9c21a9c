//! Offers as their people and the tills see them, what was redeemed, and the codes that are left.
//!
//! Laws:
//! 1. What is read is the record, never a copy: a till must know what happened a moment ago at another.
//! 2. A code of a pool is added once, whatever is uploaded again; of an upload that fails nothing is added.

use async_trait::async_trait;

use super::{error::StoreError, records::TillAnswer};
use crate::domain::{
    code::Code,
    name::{CampaignName, ProfileName, StoreName},
    offer::{OfferId, RedemptionId},
    redemption::{KeptOffer, Redemption, TillRequest},
    time::Timestamp,
};

/// Which redemptions are asked for, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct RedemptionQuery {
    pub of: RedemptionsOf,
    /// At or after this,
    pub from: Option<Timestamp>,
    /// and before this.
    pub until: Option<Timestamp>,
    /// Only those after this one in the list.
    pub after: Option<(Timestamp, RedemptionId)>,
    pub most: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedemptionsOf {
    Store(StoreName),
    Campaign(CampaignName),
    /// Of the campaign, by the person.
    Person(ProfileName, CampaignName),
}

/// Which offers of a person are asked for, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct OfferQuery {
    pub profile: ProfileName,
    /// Only those in this state at `now`.
    pub state: Option<OfferState>,
    pub now: Timestamp,
    /// Only those after this one in the list.
    pub after: Option<(Timestamp, OfferId)>,
    pub most: u32,
}

/// Where an offer is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfferState {
    /// Good until its end.
    Open,
    Redeemed,
    /// No longer good, and was not used.
    Ended,
    Returned,
}

impl OfferState {
    pub fn of(offer: &KeptOffer, now: Timestamp) -> Self {
        match offer {
            KeptOffer { redeemed_at: Some(_), .. } => OfferState::Redeemed,
            KeptOffer { returned_at: Some(_), .. } => OfferState::Returned,
            KeptOffer { valid_until, .. } if *valid_until <= now => OfferState::Ended,
            _ => OfferState::Open,
        }
    }
}

/// What came of codes that were uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uploaded {
    /// Whether each code was added, in the order given; the others were there.
    pub added: Vec<bool>,
    /// All codes of the pool, given or not.
    pub pool_size: u64,
}

#[async_trait]
pub trait Coupons: Send + Sync {
    async fn offer(&self, id: &OfferId) -> Result<Option<KeptOffer>, StoreError>;

    /// All offers that have this code: of one campaign at most one.
    async fn offers_with_code(&self, code: &Code) -> Result<Vec<KeptOffer>, StoreError>;

    /// Of the campaign's offers to the person, but for trials: the newest that can be redeemed at `now`, whoever locked it;
    /// else the newest that is neither redeemed nor returned, else the newest of all.
    async fn offer_to(
        &self,
        profile: &ProfileName,
        campaign: &CampaignName,
        now: Timestamp,
    ) -> Result<Option<KeptOffer>, StoreError>;

    async fn offers(&self, query: &OfferQuery) -> Result<Vec<KeptOffer>, StoreError>;

    async fn redemption(&self, id: &RedemptionId) -> Result<Option<Redemption>, StoreError>;

    async fn redemptions(&self, query: &RedemptionQuery) -> Result<Vec<Redemption>, StoreError>;

    /// How a till's request was answered, if that is not longer ago than answers are kept.
    async fn till_answer(&self, request: &TillRequest) -> Result<Option<TillAnswer>, StoreError>;

    /// Adds codes to the pool of a campaign. A code that any pool of the same organization has is not added. None if the
    /// campaign was deleted, or takes no codes from a pool any more: then nothing is.
    async fn add_codes(&self, campaign: &CampaignName, codes: Vec<Code>) -> Result<Option<Uploaded>, StoreError>;
}
