//! How far and how long a device can stay silent without anything changing.
//!
//! Law (DESIGN section 6): no later fix whose reported point lies within the safe radius, of whatever accuracy, changes
//! presence before `next.at`. It promises nothing about beacons, later catalog edits, or offers.

use std::{cell::Cell, time::Duration};

use super::{
    boxes,
    entry::AreaView,
    index::Place,
    known::{Known, LOOKED_AROUND_M},
    presence::{self, WORST_ACCURACY_M},
    shape::Outline,
};
use crate::domain::{
    decision::Next,
    geo::Position,
    ping::Fix,
    presence::{Area, Belief, DevicePresence, Visit},
    time::Timestamp,
};

/// The largest radius promised, in metres.
pub const MAX_RADIUS_M: f64 = 5_000.0;
/// Ask again at the latest after this.
const MAX_SILENCE: Duration = Duration::from_secs(3_600);
/// Kept back against rounding: 1 % and 1 m.
const KEPT_BACK: (f64, f64) = (0.01, 1.0);
/// The search widens in these steps and stops at the first that holds the answer.
const SEARCH_RADII_M: [f64; 3] = [LOOKED_AROUND_M, 600.0, MAX_RADIUS_M];
/// More than what rounding does to a distance, in metres.
const ROUNDING_M: f64 = 0.001;

/// When the next ping can matter (a radius of 0: at once), around the device's newest fix, whichever ping is answered:
/// `fix` is the newest of that one.
pub fn next(areas: &Known<'_>, device: &DevicePresence, fix: Option<&Fix>, now: Timestamp) -> Next {
    let around_vague = || fix.filter(|fix| is_vague(device, fix)).map(|fix| around_vague(areas, device, fix, now));
    let radius = centre(device).map(|position| radius(areas, device, position, now)).or_else(around_vague);
    let radius = radius.unwrap_or(0.0);
    let safe_radius_m = (radius * (1.0 - KEPT_BACK.0) - KEPT_BACK.1).max(0.0);
    let at = presence::wanted_at(areas, device, now, now + MAX_SILENCE);
    Next { safe_radius_m, at }
}

/// Of a device of which nothing is known.
pub fn unknown(now: Timestamp) -> Next {
    Next { safe_radius_m: 0.0, at: now + MAX_SILENCE }
}

/// Where the newest fix was, if it was taken. Else the next one may confirm a doubted one, or show a way from an older one,
/// wherever it is itself.
fn centre(device: &DevicePresence) -> Option<Position> {
    device.last_seen.filter(|last| device.newest_fix == Some(last.read)).map(|last| last.position)
}

/// Whether it is the newest fix and was not taken for nothing but its accuracy: then all that was known is still believed.
fn is_vague(device: &DevicePresence, fix: &Fix) -> bool {
    let is_newest = device.newest_fix.is_some_and(|newest| newest.is_same(fix.read));
    is_newest && fix.accuracy.metres() > WORST_ACCURACY_M && device.doubted.is_none()
}

/// As [`radius`]; but the next fix may also show a way from the last one that was taken: through nothing, if all of it is as
/// near to that as the nearest place.
fn around_vague(areas: &Known<'_>, device: &DevicePresence, fix: &Fix, now: Timestamp) -> f64 {
    let radius = radius(areas, device, fix.position, now);
    let Some(last) = device.last_seen.filter(|last| presence::is_way_known(last.read, fix.read)) else { return radius };
    let visits = entered(areas, device, &areas.holding(last.position));
    let clear_m = entry_within(areas, &visits, &Place::new(last.position), MAX_RADIUS_M);
    radius.min((clear_m - last.position.distance_to(fix.position)).max(0.0))
}

fn radius(areas: &Known<'_>, device: &DevicePresence, position: Position, now: Timestamp) -> f64 {
    let is_crowded = areas.is_crowded(position);
    let here = areas.holding(position);
    let visits = entered(areas, device, &here);
    if visits.iter().filter(|visit| visit.is_here).count() < here.len() {
        return 0.0;
    }
    let place = Place::new(position);
    let nearest = |limit: f64, visit: &Entered<'_>| {
        let limit = limit.min(visit.nearest_change(areas, &place, now, limit));
        // Whoever comes out of one of too many is in another one that did not count before.
        if is_crowded { limit.min(visit.edge_distance(&place, limit)) } else { limit }
    };
    // What is cheap comes first: it bounds how much of the edges of polygons is looked at.
    let round = visits.iter().filter(|visit| visit.is_round()).fold(MAX_RADIUS_M, nearest);
    let limit = entry_within(areas, &visits, &place, round);
    visits.iter().filter(|visit| !visit.is_round()).fold(limit, nearest)
}

