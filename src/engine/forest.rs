//! R-trees of which the next version shares almost everything with the one before: a forest of trees of bounded size.
//!
//! Law: an edit copies the tree it falls into and leaves the others as they are; a reader never sees a forest change.
//! A tree that was edited often is built anew, for inserting and removing makes R-trees uneven and slow.

use std::{cmp::Ordering, ops::ControlFlow, sync::Arc};

use rstar::{AABB, Envelope, Point, PointDistance, RStarInsertionStrategy, RTree, RTreeObject, RTreeParams};

/// Leaves of a full tree: copying one takes about a millisecond, and a million leaves are some hundred trees.
const TREE_SIZE: usize = 8_192;
/// A tree is built anew when it was edited as often as this share of its leaves.
const EDITED_SHARE: usize = 4;
/// More than this share of new leaves, and all trees are built anew: that is faster than inserting one by one.
const REBUILT_SHARE: usize = 8;

/// What a forest is made of. Equal leaves have equal envelopes.
pub trait Leaf:
    RTreeObject<Envelope: Envelope<Point: Point<Scalar: PartialOrd + Copy> + Copy> + Copy> + PartialEq + Clone
{
}

/// Wide nodes: fewer of them to visit, and a tenth faster to ask than the usual six children.
#[derive(Debug, Clone)]
pub struct Wide;

impl RTreeParams for Wide {
    const MIN_SIZE: usize = 6;
    const MAX_SIZE: usize = 16;
    const REINSERTION_COUNT: usize = 4;
    type DefaultInsertionStrategy = RStarInsertionStrategy;
}

/// An R-tree in trees.
#[derive(Debug, Clone)]
pub struct Forest<T: Leaf> {
    trees: Vec<Tree<T>>,
}

#[derive(Debug)]
struct Tree<T: Leaf> {
    bounds: T::Envelope,
    rtree: Arc<RTree<T, Wide>>,
    edits: usize,
}

impl<T: Leaf> Clone for Tree<T> {
    fn clone(&self) -> Self {
        Self { bounds: self.bounds, rtree: self.rtree.clone(), edits: self.edits }
    }
}

impl<T: Leaf> Default for Forest<T> {
    fn default() -> Self {
        Self { trees: Vec::new() }
    }
}

impl<T: Leaf> Tree<T> {
    fn new(leaves: Vec<T>) -> Self {
        let rtree = RTree::bulk_load_with_params(leaves);
        Self { bounds: rtree.root().envelope(), rtree: Arc::new(rtree), edits: 0 }
    }

    fn edit(&mut self, change: impl FnOnce(&mut RTree<T, Wide>)) {
        let rtree = Arc::make_mut(&mut self.rtree);
        change(rtree);
        self.bounds = rtree.root().envelope();
        self.edits += 1;
    }

    fn is_worn(&self) -> bool {
        self.rtree.size() > 2 * TREE_SIZE || self.edits * EDITED_SHARE > self.rtree.size().max(TREE_SIZE)
    }
}

impl<T: Leaf> Forest<T> {
    /// A forest of these leaves.
    pub fn new(leaves: Vec<T>) -> Self {
        let mut trees = Vec::with_capacity(leaves.len() / TREE_SIZE * 2 + 1);
        plant(leaves, &mut trees);
        Self { trees }
    }

    /// How many leaves it has.
    pub fn count(&self) -> usize {
        self.trees.iter().map(|tree| tree.rtree.size()).sum()
    }

    /// Takes leaves out that are there, and puts others in.
    pub fn edit(&mut self, removed: &[T], added: Vec<T>) {
        removed.iter().for_each(|leaf| self.remove(leaf));
        if added.len() * REBUILT_SHARE > self.count() {
            let kept = self.trees.iter().flat_map(|tree| tree.rtree.iter().cloned());
            *self = Self::new(kept.chain(added).collect());
        } else {
            added.into_iter().for_each(|leaf| self.insert(leaf));
        }
    }

