//! What places and campaigns compile into: areas with an index over them, and for each area the campaigns it fires.
//!
//! Law: a broken campaign is skipped and reported, never fatal; "near a store within r" becomes a circle around it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use super::{
    catalog::Catalog,
    index::{BoxIndex, PointIndex},
    shape,
};
use crate::domain::{
    campaign::{Campaign, CampaignState, On},
    detection::Detection,
    name::{AppName, CampaignName, OrganizationName},
    organization::Permission,
    place::{BeaconIdentity, Store},
    presence::{Area, TransitionKind},
    shape::{Circle, Shape},
};

/// One area, ready to be asked.
#[derive(Debug)]
pub struct AreaEntry {
    pub area: Area,
    /// What people call it.
    pub display_name: String,
    /// None for the reach of a beacon.
    pub shape: Option<Shape>,
    /// Of a geofence its own; else the default.
    pub detection: Detection,
    pub store: Option<Arc<Store>>,
    /// Campaigns that a transition here may fire, by name.
    pub campaigns: Vec<Arc<Campaign>>,
    /// Dwell thresholds that the place or some campaign waits for, rising.
    pub dwells: Vec<Duration>,
}

impl AreaEntry {
    /// The campaigns that this transition fires here.
    pub fn fired_by(&self, kind: TransitionKind) -> impl Iterator<Item = &Arc<Campaign>> {
        self.campaigns.iter().filter(move |campaign| match (campaign.trigger.on, kind) {
            (On::Entered, TransitionKind::Entered) => matches!(self.area, Area::Geofence(_)),
            (On::Near { radius_m }, TransitionKind::Entered) => {
                matches!(self.area, Area::Around(_, r) if r == radius_m)
            }
            (On::Dwelt { after }, TransitionKind::Dwelt(reached)) => after == reached,
            (On::Exited, TransitionKind::Exited(_)) => true,
            (On::Heard, TransitionKind::Heard) => true,
            _ => false,
        })
    }
}

/// A campaign that is active but cannot fire everywhere it was meant to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub campaign: CampaignName,
    pub what: String,
}

/// Everything a ping is matched against.
#[derive(Debug, Default)]
pub struct Areas {
    entries: Vec<AreaEntry>,
    numbers: HashMap<Area, u32>,
    boxes: BoxIndex,
    /// Networks may register the same identity: each hears it for itself.
    beacons: HashMap<BeaconIdentity, Vec<u32>>,
    /// By name.
    stores: Vec<Arc<Store>>,
    points: PointIndex,
    /// Which brands may reach which apps of others.
    reach: HashSet<(OrganizationName, AppName)>,
    pub problems: Vec<Problem>,
}

impl Areas {
    pub fn compile(catalog: &Catalog) -> Self {
        let mut areas = Self::default();
        areas.add_places(catalog);
        for (campaign, places) in super::targets::of_active_campaigns(catalog, &mut areas.problems) {
            areas.add_campaign(catalog, &campaign, places);
        }
        for (name, grant) in catalog.grants.iter() {
            if let Permission::ReachApp(app) = &grant.value.permission
                && app.organization() == name.organization()
            {
                areas.reach.insert((grant.value.grantee.clone(), app.clone()));
            }
        }
        areas.build_indexes();
        areas
    }

    fn add_places(&mut self, catalog: &Catalog) {
        let store_of =
            |name: &Option<_>| name.as_ref().and_then(|name| catalog.stores.get(name)).map(|e| e.value.clone());
        for (name, entry) in catalog.geofences.iter() {
            let fence = &entry.value;
            let (area, shape) = (Area::Geofence(name.clone()), Some(fence.shape.clone()));
            let number = self.add(area, &fence.display_name, shape, store_of(&fence.store));
            let entry = &mut self.entries[number as usize];
            entry.detection = fence.detection;
            entry.dwells.extend(fence.detection.dwell_after());
        }
        for (name, entry) in catalog.beacons.iter() {
            let beacon = &entry.value;
            let number = self.add(Area::Beacon(name.clone()), &beacon.display_name, None, store_of(&beacon.store));
            self.beacons.entry(beacon.identity).or_default().push(number);
        }
        self.stores = catalog.stores.values().map(|entry| entry.value.clone()).collect();
    }

