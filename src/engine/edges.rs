//! Polygons prepared to be asked: their edges in runs, in a tree of their boxes.
//!
//! Law 7: edges are straight in longitude and latitude (RFC 7946). An edge along the antimeridian where a shape was cut
//! in two, or along a pole, is no edge of the shape: it counts for the side a point is on, never for distances.

use std::cell::Cell;

use super::{
    boxes::{DegreeBox, beside},
    forest::Tree,
    packed::{Boxed, Met, Packed, Thing},
    raster::Raster,
};
use crate::domain::{
    geo::{METRES_PER_DEGREE, Position},
    shape::Polygons,
};

/// Fewest and most edges of a run. Between them a run has as many as there are runs: so most shapes are one node of the
/// tree, and the largest are few lines of a memory that is not at hand.
const RUN: (usize, usize) = (8, 512);

/// The northernmost latitude, in degrees, that has one above it.
const BELOW_THE_POLE: f64 = 90.0_f64.next_down();

/// The edges of polygons, as runs along their rings.
#[derive(Debug)]
pub struct Edges {
    runs: Packed<Run>,
    /// Where the antimeridian bounds the shape.
    cuts: Vec<[geo::Coord; 2]>,
    raster: Raster,
}

/// Some edges one behind the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Where they are among the polygons.
    polygon: u32,
    /// 0 is the shell.
    ring: u32,
    first: u32,
    edges: u16,
    /// Along the antimeridian or a pole.
    seam: bool,
    /// The shape lies to the left of its edges.
    left: bool,
    /// Latitudes of the first and the last corner.
    ends: [f64; 2],
}

impl Thing for Run {}

impl Edges {
    pub fn of(polygons: &Polygons) -> Self {
        let corners: usize = polygons.geometry().iter().flat_map(rings).map(|ring| ring.0.len()).sum();
        let (mut runs, length) = (Vec::new(), corners.isqrt().clamp(RUN.0, RUN.1));
        for (p, polygon) in polygons.geometry().iter().enumerate() {
            for (r, ring) in rings(polygon).enumerate() {
                add_ring(&ring.0, (p as u32, r as u32), length, &mut runs);
            }
        }
        let runs = Packed::new(runs);
        let edges = polygons.geometry().iter().flat_map(rings).flat_map(|ring| ring.0.windows(2));
        let edges = edges.map(|edge| [edge[0].x_y().into(), edge[1].x_y().into()]);
        let raster = Raster::new(&runs.bounds(), edges, |at| is_inside(&runs, at, polygons));
        Self { runs, cuts: cuts(polygons), raster }
    }

    /// A box around all of them.
    pub fn bounds(&self) -> DegreeBox {
        self.runs.bounds()
    }

    /// Whether the shape holds the position, if that is known without looking at its polygons.
    pub fn tell(&self, position: Position) -> Option<bool> {
        self.raster.tells(below_the_pole(position))
    }

    /// Whether the shape holds the position: even-odd, so for any winding, and holes are none of it.
    pub fn hold(&self, polygons: &Polygons, position: Position) -> bool {
        self.tell(position).unwrap_or_else(|| is_inside(&self.runs, below_the_pole(position), polygons))
    }

    /// What bounds the shape, in pieces: the gap between each and the position, which are the least differences in
    /// longitude and latitude, in degrees.
    pub fn bounding(&self, position: Position) -> impl Iterator<Item = ([f64; 2], Piece<'_>)> {
        let runs = self.runs.all().filter(|(_, run)| !run.seam);
        let runs = runs.map(move |(around, run)| (gap(&around, position), Piece::Run(run)));
        let cuts = self.cuts.iter().map(move |cut| (gap(&bounds(cut), position), Piece::Cut(cut)));
        runs.chain(cuts)
    }

