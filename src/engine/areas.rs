//! What pings are matched against: areas with an index over them, and for each area the campaigns it fires.
//!
//! Law: everything here is of one version of the catalog, and shares with the next version what an edit leaves alone.

use std::{collections::BTreeMap, ops::Bound, sync::Arc, time::Duration};

use super::{
    boxes::{self, DegreeBox},
    catalog::Table,
    edges::Edges,
    grants::Grants,
    index::BoxIndex,
    nearest::StoreIndex,
    shape::Outline,
    shared_map::SharedMap,
    targets::Targets,
};
use crate::domain::{
    campaign::{Campaign, On},
    detection::Detection,
    geo::Position,
    name::{AppName, BeaconName, CampaignName, GeofenceName, StoreName},
    place::{Beacon, BeaconIdentity, Geofence, Store},
    presence::{Area, TransitionKind},
    shape::{Circle, Shape},
};

/// One area, ready to be asked. It is small, for the index has one for every box.
#[derive(Debug, Clone)]
pub enum AreaEntry {
    /// A geofence that is a circle.
    Circle(Arc<Geofence>),
    Polygons(Arc<Drawn>),
    Around(Arc<Around>),
    /// What hears a beacon, which has no outline.
    Reach(Arc<Beacon>),
}

/// A geofence of polygons, prepared.
#[derive(Debug)]
pub struct Drawn {
    fence: Arc<Geofence>,
    edges: Edges,
}

/// The circle around a store that some campaign asks for.
#[derive(Debug)]
pub struct Around {
    store: Arc<Store>,
    radius_m: u32,
    circle: Circle,
}

impl AreaEntry {
    pub fn of_geofence(fence: &Arc<Geofence>) -> Self {
        match &fence.shape {
            Shape::Circle(_) => Self::Circle(fence.clone()),
            Shape::Polygons(polygons) => {
                Self::Polygons(Arc::new(Drawn { fence: fence.clone(), edges: Edges::of(polygons) }))
            }
        }
    }

    /// None for a radius that no circle has.
    pub fn around(store: &Arc<Store>, radius_m: u32) -> Option<Self> {
        let circle = Circle::new(store.position, f64::from(radius_m)).ok()?;
        Some(Self::Around(Arc::new(Around { store: store.clone(), radius_m, circle })))
    }

    pub fn area(&self) -> Area {
        match self {
            Self::Circle(fence) => Area::Geofence(fence.name.clone()),
            Self::Polygons(drawn) => Area::Geofence(drawn.fence.name.clone()),
            Self::Around(around) => Area::Around(around.store.name.clone(), around.radius_m),
            Self::Reach(beacon) => Area::Beacon(beacon.name.clone()),
        }
    }

    /// What people call it.
    pub fn display_name(&self) -> &str {
        match self {
            Self::Circle(fence) => &fence.display_name,
            Self::Polygons(drawn) => &drawn.fence.display_name,
            Self::Around(around) => &around.store.display_name,
            Self::Reach(beacon) => &beacon.display_name,
        }
    }

    /// The store it belongs to.
    pub fn store(&self) -> Option<&StoreName> {
        match self {
            Self::Circle(fence) => fence.store.as_ref(),
            Self::Polygons(drawn) => drawn.fence.store.as_ref(),
            Self::Around(around) => Some(&around.store.name),
            Self::Reach(beacon) => beacon.store.as_ref(),
        }
    }

    /// How sure it is of its visitors: of a geofence its own settings, else the usual ones.
    pub fn detection(&self) -> Detection {
        match self {
            Self::Circle(fence) => fence.detection.clone(),
            Self::Polygons(drawn) => drawn.fence.detection.clone(),
            Self::Around(_) | Self::Reach(_) => Detection::default(),
        }
    }

    pub fn outline(&self) -> Option<Outline<'_>> {
        match self {
            Self::Circle(fence) => match &fence.shape {
                Shape::Circle(circle) => Some(Outline::Circle(*circle)),
                Shape::Polygons(_) => None,
            },
            Self::Polygons(drawn) => match &drawn.fence.shape {
                Shape::Polygons(polygons) => Some(Outline::Polygons(polygons, &drawn.edges)),
                Shape::Circle(_) => None,
            },
            Self::Around(around) => Some(Outline::Circle(around.circle)),
            Self::Reach(_) => None,
        }
    }

    /// Boxes that hold all of it; none without an outline.
    pub fn boxes(&self) -> Vec<DegreeBox> {
        match self.outline() {
            Some(Outline::Circle(circle)) => boxes::around(circle.center(), circle.radius_m()),
            Some(Outline::Polygons(polygons, _)) => boxes::of_polygons(polygons),
            None => Vec::new(),
        }
    }

    /// Tells areas of one version apart.
    pub fn identity(&self) -> usize {
        match self {
            Self::Circle(fence) => Arc::as_ptr(fence).addr(),
            Self::Polygons(drawn) => Arc::as_ptr(drawn).addr(),
            Self::Around(around) => Arc::as_ptr(around).addr(),
            Self::Reach(beacon) => Arc::as_ptr(beacon).addr(),
        }
    }
}