    fn add(&mut self, area: Area, display_name: &str, shape: Option<Shape>, store: Option<Arc<Store>>) -> u32 {
        if let Some(&number) = self.numbers.get(&area) {
            return number;
        }
        let number = self.entries.len() as u32;
        self.numbers.insert(area.clone(), number);
        self.entries.push(AreaEntry {
            area,
            display_name: display_name.to_owned(),
            shape,
            detection: Detection::default(),
            store,
            campaigns: Vec::new(),
            dwells: Vec::new(),
        });
        number
    }

    fn add_campaign(&mut self, catalog: &Catalog, campaign: &Arc<Campaign>, places: BTreeSet<Area>) {
        for area in places {
            let number = match &area {
                Area::Around(name, radius) => {
                    let Some(store) = catalog.stores.get(name).map(|entry| entry.value.clone()) else { continue };
                    let Ok(circle) = Circle::new(store.position, f64::from(*radius)) else { continue };
                    let display_name = store.display_name.clone();
                    self.add(area, &display_name, Some(Shape::Circle(circle)), Some(store))
                }
                known => match self.numbers.get(known) {
                    Some(&number) => number,
                    None => continue,
                },
            };
            let entry = &mut self.entries[number as usize];
            entry.campaigns.push(campaign.clone());
            if let On::Dwelt { after } = campaign.trigger.on {
                entry.dwells.push(after);
                entry.dwells.sort_unstable();
                entry.dwells.dedup();
            }
        }
    }

    fn build_indexes(&mut self) {
        let numbered = self.entries.iter().zip(0_u32..);
        let boxes = numbered.filter_map(|(entry, number)| entry.shape.as_ref().map(|shape| (shape, number)));
        self.boxes = BoxIndex::new(boxes.flat_map(|(shape, n)| shape::boxes(shape).into_iter().map(move |b| (b, n))));
        self.points = PointIndex::new(self.stores.iter().map(|store| store.position).zip(0..));
    }

    pub fn get(&self, area: &Area) -> Option<&AreaEntry> {
        self.numbers.get(area).map(|&number| &self.entries[number as usize])
    }

    /// Whether an area is no more because no active campaign asks for it, while its store is still there.
    pub fn has_lapsed(&self, area: &Area) -> bool {
        let Area::Around(store, _) = area else { return false };
        self.get(area).is_none() && self.stores.binary_search_by(|known| known.name.cmp(store)).is_ok()
    }

    /// The reaches of all registered beacons of that identity.
    pub fn beacons(&self, identity: &BeaconIdentity) -> impl Iterator<Item = &AreaEntry> {
        self.beacons.get(identity).into_iter().flatten().map(|&number| &self.entries[number as usize])
    }

    /// Areas whose boxes hold the position; the exact test is the caller's.
    pub fn maybe_holding(&self, position: crate::domain::geo::Position) -> impl Iterator<Item = &AreaEntry> {
        self.boxes.holding(position).into_iter().map(|number| &self.entries[number as usize])
    }

    /// Areas whose boxes come within the radius.
    pub fn maybe_within(
        &self,
        position: crate::domain::geo::Position,
        radius_m: f64,
    ) -> impl Iterator<Item = &AreaEntry> {
        let around = shape::boxes_around(position, radius_m);
        self.boxes.touching(&around).into_iter().map(|number| &self.entries[number as usize])
    }

    /// Stores and their distances in metres, nearest first.
    pub fn nearest_stores(&self, position: crate::domain::geo::Position) -> impl Iterator<Item = (&Arc<Store>, f64)> {
        self.points.nearest(position).map(|(number, metres)| (&self.stores[number as usize], metres))
    }

    /// Whether campaigns of this brand may reach people of the app.
    pub fn may_reach(&self, brand: &OrganizationName, app: &AppName) -> bool {
        app.organization() == *brand || self.reach.contains(&(brand.clone(), app.clone()))
    }
}

/// Whether a campaign can fire at all.
pub(super) fn is_active(campaign: &Campaign) -> bool {
    campaign.state == CampaignState::Active
}

/// Which stores have which geofences and beacons.
pub(super) fn by_store(catalog: &Catalog) -> BTreeMap<&crate::domain::name::StoreName, Vec<Area>> {
    let mut by_store: BTreeMap<_, Vec<Area>> = BTreeMap::new();
    for (name, fence) in catalog.geofences.iter() {
        if let Some(store) = &fence.value.store {
            by_store.entry(store).or_default().push(Area::Geofence(name.clone()));
        }
    }
    for (name, beacon) in catalog.beacons.iter() {
        if let Some(store) = &beacon.value.store {
            by_store.entry(store).or_default().push(Area::Beacon(name.clone()));
        }
    }
    by_store
}
