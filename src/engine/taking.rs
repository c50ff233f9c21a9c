//! Which accounts have to have something left, for what.
//!
//! Law 1: whoever takes and whoever asks what is left name the same accounts, from the campaign, the place and the time.

use std::{collections::BTreeSet, time::Duration};

use super::ranking::Candidate;
use crate::domain::{
    budget::{Account, AccountId, Holder, Spot, Take, Unit},
    campaign::Campaign,
    coupon::{Codes, Coupon},
    decision::Reason,
    place::Store,
    presence::Area,
    redemption::{KeptOffer, Redemption},
    time::Timestamp,
};

/// After its end what an offer holds is kept for so long: a redemption of the last moment is not to find it gone, and
/// clocks of nodes differ.
const LAPSE_GRACE: Duration = Duration::from_secs(5 * 60);

/// What is counted by the store and happens at none of them.
const ANYWHERE: &str = "anywhere";

/// The accounts of the campaign that count this unit at this spot.
pub fn accounts<'a>(campaign: &'a Campaign, unit: Unit, spot: Spot<'a>) -> impl Iterator<Item = Account> + 'a {
    let budgets = campaign.limits.budgets.iter().filter(move |budget| budget.unit == unit);
    budgets.map(move |budget| budget.account(&campaign.name, spot))
}

/// Those that an offer of the candidate is counted in, one unit each.
pub fn for_offer<'a>(candidate: &'a Candidate<'_>, at: Timestamp) -> impl Iterator<Item = Account> + 'a {
    accounts(candidate.campaign, Unit::Offers, spot_of(candidate, at))
}

/// The first of them that is used up, as it is told.
pub fn used_up(candidate: &Candidate<'_>, at: Timestamp, used_up: &BTreeSet<AccountId>) -> Option<Reason> {
    let (campaign, spot) = (candidate.campaign, spot_of(candidate, at));
    let budgets = campaign.limits.budgets.iter().filter(|budget| budget.unit == Unit::Offers);
    budgets.map(|budget| (budget.limit, budget.account(&campaign.name, spot))).find_map(|(most, account)| {
        let (place, period) = account.parts();
        let told = |part: &str| Some(part).filter(|part| !part.is_empty()).map(Into::into);
        used_up.contains(&account.id).then(|| Reason::UnitsExhausted { most, place: told(place), period: told(period) })
    })
}

/// When the first of them is followed by the account of a next period; none if nothing follows any.
pub fn next_period(candidate: &Candidate<'_>, at: Timestamp) -> Option<Timestamp> {
    let budgets = candidate.campaign.limits.budgets.iter().filter(|budget| budget.unit == Unit::Offers);
    budgets.filter_map(|budget| budget.next_period(spot_of(candidate, at))).min()
}

/// When all of them that are used up have been followed by accounts of a next period; none if nothing follows one.
pub fn renewed_at(candidate: &Candidate<'_>, at: Timestamp, used_up: &BTreeSet<AccountId>) -> Option<Timestamp> {
    let (campaign, spot) = (candidate.campaign, spot_of(candidate, at));
    let budgets = campaign.limits.budgets.iter().filter(|budget| budget.unit == Unit::Offers);
    let over = budgets.filter(|budget| used_up.contains(&budget.account(&campaign.name, spot).id));
    let renewed: Option<Vec<Timestamp>> = over.map(|budget| budget.next_period(spot)).collect();
    renewed?.into_iter().max()
}

fn spot_of<'a>(candidate: &'a Candidate<'_>, at: Timestamp) -> Spot<'a> {
    match (candidate.store, candidate.area) {
        (Some(store), _) => of_store(store, at),
        (None, Area::Geofence(name)) => Spot { place: name.as_str(), time_zone: None, at },
        (None, Area::Beacon(name)) => Spot { place: name.as_str(), time_zone: None, at },
        (None, Area::Around(name, _) | Area::Store(name)) => Spot { place: name.as_str(), time_zone: None, at },
        (None, Area::Anywhere) => Spot { place: ANYWHERE, time_zone: None, at },
    }
}

/// Whether a budget lets no offer at all be made, which nobody need ask the ledger.
pub fn gives_nothing(campaign: &Campaign) -> bool {
    campaign.limits.budgets.iter().any(|budget| budget.unit == Unit::Offers && budget.limit == 0)
}

/// What a claim holds until the offer ends: a code of the pool, for good, and what redeeming it will take of the budgets
/// that know neither store nor day.
pub fn for_claim(campaign: &Campaign, coupon: &Coupon, offer: &KeptOffer) -> Vec<Take> {
    let holder = Holder::Offer(offer.id);
    let code = matches!(coupon.codes, Codes::Pool).then(|| Take {
        account: Account::pool(&campaign.name),
        holder,
        units: 1,
        lapses_at: None,
    });
    let spot = Spot { place: "", time_zone: None, at: offer.offered_at };
    let held = |unit, units| {
        let whole = campaign.limits.budgets.iter().filter(move |budget| budget.unit == unit && budget.is_whole());
        let lapses_at = Some(offer.valid_until + LAPSE_GRACE);
        whole.map(move |budget| Take { account: budget.account(&campaign.name, spot), holder, units, lapses_at })
    };
    let value = coupon.value.as_ref().map_or(0, |value| u64::try_from(value.minor_units()).unwrap_or(0));
    let budgets = held(Unit::Redemptions, 1).chain(held(Unit::Money, value));
    code.into_iter().chain(budgets).collect()
}

/// What every claim of the campaign's coupon takes one unit of, wherever and whenever it is made: see [`for_claim`]. Of money
/// each takes what the coupon is worth, so what is left may be too little and is not used up.
pub fn for_any_claim(campaign: &Campaign) -> impl Iterator<Item = AccountId> {
    let coupon = campaign.coupon.as_ref();
    let pool = coupon.filter(|coupon| matches!(coupon.codes, Codes::Pool)).map(|_| Account::pool(&campaign.name).id);
    let budgets = campaign.limits.budgets.iter();
    let whole = budgets.filter(|budget| budget.unit == Unit::Redemptions && budget.is_whole());
    // Of these the account is the same whatever the spot.
    let spot = Spot { place: "", time_zone: None, at: Timestamp::default() };
    let whole = whole.filter(move |_| coupon.is_some()).map(move |budget| budget.account(&campaign.name, spot).id);
    pool.into_iter().chain(whole)
}

/// Whether nobody can claim a coupon of the campaign: such an offer would be worth nothing.
pub fn is_claimed_out(campaign: &Campaign, used_up: &BTreeSet<AccountId>) -> bool {
    campaign.coupon.is_some() && for_any_claim(campaign).any(|account| used_up.contains(&account))
}

/// What a redemption takes, or confirms where its claim held it.
pub fn for_redemption(campaign: &Campaign, redemption: &Redemption, store: &Store) -> Vec<Take> {
    let holder = redemption.offer.map_or(Holder::Redemption(redemption.id), Holder::Offer);
    let spot = of_store(store, redemption.redeemed_at);
    let take = |units| move |account| Take { account, holder, units, lapses_at: None };
    let redemptions = accounts(campaign, Unit::Redemptions, spot).map(take(1));
    let money = accounts(campaign, Unit::Money, spot).map(take(redemption.units()));
    redemptions.chain(money).collect()
}

fn of_store(store: &Store, at: Timestamp) -> Spot<'_> {
    Spot { place: store.name.as_str(), time_zone: Some(&store.time_zone), at }
}
