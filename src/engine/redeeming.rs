//! Whether a coupon is good at a till, or claimed: pure, from what the record and the catalog say.
//!
//! Law 6: what is not proven good is refused. The reasons that the customer cannot change come first.

use super::catalog::Catalog;
use crate::domain::{
    campaign::{Campaign, CampaignState},
    consent::Marketing,
    content::Money,
    coupon::{Codes, Coupon, RedeemedAt},
    organization::App,
    place::Store,
    profile::Profile,
    redemption::{KeptOffer, Refusal, TillId},
    time::Timestamp,
};

/// Where a coupon is presented.
#[derive(Clone, Copy)]
pub struct Counter<'a> {
    pub catalog: &'a Catalog,
    pub store: &'a Store,
    pub till: &'a TillId,
    pub now: Timestamp,
}

/// What is presented.
#[derive(Clone, Copy)]
pub struct Presented<'a> {
    pub campaign: &'a Campaign,
    pub coupon: &'a Coupon,
    /// None for everyone's code without a customer that has an offer.
    pub offer: Option<&'a KeptOffer>,
    /// The id of the customer's profile, as the till read it.
    pub customer: Option<&'a str>,
    /// When the campaign was archived, if it was, that is known, and there is no offer.
    pub archived_at: Option<Timestamp>,
}

/// The first reason against redeeming it here and now.
pub fn refusal(presented: &Presented<'_>, counter: &Counter<'_>) -> Option<Refusal> {
    let Presented { campaign, coupon, offer, customer, archived_at } = *presented;
    if offer.is_some_and(|offer| offer.trial) {
        return Some(Refusal::Trial);
    }
    if !is_redeemed_at(campaign, coupon, counter) {
        return Some(Refusal::WrongStore);
    }
    if coupon.holder_only && customer.is_none() {
        return Some(Refusal::CustomerRequired);
    }
    match offer {
        Some(offer) => of_holder(offer, customer).or_else(|| of_offer(offer, coupon, counter)),
        None if coupon.holder_only => Some(Refusal::WrongCustomer),
        None => of_campaign(campaign, archived_at, counter.now),
    }
}

/// The coupon's stores, among those that the brand may use.
pub fn is_redeemed_at(campaign: &Campaign, coupon: &Coupon, counter: &Counter<'_>) -> bool {
    let (brand, store) = (campaign.name.organization(), counter.store);
    let meant = match &coupon.at {
        RedeemedAt::Anywhere => true,
        RedeemedAt::Stores(stores) => stores.contains(&store.name),
        RedeemedAt::Tagged { network, tags } => network.as_str() == store.name.owner() && tags.is_subset(&store.tags),
    };
    meant && counter.catalog.areas.targets().grants.may_target(&brand, &store.name.organization())
}

fn of_holder(offer: &KeptOffer, customer: Option<&str>) -> Option<Refusal> {
    customer.is_some_and(|customer| customer != offer.profile.id()).then_some(Refusal::WrongCustomer)
}

fn of_offer(offer: &KeptOffer, coupon: &Coupon, counter: &Counter<'_>) -> Option<Refusal> {
    let now = counter.now;
    if let Some(at) = offer.redeemed_at {
        return Some(Refusal::AlreadyRedeemed { at });
    }
    if offer.returned_at.is_some() {
        return Some(Refusal::Returned);
    }
    if offer.valid_until <= now {
        return Some(Refusal::Ended { at: offer.valid_until });
    }
    // What is good at once was made before now, even if the clock was set back since.
    if now < offer.valid_from && offer.offered_at < offer.valid_from {
        return Some(Refusal::NotYet { from: offer.valid_from });
    }
    if offer.claimed_at.is_none() && !matches!(coupon.codes, Codes::Fixed(_)) {
        return Some(Refusal::NotClaimed);
    }
    let lock = offer.lock.as_ref().filter(|lock| lock.holds(now));
    let other = lock.filter(|lock| lock.store != counter.store.name || lock.till != *counter.till);
    other.map(|lock| Refusal::Locked { until: lock.until })
}

/// Until when a code that everybody has is good without an offer: as long as the campaign, and if it was archived as its last
/// offers, which carry the code.
pub fn good_until(campaign: &Campaign, archived_at: Option<Timestamp>) -> Option<Timestamp> {
    let last_offers_end = archived_at.map(|at| at + campaign.limits.valid_for);
    campaign.limits.ends_at.into_iter().chain(last_offers_end).min()
}

