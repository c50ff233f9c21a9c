//! Which campaigns name a place, and so keep it from being deleted unasked.
//!
//! Law: only campaigns that could run there count: those of brands without a grant neither bind a network nor are told to
//! it, and what is over binds nobody.

use std::collections::{BTreeMap, BTreeSet};

use super::resources::Obstacle;
use crate::{
    domain::{
        campaign::{Campaign, CampaignState, Target},
        coupon::RedeemedAt,
        name::CampaignName,
        place::PlaceName,
        time::Timestamp,
    },
    engine::{catalog::Catalog, faults},
};

/// The campaigns that may still run and name the place, as a target or in whom they are for, or whose coupons it takes.
pub fn naming(catalog: &Catalog, place: &PlaceName, now: Timestamp) -> Vec<Obstacle> {
    let naming = alive(catalog, now).filter(|campaign| binds(catalog, campaign, place));
    let why = |campaign: &Campaign| {
        let (name, state) = (&campaign.name, campaign.state.as_str());
        let (code, how) = match () {
            () if targets(campaign).any(|target| target == place) => ("TARGETED_BY_CAMPAIGN", "targets it"),
            () if visited(catalog, campaign).any(|store| store == *place) => {
                ("NAMED_BY_CAMPAIGN", "asks about visits to it")
            }
            () if redeemed(campaign).any(|store| store == *place) => {
                ("NAMED_BY_CAMPAIGN", "has its coupons redeemed there")
            }
            () => return None,
        };
        Some(Obstacle::new(code, name, format!("{name} ({state}) {how}")))
    };
    naming.filter_map(why).collect()
}

/// Those that are not archived, unless they have ended and no offer of them is good any more.
fn alive(catalog: &Catalog, now: Timestamp) -> impl Iterator<Item = &Campaign> {
    let campaigns = catalog.campaigns.values().map(|entry| entry.value.as_ref());
    let is_over = move |campaign: &Campaign| {
        let ends_at = campaign.limits.ends_at;
        ends_at.is_some_and(|ends_at| ends_at + campaign.limits.valid_for <= now)
    };
    campaigns.filter(move |campaign| campaign.state != CampaignState::Archived && !is_over(campaign))
}

/// The places that a campaign targets by name.
fn targets(campaign: &Campaign) -> impl Iterator<Item = &PlaceName> {
    let places = match &campaign.trigger.at {
        Target::Places(places) => Some(places),
        Target::Tagged { .. } | Target::Network(_) | Target::Within(_) | Target::Anywhere => None,
    };
    places.into_iter().flatten()
}

/// The stores that its audience, or a segment of it, asks about visits to by name.
fn visited<'a>(catalog: &'a Catalog, campaign: &'a Campaign) -> impl Iterator<Item = PlaceName> + 'a {
    let stores = faults::audiences(catalog, campaign).flat_map(|audience| audience.visited_stores());
    stores.cloned().map(PlaceName::Store)
}

/// The stores, named one by one, whose tills take its coupons.
fn redeemed(campaign: &Campaign) -> impl Iterator<Item = PlaceName> {
    let stores = match campaign.coupon.as_ref().map(|coupon| &coupon.at) {
        Some(RedeemedAt::Stores(stores)) => Some(stores),
        Some(RedeemedAt::Anywhere | RedeemedAt::Tagged { .. }) | None => None,
    };
    stores.into_iter().flatten().cloned().map(PlaceName::Store)
}

/// A brand without a grant binds nobody.
fn binds(catalog: &Catalog, campaign: &Campaign, place: &PlaceName) -> bool {
    catalog.areas.grants().may_target(&campaign.name.organization(), &place.organization())
}

/// All places that are not deleted unasked, with the campaigns that name them.
pub fn named(catalog: &Catalog, now: Timestamp) -> BTreeMap<PlaceName, Vec<CampaignName>> {
    let mut all: BTreeMap<PlaceName, Vec<CampaignName>> = BTreeMap::new();
    for campaign in alive(catalog, now) {
        let named = targets(campaign).cloned().chain(visited(catalog, campaign)).chain(redeemed(campaign));
        let places: BTreeSet<PlaceName> = named.collect();
        for place in places.into_iter().filter(|place| binds(catalog, campaign, place)) {
            all.entry(place).or_default().push(campaign.name.clone());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        app::{
            campaigns::{
                Campaigns,
                tests::{campaign, granted},
            },
            fakes::{AUTHOR, at, resources, store, store_name},
            places::Places,
        },
        domain::{
            campaign::On,
            coupon::{Codes, Coupon},
        },
    };

    #[tokio::test]
    async fn coupons_hold_their_stores_until_the_last_of_them_is_over() {
        let resources = resources().await;
        let (places, campaigns) = (Places::new(resources.clone()), Campaigns::new(resources.clone()));
        for id in ["1", "2"] {
            places.create(store(id, "Cafe"), AUTHOR).await.expect("made");
        }
        granted(&resources).await;
        let at_second = Coupon {
            codes: Codes::Generated,
            instruction: "5 off".into(),
            value: None,
            redeem_after: Duration::ZERO,
            holder_only: false,
            at: RedeemedAt::Stores([store_name("2")].into()),
        };
        let mut summer = campaign(On::Entered, &["stores/1"]);
        summer.coupon = Some(at_second);
        (summer.limits.ends_at, summer.limits.valid_for) = (Some(at(100)), Duration::from_secs(50));
        campaigns.create(summer, AUTHOR).await.expect("made");
        let catalog = resources.snapshot();
        let second = PlaceName::Store(store_name("2"));
        let codes = |now| naming(&catalog, &second, now).iter().map(|found| found.code).collect::<Vec<_>>();
        assert_eq!((codes(at(149)), codes(at(150))), (vec!["NAMED_BY_CAMPAIGN"], vec![]));
        let held = [149, 150].map(|now| named(&catalog, at(now)).len());
        assert_eq!(held, [2, 0], "nor does a sync remove them before");
    }
}
