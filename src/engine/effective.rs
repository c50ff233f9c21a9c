//! What the presence rule means on the ground: how deep inside, and how far outside, fixes of usual accuracies must be.
//!
//! Law: these are the engine's own numbers, asked of the engine's own probability; nothing is promised here that a ping
//! would not find.

use std::{cmp::Ordering, collections::BinaryHeap, f64::consts::TAU};

use geo::{BoundingRect, CoordsIter};

use super::{
    edges::Edges,
    presence::AT_ONCE,
    probability,
    shape::{Outline, wrapped},
};
use crate::domain::{
    detection::Detection,
    geo::{METRES_PER_DEGREE, Position},
    shape::{Polygons, Shape},
};

/// Accuracies in metres that phones have under open sky, in streets, among towers, and indoors.
pub const USUAL_ACCURACIES_M: [f64; 4] = [5.0, 20.0, 50.0, 100.0];
/// Whoever is so deep inside is inside by any usual fix, whatever is set, in metres: three σ of the worst of them.
const DEEP_M: f64 = 300.0;
/// The deepest point is looked for until it can be deeper by less than this: metres, and a share.
const PRECISION: (f64, f64) = (0.5, 0.005);
/// Distances to edges that one search may ask for: a tenth of a second.
const MOST_WORK: usize = 10_000_000;
/// Headings in which the nearest edge is looked for.
const HEADINGS: u32 = 72;
/// Halvings of a way: 300 m to less than a millimetre.
const HALVINGS: u32 = 20;

/// Metres from the edge for fixes of one accuracy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Distances {
    pub accuracy_m: f64,
    /// Inside: one fix so deep enters; none if no fix is ever sure enough.
    pub enter_m: Option<f64>,
    /// Inside: two fixes so deep enter; none if no fix is ever likely enough.
    pub confirmed_enter_m: Option<f64>,
    /// Outside: one fix so far away leaves.
    pub leave_m: f64,
    /// Outside: two fixes so far away leave.
    pub confirmed_leave_m: f64,
}

/// For each of [`USUAL_ACCURACIES_M`].
pub fn distances(shape: &Shape, detection: &Detection) -> Vec<Distances> {
    let edges;
    let outline = match shape {
        Shape::Circle(circle) => Outline::Circle(*circle),
        Shape::Polygons(polygons) => {
            edges = Edges::of(polygons);
            Outline::Polygons(polygons, &edges)
        }
    };
    let way = Way::out_of(outline);
    let depth = |accuracy_m, probability| way.as_ref()?.depth(outline, accuracy_m, probability);
    let of = |accuracy_m: f64| {
        let margin_m = detection.margin_m(accuracy_m);
        Distances {
            accuracy_m,
            enter_m: depth(accuracy_m, detection.enter_probability()),
            confirmed_enter_m: depth(accuracy_m, detection.confirm_probability()),
            leave_m: AT_ONCE * margin_m,
            confirmed_leave_m: margin_m,
        }
    };
    USUAL_ACCURACIES_M.map(of).to_vec()
}

/// The straight way from the deepest point of a shape to the edge next to it.
struct Way {
    deepest: Position,
    depth_m: f64,
    heading: f64,
}

impl Way {
    fn out_of(outline: Outline<'_>) -> Option<Self> {
        let polygons = match outline {
            Outline::Circle(circle) => {
                let deepest = circle.center();
                // Towards the equator, where no pole is in the way.
                let heading = if deepest.latitude() > 0.0 { TAU / 2.0 } else { 0.0 };
                return Some(Self { deepest, depth_m: circle.radius_m(), heading });
            }
            Outline::Polygons(polygons, _) => polygons,
        };
        let (deepest, depth_m) = deepest(outline, polygons)?;
        let headings = (0..HEADINGS).map(|i| TAU * f64::from(i) / f64::from(HEADINGS));
        let from_edge = |heading: &f64| outline.signed_distance(moved(deepest, *heading, depth_m), f64::INFINITY).abs();
        let heading = headings.min_by(|a, b| from_edge(a).total_cmp(&from_edge(b))).unwrap_or_default();
        Some(Self { deepest, depth_m, heading })
    }

    /// Metres inside the edge at which a fix still has the probability; none if the deepest point has less.
    fn depth(&self, outline: Outline<'_>, accuracy_m: f64, probability: f64) -> Option<f64> {
        let sigma = probability::sigma(accuracy_m);
        let is_enough =
            |m: f64| probability::inside(outline, moved(self.deepest, self.heading, m), sigma) >= probability;
        if !is_enough(0.0) {
            return None;
        }
        let (mut enough, mut too_far) = (0.0, self.depth_m);
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(enough, too_far);
            *(if is_enough(middle) { &mut enough } else { &mut too_far }) = middle;
        }
        Some((-outline.signed_distance(moved(self.deepest, self.heading, enough), f64::INFINITY)).max(0.0))
    }
}

