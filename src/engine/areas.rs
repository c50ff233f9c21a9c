//! What pings are matched against: areas with an index over them, and for each area the campaigns it fires.
//!
//! Law: everything here is of one version of the catalog, and shares with the next version what an edit leaves alone.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
    time::Duration,
};

use super::{
    armed::Armed,
    boxes::DegreeBox,
    catalog::Table,
    entry::{AreaEntry, AreaView, Mark},
    faults::Fault,
    grants::Grants,
    index::BoxIndex,
    nearest::StoreIndex,
    shared_map::SharedMap,
    targets::Targets,
};
use crate::domain::{
    campaign::On,
    dwelt::Dwelt,
    geo::Position,
    name::{BeaconName, CampaignName, GeofenceName, OrganizationName, StoreName},
    place::{Beacon, BeaconIdentity, Geofence, Store},
    presence::{Area, TransitionKind},
    shape::Shape,
    text::EventKey,
    time::Timestamp,
};

/// What happens at an area.
#[derive(Debug, Clone, Default)]
pub struct Fired {
    /// Campaigns that a transition or an event here may fire, by name.
    pub campaigns: Vec<Armed>,
    /// Dwell thresholds that some campaign waits for, rising.
    pub dwells: Vec<Duration>,
    /// When campaigns run that wait for who leaves, brand by brand: times apart from each other, rising.
    pub exits: Vec<(OrganizationName, Vec<Range<Timestamp>>)>,
    /// The area itself, if it is there only for its campaigns.
    pub around: Option<AreaEntry>,
}

impl Fired {
    /// The campaigns that a transition at the area fires, by name.
    pub fn by<'a>(&'a self, area: &'a Area, kind: TransitionKind) -> impl Iterator<Item = &'a Armed> {
        self.campaigns.iter().filter(move |campaign| campaign.is_fired_by(area, kind))
    }

    /// The campaigns that an event of the app fires here, by name.
    pub fn by_event<'a>(&'a self, event: &EventKey) -> impl Iterator<Item = &'a Armed> {
        let is_it = move |on: &On| matches!(on, On::AppEvent { key } if key == event);
        self.campaigns.iter().filter(move |campaign| is_it(&campaign.trigger.on))
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
    /// Marks come first: they are compared where they lie, and names are all over the memory.
    pub(super) fired: SharedMap<(Mark, Area), Arc<Fired>>,
    pub(super) targets: Targets,
    pub(super) problems: Arc<BTreeMap<CampaignName, Vec<Fault>>>,
    /// Where organizations have more campaigns than a ping considers.
    pub(super) crowded: Arc<BTreeMap<OrganizationName, BTreeSet<Area>>>,
}

