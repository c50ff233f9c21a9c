//! What two areas have in common where their edges meet: exact, and from the edges alone that meet.
//!
//! Law: where edges cross in their midst, each area has a part of the other and a part of its own. Where none do, edges meet at
//! ends of edges; close to such a point each area is some wedges, and what wedges have in common or alone the areas have.

use std::{cmp::Ordering, collections::HashSet};

use geo::{
    BoundingRect, Coord, CoordsIter, Line, LinesIter, Winding,
    kernels::{Kernel, Orientation, RobustKernel},
};
use rstar::{AABB, RTree, RTreeObject};

use super::{sweep::along, violation::Invalid};

/// What two areas have in common where their edges meet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Meeting {
    /// More than edges.
    pub overlap: bool,
    /// The second is not within the first.
    pub outside: bool,
    /// A piece of an edge.
    pub on_a_line: bool,
}

impl Meeting {
    const CROSSING: Self = Self { overlap: true, outside: true, on_a_line: false };

    fn and(self, other: Self) -> Self {
        Self {
            overlap: self.overlap || other.overlap,
            outside: self.outside || other.outside,
            on_a_line: self.on_a_line || other.on_a_line,
        }
    }
}

/// The edges of an area whose rings are sound, and a tree of their boxes.
pub(super) struct Outline {
    edges: Vec<Edge>,
    tree: RTree<Boxed>,
}

#[derive(Debug, Clone, Copy)]
struct Edge {
    line: Line,
    /// The area lies to its left.
    left: bool,
}

impl Outline {
    pub fn new(polygon: &geo::Polygon) -> Self {
        let shell = (polygon.exterior(), polygon.exterior().is_ccw());
        let holes = polygon.interiors().iter().map(|hole| (hole, hole.is_cw()));
        let mut edges = Vec::with_capacity(polygon.coords_count());
        for (ring, left) in std::iter::once(shell).chain(holes) {
            let lines = ring.lines_iter().filter(|line| line.start != line.end);
            edges.extend(lines.map(|line| Edge { line, left }));
        }
        Self { tree: tree(edges.iter().map(|edge| Some(edge.line.bounding_rect()))), edges }
    }

    /// What the areas have in common where their edges meet; none if no edges do. Takes what it compares off `left`, and
    /// refuses areas for which that is not enough.
    pub fn meet(&self, other: &Self, left: &mut usize) -> Result<Option<Meeting>, Invalid> {
        let mut count = || {
            *left = left.checked_sub(1).ok_or_else(tangled)?;
            Ok::<(), Invalid>(())
        };
        // That they are asked about at all.
        count()?;
        let (few, many) = if self.edges.len() <= other.edges.len() { (self, other) } else { (other, self) };
        let mut points = HashSet::new();
        for one in few.tree.locate_in_envelope_intersecting(many.tree.root().envelope()) {
            count()?;
            for other in many.tree.locate_in_envelope_intersecting(one.bounds) {
                count()?;
                let lines = [few.edges[one.number].line, many.edges[other.number].line];
                if cross(lines) {
                    return Ok(Some(Meeting::CROSSING));
                }
                points.extend(common_ends(lines).map(key));
            }
        }
        let mut met = None;
        for at in points {
            let at = at.map(f64::from_bits);
            let told = around(&mut [self.rays(at, &mut count)?, other.rays(at, &mut count)?]);
            met = Some(told.and(met.unwrap_or_default()));
        }
        Ok(met)
    }

    /// What there is of edges around a point on them.
    fn rays(&self, [x, y]: [f64; 2], mut count: impl FnMut() -> Result<(), Invalid>) -> Result<Vec<Ray>, Invalid> {
        let (from, mut rays) = (Coord { x, y }, Vec::new());
        for boxed in self.tree.locate_in_envelope_intersecting(AABB::from_point([x, y])) {
            count()?;
            let Edge { line, left } = self.edges[boxed.number];
            if is_on(line, from) {
                let both = [(line.end, left), (line.start, !left)].into_iter().filter(|(to, _)| *to != from);
                rays.extend(both.map(|(to, after)| Ray { from, to, after }));
            }
        }
        Ok(rays)
    }
}

