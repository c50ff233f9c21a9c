//! Packed R-trees: boxes in sixteens, so that one glance at four lines of memory asks sixteen of them.
//!
//! Law 7: a tree may over-select, never under-select. Three levels hold 4,096 boxes; a position is found in a fraction of
//! the time that it takes in rstar's trees, whose nodes are all over the memory.

use std::cell::Cell;

use wide::f32x4;

use super::{
    boxes::DegreeBox,
    forest::{Bounds, Leaf, Tree},
};

/// Boxes of a node.
const WIDTH: usize = 16;
/// Of those, that one instruction asks at once on any processor.
const LANES: usize = 4;

/// A side of each box of a node.
type Sides = [f32x4; WIDTH / LANES];

/// The boxes of a node's children, side by side.
#[derive(Debug, Clone)]
#[repr(align(64))]
struct Node {
    west: Sides,
    south: Sides,
    east: Sides,
    north: Sides,
}

impl Node {
    /// Of boxes that nothing meets.
    const EMPTY: Self = {
        const HIGH: Sides = [f32x4::new([f32::INFINITY; LANES]); WIDTH / LANES];
        const LOW: Sides = [f32x4::new([f32::NEG_INFINITY; LANES]); WIDTH / LANES];
        Self { west: HIGH, south: HIGH, east: LOW, north: LOW }
    };

    fn put(&mut self, slot: usize, bounds: &DegreeBox) {
        let Self { west, south, east, north } = self;
        let ([w, s], [e, n]) = (bounds.south_west, bounds.north_east);
        for (sides, side) in [(west, w), (south, s), (east, e), (north, n)] {
            sides[slot / LANES].as_mut_array()[slot % LANES] = side;
        }
    }

    fn get(&self, slot: usize) -> DegreeBox {
        let side = |sides: &Sides| sides[slot / LANES].as_array()[slot % LANES];
        let [west, south, east, north] = [&self.west, &self.south, &self.east, &self.north].map(side);
        DegreeBox { south_west: [west, south], north_east: [east, north] }
    }

    /// A bit for each box that meets this one.
    fn meeting(&self, bounds: &DegreeBox) -> u32 {
        let ([west, south], [east, north]) = (bounds.south_west.map(f32x4::splat), bounds.north_east.map(f32x4::splat));
        let mut bits = 0;
        for part in 0..WIDTH / LANES {
            let meets = self.west[part].simd_le(east)
                & self.east[part].simd_ge(west)
                & self.south[part].simd_le(north)
                & self.north[part].simd_ge(south);
            bits |= meets.to_bitmask() << (part * LANES);
        }
        bits
    }
}

/// Something with a box.
#[derive(Debug, Clone, PartialEq)]
pub struct Boxed<T>(pub DegreeBox, pub T);

impl<T: PartialEq + Clone> Leaf for Boxed<T> {
    type Bounds = DegreeBox;

    fn bounds(&self) -> DegreeBox {
        self.0
    }
}

/// A tree of things with boxes. The boxes are in its nodes alone, where they are asked; things are looked up only when
/// their box was met.
#[derive(Debug, Clone)]
pub struct Packed<T> {
    bounds: DegreeBox,
    /// From the root down; the nodes of a level are in the order of the boxes of the level above.
    levels: Vec<Box<[Node]>>,
    /// In the order of the boxes of the last level.
    things: Box<[T]>,
}

impl<T: PartialEq + Clone> Tree for Packed<T> {
    type Leaf = Boxed<T>;

    /// Leaves of full trees of three levels.
    const SIZE: usize = WIDTH * WIDTH * WIDTH;

    fn new(mut leaves: Vec<Boxed<T>>) -> Self {
        let mut depth = 1;
        while WIDTH.pow(depth) < leaves.len() {
            depth += 1;
        }
        tile(&mut leaves, depth);
        let (mut boxes, things): (Vec<DegreeBox>, Vec<T>) = leaves.into_iter().map(|Boxed(b, t)| (b, t)).unzip();
        let mut levels = Vec::new();
        for _ in 0..depth {
            let (nodes, around): (Vec<Node>, Vec<DegreeBox>) = boxes.chunks(WIDTH).map(node).unzip();
            levels.insert(0, nodes.into_boxed_slice());
            boxes = around;
        }
        let bounds = boxes.first().copied().unwrap_or(DegreeBox::NOWHERE);
        Self { bounds, levels, things: things.into_boxed_slice() }
    }

