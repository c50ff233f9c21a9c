//! Trees of which the next version shares almost everything with the one before: a forest of trees of bounded size.
//!
//! Law: an edit builds the trees it falls into anew and leaves the others as they are; a reader never sees a forest
//! change.

use std::{collections::BTreeMap, fmt::Debug, sync::Arc};

/// More than this share of new leaves, and all trees are built anew.
const REBUILT_SHARE: usize = 8;

/// What surrounds leaves.
pub trait Bounds: Copy + Debug {
    /// How many directions it has.
    const AXES: usize;

    /// The smallest that holds both.
    fn around(&self, other: &Self) -> Self;
    fn holds(&self, other: &Self) -> bool;
    /// Where its middle is along an axis.
    fn centre(&self, axis: usize) -> f64;
    /// The sum of its sides.
    fn girth(&self) -> f64;
}

/// What trees are made of. Equal leaves have equal bounds.
pub trait Leaf: PartialEq + Clone {
    type Bounds: Bounds;
    fn bounds(&self) -> Self::Bounds;
}

/// A tree that never changes.
pub trait Tree {
    type Leaf: Leaf;

    /// Leaves of a full one.
    const SIZE: usize;

    /// Of at least one leaf and at most [`Self::SIZE`].
    fn new(leaves: Vec<Self::Leaf>) -> Self;
    fn bounds(&self) -> BoundsOf<Self>;
    fn leaves(&self) -> impl Iterator<Item = Self::Leaf>;
    fn count(&self) -> usize;
    fn has(&self, leaf: &Self::Leaf) -> bool;
}

pub type BoundsOf<T> = <<T as Tree>::Leaf as Leaf>::Bounds;

/// Trees side by side, each with its bounds: who looks for some trees looks at no others.
#[derive(Debug)]
pub struct Forest<T: Tree> {
    trees: Vec<(BoundsOf<T>, Arc<T>)>,
}

impl<T: Tree> Clone for Forest<T> {
    fn clone(&self) -> Self {
        Self { trees: self.trees.clone() }
    }
}

impl<T: Tree> Default for Forest<T> {
    fn default() -> Self {
        Self { trees: Vec::new() }
    }
}

impl<T: Tree> Forest<T> {
    pub fn new(leaves: Vec<T::Leaf>) -> Self {
        let mut trees = Vec::with_capacity(leaves.len().div_ceil(T::SIZE));
        plant(leaves, &mut trees);
        Self { trees }
    }

    pub fn trees(&self) -> &[(BoundsOf<T>, Arc<T>)] {
        &self.trees
    }

    /// How many leaves it has.
    pub fn count(&self) -> usize {
        self.trees.iter().map(|(_, tree)| tree.count()).sum()
    }

    /// Takes leaves out that are there, and puts others in.
    pub fn edit(&mut self, removed: &[T::Leaf], added: Vec<T::Leaf>) {
        if added.len() * REBUILT_SHARE > self.count() {
            self.edit(removed, Vec::new());
            let kept = self.trees.iter().flat_map(|(_, tree)| tree.leaves());
            *self = Self::new(kept.chain(added).collect());
            return;
        }
        let mut edits: BTreeMap<usize, Edit<T::Leaf>> = BTreeMap::new();
        for leaf in removed {
            if let Some(tree) = self.tree_with(leaf) {
                edits.entry(tree).or_default().0.push(leaf.clone());
            }
        }
        for leaf in added {
            edits.entry(self.tree_for(&leaf)).or_default().1.push(leaf);
        }
        // From the last to the first, so that places stay what they are.
        for (at, (removed, added)) in edits.into_iter().rev() {
            let (_, tree) = self.trees.swap_remove(at);
            let kept = tree.leaves().filter(|leaf| !removed.contains(leaf));
            plant(kept.chain(added).collect(), &mut self.trees);
        }
    }

    fn tree_with(&self, leaf: &T::Leaf) -> Option<usize> {
        let bounds = leaf.bounds();
        self.trees.iter().position(|(around, tree)| around.holds(&bounds) && tree.has(leaf))
    }