    fn remove(&mut self, leaf: &T) {
        let envelope = leaf.envelope();
        let holds = |tree: &Tree<T>| tree.bounds.contains_envelope(&envelope) && tree.rtree.contains(leaf);
        let Some(at) = self.trees.iter().position(holds) else { return };
        self.trees[at].edit(|rtree| drop(rtree.remove(leaf)));
        self.tend(at);
    }

    /// Into the tree whose bounds grow least by it.
    fn insert(&mut self, leaf: T) {
        let envelope = leaf.envelope();
        let growth = |tree: &Tree<T>| tree.bounds.merged(&envelope).perimeter_value() - tree.bounds.perimeter_value();
        let best = self.trees.iter().enumerate().map(|(at, tree)| (at, growth(tree)));
        match best.reduce(|a, b| if b.1 < a.1 { b } else { a }) {
            Some((at, _)) => {
                self.trees[at].edit(|rtree| rtree.insert(leaf));
                self.tend(at);
            }
            None => self.trees.push(Tree::new(vec![leaf])),
        }
    }

    /// Builds a worn tree anew, in parts if it is too large.
    fn tend(&mut self, at: usize) {
        if self.trees[at].rtree.size() == 0 {
            self.trees.swap_remove(at);
        } else if self.trees[at].is_worn() {
            let worn = self.trees.swap_remove(at);
            plant(worn.rtree.iter().cloned().collect(), &mut self.trees);
        }
    }

    /// Visits every leaf whose envelope meets this one, in no order.
    pub fn meeting<'a>(&'a self, envelope: T::Envelope, mut visit: impl FnMut(&'a T)) {
        for tree in &self.trees {
            if tree.bounds.intersects(&envelope) {
                let visited = tree.rtree.locate_in_envelope_intersecting_int(envelope, |leaf| {
                    visit(leaf);
                    ControlFlow::<()>::Continue(())
                });
                debug_assert!(visited.is_continue());
            }
        }
    }
}

/// Halves the leaves along the longer side of their centres until each part fits into a tree.
fn plant<T: Leaf>(mut leaves: Vec<T>, trees: &mut Vec<Tree<T>>) {
    if leaves.len() <= TREE_SIZE {
        if !leaves.is_empty() {
            trees.push(Tree::new(leaves));
        }
        return;
    }
    let axis = longest_axis(&leaves);
    // Whole trees to the left, so that all but the last are full.
    let middle = leaves.len().div_ceil(TREE_SIZE) / 2 * TREE_SIZE;
    leaves.select_nth_unstable_by(middle, |a, b| {
        let (a, b) = (a.envelope().center().nth(axis), b.envelope().center().nth(axis));
        a.partial_cmp(&b).unwrap_or(Ordering::Equal)
    });
    let right = leaves.split_off(middle);
    plant(leaves, trees);
    plant(right, trees);
}

fn longest_axis<T: Leaf>(leaves: &[T]) -> usize {
    let centres = leaves.iter().map(|leaf| AABB::from_point(leaf.envelope().center()));
    let all = centres.reduce(|all, centre| all.merged(&centre));
    let length = |axis: usize| all.map(|all| all.upper().nth(axis) - all.lower().nth(axis));
    let axes = 0..<T::Envelope as Envelope>::Point::DIMENSIONS;
    axes.reduce(|a, b| if length(b) > length(a) { b } else { a }).unwrap_or_default()
}

impl<T: Leaf + PointDistance> Forest<T> {
    /// Leaves and the squares of their distances, nearest first.
    pub fn nearest(&self, to: PointOf<T>) -> Nearest<'_, T> {
        let mut closed: Vec<_> = self.trees.iter().map(|tree| (tree.bounds.distance_2(&to), tree)).collect();
        closed.sort_by(|(a, _), (b, _)| b.partial_cmp(a).unwrap_or(Ordering::Equal));
        Nearest { to, closed, open: Vec::new() }
    }
}

type PointOf<T> = <<T as RTreeObject>::Envelope as Envelope>::Point;
type DistanceOf<T> = <PointOf<T> as Point>::Scalar;
type Behind<'a, T> = Box<dyn Iterator<Item = (&'a T, DistanceOf<T>)> + 'a>;