impl Areas {
    /// The area as it is now.
    pub fn get(&self, area: &Area) -> Option<AreaView<'_>> {
        let mark = Mark::of(area);
        match area {
            Area::Geofence(name) => {
                let fence = &self.geofences.get(name)?.value;
                match fence.shape {
                    Shape::Circle(_) => Some(AreaView::Circle(mark, fence)),
                    Shape::Polygons(_) => self.drawn.get(name).map(AreaEntry::view),
                }
            }
            Area::Around(..) => self.fired(mark, area)?.around.as_ref().map(AreaEntry::view),
            Area::Beacon(name) => self.beacons.get(name).map(|entry| AreaView::Reach(mark, &entry.value)),
            Area::Store(name) => self.stores.get(name).map(|entry| AreaView::Site(mark, &entry.value)),
            Area::Anywhere => None,
        }
    }

    /// What happens at the area of that mark, if it has campaigns.
    pub fn fired(&self, mark: Mark, area: &Area) -> Option<&Arc<Fired>> {
        let compare = |(of, other): &(Mark, Area)| of.cmp(&mark).then_with(|| other.cmp(area));
        self.fired.find_measured(|(of, _)| of.number(), mark.number(), compare)
    }

    /// What may fire at the area, by name.
    pub(super) fn campaigns(&self, area: &Area) -> &[Armed] {
        let fired = self.fired(Mark::of(area), area);
        fired.map(|fired| fired.campaigns.as_slice()).unwrap_or_default()
    }

    /// What an event at the area may fire besides, by name.
    pub(super) fn anywhere_beside(&self, area: &Area) -> &[Armed] {
        if *area == Area::Anywhere { &[] } else { self.campaigns(&Area::Anywhere) }
    }

    /// Whether the organization has more campaigns anywhere than a ping considers.
    pub fn has_crowds(&self, owner: &OrganizationName) -> bool {
        self.crowded.contains_key(owner)
    }

    /// Whether an area is no more because no active campaign asks for it, while its store is still there.
    pub fn has_lapsed(&self, area: &Area) -> bool {
        let Area::Around(store, _) = area else { return false };
        self.stores.contains_key(store) && self.get(area).is_none()
    }

    /// The registered beacons of that identity.
    pub fn beacons(&self, identity: &BeaconIdentity) -> Vec<&BeaconName> {
        let known = self.identities.behind(|(of, _)| of < identity).map(|(key, ())| key);
        known.take_while(|(of, _)| of == identity).map(|(_, name)| name).collect()
    }

    /// Visits the areas that hold the position, in no order; twice where two polygons of an area have boxes that do.
    pub fn holding<'a>(&'a self, position: Position, mut visit: impl FnMut(AreaView<'a>)) {
        self.boxes.holding(position, |entry| visit(entry.view()));
    }

    /// Visits the boxes that meet this one, and their areas.
    pub fn meeting<'a>(&'a self, bounds: &DegreeBox, visit: impl FnMut(DegreeBox, &'a AreaEntry)) {
        self.boxes.meeting(bounds, visit);
    }

    /// The same while the box narrows, and some of what it leaves behind.
    pub fn narrowing<'a>(&'a self, bounds: &Cell<DegreeBox>, visit: impl FnMut(DegreeBox, &'a AreaEntry)) {
        self.boxes.narrowing(bounds, visit);
    }

    /// Stores and their distances in metres, nearest first.
    pub fn nearest_stores(&self, position: Position) -> impl Iterator<Item = (&Arc<Store>, f64)> {
        self.points.nearest_to(position)
    }

    /// The least dwell threshold not reported yet that some campaign or the place itself waits for.
    pub(super) fn next_dwell(view: Option<AreaView<'_>>, fired: Option<&Fired>, dwelt: &Dwelt) -> Option<Duration> {
        let is_ahead = |threshold: &Duration| !dwelt.has(*threshold);
        let of_campaigns = fired.and_then(|fired| fired.dwells.iter().copied().find(is_ahead));
        let own = view.and_then(|view| view.detection().dwell_after()).filter(is_ahead);
        of_campaigns.into_iter().chain(own).min()
    }

    pub fn grants(&self) -> &Grants {
        &self.targets.grants
    }

    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    /// What keeps this campaign from firing where it was meant to, if it is active.
    pub fn problems_of(&self, campaign: &CampaignName) -> &[Fault] {
        self.problems.get(campaign).map(Vec::as_slice).unwrap_or_default()
    }

    /// What keeps active campaigns from firing where they were meant to.
    pub fn problems(&self) -> impl Iterator<Item = Problem> {
        let each = |(campaign, faults): (&CampaignName, &Vec<Fault>)| {
            faults
                .iter()
                .map(|fault| Problem { campaign: campaign.clone(), what: fault.why.clone() })
                .collect::<Vec<_>>()
        };
        self.problems.iter().flat_map(each)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::fixture;

    #[test]
    fn beacons_are_heard_whatever_their_organizations_are_called() {
        let named = |name: &str| Beacon { name: BeaconName::parse(name).expect("sound"), ..fixture::beacon("door") };
        let first = format!("organizations/0{}/beacons/0", "-".repeat(63));
        let names =
            [&*first, "organizations/0-a/beacons/b", "organizations/0.a/beacons/b", "organizations/0/beacons/0"];
        let mut beacons: Vec<_> = names.iter().copied().map(named).collect();
        let other = BeaconIdentity::EddystoneUid { namespace: [1; 10], instance: [2; 6] };
        beacons.push(Beacon { identity: other, ..named("organizations/0-a/beacons/c") });
        let catalog = fixture::catalog(beacons.into_iter().map(Into::into).collect());
        let heard = |identity| catalog.areas.beacons(&identity).iter().map(|name| name.as_str()).collect::<Vec<_>>();
        assert_eq!(heard(fixture::beacon("door").identity), names);
        assert_eq!(heard(other), ["organizations/0-a/beacons/c"]);
    }
}
