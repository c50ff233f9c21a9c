//! Boxes in degrees that surely hold something: what the index keeps and what it is asked with.
//!
//! Law 7: boxes may over-select, never under-select. They are split at the antimeridian, and near the poles they widen
//! to the whole circle of longitudes.

use super::forest::Bounds;
use crate::domain::{
    geo::{METRES_PER_DEGREE, Position},
    shape::Polygons,
};

/// Widening of every box, in degrees (about 1 cm), against rounding of what was computed.
const SLACK_DEGREES: f64 = 1e-7;

/// A box in degrees that does not cross the antimeridian. Single precision halves the index and costs, rounded
/// outwards, at most 2 m a side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DegreeBox {
    pub south_west: [f32; 2],
    pub north_east: [f32; 2],
}

impl DegreeBox {
    /// The smallest box that holds these corners.
    pub fn new(south_west: [f64; 2], north_east: [f64; 2]) -> Self {
        Self { south_west: south_west.map(below), north_east: north_east.map(above) }
    }

    pub fn at(position: Position) -> Self {
        let point = [position.longitude(), position.latitude()];
        Self::new(point, point)
    }

    /// What is left of a box around a circle when the circle has this share of its radius, from 0 to 1. Where the box was
    /// cut, its middle is not the circle's, and nothing is taken off.
    pub fn narrowed(&self, share: f64) -> Self {
        let is_cut = self.south_west[0] <= -180.0 || self.north_east[0] >= 180.0;
        if is_cut || !(0.0..1.0).contains(&share) {
            return *self;
        }
        // A circle's width in degrees grows faster than its radius, so a share of the width is enough. The corners are
        // those of single precision, up to one step outside of what they were made of.
        let off = |axis: usize| {
            let (low, high) = (f64::from(self.south_west[axis]), f64::from(self.north_east[axis]));
            let step = |degrees: f32| f64::from(degrees.abs().next_up() - degrees.abs());
            let rounded = step(self.south_west[axis]).max(step(self.north_east[axis])) * 2.0;
            ((high - low) / 2.0 * (1.0 - share) - rounded).max(0.0)
        };
        let ([west, south], [east, north]) = (self.south_west.map(f64::from), self.north_east.map(f64::from));
        let (across, up) = (off(0), off(1));
        Self::new([west + across, south + up], [east - across, north - up])
    }

    /// How wide it is in its middle, and how high, in degrees of latitude. One that goes all the way round, for its circle
    /// holds a pole, is no wider than one that just misses the pole.
    pub fn extent(&self) -> [f64; 2] {
        let [across, up] = [0, 1].map(|axis| f64::from(self.north_east[axis] - self.south_west[axis]));
        [across.min(180.0) * self.centre(1).to_radians().cos(), up]
    }

    /// Whether they have a point in common.
    pub fn meets(&self, other: &Self) -> bool {
        let along = |i: usize| self.south_west[i] <= other.north_east[i] && self.north_east[i] >= other.south_west[i];
        along(0) && along(1)
    }
}

impl DegreeBox {
    /// Holds nothing.
    pub const NOWHERE: Self = Self { south_west: [f32::INFINITY; 2], north_east: [f32::NEG_INFINITY; 2] };
}

impl Bounds for DegreeBox {
    const AXES: usize = 2;

    fn around(&self, other: &Self) -> Self {
        let of = |a: [f32; 2], b: [f32; 2], most: fn(f32, f32) -> f32| [most(a[0], b[0]), most(a[1], b[1])];
        Self {
            south_west: of(self.south_west, other.south_west, f32::min),
            north_east: of(self.north_east, other.north_east, f32::max),
        }
    }

    fn holds(&self, other: &Self) -> bool {
        *self == self.around(other)
    }

    fn centre(&self, axis: usize) -> f64 {
        f64::midpoint(self.south_west[axis].into(), self.north_east[axis].into())
    }

    fn girth(&self) -> f64 {
        (0..Self::AXES).map(|axis| f64::from(self.north_east[axis]) - f64::from(self.south_west[axis])).sum()
    }
}

fn below(degrees: f64) -> f32 {
    let near = degrees as f32;
    if f64::from(near) > degrees { near.next_down() } else { near }
}

fn above(degrees: f64) -> f32 {
    let near = degrees as f32;
    if f64::from(near) < degrees { near.next_up() } else { near }
}

