//! Which stores are nearest: R-trees of points on the unit sphere.
//!
//! Law 7: right on the whole globe, for on the sphere there is no antimeridian and no pole.

use std::{cmp::Ordering, collections::BinaryHeap, sync::Arc};

use rstar::{AABB, Envelope, PointDistance, RTree, RTreeObject};

use super::forest::{Bounds, Forest, Leaf, Tree};
use crate::domain::{
    geo::{EARTH_RADIUS_M, Position},
    place::Store,
};

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
    use crate::engine::fixture::{anywhere, store};

    proptest! {
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
