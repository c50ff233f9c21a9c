//! How the areas of a version of the catalog come about: all of them at once, or from those of the version before.
//!
//! Law: both ways give the same; an edit costs what it touches, not what the catalog has.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    areas::{AreaEntry, Areas, Fired},
    catalog::Catalog,
    faults,
    grants::Grants,
    index::{BoxIndex, BoxLeaf, StoreIndex, StoreLeaf, boxes_of},
    targets::{Findable, Targets},
};
use crate::domain::{
    campaign::{Campaign, CampaignState, On, Target},
    catalog::{CatalogChange, ResourceName},
    name::CampaignName,
    place::PlaceName,
    presence::Area,
    shape::Shape,
};

/// From this share of changed places on, compiling everything is faster.
const COMPILED_SHARE: usize = 8;
/// From so many questions whether a campaign means a place on, all campaigns are resolved anew.
const MAX_QUESTIONS: usize = 200_000;

/// What changed between two versions.
#[derive(Default)]
struct Touched {
    places: BTreeSet<PlaceName>,
    campaigns: BTreeSet<CampaignName>,
    grants: bool,
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
                ResourceName::Grant(_) => touched.grants = true,
                ResourceName::Organization(_) | ResourceName::App(_) | ResourceName::Key(_) => {}
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
        touched.places.iter().for_each(|place| areas.move_place(before, next, place));
        if touched.grants {
            areas.targets.grants = Arc::new(Grants::of(next));
        }
        let mut moved: BTreeSet<Area> = touched.places.iter().filter_map(geofence).collect();
        moved.extend(areas.fire(self, before, next, &touched));
        areas.reindex(self, &moved);
        areas
    }

    /// Everything about a place but its boxes and what it fires.
    fn move_place(&mut self, before: &Catalog, next: &Catalog, place: &PlaceName) {
        if let Some(old) = Findable::of(before, place) {
            self.targets.forget(&old);
        }
        if let Some(new) = Findable::of(next, place) {
            self.targets.learn(&new);
        }
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

    /// Puts the boxes of areas that moved in the place of those they had.
    fn reindex(&mut self, before: &Self, moved: &BTreeSet<Area>) {
        let leaves = |areas: &Self| -> Vec<BoxLeaf> {
            moved.iter().filter_map(|area| areas.get(area)).flat_map(|entry| boxes_of(&entry)).collect()
        };
        let (old, new) = (leaves(before), leaves(self));
        self.boxes.edit(&old, new);
    }

    /// Asks every active campaign for all its areas.
    fn fire_all(&mut self, catalog: &Catalog) {
        let mut fired: BTreeMap<Area, Vec<Arc<Campaign>>> = BTreeMap::new();
        let mut problems = BTreeMap::new();
        for campaign in active(catalog) {
            self.targets
                .meant(catalog, campaign)
                .for_each(|area| fired.entry(area).or_default().push(campaign.clone()));
            note_problems(&mut problems, &self.targets, catalog, campaign);
        }
        self.problems = Arc::new(problems);
        let made = |(area, mut campaigns): (Area, Vec<Arc<Campaign>>)| {
            campaigns.dedup_by(|a, b| a.name == b.name);
            let fired = fired_at(catalog, &area, campaigns)?;
            Some((area, Arc::new(fired)))
        };
        let fired: Vec<_> = fired.into_iter().filter_map(made).collect();
        self.fired = Default::default();
        self.fired.extend(fired);
    }

    /// Brings what areas fire up to date; returns the circles around stores that may have come, gone or moved.
    fn fire(&mut self, old: &Self, before: &Catalog, next: &Catalog, touched: &Touched) -> BTreeSet<Area> {
        let campaigns: Vec<&Arc<Campaign>> = active(next).collect();
        let changed = touched.campaigns.len() + usize::from(touched.grants) * campaigns.len();
        if touched.places.len() * campaigns.len() > MAX_QUESTIONS || changed > campaigns.len() / 2 {
            self.fire_all(next);
            return old.fired.keys().chain(self.fired.keys()).filter(|area| is_around(area)).cloned().collect();
        }
        let mut stirred = BTreeSet::new();
        for name in &touched.campaigns {
            let was_meant = active_named(before, name).into_iter().flat_map(|c| old.targets.meant(before, c));
            let is_meant = active_named(next, name).into_iter().flat_map(|c| self.targets.meant(next, c));
            stirred.extend(was_meant.chain(is_meant).filter(is_around));
        }
        for name in &touched.campaigns {
            self.replace_campaign(old, before, next, name);
        }
        for area in self.areas_at(old, &campaigns, touched) {
            let firing = campaigns.iter().filter(|campaign| self.targets.means(next, campaign, &area));
            let firing = firing.map(|&campaign| campaign.clone()).collect();
            self.put_fired(next, &area, firing);
            stirred.extend(Some(area).filter(is_around));
        }
        self.renew_problems(next, &campaigns, touched);
        stirred
    }

    fn replace_campaign(&mut self, old: &Self, before: &Catalog, next: &Catalog, name: &CampaignName) {
        let was_meant = active_named(before, name).into_iter().flat_map(|c| old.targets.meant(before, c));
        for area in was_meant {
            let others = |campaign: &&Arc<Campaign>| campaign.name != *name;
            let left = self.campaigns(&area).iter().filter(others).cloned().collect();
            self.put_fired(next, &area, left);
        }
        let Some(campaign) = active_named(next, name) else { return };
        let is_meant: BTreeSet<Area> = self.targets.meant(next, campaign).collect();
        for area in is_meant {
            let mut firing: Vec<Arc<Campaign>> = self.campaigns(&area).to_vec();
            firing.retain(|other| other.name != *name);
            let at = firing.partition_point(|other| other.name < *name);
            firing.insert(at, campaign.clone());
            self.put_fired(next, &area, firing);
        }
    }

    fn campaigns(&self, area: &Area) -> &[Arc<Campaign>] {
        self.fired.get(area).map(|fired| fired.campaigns.as_slice()).unwrap_or_default()
    }

    fn put_fired(&mut self, next: &Catalog, area: &Area, campaigns: Vec<Arc<Campaign>>) {
        match fired_at(next, area, campaigns) {
            Some(fired) => self.fired.insert(area.clone(), Arc::new(fired)),
            None => self.fired.remove(area),
        }
    }

    /// Every area that the touched places are, or were, or lend their tags to.
    fn areas_at(&self, old: &Self, campaigns: &[&Arc<Campaign>], touched: &Touched) -> BTreeSet<Area> {
        let mut triggers: Vec<On> = Vec::new();
        for on in campaigns.iter().map(|campaign| as_good_as(campaign.trigger.on)) {
            if !triggers.contains(&on) {
                triggers.push(on);
            }
        }
        let both = [&old.targets, &self.targets];
        let of_place = |place: &PlaceName| -> Vec<Area> {
            both.iter().flat_map(|targets| triggers.iter().flat_map(|&on| targets.areas_of(place, on))).collect()
        };
        touched.places.iter().flat_map(of_place).collect()
    }

    fn renew_problems(&mut self, next: &Catalog, campaigns: &[&Arc<Campaign>], touched: &Touched) {
        let concerned = campaigns.iter().filter(|campaign| concerns(campaign, touched)).map(|campaign| &campaign.name);
        let mut problems = BTreeMap::clone(&self.problems);
        for name in touched.campaigns.iter().chain(concerned) {
            problems.remove(name);
            if let Some(campaign) = active_named(next, name) {
                note_problems(&mut problems, &self.targets, next, campaign);
            }
        }
        self.problems = Arc::new(problems);
    }
}