/// Of a code that everybody has, without an offer: as long as the campaign, or an offer that it made.
fn of_campaign(campaign: &Campaign, archived_at: Option<Timestamp>, now: Timestamp) -> Option<Refusal> {
    let limits = &campaign.limits;
    if let Some(from) = limits.starts_at.filter(|&starts_at| now < starts_at) {
        return Some(Refusal::NotYet { from });
    }
    if let Some(at) = good_until(campaign, archived_at).filter(|&end| end <= now) {
        return Some(Refusal::Ended { at });
    }
    match campaign.state {
        CampaignState::Active | CampaignState::Paused => None,
        CampaignState::Archived => archived_at.is_none().then_some(Refusal::Ended { at: now }),
        // Nobody can have it yet.
        CampaignState::Draft => Some(Refusal::UnknownCode { mistyped: false }),
    }
}

/// What a redemption costs, from what the till says and what the coupon is worth; none if neither says.
pub fn amount(coupon: &Coupon, stated: Option<Money>) -> Result<Option<Money>, Refusal> {
    match (stated, &coupon.value) {
        (None, value) => Ok(value.clone()),
        (Some(stated), None) => Ok(Some(stated)),
        (Some(stated), Some(value)) if stated.currency() != value.currency() => {
            Err(Refusal::WrongCurrency { wanted: value.currency().to_owned() })
        }
        (Some(stated), Some(value)) if stated.minor_units() > value.minor_units() => {
            Err(Refusal::AmountTooHigh { most: value.clone() })
        }
        (Some(stated), Some(_)) => Ok(Some(stated)),
    }
}

/// Why an offer's code is not given to its person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimRefusal {
    NoCoupon,
    Trial,
    OfferReturned,
    OfferEnded,
    NoMarketingConsent,
    NotGranted,
    Muted,
    /// No unit of a budget is left.
    BudgetExhausted,
    /// No code of the pool is left.
    CodesExhausted,
}

impl ClaimRefusal {
    /// The stable code, as the API spells it.
    pub fn code(self) -> &'static str {
        match self {
            ClaimRefusal::NoCoupon => "NO_COUPON",
            ClaimRefusal::Trial => "TRIAL",
            ClaimRefusal::OfferReturned => "OFFER_RETURNED",
            ClaimRefusal::OfferEnded => "OFFER_ENDED",
            ClaimRefusal::NoMarketingConsent => "NO_MARKETING_CONSENT",
            ClaimRefusal::NotGranted => "NOT_GRANTED",
            ClaimRefusal::Muted => "MUTED",
            ClaimRefusal::BudgetExhausted => "BUDGET_EXHAUSTED",
            ClaimRefusal::CodesExhausted => "CODES_EXHAUSTED",
        }
    }

    pub fn message(self) -> &'static str {
        match self {
            ClaimRefusal::NoCoupon => "there is nothing to redeem in this offer",
            ClaimRefusal::Trial => "offers to test devices have no codes",
            ClaimRefusal::OfferReturned => "the device said that this offer was never shown, and it was taken back",
            ClaimRefusal::OfferEnded => "the offer is no longer good",
            ClaimRefusal::NoMarketingConsent => "the person did not agree to marketing",
            ClaimRefusal::NotGranted => "the publisher has not let this brand reach the app's people",
            ClaimRefusal::Muted => "the person muted this brand",
            ClaimRefusal::BudgetExhausted => "the campaign is used up",
            ClaimRefusal::CodesExhausted => "no codes are left",
        }
    }
}

/// The first gate against giving the person the code of an offer that was made before with a coupon.
pub fn claim_refusal(
    catalog: &Catalog,
    app: &App,
    profile: &Profile,
    offer: &KeptOffer,
    now: Timestamp,
) -> Option<ClaimRefusal> {
    let brand = offer.campaign.owner();
    let gates = [
        (offer.trial, ClaimRefusal::Trial),
        (offer.returned_at.is_some(), ClaimRefusal::OfferReturned),
        (offer.valid_until <= now, ClaimRefusal::OfferEnded),
        (profile.consents.permit::<Marketing>().is_none(), ClaimRefusal::NoMarketingConsent),
        (!catalog.areas.grants().reach(&app.name).has(brand), ClaimRefusal::NotGranted),
        (profile.muted.contains(brand), ClaimRefusal::Muted),
    ];
    gates.into_iter().find(|(refuses, _)| *refuses).map(|(_, refusal)| refusal)
}
