//! Why a campaign cannot fire at something it targets, or its audience not be asked.
//!
//! Laws: what cannot fire is said in words, for the brand to read when it activates the campaign, and never fatal. Of a
//! network that granted nothing no more is told than that: which places and tags it has is its own affair.

use std::{collections::BTreeSet, iter::Peekable, sync::Arc};

use super::{
    catalog::Catalog,
    foremost::{LeftOut, MOST_CONSIDERED},
    targets::Targets,
};
use crate::domain::{
    audience::{Audience, MAX_TERMS_IN_ALL, condition::Visited},
    campaign::{Campaign, On, Target},
    name::{CampaignName, OrganizationName},
    place::{PlaceName, Store},
    presence::Area,
    text::Tag,
};

/// One reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// NOT_GRANTED, TARGET_MISSING, TARGET_CANNOT_FIRE, NO_OPENING_HOURS, SEGMENT_MISSING, AUDIENCE_TOO_LARGE,
    /// STORE_MISSING, CAMPAIGN_MISSING or TOO_MANY_CAMPAIGNS.
    pub code: &'static str,
    /// The name of the place, network, segment or campaign it is about.
    pub subject: String,
    /// The whole sentence.
    pub why: String,
}

impl Fault {
    fn new(code: &'static str, subject: impl std::fmt::Display, what: impl std::fmt::Display) -> Self {
        Self { code, subject: subject.to_string(), why: format!("{subject} {what}") }
    }
}

/// Every fault of the campaign's targets and of its audience. A campaign that means no area always has one.
pub fn of(targets: &Targets, catalog: &Catalog, campaign: &Campaign) -> Vec<Fault> {
    meaning(targets.meant(catalog, campaign), targets, catalog, campaign)
}

/// As [`of`], of a campaign that means these areas. They are gone through once, and only as far as a fault depends on them.
pub(super) fn meaning(
    meant: impl Iterator<Item = Area>,
    targets: &Targets,
    catalog: &Catalog,
    campaign: &Campaign,
) -> Vec<Fault> {
    let mut meant = meant.peekable();
    let (brand, on) = (campaign.name.organization(), &campaign.trigger.on);
    let granted = |network: &OrganizationName| targets.grants.may_target(&brand, network);
    let mut networks: BTreeSet<OrganizationName> = match &campaign.trigger.at {
        Target::Places(places) => places.iter().map(PlaceName::organization).collect(),
        Target::Tagged { network, .. } | Target::Network(network) => BTreeSet::from([network.clone()]),
        Target::Within(_) | Target::Anywhere => BTreeSet::new(),
    };
    networks.extend(visited_networks(catalog, campaign));
    let foreign = networks.iter().filter(|network| !granted(network));
    let ungranted =
        foreign.map(|network| Fault::new("NOT_GRANTED", network, format!("has not granted its places to {brand}")));
    let mut faults: Vec<Fault> = ungranted.collect();
    match &campaign.trigger.at {
        Target::Places(places) => {
            let places = places.iter().filter(|place| granted(&place.organization()));
            faults.extend(places.filter_map(|place| of_place(targets, catalog, place, on)));
        }
        Target::Tagged { network, tags } if granted(network) && meant.peek().is_none() => {
            let tags: Vec<&str> = tags.iter().map(Tag::as_str).collect();
            let what = format!("has no {} tagged {}", wants(on), tags.join(" and "));
            faults.push(Fault::new("TARGET_MISSING", network, what));
        }
        Target::Network(network) if granted(network) && meant.peek().is_none() => {
            faults.push(Fault::new("TARGET_MISSING", network, format!("has no {}", wants(on))));
        }
        Target::Within(_) if meant.peek().is_none() => {
            let what = format!("has no {} within its area, of its own or granted to it", wants(on));
            faults.push(Fault::new("TARGET_MISSING", &brand, what));
        }
        Target::Tagged { .. } | Target::Network(_) | Target::Within(_) | Target::Anywhere => {}
    }
    faults.extend(of_hours(meant, targets, catalog, campaign));
    faults.extend(of_segments(catalog, campaign));
    faults.extend(of_size(catalog, campaign));
    faults.extend(of_audiences(catalog, campaign, granted));
    faults
}

