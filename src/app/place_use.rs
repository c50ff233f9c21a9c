//! Which campaigns name a place, and so keep it from being deleted unasked.
//!
//! Law: only campaigns that could run there count: those of brands without a grant neither bind a network nor are told to
//! it.

use std::collections::{BTreeMap, BTreeSet};

use super::resources::Obstacle;
use crate::{
    domain::{
        campaign::{Campaign, CampaignState, Target},
        name::CampaignName,
        place::PlaceName,
    },
    engine::{catalog::Catalog, faults},
};

/// The campaigns that may still run and name the place, as a target or in whom they are for.
pub fn naming(catalog: &Catalog, place: &PlaceName) -> Vec<Obstacle> {
    let naming = alive(catalog).filter(|campaign| binds(catalog, campaign, place));
    let why = |campaign: &Campaign| {
        let (name, state) = (&campaign.name, campaign.state.as_str());
        let (code, how) = match () {
            () if targets(campaign).any(|target| target == place) => ("TARGETED_BY_CAMPAIGN", "targets it"),
            () if visited(catalog, campaign).any(|store| store == *place) => {
                ("NAMED_BY_CAMPAIGN", "asks about visits to it")
            }
            () => return None,
        };
        Some(Obstacle::new(code, name, format!("{name} ({state}) {how}")))
    };
    naming.filter_map(why).collect()
}

fn alive(catalog: &Catalog) -> impl Iterator<Item = &Campaign> {
    let campaigns = catalog.campaigns.values().map(|entry| entry.value.as_ref());
    campaigns.filter(|campaign| campaign.state != CampaignState::Archived)
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

/// A brand without a grant binds nobody.
fn binds(catalog: &Catalog, campaign: &Campaign, place: &PlaceName) -> bool {
    catalog.areas.grants().may_target(&campaign.name.organization(), &place.organization())
}

/// All places that are not deleted unasked, with the campaigns that name them.
pub fn named(catalog: &Catalog) -> BTreeMap<PlaceName, Vec<CampaignName>> {
    let mut named: BTreeMap<PlaceName, Vec<CampaignName>> = BTreeMap::new();
    for campaign in alive(catalog) {
        let places: BTreeSet<PlaceName> = targets(campaign).cloned().chain(visited(catalog, campaign)).collect();
        for place in places.into_iter().filter(|place| binds(catalog, campaign, place)) {
            named.entry(place).or_default().push(campaign.name.clone());
        }
    }
    named
}
