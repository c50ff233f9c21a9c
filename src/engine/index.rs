//! Finding candidates among very many places: R-trees of boxes in degrees, and of stores on the unit sphere.
//!
//! Law 7: the index may over-select, never under-select; the exact test decides.

use std::sync::Arc;

use rstar::{AABB, PointDistance, RTreeObject};

use super::{
    areas::AreaEntry,
    boxes::DegreeBox,
    forest::{Forest, Leaf},
};
use crate::domain::{
    geo::{EARTH_RADIUS_M, Position},
    place::Store,
};

/// A box of an area.
#[derive(Debug, Clone)]
pub struct BoxLeaf {
    bounds: DegreeBox,
    entry: AreaEntry,
}

impl BoxLeaf {
    /// The boxes of an area: none if it has no outline.
    pub fn of(entry: &AreaEntry) -> impl Iterator<Item = Self> {
        entry.boxes().into_iter().map(|bounds| Self { bounds, entry: entry.clone() })
    }

    pub fn entry(&self) -> &AreaEntry {
        &self.entry
    }
}

impl RTreeObject for BoxLeaf {
    type Envelope = AABB<[f32; 2]>;

    fn envelope(&self) -> Self::Envelope {
        self.bounds.envelope()
    }
}

impl PartialEq for BoxLeaf {
    fn eq(&self, other: &Self) -> bool {
        self.bounds == other.bounds && self.entry.is(&other.entry)
    }
}

impl Leaf for BoxLeaf {}

/// Boxes of areas.
pub type BoxIndex = Forest<BoxLeaf>;

impl BoxIndex {
    /// Visits each area with a box that holds the position; no box of an area holds what another of it does, but at
    /// their edges.
    pub fn holding<'a>(&'a self, position: Position, mut visit: impl FnMut(&'a AreaEntry)) {
        self.meeting(DegreeBox::at(position).envelope(), |leaf| visit(&leaf.entry));
    }

    /// Areas with a box that touches one of these, each once.
    pub fn touching(&self, around: &[DegreeBox]) -> Vec<&AreaEntry> {
        let mut found: Vec<&AreaEntry> = Vec::new();
        for bounds in around {
            self.meeting(bounds.envelope(), |leaf| found.push(&leaf.entry));
        }
        found.sort_unstable_by_key(|entry| entry.identity());
        found.dedup_by_key(|entry| entry.identity());
        found
    }
}

/// A store on the unit sphere: k nearest is right everywhere on the globe.
#[derive(Debug, Clone)]
pub struct StoreLeaf {
    vector: [f64; 3],
    store: Arc<Store>,
}

impl StoreLeaf {
    pub fn of(store: &Arc<Store>) -> Self {
        Self { vector: store.position.unit_vector(), store: store.clone() }
    }
}

impl RTreeObject for StoreLeaf {
    type Envelope = AABB<[f64; 3]>;

    fn envelope(&self) -> Self::Envelope {
        AABB::from_point(self.vector)
    }
}

impl PointDistance for StoreLeaf {
    fn distance_2(&self, point: &[f64; 3]) -> f64 {
        self.vector.iter().zip(point).map(|(a, b)| (a - b) * (a - b)).sum()
    }
}

impl PartialEq for StoreLeaf {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.store, &other.store)
    }
}

impl Leaf for StoreLeaf {}

/// Stores by where they are.
pub type StoreIndex = Forest<StoreLeaf>;

impl StoreIndex {
    /// Stores and great-circle distances in metres, nearest first.
    pub fn nearest_to(&self, position: Position) -> impl Iterator<Item = (&Arc<Store>, f64)> {
        self.nearest(position.unit_vector()).map(|(leaf, chord_2)| {
            // A chord c of the unit sphere spans the angle 2 asin(c / 2).
            (&leaf.store, 2.0 * EARTH_RADIUS_M * (chord_2.sqrt() / 2.0).min(1.0).asin())
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        domain::{
            place::Geofence,
            shape::{Circle, Shape},
        },
        engine::fixture::{geofence, store},
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
            let fence = |(i, &(center, radius)): (usize, &(Position, f64))| {
                let shape = Shape::Circle(Circle::new(center, radius).expect("sound"));
                AreaEntry::of_geofence(&Arc::new(Geofence { shape, ..geofence(&i.to_string(), 0.0, 9.0) }))
            };
            let entries: Vec<AreaEntry> = circles.iter().enumerate().map(fence).collect();
            let index = BoxIndex::new(entries.iter().flat_map(|entry| BoxLeaf::of(entry).collect::<Vec<_>>()).collect());
            let exact = |entry: &&AreaEntry| entry.outline().is_some_and(|outline| outline.holds(at));
            let mut found = Vec::new();
            index.holding(at, |entry| found.push(entry));
            found.retain(exact);
            let mut found: Vec<_> = found.iter().map(|entry| entry.area()).collect();
            let mut brute: Vec<_> = entries.iter().filter(exact).map(AreaEntry::area).collect();
            found.sort();
            found.dedup();
            brute.sort();
            prop_assert_eq!(found, brute);
        }

        #[test]
        fn nearest_is_in_order_of_distance(points in prop::collection::vec(anywhere(), 1..80), at in anywhere()) {
            let stores = points.iter().map(|&position| Arc::new(Store { position, ..store("1", 0.0) }));
            let index = StoreIndex::new(stores.map(|store| StoreLeaf::of(&store)).collect());
            let mut brute: Vec<f64> = points.iter().map(|p| p.distance_to(at)).collect();
            brute.sort_by(f64::total_cmp);
            for ((_, found), oracle) in index.nearest_to(at).zip(brute) {
                prop_assert!((found - oracle).abs() < 0.5, "{found} {oracle}");
            }
        }
    }
}