/// That pings leave the campaign out somewhere: too many of its brand come before it. It is no fault of its own, and others
/// that end are its end.
pub fn of_crowd(left_out: &LeftOut, campaign: &CampaignName) -> Option<Fault> {
    let (area, before) = left_out.at(campaign)?;
    let what = format!(
        "has {before} campaigns that come before {campaign}, and a ping considers at most {MOST_CONSIDERED} of an \
         organization"
    );
    let place = place_of(area.clone());
    let brand = || campaign.owner().to_owned();
    Some(Fault::new("TOO_MANY_CAMPAIGNS", place.map_or_else(brand, |place| place.to_string()), what))
}

/// The campaign's audience, and those of the segments that it names.
pub fn audiences<'a>(catalog: &'a Catalog, campaign: &'a Campaign) -> impl Iterator<Item = &'a Audience> {
    let named = campaign.audience.segments().filter_map(|name| catalog.segments.get(name));
    std::iter::once(&campaign.audience).chain(named.map(|segment| &segment.value.audience))
}

/// Places of which nobody knows when they are open, if the campaign makes offers only then. Of places that it does not name
/// one with hours is enough: the others get them, or are told of in receipts.
fn of_hours(
    mut meant: Peekable<impl Iterator<Item = Area>>,
    targets: &Targets,
    catalog: &Catalog,
    campaign: &Campaign,
) -> Vec<Fault> {
    const WHAT: &str = "no opening hours, which limits.only_while_open needs";
    if campaign.limits.schedule.only_while_open.is_none() {
        return Vec::new();
    }
    let brand = campaign.name.organization();
    match &campaign.trigger.at {
        Target::Places(places) => {
            let granted = |place: &&PlaceName| targets.grants.may_target(&brand, &place.organization());
            let known = places.iter().filter(granted).filter_map(|place| Some((place, store_of(catalog, place)?)));
            let closed = known.filter(|(_, store)| !store.is_some_and(has_hours));
            closed.map(|(place, _)| Fault::new("NO_OPENING_HOURS", place, format!("has {WHAT}"))).collect()
        }
        Target::Tagged { .. } | Target::Network(_) | Target::Within(_) if meant.peek().is_some() => {
            let any = meant.filter_map(|area| store_of(catalog, &place_of(area)?)?).any(has_hours);
            let none = || Fault::new("NO_OPENING_HOURS", &campaign.name, format!("targets only places with {WHAT}"));
            (!any).then(none).into_iter().collect()
        }
        Target::Tagged { .. } | Target::Network(_) | Target::Within(_) | Target::Anywhere => Vec::new(),
    }
}

fn has_hours(store: &Arc<Store>) -> bool {
    store.opening_hours.is_known()
}

/// The store that the place is or belongs to, if it does to any; none if there is no such place.
fn store_of<'a>(catalog: &'a Catalog, place: &PlaceName) -> Option<Option<&'a Arc<Store>>> {
    let store = match place {
        PlaceName::Store(name) => Some(&catalog.stores.get(name)?.value.name),
        PlaceName::Geofence(name) => catalog.geofences.get(name)?.value.store.as_ref(),
        PlaceName::Beacon(name) => catalog.beacons.get(name)?.value.store.as_ref(),
    };
    Some(store.and_then(|store| catalog.stores.get(store)).map(|entry| &entry.value))
}

/// None if it is everywhere.
fn place_of(area: Area) -> Option<PlaceName> {
    match area {
        Area::Geofence(name) => Some(PlaceName::Geofence(name)),
        Area::Around(name, _) | Area::Store(name) => Some(PlaceName::Store(name)),
        Area::Beacon(name) => Some(PlaceName::Beacon(name)),
        Area::Anywhere => None,
    }
}