fn tangled() -> Invalid {
    Invalid::new("is too tangled; simplify it or cut it in parts")
}

/// A position to be looked up. Both zeros are the same place.
fn key(at: Coord) -> [u64; 2] {
    [at.x + 0.0, at.y + 0.0].map(f64::to_bits)
}

/// Whether lines cross in the midst of both.
fn cross([one, other]: [Line; 2]) -> bool {
    let parts = |line: Line, ends: Line| {
        let [start, end] = [ends.start, ends.end].map(|end| side(line, end));
        start != end && start != Orientation::Collinear && end != Orientation::Collinear
    };
    parts(one, other) && parts(other, one)
}

/// The ends of either line that are on the other.
fn common_ends([one, other]: [Line; 2]) -> impl Iterator<Item = Coord> {
    let ends = [(other, one.start), (other, one.end), (one, other.start), (one, other.end)];
    ends.into_iter().filter(|&(line, end)| is_on(line, end)).map(|(_, end)| end)
}

fn is_on(line: Line, at: Coord) -> bool {
    let within = |a: f64, b: f64, at: f64| (a.min(b)..=a.max(b)).contains(&at);
    within(line.start.x, line.end.x, at.x)
        && within(line.start.y, line.end.y, at.y)
        && side(line, at) == Orientation::Collinear
}

fn side(line: Line, at: Coord) -> Orientation {
    RobustKernel::orient2d(line.start, line.end, at)
}

/// An edge as it is seen from a point on it.
#[derive(Debug, Clone, Copy)]
struct Ray {
    from: Coord,
    to: Coord,
    /// Whoever turns counter-clockwise past it comes into the area, else out of it.
    after: bool,
}

impl Ray {
    /// Which of two rays from one point comes first, counter-clockwise from the north, which itself comes last.
    fn turn(&self, other: &Self) -> Ordering {
        let in_the_east = |ray: &Self| along(ray.from, ray.to).is_lt();
        let line = Line::new(self.from, self.to);
        in_the_east(self).cmp(&in_the_east(other)).then_with(|| match side(line, other.to) {
            Orientation::CounterClockwise => Ordering::Less,
            Orientation::Clockwise => Ordering::Greater,
            Orientation::Collinear => Ordering::Equal,
        })
    }
}

/// What the wedges around a point say, between the rays of each area.
fn around(areas: &mut [Vec<Ray>; 2]) -> Meeting {
    areas.iter_mut().for_each(|rays| rays.sort_unstable_by(Ray::turn));
    let mut within = areas.each_ref().map(|rays| rays.last().is_some_and(|ray| ray.after));
    let mut ahead = areas.each_ref().map(|rays| rays.iter().peekable());
    let mut told = Meeting::default();
    loop {
        let [one, other] = ahead.each_mut().map(|rays| rays.peek().copied());
        let Some(next) = [one, other].into_iter().flatten().min_by(|a, b| a.turn(b)) else { return told };
        let passed = ahead.each_mut().map(|rays| rays.next_if(|ray| ray.turn(next).is_eq()));
        for (within, ray) in within.iter_mut().zip(passed) {
            *within = ray.map_or(*within, |ray| ray.after);
        }
        told = told.and(Meeting {
            overlap: within == [true, true],
            outside: within == [false, true],
            on_a_line: passed.iter().all(Option::is_some),
        });
    }
}

/// Something in a tree of boxes, by its number.
pub(super) struct Boxed {
    pub bounds: AABB<[f64; 2]>,
    pub number: usize,
}

impl RTreeObject for Boxed {
    type Envelope = AABB<[f64; 2]>;

    fn envelope(&self) -> Self::Envelope {
        self.bounds
    }
}

impl Boxed {
    fn new(rect: geo::Rect, number: usize) -> Self {
        let (low, high) = (rect.min(), rect.max());
        Self { bounds: AABB::from_corners([low.x, low.y], [high.x, high.y]), number }
    }
}

/// Of those that have a box, numbered as they come.
pub(super) fn tree(boxes: impl Iterator<Item = Option<geo::Rect>>) -> RTree<Boxed> {
    RTree::bulk_load(boxes.enumerate().filter_map(|(number, rect)| Some(Boxed::new(rect?, number))).collect())
}