/// Boxes that hold every point within the radius of the centre.
pub fn around(center: Position, radius_m: f64) -> impl Iterator<Item = DegreeBox> {
    let reach = radius_m / METRES_PER_DEGREE + SLACK_DEGREES;
    let (south, north) = (center.latitude() - reach, center.latitude() + reach);
    // The widest longitude a cap reaches is asin(sin r / cos φ); a cap that holds a pole reaches all of them.
    let ratio = reach.to_radians().sin() / center.latitude().to_radians().cos().max(1e-12);
    if south <= -90.0 || north >= 90.0 || reach >= 90.0 || ratio >= 1.0 {
        let all_round = DegreeBox::new([-180.0, south.max(-90.0)], [180.0, north.min(90.0)]);
        return std::iter::once(all_round).chain(None);
    }
    let width = ratio.asin().to_degrees() + SLACK_DEGREES;
    let (one, other) = split(center.longitude() - width, center.longitude() + width, south, north);
    std::iter::once(one).chain(other)
}

/// Boxes that hold everything whose longitude and latitude differ by at most so many degrees.
pub fn beside(center: Position, [across, up]: [f64; 2]) -> impl Iterator<Item = DegreeBox> {
    let (south, north) = (center.latitude() - up, center.latitude() + up);
    let (one, other) = match across < 180.0 {
        true => split(center.longitude() - across, center.longitude() + across, south, north),
        false => (DegreeBox::new([-180.0, south], [180.0, north]), None),
    };
    std::iter::once(one).chain(other)
}

/// Boxes that hold every point of the polygons, one for each.
pub fn of_polygons(polygons: &Polygons) -> Vec<DegreeBox> {
    polygons.geometry().iter().map(of_polygon).collect()
}

fn of_polygon(polygon: &geo::Polygon) -> DegreeBox {
    let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
    for corner in polygon.exterior().coords() {
        low = [low[0].min(corner.x), low[1].min(corner.y)];
        high = [high[0].max(corner.x), high[1].max(corner.y)];
    }
    DegreeBox::new(low.map(|degrees| degrees - SLACK_DEGREES), high.map(|degrees| degrees + SLACK_DEGREES))
}

/// One box, or two where the antimeridian lies between west and east.
fn split(west: f64, east: f64, south: f64, north: f64) -> (DegreeBox, Option<DegreeBox>) {
    let part = |west, east| DegreeBox::new([west, south], [east, north]);
    if west < -180.0 {
        (part(west + 360.0, 180.0), Some(part(-180.0, east)))
    } else if east > 180.0 {
        (part(west, 180.0), Some(part(-180.0, east - 360.0)))
    } else {
        (part(west, east), None)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn holds(mut boxes: impl Iterator<Item = DegreeBox>, p: Position) -> bool {
        boxes.any(|b| {
            let within = |axis: usize, degrees: f64| {
                (f64::from(b.south_west[axis])..=f64::from(b.north_east[axis])).contains(&degrees)
            };
            within(0, p.longitude()) && within(1, p.latitude())
        })
    }

    proptest! {
        #[test]
        fn boxes_never_miss(
            lat in -90.0..90.0f64, lng in -180.0..180.0f64, radius in 5.0..500_000.0f64,
            dlat in -6.0..6.0f64, dlng in -180.0..180.0f64,
        ) {
            let center = Position::new(lat, lng).expect("sound");
            let lng = (lng + dlng + 180.0).rem_euclid(360.0) - 180.0;
            let p = Position::new((lat + dlat).clamp(-90.0, 90.0), lng).expect("sound");
            if center.distance_to(p) <= radius {
                prop_assert!(holds(around(center, radius), p));
            }
            prop_assert!(holds(std::iter::once(DegreeBox::at(p)), p));
        }

        #[test]
        fn narrowed_boxes_never_miss(
            lat in -90.0..90.0f64, lng in -180.0..180.0f64, radius in 5.0..50_000.0f64,
            share in 0.0..1.2f64, within in 0.0..1.0f64, turn in 0.0..std::f64::consts::TAU,
        ) {
            let center = Position::new(lat, lng).expect("sound");
            let reach = radius * share * within / METRES_PER_DEGREE;
            let across = reach / lat.to_radians().cos().max(1e-9) * turn.sin();
            let lng = (lng + across + 540.0).rem_euclid(360.0) - 180.0;
            let p = Position::new((lat + reach * turn.cos()).clamp(-90.0, 90.0), lng).expect("sound");
            if center.distance_to(p) <= radius * share.min(1.0) {
                let narrowed = around(center, radius).map(|bounds| bounds.narrowed(share));
                prop_assert!(holds(narrowed, p));
            }
        }
    }
}
