//! Whether a ring meets itself: all of its edges at once, by a line that sweeps over them (Shamos and Hoey 1976, "Geometric
//! intersection problems").
//!
//! Law: exact, and in n log n steps whatever the ring: of edges that do not meet, the order along the line never changes, so
//! the first two that meet are beside each other before they do.

use std::{
    cmp::Ordering,
    collections::BTreeSet,
    ops::Bound::{Excluded, Unbounded},
};

use geo::{
    Coord, Intersects, Line,
    kernels::{Kernel, Orientation, RobustKernel},
};

/// Two edges of a ring that meet though neither follows the other, by their numbers and the lower one first; none if there
/// are no such two. The edges are a closed ring in its order, none of them without length, and none folded back on the one
/// before.
pub(super) fn meeting(edges: &[Line]) -> Option<(usize, usize)> {
    let mut corners: Vec<usize> = (0..edges.len()).collect();
    corners.sort_unstable_by(|&a, &b| along(edges[a].start, edges[b].start));
    // Where corners are told apart, no more than two edges begin or end at one.
    let twice = corners.windows(2).find(|pair| edges[pair[0]].start == edges[pair[1]].start);
    if let Some(&[a, b]) = twice {
        return Some((a.min(b), a.max(b)));
    }
    let mut line = SweepLine { edges: BTreeSet::new(), count: edges.len() };
    corners.into_iter().find_map(|corner| {
        let before = (corner + edges.len() - 1) % edges.len();
        line.pass([Edge::new(edges, before), Edge::new(edges, corner)], edges[corner].start)
    })
}

/// From west to east, and what is on one meridian from south to north: as if the line leaned a little.
pub(super) fn along(a: Coord, b: Coord) -> Ordering {
    // Corners are finite. Both zeros are the same place, which the total order of numbers tells apart.
    let order = |a: f64, b: f64| a.partial_cmp(&b).unwrap_or(Ordering::Equal);
    order(a.x, b.x).then(order(a.y, b.y))
}

/// An edge as the line meets it.
#[derive(Debug, Clone, Copy)]
struct Edge {
    first: Coord,
    last: Coord,
    number: usize,
}

impl Edge {
    fn new(edges: &[Line], number: usize) -> Self {
        let Line { start, end } = edges[number];
        let (first, last) = if along(start, end).is_le() { (start, end) } else { (end, start) };
        Self { first, last, number }
    }

    fn meets(&self, other: &Self) -> bool {
        Line::new(self.first, self.last).intersects(&Line::new(other.first, other.last))
    }

    /// On which side of this edge a position is, along the line.
    fn side(&self, position: Coord) -> Ordering {
        match RobustKernel::orient2d(self.first, self.last, position) {
            Orientation::CounterClockwise => Ordering::Greater,
            Orientation::Clockwise => Ordering::Less,
            Orientation::Collinear => Ordering::Equal,
        }
    }
}

/// The order along the line, of two edges that it is over at the same time: where the later one begins, else to which side
/// it leads.
impl Ord for Edge {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.number == other.number {
            return Ordering::Equal;
        }
        if along(self.first, other.first).is_lt() {
            return other.cmp(self).reverse();
        }
        let side = other.side(self.first).then_with(|| other.side(self.last));
        side.then_with(|| self.number.cmp(&other.number))
    }
}

impl PartialOrd for Edge {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Edge {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Edge {}

/// The edges that the line is over, from south to north.
struct SweepLine {
    edges: BTreeSet<Edge>,
    /// Of the whole ring.
    count: usize,
}

impl SweepLine {
    /// Goes on to a corner, which these two edges share.
    fn pass(&mut self, both: [Edge; 2], corner: Coord) -> Option<(usize, usize)> {
        for edge in both.iter().filter(|edge| edge.last == corner) {
            let beside = self.beside(edge);
            self.edges.remove(edge);
            if let [Some(below), Some(above)] = beside
                && let Some(fault) = self.check(&below, &above)
            {
                return Some(fault);
            }
        }
        for edge in both.iter().filter(|edge| edge.first == corner) {
            let fault = self.beside(edge).into_iter().flatten().find_map(|other| self.check(edge, &other));
            if fault.is_some() {
                return fault;
            }
            self.edges.insert(*edge);
        }
        None
    }

    /// What is south of it on the line, and what is north.
    fn beside(&self, edge: &Edge) -> [Option<Edge>; 2] {
        let below = self.edges.range(..edge).next_back();
        let above = self.edges.range((Excluded(edge), Unbounded)).next();
        [below.copied(), above.copied()]
    }

    fn check(&self, one: &Edge, other: &Edge) -> Option<(usize, usize)> {
        let (a, b) = (one.number.min(other.number), one.number.max(other.number));
        let follow = b - a == 1 || (a == 0 && b + 1 == self.count);
        (!follow && one.meets(other)).then_some((a, b))
    }
}
