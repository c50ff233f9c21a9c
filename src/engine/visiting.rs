//! From entries to the visits that a profile remembers.
//!
//! Laws: a visit counts from its entry, and what belongs to a store is one place: coming in by its geofence, hearing its
//! beacon and coming near its point are one visit while any of them lasts. Law 4: nothing is remembered without consent to
//! profiling, for nothing else may ask for it.

use super::{entry::AreaView, known::Known, presence::Step};
use crate::domain::{
    consent::{Consented, Profiling},
    place::PlaceName,
    presence::{Area, Belief, Transition, TransitionKind},
    profile::Profile,
    time::Timestamp,
};

/// Who comes so near to a store of which no geofence is drawn visits it, in metres: phones know no less for sure, and
/// from farther away people pass by.
const NEAR_A_STORE_M: u32 = 100;

/// Remembers the visits that the transitions of a step begin.
pub fn note(areas: &Known<'_>, step: &Step, profile: &mut Profile, _permit: Consented<Profiling>, now: Timestamp) {
    let entries = step.transitions.iter().filter(|transition| is_entry(transition.kind));
    for Transition { area, at, .. } in entries {
        let Some(place) = areas.view(areas.number(area)).and_then(|view| place_visited(areas, view)) else { continue };
        let is_going_on = || begun(areas, step, &place, *at, Some(area)).is_some_and(|begun| begun < *at);
        if profile.visits_of_record().is_new(&place, *at, now) && !is_going_on() {
            profile.visits_of_record_mut().note(&place, *at, now);
        }
    }
}

/// When the visit to the place began that went on at that time, as far as this device knows; none if there was none. One
/// area may be left out.
pub fn begun(
    areas: &Known<'_>,
    step: &Step,
    place: &PlaceName,
    at: Timestamp,
    without: Option<&Area>,
) -> Option<Timestamp> {
    let is_there = |area: &Area| {
        without != Some(area)
            && areas.view(areas.number(area)).is_some_and(|view| place_visited(areas, view).as_ref() == Some(place))
    };
    let inside = step.presence.areas.iter().filter_map(|(area, belief)| match belief {
        Belief::Inside(visit) => Some((area.clone(), visit.entered_at, Timestamp::MAX)),
        Belief::Entering(_) => None,
    });
    let left = step.transitions.iter().filter_map(|transition| match transition.kind {
        TransitionKind::Exited(lasted) => Some((transition.area.clone(), transition.at - lasted, transition.at)),
        _ => None,
    });
    let heard = step.presence.heard.iter().filter(|(_, hearing)| hearing.confirmed);
    let heard = heard.map(|(name, hearing)| (Area::Beacon(name.clone()), hearing.first, Timestamp::MAX));
    let stays = inside.chain(left).chain(heard).filter(|(_, begun, ended)| (*begun..=*ended).contains(&at));
    stays.filter(|(area, ..)| is_there(area)).map(|(_, begun, _)| begun).min()
}

fn is_entry(kind: TransitionKind) -> bool {
    match kind {
        TransitionKind::Entered | TransitionKind::Heard => true,
        TransitionKind::Dwelt(_) | TransitionKind::Exited(_) | TransitionKind::Crossed => false,
    }
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
    }
}