/// What the device is inside of, in the order of addresses; `here` holds the position that is asked about.
fn entered<'a>(areas: &Known<'a>, device: &DevicePresence, here: &[usize]) -> Vec<Entered<'a>> {
    let mut visits = Vec::with_capacity(device.areas.len());
    visits.extend(device.areas.iter().filter_map(|known| Entered::new(areas, here, known)));
    visits.sort_unstable_by_key(|visit| visit.view.address());
    visits
}

/// Metres to the nearest area that is not entered, at most the limit.
fn entry_within(areas: &Known<'_>, entered: &[Entered<'_>], place: &Place, mut limit: f64) -> f64 {
    for reach in SEARCH_RADII_M {
        limit = limit.min(nearest_entry(areas, entered, place, reach.min(limit)));
        if limit <= reach {
            break;
        }
    }
    limit
}

/// An area that the device is inside of.
struct Entered<'a> {
    number: usize,
    visit: Visit,
    view: AreaView<'a>,
    /// Whether it holds the position.
    is_here: bool,
}

impl<'a> Entered<'a> {
    fn new(areas: &Known<'a>, here: &[usize], (area, belief): (&Area, &Belief)) -> Option<Self> {
        let Belief::Inside(visit) = belief else { return None };
        let number = areas.number(area);
        Some(Self { number, visit: *visit, view: areas.view(number)?, is_here: here.binary_search(&number).is_ok() })
    }

    fn is_round(&self) -> bool {
        !matches!(self.view, AreaView::Polygons(..))
    }

    /// Metres to its edge, if it holds the position; else, and beyond `limit`, any number from there on.
    fn edge_distance(&self, place: &Place, limit: f64) -> f64 {
        let outline = self.view.outline().filter(|_| self.is_here);
        outline.map_or(f64::INFINITY, |outline| outline.edge_distance(place.position(), limit))
    }

    /// Metres to where the visit would begin to end; and, if a dwell of it waits for a fix inside, to the area. Beyond
    /// `limit` it may be any number from there on.
    fn nearest_change(&self, areas: &Known<'_>, place: &Place, now: Timestamp, limit: f64) -> f64 {
        if presence::is_silence_overdue(&self.visit, now) {
            return 0.0;
        }
        let Some(outline) = self.view.outline() else { return f64::INFINITY };
        let is_overdue = presence::is_dwell_overdue(areas, self.number, &self.visit, now);
        if is_overdue && self.is_here {
            return 0.0;
        }
        let margin = self.view.detection().least_margin_m();
        if !is_overdue && margin - place.outside_at_most(outline) >= limit {
            return f64::INFINITY;
        }
        // From inside it is the margin and the way to the edge.
        let looked_for = if self.is_here { (limit - margin).max(0.0) + ROUNDING_M } else { limit.max(margin) };
        let edge_m = outline.edge_distance(place.position(), looked_for);
        let outside_m = if self.is_here { -edge_m } else { edge_m };
        let exit = (margin - outside_m).max(0.0);
        if is_overdue { exit.min(outside_m.max(0.0)) } else { exit }
    }
}

