//! Campaigns on trial: what a test device is matched against while a brand tries with it what is not active.
//!
//! Laws: the same evaluation as ever, with the same areas and the device's campaigns on top; nobody else is matched
//! against them, and no ping of anybody else asks about them. What is tried takes nothing: no cap, budget or experiment
//! knows of it, so that nothing of a trial is left when the campaign becomes active. However much a draft targets, it is
//! asked only about what one ping touches.

use std::{
    cell::{Cell, OnceCell},
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    areas::Fired,
    armed::Armed,
    boxes::DegreeBox,
    catalog::Catalog,
    entry::{AreaEntry, AreaView},
    firing::{fired_at, is_around},
    index::{BoxIndex, boxes_of},
    silence::MAX_RADIUS_M,
};
use crate::domain::{
    campaign::{Campaign, On},
    geo::Position,
    name::{DeviceName, StoreName},
    ping::Ping,
    presence::{Area, DevicePresence},
};

/// One look around does for all positions within so many metres: those of a backlog are mostly near each other.
const LOOKED_BESIDE_M: f64 = 1_000.0;

/// The campaigns that a device tries, for one ping of it.
pub struct Tried<'a> {
    catalog: &'a Catalog,
    campaigns: Vec<&'a Arc<Campaign>>,
    /// What is there only for them: circles around stores where the ping may look, and where the device is believed to be.
    circles: BTreeMap<Area, AreaEntry>,
    boxes: BoxIndex,
    kept: Kept,
}

impl<'a> Tried<'a> {
    /// None if the device tries nothing.
    pub fn by(catalog: &'a Catalog, device: &DeviceName, presence: &DevicePresence, ping: &Ping) -> Option<Self> {
        let campaigns: Vec<&Arc<Campaign>> = catalog.tried_by(device).collect();
        if campaigns.is_empty() {
            return None;
        }
        let (circles, boxes, kept) = (BTreeMap::new(), BoxIndex::default(), Kept::default());
        let mut tried = Self { catalog, campaigns, circles, boxes, kept };
        let believed = presence.areas.areas().iter().filter(|area| is_around(area));
        believed.for_each(|area| tried.draw(area));
        tried.draw_around(presence, ping);
        tried.boxes = BoxIndex::new(tried.circles.values().flat_map(boxes_of).collect());
        Some(tried)
    }

    /// The campaign as if it were active, for who asks what it would do at one area.
    pub fn supposing(catalog: &'a Catalog, campaign: &'a Arc<Campaign>, area: &Area) -> Self {
        let (circles, boxes, kept) = (BTreeMap::new(), BoxIndex::default(), Kept::default());
        let mut tried = Self { catalog, campaigns: vec![campaign], circles, boxes, kept };
        tried.draw(area);
        tried
    }

    /// Draws all circles that fixes may be in, ways lead through, and the safe radius reach: no way is longer than that.
    fn draw_around(&mut self, presence: &DevicePresence, ping: &Ping) {
        let radius_of = |campaign: &&Arc<Campaign>| match campaign.trigger.on {
            On::Near { radius_m } => Some(radius_m),
            _ => None,
        };
        let radii: BTreeSet<u32> = self.campaigns.iter().filter_map(radius_of).collect();
        let Some(&largest) = radii.last() else { return };
        let reach = |radius_m: u32| MAX_RADIUS_M + LOOKED_BESIDE_M + f64::from(radius_m);
        let mut near: BTreeMap<&StoreName, f64> = BTreeMap::new();
        for position in centres(presence, ping) {
            let stores = self.catalog.areas.nearest_stores(position);
            for (store, metres) in stores.take_while(|(_, metres)| *metres <= reach(largest)) {
                let nearest = near.entry(&store.name).or_insert(metres);
                *nearest = nearest.min(metres);
            }
        }
        for (store, metres) in near {
            let around = radii.iter().filter(|&&radius_m| metres <= reach(radius_m));
            around.for_each(|&radius_m| self.draw(&Area::Around(store.clone(), radius_m)));
        }
    }

    /// Draws a circle if a campaign on trial means it, and no other.
    fn draw(&mut self, area: &Area) {
        let Area::Around(store, radius_m) = area else { return };
        let Some(store) = self.catalog.stores.get(store) else { return };
        if self.catalog.areas.get(area).is_none()
            && self.meaning(area).next().is_some()
            && let Some(entry) = AreaEntry::around(&store.value, *radius_m)
        {
            self.circles.insert(area.clone(), entry);
        }
    }

    fn meaning(&self, area: &Area) -> impl Iterator<Item = &'a Arc<Campaign>> {
        let targets = self.catalog.areas.targets();
        self.campaigns.iter().copied().filter(move |campaign| targets.means(self.catalog, campaign, area))
    }

    /// A circle that is there only for campaigns on trial.
    pub fn circle(&self, area: &Area) -> Option<AreaView<'_>> {
        self.circles.get(area).map(AreaEntry::view)
    }

    /// As [`super::areas::Areas::narrowing`], of those circles.
    pub fn narrowing<'t>(&'t self, bounds: &Cell<DegreeBox>, visit: impl FnMut(DegreeBox, &'t AreaEntry)) {
        self.boxes.narrowing(bounds, visit);
    }

    /// What happens at an area where that much happens for everybody.
    pub fn fired<'t>(&'t self, area: &Area, for_all: Option<&'t Fired>) -> Option<&'t Fired> {
        let mut campaigns: Vec<Armed> = self.meaning(area).map(Armed::of).collect();
        if campaigns.is_empty() {
            return for_all;
        }
        campaigns.extend(for_all.into_iter().flat_map(|fired| fired.campaigns.iter().cloned()));
        campaigns.sort_by(|a, b| a.name.cmp(&b.name));
        fired_at(self.catalog, area, campaigns).map(|fired| self.kept.keep(fired))
    }
}

/// Positions such that every one that the ping speaks of is beside one of them.
fn centres(presence: &DevicePresence, ping: &Ping) -> Vec<Position> {
    let mut centres: Vec<Position> = Vec::new();
    let last = presence.last_seen.map(|last| last.position);
    for position in last.into_iter().chain(ping.fixes.iter().map(|fix| fix.position)) {
        if !centres.iter().any(|centre| centre.distance_to(position) <= LOOKED_BESIDE_M) {
            centres.push(position);
        }
    }
    centres
}

/// What was made for one ping, and stays where it is for as long as that is decided upon.
#[derive(Default)]
struct Kept {
    next: OnceCell<Box<(Fired, Kept)>>,
}

impl Kept {
    fn keep(&self, fired: Fired) -> &Fired {
        let mut end = self;
        while let Some(link) = end.next.get() {
            end = &link.1;
        }
        &end.next.get_or_init(|| Box::new((fired, Self::default()))).0
    }
}
