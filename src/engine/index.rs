//! Finding candidates among very many places: an R-tree of boxes in degrees, and one of stores on the unit sphere.
//!
//! Law 7: the index may over-select, never under-select; the exact test decides.

use rstar::{AABB, PointDistance, RTree, RTreeObject};

use super::shape::DegreeBox;
use crate::domain::geo::{EARTH_RADIUS_M, Position};

/// Boxes by the number of what they surround.
#[derive(Debug, Default)]
pub struct BoxIndex(RTree<BoxEntry>);

#[derive(Debug)]
struct BoxEntry {
    bounds: DegreeBox,
    number: u32,
}

impl RTreeObject for BoxEntry {
    type Envelope = AABB<[f64; 2]>;

    fn envelope(&self) -> Self::Envelope {
        AABB::from_corners(self.bounds.south_west, self.bounds.north_east)
    }
}

impl BoxIndex {
    pub fn new(boxes: impl IntoIterator<Item = (DegreeBox, u32)>) -> Self {
        let entries = boxes.into_iter().map(|(bounds, number)| BoxEntry { bounds, number }).collect();
        Self(RTree::bulk_load(entries))
    }

    /// Numbers of all boxes that touch one of these, each once, in rising order.
    pub fn touching(&self, around: &[DegreeBox]) -> Vec<u32> {
        let mut numbers: Vec<u32> = around
            .iter()
            .map(|bounds| AABB::from_corners(bounds.south_west, bounds.north_east))
            .flat_map(|envelope| self.0.locate_in_envelope_intersecting(envelope).map(|entry| entry.number))
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// Numbers of all boxes that hold the position, each once, in rising order.
    pub fn holding(&self, position: Position) -> Vec<u32> {
        let point = [position.longitude(), position.latitude()];
        self.touching(&[DegreeBox { south_west: point, north_east: point }])
    }
}

/// Points by number, on the unit sphere: k nearest is right everywhere on the globe.
#[derive(Debug, Default)]
pub struct PointIndex(RTree<PointEntry>);

#[derive(Debug)]
struct PointEntry {
    vector: [f64; 3],
    number: u32,
}

impl RTreeObject for PointEntry {
    type Envelope = AABB<[f64; 3]>;

    fn envelope(&self) -> Self::Envelope {
        AABB::from_point(self.vector)
    }
}

impl PointDistance for PointEntry {
    fn distance_2(&self, point: &[f64; 3]) -> f64 {
        self.vector.iter().zip(point).map(|(a, b)| (a - b) * (a - b)).sum()
    }
}

impl PointIndex {
    pub fn new(points: impl IntoIterator<Item = (Position, u32)>) -> Self {
        let entries =
            points.into_iter().map(|(position, number)| PointEntry { vector: position.unit_vector(), number });
        Self(RTree::bulk_load(entries.collect()))
    }

    /// Numbers and great-circle distances in metres, nearest first.
    pub fn nearest(&self, position: Position) -> impl Iterator<Item = (u32, f64)> {
        let vector = position.unit_vector();
        self.0.nearest_neighbor_iter(vector).map(move |entry| {
            let chord = entry.distance_2(&vector).sqrt();
            // A chord c of the unit sphere spans the angle 2 asin(c / 2).
            (entry.number, 2.0 * EARTH_RADIUS_M * (chord / 2.0).min(1.0).asin())
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        domain::shape::{Circle, Shape},
        engine::shape::{boxes, signed_distance},
    };

    fn anywhere() -> impl Strategy<Value = Position> {
        let edge = prop_oneof![Just(179.999), Just(-179.999), Just(0.0), -180.0..180.0f64];
        (prop_oneof![Just(89.99), Just(-89.99), -90.0..90.0f64], edge)
            .prop_map(|(lat, lng)| Position::new(lat, lng).expect("sound"))
    }

    proptest! {
        #[test]
        fn the_index_finds_what_brute_force_finds(
            circles in prop::collection::vec((anywhere(), 5.0..500_000.0f64), 1..60),
            at in anywhere(),
        ) {
            let shapes: Vec<Shape> = circles.iter().map(|&(c, r)| Shape::Circle(Circle::new(c, r).expect("sound"))).collect();
            let index = BoxIndex::new(shapes.iter().zip(0..).flat_map(|(shape, n)| boxes(shape).into_iter().map(move |b| (b, n))));
            let exact = |n: &u32| signed_distance(&shapes[*n as usize], at) <= 0.0;
            let found: Vec<u32> = index.holding(at).into_iter().filter(exact).collect();
            let brute: Vec<u32> = (0..shapes.len() as u32).filter(exact).collect();
            prop_assert_eq!(found, brute);
        }

        #[test]
        fn nearest_is_in_order_of_distance(points in prop::collection::vec(anywhere(), 1..80), at in anywhere()) {
            let index = PointIndex::new(points.iter().copied().zip(0..));
            let mut brute: Vec<f64> = points.iter().map(|p| p.distance_to(at)).collect();
            brute.sort_by(f64::total_cmp);
            for ((_, found), oracle) in index.nearest(at).zip(brute) {
                prop_assert!((found - oracle).abs() < 0.5, "{found} {oracle}");
            }
        }
    }
}