/// Metres to the nearest area that is not entered, if that is less than `reach`, else infinite. What is entered comes in the
/// order of addresses.
fn nearest_entry(areas: &Known<'_>, entered: &[Entered<'_>], place: &Place, reach: f64) -> f64 {
    let (mut nearest, mut drawn) = (reach, Vec::new());
    for around in boxes::around(place.position(), reach) {
        let bounds = Cell::new(around);
        areas.narrowing(&bounds, |leaf, entry| {
            let (view, least) = (entry.view(), place.outside_at_least(&leaf));
            let is_entered = || entered.binary_search_by_key(&view.address(), |visit| visit.view.address()).is_ok();
            if least >= nearest || is_entered() {
                return;
            }
            match view.outline() {
                // What holds the position is entered, or nothing is looked for.
                Some(outline @ Outline::Circle(_)) => {
                    let edge_m = outline.edge_distance(place.position(), nearest);
                    if edge_m < nearest {
                        nearest = edge_m;
                        bounds.set(around.narrowed(nearest / reach));
                    }
                }
                Some(outline @ Outline::Polygons(..)) => drawn.push((least, outline)),
                None => {}
            }
        });
    }
    // They cost more, and circles have narrowed what is looked at of them.
    drawn.sort_unstable_by(|(a, _), (b, _)| f64::total_cmp(a, b));
    for (least, outline) in drawn {
        if least < nearest {
            nearest = nearest.min(outline.edge_distance(place.position(), nearest));
        }
    }
    if nearest < reach { nearest } else { f64::INFINITY }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::fixture::{at, catalog, geofence, metres, ping};

    /// Some are too vague to move anybody.
    fn accuracies() -> impl Strategy<Value = f64> {
        prop_oneof![4 => 3.0..120.0f64, 1 => Just(1_500.0)]
    }

    proptest! {
        /// The promise itself: whatever a phone reports within the radius before the time, nothing changes.
        #[test]
        fn within_the_safe_radius_nothing_changes(
            fences in prop::collection::vec((-2_000.0..2_000.0f64, 5.0..400.0f64), 1..12),
            walk in prop::collection::vec((1..90i64, -2_000.0..2_000.0f64, accuracies()), 1..12),
            turn in 0.0..std::f64::consts::TAU,
            share in 0.0..1.0f64,
            accuracy in 1.0..2_000.0f64,
            wait in 0.0..1.0f64,
        ) {
            let fences = fences.iter().enumerate().map(|(i, &(east, r))| geofence(&format!("f{i}"), east, r).into());
            let catalog = catalog(fences.collect());
            let areas = &Known::of(&catalog.areas);
            let (mut device, mut now, mut east, mut newest) = (DevicePresence::default(), 0, 0.0, None);
            for (pause, to, accuracy) in walk {
                (now, east) = (now + pause, to);
                let ping = ping(now, &[(now, metres(0.0, east), accuracy)]);
                device = presence::step(areas, &device, &ping).presence;
                newest = ping.newest_fix().copied();
            }
            let next = next(areas, &device, newest.as_ref(), at(now));
            let reach = next.safe_radius_m * share;
            let later = now + ((next.at.since(at(now)).as_secs() as f64) * wait) as i64;
            // A radius of 0 promises nothing: the phone is inside a place that it has not entered yet.
            if next.safe_radius_m == 0.0 || later == now || at(later) >= next.at {
                return Ok(());
            }
            let there = metres(reach * turn.sin(), east + reach * turn.cos());
            let step = presence::step(areas, &device, &ping(later, &[(later, there, accuracy)]));
            prop_assert!(step.transitions.is_empty(), "{:?} after {} s within {} m", step.transitions, later - now, reach);
        }
    }

    #[test]
    fn far_from_everything_the_radius_and_the_time_are_bounded() {
        let catalog = catalog(vec![geofence("far", 60_000.0, 100.0).into()]);
        let before = DevicePresence::default();
        let device =
            presence::step(&Known::of(&catalog.areas), &before, &ping(0, &[(0, metres(0.0, 0.0), 5.0)])).presence;
        let next = next(&Known::of(&catalog.areas), &device, None, at(0));
        assert!((next.safe_radius_m - 4_949.0).abs() < 1e-6 && next.at == at(3_600), "{next:?}");
    }

    #[test]
    fn a_vague_fix_makes_no_phone_spin() {
        let catalog = catalog(vec![geofence("quay", 900.0, 100.0).into()]);
        let areas = &Known::of(&catalog.areas);
        let mut device = DevicePresence::default();
        let mut radius = |seconds, east, accuracy| {
            let ping = ping(seconds, &[(seconds, metres(0.0, east), accuracy)]);
            device = presence::step(areas, &device, &ping).presence;
            next(areas, &device, ping.newest_fix(), at(seconds)).safe_radius_m.round()
        };
        assert_eq!(radius(0, 0.0, 3_000.0), 791.0, "nothing else is known");
        assert_eq!(radius(10, 0.0, 5.0), 791.0);
        assert_eq!(radius(20, 300.0, 3_000.0), 494.0, "as far as all is near to where it was last seen");
        assert_eq!(radius(30, -500.0, 3_000.0), 296.0, "the way from there may lead through");
        assert_eq!(radius(200, -500.0, 3_000.0), 1_286.0, "or is too long ago");
        assert_eq!(radius(210, 900.0, 3_000.0), 0.0, "there is something to enter");
    }

    #[test]
    fn what_is_overdue_does_not_make_phones_spin() {
        let catalog = catalog(vec![geofence("quay", 0.0, 100.0).into()]);
        let mut device = DevicePresence::default();
        for (seconds, east) in [(0, 0.0), (10, 130.0), (100, 110.0)] {
            device = presence::step(
                &Known::of(&catalog.areas),
                &device,
                &ping(seconds, &[(seconds, metres(0.0, east), 5.0)]),
            )
            .presence;
        }
        let next = next(&Known::of(&catalog.areas), &device, None, at(100));
        assert_eq!(next.at, at(160), "leaving was due at 70 s");
    }
}
