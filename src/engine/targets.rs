//! Which areas a campaign's trigger means: ids, tags and stores resolved to geofences, circles and beacons.
//!
//! Laws: only transitions fire campaigns, so every target ends as an area; whether a campaign means an area is one
//! question ([`Targets::means`]), asked of a single area after an edit and of all of them when everything is compiled.

use std::{
    collections::{BTreeSet, HashMap},
    ops::Bound,
    sync::Arc,
};

use super::{
    catalog::Catalog,
    grants::Grants,
    regions::{self, Spot, Spots},
    shared_map::SharedMap,
};
use crate::domain::{
    campaign::{Campaign, On, Target},
    geo::Position,
    name::{OrganizationName, StoreName},
    place::{Beacon, Geofence, PlaceName, Store},
    presence::Area,
    shape::Shape,
    text::Tag,
};

/// Ids begin with a letter or digit: none sorts before this one.
const FIRST_ID: &str = "0";

fn is_event(on: &On) -> bool {
    matches!(on, On::AppEvent { .. })
}

/// What campaigns find places by.
#[derive(Debug, Clone, Default)]
pub struct Targets {
    tagged: SharedMap<(OrganizationName, Tag), SharedMap<PlaceName, ()>>,
    /// The geofences and beacons of stores.
    parts: SharedMap<(StoreName, PlaceName), ()>,
    /// Stores, and geofences without a store.
    spots: Spots,
    pub grants: Arc<Grants>,
}

/// What is to be known of a place to find it.
pub struct Findable<'a> {
    pub place: PlaceName,
    pub tags: &'a BTreeSet<Tag>,
    pub store: Option<&'a StoreName>,
    /// Of a store.
    position: Option<Position>,
    /// Of a geofence.
    shape: Option<&'a Shape>,
}

impl<'a> Findable<'a> {
    /// The place as the catalog has it.
    pub fn of(catalog: &'a Catalog, place: &PlaceName) -> Option<Self> {
        match place {
            PlaceName::Store(name) => catalog.stores.get(name).map(|store| Self::of_store(&store.value)),
            PlaceName::Geofence(name) => catalog.geofences.get(name).map(|fence| Self::of_geofence(&fence.value)),
            PlaceName::Beacon(name) => catalog.beacons.get(name).map(|beacon| Self::of_beacon(&beacon.value)),
        }
    }

    fn of_store(store: &'a Store) -> Self {
        Self {
            place: PlaceName::Store(store.name.clone()),
            tags: &store.tags,
            store: None,
            position: Some(store.position),
            shape: None,
        }
    }

    fn of_geofence(fence: &'a Geofence) -> Self {
        let (store, place) = (fence.store.as_ref(), PlaceName::Geofence(fence.name.clone()));
        Self { place, tags: &fence.tags, store, shape: Some(&fence.shape), position: None }
    }

    fn of_beacon(beacon: &'a Beacon) -> Self {
        Self {
            place: PlaceName::Beacon(beacon.name.clone()),
            tags: &beacon.tags,
            store: beacon.store.as_ref(),
            position: None,
            shape: None,
        }
    }

    /// Where it is: where its store is, if it has one.
    pub fn spot(&self, catalog: &Catalog) -> Option<Position> {
        match self.store {
            Some(store) => catalog.stores.get(store).map(|store| store.value.position),
            None => self.own_spot(),
        }
    }

    /// Where it is itself, if that is nowhere else.
    fn own_spot(&self) -> Option<Position> {
        let shape = || self.shape.filter(|_| self.store.is_none());
        self.position.or_else(|| regions::middle(shape()?))
    }

    fn leaf(&self) -> Option<Spot> {
        self.own_spot().map(|position| regions::spot(self.place.clone(), position))
    }

    fn tag_keys(&self) -> impl Iterator<Item = (OrganizationName, Tag)> {
        let network = self.place.organization();
        self.tags.iter().map(move |tag| (network.clone(), tag.clone()))
    }

    fn part_key(&self) -> Option<(StoreName, PlaceName)> {
        self.store.map(|store| (store.clone(), self.place.clone()))
    }
}

