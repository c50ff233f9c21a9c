//! Which areas a campaign's trigger means: ids, tags and stores resolved to geofences, circles and beacons.
//!
//! Laws: only transitions fire campaigns, so every target ends as an area; whether a campaign means an area is one
//! question ([`Targets::means`]), asked of a single area after an edit and of all of them when everything is compiled.

use std::{collections::BTreeSet, ops::Bound, sync::Arc};

use super::{catalog::Catalog, grants::Grants, shared_map::SharedMap};
use crate::domain::{
    campaign::{Campaign, On, Target},
    name::{OrganizationName, StoreName},
    place::PlaceName,
    presence::Area,
    text::Tag,
};

/// What campaigns find places by.
#[derive(Debug, Clone, Default)]
pub struct Targets {
    tagged: SharedMap<(OrganizationName, Tag, PlaceName), ()>,
    /// The geofences and beacons of stores.
    parts: SharedMap<(StoreName, PlaceName), ()>,
    pub grants: Arc<Grants>,
}

/// What is to be known of a place to find it.
pub struct Findable<'a> {
    pub place: PlaceName,
    pub tags: &'a BTreeSet<Tag>,
    pub store: Option<&'a StoreName>,
}

impl<'a> Findable<'a> {
    /// The place as the catalog has it.
    pub fn of(catalog: &'a Catalog, place: &PlaceName) -> Option<Self> {
        let (tags, store) = match place {
            PlaceName::Store(name) => (&catalog.stores.get(name)?.value.tags, None),
            PlaceName::Geofence(name) => {
                let fence = &catalog.geofences.get(name)?.value;
                (&fence.tags, fence.store.as_ref())
            }
            PlaceName::Beacon(name) => {
                let beacon = &catalog.beacons.get(name)?.value;
                (&beacon.tags, beacon.store.as_ref())
            }
        };
        Some(Self { place: place.clone(), tags, store })
    }

    fn tag_keys(&self) -> impl Iterator<Item = (OrganizationName, Tag, PlaceName)> {
        let network = self.place.organization();
        self.tags.iter().map(move |tag| (network.clone(), tag.clone(), self.place.clone()))
    }

    fn part_key(&self) -> Option<(StoreName, PlaceName)> {
        self.store.map(|store| (store.clone(), self.place.clone()))
    }
}

impl Targets {
    /// Everything the catalog has.
    pub fn of(catalog: &Catalog) -> Self {
        let stores = catalog.stores.keys().cloned().map(PlaceName::Store);
        let fences = catalog.geofences.keys().cloned().map(PlaceName::Geofence);
        let beacons = catalog.beacons.keys().cloned().map(PlaceName::Beacon);
        let (mut tagged, mut parts) = (Vec::new(), Vec::new());
        for found in stores.chain(fences).chain(beacons).filter_map(|place| Findable::of(catalog, &place)) {
            tagged.extend(found.tag_keys().map(|key| (key, ())));
            parts.extend(found.part_key().map(|key| (key, ())));
        }
        let mut targets = Self { grants: Arc::new(Grants::of(catalog)), ..Self::default() };
        targets.tagged.insert_many(tagged);
        targets.parts.insert_many(parts);
        targets
    }

    pub fn forget(&mut self, found: &Findable<'_>) {
        for key in found.tag_keys() {
            self.tagged.remove(&key);
        }
        if let Some(key) = found.part_key() {
            self.parts.remove(&key);
        }
    }

    pub fn learn(&mut self, found: &Findable<'_>) {
        for key in found.tag_keys() {
            self.tagged.insert(key, ());
        }
        if let Some(key) = found.part_key() {
            self.parts.insert(key, ());
        }
    }

    /// The geofences and beacons of a store.
    pub fn parts<'a>(&'a self, store: &'a StoreName) -> impl Iterator<Item = &'a PlaceName> {
        // Names of stores sort before those of their parts.
        let first = (store.clone(), PlaceName::Store(store.clone()));
        let parts = self.parts.from(Bound::Included(first)).map(|(key, ())| key);
        parts.take_while(move |(of, _)| of == store).map(|(_, part)| part)
    }

    fn with_tag(&self, network: &OrganizationName, tag: &Tag) -> Vec<&PlaceName> {
        // No id sorts before this one.
        let Ok(first) = network.store("0") else { return Vec::new() };
        let first = (network.clone(), tag.clone(), PlaceName::Store(first));
        let tagged = self.tagged.from(Bound::Included(first)).map(|(key, ())| key);
        tagged.take_while(|(of, with, _)| of == network && with == tag).map(|(.., place)| place).collect()
    }

    /// Areas that a campaign with this trigger may mean by a place, and by what belongs to it.
    pub fn areas_of(&self, place: &PlaceName, on: On) -> Vec<Area> {
        match place {
            PlaceName::Geofence(name) if on.is_at_geofences() => vec![Area::Geofence(name.clone())],
            PlaceName::Beacon(name) if on == On::Heard => vec![Area::Beacon(name.clone())],
            PlaceName::Geofence(_) | PlaceName::Beacon(_) => Vec::new(),
            PlaceName::Store(store) => match on {
                On::Near { radius_m } => vec![Area::Around(store.clone(), radius_m)],
                on => self.parts(store).flat_map(|part| self.areas_of(part, on)).collect(),
            },
        }
    }

    /// Whether the campaign fires at the area.
    pub fn means(&self, catalog: &Catalog, campaign: &Campaign, area: &Area) -> bool {
        let place = match (area, campaign.trigger.on) {
            (Area::Geofence(name), on) if on.is_at_geofences() => PlaceName::Geofence(name.clone()),
            (Area::Around(store, r), On::Near { radius_m }) if *r == radius_m => PlaceName::Store(store.clone()),
            (Area::Beacon(name), On::Heard) => PlaceName::Beacon(name.clone()),
            _ => return false,
        };
        let Some(found) = Findable::of(catalog, &place) else { return false };
        let network = place.organization();
        let aimed_at = match &campaign.trigger.at {
            Target::Places(places) => {
                places.contains(&place) || found.store.is_some_and(|s| places.contains(&PlaceName::Store(s.clone())))
            }
            Target::Tagged { network: of, tags } => {
                let of_store = || found.store.and_then(|store| catalog.stores.get(store));
                *of == network
                    && (tags.is_subset(found.tags) || of_store().is_some_and(|s| tags.is_subset(&s.value.tags)))
            }
        };
        aimed_at && self.grants.may_target(&campaign.name.organization(), &network)
    }

    /// Every area the campaign fires at.
    pub fn meant<'a>(&'a self, catalog: &'a Catalog, campaign: &'a Campaign) -> impl Iterator<Item = Area> + 'a {
        let places: Vec<&PlaceName> = match &campaign.trigger.at {
            Target::Places(places) => places.iter().collect(),
            Target::Tagged { network, tags } => tags.first().map(|tag| self.with_tag(network, tag)).unwrap_or_default(),
        };
        let areas = places.into_iter().flat_map(|place| self.areas_of(place, campaign.trigger.on));
        areas.filter(|area| self.means(catalog, campaign, area))
    }
}
