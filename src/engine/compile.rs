//! How the areas of a version of the catalog come about: all of them at once, or from those of the version before.
//!
//! Law: both ways give the same; an edit costs what it touches, not what the catalog has.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    areas::Areas,
    catalog::Catalog,
    entry::{AreaEntry, Mark},
    grants::Grants,
    index::{BoxIndex, BoxLeaf, boxes_of},
    nearest::{StoreIndex, StoreLeaf},
    targets::Targets,
};
use crate::domain::{
    catalog::{CatalogChange, ResourceName},
    name::{CampaignName, SegmentName},
    place::PlaceName,
    presence::Area,
    shape::Shape,
};

/// From this share of changed places on, compiling everything is faster.
const COMPILED_SHARE: usize = 8;

/// What changed between two versions.
#[derive(Default)]
pub(super) struct Touched {
    pub(super) places: BTreeSet<PlaceName>,
    pub(super) campaigns: BTreeSet<CampaignName>,
    pub(super) segments: BTreeSet<SegmentName>,
    pub(super) grants: bool,
}

impl Touched {
    fn by(changes: &[CatalogChange]) -> Self {
        let mut touched = Self::default();
        for change in changes {
            match change.name.clone() {
                ResourceName::Store(name) => drop(touched.places.insert(PlaceName::Store(name))),
                ResourceName::Geofence(name) => drop(touched.places.insert(PlaceName::Geofence(name))),
                ResourceName::Beacon(name) => drop(touched.places.insert(PlaceName::Beacon(name))),
                ResourceName::Campaign(name) => drop(touched.campaigns.insert(name)),
                ResourceName::Segment(name) => drop(touched.segments.insert(name)),
                ResourceName::Grant(_) => touched.grants = true,
                ResourceName::Organization(_)
                | ResourceName::App(_)
                | ResourceName::Key(_)
                | ResourceName::Source(_) => {}
            }
        }
        touched
    }
}

impl Areas {
    /// The areas of a catalog, from nothing.
    pub fn compile(catalog: &Catalog) -> Self {
        let mut areas = Self::with_tables(catalog);
        areas.targets = Targets::of(catalog);
        let polygons = catalog.geofences.iter().filter(|(_, fence)| is_drawn(&fence.value.shape));
        areas.drawn.extend(polygons.map(|(name, fence)| (name.clone(), AreaEntry::of_geofence(&fence.value))));
        let beacons = catalog.beacons.values();
        areas.identities.extend(beacons.map(|b| ((b.value.identity, b.value.name.clone()), ())));
        areas.points = StoreIndex::new(catalog.stores.values().map(|store| StoreLeaf::of(&store.value)).collect());
        areas.fire_all(catalog);
        let fences = areas.geofences.values().map(|fence| &fence.value);
        let circles = fences.filter(|fence| !is_drawn(&fence.shape)).map(AreaEntry::of_geofence);
        let around = areas.fired.values().filter_map(|fired| fired.around.clone());
        let entries = circles.chain(areas.drawn.values().cloned()).chain(around);
        areas.boxes = BoxIndex::new(entries.flat_map(|entry| boxes_of(&entry)).collect());
        areas
    }

    fn with_tables(catalog: &Catalog) -> Self {
        Self {
            geofences: catalog.geofences.clone(),
            stores: catalog.stores.clone(),
            beacons: catalog.beacons.clone(),
            ..Self::default()
        }
    }

    /// The areas after changes that made `next` of `before`, whose areas these are.
    pub fn after(&self, before: &Catalog, next: &Catalog, changes: &[CatalogChange]) -> Self {
        let places = next.geofences.len() + next.stores.len() + next.beacons.len();
        if changes.len() * COMPILED_SHARE > places {
            return Self::compile(next);
        }
        let touched = Touched::by(changes);
        let mut areas = self.clone();
        (areas.geofences, areas.stores, areas.beacons) =
            (next.geofences.clone(), next.stores.clone(), next.beacons.clone());
        areas.targets.move_places(before, next, &touched.places);
        touched.places.iter().for_each(|place| areas.move_place(before, next, place));
        if touched.grants {
            areas.targets.grants = Arc::new(Grants::of(next));
        }
        let mut moved: BTreeSet<Area> = touched.places.iter().filter_map(geofence).collect();
        moved.extend(areas.fire(self, before, next, &touched));
        areas.reindex(self, &moved);
        areas
    }

    /// Everything about a place but how it is targeted, its boxes and what it fires.
    fn move_place(&mut self, before: &Catalog, next: &Catalog, place: &PlaceName) {
        match place {
            PlaceName::Geofence(name) => {
                self.drawn.remove(name);
                if let Some(fence) = next.geofences.get(name).filter(|fence| is_drawn(&fence.value.shape)) {
                    self.drawn.insert(name.clone(), AreaEntry::of_geofence(&fence.value));
                }
            }
            PlaceName::Beacon(name) => {
                let key = |catalog: &Catalog| Some((catalog.beacons.get(name)?.value.identity, name.clone()));
                if let Some(key) = key(before) {
                    self.identities.remove(&key);
                }
                if let Some(key) = key(next) {
                    self.identities.insert(key, ());
                }
            }
            PlaceName::Store(name) => {
                let leaf = |catalog: &Catalog| catalog.stores.get(name).map(|store| StoreLeaf::of(&store.value));
                let (old, new) = (leaf(before), leaf(next));
                self.points.edit(old.as_slice(), new.into_iter().collect());
            }
        }
    }

    /// What the index holds of an area.
    fn entry(&self, area: &Area) -> Option<AreaEntry> {
        match area {
            Area::Geofence(name) => match self.drawn.get(name) {
                Some(drawn) => Some(drawn.clone()),
                None => self.geofences.get(name).map(|fence| AreaEntry::of_geofence(&fence.value)),
            },
            Area::Around(..) => self.fired(Mark::of(area), area)?.around.clone(),
            Area::Beacon(_) | Area::Store(_) | Area::Anywhere => None,
        }
    }

    /// Puts the boxes of areas that moved in the place of those they had.
    fn reindex(&mut self, before: &Self, moved: &BTreeSet<Area>) {
        let leaves = |areas: &Self| -> Vec<BoxLeaf> {
            moved.iter().filter_map(|area| areas.entry(area)).flat_map(|entry| boxes_of(&entry)).collect()
        };
        let (old, new) = (leaves(before), leaves(self));
        self.boxes.edit(&old, new);
    }
}

fn is_drawn(shape: &Shape) -> bool {
    matches!(shape, Shape::Polygons(_))
}

fn geofence(place: &PlaceName) -> Option<Area> {
    match place {
        PlaceName::Geofence(name) => Some(Area::Geofence(name.clone())),
        PlaceName::Store(_) | PlaceName::Beacon(_) => None,
    }
}