/// Another trigger that asks for the same areas.
fn as_good_as(on: On) -> On {
    if on.is_at_geofences() { On::Entered } else { on }
}

fn is_around(area: &Area) -> bool {
    matches!(area, Area::Around(..))
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

fn active(catalog: &Catalog) -> impl Iterator<Item = &Arc<Campaign>> {
    catalog.campaigns.values().map(|entry| &entry.value).filter(|campaign| campaign.state == CampaignState::Active)
}

fn active_named<'a>(catalog: &'a Catalog, name: &CampaignName) -> Option<&'a Arc<Campaign>> {
    let campaign = &catalog.campaigns.get(name)?.value;
    (campaign.state == CampaignState::Active).then_some(campaign)
}

/// Whether a change of the places may be one of the campaign's problems, or the end of one.
fn concerns(campaign: &Campaign, touched: &Touched) -> bool {
    touched.grants
        || match &campaign.trigger.at {
            Target::Places(places) => {
                touched.places.iter().any(|place| places.contains(place) || !matches!(place, PlaceName::Store(_)))
            }
            Target::Tagged { network, .. } => touched.places.iter().any(|place| place.organization() == *network),
        }
}

fn note_problems(
    problems: &mut BTreeMap<CampaignName, Vec<String>>,
    targets: &Targets,
    catalog: &Catalog,
    campaign: &Campaign,
) {
    let whys: Vec<String> = faults::of(targets, catalog, campaign).into_iter().map(|fault| fault.why).collect();
    if !whys.is_empty() {
        problems.insert(campaign.name.clone(), whys);
    }
}

/// What these campaigns make of an area; none if there are none.
fn fired_at(catalog: &Catalog, area: &Area, campaigns: Vec<Arc<Campaign>>) -> Option<Fired> {
    let around = match area {
        Area::Around(store, radius_m) => AreaEntry::around(&catalog.stores.get(store)?.value, *radius_m),
        Area::Geofence(_) | Area::Beacon(_) => None,
    };
    let dwell = |campaign: &Arc<Campaign>| match campaign.trigger.on {
        On::Dwelt { after } => Some(after),
        On::Entered | On::Exited | On::Near { .. } | On::Heard => None,
    };
    let dwells: BTreeSet<_> = campaigns.iter().filter_map(dwell).collect();
    let dwells = dwells.into_iter().collect();
    (!campaigns.is_empty()).then_some(Fired { campaigns, dwells, around })
}
