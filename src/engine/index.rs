//! Finding candidates among very many places: packed trees of boxes in degrees, and R-trees of stores on the unit sphere.
//!
//! Law 7: the index may over-select, never under-select; the exact test decides.

use std::{cmp::Ordering, collections::BinaryHeap, sync::Arc};

use rstar::{AABB, Envelope, PointDistance, RTree, RTreeObject};

use super::{
    areas::AreaEntry,
    boxes::DegreeBox,
    edges::metres_per_degree,
    forest::{Bounds, Forest, Leaf, Tree},
    packed::{Boxed, Packed},
    shape::FLAT,
};
use crate::domain::{
    geo::{EARTH_RADIUS_M, Position},
    place::Store,
};

/// A box of an area.
pub type BoxLeaf = Boxed<AreaEntry>;

/// The boxes of an area: none if it has no outline.
pub fn boxes_of(entry: &AreaEntry) -> impl Iterator<Item = BoxLeaf> + use<> {
    let entry = entry.clone();
    entry.boxes().into_iter().map(move |bounds| Boxed(bounds, entry.clone()))
}

/// Boxes of areas.
#[derive(Debug, Clone, Default)]
pub struct BoxIndex {
    forest: Forest<Packed<AreaEntry>>,
    /// The numbers of the trees of the forest.
    top: Option<Packed<usize>>,
}

impl BoxIndex {
    pub fn new(leaves: Vec<BoxLeaf>) -> Self {
        let mut index = Self { forest: Forest::new(leaves), top: None };
        index.number();
        index
    }

    /// Takes boxes out that are there, and puts others in.
    pub fn edit(&mut self, removed: &[BoxLeaf], added: Vec<BoxLeaf>) {
        self.forest.edit(removed, added);
        self.number();
    }

    fn number(&mut self) {
        let trees = self.forest.trees().iter().enumerate();
        self.top = Some(Packed::new(trees.map(|(number, (bounds, _))| Boxed(*bounds, number)).collect()));
    }

    /// Visits each box that meets this one, in no order.
    pub fn meeting<'a>(&'a self, bounds: &DegreeBox, mut visit: impl FnMut(DegreeBox, &'a AreaEntry)) {
        let Some(top) = &self.top else { return };
        top.meeting(bounds, &mut |_, number| {
            if let Some((_, tree)) = self.forest.trees().get(*number) {
                tree.meeting(bounds, &mut visit);
            }
        });
    }

    /// Visits each area that holds the position, once for each box of it that does.
    pub fn holding<'a>(&'a self, position: Position, mut visit: impl FnMut(&'a AreaEntry)) {
        let place = Place::new(position);
        self.meeting(&DegreeBox::at(position), |bounds, entry| {
            if place.is_in(&bounds, entry) {
                visit(entry);
            }
        });
    }

    /// Areas with a box that touches one of these, each once.
    pub fn touching(&self, around: &[DegreeBox]) -> Vec<&AreaEntry> {
        let mut found: Vec<&AreaEntry> = Vec::new();
        for bounds in around {
            self.meeting(bounds, |_, entry| found.push(entry));
        }
        found.sort_unstable_by_key(|entry| entry.identity());
        found.dedup_by_key(|entry| entry.identity());
        found
    }
}

/// A position that is looked for, and the lengths of degrees around it.
struct Place {
    position: Position,
    scale: [f64; 2],
}

impl Place {
    fn new(position: Position) -> Self {
        Self { position, scale: metres_per_degree(position.latitude()) }
    }

    /// Whether the area of this box holds the position. The box of a circle tells the circle but for a few metres, so most
    /// circles are decided upon where they are found, and not looked up in the memory.
    fn is_in(&self, bounds: &DegreeBox, entry: &AreaEntry) -> bool {
        let told = match entry {
            AreaEntry::Circle(_) | AreaEntry::Around(_) => self.is_in_circle_of(bounds),
            AreaEntry::Polygons(_) | AreaEntry::Reach(_) => None,
        };
        told.unwrap_or_else(|| entry.outline().is_some_and(|outline| outline.holds(self.position)))
    }

