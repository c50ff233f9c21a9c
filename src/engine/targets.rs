//! Which areas a campaign's trigger means: ids, tags and stores resolved to geofences, circles and beacons.
//!
//! Law: only transitions fire campaigns, so every target ends as an area; what cannot is a problem in words, for the
//! brand to read when it activates the campaign. Of a network that granted nothing no more is told than that: which
//! places and tags it has is its own affair.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    areas::{Problem, by_store, is_active},
    catalog::Catalog,
};
use crate::domain::{
    campaign::{Campaign, On, Target},
    name::{OrganizationName, StoreName},
    organization::Permission,
    place::PlaceName,
    presence::Area,
    text::Tag,
};

/// Why a campaign cannot fire at something it targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// NOT_GRANTED, TARGET_MISSING or TARGET_CANNOT_FIRE.
    pub code: &'static str,
    /// The name of the place or network it is about.
    pub subject: String,
    /// The whole sentence.
    pub why: String,
}

impl Fault {
    fn new(code: &'static str, subject: impl std::fmt::Display, what: impl std::fmt::Display) -> Self {
        Self { code, subject: subject.to_string(), why: format!("{subject} {what}") }
    }
}

/// Every active campaign with the areas it fires at; what is amiss is added to `problems`.
pub fn of_active_campaigns(catalog: &Catalog, problems: &mut Vec<Problem>) -> Vec<(Arc<Campaign>, BTreeSet<Area>)> {
    let resolver = Resolver::new(catalog);
    let active = catalog.campaigns.values().map(|entry| &entry.value).filter(|campaign| is_active(campaign));
    active
        .map(|campaign| {
            let (areas, faults) = resolver.areas(campaign);
            problems
                .extend(faults.into_iter().map(|fault| Problem { campaign: campaign.name.clone(), what: fault.why }));
            (campaign.clone(), areas)
        })
        .collect()
}

/// Whether campaigns of the brand may target places of the network: its own, or by grant.
pub fn may_target(catalog: &Catalog, brand: &OrganizationName, network: &OrganizationName) -> bool {
    brand == network
        || catalog.grants.iter().any(|(name, grant)| {
            name.organization() == *network
                && grant.value.grantee == *brand
                && grant.value.permission == Permission::TargetPlaces
        })
}

/// Answers which areas a campaign means under one catalog.
pub struct Resolver<'a> {
    catalog: &'a Catalog,
    by_store: BTreeMap<&'a StoreName, Vec<Area>>,
}

impl<'a> Resolver<'a> {
    pub fn new(catalog: &'a Catalog) -> Self {
        Self { catalog, by_store: by_store(catalog) }
    }

    /// The areas, and every fault of the targets. A campaign without an area always has a fault.
    pub fn areas(&self, campaign: &Campaign) -> (BTreeSet<Area>, Vec<Fault>) {
        let (brand, on) = (campaign.name.organization(), campaign.trigger.on);
        let places = match &campaign.trigger.at {
            Target::Places(places) => places.clone(),
            Target::Tagged { network, tags } => self.tagged(network, tags, on),
        };
        let mut faults = self.ungranted(&brand, &campaign.trigger.at);
        if let Target::Tagged { network, tags } = &campaign.trigger.at
            && may_target(self.catalog, &brand, network)
            && places.is_empty()
        {
            let tags: Vec<&str> = tags.iter().map(Tag::as_str).collect();
            let what = format!("has no {} tagged {}", wants(on), tags.join(" and "));
            faults.push(Fault::new("TARGET_MISSING", network, what));
        }
        let mut areas = BTreeSet::new();
        for place in places.iter().filter(|place| may_target(self.catalog, &brand, &place.organization())) {
            match self.areas_of(place, on) {
                Ok(found) => areas.extend(found),
                Err(fault) => faults.push(fault),
            }
        }
        (areas, faults)
    }