/// Networks whose visits the audience asks about, or a segment that it names.
fn visited_networks(catalog: &Catalog, campaign: &Campaign) -> Vec<OrganizationName> {
    let networks = audiences(catalog, campaign).flat_map(|audience| audience.visited().filter_map(Visited::network));
    networks.filter_map(|network| OrganizationName::parse(network).ok()).collect()
}

/// Stores and campaigns that are not there: nobody visited them, and nobody was offered anything of them.
fn of_audiences(
    catalog: &Catalog,
    campaign: &Campaign,
    granted: impl Fn(&OrganizationName) -> bool,
) -> impl Iterator<Item = Fault> {
    let (mut stores, mut campaigns) = (BTreeSet::new(), BTreeSet::new());
    for audience in audiences(catalog, campaign) {
        stores.extend(audience.visited_stores());
        campaigns.extend(audience.offering());
    }
    stores.retain(|store| granted(&store.organization()) && !catalog.stores.contains_key(store));
    campaigns.retain(|name| !catalog.campaigns.contains_key(name));
    let of_store = |name| Fault::new("STORE_MISSING", name, "does not exist, so nobody has visited it");
    let of_campaign = |name| Fault::new("CAMPAIGN_MISSING", name, "does not exist, so nobody was offered it");
    let faults: Vec<Fault> = stores.into_iter().map(of_store).collect();
    faults.into_iter().chain(campaigns.into_iter().map(of_campaign).collect::<Vec<_>>())
}

/// Segments that are not there: what is asked of them is false.
fn of_segments(catalog: &Catalog, campaign: &Campaign) -> Vec<Fault> {
    let named: BTreeSet<_> = campaign.audience.segments().collect();
    let missing = named.into_iter().filter(|name| {
        let is_own = name.owner() == campaign.name.owner();
        !is_own || !catalog.segments.contains_key(name)
    });
    missing.map(|name| Fault::new("SEGMENT_MISSING", name, "does not exist, so nobody is in it")).collect()
}

/// An audience that asks too much, with its segments as they are now.
fn of_size(catalog: &Catalog, campaign: &Campaign) -> Option<Fault> {
    let terms = too_many_terms(catalog, campaign)?;
    let what =
        format!("has {terms} terms in its audience and the segments it names; at most {MAX_TERMS_IN_ALL} may be");
    Some(Fault::new("AUDIENCE_TOO_LARGE", &campaign.name, what))
}

/// How many terms the audience has together with the segments it names, if they are too many.
pub fn too_many_terms(catalog: &Catalog, campaign: &Campaign) -> Option<usize> {
    let named: BTreeSet<_> = campaign.audience.segments().collect();
    let segments = named.into_iter().filter_map(|name| catalog.segments.get(name)).map(|entry| &entry.value.audience);
    let all = segments.chain([&campaign.audience]).map(|audience| audience.rule().nodes().count()).sum::<usize>();
    (all > MAX_TERMS_IN_ALL).then_some(all)
}

fn of_place(targets: &Targets, catalog: &Catalog, place: &PlaceName, on: &On) -> Option<Fault> {
    let exists = match place {
        PlaceName::Store(name) => catalog.stores.contains_key(name),
        PlaceName::Geofence(name) => catalog.geofences.contains_key(name),
        PlaceName::Beacon(name) => catalog.beacons.contains_key(name),
    };
    if !exists {
        return Some(Fault::new("TARGET_MISSING", place, "does not exist"));
    }
    if !targets.areas_of(place, on).is_empty() {
        return None;
    }
    let what = match place {
        PlaceName::Store(_) => format!("has no {}, which this trigger needs", wants(on)),
        PlaceName::Geofence(_) | PlaceName::Beacon(_) => format!("cannot fire: this trigger needs a {}", wants(on)),
    };
    Some(Fault::new("TARGET_CANNOT_FIRE", place, what))
}

/// What a transition can happen at.
fn wants(on: &On) -> &'static str {
    match on {
        On::Entered | On::Exited | On::Dwelt { .. } | On::Crossed => "geofence",
        On::Near { .. } => "store",
        On::Heard => "beacon",
        On::AppEvent { .. } => "place",
    }
}
