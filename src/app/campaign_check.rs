//! Why a campaign could not fire, or its coupon not be redeemed: its targets, its grants, its time.
//!
//! Law: every reason is told at once, with the name of what it is about; they are the engine's own reasons, so that
//! what is activated is what fires.

use std::collections::BTreeSet;

use super::resources::Obstacle;
use crate::{
    domain::{
        campaign::{Campaign, CampaignState},
        coupon::RedeemedAt,
        name::{OrganizationName, StoreName},
        time::Timestamp,
    },
    engine::{catalog::Catalog, faults},
};

/// What has come since an active campaign was checked that keeps it from firing, or its coupon from being redeemed, where
/// it was meant to; none of one that is not active.
pub fn problems(campaign: &Campaign, catalog: &Catalog) -> Vec<Obstacle> {
    if campaign.state != CampaignState::Active {
        return Vec::new();
    }
    let faults = catalog.areas.problems_of(&campaign.name).iter();
    let faults = faults.map(|fault| Obstacle::new(fault.code, &fault.subject, &*fault.why));
    faults.chain(of_coupon(campaign, catalog)).collect()
}

/// Everything that keeps `campaign` from firing under this catalog; none if it may become active.
pub fn obstacles(campaign: &Campaign, catalog: &Catalog, now: Timestamp) -> Vec<Obstacle> {
    let ended = campaign
        .limits
        .ends_at
        .filter(|&ends_at| ends_at <= now)
        .map(|ends_at| Obstacle::new("ENDED", &campaign.name, format!("limits.end_time is past: {ends_at}")));
    let faults = faults::of(catalog.areas.targets(), catalog, campaign)
        .into_iter()
        .map(|fault| Obstacle::new(fault.code, fault.subject, fault.why));
    ended.into_iter().chain(faults).chain(of_coupon(campaign, catalog)).collect()
}

/// Why the coupon could never be redeemed where it was meant to be.
fn of_coupon(campaign: &Campaign, catalog: &Catalog) -> Vec<Obstacle> {
    let brand = campaign.name.organization();
    let granted = |network: &OrganizationName| catalog.areas.grants().may_target(&brand, network);
    let foreign = |network: &OrganizationName| {
        let why = format!("{network} has not granted its places to {brand}, so coupons are not redeemed at its stores");
        Obstacle::new("NOT_GRANTED", network, why)
    };
    let targets = catalog.areas.targets();
    let nowhere = |whose: &OrganizationName, why: String| {
        vec![Obstacle::new("STORE_MISSING", whose, format!("{why}, so the coupon is not redeemed anywhere"))]
    };
    match campaign.coupon.as_ref().map(|coupon| &coupon.at) {
        None => Vec::new(),
        Some(RedeemedAt::Anywhere) if targets.has_store_for(catalog, &brand) => Vec::new(),
        Some(RedeemedAt::Anywhere) => {
            nowhere(&brand, format!("neither {brand} nor a network that granted it its places has a store"))
        }
        Some(RedeemedAt::Tagged { network, .. }) if !granted(network) => vec![foreign(network)],
        Some(RedeemedAt::Tagged { network, tags }) if targets.has_store_tagged(catalog, network, tags) => Vec::new(),
        Some(RedeemedAt::Tagged { network, tags }) => {
            let tags: Vec<String> = tags.iter().map(ToString::to_string).collect();
            nowhere(network, format!("no store of {network} is tagged {}", tags.join(" and ")))
        }
        Some(RedeemedAt::Stores(stores)) => {
            let networks: BTreeSet<OrganizationName> = stores.iter().map(StoreName::organization).collect();
            let foreign = networks.iter().filter(|network| !granted(network)).map(foreign);
            let missing =
                stores.iter().filter(|store| granted(&store.organization()) && !catalog.stores.contains_key(store));
            let missing = missing.map(|store| {
                let why = format!("{store} does not exist, so the coupon is not redeemed there");
                Obstacle::new("STORE_MISSING", store, why)
            });
            foreign.chain(missing).collect()
        }
    }
}
