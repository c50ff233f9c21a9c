//! From entries to the visits that a profile remembers.
//!
//! Laws: a visit counts from its entry, and what belongs to a store is one place: coming in by its geofence, hearing its
//! beacon and coming near its point are one visit while any of them lasts. Law 4: nothing is remembered without consent to
//! profiling, for nothing else may ask for it.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use super::{
    entry::AreaView,
    known::Known,
    presence::{self, Step},
    ranging,
};
use crate::domain::{
    consent::{Consented, Profiling},
    place::PlaceName,
    presence::{Area, Belief, DevicePresence, Transition, TransitionKind},
    time::Timestamp,
    visits::Visits,
};

/// Who comes so near to a store of which no geofence is drawn visits it, in metres: phones know no less for sure, and
/// from farther away people pass by.
const NEAR_A_STORE_M: u32 = 100;

/// A stay that a step knows of: one that goes on, or that it ended.
struct Stay<'a> {
    area: Cow<'a, Area>,
    begun: Timestamp,
    /// Of one that goes on, when silence ends it.
    ended: Timestamp,
}

impl Stay<'_> {
    /// Whether it lasts at that time and is a visit to the place.
    fn is_at(&self, areas: &Known<'_>, place: &PlaceName, at: Timestamp) -> bool {
        (self.begun..=self.ended).contains(&at) && place_of(areas, &self.area).is_some_and(|own| own == *place)
    }
}

/// Adds the visits that the transitions of a step begin.
pub fn note(areas: &Known<'_>, step: &Step, visits: &mut Arc<Visits>, _permit: Consented<Profiling>, now: Timestamp) {
    let entries = || step.transitions.iter().filter(|transition| is_entry(transition.kind));
    let Some(last) = entries().map(|entry| entry.at).max() else { return };
    let mut earlier: BTreeMap<PlaceName, Vec<Stay<'_>>> = BTreeMap::new();
    for stay in stays(step).filter(|stay| stay.begun < last) {
        if let Some(place) = place_of(areas, &stay.area) {
            earlier.entry(place).or_default().push(stay);
        }
    }
    for Transition { area, at, .. } in entries() {
        let Some(place) = place_of(areas, area) else { continue };
        let mut others = earlier.get(&place).into_iter().flatten().filter(|stay| *stay.area != *area);
        let mut is_going_on = || others.any(|stay| stay.begun < *at && *at <= stay.ended);
        if visits.is_new(&place, *at, now) && !is_going_on() {
            Arc::make_mut(visits).note(&place, *at, now);
        }
    }
}

/// As if the transition had just happened to a device of which that is believed: in the visit to the place that goes on, or
/// else in one of which the entry is supposed as well, as long before as who dwells or leaves must have come.
pub fn suppose(areas: &Known<'_>, before: &DevicePresence, transition: Transition) -> Step {
    let came = match transition.kind {
        TransitionKind::Dwelt(lasted) | TransitionKind::Exited(lasted) => Some(transition.at - lasted),
        TransitionKind::Entered | TransitionKind::Heard | TransitionKind::Crossed => None,
    };
    let goes_on = |place| begun(areas, &Step::standing(before), &place, transition.at).is_some();
    let came = came.filter(|_| !place_of(areas, &transition.area).is_some_and(goes_on));
    let entry = came.map(|at| Transition { kind: TransitionKind::Entered, at, ..transition.clone() });
    let mut step = Step::supposed(before, transition);
    step.transitions.splice(..0, entry);
    step
}

/// When the visit to the place began that went on at that time, as far as this device knows; none if there was none.
pub fn begun(areas: &Known<'_>, step: &Step, place: &PlaceName, at: Timestamp) -> Option<Timestamp> {
    stays(step).filter(|stay| stay.is_at(areas, place, at)).map(|stay| stay.begun).min()
}

fn stays(step: &Step) -> impl Iterator<Item = Stay<'_>> {
    let inside = step.presence.areas.iter().filter_map(|(area, belief)| match belief {
        Belief::Inside(visit) => {
            Some(Stay { area: Cow::Borrowed(area), begun: visit.entered_at, ended: presence::known_until(visit) })
        }
        Belief::Entering(_) => None,
    });
    let left = step.transitions.iter().filter_map(|Transition { area, kind, at, .. }| match kind {
        TransitionKind::Exited(lasted) => Some(Stay { area: Cow::Borrowed(area), begun: *at - *lasted, ended: *at }),
        _ => None,
    });
    let heard = step.presence.heard.iter().filter(|(_, hearing)| hearing.confirmed).map(|(name, hearing)| {
        let area = Cow::Owned(Area::Beacon(name.clone()));
        Stay { area, begun: hearing.first, ended: ranging::known_until(hearing) }
    });
    inside.chain(left).chain(heard)
}

fn is_entry(kind: TransitionKind) -> bool {
    match kind {
        TransitionKind::Entered | TransitionKind::Heard => true,
        TransitionKind::Dwelt(_) | TransitionKind::Exited(_) | TransitionKind::Crossed => false,
    }
}

/// What a stay in the area is a visit to, if to anything.
fn place_of(areas: &Known<'_>, area: &Area) -> Option<PlaceName> {
    place_visited(areas, areas.view(areas.number(area))?)
}

/// The place that whoever is there visits; none if it is only near.
fn place_visited(areas: &Known<'_>, view: AreaView<'_>) -> Option<PlaceName> {
    let place = view.visited_place();
    match view.area() {
        Area::Around(store, radius_m) => {
            let is_drawn = || areas.targets().parts(&store).any(|part| matches!(part, PlaceName::Geofence(_)));
            (radius_m <= NEAR_A_STORE_M && !is_drawn()).then_some(place)
        }
        Area::Geofence(_) | Area::Beacon(_) => Some(place),
        Area::Store(_) | Area::Anywhere => None,
    }
}