    /// Visits what of that has a gap of at most so many degrees of longitude and latitude, and perhaps more. The visitor
    /// returns which share of them, from 0 to 1, is enough from then on. No piece is visited twice.
    pub fn near<'a>(&'a self, position: Position, reach: [f64; 2], mut visit: impl FnMut([f64; 2], Piece<'a>) -> f64) {
        let share = Cell::new(1.0);
        for cut in &self.cuts {
            share.set(visit(gap(&bounds(cut), position), Piece::Cut(cut)));
        }
        let mut before = DegreeBox::NOWHERE;
        for side in beside(position, reach) {
            let bounds = Cell::new(side.narrowed(share.get()));
            self.runs.narrowing(&bounds, &mut |Met { bounds: around, thing: run, .. }| {
                // Sides of the antimeridian never narrow, so what meets the first one was visited there.
                if !run.seam && !before.meets(&around) {
                    let enough = visit(gap(&around, position), Piece::Run(run));
                    if share.replace(enough) != enough {
                        bounds.set(side.narrowed(enough));
                    }
                }
            });
            before = side;
        }
    }
}

/// Whether the polygons hold the position, as edges that are prepared of them say; in as many steps as there are corners.
pub fn hold(polygons: &Polygons, position: Position) -> bool {
    let at = below_the_pole(position);
    let crossed: usize = polygons.geometry().iter().flat_map(rings).map(|ring| crossed(&ring.0, at)).sum();
    crossed % 2 == 1
}

/// How many of the edges between corners a ray from the point to the east crosses.
fn crossed(corners: &[geo::Coord], [x, y]: [f64; 2]) -> usize {
    let crosses = |edge: &&[geo::Coord]| {
        let (a, b) = (edge[0], edge[1]);
        (a.y > y) != (b.y > y) && x < a.x + (y - a.y) / (b.y - a.y) * (b.x - a.x)
    };
    corners.windows(2).filter(crosses).count()
}

/// Nothing is above the North Pole to cross to: what surrounds it goes on just below it.
fn below_the_pole(position: Position) -> [f64; 2] {
    [position.longitude(), position.latitude().min(BELOW_THE_POLE)]
}

/// Whether a ray to the east crosses an odd number of edges.
fn is_inside(runs: &Packed<Run>, [x, y]: [f64; 2], polygons: &Polygons) -> bool {
    let (mut inside, ray) = (false, DegreeBox::new([x, y], [180.0, y]));
    runs.meeting(&ray, &mut |met| inside ^= met.thing.crosses(&met.bounds, [x, y], polygons));
    inside
}

fn add_ring(corners: &[geo::Coord], (polygon, ring): (u32, u32), length: usize, runs: &mut Vec<Boxed<Run>>) {
    let left = is_counter_clockwise(corners) == (ring == 0);
    let mut first = 0;
    while first + 1 < corners.len() {
        let seam = is_seam(corners[first], corners[first + 1]);
        let like = |edge: &&[geo::Coord]| is_seam(edge[0], edge[1]) == seam;
        let edges = corners[first..].windows(2).take(length).take_while(like).count();
        let ends = [corners[first].y, corners[first + edges].y];
        let run = Run { polygon, ring, first: first as u32, edges: edges as u16, seam, left, ends };
        runs.push(Boxed(bounds(&corners[first..=first + edges]), run));
        first += edges;
    }
}

/// A piece of what bounds a shape. Its corners are looked up when they are asked for: most pieces are too far away.
#[derive(Debug, Clone, Copy)]
pub enum Piece<'a> {
    Run(&'a Run),
    Cut(&'a [geo::Coord; 2]),
}

impl<'a> Piece<'a> {
    /// Of the polygons that its edges were prepared from.
    pub fn corners(self, polygons: &'a Polygons) -> &'a [geo::Coord] {
        match self {
            Self::Run(run) => run.corners(polygons),
            Self::Cut(cut) => cut,
        }
    }

    /// Whether the shape lies to the left of it.
    pub fn left(self) -> bool {
        match self {
            Self::Run(run) => run.left,
            Self::Cut(_) => true,
        }
    }
}

impl Run {
    fn corners<'a>(&self, polygons: &'a Polygons) -> &'a [geo::Coord] {
        let polygon = &polygons.geometry().0[self.polygon as usize];
        let ring = match self.ring {
            0 => polygon.exterior(),
            hole => &polygon.interiors()[hole as usize - 1],
        };
        &ring.0[self.first as usize..=self.first as usize + usize::from(self.edges)]
    }

    /// Whether a ray from the point to the east crosses the edges, which have this box, an odd number of times.
    fn crosses(&self, bounds: &DegreeBox, [x, y]: [f64; 2], polygons: &Polygons) -> bool {
        let ([west, south], [east, north]) = (bounds.south_west, bounds.north_east);
        if f64::from(south) > y || f64::from(north) <= y || f64::from(east) <= x {
            return false;
        }
        if f64::from(west) > x {
            // All of it is to the east: what counts is whether it ends on the other side of the ray.
            return (self.ends[0] > y) != (self.ends[1] > y);
        }
        crossed(self.corners(polygons), [x, y]) % 2 == 1
    }
}

