//! The deepest point inside polygons: the centre of the largest circle that fits.
//!
//! Law 7: by the exact distances that pings are asked by, over the antimeridian and the poles.

use std::{cmp::Ordering, collections::BinaryHeap};

use geo::{BoundingRect, CoordsIter};

use super::shape::Outline;
use crate::domain::{
    geo::{METRES_PER_DEGREE, Position},
    shape::Polygons,
};

/// The deepest point is looked for until it can be deeper by less than this: metres, and a share.
const PRECISION: (f64, f64) = (0.5, 0.005);
/// Distances to edges that one search may ask for, some hundredths of a second; a part costs as many as it has corners, and
/// so many more. Long thin shapes have more parts than that: the best of those that were looked at is taken.
const MOST_WORK: usize = 10_000_000;
const WORK_OF_PART: usize = 1_000;

/// A part of the box around a polygon, ordered by how deep a point in it can be.
struct Cell {
    center: [f64; 2],
    half: [f64; 2],
    depth_m: f64,
    at_most_m: f64,
}

impl Cell {
    fn new(outline: Outline<'_>, center: [f64; 2], half: [f64; 2]) -> Option<Self> {
        let position = Position::new(center[1], center[0]).ok()?;
        let depth_m = -outline.signed_distance(position, f64::INFINITY);
        let [across, up] = in_metres(center, half);
        Some(Self { center, half, depth_m, at_most_m: depth_m + across.hypot(up) })
    }

    /// Halves of it, across the longer side.
    fn halves<'a>(&self, outline: Outline<'a>) -> impl Iterator<Item = Cell> + use<'a> {
        let [across, up] = in_metres(self.center, self.half);
        let i = usize::from(up > across);
        let (mut half, center) = (self.half, self.center);
        half[i] /= 2.0;
        [-half[i], half[i]].into_iter().filter_map(move |by| {
            let mut center = center;
            center[i] += by;
            Cell::new(outline, center, half)
        })
    }
}

/// Half the sides of a cell in metres, across where it is widest.
fn in_metres(center: [f64; 2], half: [f64; 2]) -> [f64; 2] {
    let nearest_equator = (center[1].abs() - half[1]).max(0.0);
    [half[0] * nearest_equator.to_radians().cos() * METRES_PER_DEGREE, half[1] * METRES_PER_DEGREE]
}

impl PartialEq for Cell {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Cell {}

impl PartialOrd for Cell {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Cell {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at_most_m.total_cmp(&other.at_most_m)
    }
}

/// The deepest point and its depth in metres: the most promising part is halved until no other can be much deeper, or
/// the point is `enough_m` deep, or the work is done.
pub fn deepest(outline: Outline<'_>, polygons: &Polygons, enough_m: f64) -> Option<(Position, f64)> {
    let boxes = polygons.geometry().iter().filter_map(BoundingRect::bounding_rect);
    let cell = |bounds: geo::Rect| {
        let (center, half) = (bounds.center(), [bounds.width() / 2.0, bounds.height() / 2.0]);
        Cell::new(outline, [center.x, center.y], half)
    };
    let mut cells: BinaryHeap<Cell> = boxes.filter_map(cell).collect();
    let mut best = ([0.0; 2], f64::NEG_INFINITY);
    let mut left = MOST_WORK / (polygons.geometry().coords_count() + WORK_OF_PART);
    while let Some(cell) = cells.pop() {
        if cell.depth_m > best.1 {
            best = (cell.center, cell.depth_m);
        }
        let is_deeper = cell.at_most_m > best.1 + PRECISION.0.max(PRECISION.1 * best.1);
        if !is_deeper || best.1 >= enough_m || left == 0 {
            break;
        }
        left -= 1;
        cells.extend(cell.halves(outline));
    }
    Some((Position::new(best.0[1], best.0[0]).ok()?, best.1.max(0.0)))
}
