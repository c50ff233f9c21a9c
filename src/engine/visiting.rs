//! From entries to the visits that a profile remembers.
//!
//! Laws: a visit counts from its entry, and what belongs to a store is one place: coming in by its geofence, hearing its
//! beacon and coming near its point are one visit while any of them lasts. Law 4: nothing is remembered without consent to
//! profiling, for nothing else may ask for it.

use std::borrow::Cow;

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

/// A stay that a step knows of: one that goes on, or that it ended.
struct Stay<'a> {
    area: Cow<'a, Area>,
    /// What it is a visit to.
    place: PlaceName,
    begun: Timestamp,
    ended: Timestamp,
}

/// Remembers the visits that the transitions of a step begin.
pub fn note(areas: &Known<'_>, step: &Step, profile: &mut Profile, _permit: Consented<Profiling>, now: Timestamp) {
    let mut entries = step.transitions.iter().filter(|transition| is_entry(transition.kind)).peekable();
    if entries.peek().is_none() {
        return;
    }
    let stays = stays(areas, step);
    for Transition { area, at, .. } in entries {
        let Some(place) = areas.view(areas.number(area)).and_then(|view| place_visited(areas, view)) else { continue };
        let others = || stays.iter().filter(|stay| *stay.area != *area);
        let is_going_on = || begun_of(others(), &place, *at).is_some_and(|begun| begun < *at);
        if profile.visits_of_record().is_new(&place, *at, now) && !is_going_on() {
            profile.visits_of_record_mut().note(&place, *at, now);
        }
    }
}

/// When the visit to the place began that went on at that time, as far as this device knows; none if there was none.
pub fn begun(areas: &Known<'_>, step: &Step, place: &PlaceName, at: Timestamp) -> Option<Timestamp> {
    begun_of(stays(areas, step).iter(), place, at)
}

fn begun_of<'s>(stays: impl Iterator<Item = &'s Stay<'s>>, place: &PlaceName, at: Timestamp) -> Option<Timestamp> {
    let there = stays.filter(|stay| (stay.begun..=stay.ended).contains(&at) && stay.place == *place);
    there.map(|stay| stay.begun).min()
}

fn stays<'a>(areas: &Known<'_>, step: &'a Step) -> Vec<Stay<'a>> {
    let inside = step.presence.areas.iter().filter_map(|(area, belief)| match belief {
        Belief::Inside(visit) => Some((Cow::Borrowed(area), visit.entered_at, Timestamp::MAX)),
        Belief::Entering(_) => None,
    });
    let left = step.transitions.iter().filter_map(|transition| match transition.kind {
        TransitionKind::Exited(lasted) => {
            Some((Cow::Borrowed(&transition.area), transition.at - lasted, transition.at))
        }
        _ => None,
    });
    let heard = step.presence.heard.iter().filter(|(_, hearing)| hearing.confirmed);
    let heard = heard.map(|(name, hearing)| (Cow::Owned(Area::Beacon(name.clone())), hearing.first, Timestamp::MAX));
    let stay = |(area, begun, ended): (Cow<'a, Area>, _, _)| {
        let place = areas.view(areas.number(&area)).and_then(|view| place_visited(areas, view))?;
        Some(Stay { area, place, begun, ended })
    };
    inside.chain(left).chain(heard).filter_map(stay).collect()
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
        Area::Store(_) | Area::Anywhere => None,
    }
}
