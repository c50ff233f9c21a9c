//! Packed R-trees: boxes in sixteens, so that one glance at four lines of memory asks sixteen of them, and above them
//! coarse ones in sixty-fours.
//!
//! Law 7: a tree may over-select, never under-select. In a large index nearly all of the time goes into waiting for
//! memory: what is above the boxes is small enough to stay near the processor, and what is needed of the rest is asked
//! for together. A position is found in a fraction of the time that it takes in rstar's trees, whose nodes are all over
//! the memory.

use std::{array, cell::Cell};

use wide::f32x4;

use super::{
    boxes::DegreeBox,
    coarse::{CHILDREN, Coarse},
    forest::{Bounds, Leaf, Tree},
};

/// Boxes of a node.
const WIDTH: usize = 16;
/// Of those, that one instruction asks at once on any processor.
const LANES: usize = 4;

/// Coarse levels of a tree, at most: 268 million things.
const DEEPEST: usize = 4;

/// A side of each box of a node.
type Sides = [f32x4; WIDTH / LANES];

/// The boxes of things, side by side.
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

    fn of(boxes: &[DegreeBox]) -> Self {
        let mut node = Self::EMPTY;
        boxes.iter().enumerate().for_each(|(slot, bounds)| node.put(slot, bounds));
        node
    }

    fn put(&mut self, slot: usize, bounds: &DegreeBox) {
        let Self { west, south, east, north } = self;
        let ([w, s], [e, n]) = (bounds.south_west, bounds.north_east);
        for (sides, side) in [(west, w), (south, s), (east, e), (north, n)] {
            sides[slot / LANES].as_mut_array()[slot % LANES] = side;
        }
    }

    #[inline]
    fn get(&self, slot: usize) -> DegreeBox {
        let side = |sides: &Sides| sides[slot / LANES].as_array()[slot % LANES];
        let [west, south, east, north] = [&self.west, &self.south, &self.east, &self.north].map(side);
        DegreeBox { south_west: [west, south], north_east: [east, north] }
    }

    /// A bit for each box that meets this one.
    #[inline]
    fn meeting(&self, bounds: &DegreeBox) -> u64 {
        let ([west, south], [east, north]) = (bounds.south_west.map(f32x4::splat), bounds.north_east.map(f32x4::splat));
        let mut bits = 0;
        for part in 0..WIDTH / LANES {
            let meets = self.west[part].simd_le(east)
                & self.east[part].simd_ge(west)
                & self.south[part].simd_le(north)
                & self.north[part].simd_ge(south);
            bits |= meets.to_bitmask() << (part * LANES);
        }
        u64::from(bits)
    }
}

/// What trees hold.
pub trait Thing: PartialEq + Clone {
    /// Whether it is a circle, which its box tells but for a few metres.
    fn is_circle(&self) -> bool {
        false
    }
}

/// Something with a box.
#[derive(Debug, Clone, PartialEq)]
pub struct Boxed<T>(pub DegreeBox, pub T);

impl<T: Thing> Leaf for Boxed<T> {
    type Bounds = DegreeBox;

    fn bounds(&self) -> DegreeBox {
        self.0
    }
}

/// Something whose box was met.
#[derive(Debug)]
pub struct Met<'a, T> {
    pub bounds: DegreeBox,
    pub is_circle: bool,
    pub thing: &'a T,
}

/// A tree of things with boxes. The boxes are in its nodes alone, where they are asked; things are looked up only when
/// their box was met.
#[derive(Debug, Clone)]
pub struct Packed<T> {
    bounds: DegreeBox,
    /// From the root down; the children of a level are in its order.
    above: Box<[Coarse]>,
    /// Where each level of those begins; after the last one come the nodes.
    levels: [u32; DEEPEST],
    depth: usize,
    nodes: Box<[Node]>,
    /// For each node a bit for each circle: who needs no more than that does not wait for the thing.
    circles: Box<[u16]>,
    /// In the order of their boxes.
    things: Box<[T]>,
}

impl<T: Thing> Tree for Packed<T> {
    type Leaf = Boxed<T>;

    /// Leaves of full trees of one coarse level.
    const SIZE: usize = WIDTH * CHILDREN;

    fn new(mut leaves: Vec<Boxed<T>>) -> Self {
        let mut depth = 0;
        while below(depth) < leaves.len() {
            depth += 1;
        }
        tile(&mut leaves, depth);
        let (boxes, things): (Vec<DegreeBox>, Vec<T>) = leaves.into_iter().map(|Boxed(b, t)| (b, t)).unzip();
        let all = |boxes: &[DegreeBox]| boxes.iter().fold(DegreeBox::NOWHERE, |all, bounds| all.around(bounds));
        let mut around: Vec<DegreeBox> = boxes.chunks(WIDTH).map(all).collect();
        let (mut above, mut levels) = (Vec::new(), [0; DEEPEST]);
        for _ in 0..depth {
            let mut level: Vec<Coarse> = around.chunks(CHILDREN).map(Coarse::of).collect();
            around = around.chunks(CHILDREN).map(all).collect();
            levels = array::from_fn(|at| if at == 0 { 0 } else { levels[at - 1] + level.len() as u32 });
            level.append(&mut above);
            above = level;
        }
        let circle = |(slot, thing): (usize, &T)| u16::from(thing.is_circle()) << slot;
        Self {
            bounds: all(&around),
            above: above.into_boxed_slice(),
            levels,
            depth,
            nodes: boxes.chunks(WIDTH).map(Node::of).collect(),
            circles: things.chunks(WIDTH).map(|part| part.iter().enumerate().map(circle).sum()).collect(),
            things: things.into_boxed_slice(),
        }
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
        self.meeting(&leaf.0, &mut |met| found |= met.bounds == leaf.0 && *met.thing == leaf.1);
        found
    }
}