impl Targets {
    /// Everything the catalog has.
    pub fn of(catalog: &Catalog) -> Self {
        let stores = catalog.stores.values().map(|store| Findable::of_store(&store.value));
        let fences = catalog.geofences.values().map(|fence| Findable::of_geofence(&fence.value));
        let beacons = catalog.beacons.values().map(|beacon| Findable::of_beacon(&beacon.value));
        let (mut tagged, mut parts, mut spots) = (HashMap::<_, Vec<_>>::new(), Vec::new(), Vec::new());
        for found in stores.chain(fences).chain(beacons) {
            found.tag_keys().for_each(|key| tagged.entry(key).or_default().push((found.place.clone(), ())));
            parts.extend(found.part_key().map(|key| (key, ())));
            spots.extend(found.leaf());
        }
        Self {
            tagged: tagged.into_iter().map(|(key, places)| (key, places.into_iter().collect())).collect(),
            parts: parts.into_iter().collect(),
            spots: Spots::new(spots),
            grants: Arc::new(Grants::of(catalog)),
        }
    }

    /// Forgets what places were before, and learns what they are next: nothing of those that are not there.
    pub fn move_places(&mut self, before: &Catalog, next: &Catalog, places: &BTreeSet<PlaceName>) {
        let found = |catalog| places.iter().filter_map(move |place| Findable::of(catalog, place));
        found(before).for_each(|old| self.forget(&old));
        found(next).for_each(|new| self.learn(&new));
        let leaves = |catalog| -> Vec<Spot> { found(catalog).filter_map(|found| found.leaf()).collect() };
        self.spots.edit(&leaves(before), leaves(next));
    }

    fn forget(&mut self, found: &Findable<'_>) {
        for key in found.tag_keys() {
            let mut places = self.tagged.get(&key).cloned().unwrap_or_default();
            places.remove(&found.place);
            match places.is_empty() {
                true => self.tagged.remove(&key),
                false => self.tagged.insert(key, places),
            }
        }
        if let Some(key) = found.part_key() {
            self.parts.remove(&key);
        }
    }

    fn learn(&mut self, found: &Findable<'_>) {
        for key in found.tag_keys() {
            let mut places = self.tagged.get(&key).cloned().unwrap_or_default();
            places.insert(found.place.clone(), ());
            self.tagged.insert(key, places);
        }
        if let Some(key) = found.part_key() {
            self.parts.insert(key, ());
        }
    }

    /// The geofences and beacons of a store.
    pub fn parts<'a>(&'a self, store: &'a StoreName) -> impl Iterator<Item = &'a PlaceName> {
        // Names of stores sort before those of their parts.
        let first = (store.clone(), PlaceName::Store(store.clone()));
        let parts = self.parts.from(Bound::Included(&first)).map(|(key, ())| key);
        parts.take_while(move |(of, _)| of == store).map(|(_, part)| part)
    }

    fn with_tag(&self, network: &OrganizationName, tag: &Tag) -> impl Iterator<Item = &PlaceName> {
        self.tagged.get(&(network.clone(), tag.clone())).into_iter().flat_map(SharedMap::keys)
    }

    /// Whether the network has a store with all of the tags.
    pub fn has_store_tagged(&self, catalog: &Catalog, network: &OrganizationName, tags: &BTreeSet<Tag>) -> bool {
        let is_tagged = |place: &PlaceName| match place {
            PlaceName::Store(name) => catalog.stores.get(name).is_some_and(|store| tags.is_subset(&store.value.tags)),
            PlaceName::Geofence(_) | PlaceName::Beacon(_) => false,
        };
        tags.first().is_some_and(|tag| self.with_tag(network, tag).any(is_tagged))
    }

    /// Whether there is a store whose places the brand may target.
    pub fn has_store_for(&self, catalog: &Catalog, brand: &OrganizationName) -> bool {
        let first_of = |network: &OrganizationName| network.store(FIRST_ID).ok();
        let has_store = |network: &OrganizationName| {
            let first = first_of(network).and_then(|first| catalog.stores.from(Bound::Included(&first)).next());
            first.is_some_and(|(name, _)| name.owner() == network.as_str())
        };
        has_store(brand) || self.grants.networks_of(brand).any(has_store)
    }