/// Least difference in longitude (the shorter way round) and latitude to any point of a box.
pub(super) fn gap(bounds: &DegreeBox, position: Position) -> [f64; 2] {
    let ([low_x, low_y], [high_x, high_y]) = (bounds.south_west.map(f64::from), bounds.north_east.map(f64::from));
    let (x, y) = (position.longitude(), position.latitude());
    let round = |degrees: f64| if degrees < 0.0 { degrees + 360.0 } else { degrees };
    let beside = if (low_x..=high_x).contains(&x) { 0.0 } else { round(low_x - x).min(round(x - high_x)) };
    [beside, (low_y - y).max(y - high_y).max(0.0)]
}

pub(super) fn rings(polygon: &geo::Polygon) -> impl Iterator<Item = &geo::LineString> {
    std::iter::once(polygon.exterior()).chain(polygon.interiors())
}

fn bounds(corners: &[geo::Coord]) -> DegreeBox {
    let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
    for corner in corners {
        low = [low[0].min(corner.x), low[1].min(corner.y)];
        high = [high[0].max(corner.x), high[1].max(corner.y)];
    }
    DegreeBox::new(low, high)
}

fn is_counter_clockwise(ring: &[geo::Coord]) -> bool {
    let twice_area: f64 = ring.windows(2).map(|edge| edge[0].x * edge[1].y - edge[1].x * edge[0].y).sum();
    twice_area > 0.0
}

fn is_seam(a: geo::Coord, b: geo::Coord) -> bool {
    (a.x.abs() == 180.0 && a.x == b.x) || (a.y.abs() == 90.0 && a.y == b.y)
}

/// Edges along the antimeridian that have the shape on one side only, which lies to their left: by a sweep from south to
/// north over the ends of all edges there.
fn cuts(polygons: &Polygons) -> Vec<[geo::Coord; 2]> {
    let edges = polygons.geometry().iter().flat_map(rings).flat_map(|ring| ring.0.windows(2));
    let along = edges.filter(|edge| edge[0].x.abs() == 180.0 && edge[0].x == edge[1].x);
    let mut ends: Vec<geo::Coord> = along.flat_map(|edge| [edge[0], edge[1]]).collect();
    ends.sort_by(|a, b| a.y.total_cmp(&b.y));
    let (mut cuts, mut before) = (Vec::new(), None);
    // An edge begins at its first end and is over at its second: rings are simple, so parity tells.
    let (mut to_the_west, mut to_the_east) = (false, false);
    for end in ends {
        let south = before.filter(|&south| south < end.y);
        let [south, north] = [south.unwrap_or(end.y), end.y].map(|y| geo::coord! { x: 180.0, y: y });
        if south.y < north.y && to_the_west != to_the_east {
            cuts.push(if to_the_west { [south, north] } else { [north, south] });
        }
        let side = if end.x > 0.0 { &mut to_the_west } else { &mut to_the_east };
        *side = !*side;
        before = Some(end.y);
    }
    cuts
}

/// Metres in a degree of longitude and of latitude around a latitude.
pub(super) fn metres_per_degree(latitude: f64) -> [f64; 2] {
    [latitude.to_radians().cos() * METRES_PER_DEGREE, METRES_PER_DEGREE]
}
