//! Which areas a campaign's trigger means: ids, tags and stores resolved to geofences, circles and beacons.
//!
//! Law: only transitions fire campaigns, so every target ends as an area; what cannot is a problem in words, for the
//! brand to read when it activates the campaign.

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

/// Every active campaign with the areas it fires at; what is amiss is added to `problems`.
pub fn of_active_campaigns(catalog: &Catalog, problems: &mut Vec<Problem>) -> Vec<(Arc<Campaign>, BTreeSet<Area>)> {
    let resolver = Resolver::new(catalog);
    let active = catalog.campaigns.values().map(|entry| &entry.value).filter(|campaign| is_active(campaign));
    active
        .map(|campaign| {
            let (areas, faults) = resolver.areas(campaign);
            problems.extend(faults.into_iter().map(|what| Problem { campaign: campaign.name.clone(), what }));
            (campaign.clone(), areas)
        })
        .collect()
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

    /// The areas, and every fault of the targets in words. A campaign without an area always has a fault.
    pub fn areas(&self, campaign: &Campaign) -> (BTreeSet<Area>, Vec<String>) {
        let mut faults = Vec::new();
        let brand = campaign.name.organization();
        let places = match &campaign.trigger.at {
            Target::Places(places) => places.clone(),
            Target::Tagged { network, tags } => self.tagged(network, tags, campaign.trigger.on),
        };
        if places.is_empty() {
            faults.push("the trigger's target matches no place".to_owned());
        }
        let mut areas = BTreeSet::new();
        for place in &places {
            if !self.granted(&brand, &place.organization()) {
                faults.push(format!("{place}: {} has not granted its places to {brand}", place.organization()));
                continue;
            }
            match self.areas_of(place, campaign.trigger.on) {
                Ok(found) => areas.extend(found),
                Err(fault) => faults.push(format!("{place}: {fault}")),
            }
        }
        (areas, faults)
    }

    fn granted(&self, brand: &OrganizationName, network: &OrganizationName) -> bool {
        brand == network
            || self.catalog.grants.iter().any(|(name, grant)| {
                name.organization() == *network
                    && grant.value.grantee == *brand
                    && grant.value.permission == Permission::TargetPlaces
            })
    }

    fn areas_of(&self, place: &PlaceName, on: On) -> Result<Vec<Area>, &'static str> {
        match (place, on) {
            (PlaceName::Store(store), On::Near { radius_m }) => {
                self.exists(self.catalog.stores.contains_key(store), vec![Area::Around(store.clone(), radius_m)])
            }
            (PlaceName::Store(store), on) => self.parts_of(store, on),
            (PlaceName::Geofence(fence), On::Entered | On::Exited | On::Dwelt { .. }) => {
                self.exists(self.catalog.geofences.contains_key(fence), vec![Area::Geofence(fence.clone())])
            }
            (PlaceName::Beacon(beacon), On::Heard) => {
                self.exists(self.catalog.beacons.contains_key(beacon), vec![Area::Beacon(beacon.clone())])
            }
            (PlaceName::Geofence(_), On::Near { .. }) => Err("`near` is for stores; use `entered` for a geofence"),
            (PlaceName::Geofence(_), On::Heard) => {
                Err("a geofence is not heard; target a beacon or a store with beacons")
            }
            (PlaceName::Beacon(_), _) => Err("a beacon can only be heard"),
        }
    }

    fn exists(&self, exists: bool, areas: Vec<Area>) -> Result<Vec<Area>, &'static str> {
        if exists { Ok(areas) } else { Err("does not exist") }
    }

    fn parts_of(&self, store: &StoreName, on: On) -> Result<Vec<Area>, &'static str> {
        if !self.catalog.stores.contains_key(store) {
            return Err("does not exist");
        }
        let heard = on == On::Heard;
        let parts = self.by_store.get(store).into_iter().flatten();
        let fitting: Vec<Area> = parts.filter(|area| matches!(area, Area::Beacon(_)) == heard).cloned().collect();
        match (fitting.is_empty(), heard) {
            (false, _) => Ok(fitting),
            (true, true) => Err("the store has no beacon"),
            (true, false) => Err("the store has no geofence; give it one, or use `near`"),
        }
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