    fn ungranted(&self, brand: &OrganizationName, target: &Target) -> Vec<Fault> {
        let networks: BTreeSet<OrganizationName> = match target {
            Target::Places(places) => places.iter().map(PlaceName::organization).collect(),
            Target::Tagged { network, .. } => BTreeSet::from([network.clone()]),
        };
        let foreign = networks.iter().filter(|network| !may_target(self.catalog, brand, network));
        foreign
            .map(|network| Fault::new("NOT_GRANTED", network, format!("has not granted its places to {brand}")))
            .collect()
    }

    fn areas_of(&self, place: &PlaceName, on: On) -> Result<Vec<Area>, Fault> {
        let catalog = self.catalog;
        let exists = match place {
            PlaceName::Store(name) => catalog.stores.contains_key(name),
            PlaceName::Geofence(name) => catalog.geofences.contains_key(name),
            PlaceName::Beacon(name) => catalog.beacons.contains_key(name),
        };
        if !exists {
            return Err(Fault::new("TARGET_MISSING", place, "does not exist"));
        }
        match (place, on) {
            (PlaceName::Store(store), On::Near { radius_m }) => Ok(vec![Area::Around(store.clone(), radius_m)]),
            (PlaceName::Store(store), on) => self.parts_of(store, on),
            (PlaceName::Geofence(fence), On::Entered | On::Exited | On::Dwelt { .. }) => {
                Ok(vec![Area::Geofence(fence.clone())])
            }
            (PlaceName::Beacon(beacon), On::Heard) => Ok(vec![Area::Beacon(beacon.clone())]),
            _ => {
                Err(Fault::new("TARGET_CANNOT_FIRE", place, format!("cannot fire: this trigger needs a {}", wants(on))))
            }
        }
    }

    fn parts_of(&self, store: &StoreName, on: On) -> Result<Vec<Area>, Fault> {
        let parts = self.by_store.get(store).into_iter().flatten();
        let heard = on == On::Heard;
        let fitting: Vec<Area> = parts.filter(|area| matches!(area, Area::Beacon(_)) == heard).cloned().collect();
        if fitting.is_empty() {
            let what = format!("has no {}, which this trigger needs", wants(on));
            return Err(Fault::new("TARGET_CANNOT_FIRE", store, what));
        }
        Ok(fitting)
    }

    /// Places of the network that fit the trigger and have all tags, or belong to a store that has.
    fn tagged(&self, network: &OrganizationName, tags: &BTreeSet<Tag>, on: On) -> BTreeSet<PlaceName> {
        let catalog = self.catalog;
        let of_store = |store: &Option<StoreName>| {
            store
                .as_ref()
                .and_then(|store| catalog.stores.get(store))
                .is_some_and(|store| tags.is_subset(&store.value.tags))
        };
        let stores = catalog.stores.iter().filter(|(_, store)| tags.is_subset(&store.value.tags));
        let fences =
            catalog.geofences.iter().filter(|(_, f)| tags.is_subset(&f.value.tags) || of_store(&f.value.store));
        let beacons = catalog.beacons.iter().filter(|(_, b)| tags.is_subset(&b.value.tags) || of_store(&b.value.store));
        let places: BTreeSet<PlaceName> = match on {
            On::Near { .. } => stores.map(|(name, _)| PlaceName::Store(name.clone())).collect(),
            On::Entered | On::Exited | On::Dwelt { .. } => {
                fences.map(|(name, _)| PlaceName::Geofence(name.clone())).collect()
            }
            On::Heard => beacons.map(|(name, _)| PlaceName::Beacon(name.clone())).collect(),
        };
        places.into_iter().filter(|place| place.organization() == *network).collect()
    }
}

/// What a transition can happen at.
fn wants(on: On) -> &'static str {
    match on {
        On::Entered | On::Exited | On::Dwelt { .. } => "geofence",
        On::Near { .. } => "store",
        On::Heard => "beacon",
    }
}