    /// Areas that a campaign with this trigger may mean by a place, and by what belongs to it.
    pub fn areas_of(&self, place: &PlaceName, on: &On) -> Vec<Area> {
        match place {
            PlaceName::Geofence(name) if on.is_at_geofences() || is_event(on) => vec![Area::Geofence(name.clone())],
            PlaceName::Beacon(name) if *on == On::Heard || is_event(on) => vec![Area::Beacon(name.clone())],
            PlaceName::Geofence(_) | PlaceName::Beacon(_) => Vec::new(),
            PlaceName::Store(store) => {
                let own = match on {
                    On::Near { radius_m } => return vec![Area::Around(store.clone(), *radius_m)],
                    on => is_event(on).then(|| Area::Store(store.clone())),
                };
                own.into_iter().chain(self.parts(store).flat_map(|part| self.areas_of(part, on))).collect()
            }
        }
    }

    /// Whether the campaign fires at the area.
    pub fn means(&self, catalog: &Catalog, campaign: &Campaign, area: &Area) -> bool {
        let place = match (area, &campaign.trigger.on) {
            (Area::Geofence(name), on) if on.is_at_geofences() || is_event(on) => PlaceName::Geofence(name.clone()),
            (Area::Around(store, r), On::Near { radius_m }) if r == radius_m => PlaceName::Store(store.clone()),
            (Area::Beacon(name), On::Heard | On::AppEvent { .. }) => PlaceName::Beacon(name.clone()),
            (Area::Store(name), On::AppEvent { .. }) => PlaceName::Store(name.clone()),
            (Area::Anywhere, On::AppEvent { .. }) => return campaign.trigger.at == Target::Anywhere,
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
            Target::Network(of) => *of == network,
            Target::Within(shape) => found.spot(catalog).is_some_and(|spot| regions::holds(shape, spot)),
            Target::Anywhere => false,
        };
        aimed_at && self.grants.may_target(&campaign.name.organization(), &network)
    }

    /// Every area the campaign fires at.
    pub fn meant<'a>(&'a self, catalog: &'a Catalog, campaign: &'a Campaign) -> impl Iterator<Item = Area> + 'a {
        let places: Box<dyn Iterator<Item = PlaceName>> = match &campaign.trigger.at {
            Target::Places(places) => Box::new(places.iter().cloned()),
            Target::Tagged { network, tags } => {
                Box::new(tags.first().into_iter().flat_map(|tag| self.with_tag(network, tag)).cloned())
            }
            Target::Network(network) => Box::new(places_of(catalog, network, &campaign.trigger.on)),
            Target::Within(shape) => Box::new(self.spots.around(shape)),
            Target::Anywhere => Box::new(std::iter::empty()),
        };
        let anywhere = (campaign.trigger.at == Target::Anywhere).then_some(Area::Anywhere);
        let areas = places.flat_map(|place| self.areas_of(&place, &campaign.trigger.on)).chain(anywhere);
        areas.filter(|area| self.means(catalog, campaign, area))
    }
}

/// The places of a network where that can happen.
fn places_of<'a>(
    catalog: &'a Catalog,
    network: &'a OrganizationName,
    on: &On,
) -> impl Iterator<Item = PlaceName> + use<'a> {
    let (at_geofences, at_stores, at_beacons) = match on {
        On::Entered | On::Exited | On::Dwelt { .. } | On::Crossed => (true, false, false),
        On::Near { .. } => (false, true, false),
        On::Heard => (false, false, true),
        On::AppEvent { .. } => (true, true, true),
    };
    let (fence, store, beacon) = (network.geofence(FIRST_ID), network.store(FIRST_ID), network.beacon(FIRST_ID));
    let fences = fence.ok().filter(|_| at_geofences).map(|first| catalog.geofences.from(Bound::Included(&first)));
    let stores = store.ok().filter(|_| at_stores).map(|first| catalog.stores.from(Bound::Included(&first)));
    let beacons = beacon.ok().filter(|_| at_beacons).map(|first| catalog.beacons.from(Bound::Included(&first)));
    let fences = fences.into_iter().flatten().map(|(name, _)| PlaceName::Geofence(name.clone()));
    let stores = stores.into_iter().flatten().map(|(name, _)| PlaceName::Store(name.clone()));
    let beacons = beacons.into_iter().flatten().map(|(name, _)| PlaceName::Beacon(name.clone()));
    let is_own = |place: &PlaceName| place.organization() == *network;
    fences.take_while(is_own).chain(stores.take_while(is_own)).chain(beacons.take_while(is_own))
}