impl<T: Thing> Packed<T> {
    /// Everything, each with its box.
    pub fn all(&self) -> impl Iterator<Item = (DegreeBox, &T)> {
        let boxes = self.nodes.iter().flat_map(|node| (0..WIDTH).map(|slot| node.get(slot)));
        boxes.zip(&self.things)
    }

    /// Visits everything whose box meets this one.
    pub fn meeting<'a>(&'a self, bounds: &DegreeBox, visit: &mut impl FnMut(Met<'a, T>)) {
        // Level by level, and the nodes in fours: whoever waits for one waits for all.
        let mut front = Front::ROOT;
        for level in 0..self.depth {
            let mut next = Front::NONE;
            for &at in front.nodes() {
                each(self.coarse(level, at).meeting(bounds), |slot| next.push(at * CHILDREN as u32 + slot));
            }
            if next.count > Front::MOST {
                return self.descend((0, 0), &Cell::new(*bounds), visit);
            }
            front = next;
        }
        for four in front.nodes().chunks(4) {
            let bits = four.iter().rev().fold(0, |bits, &at| bits << WIDTH | self.met_by(at, bounds));
            each(bits, |bit| self.visit(four[bit as usize / WIDTH], bit % WIDTH as u32, visit));
        }
    }

    /// The same while the box narrows: whoever looks for the nearest need not see what is farther than what was visited.
    /// Some of that is visited all the same.
    pub fn narrowing<'a>(&'a self, bounds: &Cell<DegreeBox>, visit: &mut impl FnMut(Met<'a, T>)) {
        self.descend((0, 0), bounds, visit);
    }

    fn descend<'a>(&'a self, (level, at): (usize, u32), bounds: &Cell<DegreeBox>, visit: &mut impl FnMut(Met<'a, T>)) {
        if level == self.depth {
            return each(self.met_by(at, &bounds.get()), |slot| self.visit(at, slot, visit));
        }
        each(self.coarse(level, at).meeting(&bounds.get()), |slot| {
            self.descend((level + 1, at * CHILDREN as u32 + slot), bounds, visit);
        });
    }

    #[inline]
    fn coarse(&self, level: usize, at: u32) -> &Coarse {
        &self.above[(self.levels[level] + at) as usize]
    }

    /// A bit for each box of a node that meets this one; an empty tree has none.
    #[inline]
    fn met_by(&self, at: u32, bounds: &DegreeBox) -> u64 {
        self.nodes.get(at as usize).map_or(0, |node| node.meeting(bounds))
    }

    #[inline]
    fn visit<'a>(&'a self, at: u32, slot: u32, visit: &mut impl FnMut(Met<'a, T>)) {
        let (at, slot) = (at as usize, slot as usize);
        let (bounds, is_circle) = (self.nodes[at].get(slot), self.circles[at] >> slot & 1 == 1);
        visit(Met { bounds, is_circle, thing: &self.things[at * WIDTH + slot] });
    }
}

/// Some of a level.
struct Front {
    nodes: [u32; Self::MOST],
    /// More than [`Self::MOST`] if some had no room.
    count: usize,
}

impl Front {
    /// More than what is around most positions.
    const MOST: usize = 16;
    const ROOT: Self = Self { nodes: [0; Self::MOST], count: 1 };
    const NONE: Self = Self { nodes: [0; Self::MOST], count: 0 };

    fn push(&mut self, node: u32) {
        if let Some(slot) = self.nodes.get_mut(self.count) {
            *slot = node;
        }
        self.count += 1;
    }

    fn nodes(&self) -> &[u32] {
        &self.nodes[..self.count]
    }
}

/// Visits the numbers of the bits that are set.
fn each(mut bits: u64, mut visit: impl FnMut(u32)) {
    while bits != 0 {
        visit(bits.trailing_zeros());
        bits &= bits - 1;
    }
}

/// Things of full trees of so many coarse levels.
fn below(depth: usize) -> usize {
    WIDTH * CHILDREN.pow(depth as u32)
}

/// Orders leaves so that each node's are close together: some slabs from west to east, each in as many from south to
/// north, and so on within.
fn tile<L: Leaf>(leaves: &mut [L], depth: usize) {
    let Some(depth) = depth.checked_sub(1) else { return };
    // All nodes but the last are full, so a leaf's place tells its node.
    let full = below(depth);
    let children = leaves.len().div_ceil(full);
    let slab = full * children.div_ceil(children.isqrt().max(1));
    split(leaves, slab, 0);
    for slab in leaves.chunks_mut(slab) {
        split(slab, full, 1);
        slab.chunks_mut(full).for_each(|part| tile(part, depth));
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