    /// The tree whose bounds grow least by the leaf.
    fn tree_for(&self, leaf: &T::Leaf) -> usize {
        let growth = |around: &BoundsOf<T>| around.around(&leaf.bounds()).girth() - around.girth();
        let growths = self.trees.iter().map(|(around, _)| growth(around)).enumerate();
        growths.min_by(|(_, a), (_, b)| a.total_cmp(b)).map_or(0, |(at, _)| at)
    }
}

/// Leaves that leave a tree, and leaves that come.
type Edit<L> = (Vec<L>, Vec<L>);

/// Halves the leaves along the longer side of their centres until each part fits into a tree.
fn plant<T: Tree>(mut leaves: Vec<T::Leaf>, trees: &mut Vec<(BoundsOf<T>, Arc<T>)>) {
    if leaves.len() <= T::SIZE {
        if !leaves.is_empty() {
            let tree = T::new(leaves);
            trees.push((tree.bounds(), Arc::new(tree)));
        }
        return;
    }
    let axis = longest_axis(&leaves);
    // Halves, not full trees: the next leaves that come find room.
    let middle = leaves.len() / 2;
    leaves.select_nth_unstable_by(middle, |a, b| a.bounds().centre(axis).total_cmp(&b.bounds().centre(axis)));
    let right = leaves.split_off(middle);
    plant(leaves, trees);
    plant(right, trees);
}

fn longest_axis<L: Leaf>(leaves: &[L]) -> usize {
    let length = |axis: usize| {
        let centres = leaves.iter().map(|leaf| leaf.bounds().centre(axis));
        let (low, high) = centres.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), c| (low.min(c), high.max(c)));
        high - low
    };
    (0..L::Bounds::AXES).max_by(|&a, &b| length(a).total_cmp(&length(b))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::{
        boxes::DegreeBox,
        packed::{Boxed, Packed, Thing},
    };

    impl Thing for [f64; 2] {}

    /// A point.
    type Dot = Boxed<[f64; 2]>;

    /// So many dots that there are several trees, in a few clusters.
    fn dots(count: usize) -> Vec<Dot> {
        let scattered = |i: usize| (i as f64 * 0.618_033_988).fract();
        let at = |i: usize| [scattered(i) + (i % 7) as f64 * 10.0, scattered(i * i % 9_973) + (i % 3) as f64];
        (0..count).map(at).map(|at| Boxed(DegreeBox::new(at, at), at)).collect()
    }

    fn found(forest: &Forest<Packed<[f64; 2]>>, around: DegreeBox) -> Vec<[f64; 2]> {
        let mut found = Vec::new();
        forest.trees().iter().for_each(|(_, tree)| tree.meeting(&around, &mut |met| found.push(*met.thing)));
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
            let everywhere = DegreeBox::new([0.0, 0.0], [99.0, 9.0]);
            for (leave, come) in rounds {
                let removed = all.split_off(all.len().saturating_sub(leave));
                let added = waiting.split_off(waiting.len().saturating_sub(come));
                let before = forest.clone();
                let unedited = found(&before, everywhere);
                forest.edit(&removed, added.clone());
                prop_assert_eq!(found(&before, everywhere), unedited, "a reader's forest never changes");
                all.extend(added);
            }
            prop_assert_eq!(forest.count(), all.len());
            let around = DegreeBox::new([low.0, low.1], [low.0 + 3.0, low.1 + 0.4]);
            let mut brute: Vec<[f64; 2]> =
                all.iter().filter(|dot| around.holds(&dot.bounds())).map(|dot| dot.1).collect();
            brute.sort_by(|a, b| a.partial_cmp(b).expect("numbers"));
            let ours = found(&forest, around);
            prop_assert!(brute.iter().all(|dot| ours.contains(dot)), "under-selected");
            prop_assert!(ours.len() <= brute.len() + 8, "over-selected by more than single precision does");
        }
    }
}
