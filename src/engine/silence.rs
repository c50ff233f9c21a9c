//! How far and how long a device can stay silent without anything changing.
//!
//! Law (DESIGN section 6): no later fix whose reported point lies within the safe radius, of whatever accuracy, changes
//! presence before `next.at`. It promises nothing about beacons, later catalog edits, or offers.

use std::time::Duration;

use super::{areas::Areas, presence, shape};
use crate::domain::{
    decision::Next,
    geo::Position,
    presence::{Belief, DevicePresence},
    time::Timestamp,
};

/// The largest radius promised, in metres.
const MAX_RADIUS_M: f64 = 5_000.0;
/// Ask again at the latest after this.
const MAX_SILENCE: Duration = Duration::from_secs(3_600);
/// The smallest margin an exit needs, in metres: nearer than this to the edge nobody leaves.
const LEAST_LEAVING_M: f64 = 25.0;
/// Kept back against rounding: 1 % and 1 m.
const KEPT_BACK: (f64, f64) = (0.01, 1.0);
/// The search widens in these steps and stops at the first that holds the answer.
const SEARCH_RADII_M: [f64; 4] = [60.0, 300.0, 1_200.0, MAX_RADIUS_M];

/// When the next ping can matter, for a device whose newest fix is at `position`.
pub fn next(areas: &Areas, device: &DevicePresence, position: Option<Position>, now: Timestamp) -> Next {
    let radius = position.map_or(0.0, |position| radius(areas, device, position));
    let safe_radius_m = (radius * (1.0 - KEPT_BACK.0) - KEPT_BACK.1).max(0.0);
    let at = presence::wanted_at(areas, device, now + MAX_SILENCE).max(now);
    Next { safe_radius_m, at }
}

fn radius(areas: &Areas, device: &DevicePresence, position: Position) -> f64 {
    let leaving = device.areas.iter().filter(|(_, belief)| matches!(belief, Belief::Inside(_)));
    let nearest_exit = leaving.filter_map(|(area, _)| {
        let outline = areas.get(area)?.shape.as_ref()?;
        Some((LEAST_LEAVING_M - shape::signed_distance(outline, position)).max(0.0))
    });
    let limit = nearest_exit.fold(MAX_RADIUS_M, f64::min);
    let mut nearest = limit;
    for reach in SEARCH_RADII_M {
        nearest = limit.min(nearest_entry(areas, device, position, reach.min(limit)));
        if nearest <= reach {
            break;
        }
    }
    nearest
}

/// Metres to the nearest area that is not entered, of those within `reach`; 0 inside one.
fn nearest_entry(areas: &Areas, device: &DevicePresence, position: Position, reach: f64) -> f64 {
    areas
        .maybe_within(position, reach)
        .filter(|entry| !matches!(device.areas.get(&entry.area), Some(Belief::Inside(_))))
        .filter_map(|entry| entry.shape.as_ref())
        .map(|outline| shape::signed_distance(outline, position).max(0.0))
        .fold(f64::INFINITY, f64::min)
}
