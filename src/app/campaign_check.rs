//! Why a campaign could not fire: its targets, its grants, its time.
//!
//! Law: every reason is told at once, with the name of what it is about.

use std::collections::BTreeSet;

use super::resources::Obstacle;
use crate::{
    domain::{
        campaign::{Campaign, On, Target},
        name::{OrganizationName, StoreName},
        organization::Permission,
        place::PlaceName,
        text::Tag,
        time::Timestamp,
    },
    engine::catalog::Catalog,
};

/// Everything that keeps `campaign` from firing under this catalog; none if it may become active.
pub fn obstacles(campaign: &Campaign, catalog: &Catalog, now: Timestamp) -> Vec<Obstacle> {
    let mut found = Vec::new();
    if let Some(ends_at) = campaign.limits.ends_at
        && ends_at <= now
    {
        let why = format!("limits.end_time is past: {ends_at}");
        found.push(Obstacle::new("ENDED", &campaign.name, why));
    }
    found.extend(networks(&campaign.trigger.at).iter().filter_map(|network| grant(campaign, network, catalog)));
    match &campaign.trigger.at {
        Target::Places(places) => {
            let stores = StoresWith::new(catalog, campaign.trigger.on);
            found.extend(places.iter().filter_map(|place| place_fires(place, campaign.trigger.on, catalog, &stores)));
        }
        Target::Tagged { network, tags } => found.extend(tagged_fire(network, tags, campaign.trigger.on, catalog)),
    }
    found
}

fn networks(target: &Target) -> BTreeSet<OrganizationName> {
    match target {
        Target::Places(places) => places.iter().map(PlaceName::organization).collect(),
        Target::Tagged { network, .. } => BTreeSet::from([network.clone()]),
    }
}

fn grant(campaign: &Campaign, network: &OrganizationName, catalog: &Catalog) -> Option<Obstacle> {
    let brand = campaign.name.organization();
    let granted = catalog.grants.values().map(|entry| &entry.value).any(|grant| {
        grant.grantee == brand && grant.permission == Permission::TargetPlaces && grant.name.organization() == *network
    });
    if brand == *network || granted {
        return None;
    }
    let why = format!("{network} has not granted {brand} to target its places");
    Some(Obstacle::new("NOT_GRANTED", network, why))
}

/// What a transition can happen at.
fn wants(on: On) -> &'static str {
    match on {
        On::Entered | On::Exited | On::Dwelt { .. } => "geofence",
        On::Near { .. } => "store",
        On::Heard => "beacon",
    }
}

/// The stores at which a transition can happen.
enum StoresWith {
    All,
    These(BTreeSet<StoreName>),
}

impl StoresWith {
    fn new(catalog: &Catalog, on: On) -> Self {
        match wants(on) {
            "geofence" => Self::These(catalog.geofences.values().filter_map(|e| e.value.store.clone()).collect()),
            "beacon" => Self::These(catalog.beacons.values().filter_map(|e| e.value.store.clone()).collect()),
            _ => Self::All,
        }
    }

    fn contains(&self, store: &StoreName) -> bool {
        match self {
            Self::All => true,
            Self::These(stores) => stores.contains(store),
        }
    }
}

fn place_fires(place: &PlaceName, on: On, catalog: &Catalog, stores: &StoresWith) -> Option<Obstacle> {
    let (exists, kind) = match place {
        PlaceName::Store(name) => (catalog.stores.contains_key(name), "store"),
        PlaceName::Geofence(name) => (catalog.geofences.contains_key(name), "geofence"),
        PlaceName::Beacon(name) => (catalog.beacons.contains_key(name), "beacon"),
    };
    if !exists {
        return Some(Obstacle::new("TARGET_MISSING", place, format!("{place} does not exist")));
    }
    let needs = wants(on);
    match place {
        _ if kind == needs => None,
        PlaceName::Store(name) if stores.contains(name) => None,
        PlaceName::Store(name) => {
            Some(Obstacle::new("TARGET_CANNOT_FIRE", place, format!("{name} has no {needs}, which this trigger needs")))
        }
        _ => {
            let why = format!("{place} is a {kind}; this trigger needs a {needs}");
            Some(Obstacle::new("TARGET_CANNOT_FIRE", place, why))
        }
    }
}

fn tagged_fire(network: &OrganizationName, tags: &BTreeSet<Tag>, on: On, catalog: &Catalog) -> Option<Obstacle> {
    let has = |own: &BTreeSet<Tag>| tags.is_subset(own);
    let of_store = |store: &Option<StoreName>| {
        store.as_ref().and_then(|store| catalog.stores.get(store)).is_some_and(|entry| has(&entry.value.tags))
    };
    let needs = wants(on);
    let any = match needs {
        "store" => catalog.stores.values().any(|e| e.value.name.organization() == *network && has(&e.value.tags)),
        "geofence" => catalog.geofences.values().map(|e| &e.value).any(|geofence| {
            geofence.name.organization() == *network && (has(&geofence.tags) || of_store(&geofence.store))
        }),
        _ => catalog
            .beacons
            .values()
            .map(|e| &e.value)
            .any(|beacon| beacon.name.organization() == *network && (has(&beacon.tags) || of_store(&beacon.store))),
    };
    if any {
        return None;
    }
    let tags: Vec<&str> = tags.iter().map(Tag::as_str).collect();
    Some(Obstacle::new("TARGET_MISSING", network, format!("{network} has no {needs} tagged {}", tags.join(" and "))))
}