/// Goes through the leaves of all trees in the order of their distances, and opens no tree before its turn.
pub struct Nearest<'a, T: Leaf + PointDistance> {
    to: PointOf<T>,
    /// The nearest one last.
    closed: Vec<(DistanceOf<T>, &'a Tree<T>)>,
    open: Vec<Open<'a, T>>,
}

/// The nearest leaf left of a tree, and those behind it.
struct Open<'a, T: Leaf> {
    leaf: &'a T,
    distance_2: DistanceOf<T>,
    behind: Behind<'a, T>,
}

impl<'a, T: Leaf + PointDistance> Iterator for Nearest<'a, T> {
    type Item = (&'a T, DistanceOf<T>);

    fn next(&mut self) -> Option<Self::Item> {
        let mut best = self.best();
        while let Some(&(bound, tree)) = self.closed.last()
            && best.is_none_or(|best| bound < self.open[best].distance_2)
        {
            self.closed.pop();
            let mut behind: Behind<'a, T> = Box::new(tree.rtree.nearest_neighbor_iter_with_distance_2(self.to));
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

impl<T: Leaf + PointDistance> Nearest<'_, T> {
    fn best(&self) -> Option<usize> {
        let distance = |at: usize| self.open[at].distance_2;
        (0..self.open.len()).reduce(|a, b| if distance(b) < distance(a) { b } else { a })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone, PartialEq)]
    struct Dot([f64; 2]);

    impl RTreeObject for Dot {
        type Envelope = AABB<[f64; 2]>;
        fn envelope(&self) -> Self::Envelope {
            AABB::from_point(self.0)
        }
    }

    impl PointDistance for Dot {
        fn distance_2(&self, to: &[f64; 2]) -> f64 {
            (self.0[0] - to[0]).powi(2) + (self.0[1] - to[1]).powi(2)
        }
    }

    impl Leaf for Dot {}

    /// So many dots that there are several trees, in a few clusters.
    fn dots(count: usize) -> Vec<Dot> {
        let scattered = |i: usize| (i as f64 * 0.618_033_988).fract();
        let dot = |i: usize| Dot([scattered(i) + (i % 7) as f64 * 10.0, scattered(i * i % 9_973) + (i % 3) as f64]);
        (0..count).map(dot).collect()
    }

    fn found(forest: &Forest<Dot>, low: [f64; 2], high: [f64; 2]) -> Vec<[f64; 2]> {
        let mut found = Vec::new();
        forest.meeting(AABB::from_corners(low, high), |dot| found.push(dot.0));
        found.sort_by(|a, b| a.partial_cmp(b).expect("numbers"));
        found
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn edits_end_where_building_anew_does(
            start in 0..20_000usize,
            rounds in prop::collection::vec((0..4_000usize, 0..4_000usize), 1..8),
            low in (0.0..70.0f64, 0.0..3.0f64),
        ) {
            let mut all = dots(30_000);
            let mut waiting = all.split_off(start);
            let mut forest = Forest::new(all.clone());
            for (leave, come) in rounds {
                let removed = all.split_off(all.len().saturating_sub(leave));
                let added = waiting.split_off(waiting.len().saturating_sub(come));
                let before = forest.clone();
                let unedited = found(&before, [0.0, 0.0], [99.0, 9.0]);
                forest.edit(&removed, added.clone());
                prop_assert_eq!(found(&before, [0.0, 0.0], [99.0, 9.0]), unedited, "a reader's forest never changes");
                all.extend(added);
            }
            prop_assert_eq!(forest.count(), all.len());
            let fresh = Forest::new(all.clone());
            let (low, high) = ([low.0, low.1], [low.0 + 3.0, low.1 + 0.4]);
            prop_assert_eq!(found(&forest, low, high), found(&fresh, low, high));
            let mut brute: Vec<f64> = all.iter().map(|dot| dot.distance_2(&low)).collect();
            brute.sort_by(f64::total_cmp);
            let nearest: Vec<f64> = forest.nearest(low).map(|(_, distance_2)| distance_2).collect();
            prop_assert_eq!(nearest, brute);
        }
    }
}