    /// Whether the circle that has this box holds the position; none where that is not sure.
    fn is_in_circle_of(&self, bounds: &DegreeBox) -> Option<bool> {
        /// What rounding to single precision does to the centre and the radius together, and the plane to distances:
        /// metres and a share.
        const DOUBT: (f64, f64) = (6.0, 0.005);
        let ([west, south], [east, north]) = (bounds.south_west.map(f64::from), bounds.north_east.map(f64::from));
        let radius_m = (north - south) / 2.0 * self.scale[1];
        // Boxes at the antimeridian are cut, and near the poles wider than their circles.
        if self.position.latitude().abs() > FLAT.0 || radius_m > FLAT.1 || west <= -180.0 || east >= 180.0 {
            return None;
        }
        let across = (f64::midpoint(west, east) - self.position.longitude()) * self.scale[0];
        let up = (f64::midpoint(south, north) - self.position.latitude()) * self.scale[1];
        let distance_m = (across * across + up * up).sqrt();
        let doubt_m = DOUBT.0 + DOUBT.1 * radius_m;
        ((distance_m - radius_m).abs() > doubt_m).then_some(distance_m < radius_m)
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

impl Bounds for AABB<[f64; 3]> {
    const AXES: usize = 3;

    fn around(&self, other: &Self) -> Self {
        self.merged(other)
    }

    fn holds(&self, other: &Self) -> bool {
        self.contains_envelope(other)
    }

    fn centre(&self, axis: usize) -> f64 {
        self.center()[axis]
    }

    fn girth(&self) -> f64 {
        self.perimeter_value()
    }
}

impl Leaf for StoreLeaf {
    type Bounds = AABB<[f64; 3]>;

    fn bounds(&self) -> Self::Bounds {
        self.envelope()
    }
}

impl Tree for RTree<StoreLeaf> {
    type Leaf = StoreLeaf;

    /// Building such a tree takes ten milliseconds. Smaller ones are too many to look over for every question.
    const SIZE: usize = 16_384;

    fn new(leaves: Vec<StoreLeaf>) -> Self {
        Self::bulk_load(leaves)
    }

    fn bounds(&self) -> AABB<[f64; 3]> {
        self.root().envelope()
    }

    fn leaves(&self) -> impl Iterator<Item = StoreLeaf> {
        self.iter().cloned()
    }

    fn count(&self) -> usize {
        self.size()
    }

    fn has(&self, leaf: &StoreLeaf) -> bool {
        self.contains(leaf)
    }
}

/// Stores by where they are.
pub type StoreIndex = Forest<RTree<StoreLeaf>>;

impl StoreIndex {
    /// Stores and great-circle distances in metres, nearest first.
    pub fn nearest_to(&self, position: Position) -> impl Iterator<Item = (&Arc<Store>, f64)> {
        let to = position.unit_vector();
        let closed = self.trees().iter().map(|(bounds, tree)| Closed { at_least_2: bounds.distance_2(&to), tree });
        Nearest { to, closed: closed.collect(), open: Vec::new() }.map(|(leaf, chord_2)| {
            // A chord c of the unit sphere spans the angle 2 asin(c / 2).
            (&leaf.store, 2.0 * EARTH_RADIUS_M * (chord_2.sqrt() / 2.0).min(1.0).asin())
        })
    }
}

/// Goes through the leaves of all trees in the order of their distances, and opens no tree before its turn.
struct Nearest<'a> {
    to: [f64; 3],
    closed: BinaryHeap<Closed<'a>>,
    open: Vec<Open<'a>>,
}

/// A tree that was not looked into, and the square of the least distance of its leaves. The nearest one is the greatest.
struct Closed<'a> {
    at_least_2: f64,
    tree: &'a RTree<StoreLeaf>,
}

impl Ord for Closed<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.at_least_2.total_cmp(&self.at_least_2)
    }
}

impl PartialOrd for Closed<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Closed<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Closed<'_> {}

/// The nearest leaf left of a tree, and those behind it.
struct Open<'a> {
    leaf: &'a StoreLeaf,
    distance_2: f64,
    behind: Box<dyn Iterator<Item = (&'a StoreLeaf, f64)> + 'a>,
}

impl<'a> Nearest<'a> {
    fn best(&self) -> Option<usize> {
        let ordering = |a: &usize, b: &usize| self.open[*a].distance_2.total_cmp(&self.open[*b].distance_2);
        (0..self.open.len()).min_by(ordering)
    }
}

impl<'a> Iterator for Nearest<'a> {
    type Item = (&'a StoreLeaf, f64);

    fn next(&mut self) -> Option<Self::Item> {
        let mut best = self.best();
        while let Some(&Closed { at_least_2, tree }) = self.closed.peek()
            && best.is_none_or(|best| at_least_2 < self.open[best].distance_2)
        {
            self.closed.pop();
            let mut behind = Box::new(tree.nearest_neighbor_iter_with_distance_2(self.to));
            if let Some((leaf, distance_2)) = behind.next() {
                self.open.push(Open { leaf, distance_2, behind });
            }
            best = self.best();
        }
        let best = best?;
        let open = &mut self.open[best];
        let found = (open.leaf, open.distance_2);
        match open.behind.next() {
            Some((leaf, distance_2)) => (open.leaf, open.distance_2) = (leaf, distance_2),
            None => drop(self.open.swap_remove(best)),
        }
        Some(found)
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
            let index = BoxIndex::new(entries.iter().flat_map(boxes_of).collect());
            let exact = |entry: &&AreaEntry| entry.outline().is_some_and(|outline| outline.holds(at));
            let mut found = Vec::new();
            index.holding(at, |entry| found.push(entry));
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