    fn bounds(&self) -> DegreeBox {
        self.bounds
    }

    fn leaves(&self) -> impl Iterator<Item = Boxed<T>> {
        self.all().map(|(bounds, thing)| Boxed(bounds, thing.clone()))
    }

    fn count(&self) -> usize {
        self.things.len()
    }

    fn has(&self, leaf: &Boxed<T>) -> bool {
        let mut found = false;
        self.meeting(&leaf.0, &mut |bounds, thing| found |= bounds == leaf.0 && *thing == leaf.1);
        found
    }
}

impl<T> Packed<T> {
    /// Everything, each with its box.
    pub fn all(&self) -> impl Iterator<Item = (DegreeBox, &T)> {
        let boxes = self.levels.last().into_iter().flatten().flat_map(|node| (0..WIDTH).map(|slot| node.get(slot)));
        boxes.zip(&self.things)
    }

    /// Visits everything whose box meets this one, with its own box.
    pub fn meeting<'a>(&'a self, bounds: &DegreeBox, visit: &mut impl FnMut(DegreeBox, &'a T)) {
        self.descend(0, 0, &Cell::new(*bounds), visit);
    }

    /// The same while the box narrows: whoever looks for the nearest need not see what is farther than what was visited.
    /// Some of that is visited all the same.
    pub fn narrowing<'a>(&'a self, bounds: &Cell<DegreeBox>, visit: &mut impl FnMut(DegreeBox, &'a T)) {
        self.descend(0, 0, bounds, visit);
    }

    fn descend<'a>(
        &'a self,
        level: usize,
        node: usize,
        bounds: &Cell<DegreeBox>,
        visit: &mut impl FnMut(DegreeBox, &'a T),
    ) {
        let Some(found) = self.levels.get(level).and_then(|nodes| nodes.get(node)) else { return };
        let mut bits = found.meeting(&bounds.get());
        while bits != 0 {
            let slot = bits.trailing_zeros() as usize;
            bits &= bits - 1;
            let child = node * WIDTH + slot;
            if level + 1 < self.levels.len() {
                self.descend(level + 1, child, bounds, visit);
            } else if let Some(thing) = self.things.get(child) {
                visit(found.get(slot), thing);
            }
        }
    }
}

/// The node of these boxes, and the box around them.
fn node(boxes: &[DegreeBox]) -> (Node, DegreeBox) {
    let mut node = Node::EMPTY;
    boxes.iter().enumerate().for_each(|(slot, bounds)| node.put(slot, bounds));
    (node, boxes.iter().fold(DegreeBox::NOWHERE, |all, bounds| all.around(bounds)))
}

/// Orders leaves so that each node's are close together: four slabs from west to east, each in four from south to north,
/// and so on within.
fn tile<L: Leaf>(leaves: &mut [L], depth: u32) {
    if leaves.len() <= WIDTH {
        return;
    }
    // All nodes but the last are full, so a leaf's place tells its node.
    let full = WIDTH.pow(depth - 1);
    let slab = full * 4;
    split(leaves, slab, 0);
    for slab in leaves.chunks_mut(slab) {
        split(slab, full, 1);
        slab.chunks_mut(full).for_each(|part| tile(part, depth - 1));
    }
}

/// Puts the leaves into parts of this size by their centres along an axis.
fn split<L: Leaf>(leaves: &mut [L], size: usize, axis: usize) {
    let parts = leaves.len().div_ceil(size);
    if parts < 2 {
        return;
    }
    let middle = parts / 2 * size;
    leaves.select_nth_unstable_by(middle, |a, b| a.bounds().centre(axis).total_cmp(&b.bounds().centre(axis)));
    let (left, right) = leaves.split_at_mut(middle);
    split(left, size, axis);
    split(right, size, axis);
}