/// So many metres away in a heading (0 is north, clockwise), in the plane that touches there.
fn moved(from: Position, heading: f64, metres: f64) -> Position {
    let (east, north) = heading.sin_cos();
    let latitude = (from.latitude() + north * metres / METRES_PER_DEGREE).clamp(-90.0, 90.0);
    let shrink = from.latitude().to_radians().cos().max(1e-9);
    let longitude = wrapped(from.longitude() + east * metres / (METRES_PER_DEGREE * shrink));
    Position::new(latitude, longitude).unwrap_or(from)
}

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
/// the point is [`DEEP_M`] deep, or the work is done.
fn deepest(outline: Outline<'_>, polygons: &Polygons) -> Option<(Position, f64)> {
    let boxes = polygons.geometry().iter().filter_map(BoundingRect::bounding_rect);
    let cell = |bounds: geo::Rect| {
        let (center, half) = (bounds.center(), [bounds.width() / 2.0, bounds.height() / 2.0]);
        Cell::new(outline, [center.x, center.y], half)
    };
    let mut cells: BinaryHeap<Cell> = boxes.filter_map(cell).collect();
    let mut best = ([0.0; 2], f64::NEG_INFINITY);
    let mut left = MOST_WORK / polygons.geometry().coords_count().max(1);
    while let Some(cell) = cells.pop() {
        if cell.depth_m > best.1 {
            best = (cell.center, cell.depth_m);
        }
        let is_deeper = cell.at_most_m > best.1 + PRECISION.0.max(PRECISION.1 * best.1);
        if !is_deeper || best.1 >= DEEP_M || left == 0 {
            break;
        }
        left -= 1;
        cells.extend(cell.halves(outline));
    }
    Some((Position::new(best.0[1], best.0[0]).ok()?, best.1.max(0.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::shape::Circle,
        engine::{fixture::metres, presence::tests::entries_at},
    };

    fn square(side_m: f64) -> Polygons {
        let corners = [[0.0, 0.0], [0.0, side_m], [side_m, side_m], [side_m, 0.0], [0.0, 0.0]];
        let ring = corners.map(|[north, east]| metres(north, east)).map(|p| [p.longitude(), p.latitude()]);
        Polygons::new(&vec![vec![ring.to_vec()]]).expect("sound")
    }

    fn way_out_of(polygons: &Polygons) -> Way {
        Way::out_of(Outline::Polygons(polygons, &Edges::of(polygons))).expect("it has corners")
    }

    /// What is published is what pings find, a metre on either side.
    #[test]
    fn circles_are_entered_where_it_is_said() {
        let mut never = 0;
        for radius_m in [15.0, 25.0, 60.0, 200.0] {
            let circle = Shape::Circle(Circle::new(metres(0.0, 0.0), radius_m).expect("sound"));
            for said in distances(&circle, &Detection::default()) {
                let enters = |depth: f64| entries_at(radius_m, radius_m - depth, said.accuracy_m, 1) == 1;
                match said.enter_m {
                    Some(depth) => assert!(enters(depth + 0.5) && !enters(depth - 0.5), "{radius_m} {said:?}"),
                    None => assert!(!enters(radius_m), "{radius_m} {said:?}"),
                }
                let enters = |depth: f64| entries_at(radius_m, radius_m - depth, said.accuracy_m, 2) == 1;
                match said.confirmed_enter_m {
                    Some(depth) => assert!(enters(depth + 0.5) && !enters(depth - 0.5), "{radius_m} {said:?}"),
                    None => assert!(!enters(radius_m), "{radius_m} {said:?}"),
                }
                never += u32::from(said.confirmed_enter_m.is_none());
            }
        }
        assert!(never > 0, "the smallest are too small for the worst");
    }

    #[test]
    fn the_deepest_point_of_polygons_is_found() {
        let way = way_out_of(&square(80.0));
        assert!((way.depth_m - 40.0).abs() < 1.0, "{}", way.depth_m);
        let far = way_out_of(&square(5_000.0));
        assert!(far.depth_m >= DEEP_M);
        let said = distances(&Shape::Polygons(square(80.0)), &Detection::default());
        // Seen from 20 m (σ 13 m) the square's other sides are far: P = 0.9 is 1.28 σ from one edge.
        assert!((said[1].enter_m.expect("wide enough") - 1.28 * 20.0 / 1.51).abs() < 1.5, "{said:?}");
        assert_eq!((said[3].enter_m, said[3].leave_m, said[3].confirmed_leave_m), (None, 600.0, 200.0));
    }
}
