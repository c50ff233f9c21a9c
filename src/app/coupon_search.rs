//! From what is on a till's counter to the coupon that is meant.
//!
//! Law 6: if it is not clear which coupon is meant, none is.

use std::sync::Arc;

use crate::{
    domain::{
        campaign::{Campaign, CampaignState},
        code::Code,
        coupon::Coupon,
        offer::OfferId,
        redemption::{KeptOffer, Refusal},
    },
    engine::redeeming::{self, Counter, Presented, is_redeemed_at},
    ports::{Coupons, StoreError},
};

/// What was scanned or typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    Code(Code),
    Offer(OfferId),
}

/// A coupon, and whose offer it is of.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    pub campaign: Arc<Campaign>,
    pub coupon: Coupon,
    /// None for everyone's code without a customer that has an offer.
    pub offer: Option<KeptOffer>,
}

/// Finds coupons.
pub struct CouponSearch {
    coupons: Arc<dyn Coupons>,
}

impl CouponSearch {
    pub fn new(coupons: Arc<dyn Coupons>) -> Self {
        Self { coupons }
    }

    /// The coupon, and the first reason against it here and now. Of several that one which is good; of several good ones
    /// none.
    pub async fn find(
        &self,
        what: &What,
        customer: Option<&str>,
        counter: &Counter<'_>,
    ) -> Result<(Option<Found>, Option<Refusal>), StoreError> {
        let mut meant = self.meant(what, customer, counter).await?;
        // Of brands that have nothing to do with this network, and of drafts, no till learns anything.
        meant.retain(|found| is_of_network(found, counter));
        if meant.iter().any(|found| is_redeemed_at(&found.campaign, &found.coupon, counter)) {
            meant.retain(|found| is_redeemed_at(&found.campaign, &found.coupon, counter));
        }
        let judge = |found: Found| {
            let Found { campaign, coupon, offer } = &found;
            let presented = Presented { campaign, coupon, offer: offer.as_ref(), customer };
            let refusal = redeeming::refusal(&presented, counter);
            (found, refusal)
        };
        let (good, bad): (Vec<_>, Vec<_>) = meant.into_iter().map(judge).partition(|(_, refusal)| refusal.is_none());
        match (good.len(), bad.into_iter().next()) {
            (0, None) => Ok((None, Some(unknown(what)))),
            (0, Some((found, refusal))) => Ok((Some(found), refusal)),
            (1, _) => Ok((good.into_iter().next().map(|(found, _)| found), None)),
            _ => Ok((None, Some(Refusal::AmbiguousCode))),
        }
    }

    async fn meant(
        &self,
        what: &What,
        customer: Option<&str>,
        counter: &Counter<'_>,
    ) -> Result<Vec<Found>, StoreError> {
        let code = match what {
            What::Offer(id) => {
                let offer = self.coupons.offer(id).await?;
                return Ok(offer.into_iter().filter_map(|offer| of_offer(offer, counter)).collect());
            }
            What::Code(code) => code,
        };
        let mut offers = self.coupons.offers_with_code(code).await?;
        let drawn = code.as_drawn();
        if offers.is_empty() && drawn != *code {
            offers = self.coupons.offers_with_code(&drawn).await?;
        }
        let mut meant: Vec<Found> = offers.into_iter().filter_map(|offer| of_offer(offer, counter)).collect();
        for campaign in counter.catalog.with_code(code) {
            meant.extend(self.of_everyone(campaign, customer, counter).await?);
        }
        Ok(meant)
    }

    /// A coupon whose code everybody has, for each app's customer of that id who has an offer; by itself if none has.
    async fn of_everyone(
        &self,
        campaign: &Arc<Campaign>,
        customer: Option<&str>,
        counter: &Counter<'_>,
    ) -> Result<Vec<Found>, StoreError> {
        let Some(coupon) = &campaign.coupon else { return Ok(Vec::new()) };
        let found = |offer| Found { campaign: campaign.clone(), coupon: coupon.clone(), offer };
        let mut all = Vec::new();
        if let Some(id) = customer {
            let brand = campaign.name.owner();
            let reached =
                counter.catalog.apps.keys().filter(|app| counter.catalog.areas.grants().reach(app).has(brand));
            for profile in reached.filter_map(|app| app.profile(id).ok()) {
                let offer = self.coupons.offer_to(&profile, &campaign.name, counter.now).await?;
                all.extend(offer.map(|offer| found(Some(offer))));
            }
        }
        if all.is_empty() {
            all.push(found(None));
        }
        Ok(all)
    }
}

fn is_of_network(found: &Found, counter: &Counter<'_>) -> bool {
    let (brand, network) = (found.campaign.name.organization(), counter.store.name.organization());
    let is_known = counter.catalog.areas.targets().grants.may_target(&brand, &network);
    // Who tries a draft at a till is told so.
    let is_trial = found.offer.as_ref().is_some_and(|offer| offer.trial);
    is_known && (found.campaign.state != CampaignState::Draft || is_trial)
}

fn of_offer(offer: KeptOffer, counter: &Counter<'_>) -> Option<Found> {
    let campaign = counter.catalog.campaigns.get(&offer.campaign)?.value.clone();
    let coupon = campaign.coupon.clone()?;
    Some(Found { campaign, coupon, offer: Some(offer) })
}

fn unknown(what: &What) -> Refusal {
    let mistyped = match what {
        What::Code(code) => code.is_mistyped(),
        What::Offer(_) => false,
    };
    Refusal::UnknownCode { mistyped }
}