/// The same area of the same version.
impl PartialEq for AreaEntry {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

/// What happens at an area.
#[derive(Debug, Clone, Default)]
pub struct Fired {
    /// Campaigns that a transition here may fire, by name.
    pub campaigns: Vec<Arc<Campaign>>,
    /// Dwell thresholds that some campaign waits for, rising.
    pub dwells: Vec<Duration>,
    /// The area itself, if it is there only for its campaigns.
    pub around: Option<AreaEntry>,
}

impl Fired {
    /// The campaigns that a transition at the area fires, by name.
    pub fn by<'a>(&'a self, area: &'a Area, kind: TransitionKind) -> impl Iterator<Item = &'a Arc<Campaign>> {
        self.campaigns.iter().filter(move |campaign| match (campaign.trigger.on, kind) {
            (On::Entered, TransitionKind::Entered) => matches!(area, Area::Geofence(_)),
            (On::Near { radius_m }, TransitionKind::Entered) => matches!(area, Area::Around(_, r) if *r == radius_m),
            (On::Dwelt { after }, TransitionKind::Dwelt(reached)) => after == reached,
            (On::Exited, TransitionKind::Exited(_)) => true,
            (On::Heard, TransitionKind::Heard) => true,
            _ => false,
        })
    }
}

/// A campaign that is active but cannot fire everywhere it was meant to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Problem {
    pub campaign: CampaignName,
    pub what: String,
}

/// Everything a ping is matched against.
#[derive(Debug, Clone, Default)]
pub struct Areas {
    pub(super) geofences: Table<GeofenceName, Geofence>,
    pub(super) stores: Table<StoreName, Store>,
    pub(super) beacons: Table<BeaconName, Beacon>,
    /// Geofences of polygons.
    pub(super) drawn: SharedMap<GeofenceName, AreaEntry>,
    /// Networks may register the same identity: each hears it for itself.
    pub(super) identities: SharedMap<(BeaconIdentity, BeaconName), ()>,
    pub(super) boxes: BoxIndex,
    pub(super) points: StoreIndex,
    pub(super) fired: SharedMap<Area, Arc<Fired>>,
    pub(super) targets: Targets,
    pub(super) problems: Arc<BTreeMap<CampaignName, Vec<String>>>,
}

impl Areas {
    /// The area as it is now.
    pub fn get(&self, area: &Area) -> Option<AreaEntry> {
        match area {
            Area::Geofence(name) => {
                let fence = &self.geofences.get(name)?.value;
                match fence.shape {
                    Shape::Circle(_) => Some(AreaEntry::Circle(fence.clone())),
                    Shape::Polygons(_) => self.drawn.get(name).cloned(),
                }
            }
            Area::Around(..) => self.fired.get(area)?.around.clone(),
            Area::Beacon(name) => self.beacons.get(name).map(|entry| AreaEntry::Reach(entry.value.clone())),
        }
    }

    /// Whether an area is no more because no active campaign asks for it, while its store is still there.
    pub fn has_lapsed(&self, area: &Area) -> bool {
        let Area::Around(store, _) = area else { return false };
        self.stores.contains_key(store) && self.get(area).is_none()
    }

    /// The registered beacons of that identity.
    pub fn beacons(&self, identity: &BeaconIdentity) -> Vec<&BeaconName> {
        // No name sorts before this one.
        let Ok(first) = BeaconName::parse("organizations/0/beacons/0") else { return Vec::new() };
        let known = self.identities.from(Bound::Included(&(*identity, first))).map(|(key, ())| key);
        known.take_while(|(of, _)| of == identity).map(|(_, name)| name).collect()
    }

    /// Visits the areas that hold the position, in no order; twice where two polygons of an area have boxes that do.
    pub fn holding<'a>(&'a self, position: Position, visit: impl FnMut(&'a AreaEntry)) {
        self.boxes.holding(position, visit);
    }

    /// Areas whose boxes come within the radius, each once.
    pub fn maybe_within(&self, position: Position, radius_m: f64) -> Vec<&AreaEntry> {
        self.boxes.touching(&boxes::around(position, radius_m))
    }

    /// Stores and their distances in metres, nearest first.
    pub fn nearest_stores(&self, position: Position) -> impl Iterator<Item = (&Arc<Store>, f64)> {
        self.points.nearest_to(position)
    }

    /// The next dwell threshold above `after` that some campaign or the place itself waits for.
    pub(super) fn next_dwell(entry: Option<&AreaEntry>, fired: Option<&Fired>, after: Duration) -> Option<Duration> {
        let campaigns = fired.map(|fired| fired.dwells.as_slice()).unwrap_or_default();
        let own = entry.and_then(|entry| entry.detection().dwell_after());
        campaigns.iter().copied().chain(own).filter(|&threshold| threshold > after).min()
    }

    /// Whether campaigns of the brand of that name may reach people of the app.
    pub fn may_reach(&self, brand: &str, app: &AppName) -> bool {
        self.grants().may_reach(brand, app)
    }

    pub fn grants(&self) -> &Grants {
        &self.targets.grants
    }

    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    /// What keeps active campaigns from firing where they were meant to.
    pub fn problems(&self) -> impl Iterator<Item = Problem> {
        let each = |(campaign, whys): (&CampaignName, &Vec<String>)| {
            whys.iter().map(|what| Problem { campaign: campaign.clone(), what: what.clone() }).collect::<Vec<_>>()
        };
        self.problems.iter().flat_map(each)
    }
}
